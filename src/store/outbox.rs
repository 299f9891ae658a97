//! The outbox: one file for each notification and sink, until it is delivered or given up.
//!
//! Written by a pass when it commits, emptied by `alert::drain`. A file's name is derived from
//! event and sink, so putting a notification twice is putting it once. What cannot be read is
//! reported and left alone. Decides nothing: that is `policy::delivery`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{atomic, checksum, ledger, paths::Paths};
use crate::error::{Code, Error};
use crate::model::delivery::{Entry, SCHEMA};
use crate::model::event::Notification;
use crate::model::time::Stamp;

/// What [`put`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not known and waits now.
    Queued,
    /// It waits already.
    Pending,
    /// It was given up; `alerts retry` brings it back.
    Dead,
    /// It was delivered.
    Delivered,
}

/// The entries of one directory, and what could not be read there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// In the order of their files' names.
    pub entries: Vec<Entry>,
    /// A sentence for each file that is no entry.
    pub unreadable: Vec<String>,
    /// Whether the directory of what was given up is there as well.
    has_dead: bool,
}

impl Listing {
    /// Whether nothing lies there, not even something that cannot be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unreadable.is_empty()
    }
}

/// Which part of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// To be delivered.
    Pending,
    /// Given up.
    Dead,
}

/// What was given up lies in this directory of the outbox.
const DEAD: &str = "dead";

fn dir(paths: &Paths, part: Part) -> PathBuf {
    match part {
        Part::Pending => paths.outbox(),
        Part::Dead => paths.outbox().join(DEAD),
    }
}

/// The lock that whoever delivers to this sink holds, for as long as that takes.
#[must_use]
pub fn sink_lock(paths: &Paths, sink: &str) -> PathBuf {
    paths.outbox().join(format!("{}.sink", safe(sink)))
}

/// The lock that whoever changes the outbox or its ledger holds, for a moment: never while something is sent.
#[must_use]
pub fn lock(paths: &Paths) -> PathBuf {
    paths.outbox().join("outbox.lock")
}

/// Bytes of a file name that come from a sink's name or an id; the rest is a hash.
const PART_MAX: usize = 110;

/// A text as part of a file name or id, distinct for distinct texts, also where case is ignored.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut name = String::new();
    for (nth, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if nth > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > PART_MAX {
        name.truncate(PART_MAX);
        name.push_str(&format!("%{:016x}", crate::policy::delivery::hash(text)));
    }
    name
}

fn file(paths: &Paths, part: Part, id: &str, sink: &str) -> PathBuf {
    dir(paths, part).join(format!("{}@{}.json", safe(id), safe(sink)))
}

/// Queues a notification for a sink, durably, unless it waits there, was given up, or was delivered.
///
/// Locks nothing: it must not wait for a slow delivery. The caller is the only one who puts this
/// event (it holds the lock of the process).
///
/// # Errors
/// The entry cannot be written: the caller keeps the event and puts it again later.
pub fn put(paths: &Paths, notification: &Notification, sink: &str, now: &Stamp) -> Result<Put, Error> {
    let id = &notification.event.id;
    let path = file(paths, Part::Pending, id, sink);
    // In this order: entries move from pending to dead, and from pending to the ledger.
    if exists(&path)? {
        return Ok(Put::Pending);
    }
    if exists(&file(paths, Part::Dead, id, sink))? {
        return Ok(Put::Dead);
    }
    if ledger::holds(paths, id, sink)? {
        return Ok(Put::Delivered);
    }
    atomic::make_dir(&paths.outbox())?;
    write(&path, &Entry::new(notification.clone(), sink, now.clone()))?;
    Ok(Put::Queued)
}

/// Whether a notification waits for this sink, was given up or was delivered.
///
/// # Errors
/// Outbox or ledger cannot be read.
pub fn is_known(paths: &Paths, id: &str, sink: &str) -> Result<bool, Error> {
    Ok(exists(&file(paths, Part::Pending, id, sink))?
        || exists(&file(paths, Part::Dead, id, sink))?
        || ledger::holds(paths, id, sink)?)
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| Error::io("look for", path, &error))
}

fn write(path: &Path, entry: &Entry) -> Result<(), Error> {
    let content = serde_json::to_vec(entry)
        .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode an outbox entry: {error}")))?;
    atomic::replace(path, &checksum::seal(content))
}

/// Replaces a pending entry, after a failed try. The caller holds the outbox lock.
///
/// # Errors
/// It cannot be written; the old one then stands.
pub fn update(paths: &Paths, entry: &Entry) -> Result<(), Error> {
    write(&file(paths, Part::Pending, entry.id(), &entry.sink), entry)
}

/// Takes a delivered entry out. The caller holds the outbox lock and has written the receipt.
///
/// # Errors
/// It cannot be removed; its receipt keeps it from being sent again.
pub fn remove(paths: &Paths, entry: &Entry) -> Result<(), Error> {
    atomic::remove_if_there(&file(paths, Part::Pending, entry.id(), &entry.sink))
}

/// Where an entry lies that was given up.
#[must_use]
pub fn dead_file(paths: &Paths, entry: &Entry) -> PathBuf {
    file(paths, Part::Dead, entry.id(), &entry.sink)
}

/// Gives an entry up: it moves to the dead ones, with its last error. The caller holds the outbox lock.
///
/// # Errors
/// It cannot be moved; it then stays pending.
pub fn bury(paths: &Paths, entry: &Entry) -> Result<(), Error> {
    update(paths, &Entry { not_before: None, ..entry.clone() })?;
    atomic::make_dir(&dir(paths, Part::Dead))?;
    rename(paths, entry, Part::Pending, Part::Dead)
}

fn rename(paths: &Paths, entry: &Entry, from: Part, to: Part) -> Result<(), Error> {
    let target = file(paths, to, entry.id(), &entry.sink);
    let sync = |part| File::open(dir(paths, part)).and_then(|dir| dir.sync_all());
    fs::rename(file(paths, from, entry.id(), &entry.sink), &target)
        .and_then(|()| sync(to))
        .and_then(|()| sync(from))
        .map_err(|error| Error::io("move to", &target, &error))
}

/// Makes everything due at once: pending entries lose their wait, dead ones come back. The caller
/// holds the outbox lock. Returns how many are pending now.
///
/// # Errors
/// An entry cannot be written or moved.
pub fn retry_all(paths: &Paths) -> Result<usize, Error> {
    let fresh = |mut entry: Entry| {
        entry.not_before = None;
        entry.asked = None;
        entry.first_failed = None;
        entry
    };
    let pending = list(paths, Part::Pending)?.entries;
    for entry in pending.iter().filter(|entry| entry.not_before.is_some()) {
        update(paths, &fresh(entry.clone()))?;
    }
    let dead = list(paths, Part::Dead)?.entries;
    for entry in dead.iter().cloned().map(fresh) {
        write(&file(paths, Part::Dead, entry.id(), &entry.sink), &entry)?;
        rename(paths, &entry, Part::Dead, Part::Pending)?;
    }
    Ok(pending.len() + dead.len())
}

/// Reads both parts: what waits, what was given up. Where nothing was ever given up that is one directory, where nothing was
/// ever queued not even that.
///
/// # Errors
/// A directory exists and cannot be read.
pub fn whole(paths: &Paths) -> Result<(Listing, Listing), Error> {
    let pending = list(paths, Part::Pending)?;
    let dead = if pending.has_dead { list(paths, Part::Dead)? } else { Listing::default() };
    Ok((pending, dead))
}

/// Reads all entries of one part. An unreadable file is reported and stops nothing.
///
/// # Errors
/// The directory exists and cannot be read.
pub fn list(paths: &Paths, part: Part) -> Result<Listing, Error> {
    let (found, has_dead) = files(paths, part)?;
    Ok(Listing { has_dead, ..read_all(found) })
}

/// What waits for one sink; the entries of all others are not even opened.
///
/// # Errors
/// As [`list`].
pub fn waiting(paths: &Paths, sink: &str) -> Result<Listing, Error> {
    names(paths, sink).map(read_all)
}

/// The files of what waits for one sink, in order.
///
/// # Errors
/// As [`list`].
pub fn names(paths: &Paths, sink: &str) -> Result<Vec<PathBuf>, Error> {
    let suffix = format!("@{}.json", safe(sink));
    let (mut found, _) = files(paths, Part::Pending)?;
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&suffix)));
    Ok(found)
}

/// The files of one part, in order, and whether the directory of what was given up is there as well.
fn files(paths: &Paths, part: Part) -> Result<(Vec<PathBuf>, bool), Error> {
    let dir = dir(paths, part);
    let fail = |error: io::Error| Error::io("read directory", &dir, &error);
    let files = match fs::read_dir(&dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(fail(error)),
    };
    let (mut found, mut has_dead) = (Vec::new(), false);
    for file in files {
        let path = file.map_err(fail)?.path();
        has_dead |= path.ends_with(DEAD);
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok((found, has_dead))
}

fn read_all(found: Vec<PathBuf>) -> Listing {
    let mut listing = Listing::default();
    for path in found {
        match read(&path) {
            Ok(Some(entry)) => listing.entries.push(entry),
            Ok(None) => {} // delivered since the directory was read
            Err(why) => listing.unreadable.push(format!("outbox entry `{}` {why}", path.display())),
        }
    }
    listing
}

fn read(path: &Path) -> Result<Option<Entry>, String> {
    let Some(content) = atomic::read_if_there(path).map_err(|error| error.message)? else { return Ok(None) };
    if !checksum::is_intact(&content) {
        return Err("is damaged: its checksum does not fit".to_owned());
    }
    let entry = serde_json::from_slice::<Entry>(&content).map_err(|error| format!("is not valid: {error}"))?;
    if entry.schema > SCHEMA {
        return Err(format!("was written by a newer guardian (schema {})", entry.schema));
    }
    // A copy under another name would be sent under one and removed under the other.
    let expected = format!("{}@{}.json", safe(entry.id()), safe(&entry.sink));
    if path.file_name().is_none_or(|name| name.to_string_lossy() != expected) {
        return Err(format!("holds what belongs into `{expected}`"));
    }
    Ok(Some(entry))
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
