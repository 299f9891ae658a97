//! The heartbeat file of a process: its time is the last sign of progress, its content what was said with it.
//!
//! Written by the process itself (`touch` will do) or by `guardian beat`; by nobody else, and never by a timer.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::Error;
use crate::model::progress::Beat;
use crate::model::time::Wall;
use crate::os::read;

use super::atomic;

/// Longest content that is read, in bytes: anybody may write there.
const LONGEST: usize = 4096;

/// One heartbeat, at `now`. What an earlier one said stays, unless this one says something.
///
/// # Errors
/// The file cannot be written.
pub fn give(path: &Path, beat: &Beat, now: Wall) -> Result<(), Error> {
    let fail = |error: io::Error| Error::io("write", path, &error);
    if let Some(dir) = path.parent() {
        atomic::make_dir(dir)?;
    }
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = open.map_err(fail)?;
    if *beat != Beat::default() {
        let bytes = serde_json::to_vec(beat).map_err(|error| fail(error.into()))?;
        let length = u64::try_from(bytes.len()).map_err(|error| fail(io::Error::other(error)))?;
        file.write_all(&bytes).and_then(|()| file.set_len(length)).map_err(fail)?;
    }
    touch(&file, now).map_err(fail)
}

fn touch(file: &File, now: Wall) -> io::Result<()> {
    let since = u64::try_from(now.0).map_err(io::Error::other)?;
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_millis(since))
}

/// What was said with the last heartbeat; nothing, if that was nothing of ours.
#[must_use]
pub fn said(path: &Path) -> Beat {
    // A program may write what it likes into its own file: what is not ours has nothing to say to us.
    let Ok(Some(bytes)) = read::small(path) else { return Beat::default() };
    bytes.get(..bytes.len().min(LONGEST)).and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
}
