//! Writing a file so that a reader, a crash or a power cut sees the old content or the new, whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crate::error::Error;
use crate::os::read;

/// Stack of a thread that does nothing but sync one file, in bytes.
const SYNC_STACK: usize = 32 << 10;

/// Replaces `path` by `content`, mode 0600: temporary file, fsync, rename, fsync of the directory.
///
/// The temporary file has a fixed name beside `path`, so callers hold a lock that makes them the
/// only writer, and a crash leaves at most one of them, which the next write replaces.
///
/// # Errors
/// Any step that fails; `path` then still has its old content.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace_unsynced_dir(path, content)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in `dir` outlast a power cut.
///
/// # Errors
/// It cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| Error::io("sync", dir, &error))
}

/// As [`replace`], without the fsync of the directory: after a power cut the old content may be back.
/// For what the next pass writes again anyway.
///
/// # Errors
/// Any step that fails; `path` then still has its old content.
pub fn replace_unsynced_dir(path: &Path, content: &[u8]) -> Result<(), Error> {
    beside(path, content)?.put()
}

/// As [`replace`], without any fsync: after a power cut it may have the old content, the new or none.
/// For what means nothing after one, or is thrown away when it is not whole.
///
/// # Errors
/// Any step that fails; `path` then still has its old content.
pub fn replace_volatile(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path);
    write(path, &temporary, content)?;
    Beside { path: path.to_owned(), temporary, synced: Synced::Yes }.put()
}

/// Writes `content` beside `path` and syncs it.
///
/// # Errors
/// It cannot be written.
pub fn beside(path: &Path, content: &[u8]) -> Result<Beside, Error> {
    let temporary = temporary(path);
    let file = write(path, &temporary, content)?;
    let beside = Beside { path: path.to_owned(), temporary, synced: Synced::Yes };
    match file.sync_data() {
        Ok(()) => Ok(beside),
        Err(error) => Err(beside.failed(&error)),
    }
}

/// The same, synced meanwhile: several that are on their way at once take hardly longer than one.
///
/// # Errors
/// It cannot be written.
pub fn beside_soon(path: &Path, content: &[u8]) -> Result<Beside, Error> {
    let temporary = temporary(path);
    let file = write(path, &temporary, content)?;
    Ok(Beside::soon(path, temporary, file))
}

/// New content that lies beside the file it is for. Until it is put in its place nothing has changed.
#[derive(Debug)]
#[must_use]
pub struct Beside {
    path: PathBuf,
    temporary: PathBuf,
    synced: Synced,
}

#[derive(Debug)]
enum Synced {
    Yes,
    Meanwhile(JoinHandle<io::Result<()>>),
    Failed(io::Error),
}

impl Beside {
    /// What was written into `file`, at `temporary`, is for `path`, and is synced meanwhile.
    pub fn soon(path: &Path, temporary: PathBuf, file: File) -> Self {
        let file = std::sync::Arc::new(file);
        let mine = std::sync::Arc::clone(&file);
        let thread = thread::Builder::new().stack_size(SYNC_STACK).spawn(move || mine.sync_all());
        let synced = match thread {
            Ok(thread) => Synced::Meanwhile(thread),
            Err(_) => file.sync_all().map_or_else(Synced::Failed, |()| Synced::Yes), // no thread is to be had
        };
        Self { path: path.to_owned(), temporary, synced }
    }

    /// Puts it in its place, once it is on the disk.
    ///
    /// # Errors
    /// It could not be synced, or cannot be renamed; what it is for then still has its old content.
    pub fn put(mut self) -> Result<(), Error> {
        let synced = match std::mem::replace(&mut self.synced, Synced::Yes) {
            Synced::Yes => Ok(()),
            Synced::Meanwhile(thread) => {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs it was lost")))
            }
            Synced::Failed(error) => Err(error),
        };
        synced.and_then(|()| fs::rename(&self.temporary, &self.path)).map_err(|error| self.failed(&error))
    }

    /// What failed first is what is reported; a leftover temporary file is replaced next time.
    fn failed(&self, error: &io::Error) -> Error {
        drop(fs::remove_file(&self.temporary));
        Error::io("write", &self.path, error)
    }
}

/// Where the new content of `path` lies until it is put in its place.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    let mut temporary: OsString = path.as_os_str().to_owned();
    temporary.push(".new");
    PathBuf::from(temporary)
}

fn write(path: &Path, temporary: &Path, content: &[u8]) -> Result<File, Error> {
    let written = create(temporary).and_then(|mut file| file.write_all(content).map(|()| file));
    written.map_err(|error| {
        drop(fs::remove_file(temporary));
        Error::io("write", path, &error)
    })
}

/// A new file, whatever lies there: what a crash left goes, and a link that somebody put there leads nowhere.
fn create(path: &Path) -> io::Result<File> {
    let new = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            new()
        }
        outcome => outcome,
    }
}

/// Makes `dir` and its parents, mode 0700; one that exists is left as it is.
///
/// # Errors
/// Any directory that cannot be made.
pub fn make_dir(dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Error::io("create directory", dir, &error))
}

/// Reads a whole file; `None` when there is none.
///
/// # Errors
/// Anything but its absence.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    read::small(path).map_err(|error| Error::io("read", path, &error))
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// Anything but its absence.
pub fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn what_lies_where_the_temporary_file_goes_is_replaced_and_never_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim, temporary) = (dir.path().join("f"), dir.path().join("victim"), dir.path().join("f.new"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &temporary).unwrap();
        replace(&path, b"one").unwrap();
        fs::hard_link(&victim, &temporary).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&victim).unwrap()), (b"two".to_vec(), b"precious".to_vec()));
        let meta = fs::symlink_metadata(&path).unwrap();
        assert!(meta.is_file() && meta.nlink() == 1 && meta.mode() & 0o777 == 0o600 && !temporary.exists());
    }
}
