//! The `webhook` sink: the contract's JSON by HTTP POST.

use std::time::Duration;

use super::{Message, Sent, http, secret};
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;

/// Posts the message.
pub(super) fn send(url: &SecretSource, header: &[(String, String)], message: &Message, limit: Duration) -> Sent {
    let url = secret::read(url, "url", limit).map_err(Outcome::failed)?;
    let mut lines = vec![("Idempotency-Key", message.id.as_str())];
    lines.extend(header.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = http::Request {
        url: url.expose(),
        content_type: "application/json",
        header: lines,
        body: &message.rendered.json,
        ..http::Request::default()
    };
    Ok(http::send(&request, limit)?.judge())
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
