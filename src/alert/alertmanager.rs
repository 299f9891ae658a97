//! The `alertmanager` sink: API v2. Trouble fires an alert, its end resolves it; what identifies an alert is in its labels alone.
//!
//! The label `severity`, by which it is routed, is the highest of the incident so far. An alert with another label is another
//! alert, so one that became worse is fired anew and the milder one resolved with it, and the end resolves all that may be open.
//! `policy::remind` has an open incident sent again each hour, as Alertmanager keeps alerts in memory only.
//!
//! Sent to every member of a cluster; one that takes it is enough, and the others are named.

use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, secret};
use crate::model::channel::Alertmanager;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;
use crate::model::time::Wall;

/// How long an alert fires by itself: Alertmanager's own `resolve_timeout` of five minutes would end it before anybody is up.
/// In milliseconds.
const FIRES: i64 = 24 * 3_600_000;

/// Sends the message.
pub(super) fn send(sink: &Alertmanager, message: &Message, limit: Duration) -> Sent {
    let url = secret::read(&sink.url, "url", limit).map_err(Outcome::failed)?;
    let token = sink.token.as_ref().map(|token| secret::read(token, "token", limit)).transpose();
    let bearer = token.map_err(Outcome::failed)?.map(|token| format!("Bearer {}", token.expose()));
    let body = json!(alerts(message)).to_string();
    let members: Vec<&str> = [url.expose()].into_iter().chain(sink.peers.iter().map(String::as_str)).collect();
    let each = limit / u32::try_from(members.len()).unwrap_or(u32::MAX);
    let post = |base: &&str| {
        let url = format!("{}/api/v2/alerts", base.trim_end_matches('/'));
        let request = http::Request {
            url: &url,
            content_type: "application/json",
            header: bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect(),
            body: &body,
            secrets: vec![base],
            ..http::Request::default()
        };
        http::send(&request, each).map_or_else(|outcome| outcome, http::Answer::judge)
    };
    Ok(together(members.iter().map(post).collect()))
}

/// One member that has it is enough: they tell each other. What the others said is kept.
fn together(outcomes: Vec<Outcome>) -> Outcome {
    let why = |outcome: &Outcome| match outcome {
        Outcome::Delivered { .. } => None,
        Outcome::Failed { error, .. } | Outcome::Refused { error } => Some(error.clone()),
    };
    let failed: Vec<String> = outcomes
        .iter()
        .enumerate()
        .filter_map(|(nth, outcome)| Some(format!("member {}: {}", nth + 1, why(outcome)?)))
        .collect();
    let delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered { .. }));
    let passing = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
    match (delivered, outcomes.iter().find(|outcome| passing(outcome))) {
        (true, _) => Outcome::Delivered { reply: "taken".to_owned(), refused: failed },
        (false, Some(Outcome::Failed { after, .. })) => {
            Outcome::Failed { error: failed.join("; "), after: *after, reached: Vec::new() }
        }
        (false, _) => Outcome::refused(failed.join("; ")),
    }
}

/// The alert of the incident as severe as it is, before it those that it was until it became worse.
fn alerts(message: &Message) -> Vec<serde_json::Value> {
    let event = &message.event;
    let about = event.incident.as_ref();
    let (first, worst) = about.map_or((event.severity, event.severity), |about| (about.first, about.severity));
    let over = event.ends_an_incident();
    [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .filter(|severity| first <= *severity && *severity <= worst)
        .map(|severity| alert(message, severity, over || severity < worst))
        .collect()
}

fn alert(message: &Message, severity: Severity, over: bool) -> serde_json::Value {
    let event = &message.event;
    let until = if over { event.at } else { Wall(event.at.0.saturating_add(FIRES)) };
    json!({
        "labels": {
            "alertname": "guardian", "instance": message.host, "guardian_name": event.process,
            "severity": severity.word(),
            // To Alertmanager a label that is empty is one that is not there.
            "group": event.group.as_deref().unwrap_or(""),
        },
        "annotations": {
            "summary": message.rendered.subject, "description": message.rendered.brief,
            "severity": event.severity.word(), "kind": event.kind.word(), "id": message.id,
        },
        "startsAt": event.incident.as_ref().map_or(event.at, |about| about.since).to_string(),
        "endsAt": until.to_string(),
    })
}
