//! The `pagerduty` sink: Events API v2. Trouble triggers an incident, a recovery resolves it; one process on one host is one incident.

use std::time::Duration;

use serde_json::json;

use super::{Message, http, secret};
use crate::model::channel::Pagerduty;
use crate::model::delivery::Outcome;
use crate::model::event::{EventKind, Severity};
use crate::view::words::cut;

/// Longest `dedup_key`, in characters.
const KEY_MAX: usize = 255;
/// What PagerDuty asks of those whom it answers 429: "a few minutes".
const BACKOFF: Duration = Duration::from_secs(180);

/// Sends the message.
pub(super) fn send(sink: &Pagerduty, message: &Message, limit: Duration) -> Outcome {
    let key = match secret::read(&sink.routing_key, "routing_key", limit) {
        Ok(key) => key,
        Err(why) => return Outcome::failed(why),
    };
    let event = &message.event;
    let action = if event.kind == EventKind::Recovered { "resolve" } else { "trigger" };
    let severity = match event.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let body = json!({
        "routing_key": key.expose(),
        "event_action": action,
        "dedup_key": cut(&message.incident(), KEY_MAX),
        "payload": {
            "summary": message.rendered.subject,
            "source": message.host,
            "severity": severity,
            "timestamp": event.at.to_string(),
            "component": event.process,
            "group": event.group,
            "class": event.kind.word(),
            "custom_details": {"text": message.rendered.brief, "id": message.id},
        },
    });
    let (url, body) = (format!("{}/v2/enqueue", sink.api_base), body.to_string());
    let request = http::Request {
        url: &url,
        content_type: "application/json",
        body: &body,
        secrets: vec![key.expose()],
        ..http::Request::default()
    };
    match http::send(&request, limit) {
        Ok(answer) if answer.status.as_u16() == 429 => {
            let after = answer.after.unwrap_or(BACKOFF);
            Outcome::Failed { error: format!("HTTP {}", answer.status), after: Some(after), reached: Vec::new() }
        }
        Ok(answer) => answer.judge(),
        Err(outcome) => outcome,
    }
}
