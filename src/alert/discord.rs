//! The `discord` sink: a webhook. Nothing in a message can mention anybody.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Message, Sent, http, secret};
use crate::model::channel::Discord;
use crate::model::delivery::Outcome;
use crate::view::escape::{cut_utf16, fenced};

/// Longest content, in the units in which Discord counts.
const CONTENT_MAX: usize = 2000;

/// Sends the message.
pub(super) fn send(sink: &Discord, message: &Message, limit: Duration) -> Sent {
    let url = secret::read(&sink.url, "url", limit).map_err(Outcome::failed)?;
    // In a code block Discord reads no markup, in a line only back quotes could end it.
    let subject = message.rendered.subject.replace('`', "'");
    let content = cut_utf16(&format!("`{subject}`\n{}", fenced(&message.rendered.brief)), CONTENT_MAX);
    let body = json!({"content": content, "allowed_mentions": {"parse": []}}).to_string();
    let request =
        http::Request { url: url.expose(), content_type: "application/json", body: &body, ..http::Request::default() };
    let mut answer = http::send(&request, limit)?;
    if answer.status.as_u16() != 429 {
        return Ok(answer.judge());
    }
    // It says in seconds, with a fraction, how long to wait.
    let told: Option<Json> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
    let asked = told.and_then(|told| told["retry_after"].as_f64()).and_then(|s| Duration::try_from_secs_f64(s).ok());
    Err(Outcome::failed_until(format!("HTTP {}", answer.status), asked.or(answer.after)))
}
