//! What committed events mean for the incident of their process: opened, updated, over.
//!
//! Asked by `incidents` when a commit is published. Noting the same events twice is noting them once. Knows no sink:
//! who is told again, and when, is [`super::remind`].

use super::flapping;
use crate::model::event::{Event, EventKind, Leaves, Notification, Severity};
use crate::model::incident::{About, Book, Incident, Why};
use crate::model::time::Stamp;

/// Ids of events that a book remembers to have noted: more than one commit has.
const NOTED: usize = 24;

/// What became of a book.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Noted {
    /// The book as it is now.
    pub book: Book,
    /// Events that follow: it flaps.
    pub events: Vec<Event>,
    /// The id of the event that ended an incident, and what goes with it.
    pub over: Option<(String, About)>,
}

/// Whether an event of this kind opens an incident or goes on with it. Narrower than
/// [`super::notify::is_trouble`]: `exited` and `killed` also tell of ends that are as they should be.
#[must_use]
pub fn opens(event: &Event) -> bool {
    let kind = matches!(event.kind, EventKind::Premature | EventKind::Failed | EventKind::Hung | EventKind::Tripped);
    kind && event.leaves != Some(Leaves::Down)
}

/// Whether an event ends the incident of its process: it is well, done, or down as the operator wants it.
#[must_use]
pub fn ends(event: &Event) -> bool {
    matches!(event.kind, EventKind::Recovered | EventKind::Completed | EventKind::Stopped)
        || event.leaves == Some(Leaves::Down)
}

/// Notes what was committed. `tell`: the event with what only the world can add.
#[must_use]
pub fn note(mut book: Book, events: &[Event], tell: impl Fn(&Event) -> Notification, now: &Stamp) -> Noted {
    let mut noted = Noted::default();
    for event in events {
        if !opens(event) && !ends(event) {
            continue;
        }
        if book.noted.contains(&event.id) {
            continue;
        }
        book.noted.push(event.id.clone());
        if opens(event) {
            if book.open.is_none() {
                flapping::changed(&mut book, event, now);
            }
            opened(&mut book, event, &tell, now);
        } else if let Some(incident) = book.open.take() {
            noted.over = Some((event.id.clone(), incident.about(Why::Over)));
            if event.kind != EventKind::Stopped && event.leaves.is_none() {
                flapping::changed(&mut book, event, now);
            }
        }
        noted.events.extend(flapping::begun(&mut book, event, &tell, now));
    }
    let many = book.noted.len().saturating_sub(NOTED);
    book.noted.drain(..many);
    Noted { book, ..noted }
}

fn opened(book: &mut Book, event: &Event, tell: impl Fn(&Event) -> Notification, now: &Stamp) {
    // A run's end and the breaker that opens on it are one.
    let counts = u32::from(event.kind != EventKind::Tripped);
    match &mut book.open {
        None => {
            book.open = Some(Incident {
                id: event.id.clone(),
                opened: now.clone(),
                worse: now.clone(),
                first: event.severity,
                severity: event.severity,
                times: 1,
                last: tell(event),
                ack: None,
            });
        }
        Some(incident) => {
            incident.times = incident.times.saturating_add(counts);
            incident.last = tell(event);
            if event.severity > incident.severity {
                // Who knew of the lesser trouble does not know of this.
                incident.severity = event.severity;
                incident.worse = now.clone();
                incident.ack = None;
            }
        }
    }
}

/// The event that somebody acknowledged an incident. Its id stands for the severity too, as a worse one is acknowledged
/// again.
#[must_use]
pub fn acknowledged(incident: &Incident) -> Option<Event> {
    let ack = incident.ack.as_ref()?;
    let last = &incident.last.event;
    let id = format!("{}.acknowledged.{}", incident.id, incident.severity.word());
    let note = if ack.note.is_empty() { String::new() } else { format!(": {}", ack.note) };
    Some(Event {
        run: last.run,
        group: last.group.clone(),
        notify: last.notify.clone(),
        watch: None,
        detail: format!("by {}{note}", ack.by),
        incident: Some(Box::new(incident.about(Why::News))),
        ..Event::new(id, ack.at.wall, &last.process, EventKind::Acknowledged, Severity::Info)
    })
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;
