//! A file that somebody asked a command for: written whole beside it, then put in its place, for its owner alone.
//!
//! What is no file (a device, a pipe, a directory) is refused: to put a file in its place would take it away.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};

use super::atomic;

/// Puts `content` into `path`, mode 0600; a symbolic link stays one.
///
/// # Errors
/// `path` is no file, or any step fails; what was there is then as it was.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let real = real(path)?;
    let mut beside = real.clone().into_os_string();
    beside.push(format!(".guardian-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    atomic::remove_if_there(&beside)?; // left by a crash, under a pid that came again
    let fail = |error: io::Error| {
        let error = Error::io("write", path, &error);
        error.hint("give a file in a directory that is there and writable for you")
    };
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&beside);
    let written = made.and_then(|mut file| file.write_all(content).and_then(|()| file.sync_data()));
    if let Err(error) = written.and_then(|()| fs::rename(&beside, &real)) {
        drop(fs::remove_file(&beside)); // what failed first is what is reported
        return Err(fail(error));
    }
    Ok(())
}

/// Where it really lies.
fn real(path: &Path) -> Result<PathBuf, Error> {
    let refuse = |what: &str| {
        let message = format!("`{}` {what}", path.display());
        Err(Error::new(Code::Usage, "not_a_file", message).hint("name another file, or redirect standard output"))
    };
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => refuse("is a directory"),
        Ok(meta) if !meta.is_file() => refuse("is not a file, and is not replaced by one"),
        Ok(_) => fs::canonicalize(path).map_err(|error| Error::io("find", path, &error)),
        Err(_) if fs::symlink_metadata(path).is_ok() => refuse("is a link that leads nowhere"),
        Err(_) => Ok(path.to_owned()), // whatever is wrong shows when it is written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_replaced_whole_for_its_owner_alone_and_a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("report.html"), dir.path().join("link"));
        symlink(&file, &link).unwrap();
        assert!(write(&link, b"x").unwrap_err().message.contains("leads nowhere"));
        fs::write(&file, "old").unwrap();
        for (path, text) in [(&link, "through a link"), (&file, "new")] {
            write(path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_file_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for (path, why) in [(Path::new("/dev/null"), "is not a file"), (dir.path(), "is a directory")] {
            assert!(write(path, b"x").unwrap_err().message.contains(why), "{}", path.display());
        }
        let missing = dir.path().join("no/report.html");
        assert!(write(&missing, b"x").unwrap_err().hint.contains("a directory that is there"));
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    }
}
