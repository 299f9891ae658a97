//! The shim that waits for the moment of a restart: there is one, and it goes when nobody wants that restart any more.

use crate::launch;
use crate::model::evidence::{Life, Recorded};
use crate::model::state::{Phase, State};
use crate::os::{clock, process, signals};
use crate::store::record;

use super::{Held, Outcome};

impl Held<'_> {
    /// A restart that is due later is waited for by the shim of the last run. Where that is gone, by one made for it.
    pub(super) fn ensure_waiter(&self, outcome: &mut Outcome) {
        let Phase::Waiting { until } = &self.state.phase else { return };
        let shim = match record::read(&self.ctx.paths, self.name, self.state.run).0 {
            Recorded::Read(record) => record.shim,
            Recorded::Missing | Recorded::Unreadable(_) => None,
        };
        if shim.is_some_and(|shim| process::life(&shim, &until.boot) != Life::Gone) {
            return;
        }
        let waiting = launch::wait_until(self.ctx, self.name, self.state.run, until, self.sinks, self.spec);
        outcome.errors.extend(waiting.err());
    }

    /// The run whose shim waits for a moment that with `next` is wanted no more.
    pub(super) fn waited_for(&self, next: &State) -> Option<u64> {
        (waits(&self.state) && !waits(next)).then_some(self.state.run)
    }

    /// Nobody waits for the moment of the next start any more: the shim that does is rung.
    pub fn dismiss(&self) {
        if waits(&self.state) {
            self.dismiss_waiter(self.state.run);
        }
    }

    /// The shim of `run`, which waits for what is wanted no more, is rung: its pass finds nothing to wait for.
    pub(super) fn dismiss_waiter(&self, run: u64) {
        let Recorded::Read(record) = record::read(&self.ctx.paths, self.name, run).0 else { return };
        let parent = std::os::unix::process::parent_id();
        // Gone, or not ours: then it goes when its time comes. Its own pass answers it.
        if let (Some(shim), Ok(boot)) =
            (record.shim.filter(|shim| u32::try_from(shim.pid) != Ok(parent)), clock::boot_id())
        {
            drop(process::send(&shim, &boot, signals::BELL));
        }
    }
}

fn waits(state: &State) -> bool {
    matches!(state.phase, Phase::Waiting { .. } | Phase::Tripped { .. })
}
