//! One notification as people read it, on a phone and half asleep, and as programs read it.
//!
//! The subject says what happened to what, for how long and why; the text says the rest and what
//! to type next. Sends nothing and knows no sink.

use std::collections::BTreeSet;

use serde_json::json;

use super::brief::brief;
use super::facts::{commands, facts};
use super::fit::fit;
use super::html::html;
use super::incident;
use super::storm;
use super::words::{cut, end_phrase, lived_of_target, strip_control};
use crate::model::ending::Cause;
use crate::model::event::{Event, EventKind, Notification, SCHEMA, Severity};
use crate::model::name::Name;

/// Longest subject, in characters.
pub const SUBJECT_MAX: usize = 120;
/// Most lines of output that a message carries.
const TAIL_LINES: usize = 20;
/// Longest line of output, in characters.
const TAIL_WIDTH: usize = 300;
/// Longest line of what differs from a run that was well, in characters.
pub(super) const DIFFERS_WIDTH: usize = 300;
/// A host takes at most this much of the subject.
const HOST_WIDTH: usize = 24;

/// Most notifications about other processes that a message names.
const OTHERS: usize = 10;
/// Longest of those lines, in characters.
const OTHER_WIDTH: usize = 80;

/// A notification, rendered, with older ones that it speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, at most [`SUBJECT_MAX`] characters, no control characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The contract's JSON, one line.
    pub json: String,
    /// Plain text for a phone, under the subject; at most [`super::brief::BRIEF_MAX`] bytes.
    pub brief: String,
    /// The text as HTML, for mail.
    pub html: String,
}

/// Renders a notification and what was folded into it, oldest first.
#[must_use]
pub fn render(notification: &Notification, folded: &[&Event]) -> Rendered {
    let subject = subject(notification, folded.len());
    let all = folded;
    // A digest counts them.
    let folded = if notification.event.digest.is_some() { &[] } else { folded };
    let text = text(notification, folded);
    let json = json(notification, all, &subject, &text);
    let html = html(notification, folded, &subject);
    Rendered { subject, text, json, brief: brief(notification, folded), html }
}

fn subject(notification: &Notification, folded: usize) -> String {
    let event = &notification.event;
    let host = strip_control(notification.host.split('.').next().unwrap_or(&notification.host));
    let more = if folded == 0 { String::new() } else { format!(" (+{folded} more)") };
    let (of, more) = match event.storm.is_some() || event.digest.is_some() {
        true => (String::new(), String::new()), // about all of them, and it says how many
        false => (format!("/{}", event.process), more),
    };
    let severity = match event.severity {
        Severity::Info => "",
        Severity::Warning | Severity::Critical => &format!("{}: ", event.severity.word().to_uppercase()),
    };
    let again = incident::prefix(event);
    let line =
        format!("[guardian] {severity}{}{of}: {again}{}", cut(&host, HOST_WIDTH), strip_control(&headline(event)));
    // By columns for what is shown, and by characters for those that take none.
    fit(&cut(&line, SUBJECT_MAX - more.len()), SUBJECT_MAX - more.len()) + &more
}

/// What happened, in one phrase.
fn headline(event: &Event) -> String {
    let lived = lived_of_target(event.ran_s, event.target_s);
    let cause = event.cause.as_ref().map(|cause| end_phrase(cause, &event.signals, event.by.as_ref()));
    let because = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    let word = event.kind.word();
    if let Some(digest) = &event.digest {
        return super::digest::headline(digest);
    }
    if event.watch.is_some() {
        return super::watch::headline(event);
    }
    match event.kind {
        EventKind::Premature | EventKind::Failed | EventKind::Completed | EventKind::Exited => {
            format!("{word} after {lived}{because}")
        }
        EventKind::Stopped => match event.ran_s {
            Some(_) => format!("stopped after {lived}{because}"),
            None => "stopped".to_owned(),
        },
        EventKind::Tripped => match event.failures {
            Some(failures) => format!("tripped after {failures} failures in a row{because}"),
            None => format!("tripped, not restarted for now{because}"),
        },
        EventKind::Hung => "hung: alive without progress".to_owned(),
        EventKind::Slow => "twice as slow as ever".to_owned(),
        EventKind::Killed => format!("guardian is ending it{because}"),
        EventKind::Restarted => format!("restarted{because}"),
        EventKind::Ready => match event.ran_s {
            Some(_) => format!("ready after {lived}"),
            None => "ready".to_owned(),
        },
        EventKind::HalfOpen => "one more try after the breaker was open".to_owned(),
        EventKind::Recovered => "recovered".to_owned(),
        EventKind::Unsupervised => "alive, but its shim is gone".to_owned(),
        EventKind::Skipped => "a time of its schedule was left out".to_owned(),
        EventKind::Test => "this is a test, nothing is wrong".to_owned(),
        EventKind::Flapping | EventKind::Acknowledged => format!("{word}: {}", event.detail),
        EventKind::FlappingOver => format!("no longer flapping: {}", event.detail),
        EventKind::Storm | EventKind::StormOver => {
            event.storm.as_ref().map_or_else(|| word.replace('_', " "), |facts| storm::headline(facts))
        }
        EventKind::Signal => match event.signals.last() {
            Some(record) => format!("was sent {}", record.signal),
            None => "was sent a signal".to_owned(),
        },
        EventKind::AlertFailed | EventKind::Overdue | EventKind::Heartbeat if !event.detail.is_empty() => {
            event.detail.clone()
        }
        EventKind::Registered
        | EventKind::Started
        | EventKind::Acted
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::AlertDelivered
        | EventKind::AlertFailed => word.replace('_', " "),
    }
}

fn text(notification: &Notification, folded: &[&Event]) -> String {
    let event = &notification.event;
    let mut lines = vec![opening(notification), String::new()];
    lines.extend(
        facts(notification)
            .into_iter()
            .map(|(label, value)| if label.is_empty() { value } else { format!("{:<9}{value}", format!("{label}:")) }),
    );
    lines.extend(more(&event.process, folded));
    let tail = tail(notification);
    if !tail.is_empty() {
        lines.push(String::new());
        lines.push("Last output:".to_owned());
        lines.extend(tail.iter().map(|line| format!("  {line}")));
    }
    lines.push(String::new());
    lines.extend(commands(event).into_iter().map(|(label, command)| format!("{label}: {command}")));
    lines.push(format!("id {}", strip_control(&event.id)));
    lines.join("\n") + "\n"
}

/// The first sentence: what happened to what, where.
pub(super) fn opening(notification: &Notification) -> String {
    let event = &notification.event;
    if let Some(digest) = &event.digest {
        return format!("{} on {}", super::digest::headline(digest), strip_control(&notification.host));
    }
    let run = event.run.map(|run| format!(", run {run}")).unwrap_or_default();
    format!("{} on {}{run}: {}", event.process, strip_control(&notification.host), what(event))
}

/// What happened, as the rest of a sentence about the process.
pub(super) fn what(event: &Event) -> &'static str {
    match event.kind {
        EventKind::Failed if event.watch.is_some() => "it is not well",
        EventKind::Tripped if event.watch.is_some() => "the breaker is open, its action is NOT run for now",
        EventKind::HalfOpen if event.watch.is_some() => "its action is tried once more",
        EventKind::Registered => "it came into the registry",
        EventKind::Started => "it was started",
        EventKind::Restarted => "guardian started it again",
        EventKind::Ready => "it is ready",
        EventKind::Signal => "it was sent a signal",
        EventKind::Exited => "it ended",
        EventKind::Premature => "it ended before its time",
        EventKind::Completed => "it met its target",
        EventKind::Failed => "it failed",
        EventKind::Stopped => "it was stopped on request",
        EventKind::Hung => "it lives, but shows no progress",
        EventKind::Slow => "it takes twice as long as it ever did",
        EventKind::Killed => "guardian is ending it",
        EventKind::Tripped => "the breaker is open, guardian does NOT restart it for now",
        EventKind::HalfOpen => "the breaker lets it try once more",
        EventKind::Recovered => "it is well again",
        EventKind::Unsupervised => "it lives, but its shim is gone",
        EventKind::Storm => "its end made it a storm, likely the fault is in what they share",
        EventKind::StormOver => "the storm that its end began is over",
        EventKind::Flapping => {
            "it becomes well and unwell again and again; until it is calm only what is critical is told"
        }
        EventKind::FlappingOver => "it no longer becomes well and unwell, and is well",
        EventKind::Acknowledged => "somebody knows of it; reminders and escalation end",
        EventKind::Skipped => "a time of its schedule was left out",
        EventKind::Acted => "its action was run",
        EventKind::AlertDelivered => "an alert reached its sink",
        EventKind::Overdue => "guardian's passes did not run",
        EventKind::Heartbeat => "guardian is there",
        EventKind::AlertFailed => "an alert could not be delivered",
        EventKind::Test => "this is a test that somebody asked for; nothing is wrong",
    }
}

/// What other notifications this message speaks for: older ones of the same process in one line,
/// those of others by name.
pub(super) fn more(process: &Name, folded: &[&Event]) -> Vec<String> {
    let (own, mut others): (Vec<&Event>, Vec<&Event>) = folded.iter().partition(|event| event.process == *process);
    // The worst first, then the newest, which say most about how things stand now.
    others.sort_by_key(|event| std::cmp::Reverse((event.severity, event.at)));
    let mut lines: Vec<String> = more_of_it(&own).into_iter().collect();
    if !others.is_empty() {
        let names: BTreeSet<&Name> = others.iter().map(|event| &event.process).collect();
        lines.push(format!("And {} more about {} other processes:", others.len(), names.len()));
        lines.extend(others.iter().take(OTHERS).map(|event| {
            let headline = cut(&strip_control(&headline(event)), OTHER_WIDTH);
            format!("  {}: {headline}", event.process)
        }));
        if others.len() > OTHERS {
            lines.push(format!("  … {} not shown; all of them: guardian status", others.len() - OTHERS));
        }
    }
    lines
}

fn more_of_it(own: &[&Event]) -> Option<String> {
    let (first, last) = (own.first()?, own.last()?);
    let mut kinds: Vec<(EventKind, usize)> = Vec::new();
    for event in own {
        match kinds.iter_mut().find(|(kind, _)| *kind == event.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((event.kind, 1)),
        }
    }
    let kinds = kinds.into_iter().map(|(kind, count)| format!("{count} {}", kind.word())).collect::<Vec<_>>();
    let (count, kinds) = (own.len(), kinds.join(", "));
    Some(if count == 1 {
        format!("And 1 more at {} ({kinds})", first.at)
    } else {
        format!("And {count} more since {} ({kinds}), the last at {}", first.at, last.at)
    })
}

/// The last lines as they are shown.
pub(super) fn tail(notification: &Notification) -> Vec<String> {
    if notification.event.digest.is_some() {
        return Vec::new();
    }
    let skip = notification.log_tail.len().saturating_sub(TAIL_LINES);
    notification.log_tail.iter().skip(skip).map(|line| cut(&strip_control(line), TAIL_WIDTH)).collect()
}

/// The contract's document; `folded` is there only when something is.
fn json(notification: &Notification, folded: &[&Event], title: &str, text: &str) -> String {
    let event = &notification.event;
    let mut document = json!({
        "schema": SCHEMA,
        "id": event.id,
        "host": notification.host,
        "at": event.at.to_string(),
        "severity": event.severity,
        "process": event.process,
        "run": event.run,
        "kind": event.kind,
        "title": title,
        "text": text,
        "cause": event.cause,
        "verdict": event.verdict,
        "ran_s": event.ran_s,
        "target_s": event.target_s,
        "action": event.action,
        "log_tail": tail(notification),
    });
    if !notification.differs.is_empty() {
        document["differs"] = json!(cut(&strip_control(&notification.differs), DIFFERS_WIDTH));
    }
    if let Some(next_at) = event.next_at {
        document["next_at"] = json!(next_at.to_string());
    }
    if let Some(of_late) = notification.of_late {
        document["failures_24h"] = json!(of_late);
    }
    if let Some(facts) = &event.storm {
        document["storm"] = json!(facts);
    }
    if let Some(digest) = &event.digest {
        document["digest"] = json!(digest);
    }
    if let Some(watch) = &event.watch {
        document["watch"] = json!(watch);
        document["detail"] = json!(event.detail);
    }
    if let Some(about) = &event.incident {
        document["incident"] = incident::json(about);
    }
    if !event.alike.is_empty() {
        document["alike"] = json!(strip_control(&event.alike));
    }
    if !folded.is_empty() {
        let folded = folded.iter().map(|event| {
            let at = event.at.to_string();
            json!({"id": event.id, "at": at, "process": event.process, "run": event.run, "kind": event.kind})
        });
        document["folded"] = folded.collect();
    }
    document.to_string()
}

/// The contract's environment of a `command` sink; what is not known is empty.
#[must_use]
pub fn environment(event: &Event) -> Vec<(&'static str, String)> {
    let (code, signal) = match &event.cause {
        Some(Cause::Exited { code }) => (code.to_string(), String::new()),
        Some(Cause::Signaled { signal, .. }) => (String::new(), signal.to_string()),
        Some(
            Cause::OomKilled { .. }
            | Cause::Hung { .. }
            | Cause::TimeLimit { .. }
            | Cause::MemoryLimit { .. }
            | Cause::CpuLimit { .. }
            | Cause::FileSizeLimit { .. }
            | Cause::PreflightFailed { .. }
            | Cause::NotReady { .. }
            | Cause::Overlap
            | Cause::SpawnFailed { .. }
            | Cause::Reboot
            | Cause::ShimKilled
            | Cause::Unknown { .. },
        )
        | None => (String::new(), String::new()),
    };
    vec![
        ("GUARDIAN_EVENT", event.kind.word().to_owned()),
        ("GUARDIAN_NAME", event.process.to_string()),
        ("GUARDIAN_RUN", event.run.map(|run| run.to_string()).unwrap_or_default()),
        ("GUARDIAN_CAUSE", event.cause.as_ref().map(|cause| cause.kind().to_owned()).unwrap_or_default()),
        ("GUARDIAN_VERDICT", event.verdict.map(|verdict| verdict.word().to_owned()).unwrap_or_default()),
        ("GUARDIAN_EXIT_CODE", code),
        ("GUARDIAN_SIGNAL", signal),
    ]
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
