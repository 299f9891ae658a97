//! When the log of a process had which size, so that `logs --since` finds its place although the
//! program writes its lines itself, without a time on them.
//!
//! Passes append a line when the log has grown since the last one: to the minute, at no cost to the
//! writer. Starts and ends of runs are exact; those stand in the runs' records. Positions outlive rotations.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use crate::error::Error;
use crate::model::name::Name;
use crate::model::rotation::Mark;
use crate::model::time::Wall;
use crate::policy::rotation::{Limits, is_due};

use super::atomic;
use super::log::{Extent, Log};
use super::paths::Paths;

/// Size at which the older half is let go, in bytes: about a month of minutes is kept at least.
const MAX: u64 = 2 << 20;

/// Bytes at the end of the index that have its last line, and surely more.
const LINES: usize = 256;

/// At that time the log had that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Wall,
    /// Position of the end of the log.
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

/// A log that is half full at least, or was rotated before, as a pass sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes that no part has yet.
    pub live: u64,
    /// It needs a rotation.
    pub due: bool,
    /// Its oldest line is as old as `log_every`.
    pub old: bool,
    /// How long it is now.
    pub now: Mark,
    /// How long it was when it was last looked at or rotated; `None`: never before.
    pub earlier: Option<Mark>,
}

/// Notes the size of the log, when it has changed since `last`, the time of the pass before. `Some`: it is half
/// full, or was rotated before.
///
/// # Errors
/// Log or index cannot be read or written, or the note of its rotations is damaged.
pub fn note(
    paths: &Paths,
    name: &Name,
    last: Option<Wall>,
    now: Wall,
    limits: Option<Limits>,
) -> Result<Option<Growth>, Error> {
    let log = paths.log(name);
    let Ok(metadata) = fs::metadata(&log) else { return Ok(None) };
    let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = written.and_then(|at| i64::try_from(at.as_millis()).ok());
    // A second of room: file systems and clocks round differently, and a line too many does no harm.
    let quiet = matches!((written, last), (Some(written), Some(last)) if written + 1000 < last.0);
    if quiet && limits.is_none_or(|limits| metadata.len() <= limits.max && limits.every.is_none()) {
        return Ok(None);
    }
    let (extent, growth) = grown(paths, name, metadata.len(), now, limits)?;
    if !quiet {
        append(paths, name, Sample { at: now, bytes: extent })?;
    }
    Ok(growth)
}

/// As [`note`], but notes nothing.
///
/// # Errors
/// As [`note`].
pub fn look(paths: &Paths, name: &Name, now: Wall, limits: Limits) -> Result<Option<Growth>, Error> {
    match fs::metadata(paths.log(name)) {
        Ok(metadata) => Ok(grown(paths, name, metadata.len(), now, Some(limits))?.1),
        Err(_) => Ok(None),
    }
}

/// Position of the end of the log, whose file has `size` bytes, and what that means for its limits.
fn grown(
    paths: &Paths,
    name: &Name,
    size: u64,
    now: Wall,
    limits: Option<Limits>,
) -> Result<(u64, Option<Growth>), Error> {
    let path = paths.log(name);
    let extent = Log::at(&path).sized(size).map_err(|error| Error::io("look at", &path, &error))?;
    let live = extent.end - extent.start;
    let due = |limits| is_due(live, extent.unfinished, limits);
    let every = limits.and_then(|limits| limits.every);
    let slow = live < limits.map_or(0, |limits| limits.max / 2) && extent.rotated.is_none() && every.is_none();
    if limits.is_none_or(|limits| slow && !due(limits)) {
        return Ok((extent.end, None));
    }
    let noted = last(paths, name).map(|sample| Mark { at: sample.at, end: sample.bytes });
    let earlier = noted.into_iter().chain(extent.rotated).max_by_key(|mark| mark.at);
    let old = every.is_some_and(|every| live > 0 && is_old(paths, name, &extent, now, every));
    let due = limits.is_some_and(due) || old;
    Ok((extent.end, Some(Growth { live, due, old, now: Mark { at: now, end: extent.end }, earlier })))
}

/// Whether the oldest line that no part has was written `every` ago, as far as the index goes back.
fn is_old(paths: &Paths, name: &Name, extent: &Extent, now: Wall, every: Duration) -> bool {
    if extent.rotated.is_some_and(|rotated| rotated.at.until(now) < every) {
        return false;
    }
    let Ok(samples) = read(paths, name) else { return false }; // not known is not old
    samples.iter().find(|sample| sample.bytes > extent.start).is_some_and(|oldest| oldest.at.until(now) >= every)
}

fn append(paths: &Paths, name: &Name, sample: Sample) -> Result<(), Error> {
    let index = path(paths, name);
    let fail = |error: std::io::Error| Error::io("append to", &index, &error);
    let noted = fs::metadata(&index).ok();
    if noted.is_some_and(|noted| noted.len() > MAX) {
        let samples = read(paths, name)?;
        let newer = samples.iter().skip(samples.len() / 2);
        let text: String = newer.map(Sample::line).collect();
        atomic::replace_unsynced_dir(&index, text.as_bytes())?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&index).map_err(fail)?;
    file.write_all(sample.line().as_bytes()).map_err(fail)
}

/// All samples, oldest first. A line that is none is passed over: it only makes the answer coarser.
///
/// # Errors
/// The index is there and cannot be read.
pub fn read(paths: &Paths, name: &Name) -> Result<Vec<Sample>, Error> {
    let Some(bytes) = atomic::read_if_there(&path(paths, name))? else { return Ok(Vec::new()) };
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(sample).collect())
}

/// The last sample, without reading the others; `None`: there is none, or it cannot be told.
fn last(paths: &Paths, name: &Name) -> Option<Sample> {
    let file = File::open(path(paths, name)).ok()?;
    let from = file.metadata().ok()?.len().saturating_sub(u64::try_from(LINES).ok()?);
    let mut bytes = [0; LINES];
    let read = file.read_at(&mut bytes, from).ok()?;
    String::from_utf8_lossy(bytes.get(..read)?).lines().rev().find_map(sample)
}

fn sample(line: &str) -> Option<Sample> {
    let mut numbers = line.split(' ');
    let sample = Sample { at: Wall(numbers.next()?.parse().ok()?), bytes: numbers.next()?.parse().ok()? };
    match numbers.next() {
        Some(check) => (check.strip_prefix('#')?.parse() == Ok(sample.check())).then_some(sample),
        None => Some(sample), // of an earlier build
    }
}
