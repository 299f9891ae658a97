//! The `slack` sink: an incoming webhook, or a message by a bot (`chat.postMessage`).
//!
//! A webhook says by its status what came of it; the API answers 200 and says it in the body.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Message, Sent, http, secret};
use crate::model::channel::Slack;
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::view::escape::slack;

/// Errors of the API that pass.
const PASSING: [&str; 6] =
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// Sends the message.
pub(super) fn send(sink: &Slack, message: &Message, limit: Duration) -> Sent {
    let text = format!("*{}*\n{}", slack(&message.rendered.subject), slack(&message.rendered.brief));
    match sink {
        Slack::Webhook { url } => webhook(url, &text, limit),
        Slack::Bot { api_base, token, channel } => {
            let token = secret::read(token, "token", limit).map_err(Outcome::failed)?;
            post_message(api_base, token.expose(), channel, &text, limit)
        }
    }
}

fn webhook(url: &SecretSource, text: &str, limit: Duration) -> Sent {
    let url = secret::read(url, "url", limit).map_err(Outcome::failed)?;
    let body = json!({"text": text, "unfurl_links": false}).to_string();
    let request =
        http::Request { url: url.expose(), content_type: "application/json", body: &body, ..http::Request::default() };
    Ok(http::send(&request, limit)?.judge())
}

fn post_message(api_base: &str, token: &str, channel: &str, text: &str, limit: Duration) -> Sent {
    let body = json!({"channel": channel, "text": text, "unfurl_links": false, "unfurl_media": false}).to_string();
    let (url, bearer) = (format!("{api_base}/chat.postMessage"), format!("Bearer {token}"));
    let request = http::Request {
        url: &url,
        content_type: "application/json; charset=utf-8",
        header: vec![("Authorization", &bearer)],
        body: &body,
        ..http::Request::default()
    };
    let mut answer = http::send(&request, limit)?;
    if !answer.status.is_success() {
        return Ok(answer.judge());
    }
    let told: Option<Json> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
    let Some(told) = told else {
        return Err(Outcome::failed(
            "Slack's answer is not what its API promises: whether it was delivered is not known",
        ));
    };
    match (told["ok"].as_bool(), told["error"].as_str()) {
        (Some(true), _) => Ok(Outcome::delivered("ok")),
        (_, Some(error)) if PASSING.contains(&error) => {
            Err(Outcome::failed_until(format!("Slack says {}", answer.shown(error)), answer.after))
        }
        (_, Some(error)) => Err(Outcome::refused(format!("Slack says {}", answer.shown(error)))),
        (_, None) => Err(Outcome::failed("Slack's answer says neither ok nor what is wrong")),
    }
}
