//! The `alertmanager` sink.

use std::time::Duration;

use super::Message;
use crate::model::channel::Alertmanager;
use crate::model::delivery::Outcome;

/// Sends the message.
pub(super) fn send(_sink: &Alertmanager, _message: &Message, _limit: Duration) -> Outcome {
    Outcome::refused("NOT BUILT YET")
}
