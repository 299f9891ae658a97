//! That somebody hears what a run says through its socket (sd_notify): one small file for each run, made by its shim.
//!
//! It is there as long as a shim listens, or did until it was killed. It holds the name of the socket, so that a shim
//! which takes the run over can listen there too; its time is that of the last `WATCHDOG=1`, at first of the beginning.

use std::path::PathBuf;

use crate::error::Error;
use crate::model::name::Name;
use crate::os::read;

use super::atomic;
use super::paths::Paths;

/// The file of that run. Beside that of [`super::says`], with the extension [`EXTENSION`].
#[must_use]
pub fn path(paths: &Paths, name: &Name, run: u64) -> PathBuf {
    super::says::path(paths, name, run).with_extension(EXTENSION)
}

/// What tells it from the other files of a run.
pub const EXTENSION: &str = "notify";

/// Name of the socket of that run; `None`: it has none, or that cannot be read.
#[must_use]
pub fn socket(paths: &Paths, name: &Name, run: u64) -> Option<String> {
    let bytes = read::small(&path(paths, name, run)).ok().flatten()?;
    String::from_utf8(bytes).ok().filter(|socket| !socket.is_empty())
}

/// Removes it.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(paths: &Paths, name: &Name, run: u64) -> Result<(), Error> {
    atomic::remove_if_there(&path(paths, name, run))
}
