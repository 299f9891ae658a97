//! Which events a sink is told, and which one speaks for a commit.
//!
//! Asked by a pass when it commits. Knows nothing of what was sent before: that is
//! [`super::delivery`].

use std::time::Duration;

use super::pings;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::incident::Insist;
use crate::model::name::Name;
use crate::model::sink::{Sink, SinkKind};
use crate::model::timing::Timing;
use crate::model::wake::Wake;

/// Whether this sink wants to be told of this event.
///
/// A sink named in the event's `notify` gets it whatever its `processes` and `groups` say; others
/// then do not. Without `events` it wants what is at least of its severity, and recoveries. Events
/// about alerts themselves, and tests, are wanted only by name: `*` does not mean them, so that a
/// broken sink cannot cause alerts about alerts for ever.
#[must_use]
pub fn wants(sink: &Sink, event: &Event) -> bool {
    routed(sink, event) && wants_kind(sink, event)
}

/// In a process's `notify`: the session that started it, besides the sinks that would be told anyway.
pub const AUTO: &str = "auto";
/// Begins the name of such a session as a sink. No sink of the registry has a colon in its name.
const CALLER: &str = "auto:";
/// What a session is woken for: an end, and what needs somebody. A restart that goes well wakes nobody.
const WAKES: [EventKind; 5] =
    [EventKind::Completed, EventKind::Failed, EventKind::Premature, EventKind::Tripped, EventKind::Hung];
/// Time for the ways to a session together.
const WAKING: Duration = Duration::from_secs(10);

/// The session that started `process`, as a sink.
#[must_use]
pub fn caller(process: &Name, wake: Wake) -> Sink {
    Sink {
        name: format!("{CALLER}{process}"),
        kind: SinkKind::Wake(wake),
        events: WAKES.iter().map(|kind| kind.word().to_owned()).collect(),
        processes: vec![process.to_string()],
        groups: Vec::new(),
        min_severity: Severity::Info,
        cooldown: Duration::ZERO,
        timeout: WAKING,
        ca_file: None,
        heartbeat: None,
        insist: Insist::default(),
        timing: Timing::default(),
    }
}

/// Whether a sink of that name is a session.
#[must_use]
pub fn is_caller(sink: &str) -> bool {
    sink.starts_with(CALLER)
}

/// Whether this sink is told of what befell guardian itself, which is about all processes and all groups.
#[must_use]
pub fn hears_of_guardian(sink: &Sink, event: &Event) -> bool {
    !pings::is_ping(sink) && wants_kind(sink, event)
}

/// Whether events of this process go to this sink at all, of whatever kind.
#[must_use]
pub fn routed(sink: &Sink, event: &Event) -> bool {
    let mut named = event.notify.iter().filter(|name| *name != AUTO).peekable();
    if named.peek().is_some() && !is_caller(&sink.name) && !pings::is_ping(sink) {
        return named.any(|name| *name == sink.name);
    }
    let process = sink.processes.is_empty() || sink.processes.iter().any(|glob| matches(glob, event.process.as_str()));
    let group = sink.groups.is_empty() || event.group.as_ref().is_some_and(|group| sink.groups.contains(group));
    process && group
}

fn wants_kind(sink: &Sink, event: &Event) -> bool {
    if sink.events.iter().any(|kind| kind == event.kind.word()) {
        return true;
    }
    if event.kind.is_about_alerts() {
        return false;
    }
    if event.kind == EventKind::Acknowledged && matches!(sink.kind, SinkKind::Pagerduty(_)) {
        return true; // it keeps incidents, which somebody may acknowledge there
    }
    match sink.events.as_slice() {
        [] => event.kind.ends_an_incident() || event.severity >= sink.min_severity,
        kinds => kinds.iter().any(|kind| kind == "*"),
    }
}

/// The one event among those of one commit, about one process, that this sink is told: the most
/// telling of the wanted ones, the newest where two are alike.
#[must_use]
pub fn choose<'e>(sink: &Sink, events: &'e [Event]) -> Option<&'e Event> {
    events.iter().filter(|event| wants(sink, event)).max_by_key(|event| (weight(event.kind), event.at))
}

/// How much of a commit an event of this kind tells.
fn weight(kind: EventKind) -> u8 {
    match kind {
        EventKind::Test => 11,
        EventKind::Storm | EventKind::StormOver => 10,
        EventKind::Tripped => 9,
        // Before the change that made it so: one message, and it says all.
        EventKind::Flapping => 9,
        EventKind::Premature | EventKind::Failed | EventKind::Completed | EventKind::Hung => 8,
        EventKind::Killed => 7,
        EventKind::Unsupervised | EventKind::Acted | EventKind::Acknowledged => 6,
        EventKind::Recovered | EventKind::FlappingOver => 5,
        EventKind::HalfOpen => 4,
        EventKind::Restarted | EventKind::Started | EventKind::Ready | EventKind::Stopped | EventKind::Slow => 3,
        EventKind::Exited => 2,
        EventKind::Signal => 1,
        EventKind::Registered
        | EventKind::Skipped
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::AlertDelivered
        | EventKind::AlertFailed => 0,
    }
}

/// Whether an event of this kind opens or goes on with an incident, which a recovery answers.
#[must_use]
pub fn is_trouble(kind: EventKind) -> bool {
    match kind {
        EventKind::Premature
        | EventKind::Failed
        | EventKind::Hung
        | EventKind::Killed
        | EventKind::Tripped
        | EventKind::HalfOpen
        | EventKind::Exited
        | EventKind::Unsupervised
        | EventKind::Storm
        | EventKind::Flapping
        | EventKind::Acted => true,
        EventKind::Registered
        | EventKind::Slow
        | EventKind::Started
        | EventKind::Restarted
        | EventKind::Ready
        | EventKind::Signal
        | EventKind::Completed
        | EventKind::Stopped
        | EventKind::Recovered
        | EventKind::StormOver
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::Skipped
        | EventKind::AlertDelivered
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::AlertFailed
        | EventKind::Test => false,
    }
}

/// Whether this sink can be told of trouble at all; one that cannot is told recoveries alone.
#[must_use]
pub fn hears_trouble(sink: &Sink) -> bool {
    sink.events.is_empty()
        || sink
            .events
            .iter()
            .any(|word| word == "*" || EventKind::ALL.iter().any(|kind| is_trouble(*kind) && kind.word() == word))
}

/// Whether `text` fits `glob`: `*` is any characters or none, `?` exactly one.
#[must_use]
pub fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut g, mut t) = (0, 0);
    // Where to go on after the last star: behind it in the glob, and from which byte of the text.
    let mut star = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g + 1, t));
                g += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                g += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    g = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
