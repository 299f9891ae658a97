//! What became of all runs of one process, counted: never set back while it is registered, for those who watch rates.
//!
//! Part of the state, so a count is committed with what it counts. `State::restarts` is another number: it begins anew with
//! each start by somebody.

use serde::{Deserialize, Serialize};

use super::ending::Verdict;

/// Counts since the first start. A state of an earlier guardian begins at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Runs that guardian began after an end.
    #[serde(skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// Runs that met their target.
    #[serde(skip_serializing_if = "is_zero")]
    pub completed: u64,
    /// Runs that ended before it.
    #[serde(skip_serializing_if = "is_zero")]
    pub premature: u64,
    /// Runs that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Runs that somebody ended.
    #[serde(skip_serializing_if = "is_zero")]
    pub stopped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// Whether nothing was counted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One more run ended so.
    pub fn count(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Completed => &mut self.completed,
            Verdict::Premature => &mut self.premature,
            Verdict::Failed => &mut self.failed,
            Verdict::Stopped => &mut self.stopped,
        };
        *count = count.saturating_add(1);
    }

    /// Each count with its verdict.
    #[must_use]
    pub fn by_verdict(&self) -> [(Verdict, u64); 4] {
        [
            (Verdict::Completed, self.completed),
            (Verdict::Premature, self.premature),
            (Verdict::Failed, self.failed),
            (Verdict::Stopped, self.stopped),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_is_counted_by_itself_and_zeros_take_no_room() {
        let mut tally = Tally { restarts: 2, ..Tally::default() };
        for (verdict, _) in Tally::default().by_verdict() {
            tally.count(verdict);
        }
        tally.count(Verdict::Failed);
        assert_eq!(tally.by_verdict().map(|(_, count)| count), [1, 1, 2, 1]);
        let few = Tally { restarts: 2, ..Tally::default() };
        assert_eq!(serde_json::to_string(&few).unwrap(), r#"{"restarts":2}"#);
        assert_eq!(serde_json::from_str::<Tally>(r#"{"restarts":2}"#).unwrap(), few);
    }
}
