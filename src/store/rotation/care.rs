//! What becomes of the parts of a log, under the lock of who rotates: they are compressed, or go.

use std::path::Path;

use super::{Moved, note, remove_unknown};
use crate::error::Error;
use crate::os::lock;
use crate::store::part;
use std::io;

/// Lets the parts up to this number go, the note first. `None`: somebody is rotating, or there never was a rotation.
///
/// # Errors
/// Note or part cannot be used.
pub fn drop_until(path: &Path, number: u64) -> Result<Option<Moved>, Error> {
    let Some(_only) = lock::try_take(&note::lock(path))? else { return Ok(None) };
    let fail = |error: io::Error| Error::io("rotate", path, &error);
    let Some(mut rotation) = note::load(path).map_err(fail)? else { return Ok(None) };
    let before = rotation.parts.len();
    rotation.parts.retain(|part| part.number > number);
    if rotation.parts.len() < before {
        note::save(path, &rotation)?;
    }
    let bytes = remove_unknown(path, &rotation)?;
    Ok(Some(Moved { parts: before - rotation.parts.len(), bytes }))
}

/// Compresses parts of the log at `path`, the oldest first, but not much more than `most` bytes. `None` as for [`drop_until`].
///
/// # Errors
/// Note or part cannot be used, or the disk is full; nothing of the log is lost.
pub fn compress(path: &Path, most: u64) -> Result<Option<Moved>, Error> {
    let Some(_only) = lock::try_take(&note::lock(path))? else { return Ok(None) };
    let Some(rotation) = note::load(path).map_err(|error| Error::io("rotate", path, &error))? else { return Ok(None) };
    let mut done = Moved::default();
    for part in rotation.parts.iter().map(|part| part.number) {
        if done.bytes >= most {
            break;
        }
        let bytes =
            part::compress(path, part).map_err(|error| Error::io("compress", &note::part(path, part), &error))?;
        done = Moved { parts: done.parts + usize::from(bytes > 0), bytes: done.bytes + bytes };
    }
    Ok(Some(done))
}
