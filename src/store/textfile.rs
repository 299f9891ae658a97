//! `guardian.prom` in a directory of node_exporter's textfile collector: replaced whole, readable for everybody.
//!
//! The directory is not guardian's own. Others may write there, so no link of theirs is followed; and the file of another
//! guardian is never replaced: the first line says whose it is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::os::lock;

use super::atomic;
use super::paths::Paths;

/// The collector reads `*.prom`, and nothing else.
const NAME: &str = "guardian.prom";
/// Bytes of a first line that are read.
const LINE: u64 = 8192;

/// Replaces the file in `dir`.
///
/// # Errors
/// `dir` is not there, cannot be written, or has the file of another guardian.
pub fn write(paths: &Paths, dir: &Path, text: &str) -> Result<(), Error> {
    atomic::make_dir(&paths.state)?;
    let _only = lock::wait(&paths.state.join("textfile.lock"))?;
    let path = dir.join(NAME);
    let head = format!("# Written by guardian of {:?}\n", paths.state.display().to_string());
    if let Some(other) = other(&path, &head).map_err(|error| Error::io("read", &path, &error))? {
        let message = format!("`{}` is another guardian's: it begins with `{other}`", path.display());
        return Err(Error::new(Code::Refused, "textfile_taken", message)
            .hint("give each guardian a directory of its own, or remove that file if nobody writes it any more"));
    }
    let temporary: PathBuf = dir.join(format!("{NAME}.new"));
    atomic::remove_if_there(&temporary)?; // left by a crash
    replace(&path, &temporary, &[head.as_bytes(), text.as_bytes()].concat()).map_err(|error| {
        drop(fs::remove_file(&temporary)); // what failed first is what is reported
        Error::io("write", &path, &error).hint("make the directory, writable for who runs guardian")
    })
}

fn replace(path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(0o644))?; // whatever the umask: the collector is another user
    file.sync_data()?;
    fs::rename(temporary, path)
}

/// How the file begins that lies there, where it is not ours.
fn other(path: &Path, head: &str) -> io::Result<Option<String>> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = first_line(file)?;
    Ok((!first.is_empty() && first != head).then(|| first.trim_end().escape_debug().to_string()))
}

fn first_line(file: File) -> io::Result<String> {
    let mut line = Vec::new();
    BufReader::new(file.take(LINE)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(state: &Path) -> Paths {
        Paths { home: None, registry: state.join("registry.toml"), state: state.to_owned() }
    }

    #[test]
    fn the_file_is_whole_readable_for_all_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (state, out) = (dir.path().join("state"), dir.path().join("out"));
        fs::create_dir(&out).unwrap();
        fs::write(out.join("guardian.prom.new"), "left by a crash").unwrap();
        for text in ["a 1\n", "b 2\n"] {
            write(&paths(&state), &out, text).unwrap();
        }
        let path = out.join(NAME);
        assert!(fs::read_to_string(&path).unwrap().ends_with("state\"\nb 2\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }

    #[test]
    fn the_file_of_another_guardian_stays() {
        let dir = tempfile::tempdir().unwrap();
        write(&paths(&dir.path().join("one")), dir.path(), "a 1\n").unwrap();
        let error = write(&paths(&dir.path().join("two")), dir.path(), "b 2\n").unwrap_err();
        assert!(error.code == Code::Refused && error.message.contains("another guardian's"), "{error:?}");
        assert!(fs::read_to_string(dir.path().join(NAME)).unwrap().ends_with("a 1\n"));
    }

    #[test]
    fn no_link_of_somebody_elses_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (state, victim) = (dir.path().join("state"), dir.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("guardian.prom.new")).unwrap();
        write(&paths(&state), dir.path(), "a 1\n").unwrap();
        fs::remove_file(dir.path().join(NAME)).unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join(NAME)).unwrap();
        assert!(write(&paths(&state), dir.path(), "a 1\n").is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&paths(dir.path()), &dir.path().join("no"), "a 1\n").unwrap_err();
        assert!(error.message.contains("no/guardian.prom"), "{error:?}");
        assert!(!dir.path().join("no").exists());
    }
}
