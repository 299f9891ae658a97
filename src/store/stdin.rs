//! What `send` writes to: a named pipe in the directory of the runs of a process, made anew for each run, so nothing of
//! an earlier one is read.
//!
//! With `stdin = "pipe"` the program reads it itself, and its removal is the wish that the input end. With `pty = true` the shim
//! reads it and types what it reads.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use fs2::FileExt;
use nix::sys::stat::Mode;

use super::atomic;
use super::paths::Paths;
use crate::error::Error;
use crate::model::name::Name;
use crate::os::lock;

/// Whose pipe it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The program.
    Program,
    /// The shim, for the program's terminal.
    Terminal,
}

fn path(paths: &Paths, name: &Name, reader: Reader) -> PathBuf {
    match reader {
        Reader::Program => paths.process_run(name, "stdin"),
        Reader::Terminal => paths.process_run(name, "pty"),
    }
}

/// Makes the pipe for a run of `name` that is about to begin, open for reading and writing.
///
/// # Errors
/// It cannot be made.
pub fn make(paths: &Paths, name: &Name, reader: Reader) -> Result<File, Error> {
    for old in [Reader::Program, Reader::Terminal] {
        atomic::remove_if_there(&path(paths, name, old))?;
    }
    let path = path(paths, name, reader);
    let fail = |error: io::Error| Error::io("make", &path, &error).about(name);
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).map_err(|errno| fail(errno.into()))?;
    hold(paths, name, reader)
}

/// Opens it for reading and writing: it has no end then.
///
/// # Errors
/// It cannot be opened.
pub fn hold(paths: &Paths, name: &Name, reader: Reader) -> Result<File, Error> {
    let path = path(paths, name, reader);
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path);
    opened.map_err(|error| Error::io("open", &path, &error).about(name))
}

/// Opens the program's end of it, which somebody has open for writing; reading from it waits.
///
/// # Errors
/// It cannot be opened.
pub fn read(paths: &Paths, name: &Name) -> Result<File, Error> {
    let path = path(paths, name, Reader::Program);
    File::open(&path).map_err(|error| Error::io("open", &path, &error).about(name))
}

/// Opens it for writing, which waits for nobody; `None`: there is none, or nobody reads it.
///
/// # Errors
/// It cannot be opened.
pub fn open(paths: &Paths, name: &Name) -> Result<Option<(File, Reader)>, Error> {
    for reader in [Reader::Program, Reader::Terminal] {
        let path = path(paths, name, reader);
        match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&path) {
            Ok(file) => return Ok(Some((file, reader))),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENXIO)) => {}
            Err(error) => return Err(Error::io("open", &path, &error).about(name)),
        }
    }
    Ok(None)
}

/// Whether the right to write is this one's, until it is closed; `false`: somebody else has it.
#[must_use]
pub fn is_mine(pipe: &File) -> bool {
    // Where a pipe cannot be locked, who sends at the same time is not waited for.
    FileExt::try_lock_exclusive(pipe).map_or_else(|error| !lock::is_held(&error), |()| true)
}

/// Takes the program's pipe away: nobody can send to it any more, and the shim is to end it when it looks. Returns an open
/// end, which shows when nobody has it open for writing any more.
///
/// # Errors
/// It cannot be taken away.
pub fn end(paths: &Paths, name: &Name) -> Result<File, Error> {
    let path = path(paths, name, Reader::Program);
    let fail = |error: &io::Error| Error::io("end", &path, error).about(name);
    let pipe =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).map_err(|error| fail(&error))?;
    fs::remove_file(&path).map_err(|error| fail(&error))?;
    Ok(pipe)
}
