//! What the last run's end leaves for scripts.

use crate::store::sentinel;

use super::{Held, Outcome};

impl Held<'_> {
    /// The sentinel files of the last run that ended.
    pub(super) fn tell_end(&self, outcome: &mut Outcome) {
        let told = self.state.last.as_ref().map(|last| sentinel::tell_end(&self.ctx.paths, self.name, last));
        outcome.errors.extend(told.and_then(Result::err));
    }
}
