//! Why an alert waits, and what was not told: for those who ask.

use std::time::Duration;

use super::clock::clock;
use super::delivery::held_until;
use super::notify::is_caller;
use super::pause::{Pause, cools, pause};
use super::silence::is_silenced;
use super::storm::speaks_for;
use crate::model::delivery::{Entry, Hushed, Receipt, Settled};
use crate::model::event::EventKind;
use crate::model::incident::Why;
use crate::model::silence::Silence;
use crate::model::sink::Sink;
use crate::model::storm::Storm;
use crate::model::time::{Stamp, Wall};

/// What was not told is said of this time.
const LATE: Duration = Duration::from_secs(86_400);
/// Most rows of what was not told.
const MOST: usize = 10;

/// All that decides about it.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// What waits.
    pub pending: &'w [Entry],
    /// What was settled.
    pub ledger: &'w [Receipt],
    /// Who is told.
    pub sinks: &'w [Sink],
    /// What nobody wants to hear of.
    pub silences: &'w [Silence],
    /// Storms of late.
    pub storms: &'w [Storm],
}

/// Why an entry waits, the longest wait first asked.
#[must_use]
pub fn reason(entry: &Entry, world: World<'_>, now: &Stamp) -> String {
    let Some(sink) = world.sinks.iter().find(|sink| sink.name == entry.sink) else {
        // The session that started it is in no registry.
        return match is_caller(&entry.sink) {
            true => retry(entry, now, &|wall| clock(None, wall, now.wall)).unwrap_or_else(|| next(entry)),
            false => "its sink is not in the registry".to_owned(),
        };
    };
    let at = |wall: Wall| clock(Some(&sink.timing.zone), wall, now.wall);
    if let Some(silence) = is_silenced(sink, entry, world.ledger, world.silences, now) {
        let rest = silence.rest(now).unwrap_or_default(); // it is one that goes on
        return format!("silenced until {}", at(now.plus(rest).wall));
    }
    let asked = world.pending.iter().filter(|other| other.sink == entry.sink).filter_map(|other| other.asked.as_ref());
    if let Some(until) = asked.filter(|until| !now.has_reached(until)).max_by_key(|until| until.boot_ms) {
        return format!("its service asked for a pause until {}", at(until.wall));
    }
    let event = &entry.notification.event;
    if let Some((until, pause)) = pause(entry, sink, world.pending, now) {
        return match pause {
            Pause::Quiet => format!("quiet hours until {}", at(until)),
            Pause::Digest => format!("digest at {}", at(until)),
            Pause::Window => format!("others may follow: group window until {}", at(until)),
        };
    }
    if let Some(reason) = retry(entry, now, &at) {
        return reason;
    }
    if world.storms.iter().any(|storm| storm.over.is_none() && speaks_for(storm, event)) {
        return "the storm goes on: its end is told with it".to_owned();
    }
    let news = event.kind != EventKind::Test && *event.why() == Why::News && !event.kind.ends_an_incident();
    let group = entry.group();
    let own = world.ledger.iter().filter(|receipt| receipt.sink == entry.sink && receipt.group == group);
    match held_until(own, sink.cooldown, now).filter(|_| news && cools(sink, event.severity)) {
        Some(until) => format!("cooldown until {}", at(until.wall)),
        None => next(entry),
    }
}

/// That it waits for its next try; `None`: it does not.
fn retry(entry: &Entry, now: &Stamp, at: &dyn Fn(Wall) -> String) -> Option<String> {
    let until = entry.not_before.as_ref().filter(|until| !now.has_reached(until))?;
    Some(match &entry.last_error {
        Some(error) => format!("retry {} at {}: {error}", entry.attempts.saturating_add(1), at(until.wall)),
        None => format!("not before {}", at(until.wall)),
    })
}

/// That nothing keeps it any more.
fn next(entry: &Entry) -> String {
    match &entry.last_error {
        Some(error) => format!("retry {} with the next pass: {error}", entry.attempts.saturating_add(1)),
        None => "due with the next pass".to_owned(),
    }
}

/// What was not told within the last day, by sink and process, most first.
#[must_use]
pub fn hushed(ledger: &[Receipt], now: &Stamp) -> Vec<Hushed> {
    let mut all: Vec<Hushed> = Vec::new();
    for receipt in ledger.iter().filter(|receipt| receipt.how == Settled::Suppressed && now.since(&receipt.at) < LATE) {
        let reason = receipt.reason.clone().unwrap_or_default(); // none was kept by an earlier version
        let process = &receipt.group.process;
        match all.iter_mut().find(|row| row.sink == receipt.sink && row.process == *process) {
            Some(row) => (row.count, row.reason) = (row.count + 1, reason),
            None => all.push(Hushed { sink: receipt.sink.clone(), process: process.clone(), count: 1, reason }),
        }
    }
    all.sort_by_key(|row| std::cmp::Reverse(row.count));
    all.truncate(MOST);
    all
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
