//! The `gotify` sink.

use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, secret};
use crate::model::channel::Gotify;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;

/// Sends the message.
pub(super) fn send(sink: &Gotify, message: &Message, limit: Duration) -> Sent {
    let token = secret::read(&sink.token, "token", limit).map_err(Outcome::failed)?;
    let priority = match (message.event.kind, message.event.severity) {
        (kind, _) if kind.ends_an_incident() => 5,
        (_, Severity::Warning) => 5,
        (_, Severity::Critical) => 8,
        (_, Severity::Info) => 2,
    };
    let body = json!({"title": message.rendered.subject, "message": message.rendered.brief, "priority": priority});
    let (url, body) = (format!("{}/message", sink.api_base), body.to_string());
    let request = http::Request {
        url: &url,
        content_type: "application/json",
        header: vec![("X-Gotify-Key", token.expose())],
        body: &body,
        ..http::Request::default()
    };
    Ok(http::send(&request, limit)?.judge())
}
