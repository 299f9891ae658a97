//! The last word about a sink that could not be told: through which other one, and of what.
//!
//! Stored by `store::last_word`, judged by `policy::last_word`.

use serde::{Deserialize, Serialize};

/// One message that says, through another sink, what a sink could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Id of its event: fixed before it is queued, so that queueing it twice is queueing it once.
    pub id: String,
    /// The sink that could not be told.
    pub about: String,
    /// The sink that is told instead.
    pub to: String,
    /// Ids of the events that were given up.
    pub tells: Vec<String>,
    /// Whether it lies in the outbox, or did.
    pub queued: bool,
}
