//! Questions to a program that show whether it is alive (`probe`), and what is remembered of the answers.
//!
//! Whoever asks judges nothing: [`crate::policy::liveness`] does.

use serde::{Deserialize, Serialize};

use super::progress::{Hang, Stuck};
use super::time::Stamp;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Which run was asked.
    pub run: u64,
    /// What was asked, as the registry has it.
    pub of: String,
    /// When it was asked.
    pub at: Stamp,
    /// The same, in milliseconds on a clock that stands still while the machine sleeps.
    pub awake_ms: u64,
    /// That it is alive, or why not.
    pub outcome: Result<(), String>,
    /// What the program is blocked on, where this failure is one too many.
    pub stuck: Option<Stuck>,
}

/// What is remembered of an open run between two questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probing {
    /// What was asked, as the registry had it.
    pub of: String,
    /// When the next question is due. An answer to an earlier one is known already.
    pub due: Stamp,
    /// When it was asked last and was alive, else when the questions began: in milliseconds on the clock of
    /// [`Probed::awake_ms`].
    pub alive_ms: u64,
    /// Whether it was ever alive when it was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// Failures in a row.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failures: u32,
    /// Why it failed last, as long as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The hang that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang: Option<Hang>,
    /// Hangs of this run so far.
    #[serde(default, skip_serializing_if = "is_none")]
    pub hangs: u32,
}

/// A count that need not be written down.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}
