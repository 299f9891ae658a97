//! Whether passes that were due did not run, and what is said of that.
//!
//! Time counts only while the machine was awake: within one boot by a clock that stands while it sleeps, in a later boot from the
//! boot on. So a laptop that was shut, or a machine that was off, missed no pass.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::time::{BootId, Wall};

/// So many periods without a pass are a gap: cron may be late, and a pass may be long.
pub(super) const PERIODS: u32 = 3;
/// The least gap.
pub(super) const LEAST: Duration = Duration::from_secs(300);

/// A moment on a clock that stands while the machine sleeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awake {
    /// The boot that it counts from.
    pub boot: BootId,
    /// Milliseconds awake since then.
    pub ms: u64,
}

/// A time in which passes were due and none ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The last pass, or the boot if that was later.
    pub from: Wall,
    /// Passes that should have run, at least one.
    pub missed: u64,
    /// The same for all that find this gap.
    id: String,
}

/// The gap between the last pass and now; `None`: there is none, or nobody can tell.
#[must_use]
pub fn gap(last: (Wall, &Awake), now: (Wall, &Awake), every: Duration) -> Option<Gap> {
    let same = last.1.boot == now.1.boot;
    let silent = Duration::from_millis(now.1.ms.saturating_sub(if same { last.1.ms } else { 0 }));
    if silent <= every.saturating_mul(PERIODS).max(LEAST) {
        return None;
    }
    let silent_ms = u64::try_from(silent.as_millis()).ok()?;
    let from = if same { last.0 } else { Wall(now.0.0.saturating_sub(i64::try_from(silent_ms).ok()?)) };
    let every_ms = u64::try_from(every.as_millis()).ok().filter(|ms| *ms > 0)?;
    // The one that is due now is not missed yet.
    let missed = (silent_ms + every_ms / 2) / every_ms;
    let id = format!("guardian.{}-{}.{}", last.0.0, now.1.boot.as_str(), EventKind::Overdue.word());
    Some(Gap { from, missed: missed.saturating_sub(1).max(1), id })
}

/// What is told of it. `over`: a pass runs now.
#[must_use]
pub fn event(gap: &Gap, guardian: &Name, now: Wall, over: bool) -> Event {
    let event = Event::new(gap.id.clone(), now, guardian, EventKind::Overdue, Severity::Warning);
    Event { detail: sentence(gap, now, over), ..event }
}

/// The same in a sentence.
#[must_use]
pub fn sentence(gap: &Gap, now: Wall, over: bool) -> String {
    let missed = if gap.missed == 1 { "1 was missed".to_owned() } else { format!("{} were missed", gap.missed) };
    match over {
        true => format!("no pass ran from {} until {now}, {missed}", gap.from),
        false => format!("no pass has run since {}, {missed}: cron or its timer may be dead", gap.from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awake(boot: &str, secs: u64) -> Awake {
        Awake { boot: BootId::new(boot).unwrap(), ms: secs * 1000 }
    }

    fn missed(last: (i64, &str, u64), now: (i64, &str, u64), every: u64) -> Option<(i64, u64)> {
        let (before, after) = (awake(last.1, last.2), awake(now.1, now.2));
        let gap = gap((Wall(last.0 * 1000), &before), (Wall(now.0 * 1000), &after), Duration::from_secs(every))?;
        Some((gap.from.0 / 1000, gap.missed))
    }

    #[test]
    fn time_counts_while_the_machine_was_awake() {
        let cases = [
            ("a pass each minute is no gap", (1000, "a", 100), (1060, "a", 160), 60, None),
            ("five minutes are none yet", (1000, "a", 100), (1300, "a", 400), 60, None),
            ("ten minutes are, and nine passes were missed", (1000, "a", 100), (1600, "a", 700), 60, Some((1000, 9))),
            ("a machine that slept missed nothing", (1000, "a", 100), (90_000, "a", 160), 60, None),
            ("a machine that was off missed nothing", (1000, "a", 100), (90_000, "b", 60), 60, None),
            (
                "what ran after the boot should have been looked at",
                (1000, "a", 9),
                (9000, "b", 600),
                60,
                Some((8400, 9)),
            ),
            ("a slow period needs three of it", (1000, "a", 0), (4600, "a", 3600), 1800, None),
            ("and then it is a gap", (1000, "a", 0), (6500, "a", 5500), 1800, Some((1000, 2))),
            ("a wall clock that jumps is no gap", (1000, "a", 100), (99_000, "a", 160), 60, None),
            ("a wall clock that was set back hides none", (1000, "a", 0), (500, "a", 600), 60, Some((1000, 9))),
        ];
        for (claim, last, now, every, wanted) in cases {
            assert_eq!(missed(last, now, every), wanted, "{claim}");
        }
    }

    #[test]
    fn all_who_find_a_gap_tell_the_same_one() {
        let (last, every) = (awake("a", 0), Duration::from_secs(60));
        let at = |secs: u64| gap((Wall(5), &last), (Wall(secs as i64 * 1000), &awake("a", secs)), every).unwrap();
        let guardian: Name = "guardian".parse().unwrap();
        let (one, other) = (at(400), at(900));
        let (early, late) = (event(&one, &guardian, Wall(0), false), event(&other, &guardian, Wall(1), true));
        assert_eq!(early.id, late.id);
        assert!(early.detail.contains("no pass has run since 1970-01-01T00:00:00.005Z, 6 were missed"), "{early:?}");
        assert!(late.detail.contains("from 1970-01-01T00:00:00.005Z until"), "{late:?}");
    }
}
