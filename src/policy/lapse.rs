//! Times in which no pass ran, for those who look back: whether passes were due, or the machine was down or asleep.
//!
//! Only times are judged here; what is told of missed passes is [`super::overdue`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::overdue::{Awake, Gap, LEAST, PERIODS};
use crate::model::time::Wall;

/// A time between two passes that was longer than it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapse {
    /// The pass before.
    #[serde(rename = "from_ms")]
    pub from: Wall,
    /// The pass after.
    #[serde(rename = "until_ms")]
    pub until: Wall,
    /// Whether the machine was booted in between.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebooted: bool,
    /// Passes that were due and did not run.
    #[serde(default)]
    pub missed: u64,
}

impl Lapse {
    /// What it was, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let missed = match self.missed {
            0 => String::new(),
            1 => "1 pass was missed".to_owned(),
            more => format!("{more} passes were missed"),
        };
        match (self.rebooted, missed.is_empty()) {
            (true, true) => "the machine was rebooted".to_owned(),
            (true, false) => format!("the machine was rebooted, and {missed}"),
            (false, true) => "the machine slept, or its clock was set".to_owned(),
            (false, false) => missed,
        }
    }
}

/// All that is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapses {
    /// From here on each one was noted, unless it was one of too many.
    #[serde(rename = "since_ms")]
    pub since: Wall,
    /// Oldest first.
    pub lapses: Vec<Lapse>,
}

/// So long a time without a pass is noted.
#[must_use]
pub fn limit(every: Duration) -> Duration {
    every.saturating_mul(PERIODS).max(LEAST)
}

/// What is noted of the time between the last pass and this one. `gap`: what was missed of it.
#[must_use]
pub fn lapse(last: (Wall, &Awake), now: (Wall, &Awake), every: Duration, gap: Option<&Gap>) -> Option<Lapse> {
    let rebooted = last.1.boot != now.1.boot;
    let missed = gap.map_or(0, |gap| gap.missed);
    let long = last.0.until(now.0) > limit(every);
    (rebooted || missed > 0 || long).then_some(Lapse { from: last.0, until: now.0, rebooted, missed })
}

impl Lapses {
    /// Until when, at least, a run lived of which a pass found at `found` that it has ended: the pass before that saw it.
    /// `None`: nothing shows that there was one.
    #[must_use]
    pub fn seen_before(&self, found: Wall, every: Duration) -> Option<Wall> {
        let back = |by: Duration| Wall(found.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)));
        let horizon = back(limit(every));
        let over = self.lapses.iter().filter(|lapse| lapse.from <= found && lapse.until >= horizon);
        let seen = over.map(|lapse| lapse.from).min().unwrap_or(horizon);
        (seen >= self.since).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::BootId;
    use crate::policy::overdue::gap;

    const EVERY: Duration = Duration::from_secs(60);

    fn between(last: (i64, &str, u64), now: (i64, &str, u64)) -> Option<String> {
        let awake = |boot: &str, secs: u64| Awake { boot: BootId::new(boot).unwrap(), ms: secs * 1000 };
        let (before, after) = (awake(last.1, last.2), awake(now.1, now.2));
        let (last, now) = ((Wall(last.0 * 1000), &before), (Wall(now.0 * 1000), &after));
        lapse(last, now, EVERY, gap(last, now, EVERY).as_ref()).map(|lapse| lapse.words())
    }

    #[test]
    fn a_time_without_a_pass_is_named_for_what_it_was() {
        let cases = [
            ("a pass each minute", (1000, "a", 100), (1060, "a", 160), None),
            ("cron was dead", (1000, "a", 100), (1600, "a", 700), Some("9 passes were missed")),
            ("a nap", (1000, "a", 100), (9000, "a", 160), Some("the machine slept, or its clock was set")),
            ("a quick reboot", (1000, "a", 100), (1060, "b", 20), Some("the machine was rebooted")),
            (
                "a boot without cron",
                (1000, "a", 9),
                (9000, "b", 600),
                Some("the machine was rebooted, and 9 passes were missed"),
            ),
        ];
        for (claim, last, now, words) in cases {
            assert_eq!(between(last, now).as_deref(), words, "{claim}");
        }
    }

    #[test]
    fn a_run_was_seen_by_the_pass_before_the_one_that_missed_it() {
        let lapse = Lapse { from: Wall(10_000_000), until: Wall(20_000_000), rebooted: true, missed: 0 };
        let known = Lapses { since: Wall(1_000_000), lapses: vec![lapse] };
        let cases = [
            ("passes ran", 9_000_000, Some(8_700_000)),
            ("found after a reboot", 20_000_100, Some(10_000_000)),
            ("found a while after it", 20_400_000, Some(20_100_000)),
            ("before anything was noted", 1_000_000, None),
        ];
        for (claim, found, seen) in cases {
            assert_eq!(known.seen_before(Wall(found), EVERY), seen.map(Wall), "{claim}");
        }
    }
}
