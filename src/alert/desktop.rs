//! The `desktop` sink: a notification on the screen of the user that guardian runs as. Nobody there: it is tried again.

use std::time::Duration;

use super::{Message, program};
use crate::model::delivery::Outcome;
use crate::model::event::Severity;
use crate::model::units::human_duration;
use crate::os::desktop::{Urgency, notification};
use crate::view::words::{cut, strip_control};

/// Characters of the program's output that an error repeats.
const SAID: usize = 300;

/// Sends the message.
pub(super) fn send(message: &Message, limit: Duration) -> Outcome {
    let urgency = match message.event.severity {
        Severity::Critical => Urgency::Critical,
        Severity::Warning | Severity::Info => Urgency::Normal,
    };
    let (argv, environment) = match notification(&message.rendered.subject, &message.rendered.brief, urgency) {
        Ok(call) => call,
        Err(error) => return Outcome::failed(error.to_string()),
    };
    let name = argv.first().map_or("", String::as_str);
    let ran = match program::run(&argv, &environment, "", limit) {
        Ok(ran) => ran,
        Err(error) => return Outcome::failed(format!("cannot run `{name}`: {error}")),
    };
    let said = cut(&strip_control(&ran.stderr.trim().replace('\n', " | ")), SAID);
    match ran.status {
        Some(status) if status.success() => Outcome::delivered("it is on the screen"),
        Some(status) => Outcome::failed(format!("`{name}` ended with {status}: {said}")),
        None => Outcome::failed(format!("`{name}` took longer than {} and was killed", human_duration(limit))),
    }
}
