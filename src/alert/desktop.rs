//! The `desktop` sink: a notification on the screen of the user that guardian runs as. Nobody there: it is tried again.

use std::time::Duration;

use super::{Message, Sent, program};
use crate::model::delivery::Outcome;
use crate::model::event::Severity;
use crate::os::desktop::{Urgency, notification};

/// Sends the message.
pub(super) fn send(message: &Message, limit: Duration) -> Sent {
    let urgency = match message.event.severity {
        Severity::Critical => Urgency::Critical,
        Severity::Warning | Severity::Info => Urgency::Normal,
    };
    let (argv, environment) = notification(&message.rendered.subject, &message.rendered.brief, urgency)
        .map_err(|error| Outcome::failed(error.to_string()))?;
    let ran = program::run_for_sink(&argv, &environment, "", limit)?;
    match ran.failure(&argv, limit) {
        None => Ok(Outcome::delivered("it is on the screen")),
        Some(why) => Err(Outcome::failed(why)),
    }
}
