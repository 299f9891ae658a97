//! Whether alerts are stuck: given up, or failing for longer than an outage that passes by itself.
//!
//! Asked by `status`, `alerts` and a pass, with the entries of the outbox. Decides nothing about their delivery.

use std::time::Duration;

use serde::Serialize;

use crate::model::delivery::Entry;
use crate::model::time::{Stamp, Wall};

/// A delivery that fails for longer is not one that passes by itself: somebody should look.
const PATIENCE: Duration = Duration::from_secs(600);

/// The outbox in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Backlog {
    /// Waiting, for whatever reason.
    pub pending: usize,
    /// Given up and kept.
    pub dead: usize,
    /// Of those that wait: how many fail for more than ten minutes.
    pub stuck: usize,
    /// Since when the oldest of the stuck ones fails; without one, since when the oldest of the dead is owed.
    pub since: Option<String>,
    /// The sink of that one.
    pub sink: Option<String>,
    /// Why its last try failed.
    pub last_error: Option<String>,
}

impl Backlog {
    /// Whether somebody who should have been told was not.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.dead > 0 || self.stuck > 0
    }
}

/// Whether this entry has been failing for longer than [`PATIENCE`].
#[must_use]
pub fn is_stuck(entry: &Entry, now: &Stamp) -> bool {
    entry.first_failed.as_ref().is_some_and(|first| now.since(first) >= PATIENCE)
}

/// Counts the outbox. `damaged`: entries of each part that cannot be read, which count as what lies there.
#[must_use]
pub fn backlog(pending: &[Entry], dead: &[Entry], damaged: (usize, usize), now: &Stamp) -> Backlog {
    let stuck: Vec<&Entry> = pending.iter().filter(|entry| is_stuck(entry, now)).collect();
    let owed = |entry: &Entry| entry.first_failed.as_ref().map_or(entry.queued.wall, |first| first.wall);
    let oldest = |entries: &mut dyn Iterator<Item = &Entry>| -> Option<Entry> {
        entries.min_by_key(|entry| (owed(entry), entry.id().to_owned(), entry.sink.clone())).cloned()
    };
    let worst = oldest(&mut stuck.iter().copied()).or_else(|| oldest(&mut dead.iter()));
    Backlog {
        pending: pending.len() + damaged.0,
        dead: dead.len() + damaged.1,
        stuck: stuck.len(),
        since: worst.as_ref().map(owed).and_then(Wall::rfc3339),
        sink: worst.as_ref().map(|entry| entry.sink.clone()),
        last_error: worst.and_then(|entry| entry.last_error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventKind;
    use crate::model::sample::{at, event, note};

    fn entry(run: u64, first_failed: Option<u64>) -> Entry {
        let error = first_failed.map(|secs| format!("refused since {secs}"));
        Entry {
            first_failed: first_failed.map(at),
            last_error: error,
            ..Entry::new(note(event("a", run, EventKind::Premature, 0)), "ops", at(0))
        }
    }

    #[test]
    fn what_waits_is_not_stuck_and_what_fails_is_after_ten_minutes() {
        for (claim, first_failed, now, stuck) in [
            ("never tried", None, 90_000, 0),
            ("failed just now", Some(100), 101, 0),
            ("fails for nearly ten minutes", Some(100), 699, 0),
            ("fails for ten minutes", Some(100), 700, 1),
        ] {
            let got = backlog(&[entry(1, first_failed)], &[], (0, 0), &at(now));
            assert_eq!((got.pending, got.stuck, got.is_bad()), (1, stuck, stuck > 0), "{claim}");
        }
    }

    #[test]
    fn the_one_that_fails_longest_is_cited_and_a_dead_one_where_none_is_stuck() {
        let pending = [entry(1, Some(300)), entry(2, Some(200)), entry(3, None)];
        let dead = [entry(4, Some(100))];
        let both = backlog(&pending, &dead, (1, 2), &at(2000));
        assert_eq!((both.pending, both.dead, both.stuck), (4, 3, 2));
        assert_eq!(both.last_error.as_deref(), Some("refused since 200"));
        assert_eq!(both.since, at(200).wall.rfc3339());
        let dead_only = backlog(&[], &dead, (0, 0), &at(2000));
        assert_eq!((dead_only.is_bad(), dead_only.last_error.as_deref()), (true, Some("refused since 100")));
        assert_eq!(backlog(&[], &[], (0, 0), &at(0)), Backlog::default());
    }
}
