//! The longest time between two occurrences of a cron line, for jobs of other programs.
//!
//! By whose clock such a line goes is often not known. The longest gap within a week holds by every clock, so that a job
//! is never called late because of a zone; by how much it is overdue at once, its own scheduler says.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;

use crate::model::time::Wall;

/// Far enough back that every day of a week is in it, whatever the zone.
const SPAN: TimeDelta = TimeDelta::days(9);
/// Most occurrences that are looked at: more than there are in two days of minutes.
const MOST: usize = 3000;

/// The longest gap before `now`.
///
/// # Errors
/// It is no cron line, or it comes less than twice.
pub(super) fn longest_gap(line: &str, now: Wall) -> Result<Duration, String> {
    let cron = Cron::from_str(line.trim()).map_err(|error| format!("{line:?}: {error}"))?;
    let now = DateTime::<Utc>::from_timestamp_millis(now.0).ok_or("the clock is wrong")?;
    let mut times = cron.iter_before(now).take(MOST);
    let mut later = times.next().ok_or_else(|| format!("{line:?} never comes"))?;
    let mut longest = TimeDelta::zero();
    for earlier in times {
        longest = longest.max(later - earlier);
        later = earlier;
        if now - earlier > SPAN {
            break;
        }
    }
    match longest.to_std() {
        Ok(gap) if !gap.is_zero() => Ok(gap),
        Ok(_) | Err(_) => Err(format!("{line:?} comes less than twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_of_a_line_holds_at_every_hour_of_a_week() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (line, want) in [
            ("*/5 * * * *", minutes(5)),
            ("0 9 * * *", minutes(24 * 60)),
            ("0 9 * * 1-5", minutes(72 * 60)),
            ("*/5 9-17 * * *", minutes(15 * 60 + 5)),
            ("*/30 * * * * *", Duration::from_secs(30)),
            ("@hourly", minutes(60)),
        ] {
            for hour in (0..168).step_by(11) {
                let now = Wall(1_795_000_000_000 + hour * 3_600_000);
                assert_eq!(longest_gap(line, now), Ok(want), "{line} at {now}");
            }
        }
    }

    #[test]
    fn a_line_that_is_none_says_so() {
        for line in ["", "x", "61 * * * *", "0 0 30 2 *"] {
            assert!(longest_gap(line, Wall(1_795_000_000_000)).is_err(), "{line}");
        }
    }
}
