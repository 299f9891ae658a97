//! The `slack` sink: an incoming webhook, or a message by a bot (`chat.postMessage`).
//!
//! A webhook says by its status what came of it; the API answers 200 and says it in the body.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Message, http, secret};
use crate::model::channel::Slack;
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::view::escape::slack;

/// Errors of the API that pass.
const PASSING: [&str; 6] =
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// Sends the message.
pub(super) fn send(sink: &Slack, message: &Message, limit: Duration) -> Outcome {
    let text = format!("*{}*\n{}", slack(&message.rendered.subject), slack(&message.rendered.brief));
    match sink {
        Slack::Webhook { url } => webhook(url, &text, limit),
        Slack::Bot { api_base, token, channel } => match secret::read(token, "token", limit) {
            Ok(token) => post_message(api_base, token.expose(), channel, &text, limit),
            Err(why) => Outcome::failed(why),
        },
    }
}

fn webhook(url: &SecretSource, text: &str, limit: Duration) -> Outcome {
    let url = match secret::read(url, "url", limit) {
        Ok(url) => url,
        Err(why) => return Outcome::failed(why),
    };
    let body = json!({"text": text, "unfurl_links": false}).to_string();
    let request =
        http::Request { url: url.expose(), content_type: "application/json", body: &body, ..http::Request::default() };
    http::send(&request, limit).map_or_else(|outcome| outcome, http::Answer::judge)
}

fn post_message(api_base: &str, token: &str, channel: &str, text: &str, limit: Duration) -> Outcome {
    let body = json!({"channel": channel, "text": text, "unfurl_links": false, "unfurl_media": false}).to_string();
    let (url, bearer) = (format!("{api_base}/chat.postMessage"), format!("Bearer {token}"));
    let request = http::Request {
        url: &url,
        content_type: "application/json; charset=utf-8",
        header: vec![("Authorization", &bearer)],
        body: &body,
        ..http::Request::default()
    };
    let mut answer = match http::send(&request, limit) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    if !answer.status.is_success() {
        return answer.judge();
    }
    let told: Option<Json> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
    let Some(told) = told else {
        return Outcome::failed("Slack's answer is not what its API promises: whether it was delivered is not known");
    };
    match (told["ok"].as_bool(), told["error"].as_str()) {
        (Some(true), _) => Outcome::delivered("ok"),
        (_, Some(error)) if PASSING.contains(&error) => Outcome::Failed {
            error: format!("Slack says {}", answer.shown(error)),
            after: answer.after,
            reached: vec![],
        },
        (_, Some(error)) => Outcome::refused(format!("Slack says {}", answer.shown(error))),
        (_, None) => Outcome::failed("Slack's answer says neither ok nor what is wrong"),
    }
}
