//! What a message about an event says, as a table: shared by its text and its HTML, so that both say the same.

use super::alert::DIFFERS_WIDTH;
use super::digest;
use super::incident;
use super::storm;
use super::words::{cause_sentence, cut, lived_of_target, percent_of_target, sender_sentence, strip_control};
use crate::model::event::{Event, EventKind, Notification};
use crate::model::units::human_duration;

/// The facts, each with its label; one without a label is a sentence of its own.
pub(super) fn facts(notification: &Notification) -> Vec<(&'static str, String)> {
    let event = &notification.event;
    if let Some(digest) = &event.digest {
        return digest::lines(digest).into_iter().map(|line| ("", line)).collect();
    }
    let mut facts = vec![("Level", event.severity.word().to_owned())];
    if event.ran_s.is_some() || (event.target_s.is_some() && event.cause.is_some()) {
        let share = percent_of_target(event.ran_s, event.target_s);
        let share = share.map(|share| format!(" ({share} %)")).unwrap_or_default();
        facts.push(("Lived", format!("{}{share}", lived_of_target(event.ran_s, event.target_s))));
    }
    if let Some(cause) = &event.cause {
        facts.push(("Cause", cause_sentence(cause, &event.signals)));
    }
    if !notification.differs.is_empty() {
        facts.push(("Differs", cut(&strip_control(&notification.differs), DIFFERS_WIDTH)));
    }
    if let Some(by) = &event.by {
        facts.push(("By", sender_sentence(by)));
    }
    let of_storm = event.storm.iter().flat_map(|facts| storm::lines(facts));
    facts.extend(of_storm.map(|line| ("", line)));
    if !event.action.is_empty() {
        facts.push(("Now", strip_control(&event.action)));
    }
    facts.extend(next(event).map(|next| ("Next", next)));
    facts.extend(of_late(notification).map(|failed| ("Failed", failed)));
    facts.extend(incident::words(event).map(|open| ("Open", open)));
    if !event.alike.is_empty() {
        facts.push(("Again", strip_control(&event.alike)));
    }
    if !event.detail.is_empty() && !event.action.contains(&event.detail) {
        facts.push(("Note", strip_control(&event.detail)));
    }
    facts.push(("When", event.at.to_string()));
    facts
}

/// When guardian acts next, and how long after the event that is.
pub(super) fn next(event: &Event) -> Option<String> {
    let at = event.next_at?;
    let text = at.to_string();
    let zoned = text.split('.').next().unwrap_or(&text).replace('T', " ") + " UTC";
    Some(format!("{zoned}, {} after this", human_duration(event.at.until(at))))
}

/// How often it failed before.
pub(super) fn of_late(notification: &Notification) -> Option<String> {
    let row = notification.event.failures.filter(|failures| *failures > 0).map(|count| format!("{count} in a row"));
    let day = notification.of_late.filter(|count| *count > 0).map(|count| format!("{count} in 24 hours"));
    let parts: Vec<String> = row.into_iter().chain(day).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What to type next, each with what it is for.
pub(super) fn commands(event: &Event) -> Vec<(&'static str, String)> {
    let name = &event.process;
    let look = match (event.kind, event.run) {
        (_, _) if event.digest.is_some() => {
            return vec![("Look closer", "guardian status; guardian events".to_owned())];
        }
        (EventKind::Test, _) => return Vec::new(),
        (EventKind::Storm | EventKind::StormOver, _) => {
            return vec![
                ("Look closer", "guardian status; guardian events".to_owned()),
                ("Silence it", "guardian alerts silence --all 2h".to_owned()),
            ];
        }
        (EventKind::Heartbeat, _) => return vec![("Look closer", "guardian status".to_owned())],
        (EventKind::Overdue, _) => return vec![("Look closer", "guardian doctor; guardian status".to_owned())],
        (EventKind::AlertFailed, _) => return vec![("Look closer", "guardian alerts".to_owned())],
        (_, _) if event.watch.is_some() => format!("guardian why {name}"),
        (_, Some(run)) if event.cause.is_some() => format!("guardian why {name} --run {run}"),
        (_, _) => format!("guardian status {name}"),
    };
    let mut commands = vec![("Look closer", look)];
    if !event.kind.ends_an_incident() {
        commands.push(("Silence it", format!("guardian alerts silence {name} 2h")));
        commands.push(("I know of it", format!("guardian alerts ack {name}")));
    }
    commands
}
