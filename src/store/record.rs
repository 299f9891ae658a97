//! The record of one run: who shim and process are, which signals came, how it ended.
//!
//! Written by the shim alone (the process itself writes one line before it is executed), append-only,
//! JSON lines. The shim holds the lock on it for life, so whoever finds it free knows that the shim
//! is gone. A torn last line is dropped on read; a torn earlier line makes the record unreadable,
//! never empty.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::error::Error;
use crate::model::evidence::{Lock, Recorded, RunRecord, Said};
use crate::model::name::Name;
use crate::os::{self, lock, read};
use fs2::FileExt;

use super::atomic;
use super::checksum;
use super::paths::Paths;
pub use super::record_line::{Durable, Line};

/// Room that is set aside for each record, so that an end can be recorded on a full disk.
const SET_ASIDE: u64 = 4096;
/// Records of ended runs that are kept for `why --run` and `logs --run`.
const KEPT: u64 = 100;

/// Tries to get the lock of a record while others ask for it.
const ASKED: u32 = 50;

fn path(paths: &Paths, name: &Name, run: u64, kind: &str) -> PathBuf {
    paths.process_run(name, &format!("{run}.{kind}"))
}

/// Makes record and tree lock of a new run, both locked. The locks are let go when every descriptor is closed.
///
/// # Errors
/// A file cannot be made or locked. A record of that run that is there already is emptied: its start was
/// committed but never carried out.
pub fn create(paths: &Paths, name: &Name, run: u64) -> Result<(File, File), Error> {
    let made = |kind: &str| {
        let path = path(paths, name, run, kind);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| FileExt::lock_exclusive(&file).map(|()| file));
        file.map_err(|error| Error::io("create", &path, &error)).map(|file| (path, file))
    };
    let (path, record) = made("rec")?;
    record.set_len(0).map_err(|error| Error::io("empty", &path, &error))?;
    // Where the file system cannot set room aside, a full disk may cost the record of an end, no more.
    drop(os::descriptor::set_aside(&record, SET_ASIDE));
    let (_, tree) = made("tree")?;
    Ok((record, tree))
}

/// The record of a run whose shim is gone, to add to it. Takes no lock.
///
/// # Errors
/// It is not there, or cannot be written.
pub fn reopen(paths: &Paths, name: &Name, run: u64) -> Result<File, Error> {
    let path = path(paths, name, run, "rec");
    OpenOptions::new().read(true).append(true).open(&path).map_err(|error| Error::io("open", &path, &error))
}

/// The record of a run whose shim is gone, locked for a new one; `None`: somebody has the lock.
///
/// # Errors
/// It is not there, or cannot be used.
pub fn claim(paths: &Paths, name: &Name, run: u64) -> Result<Option<File>, Error> {
    let record = reopen(paths, name, run)?;
    for _ in 0..ASKED {
        match FileExt::try_lock_exclusive(&record) {
            Ok(()) => return Ok(Some(record)),
            // Somebody may only be asking, with a shared lock that is let go at once. A shim keeps it.
            Err(error) if lock::is_held(&error) => std::thread::sleep(std::time::Duration::from_millis(1)),
            Err(error) => return Err(Error::io("lock", &path(paths, name, run, "rec"), &error)),
        }
    }
    Ok(None)
}

/// The record of a run and whether its shim lives.
#[must_use]
pub fn read(paths: &Paths, name: &Name, run: u64) -> (Recorded, Lock) {
    let file = match read::open(&path(paths, name, run, "rec")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Recorded::Missing, Lock::Free),
        Err(error) => return (Recorded::Unreadable(error.to_string()), Lock::Unknown),
    };
    // The lock is asked first: when it is free, the record that is read after it is complete.
    let lock = lock::is_locked(&file);
    let mut bytes = Vec::new();
    match read::to_end(&file, &mut bytes) {
        Ok(()) => (parse(&bytes), lock),
        Err(error) => (Recorded::Unreadable(error.to_string()), lock),
    }
}

/// The file whose lock the processes of the run inherit.
#[must_use]
pub fn tree_path(paths: &Paths, name: &Name, run: u64) -> PathBuf {
    path(paths, name, run, "tree")
}

/// Whether a process of the run lives, going by the lock that they inherit.
#[must_use]
pub fn tree_lock(paths: &Paths, name: &Name, run: u64) -> Lock {
    lock::ask(&tree_path(paths, name, run))
}

fn parse(bytes: &[u8]) -> Recorded {
    let mut record = RunRecord::default();
    let (mut rest, mut number) = (bytes, 0);
    while !rest.is_empty() {
        let mut after = rest;
        let length = after.skip_until(b'\n').unwrap_or(rest.len()); // from memory: never fails
        let line = rest.get(..length).unwrap_or(rest);
        (rest, number) = (after, number + 1);
        if !checksum::is_intact(line) {
            return Recorded::Unreadable(format!("line {number}: its checksum does not fit"));
        }
        match checksum::read(line) {
            Ok(line) => add(&mut record, line),
            Err(_) if is_of_a_later_version(line) => {}
            Err(_) if rest.is_empty() && !line.ends_with(b"\n") => {} // torn: the writer was killed in it
            Err(error) => return Recorded::Unreadable(format!("line {number}: {error}")),
        }
    }
    // What the kernel's record had to add was written at the end, whenever it happened.
    record.signals.sort_by_key(|signal| signal.at);
    Recorded::Read(Box::new(record))
}

/// Whole, one kind of fact in it, and a kind that this build does not know: a later shim has more to say.
fn is_of_a_later_version(line: &[u8]) -> bool {
    const KNOWN: [&str; 17] = [
        "shim",
        "main",
        "placed",
        "untraced",
        "unseen",
        "signal",
        "taken_over",
        "adopted",
        "followed",
        "gone",
        "spawn_failed",
        "preparing",
        "preflight",
        "preflight_failed",
        "ready",
        "said",
        "end",
    ];
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(line);
    parsed.is_ok_and(|line| line.len() == 1 && !line.keys().any(|kind| KNOWN.contains(&kind.as_str())))
}

fn add(record: &mut RunRecord, line: Line) {
    match line {
        Line::Shim { who, log_bytes, .. } => (record.shim, record.log_began) = (Some(who), log_bytes),
        Line::Main { who, at } => (record.main, record.began) = (Some(who), Some(at)),
        Line::Placed { placed } => record.placed = Some(placed),
        Line::Untraced { errno } => record.untraced = Some(errno),
        Line::Unseen { why } => record.unseen = Some(why),
        Line::Signal { record: signal } => record.signals.push(*signal),
        Line::TakenOver { who, takeover } => {
            (record.shim, record.untraced) = (Some(who), takeover.untraced);
            record.taken_over.push(takeover);
        }
        Line::Adopted { at } => record.adopted = Some(at),
        Line::Followed { who, after } => {
            (record.main, record.untraced) = (Some(who), after.untraced);
            record.followed.push(after);
        }
        Line::Gone { gone, more_signals } => (record.gone, record.more_signals) = (Some(*gone), more_signals),
        Line::SpawnFailed { failure } => record.spawn_failure = Some(failure),
        Line::Preparing { .. } => record.preparing = true,
        Line::Preflight { log_bytes } => (record.preparing, record.program_log) = (false, log_bytes),
        Line::PreflightFailed { failure } => record.preflight_failure = Some(failure),
        Line::Ready { ready } => record.ready = record.ready.take().or(Some(ready)), // the first one who saw it
        Line::Said { said: Said::Stopping(at) } => record.stopping = Some(at),
        Line::Said { said: Said::Main(pid) } => record.named_main = Some(pid),
        Line::Said { said: Said::Extended(until) } => record.extended = Some(until),
        Line::End { end, more_signals } => (record.end, record.more_signals) = (Some(*end), more_signals),
    }
}

/// Where the output of a run begins and ends in the log, in bytes; `None`: not known, and for the end also: it goes on.
///
/// A run whose end nobody recorded wrote at most up to where the next one began.
#[must_use]
pub fn output(paths: &Paths, name: &Name, run: u64) -> (Option<u64>, Option<u64>) {
    let of = |run| match read(paths, name, run).0 {
        Recorded::Read(record) => Some(record),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    let Some(record) = of(run) else { return (None, None) };
    let gone = record.gone.as_ref().and_then(|gone| gone.log_bytes);
    let ended = record.end.as_ref().and_then(|end| end.log_bytes).or(gone);
    (record.log_began, ended.or_else(|| of(run + 1).and_then(|next| next.log_began)))
}

/// Makes the directory for records.
///
/// # Errors
/// It cannot be made.
pub fn prepare(paths: &Paths, name: &Name) -> Result<(), Error> {
    atomic::make_dir(&paths.process(name).join("run"))
}

/// Removes the record that falls out of the [`KEPT`] newest ones when `run` begins.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget_oldest(paths: &Paths, name: &Name, run: u64) -> Result<(), Error> {
    let Some(old) = run.checked_sub(KEPT) else { return Ok(()) };
    super::metadata::forget(paths, name, old)?;
    atomic::remove_if_there(&path(paths, name, old, "rec"))?;
    super::says::forget(paths, name, old)?;
    super::notify::forget(paths, name, old)?;
    atomic::remove_if_there(&path(paths, name, old, "hang"))?;
    atomic::remove_if_there(&path(paths, name, old, "tree"))
}

/// The oldest run whose record is kept when `run` is the last one.
#[must_use]
pub fn oldest_kept(run: u64) -> u64 {
    run.saturating_sub(KEPT - 1)
}

/// The files of each run that anything lies there of, the record last.
///
/// # Errors
/// The directory cannot be read.
pub fn files(paths: &Paths, name: &Name) -> Result<BTreeMap<u64, Vec<PathBuf>>, Error> {
    let dir = paths.process(name).join("run");
    let fail = |error: io::Error| Error::io("read", &dir, &error);
    let mut found: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(fail(error)),
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let run = entry.file_name().to_str().and_then(|name| name.split_once('.')?.0.parse().ok());
        if let Some(run) = run {
            found.entry(run).or_default().push(entry.path());
        }
    }
    for files in found.values_mut() {
        files.sort_by_key(|file| file.extension().is_some_and(|kind| kind == "rec"));
    }
    Ok(found)
}

/// Runs whose record is there, ascending.
///
/// # Errors
/// The directory cannot be read.
pub fn runs(paths: &Paths, name: &Name) -> Result<Vec<u64>, Error> {
    let dir = paths.process(name).join("run");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", &dir, &error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("read", &dir, &error))?;
        let number = entry.file_name().to_str().and_then(|name| name.strip_suffix(".rec")?.parse::<u64>().ok());
        runs.extend(number);
    }
    runs.sort_unstable();
    Ok(runs)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
