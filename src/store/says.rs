//! What a program said of its state last (`STATUS=`, sd_notify): one small file for each run, written by its shim.

use std::path::PathBuf;

use crate::error::Error;
use crate::model::name::Name;
use crate::os::read;

use super::atomic;
use super::paths::Paths;

/// The file of that run.
#[must_use]
pub fn path(paths: &Paths, name: &Name, run: u64) -> PathBuf {
    paths.process_run(name, &format!("{run}.says"))
}

/// What the program of that run said last; `None`: nothing, or it cannot be read.
#[must_use]
pub fn load(paths: &Paths, name: &Name, run: u64) -> Option<String> {
    let bytes = read::small(&path(paths, name, run)).ok().flatten()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Removes it.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(paths: &Paths, name: &Name, run: u64) -> Result<(), Error> {
    atomic::remove_if_there(&path(paths, name, run))
}
