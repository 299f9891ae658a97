//! What of the outbox belongs to a storm: one message for its beginning, one for its end, and nothing else.
//!
//! A single alert of a process that failed in the storm is folded into the message of the storm, waits for that of its end, or
//! is put away with the storm's id as the reason. A sink that has no message of the storm to get is told as ever.

use std::time::Duration;

use super::delivery::{Batch, Plan, retry_at, wait};
use super::storm::{GATHER, WINDOW, facts, is_on, speaks_for};
use crate::model::delivery::{Entry, Receipt};
use crate::model::event::EventKind;
use crate::model::storm::Storm;
use crate::model::time::Stamp;

/// What waits for the end of a storm waits no longer than this.
const LONGEST: Duration = Duration::from_secs(900);

/// Plans what of `entries`, all for one sink, belongs to one of `storms`; returns the rest. `told`: the receipts of that sink.
pub(super) fn take<'e>(
    plan: &mut Plan,
    entries: Vec<&'e Entry>,
    told: &[&Receipt],
    storms: &[Storm],
    now: &Stamp,
) -> Vec<&'e Entry> {
    let mut rest = entries;
    for storm in storms.iter().rev() {
        let (members, others) = rest.into_iter().partition(|entry| speaks_for(storm, &entry.notification.event));
        rest = others;
        let left = take_one(plan, members, told, storm, now);
        rest.extend(left);
    }
    rest
}

fn take_one<'e>(
    plan: &mut Plan,
    mut members: Vec<&'e Entry>,
    told: &[&Receipt],
    storm: &Storm,
    now: &Stamp,
) -> Vec<&'e Entry> {
    let sent = |id: &str| told.iter().any(|receipt| receipt.id == id);
    members.sort_by_key(|entry| rank(entry));
    let lead = members.last().filter(|entry| rank(entry).0 > 0);
    let gathered = storm.began.at.plus(GATHER);
    let early = storm.over.is_none() && storm.began.at.boot == now.boot && !now.has_reached(&gathered);
    match lead {
        Some(_) => {
            // The newest is told with all others, unless they should wait for still others.
            match retry_at(&members, now).or_else(|| early.then_some(gathered)) {
                Some(until) => wait(plan, members.len(), until),
                None => plan.send.extend(batch(&members, storm, told)),
            }
            Vec::new()
        }
        None if sent(&storm.over_id()) => {
            plan.part_of.extend(members.into_iter().map(|entry| (entry.clone(), storm.over_id())));
            Vec::new()
        }
        None if sent(storm.id()) => {
            let (late, held): (Vec<_>, Vec<_>) =
                members.into_iter().partition(|entry| now.since(&entry.queued) >= LONGEST || abandoned(storm, now));
            if !held.is_empty() {
                let last = storm.failures.last().map_or(&storm.began.at, |last| &last.at);
                wait(plan, held.len(), last.plus(WINDOW));
            }
            late
        }
        None if early => {
            // Whoever recognised it is about to queue its message.
            wait(plan, members.len(), gathered);
            Vec::new()
        }
        None => members,
    }
}

/// Whether nobody said that the storm is over although it should have been for long.
fn abandoned(storm: &Storm, now: &Stamp) -> bool {
    let last = storm.failures.last().map_or(&storm.began.at, |last| &last.at);
    !is_on(storm, now) && storm.told && now.since(last) >= WINDOW + WINDOW
}

/// The message of the end speaks for that of the beginning, and that for all others; these as they happened.
fn rank(entry: &Entry) -> (u8, crate::model::time::Wall) {
    let event = &entry.notification.event;
    let rank = match event.kind {
        EventKind::StormOver => 2,
        EventKind::Storm => 1,
        EventKind::Registered
        | EventKind::Started
        | EventKind::Restarted
        | EventKind::Ready
        | EventKind::Signal
        | EventKind::Exited
        | EventKind::Premature
        | EventKind::Completed
        | EventKind::Failed
        | EventKind::Stopped
        | EventKind::Hung
        | EventKind::Killed
        | EventKind::Tripped
        | EventKind::HalfOpen
        | EventKind::Recovered
        | EventKind::Unsupervised
        | EventKind::Slow
        | EventKind::Stray
        | EventKind::Skipped
        | EventKind::Flapping
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::Acted
        | EventKind::AlertDelivered
        | EventKind::AlertFailed
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::Test => 0,
    };
    (rank, event.at)
}

/// One message for all of them, with what is known of the storm by now.
fn batch(members: &[&Entry], storm: &Storm, told: &[&Receipt]) -> Option<Batch> {
    let (lead, folded) = members.split_last()?;
    let mut lead = (*lead).clone();
    lead.notification.event.storm = Some(Box::new(facts(storm)));
    let answers = told.iter().find(|receipt| receipt.id == storm.id()).map(|receipt| receipt.id.clone());
    Some(Batch { lead, folded: folded.iter().map(|entry| (*entry).clone()).collect(), answers })
}

#[cfg(test)]
#[path = "storm_delivery_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "storm_walk_tests.rs"]
mod walk;
