//! The `telegram` sink: `sendMessage` of the bot API, in HTML, which needs but three characters escaped.
//!
//! The token is a part of the address, so no error shows one. Text that Telegram cannot parse is sent once more as plain text.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Message, Sent, http, secret};
use crate::model::channel::Telegram;
use crate::model::delivery::Outcome;
use crate::view::escape::html;

/// Sends the message.
pub(super) fn send(sink: &Telegram, message: &Message, limit: Duration) -> Sent {
    let token = secret::read(&sink.token, "token", limit).map_err(Outcome::failed)?;
    let call =
        Call { url: format!("{}/bot{}/sendMessage", sink.api_base, token.expose()), token: token.expose(), limit };
    let rendered = &message.rendered;
    let marked = format!("<b>{}</b>\n{}", html(&rendered.subject), html(&rendered.brief));
    let chat = chat_id(&sink.chat);
    Ok(match call.post(&chat, &marked, true) {
        Said::Done(outcome) => outcome,
        Said::Unparsable => call.post(&chat, &format!("{}\n{}", rendered.subject, rendered.brief), false).last(),
        Said::Moved(new) => match call.post(&new, &marked, true).last() {
            Outcome::Delivered { .. } => Outcome::Delivered {
                reply: format!("HTTP 200, to chat {new}"),
                refused: vec![format!("chat {chat}: the group has moved, write `chat = \"{new}\"` into the registry")],
            },
            other @ (Outcome::Failed { .. } | Outcome::Refused { .. }) => other,
        },
    })
}

/// Chats have numbers, channels names.
fn chat_id(chat: &str) -> Json {
    chat.parse::<i64>().map_or_else(|_| json!(chat), |number| json!(number))
}

/// What became of one call.
enum Said {
    Done(Outcome),
    /// It does not understand the markup.
    Unparsable,
    /// The group has another id now.
    Moved(Json),
}

impl Said {
    /// What it means when there is no other try.
    fn last(self) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Unparsable => Outcome::refused("Telegram cannot parse the text"),
            Self::Moved(_) => Outcome::refused("Telegram says that the chat has moved, twice"),
        }
    }
}

struct Call<'a> {
    url: String,
    token: &'a str,
    limit: Duration,
}

impl Call<'_> {
    fn post(&self, chat: &Json, text: &str, marked: bool) -> Said {
        let mut body = json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}});
        if marked {
            body["parse_mode"] = json!("HTML");
        }
        let body = body.to_string();
        let request = http::Request {
            url: &self.url,
            content_type: "application/json",
            body: &body,
            secrets: vec![self.token],
            ..http::Request::default()
        };
        let mut answer = match http::send(&request, self.limit) {
            Ok(answer) => answer,
            Err(outcome) => return Said::Done(outcome),
        };
        if answer.status.is_success() {
            return Said::Done(Outcome::delivered(format!("HTTP {}", answer.status)));
        }
        let told: Option<Json> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
        let Some(told) = told else { return Said::Done(answer.judge()) };
        let description = told["description"].as_str().unwrap_or("");
        let moved = &told["parameters"]["migrate_to_chat_id"];
        if !moved.is_null() {
            return Said::Moved(moved.clone());
        }
        if description.contains("can't parse entities") {
            return Said::Unparsable;
        }
        let after = told["parameters"]["retry_after"].as_u64().map(Duration::from_secs).or(answer.after);
        let error = format!("HTTP {}: {}", answer.status, answer.shown(description));
        Said::Done(http::verdict(answer.status, error, after))
    }
}
