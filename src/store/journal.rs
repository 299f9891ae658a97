//! The history of one process: one event a line, newest last, append-only.
//!
//! What was appended twice (a crash between append and commit) is read once: events carry derived ids. A line that is torn or
//! damaged is a gap that is shown in its place; one of a later build is passed over and counted.
//!
//! Kept: at most twice 4 MiB, in two halves, the older of which goes when the newer is full; and for 90 days, but always the
//! newest thousand events. Halves are renamed and removed as a whole, so no event is ever lost to a writer that comes between.

use std::collections::HashSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fs2::FileExt;
use serde::Deserialize;

use crate::error::{Code, Error};
use crate::model::event::{Event, SCHEMA};
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::os::clock;

use super::atomic;
use super::checksum;
use super::paths::Paths;
use super::record::Durable;

/// Size at which the journal of one process is turned over; so at most twice this is kept.
const TURN_OVER: u64 = 4 << 20;
/// Events younger than this are kept, unless they are too many.
const KEPT_FOR: Duration = Duration::from_secs(90 * 86_400);
/// So many of the newest events are kept however old they are.
const KEPT: usize = 1000;
/// A last line without its end is no damage yet for so long.
const WRITING: Duration = Duration::from_secs(1);

/// The journal of `name`.
#[must_use]
pub fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.process(name).join("events.jsonl")
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

/// Whether anything is remembered of `name`.
#[must_use]
pub fn is_there(paths: &Paths, name: &Name) -> bool {
    let path = path(paths, name);
    path.exists() || older(&path).exists()
}

/// Appends `events`; with `Durable::Yes` they are on the disk when this returns. The lock of `name` is held by the caller.
///
/// # Errors
/// It cannot be written.
pub fn append(paths: &Paths, name: &Name, events: &[Event], durable: Durable) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let path = path(paths, name);
    let fail = |error: std::io::Error| Error::io("append to", &path, &error).about(name);
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(fail)?;
    let mut bytes = Vec::new();
    if !ends_with_newline(&mut file).map_err(fail)? {
        bytes.push(b'\n');
    }
    for event in events {
        let line = serde_json::to_vec(event)
            .map_err(|error| Error::new(Code::Bug, "bug", format!("event cannot be written down: {error}")))?;
        bytes.extend(checksum::seal(line));
        bytes.push(b'\n');
    }
    file.write_all(&bytes).map_err(fail)?;
    if durable == Durable::Yes {
        file.sync_data().map_err(fail)?;
    }
    if file.metadata().map_err(fail)?.len() > TURN_OVER {
        turn_over(&path, &file).map_err(fail)?;
    }
    Ok(())
}

/// The journal becomes the older half, unless somebody else has just done that: deliveries append without any lock.
fn turn_over(path: &Path, file: &File) -> std::io::Result<()> {
    if FileExt::try_lock_exclusive(file).is_err() {
        return Ok(());
    }
    let (there, open) = (fs::metadata(path)?, file.metadata()?);
    if (there.dev(), there.ino()) == (open.dev(), open.ino()) { fs::rename(path, older(path)) } else { Ok(()) }
}

/// Lets go of what is older than 90 days, but not of the newest thousand events. For one pass a day; the lock of `name`
/// need not be held.
///
/// # Errors
/// A file cannot be read, renamed or removed.
pub fn prune(paths: &Paths, name: &Name, now: Wall) -> Result<(), Error> {
    let path = path(paths, name);
    let old = older(&path);
    let fail = |error: std::io::Error| Error::io("prune", &path, &error).about(name);
    match fs::metadata(&old) {
        Ok(half) => {
            if is_old(written(&half), now) && lines(&path).map_err(fail)? >= KEPT {
                atomic::remove_if_there(&old)?;
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let Ok(file) = File::open(&path) else { return Ok(()) }; // nothing has happened to it yet
            let mut first = String::new();
            BufReader::new(&file).read_line(&mut first).map_err(fail)?;
            let first: Option<Event> = serde_json::from_str(&first).ok();
            if is_old(first.map(|event| event.at), now) { turn_over(&path, &file).map_err(fail) } else { Ok(()) }
        }
        Err(error) => Err(fail(error)),
    }
}

/// Not known when is not old.
fn is_old(at: Option<Wall>, now: Wall) -> bool {
    at.is_some_and(|at| at.until(now) > KEPT_FOR)
}

fn written(file: &Metadata) -> Option<Wall> {
    let since = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Wall)
}

fn lines(path: &Path) -> std::io::Result<usize> {
    Ok(fs::read(path)?.iter().filter(|byte| **byte == b'\n').count())
}

/// True as well for an empty file.
fn ends_with_newline(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Lines that are no events any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// How many events of the history stand before it.
    pub after: usize,
    /// How many lines, one after the other.
    pub lines: usize,
    /// The file that is damaged.
    pub file: PathBuf,
}

/// What could be read of a history.
#[derive(Debug, Default)]
pub struct History {
    /// Events, oldest first, each id once.
    pub events: Vec<Event>,
    /// What is missing between them.
    pub gaps: Vec<Gap>,
    /// Lines that a later build wrote.
    pub later: usize,
}

/// The history of `name`, oldest first. What is being written is no gap yet.
///
/// # Errors
/// A file is there and cannot be read.
pub fn read(paths: &Paths, name: &Name) -> Result<History, Error> {
    let path = path(paths, name);
    let mut history = History::default();
    let mut seen = HashSet::new();
    for file in [older(&path), path] {
        let Some(bytes) = atomic::read_if_there(&file)? else { continue };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let event = Some(line)
                .filter(|line| checksum::is_intact(line))
                .and_then(|line| serde_json::from_slice::<Event>(line).ok());
            match event {
                Some(event) if seen.insert(event.id.clone()) => history.events.push(event),
                Some(_) => {}
                None if line == b"\n" => {}
                None if is_of_a_later_version(line) => history.later += 1,
                None if !line.ends_with(b"\n") && is_being_written(&file) => {}
                None => history.gap(&file),
            }
        }
    }
    Ok(history)
}

impl History {
    fn gap(&mut self, file: &Path) {
        let after = self.events.len();
        match self.gaps.last_mut() {
            Some(gap) if gap.after == after && gap.file == file => gap.lines += 1,
            Some(_) | None => self.gaps.push(Gap { after, lines: 1, file: file.to_owned() }),
        }
    }
}

/// Whole, but of a kind that this build does not know: sealed as it was written, or with a later schema.
fn is_of_a_later_version(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Option<Version> = serde_json::from_slice(line).ok();
    version.is_some_and(|version| checksum::is_sealed(line) || (version.schema > SCHEMA && checksum::is_intact(line)))
}

fn is_being_written(file: &Path) -> bool {
    let written = fs::metadata(file).ok().as_ref().and_then(written);
    written.zip(clock::wall().ok()).is_some_and(|(written, now)| written.until(now) < WRITING)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
