//! The history of one process: one event a line, newest last, append-only.
//!
//! A torn last line is dropped on read and closed off before the next append. An event that was
//! appended twice (a crash between append and commit) is read once: events carry derived ids.
//! When the file reaches its limit it becomes the older half, and the half before that is let go.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::model::event::Event;
use crate::model::name::Name;

use super::atomic;
use super::paths::Paths;
use super::record::Durable;

/// Size at which the journal of one process is turned over; so at most twice this is kept.
const TURN_OVER: u64 = 4 << 20;

/// The journal of `name`.
#[must_use]
pub fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.process(name).join("events.jsonl")
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
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
        serde_json::to_writer(&mut bytes, event)
            .map_err(|error| Error::new(Code::Bug, "bug", format!("event cannot be written down: {error}")))?;
        bytes.push(b'\n');
    }
    file.write_all(&bytes).map_err(fail)?;
    if durable == Durable::Yes {
        file.sync_data().map_err(fail)?;
    }
    if file.metadata().map_err(fail)?.len() > TURN_OVER {
        fs::rename(&path, older(&path)).map_err(fail)?;
    }
    Ok(())
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

/// What could be read of a history.
#[derive(Debug, Default)]
pub struct History {
    /// Events, oldest first, each id once.
    pub events: Vec<Event>,
    /// Lines that are no events: gaps that are shown, not hidden.
    pub damaged: usize,
}

/// The history of `name`, oldest first.
///
/// # Errors
/// A file is there and cannot be read.
pub fn read(paths: &Paths, name: &Name) -> Result<History, Error> {
    let path = path(paths, name);
    let mut history = History::default();
    let mut seen = HashSet::new();
    for file in [older(&path), path] {
        let Some(bytes) = atomic::read_if_there(&file)? else { continue };
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) if seen.insert(event.id.clone()) => history.events.push(event),
                Ok(_) => {}
                Err(_) if line == b"\n" => {}
                Err(_) if lines.peek().is_none() && !line.ends_with(b"\n") => {} // torn: being written, or a crash
                Err(_) => history.damaged += 1,
            }
        }
    }
    Ok(history)
}
