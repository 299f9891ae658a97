//! Rotation of a log under the program that writes it: its beginning is copied into a part, then taken away.
//!
//! The program appends, and notices nothing. Each step may be the last one, by a kill or a power cut:
//!
//! 1. the part is copied, and on the disk: nobody reads it yet, the next rotation overwrites it;
//! 2. the note says that the part is the place to read: what the file has of it as well is passed over by readers;
//! 3. whole blocks at the beginning of the file become a hole, and the note says so, and that they are about to go;
//! 4. the hole is taken out (ext4, xfs), and the note says so. Between the two, whether the file begins with a hole tells
//!    which it is. Elsewhere the hole stays: the file seems to grow, its place on the disk does not.
//!
//! Where the file system has no holes, the rest is copied too and the file emptied; what is written in between is lost,
//! and the note says when. Nothing here decides: [`crate::policy::rotation`] does.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::error::Error;
use crate::model::rotation::{Mark, Part, Rotation};
use crate::model::time::Wall;
use crate::os::{lock, shrink};
use crate::policy::rotation::{Emptied, Limits, Segment, kept, live, settled};

mod care;

pub use care::{compress, drop_until};

use super::log::{left, see};
use super::paths::Paths;
use super::{atomic, rotation_note as note};
use io::Read;

/// Bytes in which the end of a line is looked for at once.
const PIECE: u64 = 64 << 10;
/// Blocks of no file system that can take them out are smaller.
const BLOCK: u64 = 4096;

/// What a rotation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Bytes that were moved into parts.
    pub moved: u64,
    /// Bytes that the file alone has now.
    pub live: u64,
}

/// What a rotation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is larger than its limit.
    Full,
    /// It has lines that are old: all of it goes into parts.
    Old,
}

/// Parts, and the bytes that they take or took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// How many.
    pub parts: usize,
    /// Bytes.
    pub bytes: u64,
}

/// Moves the beginning of the log at `path` into parts until the file is within its limit, but not much more than
/// `most` bytes at once. `None`: there is no log, or somebody else is at it.
///
/// # Errors
/// A file cannot be used, or the disk is full; nothing of the log is lost.
pub fn rotate(path: &Path, limits: Limits, why: Why, now: Wall, most: u64) -> Result<Option<Rotated>, Error> {
    atomic::make_dir(&note::dir(path))?;
    let Some(_only) = lock::try_take(&note::lock(path))? else { return Ok(None) };
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path, &error)),
    };
    let mut job = Job::begin(path, file, now)?;
    job.clear_up()?;
    let mut moved = 0;
    loop {
        let before = moved;
        let outcome = job.parts(limits, why, most, &mut moved);
        // What is in a part is given back before more is copied: a disk may be full of just that.
        job.trim(limits.keep)?;
        match outcome {
            Ok(()) => return Ok(Some(Rotated { moved, live: live(&job.rotation, job.size()?) })),
            Err(_) if moved > before => {}
            Err(error) => return Err(error),
        }
    }
}

/// One rotation, by who has the lock.
struct Job<'a> {
    path: &'a Path,
    file: File,
    rotation: Rotation,
    /// The last rotation was cut short before the hole was taken out.
    interrupted: bool,
    now: Wall,
}

impl<'a> Job<'a> {
    /// Reads the note, and brings it up to what the last rotation came to.
    fn begin(path: &'a Path, file: File, now: Wall) -> Result<Self, Error> {
        let fail = |error: io::Error| Error::io("rotate", path, &error);
        let noted = note::load(path).map_err(fail)?;
        let fresh = || -> io::Result<Rotation> {
            let next = numbers(path)?.max().map_or(1, |newest| newest + 1);
            Ok(Rotation { own: next, next, ..Rotation::default() })
        };
        let last = noted.clone().map_or_else(fresh, Ok).map_err(fail)?;
        let (mut rotation, emptied) = settled(&last, see(&file, &last).map_err(fail)?);
        match emptied {
            Emptied::ByTheProgram => rotation.emptied = Some(now),
            Emptied::No => {}
        }
        let interrupted = last.collapsing && rotation.hole > 0;
        let job = Self { path, file, rotation, interrupted, now };
        if noted.as_ref() != Some(&job.rotation) {
            job.save()?;
        }
        Ok(job)
    }

    fn fail(&self, error: &io::Error) -> Error {
        Error::io("rotate", self.path, error)
    }

    fn save(&self) -> Result<(), Error> {
        note::save(self.path, &self.rotation)
    }

    fn size(&self) -> Result<u64, Error> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|error| self.fail(&error))
    }

    /// Removes parts that the note has dropped, or never came to know.
    fn clear_up(&self) -> Result<(), Error> {
        remove_unknown(self.path, &self.rotation).map(drop)
    }

    /// Where the next part ends: after the last line that fits; a line that is longer than that is cut.
    fn cut(&self, max: u64) -> Result<u64, Error> {
        let Rotation { base, start, .. } = self.rotation;
        let most = start - base + max;
        let mut end = most;
        let mut piece = vec![0; usize::try_from(PIECE).unwrap_or(0)];
        while end > start - base {
            let from = end.saturating_sub(PIECE).max(start - base);
            let length = usize::try_from(end - from).unwrap_or(0).min(piece.len());
            let Some(piece) = piece.get_mut(..length) else { break };
            self.file.read_exact_at(piece, from).map_err(|error| self.fail(&error))?;
            if let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') {
                return Ok(base + from + u64::try_from(last).unwrap_or(0) + 1); // a position in memory fits
            }
            end = from;
        }
        Ok(base + most)
    }

    /// As many parts as the log needs, but not much more than `most` bytes; `moved` says how many bytes, also where one fails.
    fn parts(&mut self, limits: Limits, why: Why, most: u64, moved: &mut u64) -> Result<(), Error> {
        while live(&self.rotation, self.size()?) > limits.max && *moved < most {
            self.next_part(limits.max, limits.keep, moved)?;
        }
        let rest = live(&self.rotation, self.size()?);
        if why == Why::Old && *moved < most && rest > 0 {
            self.next_part(rest, limits.keep, moved)?;
        }
        Ok(())
    }

    fn next_part(&mut self, max: u64, keep: usize, moved: &mut u64) -> Result<(), Error> {
        let (from, to) = (self.rotation.start, self.cut(max)?);
        self.part(to, keep)?;
        *moved += to - from;
        Ok(())
    }

    /// Steps 1 and 2: what lies before `to` is in parts then. The oldest of more than `keep` go.
    fn part(&mut self, to: u64, keep: usize) -> Result<(), Error> {
        let Rotation { start: from, next: number, .. } = self.rotation;
        let path = note::part(self.path, number);
        if keep > 0 {
            self.copy(to, &path).map_err(|error| {
                drop(fs::remove_file(&path)); // it may be what fills the disk
                Error::io("write", &path, &error)
            })?;
        }
        let before = self.rotation.clone();
        let end = self.rotation.end(self.size()?);
        self.rotation.parts.push(Part { number, from, to });
        self.rotation.parts = kept(&self.rotation.parts, keep).to_vec();
        (self.rotation.start, self.rotation.next, self.rotation.left) = (to, number + 1, None);
        self.rotation.rotated = Some(Mark { at: self.now, end });
        if let Err(error) = self.save() {
            self.rotation = before;
            // Unless the note came to the disk after all: then it must stay.
            if note::load(self.path).is_ok_and(|noted| noted.as_ref() == Some(&self.rotation)) {
                drop(fs::remove_file(&path));
            }
            return Err(error);
        }
        self.clear_up()
    }

    /// What the file has before `to` and no part has, into a file that is on the disk then.
    fn copy(&self, to: u64, path: &Path) -> io::Result<()> {
        let Rotation { base, start, .. } = self.rotation;
        let mut part = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut from = &self.file;
        from.seek(SeekFrom::Start(start - base))?;
        let copied = io::copy(&mut from.take(to - start), &mut part)?;
        if copied != to - start {
            return Err(io::Error::other("the log became shorter meanwhile"));
        }
        part.sync_all()
    }

    /// Steps 3 and 4: gives back what the file has and parts have as well. The time of the last output stays what it was.
    fn trim(&mut self, keep: usize) -> Result<(), Error> {
        let fail = |error: io::Error| Error::io("rotate", self.path, &error);
        let before = self.file.metadata().map_err(fail)?;
        let Rotation { base, start, hole, .. } = self.rotation;
        let head = (start - base) / before.blksize().max(BLOCK) * before.blksize().max(BLOCK);
        let head = head.max(hole);
        if head <= hole && !self.interrupted {
            return Ok(());
        }
        match shrink::punch(&self.file, head) {
            Ok(()) => {}
            Err(error) if is_unsupported(&error) => return self.empty(keep),
            Err(error) => return Err(fail(error)),
        }
        self.file.sync_data().map_err(fail)?;
        (self.rotation.hole, self.rotation.collapsing) = (head, true);
        self.save()?;
        if shrink::collapse(&self.file, head).is_ok() {
            (self.rotation.base, self.rotation.hole) = (base + head, 0);
        }
        self.rotation.collapsing = false;
        self.rotation.left = left(&self.file, &self.rotation).map_err(fail)?;
        let after = self.size()?;
        // Else the program has written meanwhile, and the time is that of its output.
        if base + before.len() == self.rotation.base + after
            && let Ok(written) = before.modified()
        {
            self.file
                .set_times(FileTimes::new().set_modified(written))
                .map_err(|error| Error::io("rotate", self.path, &error))?;
        }
        self.save()
    }

    /// Where there are no holes: the rest into a part as well, and then the file is emptied.
    fn empty(&mut self, keep: usize) -> Result<(), Error> {
        let end = self.rotation.end(self.size()?);
        if end > self.rotation.start {
            self.part(end, keep)?;
        }
        self.file.set_len(0).map_err(|error| self.fail(&error))?;
        self.rotation.base = self.rotation.start;
        self.rotation.copied = Some(self.now);
        self.save()
    }
}

/// The file system has no such thing, which is no failure of it.
fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::ENODEV))
}

/// Removes the log at `path` with all that belongs to it; nobody writes to it any more.
///
/// # Errors
/// A file cannot be removed.
pub fn forget(path: &Path) -> Result<(), Error> {
    files(path)?.iter().try_for_each(|file| atomic::remove_if_there(file))
}

/// All files of the log at `path`, in the order in which they may go; some may not be there.
///
/// # Errors
/// The directory of parts is there and cannot be read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    if note::dir(path).is_dir() {
        files = parts(path).map_err(|error| Error::io("read", &note::dir(path), &error))?;
        files.extend([note::path(path), note::lock(path)]);
    }
    files.extend([path.with_extension("log.index"), path.to_owned()]);
    Ok(files)
}

/// Removes parts that the note has dropped, or never came to know; how many bytes they took.
fn remove_unknown(log: &Path, Rotation { own, parts: known, .. }: &Rotation) -> Result<u64, Error> {
    let mut bytes = 0;
    for path in parts(log).map_err(|error| Error::io("read", &note::dir(log), &error))? {
        let number = note::number_of(log, &path);
        if number.is_some_and(|number| number >= *own && !known.iter().any(|part| part.number == number)) {
            bytes += fs::symlink_metadata(&path).map_or(0, |found| found.blocks() * 512);
            atomic::remove_if_there(&path)?;
        }
    }
    Ok(bytes)
}

/// The directory of parts of all logs.
#[must_use]
pub fn dir(paths: &Paths) -> PathBuf {
    paths.state.join("log/rotated")
}

/// All parts of all logs, and the bytes that the files take which programs write to.
///
/// # Errors
/// A directory is there and cannot be read.
pub fn segments(paths: &Paths) -> Result<(Vec<Segment>, u64), Error> {
    let mut segments = Vec::new();
    for (file, found) in listed(&dir(paths))? {
        let plain = file.strip_suffix(".gz").unwrap_or(&file);
        let Some((name, number)) = plain.rsplit_once(".log.") else { continue };
        let (Ok(name), Ok(number)) = (name.parse(), number.parse()) else { continue };
        let at = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let Some(at) = at.and_then(|at| i64::try_from(at.as_millis()).ok()) else { continue };
        segments.push(Segment { name, number, at: Wall(at), bytes: found.blocks() * 512 });
    }
    let live = listed(&paths.state.join("log"))?.into_iter().filter(|(_, found)| found.is_file());
    Ok((segments, live.map(|(_, found)| found.blocks() * 512).sum()))
}

fn listed(dir: &Path) -> Result<Vec<(String, Metadata)>, Error> {
    let fail = |error: io::Error| Error::io("read", dir, &error);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        // Gone meanwhile: then it takes nothing.
        if let (Some(name), Ok(metadata)) = (entry.file_name().to_str(), entry.metadata()) {
            found.push((name.to_owned(), metadata));
        }
    }
    Ok(found)
}

/// Parts of `log` that lie there, in no order.
fn parts(log: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(note::dir(log))? {
        let path = entry?.path();
        parts.extend(note::number_of(log, &path).map(|_| path));
    }
    Ok(parts)
}

/// Numbers of the parts of `log` that lie there, in no order.
fn numbers(log: &Path) -> io::Result<impl Iterator<Item = u64>> {
    let numbers: Vec<u64> = parts(log)?.iter().filter_map(|part| note::number_of(log, part)).collect();
    Ok(numbers.into_iter())
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
