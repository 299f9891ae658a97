//! Emptying the outbox: one pass over what is due, each sink in a thread of its own.
//!
//! Called by a pass after it let go of every process lock, and by `alerts retry`. Receipt first,
//! then the entry goes (a disk that takes no receipt may still unlink): a crash between delivery and receipt delivers again, with the same id. One
//! drain of a sink at a time; whoever finds another at work may leave, because that one looks again after it
//! let go of the lock. Renders and decides nothing itself.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::attend::{Time, attend_all};
use super::due::{Quieted, hold_back, quieten};
use crate::alert::{Message, last_word, send};
use crate::error::{Code, Error};
use crate::model::delivery::{Entry, Outcome, Receipt, SCHEMA, Settled};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::sink::{Sink, SinkKind};
use crate::model::time::{Stamp, Wall};
use crate::os::{clock, lock};
use crate::policy::delivery::{Batch, Fate, Plan, after_failure, plan};
use crate::policy::digest::digest;
use crate::policy::silence::noted;
use crate::policy::storm::{gathers_until, is_of_crowd, storms};
use crate::policy::stuck::is_stuck;
use crate::store::{ledger, outbox, paths::Paths, silence, storm};

/// A send that has its own limit gets this much longer before its thread is abandoned.
const GRACE: Duration = Duration::from_millis(300);
/// Times that a drain looks again for what was queued while it was busy.
const ROUNDS: usize = 8;

/// What became of one notification for one sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Name of the sink.
    pub sink: String,
    /// The event that was to be told.
    pub event: Event,
    /// Id of the storm whose message told it.
    pub part_of: Option<String>,
    /// `None`: delivered; else why it was given up.
    pub given_up: Option<String>,
    /// By which way a session was told; empty: none was to be.
    pub way: String,
}

impl Report {
    /// The event of `alert_delivered` or `alert_failed` that this is; `None` where the notification was
    /// itself about an alert, or a test: alerts about alerts about alerts help nobody.
    #[must_use]
    pub fn event(&self, at: Wall) -> Option<Event> {
        if self.event.kind.is_about_alerts() || self.event.kind.is_of_guardian() {
            return None;
        }
        let part_of = self.part_of.as_ref().map_or(String::new(), |storm| format!(": part of the storm {storm}"));
        let way = if self.way.is_empty() { String::new() } else { format!(": {}", self.way) };
        let (kind, severity, detail) = match &self.given_up {
            None => (EventKind::AlertDelivered, Severity::Info, format!("sink `{}`{part_of}{way}", self.sink)),
            Some(why) => (EventKind::AlertFailed, Severity::Warning, format!("sink `{}`: {why}", self.sink)),
        };
        let id = format!("{}.{}.{}", self.event.id, outbox::safe(&self.sink), kind.word());
        let event = Event::new(id, at, &self.event.process, kind, severity);
        Some(Event { run: self.event.run, group: self.event.group.clone(), detail, ..event })
    }
}

/// What a drain did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drained {
    /// Notifications delivered, folded ones included.
    pub delivered: usize,
    /// Notifications that still wait.
    pub pending: usize,
    /// Notifications given up and kept among the dead, now and earlier.
    pub dead: usize,
    /// Of those that wait: how many fail for so long that somebody should look.
    pub stuck: usize,
    /// Somebody else was at it; the counts are of what was found.
    pub busy: bool,
    /// When the next one is due, as far as known.
    pub next: Option<Stamp>,
    /// What was delivered or given up this time.
    pub reports: Vec<Report>,
    /// Failed tries, refused recipients and unreadable entries, as sentences.
    pub errors: Vec<String>,
}

impl Drained {
    /// Takes in what was done for another sink.
    pub(super) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.busy |= other.busy;
        self.reports.extend(other.reports);
        self.errors.extend(other.errors);
        self.next = self.next.take().into_iter().chain(other.next).min_by_key(|next| next.boot_ms);
    }

    /// Takes in when time will bring something, and what could not be read to know that.
    pub fn also(&mut self, next: Option<Stamp>, errors: Vec<String>) {
        self.add(Self { next, errors, ..Self::default() });
    }

    /// Whether all who should have been told were, or will soon be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.dead == 0 && self.stuck == 0 && self.errors.is_empty()
    }
}

/// Delivers what is due, for at most about `limit` in all. What is not done then stays pending.
///
/// # Errors
/// Outbox, ledger, lock or clock cannot be used. A sink that fails is no error but part of the answer.
pub fn drain(paths: &Paths, sinks: &[Sink], limit: Duration) -> Result<Drained, Error> {
    let mut drained = Drained::default();
    let until = boot()?.saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    // Each look at what waits reads them anew; that they cannot be read is said once, also where nothing waits.
    drained.errors.extend(silence::load(paths).err().map(|error| error.message));
    let mut found = outbox::whole(paths)?;
    for _ in 0..ROUNDS {
        // Nothing was ever queued, or nothing waits: then not even a lock is touched.
        if found.0.is_empty() && !last_word::is_owed(paths, &found.1.entries).unwrap_or(true) {
            break;
        }
        attend_all(paths, sinks, &found.0.entries, &mut drained, Time { limit, until })?;
        let held = lock::wait(&outbox::lock(paths))?;
        // What a sink will never be told another one may hear of: that is left to the next round.
        let words = last_word::see_to(paths, sinks, &now()?).unwrap_or_else(|error| {
            drained.errors.push(error.message);
            0
        });
        drop(held);
        found = outbox::whole(paths)?;
        if words == 0 || Duration::from_millis(until.saturating_sub(boot()?)) < limit / 4 {
            break;
        }
    }
    count(found, sinks, &mut drained)?;
    Ok(drained)
}

fn count(
    (pending, dead): (outbox::Listing, outbox::Listing),
    sinks: &[Sink],
    drained: &mut Drained,
) -> Result<(), Error> {
    drained.pending = pending.entries.len();
    drained.dead = dead.entries.len();
    if drained.pending > 0 {
        let now = now()?;
        drained.stuck = pending.entries.iter().filter(|entry| is_stuck(entry, sinks, &now)).count();
    }
    drained.errors.extend(pending.unreadable);
    drained.errors.extend(dead.unreadable);
    Ok(())
}

fn clock_error(error: &io::Error) -> Error {
    Error::new(Code::System, "clock", format!("cannot read the clock: {error}"))
}

pub(super) fn now() -> Result<Stamp, Error> {
    clock::now().map_err(|error| clock_error(&error))
}

pub(super) fn boot() -> Result<u64, Error> {
    clock::boot_ms().map_err(|error| clock_error(&error))
}

/// One look at what waits for a sink, with the sink's lock held. The outbox's own is held for a moment before and after each
/// message. Returns how many messages were tried, and what waited when it was looked.
pub(super) fn round(
    paths: &Paths,
    sink: &Sink,
    drained: &mut Drained,
    time: Time,
) -> Result<(usize, Vec<PathBuf>), Error> {
    let held = lock::wait(&outbox::lock(paths))?;
    let seen = outbox::names(paths, &sink.name)?;
    let pending = outbox::waiting(paths, &sink.name)?.entries;
    let known = ledger::read(paths)?;
    let now = now()?;
    ledger::prune(paths, &known, &now)?;
    // Where nobody can say what a storm was each is told alone.
    let failures = storm::load(paths).unwrap_or_else(|error| {
        drained.errors.push(error.message);
        Vec::new()
    });
    let storms = storms(&failures);
    let with = (known.receipts.as_slice(), std::slice::from_ref(sink), storms.as_slice());
    let (pending, suppressed) = hold_back(paths, pending, with, &mut drained.errors)?;
    let Quieted { pending, suppressed, next } = quieten(paths, (pending, suppressed), &known.receipts, sink, &now)?;
    let of_crowd = |entry: &Entry| is_of_crowd(&entry.notification.event, &entry.queued, &failures, &now);
    let gathers = gathers_until(&failures, &now).filter(|_| pending.iter().any(of_crowd));
    let pending: Vec<Entry> = pending.into_iter().filter(|entry| gathers.is_none() || !of_crowd(entry)).collect();
    let plan = plan(&pending, &known.receipts, std::slice::from_ref(sink), &storms, &now);
    drained.next = plan.next.clone().into_iter().chain(next).chain(gathers).min_by_key(|next| next.boot_ms);
    for (entry, reason) in suppressed {
        let receipt = Receipt { reason: Some(reason), ..receipt(&entry, Settled::Suppressed, None, &now) };
        ledger::append(paths, &[receipt])?;
        outbox::remove(paths, &entry)?;
    }
    tidy(paths, &plan, &now, drained)?;
    drop(held);
    let tried = plan.send.len();
    deliver_all(paths, sink, plan.send, time, drained);
    Ok((tried, seen))
}

/// Puts away what needs no sending.
pub(super) fn tidy(paths: &Paths, plan: &Plan, now: &Stamp, drained: &mut Drained) -> Result<(), Error> {
    for entry in &plan.done {
        outbox::remove(paths, entry)?;
    }
    for entry in &plan.moot {
        ledger::append(paths, &[receipt(entry, Settled::Moot, None, now)])?;
        outbox::remove(paths, entry)?;
    }
    for (entry, storm) in &plan.part_of {
        ledger::append(paths, &[receipt(entry, Settled::Folded, Some(storm), now)])?;
        outbox::remove(paths, entry)?;
        drained.reports.push(told(entry, Some(storm), ""));
    }
    for entry in &plan.hopeless {
        give_up(paths, entry, drained)?;
    }
    Ok(())
}

fn give_up(paths: &Paths, entry: &Entry, drained: &mut Drained) -> Result<(), Error> {
    outbox::bury(paths, entry)?;
    drained.reports.push(Report {
        sink: entry.sink.clone(),
        event: entry.notification.event.clone(),
        part_of: None,
        given_up: entry.last_error.clone(),
        way: String::new(),
    });
    Ok(())
}

/// One that its sink has, perhaps within the message of a storm.
fn told(entry: &Entry, storm: Option<&String>, way: &str) -> Report {
    let event = entry.notification.event.clone();
    Report { sink: entry.sink.clone(), event, part_of: storm.cloned(), given_up: None, way: way.to_owned() }
}

fn receipt(entry: &Entry, how: Settled, storm: Option<&String>, at: &Stamp) -> Receipt {
    Receipt {
        schema: SCHEMA,
        id: entry.id().to_owned(),
        sink: entry.sink.clone(),
        group: entry.group(),
        at: at.clone(),
        how,
        part_of: storm.cloned(),
        refused: Vec::new(),
        reason: None,
    }
}

/// All messages of one sink, one after the other. After a message that must be tried again those that follow it about the same
/// process wait as well: nothing overtakes.
fn deliver_all(paths: &Paths, sink: &Sink, batches: Vec<Batch>, time: Time, drained: &mut Drained) {
    let mut put_off = BTreeSet::new();
    for (nth, batch) in batches.into_iter().enumerate() {
        if put_off.contains(&batch.lead.notification.event.process) {
            continue; // fresh as it was: the next look takes what it waited for along
        }
        let left = match clock::boot_ms() {
            Ok(now) => Duration::from_millis(time.until.saturating_sub(now)),
            Err(_) => return, // the entries stay; the next drain says what is wrong with the clock
        };
        // One that is begun late would be cut off and sent again: it waits for the next drain.
        if left.is_zero() || (nth > 0 && left < time.limit / 4) {
            return;
        }
        let folded: Vec<&Event> = batch.folded.iter().map(|entry| &entry.notification.event).collect();
        let Ok(now) = now() else { return };
        let mut told = noted(&batch.lead, &sink.timing.zone, &now);
        told.event.digest = digest(sink, &told.event, &batch.folded).map(Box::new);
        let mut message = Message::new(&told, &folded, batch.answers.clone());
        message.reached.clone_from(&batch.lead.reached);
        message.log = paths.log(&batch.lead.notification.event.process);
        let outcome = bounded(sink, message, sink.timeout.min(left));
        let mut enough = false;
        if let Outcome::Failed { after, .. } = &outcome {
            put_off.insert(batch.lead.notification.event.process.clone());
            enough = after.is_some(); // it asked to be left alone
        }
        let held = lock::wait(&outbox::lock(paths));
        // What cannot be written down must not keep the other messages from being sent.
        if let Err(error) = held.and_then(|_held| settle(paths, sink, &batch, &outcome, drained)) {
            drained.errors.push(error.message);
        }
        if enough {
            return;
        }
    }
}

/// Sends in a thread that is left behind when it takes too long: libraries bound a step, not the whole.
#[must_use]
pub fn bounded(sink: &Sink, message: Message, limit: Duration) -> Outcome {
    let (tell, told) = mpsc::sync_channel(1);
    let worker = sink.clone();
    let begun = thread::Builder::new().spawn(move || {
        // Nobody listens any more when the limit has passed; the try was then counted as failed.
        drop(tell.send(send(&worker, &message, limit)));
    });
    if let Err(error) = begun {
        return Outcome::failed(format!("cannot start a thread: {error}"));
    }
    match told.recv_timeout(limit + GRACE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            Outcome::failed(format!("no answer within {}", crate::model::units::human_duration(limit)))
        }
        Err(RecvTimeoutError::Disconnected) => Outcome::failed("the delivery broke off (a bug in guardian)"),
    }
}

/// Writes down what came of a message.
fn settle(paths: &Paths, to: &Sink, batch: &Batch, outcome: &Outcome, drained: &mut Drained) -> Result<(), Error> {
    let now = now()?;
    let sink = &batch.lead.sink;
    match outcome {
        Outcome::Delivered { refused, reply } => {
            // What guardian itself did to wake a session is a fact; what a server says of itself is none for a history.
            let way = if matches!(to.kind, SinkKind::Wake(_)) { reply } else { "" };
            drained.errors.extend(refused.iter().map(|who| format!("sink `{sink}` refused {who}")));
            let lead = &batch.lead.notification.event;
            let storm = lead.storm.as_ref().map(|_| &lead.id);
            let folded = batch.folded.iter().map(|entry| receipt(entry, Settled::Folded, storm, &now));
            let sent = Receipt { refused: refused.clone(), ..receipt(&batch.lead, Settled::Sent, None, &now) };
            let receipts: Vec<Receipt> = folded.chain([sent]).collect();
            // Without a receipt the entry goes all the same: on a full disk it would be sent each minute.
            let written = ledger::append(paths, &receipts);
            let told = batch.folded.iter().map(|entry| told(entry, storm, way)).chain([told(&batch.lead, None, way)]);
            drained.reports.extend(told);
            for entry in batch.folded.iter().chain([&batch.lead]) {
                outbox::remove(paths, entry)?;
                drained.delivered += 1;
            }
            written?;
        }
        Outcome::Failed { error, .. } | Outcome::Refused { error } => {
            drained.errors.push(format!("sink `{sink}`: {error}"));
            for fate in after_failure(batch, outcome, &now) {
                match fate {
                    Fate::Later(entry) => outbox::update(paths, &entry)?,
                    Fate::Hopeless(entry) => give_up(paths, &entry, drained)?,
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "drain_tests.rs"]
mod tests;
