//! Whether a run is ready, and what follows when it is, or is not in time.
//!
//! That it is ready is evidence: somebody saw it and wrote it into the run's record. Only `delay` needs nobody: time alone
//! shows it. A run whose shim was killed is never called not ready: who would have heard it say so is gone too.

use std::time::Duration;

use crate::model::ending::StopReason;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::evidence::RunRecord;
use crate::model::probe::Probe;
use crate::model::spec::Spec;
use crate::model::state::OpenRun;
use crate::model::time::Stamp;
use crate::model::units::seconds;

use super::classify::Standing;
use super::draft::Draft;

/// How far a run is on its way to being ready.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// It is, since then.
    Ready(Stamp),
    /// Not yet. It has until then.
    Until(Stamp),
    /// Not yet. It will be at this time, if it lives.
    Due(Stamp),
}

/// How far the run is that began at `began`, at `now`.
#[must_use]
pub fn readiness(spec: &Spec, record: &RunRecord, began: &Stamp, now: &Stamp) -> Readiness {
    match (&spec.ready, &record.ready) {
        (None, _) => Readiness::Ready(began.clone()),
        (Some(Probe::Delay(delay)), _) => {
            let due = began.plus(*delay);
            if now.has_reached(&due) { Readiness::Ready(due) } else { Readiness::Due(due) }
        }
        (Some(_), Some(ready)) => Readiness::Ready(ready.at.clone()),
        (Some(_), None) => Readiness::Until(deadline(spec, record, began)),
    }
}

/// When its time is over. What the program asked for counts, never less than `ready_timeout`.
fn deadline(spec: &Spec, record: &RunRecord, began: &Stamp) -> Stamp {
    let own = began.plus(spec.ready_timeout);
    record.extended.clone().filter(|until| until.boot_ms > own.boot_ms).unwrap_or(own)
}

/// Seconds, rounded up: a fraction of one is not none.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The first moment after the start at which readiness alone may ask for a look; `None`: none does.
#[must_use]
pub fn first_look(spec: &Spec) -> Option<Duration> {
    match &spec.ready {
        None => None,
        Some(Probe::Delay(delay)) => Some(*delay),
        Some(
            Probe::Notify
            | Probe::Output(_)
            | Probe::Tcp { .. }
            | Probe::Http { .. }
            | Probe::File(_)
            | Probe::Command(_),
        ) => Some(spec.ready_timeout),
    }
}

/// Whether somebody must look at the run from outside to know that it is ready.
#[must_use]
pub fn wants_looks(spec: &Spec) -> bool {
    match &spec.ready {
        None | Some(Probe::Notify | Probe::Delay(_)) => false,
        Some(Probe::Output(_) | Probe::Tcp { .. } | Probe::Http { .. } | Probe::File(_) | Probe::Command(_)) => true,
    }
}

/// A run that lives: that it is ready is told once; when its time is over without that, it is ended.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun, record: &RunRecord, began: &Stamp) {
    let spec = next.look.spec;
    if !spec.preflight.is_empty() && !open.announced {
        open.announced = true;
        next.tell(next.began(open, record.main.as_ref().map(|main| main.pid), began.wall));
    }
    let supervised = next.standing == Some(Standing::Running) && record.taken_over.is_empty();
    match readiness(spec, record, began, next.look.now) {
        Readiness::Ready(at) => {
            next.ready = Some(true);
            if spec.ready.is_some() && !open.ready && open.stopping.is_none() {
                open.ready = true;
                let detail = spec.ready.as_ref().map(ToString::to_string).unwrap_or_default(); // it is some
                let event = next.event(EventKind::Ready, Severity::Info, Some(open.run));
                let pid = record.main.as_ref().map(|main| main.pid);
                next.tell(Event { at: at.wall, ran_s: Some(seconds(at.since(began))), pid, detail, ..event });
            }
        }
        Readiness::Due(due) => {
            next.ready = Some(false);
            next.at(due);
        }
        Readiness::Until(_) if !supervised => {} // nobody may have been there to see it
        Readiness::Until(until) => {
            next.ready = Some(false);
            match (&open.stopping, next.look.now.has_reached(&until)) {
                (Some(_), _) => {}
                (None, false) => next.at(until),
                (None, true) => next.end(open, StopReason::NotReady { after_s: whole_seconds(until.since(began)) }),
            }
        }
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
