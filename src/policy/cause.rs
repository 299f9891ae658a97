//! What ended a process, going by what its shim recorded at that moment.
//!
//! The wait status alone cannot tell who used SIGKILL, or that a limit was reached. Here the other evidence is laid
//! beside it; where that is missing, the wait status stands as it is.

use crate::model::ending::{Cause, SignalRecord, WaitStatus};
use crate::model::evidence::{End, Limits};
use crate::model::signal::Signal;

/// The cause of a recorded end. `signals`: those that are known to have been on the way to it.
#[must_use]
pub fn cause_of_end(end: &End, signals: &[SignalRecord]) -> Cause {
    let WaitStatus::Signal(Signal(signal), _) = end.status else { return end.status.cause() };
    // A signal that somebody sent is that somebody's, whatever limits there were.
    let sent = signals.iter().any(|record| record.signal.0 == signal && record.sender.is_some());
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
