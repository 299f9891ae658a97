//! Telling somebody: the sinks, one file each, and the drain that empties the outbox through them.
//!
//! A sink gets a rendered message and a time limit, and says what came of it; it decides nothing
//! about retries. No sink knows the registry, a state or another sink. Errors name the sink and
//! never an address with a secret in it.

pub mod desk;
pub mod drain;

mod alertmanager;
mod apprise;
mod command;
mod desktop;
mod discord;
mod email;
#[cfg(test)]
mod fake;
mod file;
mod gotify;
mod http;
mod matrix;
mod ntfy;
mod pagerduty;
pub(crate) mod program;
mod pushover;
mod secret;
mod sendmail;
#[cfg(test)]
mod sinks_tests;
mod slack;
mod telegram;
mod webhook;
#[cfg(test)]
mod wire_tests;

use std::time::Duration;

use crate::model::delivery::Outcome;
use crate::model::event::{Event, Notification};
use crate::model::sink::{Sink, SinkKind};
use crate::model::time::Wall;
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
}

impl Message {
    /// Key of the incident that it belongs to, for services that open and resolve incidents: the process on its host.
    #[must_use]
    pub fn incident(&self) -> String {
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
        }
    }
}

/// Sends one message. Blocks for about `limit`, or for longer where a library cannot be bounded:
/// [`drain`] therefore runs it in a thread that it can walk away from.
#[must_use]
pub fn send(sink: &Sink, message: &Message, limit: Duration) -> Outcome {
    match &sink.kind {
        SinkKind::Email { host, port, tls, user, password, from, to } => {
            let login = user.as_deref().zip(password.as_ref());
            email::send(&email::Server { host, port: *port, tls: *tls, login }, from, to, message, limit)
        }
        SinkKind::Webhook { url, header } => webhook::send(url, header, message, limit),
        SinkKind::Command { command } => command::send(command, message, limit),
        SinkKind::File { path } => file::send(path, message),
        SinkKind::Telegram(telegram) => telegram::send(telegram, message, limit),
        SinkKind::Slack(slack) => slack::send(slack, message, limit),
        SinkKind::Discord(discord) => discord::send(discord, message, limit),
        SinkKind::Ntfy(ntfy) => ntfy::send(ntfy, message, limit),
        SinkKind::Pushover(pushover) => pushover::send(pushover, message, limit),
        SinkKind::Gotify(gotify) => gotify::send(gotify, message, limit),
        SinkKind::Matrix(matrix) => matrix::send(matrix, message, limit),
        SinkKind::Pagerduty(pagerduty) => pagerduty::send(pagerduty, message, limit),
        SinkKind::Alertmanager(alertmanager) => alertmanager::send(alertmanager, message, limit),
        SinkKind::Apprise(apprise) => apprise::send(apprise, message, limit),
        SinkKind::Sendmail(sendmail) => sendmail::send(sendmail, message, limit),
        SinkKind::Desktop => desktop::send(message, limit),
    }
}
