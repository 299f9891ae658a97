//! What the operator asks for, as decisions: start, stop, reset.

use crate::model::ending::{Sender, StopReason};
use crate::model::state::{Began, Desired, OpenRun, Phase, Stopping};

use super::breaker::Breaker;
use super::decide::{Act, Decision, Look};
use super::draft::Draft;

/// The operator starts it: the slate is clean and a run opens.
#[must_use]
pub fn start(look: Look<'_>) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().desired = Desired::Up;
    next.edit().failures = 0;
    next.edit().trips = 0;
    next.edit().backoffs = 0;
    next.edit().restarts = 0;
    next.edit().restarted_at.clear();
    next.launch(Began::Operator);
    next.done()
}

/// The operator stops it. With a run open, the run is asked to end; else only the wish is kept.
///
/// `then` is what is desired after that: `Up` is the first half of a restart, which whoever finds it
/// unfinished completes, so that a restart that is killed half-way leaves nothing down.
#[must_use]
pub fn stop(look: Look<'_>, by: Option<Sender>, then: Desired) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().desired = then;
    next.edit().incident = None; // the operator knows: no recovery is told
    match (&look.state.phase, then) {
        (Phase::Open(open), _) => {
            // Asked before: the run may have ended since, at that stop and not at this one.
            let earlier = open.stopping.clone().filter(|stopping| stopping.reason == StopReason::Operator);
            let since = look.now.clone();
            let stopping = earlier.unwrap_or(Stopping { reason: StopReason::Operator, since, by });
            next.edit().phase = Phase::Open(OpenRun { stopping: Some(stopping), ..open.clone() });
            next.act = Act::Ask;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Down) => {
            next.edit().phase = Phase::Stopped;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Up) => {}
        (Phase::New | Phase::Completed | Phase::Stopped, _) => {}
    }
    next.done()
}

/// The operator closes the breaker and forgets failures; nothing is started.
#[must_use]
pub fn reset(look: Look<'_>) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().failures = 0;
    next.edit().trips = 0;
    next.edit().backoffs = 0;
    next.edit().restarted_at.clear();
    next.edit().failure = None;
    if Breaker::of(look.state) == Breaker::Open {
        next.edit().phase = Phase::Dead;
    }
    next.done()
}
