//! Files that other programs own as well: read whole, and replaced in one step under the eyes of their owners.
//!
//! A symbolic link stays one: what it leads to is written. Mode and owner stay. A file that was changed meanwhile is left alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::os::read::regular;

use super::atomic;

/// Largest file that is read, in bytes.
const MOST: u64 = 16 << 20;

/// What stands in a file of others; `None`: there is none. Never waits for whoever would write a fifo.
///
/// # Errors
/// It cannot be read, is no regular file, or too large.
pub fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match regular(path, MOST) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// Whether somebody put a link to `/dev/null` in its place, as `systemctl mask` does.
#[must_use]
pub fn is_nothing(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|real| real == Path::new("/dev/null"))
}

/// A file as it was read.
#[derive(Debug)]
pub struct Foreign {
    /// Where it really lies.
    path: PathBuf,
    /// What stands in it; `None`: it is not there.
    pub text: Option<String>,
}

impl Foreign {
    /// Reads a file, through symbolic links.
    ///
    /// # Errors
    /// It cannot be read, is not UTF-8, or is a link that leads nowhere.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                path.to_owned()
            }
            Err(error) => {
                let hint = "if it is a symbolic link, make what it leads to, or remove it";
                return Err(
                    Error::new(Code::System, "io", format!("cannot read `{}`: {error}", path.display())).hint(hint)
                );
            }
        };
        let text = bytes(&real)?.map(String::from_utf8).transpose().map_err(|_| {
            Error::new(Code::Config, "not_text", format!("`{}` is not UTF-8", path.display()))
                .hint("mend it, and give the command again; nothing was changed")
        })?;
        Ok(Self { path: real, text })
    }

    /// Whether its owner lets it be written; a file that is not there may be.
    ///
    /// # Errors
    /// It is read-only.
    pub fn may_be_written(&self) -> Result<(), Error> {
        let read_only = fs::metadata(&self.path).is_ok_and(|meta| meta.mode() & 0o200 == 0);
        if !read_only {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::new(Code::Config, "read_only", format!("`{path}` is read-only"))
            .hint(format!("chmod u+w {path}, and give the command again; nothing was changed")))
    }

    /// Puts `text` in its place: a new file beside it, synced, then renamed. `mode` is that of a file that was not there.
    ///
    /// # Errors
    /// Any step that fails, or somebody else changed it since it was read; it is then as it was.
    pub fn replace(&self, text: &str, mode: u32) -> Result<(), Error> {
        let fail = |error: io::Error| Error::io("write", &self.path, &error);
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(dir).map_err(|error| Error::io("create directory", dir, &error))?;
        let beside = self.beside();
        atomic::remove_if_there(&beside)?; // of a crash, or a link that leads elsewhere
        let old = fs::metadata(&self.path).ok();
        let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            if let Some(old) = &old {
                if (old.uid(), old.gid()) != (file.metadata()?.uid(), file.metadata()?.gid()) {
                    chown(&beside, Some(old.uid()), Some(old.gid()))?;
                }
                file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
            }
            file.sync_data()
        });
        let renamed = written
            .map_err(fail)
            .and_then(|()| self.unchanged())
            .and_then(|()| fs::rename(&beside, &self.path).map_err(fail));
        if let Err(error) = renamed {
            // What failed first is what is reported.
            drop(fs::remove_file(&beside));
            return Err(error);
        }
        atomic::sync_dir(dir)
    }

    /// Removes it, and directories above it that are empty then, as long as they lie below `root`.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, root: &Path) -> Result<(), Error> {
        self.unchanged()?;
        atomic::remove_if_there(&self.path)?;
        if let Ok(root) = fs::canonicalize(root) {
            let mut above = self.path.ancestors().skip(1).take_while(|dir| *dir != root && dir.starts_with(&root));
            // One that is not empty stays, and with it all above.
            drop(above.try_for_each(fs::remove_dir));
        }
        Ok(())
    }

    /// The temporary file; another process has another one.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".guardian-{}", std::process::id()));
        PathBuf::from(name)
    }

    fn unchanged(&self) -> Result<(), Error> {
        let now = atomic::read_if_there(&self.path)?;
        if now.as_deref() == self.text.as_deref().map(str::as_bytes) {
            return Ok(());
        }
        let message = format!("`{}` was changed by another program just now", self.path.display());
        Err(Error::new(Code::System, "changed", message).hint("give the command again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_another_program_changed_meanwhile_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.json");
        for meanwhile in [Some("theirs"), None] {
            fs::write(&path, "old").unwrap();
            let file = Foreign::read(&path).unwrap();
            match meanwhile {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            assert_eq!(file.replace("ours", 0o600).unwrap_err().kind, "changed");
            assert_eq!(file.remove(dir.path()).unwrap_err().kind, "changed");
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), meanwhile);
            assert_eq!(names(dir.path()).len(), usize::from(meanwhile.is_some()), "no temporary file is left");
        }
        let file = Foreign::read(&path).unwrap();
        fs::write(&path, "made meanwhile").unwrap();
        assert_eq!(file.replace("ours", 0o600).unwrap_err().kind, "changed");
    }

    #[test]
    fn empty_directories_go_with_the_file_but_never_the_root_or_what_is_outside_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let path = root.join("a/b/file");
        for (root, left) in [(root.clone(), true), (dir.path().join("elsewhere"), true)] {
            fs::create_dir_all(&root).unwrap();
            let file = Foreign::read(&path).unwrap();
            file.replace("text", 0o600).unwrap();
            Foreign::read(&path).unwrap().remove(&root).unwrap();
            assert_eq!(root.exists(), left);
            assert_eq!(path.parent().unwrap().exists(), root.ends_with("elsewhere"));
        }
    }
}
