//! Writing a file so that a reader, a crash or a power cut sees the old content or the new, whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::Error;
use crate::os::read;

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
    let fail = |error: io::Error| Error::io("write", path, &error);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let written = create(temporary).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_data()));
    if let Err(error) = written {
        // What failed first is what is reported; a leftover temporary file is replaced next time.
        drop(fs::remove_file(temporary));
        return Err(fail(error));
    }
    fs::rename(temporary, path).map_err(fail)
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
