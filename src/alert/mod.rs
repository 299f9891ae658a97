//! Telling somebody: the sinks, one file each, and the drain that empties the outbox through them.
//!
//! A sink gets a rendered message and a time limit, and says what came of it; it decides nothing
//! about retries. No sink knows the registry, a state or another sink. Errors name the sink and
//! never an address with a secret in it.

pub mod desk;
pub mod drain;
pub mod ping;
pub mod reach;

mod alertmanager;
mod apprise;
mod attend;
mod command;
mod desktop;
mod discord;
pub mod due;
mod email;
#[cfg(test)]
mod fake;
mod file;
mod gotify;
#[cfg(test)]
mod hostile_tests;
mod http;
pub mod inbox;
mod journald;
mod last_word;
mod matrix;
mod ntfy;
mod otlp;
mod pagerduty;
mod ping_wire;
pub(crate) mod program;
mod pushover;
mod resume;
mod secret;
mod sendmail;
#[cfg(test)]
mod sinks_tests;
mod slack;
mod syslog;
mod telegram;
mod trust;
mod wake;
mod webhook;
#[cfg(test)]
mod wire_tests;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::delivery::Outcome;
use crate::model::event::{Event, EventKind, Notification};
use crate::model::sink::{Sink, SinkKind};
use crate::model::time::Wall;
use crate::registry::Problem;
use crate::view::alert::{Rendered, environment, render};

/// A message, ready to be sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same at each try, so that a receiver can drop doubles.
    pub id: String,
    /// Id of an earlier message that this one answers.
    pub answers: Option<String>,
    /// Host it is about.
    pub host: String,
    /// When it happened.
    pub at: Wall,
    /// Subject, text and JSON.
    pub rendered: Rendered,
    /// What it is about.
    pub event: Event,
    /// Environment for a program.
    pub environment: Vec<(&'static str, String)>,
    /// Recipients that have it already.
    pub reached: Vec<String>,
    /// Where the output of the process lies; empty: it has none.
    pub log: PathBuf,
    /// How many other notifications it speaks for.
    pub folded: usize,
}

impl Message {
    /// Key of the incident that it belongs to, for services that open and resolve incidents: the process on its host.
    /// A storm is nobody's own.
    #[must_use]
    pub fn incident(&self) -> String {
        if matches!(self.event.kind, EventKind::Storm | EventKind::StormOver) {
            return format!("guardian/{}//storm", self.host);
        }
        format!("guardian/{}/{}", self.host, self.event.process)
    }

    /// Renders a notification and what is folded into it.
    #[must_use]
    pub fn new(notification: &Notification, folded: &[&Event], answers: Option<String>) -> Self {
        let event = &notification.event;
        Self {
            id: event.id.clone(),
            answers,
            host: notification.host.clone(),
            at: event.at,
            rendered: render(notification, folded),
            event: event.clone(),
            environment: environment(event),
            reached: Vec::new(),
            log: PathBuf::new(),
            folded: folded.len(),
        }
    }
}

/// What came of a try; `Err` where nothing could be sent at all, so that `?` ends it there.
type Sent = Result<Outcome, Outcome>;

/// What is wrong with a file that the sink needs for its messages, and which file that is.
#[must_use]
pub fn examine(sink: &Sink) -> Option<(PathBuf, Problem)> {
    match &sink.kind {
        SinkKind::Webhook(webhook) => webhook::examine(webhook),
        SinkKind::Email { .. }
        | SinkKind::Command { .. }
        | SinkKind::File { .. }
        | SinkKind::Telegram(_)
        | SinkKind::Slack(_)
        | SinkKind::Discord(_)
        | SinkKind::Ntfy(_)
        | SinkKind::Pushover(_)
        | SinkKind::Gotify(_)
        | SinkKind::Matrix(_)
        | SinkKind::Pagerduty(_)
        | SinkKind::Alertmanager(_)
        | SinkKind::Apprise(_)
        | SinkKind::Sendmail(_)
        | SinkKind::Wake(_)
        | SinkKind::Ping(_)
        | SinkKind::Desktop
        | SinkKind::Syslog(_)
        | SinkKind::Journald { .. }
        | SinkKind::Otlp(_) => None,
    }
}

/// Sends one message. Blocks for about `limit`, or for longer where a library cannot be bounded:
/// [`drain`] therefore runs it in a thread that it can walk away from.
#[must_use]
pub fn send(sink: &Sink, message: &Message, limit: Duration) -> Outcome {
    trust::with(sink.ca_file.as_deref(), || send_by(&sink.kind, message, limit))
}

fn send_by(kind: &SinkKind, message: &Message, limit: Duration) -> Outcome {
    match kind {
        SinkKind::Email { host, port, tls, user, password, from, to } => {
            let login = user.as_deref().zip(password.as_ref());
            email::send(&email::Server { host, port: *port, tls: *tls, login }, from, to, message, limit)
        }
        SinkKind::Webhook(sink) => either(webhook::send(sink, message, limit)),
        SinkKind::Command { command } => either(command::send(command, message, limit)),
        SinkKind::File { path } => file::send(path, message),
        SinkKind::Telegram(telegram) => either(telegram::send(telegram, message, limit)),
        SinkKind::Slack(slack) => either(slack::send(slack, message, limit)),
        SinkKind::Discord(discord) => either(discord::send(discord, message, limit)),
        SinkKind::Ntfy(ntfy) => either(ntfy::send(ntfy, message, limit)),
        SinkKind::Pushover(pushover) => either(pushover::send(pushover, message, limit)),
        SinkKind::Gotify(gotify) => either(gotify::send(gotify, message, limit)),
        SinkKind::Matrix(matrix) => either(matrix::send(matrix, message, limit)),
        SinkKind::Pagerduty(pagerduty) => either(pagerduty::send(pagerduty, message, limit)),
        SinkKind::Alertmanager(alertmanager) => either(alertmanager::send(alertmanager, message, limit)),
        SinkKind::Apprise(apprise) => either(apprise::send(apprise, message, limit)),
        SinkKind::Sendmail(sendmail) => either(sendmail::send(sendmail, message, limit)),
        SinkKind::Wake(wake) => either(wake::send(wake, message, limit)),
        SinkKind::Desktop => either(desktop::send(message, limit)),
        SinkKind::Ping(source) => either(ping::send(source, message, limit)),
        SinkKind::Syslog(syslog) => syslog::send(syslog, message, limit),
        SinkKind::Journald { socket } => journald::send(socket, message, limit),
        SinkKind::Otlp(otlp) => either(otlp::send(otlp, message, limit)),
    }
}

fn either(sent: Sent) -> Outcome {
    sent.unwrap_or_else(|outcome| outcome)
}
