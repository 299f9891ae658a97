//! From evidence to what is so, and from an end to its cause and verdict.

use std::time::Duration;

use crate::model::ending::{Cause, EndedRun, SignalRecord, StopReason, Verdict, WaitStatus};
use crate::model::evidence::{
    Evidence, Left, Life, Lock, PreflightFailure, Recorded, RunRecord, SpawnFailure, SpawnStep,
};
use crate::model::spec::{Command, Leftover, Spec, Target};
use crate::model::state::{OpenRun, Stopping};
use crate::model::time::{Stamp, Wall};

use super::cause::{cause_of_end, cause_of_failed_start, signals_of};

/// What is so of an open run.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Its start was committed but not carried out: nobody has written down anything of it.
    NeverBegan,
    /// Its shim lives; the program may not have been executed yet.
    Starting,
    /// Shim and program live.
    Running,
    /// The end is recorded; the shim is still clearing up what the program left.
    Closing,
    /// The program lives, its shim is gone.
    Unsupervised,
    /// Shim and main process are gone; something else of the run lives.
    Remnants,
    /// It is over.
    Ended(Box<Found>),
    /// Cannot be told now; in words. Nothing is done about it.
    Uncertain(&'static str),
}

impl Standing {
    /// Whether something of the run lives that can be asked to end.
    #[must_use]
    pub fn may_be_asked(&self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Unsupervised => true,
            Self::NeverBegan | Self::Closing | Self::Remnants | Self::Ended(_) | Self::Uncertain(_) => false,
        }
    }
}

/// What is known of an end.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// How it ended, going by the evidence alone.
    pub cause: Cause,
    /// What the kernel said.
    pub status: Option<WaitStatus>,
    /// When the main process was made.
    pub began: Option<Stamp>,
    /// When it ended.
    pub ended: Option<Stamp>,
    /// Signals on the way to it.
    pub signals: Vec<SignalRecord>,
    /// Its pid.
    pub pid: Option<i32>,
    /// Which other processes of the run lived on.
    pub left: Option<Left>,
    /// When a new shim took it over, oldest first.
    pub taken_over: Vec<Wall>,
}

/// What is so of `open`, going by `evidence`.
#[must_use]
pub fn standing(spec: &Spec, open: &OpenRun, evidence: &Evidence) -> Standing {
    let found = Box::new(found(spec, open, evidence));
    if open.since.boot != evidence.now.boot {
        return Standing::Ended(found);
    }
    let nobody = match &evidence.record {
        Recorded::Missing => true,
        Recorded::Read(record) => record.shim.is_none() && record.main.is_none() && record.spawn_failure.is_none(),
        Recorded::Unreadable(_) => false,
    };
    let recorded_end = matches!(
        &evidence.record,
        Recorded::Read(r)
            if r.end.is_some() || r.gone.is_some() || r.spawn_failure.is_some() || r.preflight_failure.is_some()
    );
    // A run that does not begin leaves nothing.
    let preparing = matches!(&evidence.record, Recorded::Read(record) if record.preparing);
    match (evidence.shim_lock, evidence.main, evidence.tree_lock) {
        (Lock::Unknown, _, _) => Standing::Uncertain("the shim's lock cannot be asked"),
        (Lock::Held, _, _) if recorded_end => Standing::Closing,
        (Lock::Held, _, _) => match &evidence.record {
            Recorded::Read(record) if record.main.is_some() => Standing::Running,
            Recorded::Read(_) | Recorded::Missing => Standing::Starting,
            Recorded::Unreadable(_) => Standing::Running,
        },
        (Lock::Free, Life::Gone, Lock::Free) if nobody => Standing::NeverBegan,
        // Its shim was killed while it cleared up: nothing begins beside what is left.
        (Lock::Free, _, Lock::Held) if recorded_end && spec.leftover == Leftover::Kill => Standing::Remnants,
        (Lock::Free, _, _) if recorded_end => Standing::Ended(found),
        (Lock::Free, Life::Alive, _) => Standing::Unsupervised,
        (Lock::Free, Life::Unknown, _) => Standing::Uncertain("whether the main process lives cannot be asked"),
        (Lock::Free, Life::Gone, Lock::Held) if spec.leftover == Leftover::Kill || preparing => Standing::Remnants,
        (Lock::Free, Life::Gone, Lock::Unknown) => {
            Standing::Uncertain("the lock that the run's processes inherit cannot be asked")
        }
        (Lock::Free, Life::Gone, Lock::Held | Lock::Free) => Standing::Ended(found),
    }
}

/// The end as the evidence has it, should the run be over.
fn found(spec: &Spec, open: &OpenRun, evidence: &Evidence) -> Found {
    // Its container was started anew, and took all that ran in it along.
    let container = evidence.init_began.is_some_and(|began| began > open.since.boot_ms);
    let rebooted = open.since.boot != evidence.now.boot || container;
    let nothing = Found {
        cause: Cause::ShimKilled,
        status: None,
        began: None,
        ended: None,
        signals: Vec::new(),
        pid: None,
        left: None,
        taken_over: Vec::new(),
    };
    let record = match &evidence.record {
        Recorded::Read(record) => record,
        Recorded::Missing | Recorded::Unreadable(_) if rebooted => return Found { cause: Cause::Reboot, ..nothing },
        Recorded::Missing => return nothing,
        Recorded::Unreadable(why) => {
            let why = format!("the record of the run cannot be read: {why}");
            return Found { cause: Cause::Unknown { why }, ..nothing };
        }
    };
    let known = Found {
        began: record.began.clone(),
        signals: signals_of(record),
        pid: record.main.as_ref().map(|main| main.pid),
        taken_over: record.taken_over.iter().map(|takeover| takeover.at.wall).collect(),
        ..nothing
    };
    let never_executed = record.spawn_failure.as_ref().is_some_and(SpawnFailure::is_of_the_child);
    match (record.end.as_ref().filter(|_| !never_executed), &record.spawn_failure) {
        (Some(end), _) => {
            let cause = cause_of_end(end, &known.signals);
            let left = end.left.clone();
            Found { cause, status: Some(end.status), ended: Some(end.at.clone()), left, ..known }
        }
        (None, Some(failure)) => {
            let what = spawn_failure(spec, failure, record);
            let cause = cause_of_failed_start(failure, what);
            Found { cause, ended: Some(failure.at.clone()), ..known }
        }
        (None, None) if let Some(failure) = &record.preflight_failure => {
            let PreflightFailure { code, what, at } = failure.clone();
            Found { cause: Cause::PreflightFailed { code, what }, ended: Some(at), ..known }
        }
        (None, None) if record.gone.is_some() => {
            let gone = record.gone.as_ref();
            Found { ended: gone.map(|gone| gone.at.clone()), left: gone.and_then(|gone| gone.left.clone()), ..known }
        }
        (None, None) if rebooted => Found { cause: Cause::Reboot, ..known },
        (None, None) => known,
    }
}

/// Which step failed on what, in words.
fn spawn_failure(spec: &Spec, failure: &SpawnFailure, record: &RunRecord) -> String {
    match failure.step {
        SpawnStep::Isolate => {
            let why = record.placed.as_ref().and_then(|placed| placed.why.as_deref());
            why.unwrap_or("a control group of its own").to_owned()
        }
        SpawnStep::Fork => "no process could be made".to_owned(),
        SpawnStep::Shim => "its shim ended before it wrote down anything".to_owned(),
        SpawnStep::User => match &spec.user {
            Some(user) => format!("user `{user}`"),
            None => "its user".to_owned(),
        },
        SpawnStep::EnvFile => match &spec.env_file {
            Some(file) => format!("`env_file` `{file}`"),
            None => "its `env_file`".to_owned(),
        },
        SpawnStep::Cwd => match &spec.cwd {
            Some(cwd) => format!("working directory `{cwd}`"),
            None => "the home directory".to_owned(),
        },
        SpawnStep::Exec => match &spec.command {
            Command::Argv(argv) => format!("program `{}`", argv.first().map_or("", String::as_str)),
            Command::Shell(_) => "program `/bin/sh`".to_owned(),
        },
    }
}

/// The ended run with its cause and its verdict against the target.
///
/// What guardian itself set out to do before the end decides over what the kernel said: a
/// `time_limit` is the cause whatever the code; an operator's stop is the verdict.
#[must_use]
pub fn judge(spec: &Spec, open: &OpenRun, found: Found, now: &Stamp) -> EndedRun {
    let asked = open.stopping.as_ref().filter(|stopping| match &found.ended {
        Some(ended) => ended.boot != stopping.since.boot || ended.boot_ms >= stopping.since.boot_ms,
        None => true,
    });
    let began = found.began.clone().unwrap_or_else(|| open.since.clone()); // no record: when its start was decided
    let ran = found.ended.as_ref().map(|ended| ended.since(&began));
    let longest = ran.unwrap_or_else(|| now.since(&began));
    let reason = asked.map(|stopping| stopping.reason);
    let verdict = verdict(spec, &found.cause, reason, longest);
    let cause = reason.and_then(|reason| reason.cause(spec.time_limit)).unwrap_or(found.cause);
    let signals = with_stop(found.signals, open.stopping.as_ref());
    EndedRun {
        run: open.run,
        began,
        ended: found.ended.map(|ended| ended.wall),
        ran_ms: ran.and_then(|ran| u64::try_from(ran.as_millis()).ok()),
        verdict,
        cause,
        status: found.status,
        signals,
        stopped_by: asked.and_then(|stopping| stopping.by.clone()),
        pid: found.pid,
        left: found.left,
        taken_over: found.taken_over,
        action: String::new(),
    }
}

/// Signals with what is known of the one who stopped the run: it may have been gone before it could be looked at.
fn with_stop(mut signals: Vec<SignalRecord>, stopping: Option<&Stopping>) -> Vec<SignalRecord> {
    let Some(Stopping { since, by: Some(by), .. }) = stopping else { return signals };
    let same = |record: &SignalRecord| {
        record.at >= since.wall && record.sender.as_ref().is_some_and(|sender| sender.pid == by.pid)
    };
    for sender in signals.iter_mut().filter(|record| same(record)).filter_map(|record| record.sender.as_mut()) {
        *sender = by.clone();
    }
    signals
}

/// The verdict table of the contract. `longest`: how long the run lived, or at most could have lived.
fn verdict(spec: &Spec, cause: &Cause, asked: Option<StopReason>, longest: Duration) -> Verdict {
    let ended_by_guardian = asked.is_some_and(StopReason::is_limit);
    let success = !ended_by_guardian && matches!(cause, Cause::Exited { code } if spec.success_codes.contains(code));
    match (asked, spec.target) {
        (Some(StopReason::Operator | StopReason::Dependency | StopReason::Shutdown), _) => Verdict::Stopped,
        (Some(StopReason::Target), _) => Verdict::Completed,
        (_, Target::Forever) => Verdict::Premature,
        (_, Target::Exit) if success => Verdict::Completed,
        (_, Target::Exit) => Verdict::Failed,
        (_, Target::For(target)) if longest < target.mul_f64(spec.tolerance) => Verdict::Premature,
        (_, Target::For(_)) if success => Verdict::Completed,
        (_, Target::For(_)) => Verdict::Failed,
    }
}

/// When the run will have lived as long as its target asks, if that is a duration.
#[must_use]
pub fn target_at(spec: &Spec, began: &Stamp) -> Option<Stamp> {
    match spec.target {
        Target::For(target) => Some(began.plus(target)),
        Target::Forever | Target::Exit => None,
    }
}

/// The wall-clock time of an end, or of its discovery.
#[must_use]
pub fn told_at(ended: &EndedRun, now: &Stamp) -> Wall {
    ended.ended.unwrap_or(now.wall)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
