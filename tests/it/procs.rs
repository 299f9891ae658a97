//! What `/proc` says of processes, and signals to them. Believes nothing that guardian says.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The longest that anything may take before a test calls it broken; far more than it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `probe` gives a value; panics with `what` when [`PATIENCE`] is over.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe)
}

/// Polls until `probe` gives a value; panics with `what` when `limit` is over.
#[track_caller]
pub(crate) fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = now_ms() + u64::try_from(limit.as_millis()).unwrap();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(now_ms() < deadline, "waited {limit:?} in vain: {what}");
        // Between two looks at a condition, not in place of one.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As [`eventually`], for a plain condition.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}

/// Milliseconds on the boot clock.
pub(crate) fn now_ms() -> u64 {
    guardian::os::clock::boot_ms().unwrap()
}

/// The fields of `/proc/PID/stat` behind the name: state, ppid, pgrp, session, …
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Whether the process exists and is not a zombie.
pub(crate) fn alive(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

pub(crate) fn parent(pid: i32) -> i32 {
    stat(pid).unwrap_or_else(|| panic!("no process {pid}"))[1].parse().unwrap()
}

pub(crate) fn group(pid: i32) -> i32 {
    stat(pid).unwrap_or_else(|| panic!("no process {pid}"))[2].parse().unwrap()
}

pub(crate) fn session(pid: i32) -> i32 {
    stat(pid).unwrap_or_else(|| panic!("no process {pid}"))[3].parse().unwrap()
}

/// The command line with spaces between the arguments; empty when the process is gone.
pub(crate) fn cmdline(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

/// Every process there is.
pub(crate) fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Children, their children, and so on, by parent pid.
pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    let table: Vec<(i32, i32)> =
        all().into_iter().filter_map(|pid| Some((pid, stat(pid)?[1].parse().unwrap()))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let above = found[next];
        found.extend(table.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Live processes whose environment holds this `NAME=value`; one whose first thread has ended lives on in the others.
pub(crate) fn carrying(variable: &str) -> Vec<i32> {
    let holds = |path: String| {
        let Ok(environ) = fs::read(path) else { return false };
        environ.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let lives_on = |pid: i32| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let mut others = threads.filter_map(|thread| thread.file_name().to_str()?.parse::<i32>().ok());
        others.any(|thread| thread != pid && holds(format!("/proc/{pid}/task/{thread}/environ")))
    };
    let is_ours = |pid: i32| if alive(pid) { holds(format!("/proc/{pid}/environ")) } else { lives_on(pid) };
    all().into_iter().filter(|pid| is_ours(*pid)).collect()
}

/// Sends a signal; a process that is gone already is fine.
pub(crate) fn signal(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("cannot signal {pid}: {error}"),
    }
}

/// SIGKILL, for all of them at once: stopped first, so that none sees another's end.
pub(crate) fn kill_together(pids: &[i32]) {
    for pid in pids {
        signal(*pid, Signal::SIGSTOP);
    }
    for pid in pids {
        signal(*pid, Signal::SIGKILL);
    }
    until("killed processes are gone", || pids.iter().all(|pid| !alive(*pid)));
}
