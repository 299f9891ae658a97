//! What time alone brings: an incident is told again, told to others, refreshed at a service; a process is calm again.
//!
//! Asked by each `alert::drain` while there is a book, with the ledger and what waits. What was told again before is read
//! from the ledger, so that nothing has to be written down twice: the nth reminder of an incident has an id of its own.

use std::time::Duration;

use super::delivery::open_trouble;
use super::flapping;
use super::notify::is_trouble;
use crate::model::delivery::{Entry, Receipt, Settled};
use crate::model::event::Notification;
use crate::model::incident::{Book, Incident, Why};
use crate::model::name::Name;
use crate::model::sink::{Sink, SinkKind};
use crate::model::time::Stamp;

/// An Alertmanager keeps alerts in memory only, and ends each that it is not sent again before its `endsAt`: a restarted one
/// knows of them within this time.
const REFRESH: Duration = Duration::from_secs(3600);

/// What is due, and when something will be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// To be queued, each for the sink of this name. Ids are derived, so that doing it twice is doing it once.
    pub put: Vec<(Notification, String)>,
    /// Processes that no longer flap, once that is queued.
    pub calm: Vec<Name>,
    /// Processes of which nothing needs to be remembered.
    pub forget: Vec<Name>,
    /// When the next of it is due.
    pub next: Option<Stamp>,
}

impl Due {
    fn at(&mut self, when: Stamp) {
        if self.next.as_ref().is_none_or(|next| when.boot_ms < next.boot_ms) {
            self.next = Some(when);
        }
    }
}

/// Decides over all books.
#[must_use]
pub fn due(books: &[(Name, Book)], ledger: &[Receipt], pending: &[Entry], sinks: &[Sink], now: &Stamp) -> Due {
    let mut due = Due::default();
    for (name, book) in books {
        if flapping::is_forgotten(book, now) {
            due.forget.push(name.clone());
        }
        calm(&mut due, name, book, ledger, pending, now);
        // Its trouble is told as flapping, until it is calm.
        let Some(incident) = book.open.as_ref().filter(|_| book.flapping.is_none()) else { continue };
        for sink in sinks {
            let seen = Seen::of(incident, name, sink, ledger, pending);
            again(&mut due, incident, sink, &seen, now);
            escalate(&mut due, incident, sink, &seen, now);
        }
    }
    due
}

fn calm(due: &mut Due, name: &Name, book: &Book, ledger: &[Receipt], pending: &[Entry], now: &Stamp) {
    let (Some(flapping), Some(at)) = (&book.flapping, flapping::calm_at(book, now)) else { return };
    if !now.has_reached(&at) {
        due.at(at);
        return;
    }
    let id = &flapping.told.event.id;
    let receipts = ledger.iter().filter(|receipt| receipt.id == *id).map(|receipt| &receipt.sink);
    let waiting = pending.iter().filter(|entry| entry.id() == id).map(|entry| &entry.sink);
    let mut told: Vec<&String> = receipts.chain(waiting).collect();
    told.sort();
    told.dedup();
    let over = flapping::over(book, now);
    due.put.extend(told.into_iter().filter_map(|sink| Some((over.clone()?, sink.clone()))));
    due.calm.push(name.clone());
}

/// What a sink was told of an incident, and what waits for it.
struct Seen<'l> {
    name: &'l Name,
    ledger: &'l [Receipt],
    /// Trouble that it was told, oldest first.
    told: Vec<&'l Receipt>,
    /// Whatever waits for it about the process.
    waits: Vec<&'l Entry>,
}

impl<'l> Seen<'l> {
    fn of(incident: &Incident, name: &'l Name, sink: &Sink, ledger: &'l [Receipt], pending: &'l [Entry]) -> Self {
        let own = ledger.iter().filter(|receipt| receipt.sink == sink.name);
        let mut told = open_trouble(own, name);
        // One who is never told of recoveries was told of earlier incidents as well.
        told.retain(|receipt| incident.opened.since(&receipt.at).is_zero());
        let waits = pending.iter().filter(|entry| entry.sink == sink.name && entry.notification.event.process == *name);
        Self { name, ledger, told, waits: waits.collect() }
    }

    /// When it was first told, or when what it is told was queued.
    fn since(&self) -> Option<&'l Stamp> {
        let waiting = || {
            let trouble = self.waits.iter().find(|entry| is_trouble(entry.notification.event.kind));
            trouble.map(|entry| &entry.queued)
        };
        self.told.first().map(|receipt| &receipt.at).or_else(waiting)
    }

    /// The highest number among the ids that are `stem` and a number, of this sink.
    fn last_number(&self, sink: &Sink, stem: &str) -> u32 {
        let own = self.ledger.iter().filter(|receipt| receipt.sink == sink.name && receipt.group.process == *self.name);
        own.filter_map(|receipt| receipt.id.strip_prefix(stem)?.parse().ok()).max().unwrap_or(0)
    }
}

/// A reminder, or a refresh where the service forgets.
fn again(due: &mut Due, incident: &Incident, sink: &Sink, seen: &Seen<'_>, now: &Stamp) {
    let (every, forgets) = match (&sink.kind, sink.insist.remind) {
        (SinkKind::Alertmanager(_), every) => (every.unwrap_or(REFRESH), true),
        (_, Some(every)) if incident.ack.is_none() => (every, false),
        (_, _) => return,
    };
    // What is still to be told says it; and what was told by a storm's message alone is not known there.
    let known = seen.told.iter().any(|receipt| !forgets || receipt.how == Settled::Sent);
    let (Some(last), true, true) = (last_told(seen, sink), known, seen.waits.is_empty()) else { return };
    let rest = every.saturating_sub(now.since(last));
    if !rest.is_zero() {
        due.at(now.plus(rest));
        return;
    }
    let stem = format!("{}.{}.", incident.id, if forgets { "refresh" } else { "reminder" });
    let nth = seen.last_number(sink, &stem).saturating_add(1);
    let why = if forgets { Why::Refresh(nth) } else { Why::Reminder(nth) };
    due.put.push((incident.again(format!("{stem}{nth}"), why, now), sink.name.clone()));
}

/// When the sink was told last, or would have been had it not been quiet.
fn last_told<'l>(seen: &Seen<'l>, sink: &Sink) -> Option<&'l Stamp> {
    let is_own = |receipt: &&Receipt| {
        receipt.sink == sink.name && receipt.group.process == *seen.name && is_trouble(receipt.group.kind)
    };
    seen.ledger.iter().rfind(is_own).map(|receipt| &receipt.at)
}

fn escalate(due: &mut Due, incident: &Incident, sink: &Sink, seen: &Seen<'_>, now: &Stamp) {
    let Some(after) = sink.insist.escalate_after.filter(|_| incident.ack.is_none()) else { return };
    let Some(since) = seen.since() else { return };
    // One that became worse is waited for anew.
    let since = if incident.worse.since(since).is_zero() { since } else { &incident.worse };
    let rest = after.saturating_sub(now.since(since));
    if !rest.is_zero() {
        due.at(now.plus(rest));
        return;
    }
    let id = escalation(incident);
    for target in &sink.insist.escalate_to {
        let known = seen.ledger.iter().any(|receipt| receipt.sink == *target && receipt.id == id);
        if !known {
            let why = Why::Escalation(sink.name.clone());
            due.put.push((incident.again(id.clone(), why, now), target.clone()));
        }
    }
}

/// The id of the message that an incident was not acknowledged in time; a worse one has another.
#[must_use]
pub fn escalation(incident: &Incident) -> String {
    format!("{}.escalated.{}", incident.id, incident.severity.word())
}

/// The reminder after this one; `None`: it is not one of a row.
#[must_use]
pub fn following(told: &Notification) -> Option<Notification> {
    let (nth, row): (u32, fn(u32) -> Why) = match told.event.why() {
        Why::Reminder(nth) => (*nth, Why::Reminder),
        Why::Refresh(nth) => (*nth, Why::Refresh),
        Why::News | Why::Escalation(_) | Why::Settled | Why::Over => return None,
    };
    let stem = told.event.id.strip_suffix(&nth.to_string())?;
    let mut next = told.clone();
    let nth = nth.checked_add(1)?;
    next.event.id = format!("{stem}{nth}");
    next.event.incident.as_mut()?.why = row(nth);
    Some(next)
}

/// The ids that a message of escalation may have had while an incident went on.
#[must_use]
pub fn escalations(id: &str) -> [String; 3] {
    use crate::model::event::Severity::{Critical, Info, Warning};
    [Info, Warning, Critical].map(|severity| format!("{id}.escalated.{}", severity.word()))
}

/// Sinks that some sink escalates to.
#[must_use]
pub fn targets(sinks: &[Sink]) -> Vec<&Sink> {
    let named = |name: &String| sinks.iter().any(|sink| sink.insist.escalate_to.contains(name));
    sinks.iter().filter(|sink| named(&sink.name)).collect()
}

#[cfg(test)]
#[path = "remind_tests.rs"]
mod tests;
