//! The `pushover` sink. A message that is critical goes out as high priority, never as an emergency that wakes until it is confirmed.

use std::time::Duration;

use super::{Message, Sent, http, secret};
use crate::model::channel::Pushover;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;
use crate::view::words::cut;

/// Longest title and text, in characters.
const TITLE_MAX: usize = 250;
const MESSAGE_MAX: usize = 1024;

/// Sends the message.
pub(super) fn send(sink: &Pushover, message: &Message, limit: Duration) -> Sent {
    let token = secret::read(&sink.token, "token", limit).map_err(Outcome::failed)?;
    let priority = match (message.event.kind, message.event.severity) {
        (kind, _) if kind.ends_an_incident() => "0",
        (_, Severity::Warning) => "0",
        (_, Severity::Critical) => "1",
        (_, Severity::Info) => "-1",
    };
    let timestamp = (message.at.0 / 1000).to_string();
    let body = http::form(&[
        ("token", token.expose()),
        ("user", &sink.user),
        ("title", &cut(&message.rendered.subject, TITLE_MAX)),
        ("message", &cut(&message.rendered.brief, MESSAGE_MAX)),
        ("priority", priority),
        ("timestamp", &timestamp),
    ]);
    let url = format!("{}/1/messages.json", sink.api_base);
    let request = http::Request {
        url: &url,
        content_type: "application/x-www-form-urlencoded",
        body: &body,
        secrets: vec![token.expose(), &sink.user],
        ..http::Request::default()
    };
    Ok(http::send(&request, limit)?.judge())
}
