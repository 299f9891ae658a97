//! The `ntfy` sink: JSON to the server's root, so that no header has to hold foreign text.
//!
//! One incident is one sequence: servers that know it (2.16) replace a notification by the newer one.

use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, secret};
use crate::model::channel::Ntfy;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;

/// Sends the message.
pub(super) fn send(sink: &Ntfy, message: &Message, limit: Duration) -> Sent {
    let topic = secret::read(&sink.topic, "topic", limit).map_err(Outcome::failed)?;
    let token = sink.token.as_ref().map(|token| secret::read(token, "token", limit)).transpose();
    let bearer = token.map_err(Outcome::failed)?.map(|token| format!("Bearer {}", token.expose()));
    let event = &message.event;
    let (priority, tag) = match (event.kind, event.severity) {
        (kind, _) if kind.ends_an_incident() => (3, "white_check_mark"),
        (_, Severity::Critical) => (5, "rotating_light"),
        (_, Severity::Warning) => (4, "warning"),
        (_, Severity::Info) => (2, "information_source"),
    };
    let body = json!({
        "topic": topic.expose(), "title": message.rendered.subject, "message": message.rendered.brief,
        "priority": priority, "tags": [tag],
    });
    let (url, body) = (format!("{}/", sink.api_base), body.to_string());
    let request = http::Request {
        url: &url,
        content_type: "application/json",
        header: bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect(),
        body: &body,
        secrets: vec![topic.expose()],
        ..http::Request::default()
    };
    Ok(http::send(&request, limit)?.judge())
}
