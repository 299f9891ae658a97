//! Watches as people and programs read them: in `status`, in `why`, in messages.

use std::time::Duration;

use serde::Serialize;

use crate::model::event::{Event, EventKind};
use crate::model::time::Stamp;
use crate::model::units::human_duration;
use crate::model::watch::WatchSpec;
use crate::model::watch_state::{Breaker, Condition, WatchState};

use super::status;
use super::words::strip_control;

/// One watch, as `status --json` has it.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the manual")]
pub struct Row<'a> {
    pub name: &'a str,
    pub kind: &'static str,
    pub group: Option<&'a str>,
    pub state: Condition,
    pub since: Option<String>,
    pub reason: Option<String>,
    pub value: Option<String>,
    pub age_s: Option<u64>,
    pub looked_at: Option<String>,
    pub last_ok_at: Option<String>,
    pub failures: u32,
    pub breaker: status::Breaker,
    pub next_action_at: Option<String>,
    pub action: Option<LastAction>,
    /// Since when, in seconds.
    #[serde(skip)]
    pub since_s: u64,
}

/// The last action of a watch.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the manual")]
pub struct LastAction {
    pub at: Option<String>,
    pub succeeded: Option<bool>,
    pub outcome: String,
}

/// The row of a watch. Without an action it has no breaker that could open.
#[must_use]
pub fn row<'a>(name: &'a str, spec: &'a WatchSpec, state: &WatchState, now: &Stamp) -> Row<'a> {
    let until = match &state.breaker {
        Breaker::Open { until } => until.wall.rfc3339(),
        Breaker::Closed | Breaker::HalfOpen => None,
    };
    let text = |text: &str| (!text.is_empty()).then(|| strip_control(text));
    Row {
        name,
        kind: spec.subject.word(),
        group: spec.group.as_deref(),
        state: state.condition,
        since: state.since.wall.rfc3339(),
        reason: text(&state.reason),
        value: state.value.as_deref().and_then(text),
        age_s: state.age_s,
        looked_at: state.looked.as_ref().and_then(|at| at.wall.rfc3339()),
        last_ok_at: state.last_ok.as_ref().and_then(|at| at.wall.rfc3339()),
        failures: state.failures,
        breaker: status::Breaker {
            state: state.breaker.word(),
            failures: u32::try_from(state.acted.len()).unwrap_or(u32::MAX),
            until: until.clone(),
        },
        next_action_at: until.filter(|_| spec.action.is_some()),
        action: state.action.as_ref().map(|action| LastAction {
            at: action.at.wall.rfc3339(),
            succeeded: action.succeeded,
            outcome: strip_control(&action.outcome),
        }),
        since_s: now.since(&state.since).as_secs(),
    }
}

/// The table for people.
#[must_use]
pub fn table(rows: &[Row<'_>]) -> String {
    let mut cells = vec![["WATCH", "STATE", "FOR", "KIND", ""].map(str::to_owned)];
    for row in rows {
        let breaker = row.breaker.until.as_ref().map(|until| format!("; breaker open, no action before {until}"));
        let seen = row.reason.clone().or_else(|| row.value.clone()).unwrap_or_default();
        cells.push([
            row.name.to_owned(),
            row.state.word().to_owned(),
            human_duration(Duration::from_secs(row.since_s)),
            row.kind.to_owned(),
            seen + &breaker.unwrap_or_default(),
        ]);
    }
    super::table::align(&cells)
}

/// What `why` says of a watch.
#[must_use]
pub fn certificate(row: &Row<'_>) -> String {
    let mut lines = vec![format!("{}: watch of kind {}, {}", row.name, row.kind, row.state.word()), String::new()];
    let mut say = |what: &str, text: Option<String>| {
        lines.extend(text.map(|text| format!("{:<13}{text}", format!("{what}:"))));
    };
    let or_unknown = |at: &Option<String>| at.clone().unwrap_or_else(|| "never, as far as is known".to_owned());
    say("Since", row.since.clone());
    say("Reason", row.reason.clone());
    let age = row.age_s.map(|age| format!(" ({} old)", human_duration(Duration::from_secs(age)))).unwrap_or_default();
    say("Seen", row.value.as_ref().map(|value| format!("{value}{age}")));
    say("Looked", Some(or_unknown(&row.looked_at)));
    say("Well last", Some(or_unknown(&row.last_ok_at)));
    say("Failed", (row.failures > 0).then(|| format!("{} looks in a row", row.failures)));
    if let Some(action) = &row.action {
        let outcome = match action.succeeded {
            None if action.outcome.is_empty() => "it runs".to_owned(),
            Some(_) | None => action.outcome.clone(),
        };
        say("Action", Some(format!("{}: {outcome}", or_unknown(&action.at))));
        let until = row.breaker.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        say("Breaker", Some(format!("{}{until}", row.breaker.state)));
    }
    lines.push(String::new());
    lines.push(format!("Next: guardian events {}", row.name));
    lines.join("\n")
}

/// What happened to a watch, in one phrase.
pub(super) fn headline(event: &Event) -> String {
    let detail = if event.detail.is_empty() { String::new() } else { format!(": {}", event.detail) };
    match event.kind {
        EventKind::Tripped => format!("tripped, its action is not run for now{detail}"),
        EventKind::HalfOpen => "its action is tried once more after the breaker was open".to_owned(),
        EventKind::Acted => event.action.clone(),
        EventKind::Failed
        | EventKind::Recovered
        | EventKind::Registered
        | EventKind::Started
        | EventKind::Restarted
        | EventKind::Ready
        | EventKind::Signal
        | EventKind::Exited
        | EventKind::Premature
        | EventKind::Completed
        | EventKind::Stopped
        | EventKind::Hung
        | EventKind::Killed
        | EventKind::Unsupervised
        | EventKind::Slow
        | EventKind::Storm
        | EventKind::StormOver
        | EventKind::Flapping
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::Skipped
        | EventKind::AlertDelivered
        | EventKind::AlertFailed
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::Test => format!("{}{detail}", event.kind.word()),
    }
}
