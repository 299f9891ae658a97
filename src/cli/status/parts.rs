//! The parts of a row of `status`: each is looked up by itself, and what cannot be read is unknown.

use std::fs;

use crate::model::evidence::Lock;
use crate::model::name::Name;
use crate::model::probe::Probe;
use crate::model::spec::{Leftover, Spec, Target};
use crate::model::state::{Phase, State};
use crate::model::time::{Stamp, Wall};
use crate::model::units::format_duration;
use crate::policy::breaker;
use crate::policy::decide::Decision;
use crate::store::log::Log;
use crate::store::{beat, hang, record, says};
use crate::view::status::{Breaker, Heartbeat, Hung, Output, Probed};
use crate::view::words::strip_control;

use super::super::Call;
use super::Surroundings;

/// What the program says of its state, where it was given a way to say it.
pub(super) fn says(call: &Call, name: &Name, spec: &Spec, run: u64) -> Option<String> {
    let asked = spec.ready == Some(Probe::Notify) || spec.heartbeat.is_some() || spec.watchdog.is_some();
    asked.then(|| says::load(&call.ctx.paths, name, run)).flatten().map(|text| strip_control(&text))
}

/// Whether processes of the last run live on, kept by `leftover = "keep"`; `None`: they are not kept, or it runs.
pub(super) fn keeps(call: &Call, name: &Name, spec: &Spec, decision: &Decision) -> Option<bool> {
    let over = spec.leftover == Leftover::Keep && decision.state.open().is_none() && decision.state.run > 0;
    match over.then(|| record::tree_lock(&call.ctx.paths, name, decision.state.run))? {
        Lock::Held => Some(true),
        Lock::Free => Some(false),
        Lock::Unknown => None,
    }
}

/// The target as it was written.
pub(super) fn target(spec: &Spec) -> String {
    match spec.target {
        Target::Forever => "forever".to_owned(),
        Target::Exit => "exit".to_owned(),
        Target::For(target) => format_duration(target),
    }
}

pub(super) fn breaker(state: &State) -> Breaker {
    let until = match &state.phase {
        Phase::Tripped { until, .. } => until.wall.rfc3339(),
        Phase::Open(_) | Phase::New | Phase::Waiting { .. } | Phase::Completed | Phase::Stopped | Phase::Dead => None,
    };
    Breaker { state: breaker::Breaker::of(state).word(), failures: state.failures, until }
}

/// Seconds since a file was written; `None`: it is not there, or its time cannot be told.
fn age(metadata: &fs::Metadata, now: &Stamp) -> Option<u64> {
    let written = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let written = Wall(i64::try_from(written.as_millis()).ok()?);
    Some(written.until(now.wall).as_secs())
}

pub(super) fn output(call: &Call, name: &Name, seen: &Surroundings<'_>) -> Output {
    let path = call.ctx.paths.log(name);
    let metadata = fs::metadata(&path).ok();
    let bytes = match seen.rotated.contains(name.as_str()) {
        true => Log::at(&path).extent().ok().flatten().map(|extent| extent.end),
        false => metadata.as_ref().map(fs::Metadata::len),
    };
    Output {
        path: path.into_os_string().into_string().unwrap_or_else(|path| path.display().to_string()),
        bytes,
        age_s: metadata.as_ref().and_then(|metadata| age(metadata, seen.now)),
    }
}

/// The last heartbeat. One that is older than the run was an earlier run's.
pub(super) fn heartbeat(call: &Call, name: &Name, seen: &Surroundings<'_>, began: Option<&Stamp>) -> Option<Heartbeat> {
    seen.beats.get(name.as_str())?;
    let path = call.ctx.paths.sentinel(name, "heartbeat");
    let age_s = age(&fs::metadata(&path).ok()?, seen.now)?;
    let of_this_run = began.is_none_or(|began| age_s <= seen.now.since(began).as_secs());
    of_this_run.then(|| Heartbeat { source: "file", age_s, said: beat::said(&path) })
}

/// The hang that goes on, as the last look showed it.
pub(super) fn hang(call: &Call, name: &Name, state: &State) -> Option<Hung> {
    let open = state.open()?;
    let hang = open.hang()?;
    Some(Hung {
        since: hang.since.wall.rfc3339(),
        silent_s: hang.silent_s,
        silence: hang.silence,
        blocked_on: hang::sentence(&call.ctx.paths, name, open.run),
    })
}

/// What guardian sees of its hang and its probe, what the process says of itself, and how its run compares with others (`pace`).
pub(super) fn life(
    hang: Option<&Hung>,
    probe: Option<&Probed>,
    heartbeat: Option<&Heartbeat>,
    says: Option<&String>,
    pace: Option<String>,
) -> [Option<String>; 5] {
    let blocked = hang.and_then(|hang| hang.blocked_on.clone());
    let failing = probe.and_then(Probed::remark);
    let said = heartbeat.map(|heartbeat| heartbeat.said.to_string()).filter(|said| !said.is_empty());
    let says = says.filter(|says| !says.is_empty()).cloned();
    [blocked, failing, said, says, pace]
}
