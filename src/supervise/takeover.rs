//! What is done about a run that lives without its shim.

use crate::error::Error;
use crate::launch;
use crate::policy::decide::Act;

use super::{Held, Outcome, Then};

impl Held<'_> {
    /// Gives a program that lives without a shim a new one, as a pass would; else does nothing.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn supervise(&mut self, outcome: &mut Outcome) -> Result<(), Error> {
        let decision = self.consider()?;
        if decision.act == Act::TakeOver {
            self.carry_out(decision, outcome)?;
        }
        Ok(())
    }

    /// A new shim for the open run, whose shim is gone. What was committed before is told, whatever comes of this.
    pub(super) fn take_over(&self, outcome: &mut Outcome) -> Then {
        let deadline = outcome.deadline.as_ref();
        match launch::take_over(self.ctx, self.name, self.spec, self.state.run, deadline, self.sinks) {
            Ok(true) => {
                outcome.actions.push("taken_over");
                Then::Look
            }
            Ok(false) => Then::Rest,
            Err(error) => {
                outcome.errors.push(error);
                Then::Rest
            }
        }
    }
}
