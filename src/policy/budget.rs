//! Who starts the same process again and again is slowed, never refused.
//!
//! Counted are restarts, starts after a run that ended by itself, and every start that an agent asks for. The first
//! few within ten minutes are free, each further one waits twice as long as the one before. A run that was well,
//! and `reset`, wipe the slate clean.

use std::time::Duration;

use crate::model::ending::{EndedRun, Verdict};
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::units::human_duration;

/// Starts longer ago than this are forgotten.
const WINDOW: Duration = Duration::from_secs(600);
/// Starts within that time that wait for nothing.
const FREE: usize = 5;
/// Wait of the first one beyond those.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// Starts that are remembered: one more than it takes to wait the longest.
const KEPT: usize = 16;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `start`.
    Start,
    /// `restart`.
    Restart,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A person or a script, as far as can be told.
    Somebody,
    /// An agent, by the marks in its environment.
    Agent,
}

/// Whether this start counts. `last`: the run before it, if there was one.
#[must_use]
pub fn counts(asked: Asked, by: By, last: Option<&EndedRun>) -> bool {
    match (asked, by) {
        (Asked::Restart, _) | (Asked::Start, By::Agent) => true,
        (Asked::Start, By::Somebody) => last.is_some_and(|last| last.verdict != Verdict::Stopped),
    }
}

/// Adds a start at `now` to the remembered ones, oldest first, and says how many there were lately, this one included.
#[must_use]
pub fn spend(starts: &mut Vec<Stamp>, now: &Stamp) -> usize {
    starts.retain(|start| now.since(start) < WINDOW);
    starts.push(now.clone());
    let many = starts.len().saturating_sub(KEPT);
    starts.drain(..many);
    starts.len()
}

/// How long the start waits that is the `count`-th lately.
#[must_use]
pub fn wait(count: usize) -> Duration {
    match count.checked_sub(FREE) {
        None | Some(0) => Duration::ZERO,
        Some(beyond) => {
            let doublings = u32::try_from(beyond - 1).unwrap_or(u32::MAX);
            FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST)
        }
    }
}

/// Why it waits. `ended`: how the last run ended, in a phrase.
#[must_use]
pub fn why(name: &Name, count: usize, wait: Duration, ended: Option<&str>) -> String {
    let times = if count >= KEPT { format!("{count} times and more") } else { format!("{count} times") };
    let last = ended.map(|ended| format!("; its last run: {ended}")).unwrap_or_default();
    format!("{name} was started {times} within 10m; this start waits {}{last}", human_duration(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ending::Cause;
    use crate::model::sample::at;

    fn ended(verdict: Verdict) -> EndedRun {
        EndedRun {
            run: 1,
            began: at(0),
            ended: None,
            ran_ms: Some(1),
            verdict,
            cause: Cause::Exited { code: 1 },
            status: None,
            signals: Vec::new(),
            stopped_by: None,
            pid: None,
            left: None,
            taken_over: Vec::new(),
            action: String::new(),
        }
    }

    #[test]
    fn what_counts_is_a_restart_a_start_after_a_failure_and_whatever_an_agent_asks_for() {
        let (failed, stopped) = (ended(Verdict::Failed), ended(Verdict::Stopped));
        let cases = [
            ("a first start", Asked::Start, By::Somebody, None, false),
            ("a start after a run that failed", Asked::Start, By::Somebody, Some(&failed), true),
            ("a start after `stop`", Asked::Start, By::Somebody, Some(&stopped), false),
            ("a restart", Asked::Restart, By::Somebody, Some(&stopped), true),
            ("an agent's first start", Asked::Start, By::Agent, None, true),
            ("an agent's start after `stop`", Asked::Start, By::Agent, Some(&stopped), true),
        ];
        for (claim, asked, by, last, want) in cases {
            assert_eq!(counts(asked, by, last), want, "{claim}");
        }
    }

    #[test]
    fn five_are_free_and_then_the_wait_doubles_up_to_half_a_minute() {
        let mut starts = Vec::new();
        let waits: Vec<u64> = (0..13).map(|secs| wait(spend(&mut starts, &at(secs))).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait(usize::MAX), LONGEST);
    }

    #[test]
    fn starts_are_forgotten_after_ten_minutes_and_only_some_are_kept() {
        let mut starts = Vec::new();
        for secs in 0..40 {
            let count = spend(&mut starts, &at(secs));
            assert!(count <= KEPT);
        }
        assert_eq!((starts.len(), spend(&mut starts, &at(39 + 600))), (KEPT, 1));
        let text = why(&"bot".parse().unwrap(), 6, Duration::from_secs(2), Some("exit 1"));
        assert_eq!(text, "bot was started 6 times within 10m; this start waits 2s; its last run: exit 1");
        assert!(why(&"bot".parse().unwrap(), KEPT, LONGEST, None).contains("16 times and more"));
    }
}
