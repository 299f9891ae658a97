//! The `matrix` sink: one message event in a room. The id of the message is the transaction's, so the server drops doubles.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Message, Sent, http, secret};
use crate::model::channel::Matrix;
use crate::model::delivery::Outcome;
use crate::view::escape::html;

/// Sends the message.
pub(super) fn send(sink: &Matrix, message: &Message, limit: Duration) -> Sent {
    let token = secret::read(&sink.token, "token", limit).map_err(Outcome::failed)?;
    let (room, id) = (http::percent(&sink.room), http::percent(&message.id));
    let url = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/{id}", sink.api_base);
    let (subject, brief) = (&message.rendered.subject, &message.rendered.brief);
    let body = json!({
        "msgtype": "m.text",
        "body": format!("{subject}\n{brief}"),
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<strong>{}</strong><br/><pre>{}</pre>", html(subject), html(brief)),
    });
    let (bearer, body) = (format!("Bearer {}", token.expose()), body.to_string());
    let request = http::Request {
        url: &url,
        put: true,
        content_type: "application/json",
        header: vec![("Authorization", &bearer)],
        body: &body,
        ..http::Request::default()
    };
    let mut answer = http::send(&request, limit)?;
    if answer.status.as_u16() != 429 {
        return Ok(answer.judge());
    }
    // Servers before v1.10 of the specification say it in the body, in milliseconds.
    let told: Option<Json> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
    let asked = told.and_then(|told| told["retry_after_ms"].as_u64()).map(Duration::from_millis);
    Err(Outcome::failed_until(format!("HTTP {}", answer.status), answer.after.or(asked)))
}
