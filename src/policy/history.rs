//! How long runs of a process usually take, from those that completed; and whether the open one is slow.
//!
//! Middle and spread are the median and the median absolute deviation, which one odd run does not move (C. Leys and
//! others, "Detecting outliers: Do not use standard deviation around the mean, use absolute deviation around the median",
//! Journal of Experimental Social Psychology 49, 2013). Asked at an end, at passes over a run that lives, and by `status`
//! and `why`. Services have no history: they are not meant to complete.

use std::time::Duration;

use crate::model::ending::{EndedRun, Verdict};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::spec::{Spec, Target};
use crate::model::state::{OpenRun, State};
use crate::model::time::Stamp;
use crate::model::units::human_duration;

use super::draft::Draft;

/// Completed runs that are remembered.
const KEPT: usize = 20;
/// Completed runs from which on a run can be called slow.
const ENOUGH: usize = 3;
/// So many times the longest completed run is slow.
const SLOW: u32 = 2;

/// How long completed runs took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// How many are remembered, at least one.
    pub runs: usize,
    /// Half of them took at most this long.
    pub median: Duration,
    /// Half of them are at most this far from the median.
    pub spread: Duration,
    /// The longest.
    pub longest: Duration,
}

/// What is usual, going by the lengths of completed runs in milliseconds; `None`: none is known.
#[must_use]
pub fn usual(completed_ms: &[u64]) -> Option<Usual> {
    let mut sorted = completed_ms.to_vec();
    sorted.sort_unstable();
    let longest = *sorted.last()?;
    let median = middle(&sorted);
    let mut away: Vec<u64> = sorted.iter().map(|length| length.abs_diff(median)).collect();
    away.sort_unstable();
    let of = Duration::from_millis;
    Some(Usual { runs: sorted.len(), median: of(median), spread: of(middle(&away)), longest: of(longest) })
}

/// The one in the middle of sorted numbers, or half-way between the two that are.
fn middle(sorted: &[u64]) -> u64 {
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0); // never empty
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = sorted.get((sorted.len() / 2).saturating_sub(1)).copied().unwrap_or(upper);
    lower.midpoint(upper)
}

/// What is usual for a process, where that is asked for: services have none.
#[must_use]
pub fn of(spec: &Spec, state: &State) -> Option<Usual> {
    match spec.target {
        Target::Forever => None,
        Target::Exit | Target::For(_) => usual(&state.completed_ms),
    }
}

impl Usual {
    /// From which age on a run is slow; `None`: too few runs completed.
    #[must_use]
    pub fn slow_after(&self) -> Option<Duration> {
        (self.runs >= ENOUGH).then(|| self.longest.saturating_mul(SLOW))
    }

    /// When a run that began at `began` is expected to be done: after the usual time, or, once that is over, after the
    /// longest there was. `None`: it lives longer than any did.
    #[must_use]
    pub fn eta(&self, began: &Stamp, now: &Stamp) -> Option<Stamp> {
        [self.median, self.longest].into_iter().map(|length| began.plus(length)).find(|at| !now.has_reached(at))
    }

    /// What a run that has lived for `lived` is compared with the others, in a sentence.
    #[must_use]
    pub fn sentence(&self, lived: Duration) -> String {
        let [usually, most, now] = [self.median, self.longest, lived].map(human_duration);
        if self.slow_after().is_some_and(|slow| lived >= slow) {
            format!("twice as slow as ever (usually {usually}, at most {most}; now {now})")
        } else if self.runs >= ENOUGH && lived > self.longest {
            format!("slower than ever (usually {usually}, at most {most}; now {now})")
        } else {
            format!("usually takes {usually}, at most {most}")
        }
    }
}

/// Remembers the length of a run that completed.
pub(super) fn remember(state: &mut State, ended: &EndedRun, spec: &Spec) {
    if let (Verdict::Completed, Target::Exit | Target::For(_), Some(length)) =
        (ended.verdict, spec.target, ended.ran_ms)
    {
        state.completed_ms.push(length);
        let over = state.completed_ms.len().saturating_sub(KEPT);
        state.completed_ms.drain(..over);
    }
}

/// From which age on a run that opens now will be slow, in milliseconds; `None`: too few completed.
pub(super) fn slow_after_ms(spec: &Spec, state: &State) -> Option<u64> {
    let after = of(spec, state)?.slow_after()?;
    u64::try_from(after.as_millis()).ok()
}

/// A run that lives: told once when it is slow, and until then looked at again when it would be.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun, began: &Stamp) {
    let Some(after) = open.slow_after_ms.filter(|_| open.stopping.is_none()) else { return };
    let at = began.plus(Duration::from_millis(after));
    if !next.look.now.has_reached(&at) {
        next.at(at);
        return;
    }
    open.slow_after_ms = None;
    if let Some(usual) = of(next.look.spec, &next.state) {
        let detail = usual.sentence(next.look.now.since(began));
        let event = next.event(EventKind::Slow, Severity::Info, Some(open.run));
        next.tell(Event { detail, ..event });
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
