//! The same rows with the shim killed at a random moment: what may then be said, and what never.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::row::Row;
use super::scene::{Scene, carries};
use super::seen::{Seen, see};
use crate::procs::{alive, now_ms, signal, until};

/// What became of one row.
pub(super) struct Shimless {
    /// When the shim was killed, in microseconds after it was seen; `None`: it was gone by itself.
    pub(super) after_us: Option<u64>,
    pub(super) seen: Seen,
}

/// From `GUARDIAN_WAYS_SEED`, to play a run again; else another one each time.
pub(super) fn seed() -> u64 {
    let given =
        std::env::var("GUARDIAN_WAYS_SEED").ok().map(|text| text.parse().expect("GUARDIAN_WAYS_SEED: a number"));
    given.unwrap_or_else(|| now_ms() % 1_000_000)
}

/// When, in microseconds after the shim began: most of them soon, as most is done then.
fn moment(seed: u64, name: &str) -> u64 {
    let mut mixed = name
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^= mixed >> 33;
    (mixed >> 2) % [2_000, 10_000, 50_000, 200_000][usize::try_from(mixed & 3).unwrap()]
}

/// The shim of the first run: from the record, which it begins; and it must be one of this home.
fn shim_of(root: &Path, record: &Path) -> Option<i32> {
    let text = fs::read_to_string(record).ok()?;
    let line: Value = serde_json::from_str(text.lines().next()?).ok()?;
    let pid = i32::try_from(line["shim"]["who"]["pid"].as_i64()?).ok()?;
    let argv0 = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    (argv0.starts_with(b"guardian-shim") && carries(pid, root)).then_some(pid)
}

/// Waits for the shim, then for the moment, and kills it.
fn kill_it(root: &Path, record: &Path, after_us: u64, over: &AtomicBool) -> Option<u64> {
    let shim = loop {
        if let Some(pid) = shim_of(root, record) {
            break pid;
        }
        if over.load(Ordering::Relaxed) {
            return None;
        }
        std::thread::sleep(Duration::from_micros(200)); // between two looks
    };
    std::thread::sleep(Duration::from_micros(after_us)); // the moment itself
    let lived = shim_of(root, record) == Some(shim) && alive(shim);
    if lived {
        signal(shim, Signal::SIGKILL);
    }
    lived.then_some(after_us)
}

/// What is left of a cause when the kernel said how the program ended, to a shim that took over, and no longer of which
/// limit it was.
fn less_than(cause: &str) -> Option<&'static str> {
    match cause.split(' ').next() {
        Some("cpu_limit") => Some("signaled SIGXCPU"),
        Some("file_size_limit") => Some("signaled SIGXFSZ"),
        Some("oom_killed") => Some("signaled SIGKILL"),
        _ => None,
    }
}

/// Plays a row; panics when something false was said, or something was started twice, or a death was kept silent.
pub(super) fn play(row: &'static Row, seed: u64) -> Shimless {
    let scene = Scene::new(row, true);
    let root: PathBuf = scene.home.root();
    let record = scene.home.state_dir().join("process").join(row.name).join("run/1.rec");
    let over = AtomicBool::new(false);
    let after_us = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_it(&root, &record, moment(seed, row.name), &over));
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.play()));
        over.store(true, Ordering::Relaxed);
        let after_us = killer.join().unwrap();
        match played {
            Ok(()) => after_us,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let wanted = row.wanted_here();
    let seen = see(&scene);
    let said = format!("shim killed after {after_us:?} µs: {seen:?}");
    let finished = scene.finished.get() && seen.cause == "signaled SIGKILL";
    let known = seen.cause == wanted.cause || finished || less_than(&wanted.cause) == Some(&seen.cause);
    assert!(known || ["shim_killed", "unknown"].contains(&seen.cause.as_str()), "a false cause: {said}");
    if seen.cause == wanted.cause {
        assert_eq!(seen.verdict, wanted.verdict, "{said}");
    } else {
        // The operator's word, or that of `stop_at_target`, stands whatever the cause.
        let asked = ["stopped", "completed"].contains(&wanted.verdict.as_str()) && seen.verdict == wanted.verdict;
        let by_guardian = asked && (wanted.verdict == "stopped" || row.name == "stop-at-target");
        assert!(by_guardian || ["premature", "failed"].contains(&seen.verdict.as_str()), "a false verdict: {said}");
        assert!(seen.told || seen.verdict == wanted.verdict && by_guardian, "nobody was told: {said}");
    }
    assert!(seen.told || !wanted.told, "nobody was told: {said}");
    for signal in &seen.signals {
        let by_the_scene = scene.finished.get() && signal == "SIGKILL from the test";
        // With the shim gone, the murderer aims at the program.
        let straight = |sent: &String| sent.strip_suffix(", to the shim") == Some(signal);
        let wanted = wanted.signals.contains(signal) || wanted.signals.iter().any(straight);
        assert!(by_the_scene || wanted, "a signal that nobody sent, `{signal}`: {said}");
    }
    assert!(!scene.home.path("doubled").exists(), "started beside one that lived: {said}");
    if row.is_job() {
        let twice = seen.starts.is_some_and(|starts| starts > wanted.starts.unwrap_or(1));
        assert!(!twice, "a job was started twice: {said}");
    }
    until("what follows has begun", || scene.status()["state"] != "starting");
    Shimless { after_us, seen }
}
