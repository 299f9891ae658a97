//! What is known of a run that ended: from the state, its record, the history and its metadata. Changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::ending::{Cause, EndedRun, Sender, SignalRecord, Verdict, WaitStatus};
use crate::model::event::{Event, EventKind};
use crate::model::evidence::{Recorded, RunRecord, SpawnFailure, SpawnStep};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::time::Wall;
use crate::policy::cause::{cause_of_end, cause_of_failed_start, signals_of};
use crate::policy::signature;
use crate::publish::{FAILURE_LINES, last_lines};
use crate::store::{journal, metadata, record};
use crate::view::certificate::Compared;
use crate::view::differ::{Difference, differences};

/// Differences that a message names.
const TOLD: usize = 3;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A run that ended, as far as it is known.
#[derive(Debug, Clone)]
pub struct Past {
    /// Which run.
    pub run: u64,
    /// What its end meant.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub cause: Cause,
    /// What the kernel said.
    pub status: Option<WaitStatus>,
    /// Signals on their way to it.
    pub signals: Vec<SignalRecord>,
    /// Who asked for the end.
    pub stopped_by: Option<Sender>,
    /// Pid of its main process.
    pub pid: Option<i32>,
    /// When it began.
    pub began: Option<Wall>,
    /// When it ended.
    pub ended: Option<Wall>,
    /// How long it lived.
    pub ran: Option<Duration>,
    /// Its target in seconds, if that is known of this run.
    pub target_s: Option<u64>,
    /// What followed.
    pub action: Option<String>,
}

impl Past {
    /// The last run that ended, which the state has whole.
    #[must_use]
    pub fn of(last: EndedRun) -> Self {
        Self {
            run: last.run,
            verdict: Some(last.verdict),
            cause: last.cause.clone(),
            status: last.status,
            ran: last.ran(),
            signals: last.signals,
            stopped_by: last.stopped_by,
            pid: last.pid,
            began: Some(last.began.wall),
            ended: last.ended,
            target_s: None,
            action: Some(last.action).filter(|action| !action.is_empty()),
        }
    }

    /// An earlier run: its record says what was, its verdict in the history what that meant. One of them is enough.
    #[must_use]
    pub fn find(ctx: &Context, name: &Name, run: u64, events: &[Event]) -> Option<Self> {
        let verdict = verdict_of(events, run);
        match (record::read(&ctx.paths, name, run).0, verdict) {
            (Recorded::Read(record), verdict) => Self::recorded(run, *record, verdict),
            (Recorded::Missing, None) => None,
            (Recorded::Unreadable(why), None) => {
                Some(Self::told(run, Cause::Unknown { why: format!("its record cannot be read: {why}") }, None))
            }
            (Recorded::Missing | Recorded::Unreadable(_), Some(event)) => {
                Some(Self::told(run, event.cause.clone()?, Some(event)))
            }
        }
    }

    fn told(run: u64, cause: Cause, event: Option<&Event>) -> Self {
        let status = match &cause {
            Cause::Exited { code } => Some(WaitStatus::Code(*code)),
            Cause::Signaled { signal, core_dumped } => Some(WaitStatus::Signal(*signal, *core_dumped)),
            Cause::OomKilled { .. }
            | Cause::Hung { .. }
            | Cause::TimeLimit { .. }
            | Cause::MemoryLimit { .. }
            | Cause::CpuLimit { .. }
            | Cause::FileSizeLimit { .. }
            | Cause::SpawnFailed { .. }
            | Cause::PreflightFailed { .. }
            | Cause::NotReady { .. }
            | Cause::Overlap
            | Cause::Reboot
            | Cause::ShimKilled
            | Cause::Unknown { .. } => None,
        };
        let ran = event.and_then(|event| Duration::try_from_secs_f64(event.ran_s?).ok());
        Self {
            run,
            verdict: event.and_then(|event| event.verdict),
            cause,
            status,
            signals: event.map(|event| event.signals.clone()).unwrap_or_default(),
            stopped_by: event.and_then(|event| event.by.clone()),
            pid: event.and_then(|event| event.pid),
            began: None,
            ended: None,
            ran,
            target_s: event.and_then(|event| event.target_s),
            action: event.map(|event| event.action.clone()).filter(|action| !action.is_empty()),
        }
    }

    fn recorded(run: u64, record: RunRecord, event: Option<&Event>) -> Option<Self> {
        let signals = signals_of(&record);
        let never_executed = record.spawn_failure.as_ref().is_some_and(SpawnFailure::is_of_the_child);
        let evident = match (record.end.as_ref().filter(|_| !never_executed), &record.spawn_failure) {
            (Some(end), _) => cause_of_end(end, &signals),
            (None, Some(failure)) => cause_of_failed_start(failure, step(failure.step).to_owned()),
            (None, None) if record.gone.is_some() => Cause::ShimKilled,
            (None, None) if event.is_none() => return None, // it may live
            (None, None) => Cause::Unknown { why: "nothing recorded its end".to_owned() },
        };
        // What guardian itself set out to do decides over what the kernel said: the verdict knows.
        let cause = event.and_then(|event| event.cause.clone()).unwrap_or(evident);
        let ended = record.end.as_ref().map(|end| &end.at).or(record.spawn_failure.as_ref().map(|failure| &failure.at));
        let ended = ended.or(record.gone.as_ref().map(|gone| &gone.at));
        let ran = record.began.as_ref().zip(ended).map(|(began, ended)| ended.since(began));
        let told = Self::told(run, cause, event);
        Some(Self {
            status: record.end.as_ref().map(|end| end.status),
            signals,
            pid: record.main.as_ref().map(|main| main.pid),
            began: record.began.as_ref().map(|began| began.wall),
            ended: ended.map(|ended| ended.wall),
            ran: ran.or(told.ran),
            ..told
        })
    }
}

fn step(step: SpawnStep) -> &'static str {
    match step {
        SpawnStep::Isolate => "a control group of its own",
        SpawnStep::Fork => "no process could be made",
        SpawnStep::User => "its user",
        SpawnStep::Cwd => "its working directory",
        SpawnStep::EnvFile => "its `env_file`",
        SpawnStep::Exec => "its program",
        SpawnStep::Shim => "its shim ended before it wrote down anything",
    }
}

/// The event that says what the end of `run` meant.
fn verdict_of(events: &[Event], run: u64) -> Option<&Event> {
    events.iter().rev().find(|event| event.run == Some(run) && event.verdict.is_some() && is_verdict(event.kind))
}

fn is_verdict(kind: EventKind) -> bool {
    matches!(kind, EventKind::Premature | EventKind::Completed | EventKind::Failed | EventKind::Stopped)
}

/// The last run before `run` that was well: it met its target, or lived as long as it takes to be healthy.
fn last_good(ctx: &Context, name: &Name, run: u64, events: &[Event]) -> Option<u64> {
    let earlier = events.iter().rev().filter(|event| is_verdict(event.kind) && event.run.is_some_and(|of| of < run));
    let good = |event: &&Event| {
        event.verdict == Some(Verdict::Completed)
            || event.run.zip(event.ran_s).is_some_and(|(of, ran_s)| {
                let found = metadata::load(&ctx.paths, name, of);
                found.is_some_and(|found| ran_s >= Duration::from_millis(found.healthy_after_ms).as_secs_f64())
            })
    };
    earlier.take(100).find(good).and_then(|event| event.run)
}

/// What is different about a run that was not well, from the last one that was.
#[must_use]
pub fn compare(ctx: &Context, name: &Name, run: u64, events: &[Event]) -> Compared {
    let Some(good) = last_good(ctx, name, run, events) else { return Compared::Never };
    match (metadata::load(&ctx.paths, name, good), metadata::load(&ctx.paths, name, run)) {
        (Some(was), Some(is)) => Compared::With { run: good, found: differences(&was, &is) },
        (_, _) => Compared::Unknown { run: good },
    }
}

/// What the history adds to a message about an end that was not well: what differs from the last good run (empty: nothing is
/// known to), and how many runs failed in the day before, with this one (`None`: not known).
#[must_use]
pub fn told_history(ctx: &Context, name: &Name, event: &Event) -> (String, Option<u32>) {
    let (Some(run), Some(Verdict::Premature | Verdict::Failed)) = (event.run, event.verdict) else {
        return (String::new(), None);
    };
    // A history that cannot be read must not keep the message back.
    let Ok(history) = journal::read(&ctx.paths, name) else { return (String::new(), None) };
    let differs = match compare(ctx, name, run, &history.events) {
        Compared::With { run: good, found } if !found.is_empty() => {
            let told: Vec<String> = found.iter().take(TOLD).map(Difference::brief).collect();
            let more = found.len().saturating_sub(TOLD);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            format!("{}{more} (run {good} was well)", told.join("; "))
        }
        Compared::With { .. } | Compared::Never | Compared::Unknown { .. } => String::new(),
    };
    (differs, Some(failures_of_late(&history.events, event.at)))
}

/// Runs that ended badly in the day up to `at`.
fn failures_of_late(events: &[Event], at: Wall) -> u32 {
    let bad = |event: &&Event| {
        matches!(event.kind, EventKind::Premature | EventKind::Failed)
            && event.at <= at
            && event.at.0 > at.0.saturating_sub(DAY_MS)
    };
    let runs: BTreeSet<Option<u64>> = events.iter().filter(bad).map(|event| event.run).collect();
    u32::try_from(runs.len()).unwrap_or(u32::MAX)
}

/// The run before, if it ended in the same way; see [`signature`].
#[must_use]
pub fn same_as(ctx: &Context, (name, spec): (&Name, &Spec), past: &Past, events: &[Event]) -> Option<u64> {
    let before = past.run.checked_sub(1)?;
    let bad = |verdict: Option<Verdict>| matches!(verdict, Some(Verdict::Premature | Verdict::Failed));
    let event = verdict_of(events, before).filter(|event| bad(event.verdict) && bad(past.verdict))?;
    let failure = |run: u64, cause: &Cause| {
        let tail = last_lines(ctx, name, Some(spec), Some(run), FAILURE_LINES);
        signature::failure(None, run, cause, tail.as_deref())
    };
    let (one, other) = (failure(before, event.cause.as_ref()?)?, failure(past.run, &past.cause)?);
    signature::is_same(&one, &other).then_some(before)
}

/// The error for a run of which nothing is known any more, or not yet.
#[must_use]
pub fn not_found(name: &Name, run: u64) -> Error {
    let message = format!("run {run} of `{name}` has not ended, or is no longer in the history");
    Error::new(Code::No, "no_such_run", message).hint(format!("guardian events {name} lists its runs")).about(name)
}
