//! Ways to die: one row for each, played by the real program, and what it must say of the end.
//!
//! `rows` is the whole table; `docs/ways-to-die.md` is written from a run by `scripts/ways-to-die`. Each row is played a
//! second time with its shim killed at a moment that nobody chose: the cause may then be unknown, never another one.

mod acts;
mod codes;
mod doc;
mod killed;
mod row;
mod scene;
mod seen;
mod shimless;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use row::Row;
use scene::Scene;
use seen::{Seen, differences, see};

use crate::procs::{now_ms, until};

/// A part of the table.
struct Part {
    title: &'static str,
    rows: &'static [Row],
}

/// The whole table.
static PARTS: &[Part] = &[
    Part { title: "It ends by itself", rows: codes::CODES },
    Part { title: "A fault, or a signal that it sent itself", rows: codes::FAULTS },
    Part { title: "A limit", rows: codes::LIMITS },
    Part { title: "It never begins", rows: codes::SPAWNS },
    Part { title: "Somebody kills it", rows: killed::UNTRACED },
    Part { title: "Under `--trace-signals`", rows: killed::TRACED_ROWS },
    Part { title: "Its shim, or the machine", rows: killed::TO_THE_SHIM },
    Part { title: "guardian ends it", rows: killed::BY_GUARDIAN },
];

fn rows() -> Vec<&'static Row> {
    PARTS.iter().flat_map(|part| part.rows).collect()
}

/// Names of the rows to play, with commas; `None`: all.
fn only() -> Option<String> {
    std::env::var("GUARDIAN_WAYS_ONLY").ok()
}

/// Plays all rows, a few at a time; what became of each, or why it failed.
fn play<T: Send>(play: impl Fn(&'static Row) -> T + Sync) -> Vec<(&'static Row, Result<T, String>)> {
    let (mut rows, only) = (rows(), only());
    rows.retain(|row| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == row.name)));
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::new());
    let took = Mutex::new(Vec::new());
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = now_ms();
                    let outcome = catch_unwind(AssertUnwindSafe(|| play(row))).map_err(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
                    });
                    played.lock().unwrap().push((*row, outcome));
                    took.lock().unwrap().push((now_ms() - began, row.name));
                }
            });
        }
    });
    let mut took = took.into_inner().unwrap();
    took.sort_unstable();
    doc::slowest(&took);
    let mut played = played.into_inner().unwrap();
    played.sort_by_key(|(row, _)| rows.iter().position(|other| std::ptr::eq(*other, *row)));
    played
}

fn plain(row: &'static Row) -> Seen {
    let scene = Scene::new(row, false);
    scene.play();
    let wanted = row.wanted_here();
    let limit = now_ms() + u64::try_from(Duration::from_secs(5).as_millis()).unwrap();
    let look = || see(&scene).excused(&wanted);
    let mut seen = look();
    until("a second run that is due has begun", || {
        seen = look();
        differences(&wanted, &seen).is_empty() || now_ms() > limit
    });
    let wrong = differences(&wanted, &seen);
    assert!(wrong.is_empty(), "{}", wrong.join("\n    "));
    assert!(!scene.home.path("doubled").exists(), "started beside one that lived: {:?}", scene.home.lines("doubled"));
    seen
}

/// Panics with all that failed, by name.
fn all_well<T>(played: Vec<(&'static Row, Result<T, String>)>, how: &str) -> Vec<(&'static Row, T)> {
    let mut well = Vec::new();
    let mut failed = Vec::new();
    for (row, outcome) in played {
        match outcome {
            Ok(seen) => well.push((row, seen)),
            Err(why) => failed.push(format!("{} ({}):\n    {why}", row.name, row.way)),
        }
    }
    assert!(failed.is_empty(), "{} rows are wrong{how}:\n\n{}", failed.len(), failed.join("\n"));
    well
}

#[test]
fn ways_to_die() {
    let seen = all_well(play(plain), "");
    doc::print(&doc::table(&seen));
}

#[test]
fn ways_to_die_with_the_shim_killed_at_a_random_moment() {
    let seed = shimless::seed();
    let seen = all_well(play(|row| shimless::play(row, seed)), &format!(" with GUARDIAN_WAYS_SEED={seed}"));
    let killed = seen.iter().filter(|(_, row)| row.after_us.is_some()).count();
    assert!(killed * 4 > seen.len() || only().is_some(), "only {killed} of {} shims were killed in time", seen.len());
    doc::print(&doc::shimless(seed, &seen));
}

#[test]
fn names_of_the_ways_are_unique() {
    let mut names: Vec<_> = rows().iter().map(|row| row.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
