//! What a schedule does: when a process is started by itself, and what becomes of a time that comes while it runs.
//!
//! A time that has come is *dealt with* in the commit that starts it, leaves it out or lets it wait, so no crash and no
//! clock that is set back brings it twice. The next time is remembered: a look compares two numbers and computes nothing.

use std::time::Duration;

use chrono_tz::Tz;

use crate::model::ending::StopReason;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::schedule::{Occurrence, Overlap, Plan};
use crate::model::spec::Spec;
use crate::model::state::{Began, Desired, Phase, State};
use crate::model::time::Wall;
use crate::model::units::human_duration;

use super::classify::Standing;
use super::cron_line::{CronLine, Due};
use super::decide::Act;
use super::draft::Draft;
use super::zone;

/// A clock that shows a time this long before one that was dealt with was wrong then: the schedule begins anew. What is
/// set back by less only waits until it is there again.
const CORRECTED: Duration = Duration::from_secs(24 * 3600);
/// A time that is started this late was missed by the passes of its minute, and that is said.
pub(super) const LATE: Duration = Duration::from_secs(180);

/// The line of `spec` by the clock of its zone; `None`: it has no schedule.
fn line_of(spec: &Spec) -> Option<CronLine> {
    let zone = zone::find(spec.zone.name()?).ok()?;
    CronLine::known(spec.schedule.as_deref()?, zone)
}

/// The zone by whose clock the schedule of `spec` goes.
#[must_use]
pub fn zone_of(spec: &Spec) -> Option<Tz> {
    zone::find(spec.zone.name()?).ok()
}

/// The plan of a schedule that counts from `now`.
fn plan(spec: &Spec, now: Wall, paused: bool) -> Option<Plan> {
    let next = line_of(spec)?.after(now);
    let (line, zone) = (spec.schedule.clone()?, spec.zone.name()?.to_owned());
    Some(Plan { line, zone, handled: now, next, paused, queued: None })
}

/// Whether `plan` is that of `spec`, and was not made by a clock that has been corrected since.
fn fits(plan: &Plan, spec: &Spec, now: Wall) -> bool {
    Some(plan.line.as_str()) == spec.schedule.as_deref()
        && Some(plan.zone.as_str()) == spec.zone.name()
        && now.until(plan.handled) < CORRECTED
}

/// A process with a schedule counts its times from `now`: it is active as soon as it is registered, unless it was stopped.
pub fn activate(state: &mut State, spec: &Spec, now: Wall) {
    if spec.schedule.is_none() {
        return;
    }
    if state.schedule.is_none() && matches!(state.phase, Phase::New | Phase::Completed | Phase::Dead) {
        state.desired = Desired::Up;
    }
    state.schedule = plan(spec, now, state.desired == Desired::Down).map(Box::new);
}

/// It has just come into the registry: whatever was said to an earlier process of its name, its schedule counts from `now`.
pub fn registered(state: &mut State, spec: &Spec, now: Wall) {
    if spec.schedule.is_none() || state.open().is_some() {
        return activate(state, spec, now);
    }
    state.desired = Desired::Up;
    state.schedule = plan(spec, now, false).map(Box::new);
}

/// The operator says `stop`: nothing is due any more.
pub(super) fn pause(next: &mut Draft<'_>) {
    let now = next.look.now.wall;
    next.edit().schedule = plan(next.look.spec, now, true).map(Box::new);
}

/// The operator says `start`: a schedule that was paused counts from now, and what waited is what is started.
pub(super) fn resume(next: &mut Draft<'_>) {
    let paused = next.look.state.schedule.as_ref().is_none_or(|plan| plan.paused);
    if paused {
        let now = next.look.now.wall;
        next.edit().schedule = plan(next.look.spec, now, false).map(Box::new);
    } else if let Some(plan) = &mut next.edit().schedule {
        plan.queued = None;
    }
}

/// Whether the start that is due by its schedule is so late that nobody looked at its time.
pub(super) fn is_late(state: &State, now: Wall) -> bool {
    let next = state.schedule.as_ref().and_then(|plan| plan.next);
    next.is_some_and(|next| next.until(now) > LATE)
}

/// Why the next run begins: for a time that has come and waits, or because of how the last one ended.
pub(super) fn reason(next: &mut Draft<'_>) -> Began {
    match next.state.schedule.as_ref().is_some_and(|plan| plan.queued.is_some()).then(|| take(next)).flatten() {
        Some(occurrence) => Began::Schedule { occurrence },
        None => Began::Restart,
    }
}

fn take(next: &mut Draft<'_>) -> Option<Occurrence> {
    next.edit().schedule.as_mut()?.queued.take()
}

/// Whether the run is ended because its next one is due.
pub(super) fn makes_room(next: &Draft<'_>, reason: Option<StopReason>) -> bool {
    let queued = next.state.schedule.as_ref().is_some_and(|plan| plan.queued.is_some());
    reason == Some(StopReason::Overlap) && queued && next.state.desired == Desired::Up
}

/// What follows from the schedule, after everything else was decided. `next.state` is what that left.
pub(super) fn keep(next: &mut Draft<'_>) {
    let (spec, now) = (next.look.spec, next.look.now.wall);
    if spec.schedule.is_none() {
        if next.state.schedule.is_some() {
            next.edit().schedule = None;
        }
        return;
    }
    let active = next.state.desired == Desired::Up;
    match &next.state.schedule {
        Some(plan) if fits(plan, spec, now) && plan.paused != active => {}
        Some(_) | None => activate(next.edit(), spec, now),
    }
    let Some(plan) = next.state.schedule.as_deref().filter(|plan| !plan.paused) else { return };
    let is_due = plan.next.is_some_and(|at| at <= now);
    if let Some(due) = is_due.then(|| line_of(spec)?.due(plan.handled, now)).flatten() {
        come(next, due);
    }
    follow(next);
    let waited_for = matches!(next.state.phase, Phase::Open(_) | Phase::Waiting { .. });
    let due = next.state.schedule.as_ref().and_then(|plan| plan.next).filter(|_| waited_for);
    if let Some(at) = due {
        next.at(next.look.now.plus(now.until(at))); // its shim waits anyway
    }
}

/// Times have come: the last of them is taken, left out or waits, and all are dealt with.
fn come(next: &mut Draft<'_>, due: Due) {
    let Some(plan) = next.edit().schedule.as_mut() else { return };
    (plan.handled, plan.next) = (due.last, due.next);
    let occurrence = Occurrence { at: due.last, missed: due.missed };
    let waits = plan.queued.is_some();
    let run = next.state.run;
    let left_out = match (&next.state.phase, next.look.spec.overlap) {
        (Phase::Tripped { .. }, _) => Some("its breaker is open".to_owned()),
        (Phase::Open(_), Overlap::Skip) => Some(format!("run {run} has not ended, and `overlap` is `skip`")),
        (Phase::Open(_), Overlap::Queue) if waits => Some(format!("run {run} has not ended, and one waits for that")),
        (Phase::Waiting { .. }, Overlap::Skip | Overlap::Queue) if waits => Some("one waits already".to_owned()),
        (Phase::Open(_) | Phase::Waiting { .. }, Overlap::Queue | Overlap::Kill) => None,
        (Phase::Waiting { .. } | Phase::New | Phase::Completed | Phase::Stopped | Phase::Dead, _) => None,
    };
    match left_out {
        Some(why) => skip(next, occurrence, why),
        None => {
            let earlier = next.edit().schedule.as_mut().and_then(|plan| plan.queued.replace(occurrence));
            if let Some(earlier) = earlier {
                skip(next, earlier, "a later time took its place".to_owned());
            }
        }
    }
}

/// Starts what waits as soon as nothing of the process runs, or makes room for it.
fn follow(next: &mut Draft<'_>) {
    let Some(occurrence) = next.state.schedule.as_ref().and_then(|plan| plan.queued) else { return };
    match &next.state.phase {
        Phase::Open(open) => {
            let mut open = open.clone();
            let may = matches!(next.act, Act::None | Act::TakeOver) && open.stopping.is_none();
            if may
                && next.look.spec.overlap == Overlap::Kill
                && next.standing.as_ref().is_some_and(Standing::may_be_asked)
            {
                next.end(&mut open, StopReason::Overlap);
                next.edit().phase = Phase::Open(open);
            }
        }
        Phase::Waiting { .. } => {} // it is started at the end of that delay
        Phase::Tripped { .. } => {
            take(next);
            skip(next, occurrence, "its breaker is open".to_owned());
        }
        Phase::New | Phase::Completed | Phase::Stopped | Phase::Dead if next.may_launch() => {
            let began = reason(next);
            next.launch(began);
        }
        Phase::New | Phase::Completed | Phase::Stopped | Phase::Dead => next.hold_back(),
    }
}

/// A time is left out, and that is told once.
fn skip(next: &mut Draft<'_>, occurrence: Occurrence, why: String) {
    let event = next.event(EventKind::Skipped, Severity::Info, None);
    let at = occurrence.at;
    let missed = match occurrence.missed {
        0 => String::new(),
        missed => format!(", and {} before it", times(missed)),
    };
    next.actions.push("skipped");
    next.tell(Event {
        id: format!("{}.{}", event.id, at.0),
        action: format!("the run of {at}{missed} was left out: {why}"),
        ..event
    });
}

fn times(count: u32) -> String {
    match count {
        1 => "one time".to_owned(),
        u32::MAX => "more than 1000 times".to_owned(),
        count => format!("{count} times"),
    }
}

/// Why a run of `occurrence` began at `began`, for its history.
#[must_use]
pub(super) fn words(occurrence: Occurrence, began: Wall) -> String {
    let late = occurrence.at.until(began);
    let late = if late >= LATE { format!(", {} late", human_duration(late)) } else { String::new() };
    match occurrence.missed {
        0 => format!("started by its schedule{late}"),
        missed => format!("started by its schedule{late}, once also for {} before that", times(missed)),
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
