//! The `apprise` sink: its program, or its API server; behind either are more than a hundred services.
//!
//! The program gets its URLs, which hold secrets, in its environment and never among its arguments. It does not say whether a
//! failure passes, so each is tried again.

use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, program, secret};
use crate::model::channel::Apprise;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;

/// Sends the message.
pub(super) fn send(sink: &Apprise, message: &Message, limit: Duration) -> Sent {
    let urls = secret::read(&sink.url, "url", limit).map_err(Outcome::failed)?;
    let kind = match (message.event.kind, message.event.severity) {
        (kind, _) if kind.ends_an_incident() => "success",
        (_, Severity::Critical) => "failure",
        (_, Severity::Warning) => "warning",
        (_, Severity::Info) => "info",
    };
    match &sink.api_base {
        Some(api_base) => by_api(api_base, urls.expose(), kind, message, limit),
        None => by_program(&sink.program, urls.expose(), kind, message, limit),
    }
}

fn by_api(api_base: &str, urls: &str, kind: &str, message: &Message, limit: Duration) -> Sent {
    let (title, text) = (&message.rendered.subject, &message.rendered.brief);
    let body = json!({"urls": urls, "title": title, "body": text, "type": kind, "format": "text"}).to_string();
    let url = format!("{api_base}/notify/");
    let secrets = urls.split([' ', ',']).filter(|url| !url.is_empty()).collect();
    let request =
        http::Request { url: &url, content_type: "application/json", body: &body, secrets, ..http::Request::default() };
    Ok(http::send(&request, limit)?.judge())
}

fn by_program(argv: &[String], urls: &str, kind: &str, message: &Message, limit: Duration) -> Sent {
    let title = message.rendered.subject.clone();
    let options = ["-t".to_owned(), title, "-n".to_owned(), kind.to_owned(), "-i".to_owned(), "text".to_owned()];
    let argv: Vec<String> = argv.iter().cloned().chain(options).collect();
    let environment = [("APPRISE_URLS", urls.to_owned())];
    let mut ran = program::run_for_sink(&argv, &environment, &message.rendered.brief, limit)?;
    for url in urls.split([' ', ',']).filter(|url| !url.is_empty()) {
        ran.stdout = ran.stdout.replace(url, "****");
        ran.stderr = ran.stderr.replace(url, "****");
    }
    match ran.failure(&argv, limit) {
        None => Ok(Outcome::delivered("ended with 0")),
        Some(why) => Err(Outcome::failed(why)),
    }
}
