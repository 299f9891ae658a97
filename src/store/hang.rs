//! The snapshot of a hung run, `run/N.hang`: what its processes were blocked on when the hang was called.
//!
//! Plain text for people; its first line is the sentence that the event `hung` tells.

use std::path::PathBuf;

use crate::error::Error;
use crate::model::name::Name;

use super::atomic;
use super::paths::Paths;

/// Where the snapshot of a run lies.
#[must_use]
pub fn path(paths: &Paths, name: &Name, run: u64) -> PathBuf {
    paths.process_run(name, &format!("{run}.hang"))
}

/// Keeps the snapshot of a run; its lock is held by the caller.
///
/// # Errors
/// It cannot be written.
pub fn keep(paths: &Paths, name: &Name, run: u64, text: &str) -> Result<(), Error> {
    atomic::replace_unsynced_dir(&path(paths, name, run), text.as_bytes()).map_err(|error| error.about(name))
}

/// The sentence that the snapshot of a run begins with; `None`: there is none.
#[must_use]
pub fn sentence(paths: &Paths, name: &Name, run: u64) -> Option<String> {
    // One that cannot be read has nothing to say, and that must not keep the rest back.
    let bytes = atomic::read_if_there(&path(paths, name, run)).ok().flatten()?;
    String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned)
}
