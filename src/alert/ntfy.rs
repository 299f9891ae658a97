//! The `ntfy` sink: JSON to the server's root, so that no header has to hold foreign text.
//!
//! One incident is one sequence: servers that know it (2.16) replace a notification by the newer one.

use std::time::Duration;

use serde_json::json;

use super::{Message, http, secret};
use crate::model::channel::Ntfy;
use crate::model::delivery::Outcome;
use crate::model::event::{EventKind, Severity};

/// Sends the message.
pub(super) fn send(sink: &Ntfy, message: &Message, limit: Duration) -> Outcome {
    let topic = match secret::read(&sink.topic, "topic", limit) {
        Ok(topic) => topic,
        Err(why) => return Outcome::failed(why),
    };
    let bearer = match sink.token.as_ref().map(|token| secret::read(token, "token", limit)).transpose() {
        Ok(token) => token.map(|token| format!("Bearer {}", token.expose())),
        Err(why) => return Outcome::failed(why),
    };
    let event = &message.event;
    let (priority, tag) = match (event.kind, event.severity) {
        (EventKind::Recovered, _) => (3, "white_check_mark"),
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
    http::send(&request, limit).map_or_else(|outcome| outcome, http::Answer::judge)
}
