//! The `command` sink: a program gets the JSON on standard input and the gist in its environment.

use std::time::Duration;

use super::{Message, program};
use crate::model::delivery::Outcome;
use crate::model::units::human_duration;
use crate::view::words::{cut, strip_control};

/// Characters of a program's output that an error repeats.
const SAID: usize = 300;

/// Runs the program; exit 0 is delivered, all else is tried again.
pub(super) fn send(command: &[String], message: &Message, limit: Duration) -> Outcome {
    let name = command.first().map_or("", String::as_str);
    let ran = match program::run(command, &message.environment, &message.rendered.json, limit) {
        Ok(ran) => ran,
        Err(error) => return Outcome::failed(format!("cannot run `{name}`: {error}")),
    };
    let said = |text: &str| cut(&strip_control(&text.trim().replace('\n', " | ")), SAID);
    match ran.status {
        Some(status) if status.success() => Outcome::delivered(said(&ran.stdout)),
        Some(status) => {
            let said = said(if ran.stderr.trim().is_empty() { &ran.stdout } else { &ran.stderr });
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Outcome::failed(format!("`{name}` ended with {status}{said}"))
        }
        None => Outcome::failed(format!("`{name}` took longer than {} and was killed", human_duration(limit))),
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
