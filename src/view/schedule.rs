//! The schedule of a process, for `status` and `register`.

use serde::Serialize;

use crate::model::schedule::{Overlap, Plan};
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::time::Wall;
use crate::model::units::human_duration;
use crate::policy::cron_line::CronLine;
use crate::policy::schedule::zone_of;

/// A schedule as `status --json` has it.
#[derive(Debug, Clone, Serialize)]
pub struct Schedule {
    line: String,
    timezone: Option<String>,
    overlap: Overlap,
    /// Whether the operator said `stop`: then nothing is due.
    paused: bool,
    /// When it is due next; `None`: it is paused.
    next_at: Option<String>,
    /// The time that has come and waits for the end of the run.
    queued_at: Option<String>,
}

impl Schedule {
    /// That of a process; `None`: it has none.
    #[must_use]
    pub fn of(spec: &Spec, state: &State) -> Option<Self> {
        let plan = state.schedule.as_ref();
        Some(Self {
            line: spec.schedule.clone()?,
            timezone: spec.zone.name().map(str::to_owned),
            overlap: spec.overlap,
            paused: plan.is_some_and(|plan| plan.paused),
            next_at: due(state).and_then(Wall::rfc3339),
            queued_at: plan.and_then(|plan| plan.queued).and_then(|queued| queued.at.rfc3339()),
        })
    }
}

/// When a process is due next by its schedule; `None`: it has none, or it is paused.
#[must_use]
pub fn due(state: &State) -> Option<Wall> {
    state.schedule.as_deref().filter(|plan| !plan.paused).and_then(|plan| plan.next)
}

/// `next run in 3h 00m at 05:00`, or why there is none; `None`: it has no schedule.
#[must_use]
pub fn sentence(name: &str, spec: &Spec, state: &State, now: Wall) -> Option<String> {
    spec.schedule.as_ref()?;
    let plan: &Plan = state.schedule.as_deref()?;
    if plan.paused {
        return Some(format!("its schedule is paused: guardian start {name} resumes it"));
    }
    let at = plan.next?;
    if at <= now {
        return Some("next run due now".to_owned());
    }
    let clock = zone_of(spec).and_then(|zone| CronLine::local_time(zone, at, now));
    let clock = clock.map_or(String::new(), |clock| format!(" at {clock} ({})", plan.zone));
    Some(format!("next run in {}{clock}", human_duration(now.until(at))))
}
