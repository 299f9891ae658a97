//! What came of a look at one process, and what is to be done next.

use crate::error::Error;
use crate::launch::Launched;
use crate::model::time::Stamp;

/// What came of a look at one process.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was done, in the contract's words.
    pub actions: Vec<&'static str>,
    /// When something would next become true.
    pub deadline: Option<Stamp>,
    /// What became of the last start, if one was made.
    pub launched: Option<Launched>,
    /// Notifications queued.
    pub queued: usize,
    /// What failed without undoing the rest: publishing, sentinel files.
    pub errors: Vec<Error>,
}

/// What to do after a decision was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Look again.
    Look,
    /// Leave it at that for now.
    Rest,
}
