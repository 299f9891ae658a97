//! Deadlines are kept by the shim, to the moment, without any pass of cron.

use std::fs;

use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, until};

/// The latest that anything may be done, in milliseconds.
const LATEST_MS: i64 = 250;
/// Processes of each kind at once: the best of them counts, because the machine may be busy with other tests.
const AT_ONCE: usize = 3;
/// Times that this is tried.
const TRIES: usize = 4;

/// How its lateness is read off.
#[derive(Clone, Copy)]
enum Measure {
    /// From the beginning of the run to its end, less this many milliseconds.
    Lived(i64),
    /// From the moment that `status` named to the beginning of the second run.
    Named,
}

/// What has a deadline: its name, its options, its line, how late it was.
const KINDS: [(&str, &[&str], &str, Measure); 7] = [
    ("time-limit", &["--time-limit", "1s"], "exec sleep 1000", Measure::Lived(1000)),
    ("target", &["--target", "1s", "--stop-at-target"], "exec sleep 1000", Measure::Lived(1000)),
    ("not-ready", &["--ready", "file:/nonexistent", "--ready-timeout", "1s"], "exec sleep 1000", Measure::Lived(1000)),
    ("heartbeat", &["--heartbeat", "1s"], "exec sleep 1000", Measure::Lived(1000)),
    ("silent", &["--output-stale", "1s"], "exec sleep 1000", Measure::Lived(1000)),
    (
        "backoff",
        &["--backoff", "1s"],
        "test -e $GUARDIAN_NAME && exec sleep 1000; touch $GUARDIAN_NAME; exit 1",
        Measure::Named,
    ),
    (
        "breaker",
        &["--max-failures", "1", "--breaker-cooldown", "1s"],
        "test -e $GUARDIAN_NAME && exec sleep 1000; touch $GUARDIAN_NAME; exit 1",
        Measure::Named,
    ),
];

/// The `at` of a line in the record of a run, once it is there: on the boot clock, and on the wall clock.
fn at(home: &Home, name: &str, run: u64, line: &str) -> (i64, i64) {
    let path = home.state_dir().join(format!("process/{name}/run/{run}.rec"));
    let found = eventually(&format!("`{line}` in the record of run {run} of `{name}`"), || {
        let text = fs::read_to_string(&path).ok()?;
        let mut lines = text.lines().filter_map(|text| serde_json::from_str::<Value>(text.trim_matches('\0')).ok());
        lines.find_map(|value| {
            let value = value.get(line)?;
            value.get("at").or_else(|| value.get(line)?.get("at")).cloned()
        })
    });
    (found["boot_ms"].as_i64().unwrap(), found["wall_ms"].as_i64().unwrap())
}

/// How late it was, in milliseconds; `None`: the moment was over before anybody could ask for it.
fn lateness(home: &Home, name: &str, measure: Measure) -> Option<i64> {
    match measure {
        Measure::Lived(limit) => Some(at(home, name, 1, "end").0 - at(home, name, 1, "main").0 - limit),
        Measure::Named => {
            let mut due = Value::Null;
            until("its second run is due, or has begun", || {
                let status = home.status(name);
                due = status["next_action_at"].clone();
                !due.is_null() || status["run"] == 2
            });
            let due: chrono::DateTime<chrono::Utc> = due.as_str()?.parse().unwrap();
            Some(at(home, name, 2, "main").1 - due.timestamp_millis())
        }
    }
}

#[test]
fn what_is_due_is_done_within_a_quarter_of_a_second_and_never_early_without_a_pass_of_cron() {
    let mut missed: Vec<_> = KINDS.iter().collect();
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let home = Home::new();
        let named = |kind: &str, nth: usize| format!("{kind}-{nth}");
        for (kind, options, line, _) in &missed {
            (0..AT_ONCE).for_each(|nth| home.up(&named(kind, nth), options, line));
        }
        // Those that name their moment first: it is soon over.
        missed.sort_by_key(|(.., measure)| !matches!(measure, Measure::Named));
        missed.retain(|(kind, _, _, measure)| {
            let all: Vec<i64> = (0..AT_ONCE).filter_map(|nth| lateness(&home, &named(kind, nth), *measure)).collect();
            assert!(all.iter().all(|late| *late >= 0), "{kind}: too early: {all:?} ms");
            let best = all.iter().min().copied();
            seen.push(format!("{kind}: {all:?}"));
            best.is_none_or(|best| best > LATEST_MS)
        });
        if missed.is_empty() {
            return;
        }
    }
    panic!(
        "later than {LATEST_MS} ms each time: {:?}, of {seen:#?}",
        missed.iter().map(|kind| kind.0).collect::<Vec<_>>()
    );
}

#[test]
fn a_watch_that_takes_long_keeps_no_other_from_being_judged_and_mended() {
    let home = Home::new();
    home.write_registry(format!(
        "[watch.a-slow]\ntimeout = \"60s\"\ncommand = \"read line < {}\"\n\
         [watch.down]\nafter = 1\ncommand = \"false\"\naction = \"echo yes > {}\"\n",
        home.path("pipe").display(),
        home.path("mended").display()
    ));
    nix::unistd::mkfifo(&home.path("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let mut pass = home.command(&["healthcheck"]).spawn().unwrap();
    until("the other is mended", || home.path("mended").exists());
    assert!(pass.try_wait().unwrap().is_none(), "the slow one is still looked at");
    std::fs::write(home.path("pipe"), "go\n").unwrap();
    pass.wait().unwrap();
    assert_eq!(crate::watches::seen(&home, "a-slow")["state"], "ok");
}
