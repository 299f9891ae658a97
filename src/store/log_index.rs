//! When the log of a process had which size, so that `logs --since` finds its place although the
//! program writes its lines itself, without a time on them.
//!
//! Passes append a line when the log has grown since the last one: to the minute, at no cost to the
//! writer. Starts and ends of runs are exact; those stand in the runs' records.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use crate::error::Error;
use crate::model::name::Name;
use crate::model::time::Wall;

use super::atomic;
use super::paths::Paths;

/// Size at which the older half is let go, in bytes: about a month of minutes is kept at least.
const MAX: u64 = 2 << 20;

/// At that time the log had that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Wall,
    /// Size of the log, in bytes.
    pub bytes: u64,
}

impl Sample {
    /// Tells a flipped bit.
    fn check(&self) -> u64 {
        self.at.0.unsigned_abs() ^ self.bytes
    }

    fn line(&self) -> String {
        format!("{} {} #{}\n", self.at.0, self.bytes, self.check())
    }
}

fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.log(name).with_extension("log.index")
}

/// Notes the size of the log, when it has changed since `last`, the time of the pass before.
///
/// # Errors
/// Log or index cannot be read or written. Nothing but `--since` depends on it.
pub fn note(paths: &Paths, name: &Name, last: Option<Wall>, now: Wall) -> Result<(), Error> {
    let (log, index) = (paths.log(name), path(paths, name));
    let Ok(log) = fs::metadata(&log) else { return Ok(()) };
    let fail = |error: std::io::Error| Error::io("append to", &index, &error);
    let written = log.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = written.and_then(|at| i64::try_from(at.as_millis()).ok());
    // A second of room: file systems and clocks round differently, and a line too many does no harm.
    if matches!((written, last), (Some(written), Some(last)) if written + 1000 < last.0) {
        return Ok(());
    }
    let noted = fs::metadata(&index).ok();
    if noted.is_some_and(|noted| noted.len() > MAX) {
        let samples = read(paths, name)?;
        let newer = samples.iter().skip(samples.len() / 2);
        let text: String = newer.map(Sample::line).collect();
        atomic::replace_unsynced_dir(&index, text.as_bytes())?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&index).map_err(fail)?;
    file.write_all(Sample { at: now, bytes: log.len() }.line().as_bytes()).map_err(fail)
}

/// All samples, oldest first. A line that is none is passed over: it only makes the answer coarser.
///
/// # Errors
/// The index is there and cannot be read.
pub fn read(paths: &Paths, name: &Name) -> Result<Vec<Sample>, Error> {
    let Some(bytes) = atomic::read_if_there(&path(paths, name))? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let sample = |line: &str| {
        let mut numbers = line.split(' ');
        let sample = Sample { at: Wall(numbers.next()?.parse().ok()?), bytes: numbers.next()?.parse().ok()? };
        match numbers.next() {
            Some(check) => (check.strip_prefix('#')?.parse() == Ok(sample.check())).then_some(sample),
            None => Some(sample), // of an earlier build
        }
    };
    Ok(text.lines().filter_map(sample).collect())
}
