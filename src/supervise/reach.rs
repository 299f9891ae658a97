//! Signals to the whole of a run, and who belongs to it.

use std::io;

use crate::error::{Code, Error};
use crate::living::{kill_group, living};
use crate::model::time::Identity;
use crate::os::{clock, process};

use super::{Held, Outcome};

impl Held<'_> {
    /// Sends `signal` to every process of the open run.
    pub fn signal(&self, signal: i32, outcome: &mut Outcome) {
        let sent = self.living().map_err(|error| ("read the process table", error)).and_then(|living| {
            let boot = clock::boot_id().map_err(|error| ("read the boot id", error))?;
            // One that may not be signalled (a setuid program) shields none of the others.
            // One that stands still (SIGSTOP) hears nothing until it is sent on.
            let signals = [signal, libc::SIGCONT];
            if let (libc::SIGKILL, Some(open)) = (signal, self.state.open()) {
                kill_group(self.ctx, self.name, open.run, &living);
            }
            let each = living.iter().flat_map(|identity| signals.map(|signal| process::send(identity, &boot, signal)));
            let sent: Vec<_> = each.collect();
            sent.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(("signal a process of the run", error)))
        });
        if let Err((what, error)) = sent {
            outcome.errors.push(Error::new(Code::System, "signal", format!("cannot {what}: {error}")).about(self.name));
        }
    }

    /// Every living process of the open run; see [`living`].
    ///
    /// # Errors
    /// The process table cannot be read.
    pub fn living(&self) -> io::Result<Vec<Identity>> {
        self.state.open().map_or(Ok(Vec::new()), |open| living(self.ctx, self.name, open.run))
    }
}
