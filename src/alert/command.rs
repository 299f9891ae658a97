//! The `command` sink: a program gets the JSON on standard input and the gist in its environment.

use std::time::Duration;

use super::{Message, Sent, program};
use crate::model::delivery::Outcome;

/// Runs the program; exit 0 is delivered, all else is tried again.
pub(super) fn send(command: &[String], message: &Message, limit: Duration) -> Sent {
    let ran = program::run_for_sink(command, &message.environment, &message.rendered.json, limit)?;
    match ran.failure(command, limit) {
        None => Ok(Outcome::delivered(program::said(&ran.stdout))),
        Some(why) => Err(Outcome::failed(why)),
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
