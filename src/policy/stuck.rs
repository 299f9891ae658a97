//! Whether alerts are stuck: given up, or failing for longer than an outage that passes by itself.
//!
//! Asked by `status`, `alerts` and a pass, with the entries of the outbox. Decides nothing about their delivery.

use std::time::Duration;

use serde::Serialize;

use crate::model::delivery::Entry;
use crate::model::sink::Sink;
use crate::model::time::{Stamp, Wall};

use super::notify::is_caller;

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

/// Whether this entry has been failing for longer than [`PATIENCE`], or waits as long for a sink that `sinks` does not have.
#[must_use]
pub fn is_stuck(entry: &Entry, sinks: &[Sink], now: &Stamp) -> bool {
    let since = entry.first_failed.as_ref().or_else(|| is_orphan(entry, sinks).then_some(&entry.queued));
    since.is_some_and(|since| now.since(since) >= PATIENCE)
}

/// Whether its sink is not in the registry (any more). A session that is to be woken never is.
fn is_orphan(entry: &Entry, sinks: &[Sink]) -> bool {
    !is_caller(&entry.sink) && sinks.iter().all(|sink| sink.name != entry.sink)
}

/// Counts the outbox. `damaged`: entries of each part that cannot be read, which count as what lies there; nobody is told of
/// one that waits, so it is stuck.
#[must_use]
pub fn backlog(pending: &[Entry], dead: &[Entry], damaged: (usize, usize), sinks: &[Sink], now: &Stamp) -> Backlog {
    let stuck: Vec<&Entry> = pending.iter().filter(|entry| is_stuck(entry, sinks, now)).collect();
    let owed = |entry: &Entry| entry.first_failed.as_ref().map_or(entry.queued.wall, |first| first.wall);
    let oldest = |entries: &mut dyn Iterator<Item = &Entry>| -> Option<Entry> {
        entries.min_by_key(|entry| (owed(entry), entry.id().to_owned(), entry.sink.clone())).cloned()
    };
    let worst = oldest(&mut stuck.iter().copied()).or_else(|| oldest(&mut dead.iter()));
    Backlog {
        pending: pending.len() + damaged.0,
        dead: dead.len() + damaged.1,
        stuck: stuck.len() + damaged.0,
        since: worst.as_ref().map(owed).and_then(Wall::rfc3339),
        sink: worst.as_ref().map(|entry| entry.sink.clone()),
        last_error: match worst {
            Some(entry) if entry.last_error.is_none() && is_orphan(&entry, sinks) => {
                Some(format!("the registry has no sink `{}`", entry.sink))
            }
            Some(entry) => entry.last_error,
            None => (damaged.0 > 0).then(|| "an entry of the outbox cannot be read".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventKind;
    use crate::model::sample::{at, event, note, sink};
    use crate::model::sink::SinkKind;

    fn entry(run: u64, first_failed: Option<u64>) -> Entry {
        let error = first_failed.map(|secs| format!("refused since {secs}"));
        Entry {
            first_failed: first_failed.map(at),
            last_error: error,
            ..Entry::new(note(event("a", run, EventKind::Premature, 0)), "ops", at(0))
        }
    }

    fn ops() -> [Sink; 1] {
        [sink("ops", SinkKind::Desktop)]
    }

    #[test]
    fn what_waits_is_not_stuck_and_what_fails_is_after_ten_minutes() {
        for (claim, first_failed, now, stuck) in [
            ("never tried", None, 90_000, 0),
            ("failed just now", Some(100), 101, 0),
            ("fails for nearly ten minutes", Some(100), 699, 0),
            ("fails for ten minutes", Some(100), 700, 1),
        ] {
            let got = backlog(&[entry(1, first_failed)], &[], (0, 0), &ops(), &at(now));
            assert_eq!((got.pending, got.stuck, got.is_bad()), (1, stuck, stuck > 0), "{claim}");
        }
    }

    #[test]
    fn the_one_that_fails_longest_is_cited_and_a_dead_one_where_none_is_stuck() {
        let pending = [entry(1, Some(300)), entry(2, Some(200)), entry(3, None)];
        let dead = [entry(4, Some(100))];
        let both = backlog(&pending, &dead, (1, 2), &ops(), &at(2000));
        assert_eq!((both.pending, both.dead, both.stuck), (4, 3, 3));
        assert_eq!(both.last_error.as_deref(), Some("refused since 200"));
        assert_eq!(both.since, at(200).wall.rfc3339());
        let dead_only = backlog(&[], &dead, (0, 0), &ops(), &at(2000));
        assert_eq!((dead_only.is_bad(), dead_only.last_error.as_deref()), (true, Some("refused since 100")));
        assert_eq!(backlog(&[], &[], (0, 0), &ops(), &at(0)), Backlog::default());
    }

    #[test]
    fn what_waits_for_a_sink_that_is_gone_and_what_cannot_be_read_is_stuck() {
        let gone = backlog(&[entry(1, None)], &[], (0, 0), &[], &at(700));
        assert_eq!((gone.stuck, gone.last_error.as_deref()), (1, Some("the registry has no sink `ops`")));
        assert_eq!(backlog(&[entry(1, None)], &[], (0, 0), &[], &at(300)).stuck, 0, "it may just be edited");
        let session = Entry { sink: "auto:a".to_owned(), ..entry(1, None) };
        assert_eq!(backlog(&[session], &[], (0, 0), &[], &at(900)).stuck, 0);
        let damaged = backlog(&[], &[], (1, 0), &ops(), &at(0));
        assert!(damaged.is_bad() && damaged.last_error.is_some(), "{damaged:?}");
    }
}
