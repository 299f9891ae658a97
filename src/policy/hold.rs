//! What of the outbox is not told, and why: too few failures in a row, or a process that goes to and fro.
//!
//! Asked by `alert::drain` before [`super::delivery`]; each entry that is held back is settled by a receipt with the
//! reason. What is critical passes, and so does what a storm speaks for.

use std::collections::BTreeSet;

use super::flapping;
use super::notify::is_trouble;
use super::pings;
use super::storm::speaks_for;
use crate::model::delivery::{Entry, Receipt};
use crate::model::event::{Event, EventKind, Leaves, Severity};
use crate::model::incident::{Book, Why};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::storm::Storm;

/// Splits `pending` into what may be told and what is held back, with the reason. `books`: those that there are.
#[must_use]
pub fn hold(
    pending: Vec<Entry>,
    ledger: &[Receipt],
    sinks: &[Sink],
    books: &[(Name, Book)],
    storms: &[Storm],
) -> (Vec<Entry>, Vec<(Entry, String)>) {
    let reasons: Vec<Option<String>> = pending
        .iter()
        .map(|entry| {
            let event = &entry.notification.event;
            let switch = pings::is_name(&entry.sink); // it counts runs
            let settled = || ledger.iter().any(|receipt| receipt.sink == entry.sink && receipt.id == entry.id());
            if switch || passes(event, storms) || settled() {
                return None;
            }
            let sink = sinks.iter().find(|sink| sink.name == entry.sink)?;
            let book = books.iter().find(|(name, _)| *name == event.process).map(|(_, book)| book);
            too_few(sink, event).or_else(|| to_and_fro(entry, book?, ledger, &pending))
        })
        .collect();
    let (mut told, mut held) = (Vec::new(), Vec::new());
    for (entry, reason) in pending.into_iter().zip(reasons) {
        match reason {
            Some(reason) => held.push((entry, reason)),
            None => told.push(entry),
        }
    }
    (told, held)
}

/// The processes whose books say whether an entry is held back.
#[must_use]
pub fn asked(pending: &[Entry], storms: &[Storm]) -> BTreeSet<Name> {
    let events = pending.iter().map(|entry| &entry.notification.event);
    events.filter(|event| !passes(event, storms)).map(|event| event.process.clone()).collect()
}

/// Whether it is told whatever a book says.
fn passes(event: &Event, storms: &[Storm]) -> bool {
    event.severity == Severity::Critical
        || !matches!(event.why(), Why::News | Why::Over)
        || storms.iter().any(|storm| speaks_for(storm, event))
}

/// A watch has an `after` of its own, and tells its incident once: it is not counted again.
fn too_few(sink: &Sink, event: &Event) -> Option<String> {
    let failures = event.failures.filter(|_| is_trouble(event.kind) && event.watch.is_none())?;
    let few = failures < sink.insist.after && event.leaves != Some(Leaves::GivenUp);
    few.then(|| format!("failure {failures} in a row, told from failure {} on (`after`)", sink.insist.after))
}

fn to_and_fro(entry: &Entry, book: &Book, ledger: &[Receipt], pending: &[Entry]) -> Option<String> {
    let (event, flapping) = (&entry.notification.event, book.flapping.as_ref()?);
    let change = is_trouble(event.kind) || event.kind == EventKind::Recovered;
    let said = event.id == flapping.told.event.id || event.at < flapping.told.event.at;
    // Who is not told that it flaps is told each change.
    let told = flapping::is_told(flapping, &entry.sink, ledger, pending);
    (change && !said && told).then(|| format!("flapping: {}", flapping::words(flapping.changes)))
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
