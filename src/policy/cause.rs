//! What ended a process, going by what its shim recorded at that moment.
//!
//! The wait status alone cannot tell who used SIGKILL, or that a limit was reached. Here the other evidence is laid
//! beside it; where that is missing, the wait status stands as it is.

use crate::model::ending::{Cause, SignalRecord, WaitStatus};
use crate::model::evidence::{End, Limits, RunRecord, SpawnFailure, SpawnStep};
use crate::model::signal::Signal;

/// A signal that came this long before an exit by code did not lead to it, in milliseconds.
const SHORTLY_MS: i64 = 60_000;

/// The signals of a run, those marked that it lived on after: long ago, or the same as the one that ended it while it is
/// known that nobody saw that one.
#[must_use]
pub fn signals_of(record: &RunRecord) -> Vec<SignalRecord> {
    let mut signals = record.signals.clone();
    let Some(end) = &record.end else { return signals };
    for signal in &mut signals {
        signal.survived = match end.status {
            WaitStatus::Signal(fatal, _) => signal.signal == fatal && record.unseen.is_some(),
            WaitStatus::Code(_) => signal.at.0.saturating_add(SHORTLY_MS) < end.at.wall.0,
        };
    }
    signals
}

/// The cause of a recorded end. `signals`: those that are known to have been on the way to it.
#[must_use]
pub fn cause_of_end(end: &End, signals: &[SignalRecord]) -> Cause {
    let WaitStatus::Signal(Signal(signal), _) = end.status else { return end.status.cause() };
    // A signal that somebody sent is that somebody's, whatever limits there were.
    let sent = signals.iter().any(|record| record.signal.0 == signal && record.sender.is_some() && !record.survived);
    let told = match signal {
        _ if sent => None,
        libc::SIGKILL => out_of_memory(end).or_else(|| cpu_limit(end, |limits| limits.cpu_hard_s)),
        // With each SIGXCPU the kernel raises the soft limit by a second; it is never below one.
        libc::SIGXCPU => cpu_limit(end, |limits| limits.cpu_s?.checked_sub(1).filter(|limit| *limit > 0)),
        libc::SIGXFSZ => {
            end.limits.and_then(|limits| limits.file_bytes).map(|limit_bytes| Cause::FileSizeLimit { limit_bytes })
        }
        _ => None,
    };
    told.unwrap_or_else(|| end.status.cause())
}

/// The cause of a recorded start that failed; `what`: the step and what it failed on, in words.
#[must_use]
pub fn cause_of_failed_start(failure: &SpawnFailure, what: String) -> Cause {
    match failure.step {
        SpawnStep::Shim => Cause::Unknown { why: what },
        step @ (SpawnStep::Fork
        | SpawnStep::User
        | SpawnStep::Cwd
        | SpawnStep::Exec
        | SpawnStep::Isolate
        | SpawnStep::EnvFile) => Cause::SpawnFailed { errno: failure.errno, what, step: Some(step) },
    }
}

/// The kernel's own record decides. Where it cannot be read, a kill counted in the run's own group does.
fn out_of_memory(end: &End) -> Option<Cause> {
    let oom = end.oom?;
    let by_count = oom.own_group.is_some_and(|count| count > 0);
    oom.named.unwrap_or(by_count).then_some(Cause::OomKilled { limit_bytes: oom.limit_bytes })
}

/// The limit, if that much CPU time was used up.
fn cpu_limit(end: &End, limit: fn(&Limits) -> Option<u64>) -> Option<Cause> {
    let limits = end.limits.as_ref()?;
    let limit_s = limit(limits)?;
    // What the children used does not count. The kernel enforces what it sampled at its ticks and reports what it measured:
    // where programs share a processor these differ by some ticks.
    let used_ms = limits.used_ms.or(end.cpu_ms())?;
    let limit_ms = limit_s.saturating_mul(1000);
    (used_ms + 250 + limit_ms / 50 >= limit_ms).then_some(Cause::CpuLimit { limit_s })
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
