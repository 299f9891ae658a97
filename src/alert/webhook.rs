//! The `webhook` sink: the contract's JSON to a web address, or what a template makes of the message.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Message, Sent, http, secret};
use crate::model::channel::{TemplateSource, Webhook};
use crate::model::delivery::Outcome;
use crate::registry::Problem;
use crate::store::paths::Paths;
use crate::view::template::{Format, Placeholder, Template};

/// Sends the message.
pub(super) fn send(sink: &Webhook, message: &Message, limit: Duration) -> Sent {
    let url = secret::read(&sink.url, "url", limit).map_err(Outcome::failed)?;
    let body = match &sink.template {
        None => message.rendered.json.clone(),
        Some(TemplateSource::Inline(text)) => {
            filled(text, sink, message).map_err(|problem| refused("template", &problem))?
        }
        Some(TemplateSource::File(path)) => {
            // One that is not there now may be there later.
            let text = read(path).map_err(Outcome::failed)?;
            filled(&text, sink, message).map_err(|problem| refused(path, &problem))?
        }
    };
    let mut lines = vec![("Idempotency-Key", message.id.as_str())];
    lines.extend(sink.header.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = http::Request {
        url: url.expose(),
        put: sink.put,
        content_type: &sink.content_type,
        header: lines,
        body: &body,
        ..http::Request::default()
    };
    Ok(http::send(&request, limit)?.judge())
}

/// What is wrong with the file of its template, and which that is; `None`: nothing, or it has none.
pub(super) fn examine(sink: &Webhook) -> Option<(PathBuf, Problem)> {
    let Some(TemplateSource::File(path)) = &sink.template else { return None };
    let problem = match read(path) {
        Ok(text) => template(&text, sink).err()?,
        Err(message) => {
            let hint = "write the file, or mend `template_file`: until then its messages wait".to_owned();
            Problem { line: 1, column: 1, process: None, message, hint }
        }
    };
    Some((expand(path), problem))
}

fn filled(text: &str, sink: &Webhook, message: &Message) -> Result<String, Problem> {
    Ok(template(text, sink)?.fill(|what| value(what, message)))
}

fn template<'t>(text: &'t str, sink: &Webhook) -> Result<Template<'t>, Problem> {
    let format = Format::of(&sink.content_type).unwrap_or(Format::Json); // the registry takes no other
    Template::read(text, format).map_err(|wrong| Problem::at(text, wrong.at, wrong.message, wrong.hint))
}

fn value(what: Placeholder, message: &Message) -> String {
    match what {
        Placeholder::Title => message.rendered.subject.clone(),
        Placeholder::Text => message.rendered.text.clone(),
        Placeholder::Brief => message.rendered.brief.clone(),
        Placeholder::Process => message.event.process.to_string(),
        Placeholder::Host => message.host.clone(),
        Placeholder::Severity => message.event.severity.word().to_owned(),
        Placeholder::Id => message.id.clone(),
        Placeholder::Kind => message.event.kind.word().to_owned(),
        Placeholder::At => message.at.to_string(),
        Placeholder::Incident => message.incident(),
        Placeholder::Json => message.rendered.json.clone(),
    }
}

fn refused(of: &str, problem: &Problem) -> Outcome {
    Outcome::refused(format!("{of}:{problem}; {}", problem.hint))
}

fn expand(path: &str) -> PathBuf {
    Paths::expand(path, env::var_os("HOME").map(PathBuf::from).as_deref())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(expand(path)).map_err(|error| format!("its template `{path}` cannot be read: {error}"))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
