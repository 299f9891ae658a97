//! Rotation of a log by size: what a note and a file say together, when it is time, how fast the log fills.
//!
//! Computes only. The order of the steps on disk, and why each may be the last one, stands in `store::rotation`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::name::Name;
use crate::model::rotation::{Mark, Part, Rotation};
use crate::model::spec::Spec;
use crate::model::time::Wall;

/// No log is looked at more often than this for its size.
const SHORTEST: Duration = Duration::from_secs(1);

/// How large a log may become, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file, and of each part.
    pub max: u64,
    /// Parts that are kept.
    pub keep: usize,
    /// Rotated as well when its oldest line is older than this.
    pub every: Option<Duration>,
}

impl Limits {
    /// Those of a process; `None`: its log is never rotated.
    #[must_use]
    pub fn of(spec: &Spec) -> Option<Self> {
        let keep = usize::try_from(spec.log_keep).unwrap_or(usize::MAX);
        let max = if spec.log_max > 0 { spec.log_max } else { u64::MAX / 4 };
        (spec.log_max > 0 || spec.log_every.is_some()).then_some(Self { max, keep, every: spec.log_every })
    }
}

/// The file, as one look showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its size in bytes.
    pub size: u64,
    /// Whether it begins with a hole.
    pub hole: bool,
    /// Whether it begins with something else than what a rotation left there.
    pub foreign: bool,
}

/// How the note is to be read, given the file: which step of a rotation was the last one, and whether the program has
/// emptied its log since.
#[must_use]
pub fn settled(noted: &Rotation, seen: Seen) -> (Rotation, Emptied) {
    let mut now = noted.clone();
    let mut emptied = Emptied::No;
    if now.hole > 0 && !seen.hole {
        if now.collapsing {
            now.base += now.hole;
        } else {
            emptied = Emptied::ByTheProgram;
        }
        now.hole = 0;
    }
    now.collapsing = false;
    if seen.foreign || seen.size < now.start - now.base {
        emptied = Emptied::ByTheProgram;
    }
    if emptied == Emptied::ByTheProgram {
        (now.base, now.hole, now.left) = (now.start, 0, None);
    }
    (now, emptied)
}

/// Whether somebody else than a rotation took the file's content away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptied {
    /// Nobody did, as far as it shows.
    No,
    /// The program, or an operator.
    ByTheProgram,
}

/// Bytes that the file has and no part has.
#[must_use]
pub fn live(rotation: &Rotation, size: u64) -> u64 {
    rotation.end(size) - rotation.start
}

/// Whether a log needs a rotation: it is full, or the last one left much behind.
#[must_use]
pub fn is_due(live: u64, unfinished: u64, limits: Limits) -> bool {
    live > limits.max || unfinished > limits.max / 2
}

/// The parts that stay when one more has come: the newest, which are also those that follow each other without a gap.
#[must_use]
pub fn kept(parts: &[Part], keep: usize) -> &[Part] {
    parts.get(parts.len().saturating_sub(keep)..).unwrap_or(&[])
}

/// A rotated part of some log, as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Whose log.
    pub name: Name,
    /// Its number.
    pub number: u64,
    /// When it was rotated.
    pub at: Wall,
    /// Bytes that it takes on the disk.
    pub bytes: u64,
}

/// Up to which part each log loses its oldest ones, for all logs to be within `total`; `live` is what the files take that
/// programs write to. The oldest of all go first.
#[must_use]
pub fn over_budget(segments: &[Segment], live: u64, total: u64) -> BTreeMap<Name, u64> {
    let mut oldest: Vec<&Segment> = segments.iter().collect();
    oldest.sort_by_key(|segment| (segment.at, segment.number));
    let mut bytes = live + segments.iter().map(|segment| segment.bytes).sum::<u64>();
    let mut until = BTreeMap::new();
    for segment in oldest {
        if bytes <= total {
            break;
        }
        bytes = bytes.saturating_sub(segment.bytes);
        let last = until.entry(segment.name.clone()).or_insert(segment.number);
        *last = segment.number.max(*last);
    }
    until
}

/// When the log will be full if it goes on growing as it did since `earlier`; `None`: not within `horizon`, after which
/// somebody looks anyway.
#[must_use]
pub fn full_in(live: u64, limits: Limits, earlier: Mark, now: Mark, horizon: Duration) -> Option<Duration> {
    let grown = now.end.saturating_sub(earlier.end);
    let passed = earlier.at.until(now.at).max(Duration::from_millis(1));
    let left = limits.max.saturating_sub(live);
    // After so short a time nobody can say how fast it grows.
    if left == 0 || passed < SHORTEST {
        return Some(SHORTEST);
    }
    let millis = u128::from(left) * passed.as_millis() / u128::from(grown.max(1));
    let full = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    (grown > 0 && full < horizon).then_some(full.max(SHORTEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(base: u64, start: u64, hole: u64, collapsing: bool) -> Rotation {
        Rotation { base, start, hole, collapsing, next: 1, ..Rotation::default() }
    }

    #[test]
    fn note_and_file_together_say_where_the_file_begins() {
        let cases = [
            ("never rotated", noted(0, 0, 0, false), 700, false, (0, 0), Emptied::No),
            ("copied, nothing cut yet", noted(0, 500, 0, false), 700, false, (0, 500), Emptied::No),
            (
                "a hole, and that is all the file system can",
                noted(0, 500, 400, false),
                700,
                true,
                (0, 500),
                Emptied::No,
            ),
            ("about to collapse", noted(0, 500, 400, true), 700, true, (0, 500), Emptied::No),
            ("collapsed, not noted", noted(0, 500, 400, true), 300, false, (400, 500), Emptied::No),
            ("collapsed, not noted, and much written", noted(0, 500, 400, true), 9000, false, (400, 500), Emptied::No),
            ("collapsed and noted", noted(400, 500, 0, false), 300, false, (400, 500), Emptied::No),
            ("all that is left is in parts", noted(400, 500, 0, false), 100, false, (400, 500), Emptied::No),
            ("emptied after a collapse", noted(400, 500, 0, false), 0, false, (500, 500), Emptied::ByTheProgram),
            ("emptied, then written", noted(400, 500, 0, false), 99, false, (500, 500), Emptied::ByTheProgram),
            ("emptied with a hole", noted(0, 500, 400, false), 0, false, (500, 500), Emptied::ByTheProgram),
            ("the same, then much written", noted(0, 500, 400, false), 9000, false, (500, 500), Emptied::ByTheProgram),
        ];
        for (claim, note, size, hole, want, emptied) in cases {
            let (now, found) = settled(&note, Seen { size, hole, foreign: false });
            let other = settled(&note, Seen { size, hole, foreign: true }).0;
            assert_eq!((other.base, other.hole), (note.start, 0), "{claim}, and the program has emptied it");
            assert_eq!(((now.base, now.start), found), (want, emptied), "{claim}");
            assert!(now.end(size) >= now.start, "{claim}");
        }
    }

    #[test]
    fn settling_what_is_settled_changes_nothing() {
        for (hole, collapsing, seen) in [(400, true, false), (400, true, true), (400, false, true), (400, false, false)]
        {
            for size in [0, 99, 100, 600, 9000] {
                let seen = Seen { size, hole: seen, foreign: false };
                let once = settled(&noted(0, 500, hole, collapsing), seen).0;
                assert_eq!(settled(&once, seen).0, once, "{hole} {collapsing} {seen:?}");
            }
        }
    }

    #[test]
    fn only_the_newest_parts_are_kept() {
        let parts: Vec<Part> = (0..5).map(|number| Part { number, from: number * 10, to: number * 10 + 10 }).collect();
        let numbers = |keep| kept(&parts, keep).iter().map(|part| part.number).collect::<Vec<_>>();
        assert_eq!(numbers(2), [3, 4]);
        assert_eq!(numbers(5), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(10), [0, 1, 2, 3, 4]);
        assert!(numbers(0).is_empty());
    }

    #[test]
    fn of_all_logs_the_oldest_parts_go_until_the_rest_fits() {
        let segment = |name: &str, number, at| Segment { name: name.parse().unwrap(), number, at: Wall(at), bytes: 10 };
        let all = [segment("a", 4, 30), segment("b", 1, 10), segment("a", 3, 20), segment("b", 2, 40)];
        let until = |live, total| {
            let gone = over_budget(&all, live, total);
            gone.into_iter().map(|(name, until)| format!("{name}{until}")).collect::<Vec<_>>().join(" ")
        };
        let cases = [
            (0, 40, ""),
            (0, 39, "b1"),
            (5, 40, "b1"),
            (0, 20, "a3 b1"),
            (0, 15, "a4 b1"),
            (100, 10, "a4 b2"),
            (100, 0, "a4 b2"),
        ];
        for (live, total, want) in cases {
            assert_eq!(until(live, total), want, "{live} {total}");
        }
    }

    #[test]
    fn a_log_that_fills_fast_is_looked_at_when_it_is_full() {
        let limits = Limits { max: 50_000, keep: 10, every: None };
        let mark = |ms, end| Mark { at: Wall(ms), end };
        let minute = Duration::from_secs(60);
        let cases = [
            ("a thousand a second, ten left", 40_000, mark(0, 0), mark(10_000, 10_000), Some(10)),
            ("so slow that others look before", 40_000, mark(0, 0), mark(60_000, 1000), None),
            ("it does not grow", 40_000, mark(0, 9), mark(10_000, 9), None),
            ("faster than anybody looks", 40_000, mark(0, 0), mark(10, 10_000_000), Some(1)),
            ("rotated a moment ago", 0, mark(0, 9), mark(10, 9), Some(1)),
            ("it is full", 50_000, mark(0, 9), mark(10_000, 9), Some(1)),
            ("the clock jumped back", 40_000, mark(10_000, 0), mark(0, 10_000), Some(1)),
        ];
        for (claim, live, earlier, now, want) in cases {
            let want = want.map(Duration::from_secs);
            assert_eq!(full_in(live, limits, earlier, now, minute), want, "{claim}");
        }
    }
}
