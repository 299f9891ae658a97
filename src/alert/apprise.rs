//! The `apprise` sink.

use std::time::Duration;

use super::Message;
use crate::model::channel::Apprise;
use crate::model::delivery::Outcome;

/// Sends the message.
pub(super) fn send(_sink: &Apprise, _message: &Message, _limit: Duration) -> Outcome {
    Outcome::refused("NOT BUILT YET")
}
