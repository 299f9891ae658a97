//! The `apprise` sink: its program, or its API server; behind either are more than a hundred services.
//!
//! The program gets its URLs, which hold secrets, in its environment and never among its arguments. It does not say whether a
//! failure passes, so each is tried again.

use std::time::Duration;

use serde_json::json;

use super::{Message, http, program, secret};
use crate::model::channel::Apprise;
use crate::model::delivery::Outcome;
use crate::model::event::{EventKind, Severity};
use crate::model::units::human_duration;
use crate::view::words::{cut, strip_control};

/// Characters of a program's output that an error repeats.
const SAID: usize = 300;

/// Sends the message.
pub(super) fn send(sink: &Apprise, message: &Message, limit: Duration) -> Outcome {
    let urls = match secret::read(&sink.url, "url", limit) {
        Ok(urls) => urls,
        Err(why) => return Outcome::failed(why),
    };
    let kind = match (message.event.kind, message.event.severity) {
        (EventKind::Recovered, _) => "success",
        (_, Severity::Critical) => "failure",
        (_, Severity::Warning) => "warning",
        (_, Severity::Info) => "info",
    };
    match &sink.api_base {
        Some(api_base) => by_api(api_base, urls.expose(), kind, message, limit),
        None => by_program(&sink.program, urls.expose(), kind, message, limit),
    }
}

fn by_api(api_base: &str, urls: &str, kind: &str, message: &Message, limit: Duration) -> Outcome {
    let (title, text) = (&message.rendered.subject, &message.rendered.brief);
    let body = json!({"urls": urls, "title": title, "body": text, "type": kind, "format": "text"}).to_string();
    let url = format!("{api_base}/notify/");
    let secrets = urls.split([' ', ',']).filter(|url| !url.is_empty()).collect();
    let request =
        http::Request { url: &url, content_type: "application/json", body: &body, secrets, ..http::Request::default() };
    http::send(&request, limit).map_or_else(|outcome| outcome, http::Answer::judge)
}

fn by_program(argv: &[String], urls: &str, kind: &str, message: &Message, limit: Duration) -> Outcome {
    let name = argv.first().map_or("", String::as_str);
    let title = message.rendered.subject.clone();
    let options = ["-t".to_owned(), title, "-n".to_owned(), kind.to_owned(), "-i".to_owned(), "text".to_owned()];
    let argv: Vec<String> = argv.iter().cloned().chain(options).collect();
    let environment = [("APPRISE_URLS", urls.to_owned())];
    let ran = match program::run(&argv, &environment, &message.rendered.brief, limit) {
        Ok(ran) => ran,
        Err(error) => return Outcome::failed(format!("cannot run `{name}`: {error}")),
    };
    let said = |text: &str| {
        let hidden =
            urls.split([' ', ',']).filter(|url| !url.is_empty()).fold(text.to_owned(), |t, url| t.replace(url, "****"));
        cut(&strip_control(&hidden.trim().replace('\n', " | ")), SAID)
    };
    match ran.status {
        Some(status) if status.success() => Outcome::delivered("ended with 0"),
        Some(status) => {
            let said = said(if ran.stderr.trim().is_empty() { &ran.stdout } else { &ran.stderr });
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Outcome::failed(format!("`{name}` ended with {status}{said}"))
        }
        None => Outcome::failed(format!("`{name}` took longer than {} and was killed", human_duration(limit))),
    }
}
