//! The log of a process as one sequence of bytes, whatever parts of it were rotated away meanwhile.
//!
//! Positions count from the first byte that was ever written. A look takes no lock: it reads the note of rotations before
//! and after, and is repeated if a rotation came between. A log that was never rotated has no note, and costs two
//! attempts to open one. Rotates nothing itself: [`super::rotation`] does.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use crate::model::rotation::{Mark, Rotation};
use crate::model::time::Wall;
use crate::os::{descriptor, shrink};
use crate::policy::rotation::{Seen, settled};

use super::part::{self, Unpacked};
use super::{checksum, rotation_note as note};

/// Most bytes behind a hole that are compared: blocks of network file systems are larger.
const MOST_LEFT: u64 = 64 << 10;

/// A log that may be read.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    unpacked: Unpacked,
}

/// What there is of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Position of the oldest byte that is still there.
    pub first: u64,
    /// Position from which on it lies in the log file itself.
    pub start: u64,
    /// Position of its end.
    pub end: u64,
    /// Bytes that the file has and nobody reads there any more, because a rotation was not finished.
    pub unfinished: u64,
    /// Its last rotation.
    pub rotated: Option<Mark>,
    /// When it was found that the program had emptied it by itself.
    pub emptied: Option<Wall>,
    /// When it was last rotated by a means that may have lost what was written meanwhile.
    pub copied: Option<Wall>,
}

/// What a look finds: the note as it is to be read now, and the file.
struct Now<'a> {
    rotation: Rotation,
    /// A hole was to be taken out, and is still there.
    interrupted: bool,
    file: &'a File,
    size: u64,
}

/// How a file stands to its note.
pub(super) fn see(file: &File, noted: &Rotation) -> io::Result<Seen> {
    // Where there should be no hole, nobody need look for one.
    let hole = noted.hole > 0 && shrink::begins_with_hole(file)?;
    let foreign = match noted.left {
        Some(_) if remainder(noted) <= MOST_LEFT => left(file, noted)? != noted.left,
        Some(_) | None => false,
    };
    Ok(Seen { size: file.metadata()?.len(), hole, foreign })
}

/// Bytes that the file has and parts have as well: less than a block of the file system, when a rotation is over.
fn remainder(Rotation { base, start, hole, .. }: &Rotation) -> u64 {
    (start - base).saturating_sub(*hole)
}

/// A sum of these bytes; `None`: there are not as many, or too many to be read at each look.
pub(super) fn left(file: &File, noted: &Rotation) -> io::Result<Option<u64>> {
    let length = remainder(noted);
    if length > MOST_LEFT {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    match file.read_exact_at(&mut bytes, noted.hole) {
        Ok(()) => Ok(Some(checksum::of(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a log for reading, and waits for nobody: what somebody has put in its place may be a pipe, and a pass may hold a lock.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match is_a_pipe(&file.metadata()?) {
        false => Ok(file),
        true => Err(io::Error::other("it is a pipe or a socket")),
    }
}

/// Whether opening or reading it may wait for somebody else. Devices do not: a log may well be a link to `/dev/null`.
pub(crate) fn is_a_pipe(found: &Metadata) -> bool {
    found.file_type().is_fifo() || found.file_type().is_socket()
}

impl Log {
    /// The log at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), unpacked: Unpacked::default() }
    }

    /// One look, repeated until no rotation came between. `None`: there is no log.
    fn look<T>(&self, mut with: impl FnMut(&Now<'_>) -> io::Result<T>) -> io::Result<Option<T>> {
        loop {
            let noted = note::load(&self.path)?;
            let file = match open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let rotation = noted.clone().unwrap_or_default();
            let seen = see(&file, &rotation)?;
            let interrupted = rotation.collapsing && seen.hole;
            let now = Now { rotation: settled(&rotation, seen).0, interrupted, file: &file, size: seen.size };
            let found = with(&now);
            let after = see(&file, &rotation)?;
            if note::load(&self.path)? == noted && (after.hole, after.foreign) == (seen.hole, seen.foreign) {
                return found.map(Some);
            }
        }
    }

    /// What there is of it; `None`: nothing was ever written.
    ///
    /// # Errors
    /// Log or note cannot be read, or the note is damaged.
    pub fn extent(&self) -> io::Result<Option<Extent>> {
        self.look(|Now { rotation, interrupted, size, .. }| {
            Ok(Extent {
                first: rotation.first(),
                start: rotation.start,
                end: rotation.end(*size),
                unfinished: rotation.start - rotation.base - if *interrupted { 0 } else { rotation.hole },
                rotated: rotation.rotated,
                emptied: rotation.emptied,
                copied: rotation.copied,
            })
        })
    }

    /// The same of a log whose file was just seen with `size` bytes: quicker where there was never a rotation.
    ///
    /// # Errors
    /// As [`Self::extent`].
    pub fn sized(&self, size: u64) -> io::Result<Extent> {
        let whole = Extent { first: 0, start: 0, end: size, unfinished: 0, rotated: None, emptied: None, copied: None };
        match note::load(&self.path)? {
            None => Ok(whole),
            Some(_) => Ok(self.extent()?.unwrap_or(whole)),
        }
    }

    /// Position of its end; nothing was ever written: 0.
    ///
    /// # Errors
    /// As [`Self::extent`].
    pub fn end(&self) -> io::Result<u64> {
        Ok(self.extent()?.map_or(0, |extent| extent.end))
    }

    /// Reads what lies at `at`, as much as lies together there and fits. Where that is gone, the next that is there. Returns
    /// the position of what was read, and how much it is: nothing at the end.
    ///
    /// # Errors
    /// As [`Self::extent`]; a part cannot be read.
    pub fn read(&self, at: u64, into: &mut [u8]) -> io::Result<(u64, usize)> {
        let read = self.look(|Now { rotation, file, .. }| {
            let at = at.max(rotation.first());
            let Some(part) = rotation.part(at) else {
                return file.read_at(into, at - rotation.base).map(|read| (at, read));
            };
            let (at, room) = (at.max(part.from), usize::try_from(part.to - at).unwrap_or(usize::MAX).min(into.len()));
            let into = into.get_mut(..room).unwrap_or(&mut []);
            part::read(&self.path, part.number, at - part.from, into, &self.unpacked).map(|read| (at, read))
        })?;
        Ok(read.unwrap_or((at, 0)))
    }

    /// What lies from `from` to `to`, to be read.
    #[must_use]
    pub fn span(&self, from: u64, to: u64) -> Span<'_> {
        Span { log: self, at: from, to }
    }

    /// The last of what lies from `from` to `to`, at most `most` bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn tail(&self, from: u64, to: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.span(from.max(to.saturating_sub(most)), to).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A stretch of a log, read from its beginning. What is gone is passed over.
#[derive(Debug)]
pub struct Span<'a> {
    log: &'a Log,
    at: u64,
    to: u64,
}

impl Span<'_> {
    /// Position of what is read next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at
    }
}

impl Read for Span<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.to.saturating_sub(self.at)).unwrap_or(usize::MAX).min(into.len());
        let Some(into) = into.get_mut(..room).filter(|into| !into.is_empty()) else { return Ok(0) };
        let (at, read) = self.log.read(self.at, into)?;
        let read = read.min(usize::try_from(self.to.saturating_sub(at)).unwrap_or(usize::MAX));
        self.at = at.saturating_add(u64::try_from(read).map_err(io::Error::other)?);
        Ok(read)
    }
}

/// Position of the end of the log that standard output goes to; `None`: it cannot be told.
#[must_use]
pub fn end_of_output() -> Option<u64> {
    let size = descriptor::size_of_output()?;
    let path = descriptor::path_of_output().ok()?;
    // No note after the size was asked: there was none before either, for a note never goes.
    if note::load(&path).ok()?.is_none() {
        return Some(size);
    }
    Log::at(&path).extent().ok()?.map(|extent| extent.end)
}

/// The last of what was written to that log from `from` on, at most `most` bytes; `None`: it cannot be read.
#[must_use]
pub fn tail_of_output(from: u64, most: u64) -> Option<Vec<u8>> {
    let path = descriptor::path_of_output().ok()?;
    if note::load(&path).ok()?.is_none() {
        return descriptor::tail_of_output(from, most);
    }
    let log = Log::at(&path);
    log.tail(from, log.end().ok()?, most).ok()
}
