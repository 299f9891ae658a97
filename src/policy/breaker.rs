//! The circuit breaker: when a process that fails again and again is left alone, and when it may try again.
//!
//! Asked by `settle` at a bad end, by `decide` when a cooldown is over, by `status` for its word. Where it stands is
//! not stored beside the phase but read from it, so the two cannot disagree. Starts and tells nothing itself.

use std::time::Duration;

use crate::model::ending::Cause;
use crate::model::evidence::SpawnStep;
use crate::model::never::Never;
use crate::model::spec::Spec;
use crate::model::state::{Began, Phase, State};
use crate::model::time::Stamp;
use crate::model::units::human_duration;

/// Longest time that a breaker stays open, however often it trips: six hours, as the contract has it.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(6 * 3600);
/// The code by which a program itself asks not to be started again, as s6 has it.
const DO_NOT_RESTART: i32 = 125;

/// Where the breaker of a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Failures are followed by restarts.
    Closed,
    /// Nothing is started until its cooldown is over.
    Open,
    /// One run tries.
    HalfOpen,
}

/// What may happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A run failed, and no limit is reached.
    Failed,
    /// A run failed, and with it a limit is reached.
    TooOften,
    /// A run lived for `healthy_after`, or completed.
    Well,
    /// The cooldown is over.
    CooledDown,
    /// The operator said `start`, `restart` or `reset`.
    Lifted,
}

impl Breaker {
    /// Where it stands, going by what is remembered.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match &state.phase {
            Phase::Tripped { .. } => Self::Open,
            Phase::Open(open) if open.began == Began::Trial && !open.healthy => Self::HalfOpen,
            Phase::New | Phase::Open(_) | Phase::Waiting { .. } | Phase::Completed | Phase::Stopped | Phase::Dead => {
                Self::Closed
            }
        }
    }

    /// Where it stands then: the whole machine.
    #[must_use]
    pub fn after(self, what: Happening) -> Self {
        match (self, what) {
            (Self::Closed, Happening::TooOften) => Self::Open,
            (Self::Closed, Happening::Failed | Happening::Well | Happening::CooledDown | Happening::Lifted) => {
                Self::Closed
            }
            (Self::Open, Happening::CooledDown) => Self::HalfOpen,
            (Self::Open, Happening::Lifted) => Self::Closed,
            // Nothing runs that could fail or be well.
            (Self::Open, Happening::Failed | Happening::TooOften | Happening::Well) => Self::Open,
            (Self::HalfOpen, Happening::Failed | Happening::TooOften) => Self::Open,
            (Self::HalfOpen, Happening::Well | Happening::Lifted) => Self::Closed,
            // One run tries, and no second one beside it.
            (Self::HalfOpen, Happening::CooledDown) => Self::HalfOpen,
        }
    }

    /// The word for it in the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Which limit is reached with the failure that `state` has counted already; `None`: none is.
#[must_use]
pub fn limit_reached(spec: &Spec, state: &State, now: &Stamp) -> Option<String> {
    let failures = state.failures;
    if spec.max_failures > 0 && failures >= spec.max_failures {
        return Some(match failures {
            1 => "a failure".to_owned(),
            _ => format!("{failures} failures in a row"),
        });
    }
    let recent = state.restarted_at.iter().filter(|at| now.since(at) < spec.window).count();
    let too_many = spec.max_restarts > 0 && u32::try_from(recent).is_ok_and(|recent| recent >= spec.max_restarts);
    too_many.then(|| format!("{recent} restarts within {}", human_duration(spec.window)))
}

/// How long it stays open now: twice as long each time in a row, up to six hours.
#[must_use]
pub fn cooldown(spec: &Spec, trips: u32) -> Duration {
    let factor = 1_u32.checked_shl(trips).unwrap_or(u32::MAX); // beyond 2^31 the cap decides
    spec.breaker_cooldown.saturating_mul(factor).min(LONGEST_COOLDOWN)
}

/// Why an end of this kind is never followed by a restart, if that is so.
///
/// A program that cannot be found or executed counts as the shell's 127 and 126. A working directory that cannot be
/// entered, or an `env_file` that cannot be read, does not: it may lie on a file system that is not mounted yet.
#[must_use]
pub fn never(spec: &Spec, cause: &Cause) -> Option<String> {
    let listed = |end: &Never| spec.never_restart.contains(end);
    if let Some((code, what)) = code_of(cause).filter(|(code, _)| !spec.success_codes.contains(code)) {
        if listed(&Never::Code(code)) {
            return Some(format!("not restarted: {what} is in `never_restart`"));
        }
        if matches!(cause, Cause::Exited { code: DO_NOT_RESTART }) {
            return Some(format!("not restarted: with {what} the program itself asks for that"));
        }
    }
    if let Cause::Signaled { signal, .. } = cause
        && listed(&Never::Signal(*signal))
    {
        return Some(format!("not restarted: {signal} is in `never_restart`"));
    }
    let kind = cause.kind();
    let listed = spec.never_restart.iter().any(|end| matches!(end, Never::Kind(known) if known == kind));
    listed.then(|| format!("not restarted: `{kind}` is in `never_restart`"))
}

/// The exit code that an end is or counts as, and what to call it.
fn code_of(cause: &Cause) -> Option<(i32, String)> {
    match cause {
        Cause::Exited { code } => Some((*code, format!("exit code {code}"))),
        Cause::SpawnFailed { step: Some(SpawnStep::Cwd | SpawnStep::EnvFile | SpawnStep::Fork), .. } => None,
        Cause::SpawnFailed { errno: libc::ENOENT | libc::ENOTDIR, .. } => Some((127, "`not found` (127)".to_owned())),
        Cause::SpawnFailed { errno: libc::EACCES | libc::EPERM | libc::ENOEXEC | libc::EISDIR, .. } => {
            Some((126, "`cannot execute` (126)".to_owned()))
        }
        Cause::SpawnFailed { .. }
        | Cause::PreflightFailed { .. }
        | Cause::Signaled { .. }
        | Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => None,
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
