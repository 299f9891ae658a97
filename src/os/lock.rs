//! Locks as proof of life, and to keep two of us from doing the same thing.
//!
//! All are `flock`: bound to the open file description, so a child that inherits the descriptor
//! keeps the lock when its parent is killed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fs2::FileExt;

use crate::error::Error;
use crate::model::evidence::Lock;

/// An exclusive lock on a file; let go when dropped.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Takes the lock at `path`, made if missing, waiting as long as it takes.
///
/// # Errors
/// The file cannot be opened or locked.
pub fn wait(path: &Path) -> Result<Held, Error> {
    let file = open(path).map_err(|error| Error::io("open", path, &error))?;
    FileExt::lock_exclusive(&file).map_err(|error| Error::io("lock", path, &error))?;
    Ok(Held { _file: file })
}

/// Takes the lock at `path`, made if missing; `None` when somebody else holds it.
///
/// # Errors
/// The file cannot be opened or locked.
pub fn try_take(path: &Path) -> Result<Option<Held>, Error> {
    let file = open(path).map_err(|error| Error::io("open", path, &error))?;
    match FileExt::try_lock_exclusive(&file) {
        Ok(()) => Ok(Some(Held { _file: file })),
        Err(error) if is_held(&error) => Ok(None),
        Err(error) => Err(Error::io("lock", path, &error)),
    }
}

/// Whether `error` means that somebody else has the lock.
pub fn is_held(error: &io::Error) -> bool {
    error.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}

/// Whether somebody holds the lock on an open file. Asks with a shared lock that is let go at once;
/// who takes such a lock for life therefore waits for it instead of trying.
#[must_use]
pub fn is_locked(file: &File) -> Lock {
    match FileExt::try_lock_shared(file) {
        Ok(()) => match FileExt::unlock(file) {
            Ok(()) => Lock::Free,
            Err(_) => Lock::Unknown,
        },
        Err(error) if is_held(&error) => Lock::Held,
        Err(_) => Lock::Unknown,
    }
}

/// Whether somebody holds the lock at `path`. No file: nobody ever took it.
#[must_use]
pub fn ask(path: &Path) -> Lock {
    match File::open(path) {
        Ok(file) => is_locked(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::Free,
        Err(_) => Lock::Unknown,
    }
}
