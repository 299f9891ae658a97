//! Incidents as people and programs read them: within a message, and in `alerts list`.

use serde_json::{Value, json};

use super::words::strip_control;
use crate::model::delivery::Overview;
use crate::model::event::Event;
use crate::model::incident::{About, Book, Incident, Why};
use crate::model::time::{Stamp, Wall};
use crate::model::units::human_duration;
use crate::policy::flapping;

/// What stands before the headline of a message that is no news.
pub(super) fn prefix(event: &Event) -> String {
    let Some(about) = &event.incident else { return String::new() };
    let since = || format!("open since {}, failed {}", clock(about.since), times(about.times));
    match &about.why {
        Why::News | Why::Refresh(_) | Why::Over => String::new(),
        Why::Reminder(nth) => format!("reminder {nth}, {}: ", since()),
        Why::Escalation(_) => format!("not acknowledged, {}: ", since()),
        Why::Settled => "no longer flapping, but not well: ".to_owned(),
    }
}

/// What a message says of its incident; `None`: it is news, and the message itself says all.
pub(super) fn words(event: &Event) -> Option<String> {
    let about = event.incident.as_ref()?;
    let since = format!("since {}, failed {}", about.since, times(about.times));
    match &about.why {
        Why::News | Why::Refresh(_) => None,
        Why::Over => Some(format!("over; it was open {since}")),
        Why::Reminder(nth) => Some(format!("reminder {nth}, {since}")),
        Why::Escalation(from) => {
            Some(format!("{since}; who is told by `{}` did not acknowledge it", strip_control(from)))
        }
        Why::Settled => Some(format!("no longer flapping, but {since}")),
    }
}

/// How often, in words.
fn times(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

/// A moment short enough for a subject: `11-18 11:06Z`.
fn clock(at: Wall) -> String {
    match at.rfc3339() {
        Some(text) => format!("{} {}Z", text.get(5..10).unwrap_or(""), text.get(11..16).unwrap_or("")),
        None => at.to_string(),
    }
}

/// The incident of a message, for programs.
pub(super) fn json(about: &About) -> Value {
    let (why, nth, from) = match &about.why {
        Why::News => ("news", None, None),
        Why::Reminder(nth) => ("reminder", Some(nth), None),
        Why::Escalation(from) => ("escalation", None, Some(from)),
        Why::Refresh(_) => ("refresh", None, None),
        Why::Settled => ("settled", None, None),
        Why::Over => ("over", None, None),
    };
    json!({
        "id": about.id, "since": about.since.to_string(), "times": about.times, "severity": about.severity,
        "why": why, "reminder": nth, "escalated_from": from,
    })
}

/// One line for each process in trouble, and for each that flaps.
pub(super) fn rows(overview: &Overview, now: &Stamp) -> Vec<String> {
    overview.books.iter().filter_map(|book| row(book, now)).collect()
}

fn row(book: &Book, now: &Stamp) -> Option<String> {
    let flaps = book.flapping.as_ref().map(|flapping| format!("flapping: {}", flapping::words(flapping.changes)));
    let Some(incident) = &book.open else {
        let process = &book.flapping.as_ref()?.told.event.process;
        return Some(format!("{process}: {}; well just now", flaps?));
    };
    let event = &incident.last.event;
    let mut line = format!(
        "{}: {} ({}) since {}, failed {}, id {}",
        event.process,
        event.kind.word(),
        incident.severity.word(),
        human_duration(now.since(&incident.opened)),
        times(incident.times),
        strip_control(&incident.id)
    );
    if let Some(flaps) = flaps {
        line.push_str(&format!("; {flaps}"));
    }
    if let Some(ack) = &incident.ack {
        let note = if ack.note.is_empty() { String::new() } else { format!(": {}", strip_control(&ack.note)) };
        let ago = human_duration(now.since(&ack.at));
        line.push_str(&format!("; acknowledged by {} {ago} ago{note}", strip_control(&ack.by)));
    }
    Some(line)
}

/// The open incidents, for programs.
pub(super) fn documents(overview: &Overview) -> Vec<Value> {
    overview.books.iter().filter_map(|book| Some(document(book.open.as_ref()?, book))).collect()
}

/// One open incident, for programs.
#[must_use]
pub fn document(incident: &Incident, book: &Book) -> Value {
    let event = &incident.last.event;
    json!({
        "id": incident.id,
        "process": event.process,
        "kind": event.kind,
        "severity": incident.severity,
        "since": incident.opened.wall.to_string(),
        "times": incident.times,
        "flapping": book.flapping.as_ref().map(|flapping| flapping.changes),
        "acknowledged": incident.ack.as_ref().map(|ack| json!({
            "by": ack.by, "at": ack.at.wall.to_string(), "note": ack.note,
        })),
    })
}
