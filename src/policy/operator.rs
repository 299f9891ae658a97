//! What the operator asks for, as decisions: start, stop, reset.

use crate::model::ending::{Sender, StopReason};
use crate::model::event::{EventKind, Severity};
use crate::model::state::{Began, Desired, OpenRun, Phase, Stopping};

use super::breaker::Breaker;
use super::classify::Standing;
use super::decide::{Act, Decision, Look};
use super::draft::Draft;
use super::schedule;

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
    if look.spec.schedule.is_some() {
        schedule::resume(&mut next);
    }
    next.launch(Began::Operator);
    next.done()
}

/// The operator starts it, and something that it needs is not there: it is wanted up with a clean slate, and waits.
#[must_use]
pub fn start_later(look: Look<'_>, waits: String) -> Decision<'_> {
    let mut next = Draft { waits: Some(waits), ..Draft::new(look) };
    next.edit().desired = Desired::Up;
    next.edit().failures = 0;
    next.edit().trips = 0;
    next.edit().backoffs = 0;
    next.edit().restarts = 0;
    next.edit().restarted_at.clear();
    if look.state.open().is_none() {
        let until = look.now.clone();
        next.edit().phase = Phase::Waiting { until };
    }
    next.done()
}

/// [`start`] for a process about which `found` was decided just now: an end that nobody has judged yet is judged first, and
/// told; the run that follows is the operator's. A restart or a trial that was due is not begun beside it.
#[must_use]
pub fn start_after(look: Look<'_>, found: Decision<'_>) -> Decision<'static> {
    if !matches!(found.standing, Some(Standing::Ended(_))) {
        return start(look).into_owned();
    }
    let mut judged = found.state.into_owned();
    if found.act == Act::Launch {
        judged.run -= 1;
        judged.tally.restarts = look.state.tally.restarts;
        judged.phase = Phase::Stopped;
    }
    start(Look { state: &judged, ..look }).into_owned()
}

/// The operator stops it. With a run open, the run is asked to end; else only the wish is kept.
///
/// `then` is what is desired after that: `Up` is the first half of a restart, which whoever finds it
/// unfinished completes, so that a restart that is killed half-way leaves nothing down.
#[must_use]
pub fn stop(look: Look<'_>, by: Option<Sender>, then: Desired) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().desired = then;
    // The operator knows: no recovery is told.
    let troubled = next.edit().incident.take().is_some();
    if troubled && then == Desired::Down && look.state.open().is_none() {
        // Of no run: the last one ended by itself, and has its verdict.
        let event = next.event(EventKind::Stopped, Severity::Info, None);
        next.tell(event);
    }
    if look.spec.schedule.is_some() && then == Desired::Down {
        schedule::pause(&mut next);
    }
    match (&look.state.phase, then) {
        (Phase::Open(open), _) => {
            // Asked before: the run may have ended since, at that stop and not at this one.
            let earlier = open.stopping.clone().filter(|stopping| stopping.reason == StopReason::Operator);
            let since = look.now.clone();
            let stopping =
                earlier.unwrap_or(Stopping { reason: StopReason::Operator, since, by, because: String::new() });
            next.edit().phase = Phase::Open(OpenRun { stopping: Some(stopping), ..open.clone() });
            next.act = Act::Ask;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Down) => {
            next.edit().phase = Phase::Stopped;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Up) => {}
        // It is down: a restart that is killed before its second half leaves it as it was.
        (Phase::New | Phase::Stopped, Desired::Up) => next.edit().desired = look.state.desired,
        (Phase::New | Phase::Completed | Phase::Stopped, _) => {}
    }
    next.done()
}

/// guardian's loop ends, and with it all that runs: the open run is asked to end, and what is desired stays, so that the
/// next start of the loop brings it back. A run that is being ended already is left to that.
#[must_use]
pub fn wind_down(look: Look<'_>, by: Option<Sender>) -> Decision<'_> {
    let mut next = Draft::new(look);
    if let Some(open) = look.state.open().filter(|open| open.stopping.is_none()) {
        let because = "with guardian's loop".to_owned();
        let stopping = Stopping { reason: StopReason::Shutdown, since: look.now.clone(), by, because };
        next.edit().phase = Phase::Open(OpenRun { stopping: Some(stopping), ..open.clone() });
        next.act = Act::Ask;
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
    next.edit().starts.clear();
    next.edit().failure = None;
    match (Breaker::of(look.state), &look.state.phase) {
        (Breaker::Open, _) => next.edit().phase = Phase::Dead,
        // Its trial goes on as any other run.
        (Breaker::HalfOpen, Phase::Open(open)) => {
            next.edit().phase = Phase::Open(OpenRun { began: Began::Restart, ..open.clone() });
        }
        (Breaker::Closed | Breaker::HalfOpen, _) => {}
    }
    next.done()
}
