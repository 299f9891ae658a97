//! What leaves the outbox now, as which message, and what becomes of a failed try.
//!
//! Asked by `alert::drain`, with the pending entries and the receipts of earlier ones. Nothing is
//! ever dropped: an entry is sent, folded into the message of a newer one, answered by a receipt
//! that says why it is moot, given up with its error kept, or it waits.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::notify::{hears_trouble, is_trouble, wants};
use super::{pause, pings, storm_delivery};
use crate::model::delivery::{Entry, Outcome, Receipt, Settled};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::incident::Why;
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::storm::Storm;
use crate::model::time::Stamp;

/// A first retry soon, as most outages of a mail server or a network are short.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// At least once an hour, as a fact that arrives a day late helps nobody.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);
/// More messages than this at once, for one sink, are one: a reboot that ends 300 processes is one fact.
const MANY: usize = 5;
/// How long a delivery is tried, and how long a sink may ask us to wait.
const GIVE_UP: Duration = Duration::from_secs(86_400);

/// One message for one sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The notification that is told.
    pub lead: Entry,
    /// Others that it speaks for, oldest first: older ones of its kind, or all of a storm.
    pub folded: Vec<Entry>,
    /// Id of the earlier message that this one answers.
    pub answers: Option<String>,
}

/// What to do with the pending entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// To be sent now, in this order within a sink.
    pub send: Vec<Batch>,
    /// Delivered before, as the ledger says: only their files are left.
    pub done: Vec<Entry>,
    /// Recoveries from what the sink was never told.
    pub moot: Vec<Entry>,
    /// Told by the messages of a storm, whose id stands beside each.
    pub part_of: Vec<(Entry, String)>,
    /// To be given up, their `last_error` says why.
    pub hopeless: Vec<Entry>,
    /// How many wait for their time.
    pub waiting: usize,
    /// When the first of them is due.
    pub next: Option<Stamp>,
}

/// What becomes of an entry whose delivery failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It waits for its next try.
    Later(Entry),
    /// It is given up.
    Hopeless(Entry),
}

/// Decides over all pending entries. `storms`: those of late.
#[must_use]
pub fn plan(pending: &[Entry], ledger: &[Receipt], sinks: &[Sink], storms: &[Storm], now: &Stamp) -> Plan {
    let mut plan = Plan::default();
    let pending = &*pause::put_off(pending, ledger, sinks, storms, now);
    let mut by_sink: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    let settled: HashSet<_> = ledger.iter().map(|receipt| (receipt.sink.as_str(), receipt.id.as_str())).collect();
    for entry in pending {
        if settled.contains(&(entry.sink.as_str(), entry.id())) {
            plan.done.push(entry.clone());
        } else {
            by_sink.entry(&entry.sink).or_default().push(entry);
        }
    }
    for (name, entries) in by_sink {
        match sinks.iter().find(|sink| sink.name == name) {
            Some(sink) => {
                let asked = entries.iter().filter_map(|entry| entry.asked.as_ref());
                if let Some(until) = asked.filter(|until| !now.has_reached(until)).max_by_key(|until| until.boot_ms) {
                    // Too many requests are too many, whatever they are about.
                    wait(&mut plan, entries.len(), until.clone());
                    continue;
                }
                if pings::is_ping(sink) {
                    pings::plan(&mut plan, entries, now);
                    continue;
                }
                let told: Vec<&Receipt> = ledger.iter().filter(|receipt| receipt.sink == sink.name).collect();
                let entries = storm_delivery::take(&mut plan, entries, &told, storms, now);
                plan_sink(&mut plan, sink, entries, ledger, now);
            }
            None => plan_orphans(&mut plan, &entries, now),
        }
    }
    plan
}

/// Entries of a sink that the registry does not know (any more, or while it is being edited).
fn plan_orphans(plan: &mut Plan, entries: &[&Entry], now: &Stamp) {
    for entry in entries {
        if now.since(&entry.queued) >= GIVE_UP {
            let error = format!("the registry has no sink `{}`", entry.sink);
            plan.hopeless.push(Entry { last_error: Some(error), ..(*entry).clone() });
        } else {
            plan.waiting += 1;
        }
    }
}

fn plan_sink(plan: &mut Plan, sink: &Sink, entries: Vec<&Entry>, ledger: &[Receipt], now: &Stamp) {
    let told = || ledger.iter().filter(|receipt| receipt.sink == sink.name);
    let (recoveries, rest) = split_recoveries(entries);
    let (mut batches, mut held) = (Vec::new(), Vec::new());
    for members in recoveries {
        let process = &members[members.len() - 1].notification.event.process;
        let told_trouble = open_trouble(told(), process);
        let pending_trouble = members.iter().any(|entry| is_trouble(entry.notification.event.kind));
        let lead = &members[members.len() - 1].notification.event;
        // The end of an incident that the sink asked for by its kind is news, whatever it was told before.
        let asked_for = lead.kind != EventKind::Recovered && wants(sink, lead);
        if told_trouble.is_empty() && !pending_trouble && hears_trouble(sink) && !asked_for {
            plan.moot.extend(members.into_iter().cloned());
        } else if let Some(until) = retry_at(&members, now) {
            held.push((members, until));
        } else {
            let sent = told_trouble.iter().rev().find(|receipt| receipt.how == Settled::Sent);
            batches.extend(batch(&members, sent.map(|receipt| receipt.id.clone())));
        }
    }
    let mut groups: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for entry in rest {
        // Each test is a message of its own: somebody waits for exactly that one. What time has brought is no repetition.
        let event = &entry.notification.event;
        let alone = (event.kind == EventKind::Test || *event.why() != Why::News).then(|| entry.id().to_owned());
        groups.entry((entry.group(), entry.notification.event.severity, alone)).or_default().push(entry);
    }
    for ((group, severity, alone), mut members) in groups {
        members.sort_by_key(|entry| entry.notification.event.at);
        let cooling = match alone {
            Some(_) => None,
            None if !pause::cools(sink, severity) => None,
            None => held_until(told().filter(|receipt| receipt.group == group), sink.cooldown, now),
        };
        match (retry_at(&members, now), cooling) {
            (None, None) => batches.extend(batch(&members, None)),
            (None, Some(until)) => held.push((members, until)),
            (Some(retry), cooling) => held.push((members, later(retry, cooling))),
        }
    }
    // A recovery answers just what it speaks for.
    let speak = batches.iter_mut().filter(|batch: &&mut Batch| !batch.lead.notification.event.kind.ends_an_incident());
    for entry in speak.flat_map(|batch| std::mem::take(&mut batch.folded)).collect::<Vec<_>>() {
        take_along(&mut batches, &entry);
    }
    for (members, until) in held {
        let left = members.into_iter().filter(|entry| !take_along(&mut batches, entry)).count();
        if left > 0 {
            wait(plan, left, until);
        }
    }
    order(&mut batches);
    plan.send.extend(calm(pause::together(sink, batches)));
}

/// Folds what waits, for a cooldown or its next try, into the first message about the same process that goes now and is newer: told
/// later, it would be stale news, and would come after what followed from it. False: there is none.
fn take_along(batches: &mut [Batch], entry: &Entry) -> bool {
    let event = &entry.notification.event;
    let newer = batches.iter_mut().filter(|batch| {
        let lead = &batch.lead.notification.event;
        lead.process == event.process && lead.kind != EventKind::Test && lead.at >= event.at
    });
    let Some(batch) = newer.min_by_key(|batch| batch.lead.notification.event.at) else { return false };
    batch.folded.push(entry.clone());
    batch.folded.sort_by_key(|entry| entry.notification.event.at);
    true
}

/// Makes one message of a storm. Tests stay alone.
fn calm(batches: Vec<Batch>) -> Vec<Batch> {
    let is_test = |batch: &Batch| batch.lead.notification.event.kind == EventKind::Test;
    let (mut calm, storm): (Vec<Batch>, Vec<Batch>) = batches.into_iter().partition(is_test);
    match storm.len() > MANY {
        true => calm.extend(as_one(storm)),
        false => calm.extend(storm),
    }
    calm
}

/// One message of several: the last one of the worst process, which is the first, speaks for all.
pub(super) fn as_one(mut batches: Vec<Batch>) -> Option<Batch> {
    let worst = batches.first()?.lead.notification.event.process.clone();
    let last = batches.iter().rposition(|batch| batch.lead.notification.event.process == worst)?;
    let Batch { lead, folded, answers } = batches.remove(last);
    let others = batches.into_iter().flat_map(|batch| batch.folded.into_iter().chain([batch.lead]));
    let mut folded: Vec<Entry> = others.chain(folded).collect();
    // Stable, so that within a process a recovery still comes after what it answers.
    folded.sort_by_key(|entry| entry.notification.event.at);
    Some(Batch { lead, folded, answers })
}

/// For each process that recovered: the newest recovery, last, behind all that it answers; and
/// everything else.
fn split_recoveries(entries: Vec<&Entry>) -> (Vec<Vec<&Entry>>, Vec<&Entry>) {
    let mut newest: BTreeMap<Name, &Entry> = BTreeMap::new();
    for entry in &entries {
        let event = &entry.notification.event;
        if answers(event) {
            let best = newest.entry(event.process.clone()).or_insert(entry);
            if best.notification.event.at < event.at {
                *best = entry;
            }
        }
    }
    let mut answered: BTreeMap<Name, Vec<&Entry>> = BTreeMap::new();
    let mut rest = Vec::new();
    for entry in entries {
        let event = &entry.notification.event;
        let belongs = answers(event) || is_trouble(event.kind);
        match newest.get(&event.process) {
            Some(recovery) if belongs && event.at <= recovery.notification.event.at => {
                answered.entry(event.process.clone()).or_default().push(entry);
            }
            Some(_) | None => rest.push(entry),
        }
    }
    for members in answered.values_mut() {
        members.sort_by_key(|entry| {
            let event = &entry.notification.event;
            (event.at, answers(event))
        });
    }
    (answered.into_values().collect(), rest)
}

/// Kinds of event after which nothing is open between a sink and a process.
const ANSWERS: [EventKind; 4] =
    [EventKind::Recovered, EventKind::FlappingOver, EventKind::Completed, EventKind::Stopped];

/// Whether an event answers the trouble before it.
pub(super) fn answers(event: &Event) -> bool {
    matches!(event.kind, EventKind::Recovered | EventKind::FlappingOver) || *event.why() == Why::Over
}

/// The trouble that a sink was told, of itself or within another message, and that no recovery has
/// answered yet.
pub(super) fn open_trouble<'l>(told: impl Iterator<Item = &'l Receipt>, process: &Name) -> Vec<&'l Receipt> {
    let mut open = Vec::new();
    for receipt in told.filter(|receipt| receipt.group.process == *process) {
        if receipt.how == Settled::Suppressed {
            continue;
        }
        if ANSWERS.contains(&receipt.group.kind) {
            open.clear();
        } else if is_trouble(receipt.group.kind) {
            open.push(receipt);
        }
    }
    open
}

fn batch(members: &[&Entry], answers: Option<String>) -> Option<Batch> {
    let (lead, folded) = members.split_last()?;
    Some(Batch { lead: (*lead).clone(), folded: folded.iter().map(|entry| (*entry).clone()).collect(), answers })
}

pub(super) fn wait(plan: &mut Plan, count: usize, until: Stamp) {
    plan.waiting += count;
    plan.next = match plan.next.take() {
        Some(next) if next.boot_ms <= until.boot_ms => Some(next),
        Some(_) | None => Some(until),
    };
}

/// The later of two moments of this boot that are still to come.
fn later(one: Stamp, other: Option<Stamp>) -> Stamp {
    other.filter(|other| other.boot_ms > one.boot_ms).unwrap_or(one)
}

/// When entries that are told together may be tried again; `None`: now.
pub(super) fn retry_at(members: &[&Entry], now: &Stamp) -> Option<Stamp> {
    let waits = members.iter().filter_map(|entry| entry.not_before.as_ref()).filter(|until| !now.has_reached(until));
    waits.max_by_key(|until| until.boot_ms).cloned()
}

/// When the cooldown of a group ends; `None`: it is over, or there was no message.
pub(super) fn held_until<'l>(
    told: impl Iterator<Item = &'l Receipt>,
    cooldown: Duration,
    now: &Stamp,
) -> Option<Stamp> {
    let last = told.filter(|receipt| !matches!(receipt.how, Settled::Moot | Settled::Suppressed)).last()?;
    if last.at.boot != now.boot && last.at.wall > now.wall {
        return None; // a clock that was set back since: better a message too many
    }
    let rest = cooldown.checked_sub(now.since(&last.at))?;
    (!rest.is_zero()).then(|| now.plus(rest))
}

/// The worst process first; within a process as it happened.
fn order(batches: &mut [Batch]) {
    let mut worst: BTreeMap<Name, Severity> = BTreeMap::new();
    for batch in batches.iter() {
        let event = &batch.lead.notification.event;
        let severity = worst.entry(event.process.clone()).or_insert(event.severity);
        *severity = event.severity.max(*severity);
    }
    batches.sort_by_key(|batch| {
        let event = &batch.lead.notification.event;
        (std::cmp::Reverse(worst.get(&event.process).copied()), event.process.clone(), event.at)
    });
}

/// When a message that failed is tried again: not before the sink allows it, and the same for all
/// that it speaks for, so that they stay together.
#[must_use]
pub fn next_try(batch: &Batch, asked: Option<Duration>, now: &Stamp) -> Stamp {
    let tried = batch.folded.iter().chain([&batch.lead]).map(|entry| entry.attempts).max().unwrap_or(0);
    let own = retry_after(tried.saturating_add(1), batch.lead.id());
    now.plus(own.max(asked.map_or(Duration::ZERO, |asked| asked.min(GIVE_UP))))
}

/// What becomes of each entry of a message after a try that did not deliver it; none: it was delivered.
#[must_use]
pub fn after_failure(batch: &Batch, outcome: &Outcome, now: &Stamp) -> Vec<Fate> {
    // All of the sink's messages wait, so no longer than for a failure of our own.
    let asked = |after: Duration| now.plus(after.min(LONGEST_RETRY));
    let (error, again) = match outcome {
        Outcome::Delivered { .. } => return Vec::new(),
        Outcome::Refused { error } => (error, None),
        Outcome::Failed { error, after, reached } => {
            (error, Some((next_try(batch, *after, now), after.map(asked), reached)))
        }
    };
    let mut fates = Vec::new();
    for entry in batch.folded.iter().chain([&batch.lead]) {
        let mut entry = entry.clone();
        entry.attempts = entry.attempts.saturating_add(1);
        entry.last_error = Some(error.clone());
        let first = entry.first_failed.get_or_insert_with(|| now.clone());
        let enough = now.since(first) >= GIVE_UP;
        fates.push(match &again {
            Some((until, asked, reached)) if !enough => {
                entry.not_before = Some(until.clone());
                entry.asked.clone_from(asked);
                entry.reached.extend(reached.iter().cloned());
                Fate::Later(entry)
            }
            Some(_) | None => Fate::Hopeless(entry),
        });
    }
    fates
}

/// Wait before the next try, after `attempts` failed ones: 30 s, 1 m, 2 m … 1 h, ±10 % so that what
/// failed together does not come back together. The spread is derived from the id.
#[must_use]
pub fn retry_after(attempts: u32, id: &str) -> Duration {
    let doublings = attempts.saturating_sub(1).min(7);
    let delay = (FIRST_RETRY * (1 << doublings)).min(LONGEST_RETRY);
    let spread = u32::try_from(hash(&format!("{id}#{attempts}")) % 201).unwrap_or(100); // always below 201
    delay * (900 + spread) / 1000
}

/// FNV-1a: spreads and names, proves nothing.
#[must_use]
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
