//! The `pagerduty` sink.

use std::time::Duration;

use super::Message;
use crate::model::channel::Pagerduty;
use crate::model::delivery::Outcome;

/// Sends the message.
pub(super) fn send(_sink: &Pagerduty, _message: &Message, _limit: Duration) -> Outcome {
    Outcome::refused("NOT BUILT YET")
}
