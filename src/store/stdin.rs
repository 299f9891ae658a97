//! What a program with `stdin = "pipe"` reads: a named pipe in the directory of its runs.
//!
//! The program has it open for reading and writing, so it never sees an end of it, whoever else comes or goes: no
//! process of guardian's need live for that. Made anew for each run, so nothing of an earlier one is read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::sys::stat::Mode;

use super::atomic;
use super::paths::Paths;
use crate::error::Error;
use crate::model::name::Name;

fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.process_run(name, "stdin")
}

/// Makes the pipe for a run of `name` that is about to begin.
///
/// # Errors
/// It cannot be made.
pub fn make(paths: &Paths, name: &Name) -> Result<File, Error> {
    let path = path(paths, name);
    let fail = |error: io::Error| Error::io("make", &path, &error).about(name);
    atomic::remove_if_there(&path)?;
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).map_err(|errno| fail(errno.into()))?;
    OpenOptions::new().read(true).write(true).open(&path).map_err(fail)
}

/// Opens it for writing, which waits for nobody; `None`: there is none, or nobody reads it.
///
/// # Errors
/// It cannot be opened.
pub fn open(paths: &Paths, name: &Name) -> Result<Option<File>, Error> {
    let path = path(paths, name);
    match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENXIO)) => Ok(None),
        Err(error) => Err(Error::io("open", &path, &error).about(name)),
    }
}
