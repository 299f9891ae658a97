//! The `pagerduty` sink: Events API v2. Trouble triggers an incident, `alerts ack` acknowledges it, its end resolves it; one process on one host is one incident.

use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, secret};
use crate::model::channel::Pagerduty;
use crate::model::delivery::Outcome;
use crate::model::event::{EventKind, Severity};
use crate::view::words::cut;

/// Longest `dedup_key`, in characters.
const KEY_MAX: usize = 255;
/// What PagerDuty asks of those whom it answers 429: "a few minutes".
const BACKOFF: Duration = Duration::from_secs(180);

/// Sends the message.
pub(super) fn send(sink: &Pagerduty, message: &Message, limit: Duration) -> Sent {
    let key = secret::read(&sink.routing_key, "routing_key", limit).map_err(Outcome::failed)?;
    let event = &message.event;
    let action = match event.ends_an_incident() {
        true => "resolve",
        false if event.kind == EventKind::Acknowledged => "acknowledge",
        false => "trigger",
    };
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
    let answer = http::send(&request, limit)?;
    if answer.status.as_u16() == 429 {
        let after = answer.after.unwrap_or(BACKOFF);
        return Err(Outcome::failed_until(format!("HTTP {}", answer.status), Some(after)));
    }
    Ok(answer.judge())
}
