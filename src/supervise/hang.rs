//! What a run was blocked on, kept for `why` before anything is done to it.

use crate::error::Error;
use crate::inspect;
use crate::model::state::State;

use super::Held;

impl Held<'_> {
    /// What the run was blocked on is kept when `next` calls its hang.
    ///
    /// # Errors
    /// The snapshot cannot be written.
    pub(super) fn keep_hang(&self, next: &State) -> Result<(), Error> {
        let looked = self.inspection.as_ref().and_then(|seen| seen.stuck.as_ref().map(|stuck| (seen.run, stuck)));
        let probed = self.probed.as_ref().and_then(|seen| seen.stuck.as_ref().map(|stuck| (seen.run, stuck)));
        inspect::keep(self.ctx, self.name, [looked, probed], [&self.state, next])
    }
}
