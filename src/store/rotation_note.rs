//! The note of a log's rotations: where it lies, read and written whole.
//!
//! One note, its lock and the parts of each log lie in a directory of their own, so that one look there tells of all
//! logs which have ever been rotated: none, nearly always.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::model::rotation::Rotation;
use crate::os::read;

use super::{atomic, checksum};

/// Version of the note.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Note {
    schema: u32,
    rotation: Rotation,
}

/// The directory of notes and parts, for the log at `log`.
pub(super) fn dir(log: &Path) -> PathBuf {
    log.parent().unwrap_or(Path::new("/")).join("rotated")
}

/// A file for the log at `log`: its own name with something else at the end.
fn beside(log: &Path, end: &str) -> PathBuf {
    let mut name = log.file_stem().unwrap_or_default().to_owned();
    name.push(end);
    dir(log).join(name)
}

/// The note.
pub(super) fn path(log: &Path) -> PathBuf {
    beside(log, ".json")
}

/// The lock that whoever rotates takes.
pub(super) fn lock(log: &Path) -> PathBuf {
    beside(log, ".lock")
}

/// A part.
pub(super) fn part(log: &Path, number: u64) -> PathBuf {
    beside(log, &format!(".log.{number}"))
}

/// The number of the part of `log` that lies at `part`; `None`: it is not one.
pub(super) fn number_of(log: &Path, part: &Path) -> Option<u64> {
    let own = log.file_name()?.to_str()?;
    let name = part.file_name()?.to_str()?;
    let name = name.strip_suffix(".new").unwrap_or(name);
    name.strip_suffix(".gz").unwrap_or(name).strip_prefix(own)?.strip_prefix('.')?.parse().ok()
}

/// What is noted; `None`: the log was never rotated.
///
/// # Errors
/// The note cannot be read, or is damaged: then nobody knows what lies where, and nothing is guessed.
pub(super) fn load(log: &Path) -> io::Result<Option<Rotation>> {
    let path = path(log);
    let Some(bytes) = read::small(&path)? else { return Ok(None) };
    let note: Option<Note> =
        Some(&bytes).filter(|bytes| checksum::is_intact(bytes)).and_then(|bytes| serde_json::from_slice(bytes).ok());
    match note {
        Some(Note { schema: SCHEMA, rotation }) if is_possible(&rotation) => Ok(Some(rotation)),
        Some(Note { schema: SCHEMA, .. }) | None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the note of its rotations `{}` is damaged: move it away, and the log is read as it lies",
                path.display()
            ),
        )),
        Some(Note { .. }) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the note of its rotations `{}` is of a newer guardian: use that", path.display()),
        )),
    }
}

/// What is computed from it cannot run over.
fn is_possible(rotation: &Rotation) -> bool {
    let Rotation { base, start, hole, .. } = rotation;
    *start <= u64::MAX / 4 && base.checked_add(*hole).is_some_and(|end| end <= *start)
}

/// Writes the note, on the disk when this returns.
pub(super) fn save(log: &Path, rotation: &Rotation) -> Result<(), Error> {
    let note = Note { schema: SCHEMA, rotation: rotation.clone() };
    let bytes = serde_json::to_vec(&note)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("a rotation cannot be written down: {error}")))?;
    atomic::replace(&path(log), &checksum::seal(bytes))
}
