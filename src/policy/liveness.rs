//! From answers to a `probe` to hangs: when a run is asked, how many failures are too many, what follows.
//!
//! A run is asked from the moment that it is ready, once in each `probe_every`, and an answer counts only if it was asked
//! for when it was due. So a question that two passes put counts once, and one that nobody could put (the machine slept or
//! was frozen, no shim was there) counts as no failure.

use std::time::Duration;

use crate::model::evidence::{Evidence, RunRecord};
use crate::model::liveness::{Probed, Probing};
use crate::model::probe::Probe;
use crate::model::progress::{Hang, Silence};
use crate::model::spec::Spec;
use crate::model::state::OpenRun;
use crate::model::time::Stamp;

use super::draft::Draft;
use super::hang;
use super::readiness::{Readiness, readiness};

/// Until a question that nobody put is due again, beyond the time for its answer: somebody may be waiting for that.
const AGAIN: Duration = Duration::from_secs(1);

/// The first moment after the start at which a question may be due; `None`: none is, or the run must be ready first.
#[must_use]
pub fn first_look(spec: &Spec) -> Option<Duration> {
    spec.probe.as_ref().filter(|_| spec.ready.is_none()).map(|_| spec.probe_every)
}

/// When the next question is due.
fn due_at(spec: &Spec, probe: &Probe, open: &OpenRun, record: &RunRecord, now: &Stamp) -> Option<Stamp> {
    if let Some(probing) = open.probing.as_ref().filter(|probing| probing.of == probe.to_string()) {
        return Some(probing.due.clone());
    }
    let began = record.began.as_ref()?;
    let since = match readiness(spec, record, began, now) {
        // Where nobody may have been there to see that it is ready, it has had its time.
        Readiness::Ready(at) | Readiness::Until(at) | Readiness::Due(at) => at,
    };
    Some(since.plus(spec.probe_every))
}

/// Whether the open run is to be asked: `since` that moment. `None`: not now, or never.
#[must_use]
pub fn due(spec: &Spec, open: &OpenRun, record: &RunRecord, now: &Stamp) -> Option<Duration> {
    let probe = spec.probe.as_ref()?;
    let alive = record.main.is_some() && record.end.is_none() && open.stopping.is_none();
    if !alive || record.began.as_ref()?.boot != now.boot {
        return None;
    }
    let due = due_at(spec, probe, open, record, now)?;
    now.has_reached(&due).then(|| now.since(&due))
}

/// Whether one more failure makes the run hung.
#[must_use]
pub fn is_last(spec: &Spec, open: &OpenRun) -> bool {
    match &open.probing {
        Some(probing) => probing.hang.is_none() && probing.failures + 1 >= spec.probe_failures,
        None => spec.probe_failures <= 1,
    }
}

/// What is said of failures: ``probe `tcp:80` failed 3 times in a row: connection refused``.
#[must_use]
pub fn sentence(of: &str, failures: u32, why: &str) -> String {
    match failures {
        1 => format!("probe `{of}` failed: {why}"),
        _ => format!("probe `{of}` failed {failures} times in a row: {why}"),
    }
}

/// Whether a run that is probed was alive when it was asked last.
pub(super) fn is_well(spec: &Spec, open: &OpenRun) -> bool {
    let alive = |probing: &Probing| probing.answered && probing.failures == 0;
    spec.probe.is_none() || open.probing.as_deref().is_some_and(alive)
}

/// Takes note of an answer, does what follows from it, and names the next question.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun, record: &RunRecord, evidence: &Evidence) {
    let (spec, now) = (next.look.spec, next.look.now);
    if open.stopping.is_some() {
        return;
    }
    let Some(probe) = &spec.probe else {
        // It was taken out of the registry: nobody is asked any more.
        if let Some(Probing { hang: Some(hang), hangs, .. }) = open.probing.take().as_deref() {
            hang::recovered(next, open, hang, &format!("probe.{hangs}"), "it is not probed any more");
        }
        return;
    };
    let Some(due) = due_at(spec, probe, open, record, now) else { return };
    let of = probe.to_string();
    let new = |probed: &&Probed| probed.run == open.run && probed.of == of && probed.at.has_reached(&due);
    match evidence.probed.as_ref().filter(new) {
        Some(probed) => take(next, open, probed),
        None if now.has_reached(&due) => next.at(now.plus(spec.probe_timeout + AGAIN)),
        None => next.at(due),
    }
}

/// One answer that was not known before.
fn take(next: &mut Draft<'_>, open: &mut OpenRun, probed: &Probed) {
    let spec = next.look.spec;
    let due = next.look.now.plus(spec.probe_every);
    let earlier = open.probing.take();
    let hangs = earlier.as_ref().map_or(0, |earlier| earlier.hangs);
    if let Some(hang) = earlier.as_ref().filter(|earlier| earlier.of != probed.of).and_then(|other| other.hang.as_ref())
    {
        hang::recovered(next, open, hang, &format!("probe.{hangs}"), "it is probed in another way");
    }
    let mut seen = earlier.filter(|earlier| earlier.of == probed.of).unwrap_or_else(|| {
        let every = u64::try_from(spec.probe_every.as_millis()).unwrap_or(u64::MAX);
        Box::new(Probing {
            of: probed.of.clone(),
            due: due.clone(),
            alive_ms: probed.awake_ms.saturating_sub(every),
            answered: false,
            failures: 0,
            why: None,
            hang: None,
            hangs,
        })
    });
    seen.due = due.clone();
    match &probed.outcome {
        Ok(()) => {
            (seen.answered, seen.alive_ms, seen.failures, seen.why) = (true, probed.awake_ms, 0, None);
            if let Some(hang) = seen.hang.take() {
                hang::recovered(next, open, &hang, &format!("probe.{}", seen.hangs), "it answers its probe again");
            }
        }
        Err(why) => {
            seen.failures = seen.failures.saturating_add(1);
            seen.why = Some(why.clone());
            if seen.failures >= spec.probe_failures && seen.hang.is_none() {
                let silent_s = probed.awake_ms.saturating_sub(seen.alive_ms) / 1000;
                let hang = Hang { since: next.look.now.clone(), silent_s, silence: Silence::Probe };
                seen.hangs += 1;
                let blocked = probed.stuck.as_ref().map_or(String::new(), |stuck| format!("; {}", stuck.sentence));
                let detail = format!("{}{blocked}", sentence(&seen.of, seen.failures, why));
                hang::call(next, open, &hang, &format!("probe.{}", seen.hangs), detail);
                seen.hang = Some(hang);
            }
        }
    }
    next.actions.push("probed");
    open.probing = Some(seen);
    if open.stopping.is_none() {
        next.at(due);
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
