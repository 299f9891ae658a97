//! Whether a process goes to and fro between well and not well too often to tell each time.
//!
//! Six changes within an hour (three failures that were each followed by a recovery) are flapping; it is over when there is
//! at most one change within an hour. Nagios, from which the idea and the two thresholds are, looks at the last 21 checks,
//! and of the 20 changes that they can hold 20 % (4) begin it and 5 % (1) end it
//! (<https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/flapping.html>). Here there are no checks to count, but
//! a recovery takes `healthy_after` (5 minutes by default), so that an hour holds at most some twenty changes as well;
//! 6 instead of 4, because two incidents with their recoveries within an hour are still worth telling one by one.

use std::time::Duration;

use crate::model::delivery::{Entry, Receipt};
use crate::model::event::{Event, EventKind, Notification, Severity};
use crate::model::incident::{Book, Change, Flapping, Why};
use crate::model::time::Stamp;
use crate::model::units::human_duration;

/// Changes that are counted are not older than this.
pub const WINDOW: Duration = Duration::from_secs(3600);
/// So many begin it.
const MANY: usize = 6;
/// So few end it.
const FEW: usize = 1;

fn late<'b>(book: &'b Book, now: &Stamp) -> impl Iterator<Item = &'b Change> {
    book.changes.iter().filter(move |change| now.since(&change.at) < WINDOW)
}

/// Notes that it became well or unwell.
pub(super) fn changed(book: &mut Book, event: &Event, now: &Stamp) {
    book.changes.retain(|change| now.since(&change.at) < WINDOW);
    book.changes.push(Change { id: event.id.clone(), at: now.clone() });
}

/// The event that it flaps, if this one makes it so.
pub(super) fn begun(
    book: &mut Book,
    event: &Event,
    tell: impl Fn(&Event) -> Notification,
    now: &Stamp,
) -> Option<Event> {
    let changes = late(book, now).count();
    if book.flapping.is_some() || changes < MANY {
        return None;
    }
    let changes = u32::try_from(changes).unwrap_or(u32::MAX);
    let id = format!("{}.flapping", event.id);
    let flapping = Event {
        run: event.run,
        group: event.group.clone(),
        notify: event.notify.clone(),
        detail: words(changes),
        incident: book.open.as_ref().map(|incident| Box::new(incident.about(Why::News))),
        ..Event::new(id, event.at, &event.process, EventKind::Flapping, Severity::Warning)
    };
    book.flapping = Some(Flapping { told: tell(&flapping), since: now.clone(), changes });
    Some(flapping)
}

/// The numbers, in words.
#[must_use]
pub fn words(changes: u32) -> String {
    format!("{changes} changes in {}", human_duration(WINDOW))
}

/// When it may have become calm; `None`: it does not flap.
#[must_use]
pub fn calm_at(book: &Book, now: &Stamp) -> Option<Stamp> {
    book.flapping.as_ref()?;
    let mut late: Vec<&Change> = late(book, now).collect();
    if late.len() <= FEW {
        return Some(now.clone());
    }
    late.truncate(late.len() - FEW);
    let rest = WINDOW.saturating_sub(now.since(&late.last()?.at));
    Some(now.plus(rest))
}

/// Whether nothing in the book is worth keeping.
#[must_use]
pub fn is_forgotten(book: &Book, now: &Stamp) -> bool {
    book.open.is_none() && book.flapping.is_none() && late(book, now).next().is_none()
}

/// The message that it is calm: it is well then, or its incident is told again.
#[must_use]
pub fn over(book: &Book, now: &Stamp) -> Option<Notification> {
    let Flapping { told, .. } = book.flapping.as_ref()?;
    let id = format!("{}_over", told.event.id);
    if let Some(incident) = &book.open {
        return Some(incident.again(id, Why::Settled, now));
    }
    let event = Event {
        run: told.event.run,
        group: told.event.group.clone(),
        notify: told.event.notify.clone(),
        detail: "it is well".to_owned(),
        ..Event::new(id, now.wall, &told.event.process, EventKind::FlappingOver, Severity::Info)
    };
    Some(Notification { event, log_tail: Vec::new(), differs: String::new(), ..told.clone() })
}

/// Whether a sink was told, or is going to be, that it flaps.
#[must_use]
pub fn is_told(flapping: &Flapping, sink: &str, ledger: &[Receipt], pending: &[Entry]) -> bool {
    ledger.iter().any(|receipt| receipt.sink == sink && receipt.id == flapping.told.event.id)
        || pending.iter().any(|entry| entry.sink == sink && entry.id() == flapping.told.event.id)
}
