//! How long runs usually take, as `status` shows it.

use serde::Serialize;

use crate::model::time::Stamp;
use crate::model::units::{human_duration, seconds};
use crate::policy::history;

/// What is usual, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usual {
    /// Completed runs that it is known from.
    runs: usize,
    /// Half of them took at most this long.
    median_s: f64,
    /// Half of them are at most this far from the median.
    spread_s: f64,
    /// The longest.
    longest_s: f64,
}

impl Usual {
    /// The short form of what is usual.
    #[must_use]
    pub fn of(usual: &history::Usual) -> Self {
        Self {
            runs: usual.runs,
            median_s: seconds(usual.median),
            spread_s: seconds(usual.spread),
            longest_s: seconds(usual.longest),
        }
    }
}

/// What a run that lives since `began` is compared with the others, and when it is expected to be done.
#[must_use]
pub fn sentence(usual: &history::Usual, began: &Stamp, now: &Stamp) -> String {
    let sentence = usual.sentence(now.since(began));
    match usual.eta(began, now) {
        Some(done) => format!("{sentence}, done in about {}", human_duration(done.since(now))),
        None => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;

    #[test]
    fn a_run_is_said_to_be_done_soon_as_long_as_that_is_known() {
        let usual = history::usual(&[60_000, 60_000, 90_000]).unwrap();
        let want = "usually takes 1m 00s, at most 1m 30s, done in about 50s";
        assert_eq!(sentence(&usual, &at(0), &at(10)), want);
        assert!(sentence(&usual, &at(0), &at(100)).ends_with("now 1m 40s)"));
    }
}
