//! Files that other programs own as well: read whole, and replaced in one step under the eyes of their owners.
//!
//! A symbolic link stays one: what it leads to is written. Mode and owner stay. A file that was changed meanwhile is left alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};

use super::atomic;

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
        let text = atomic::read_if_there(&real)?.map(String::from_utf8).transpose().map_err(|_| {
            Error::new(Code::Config, "not_text", format!("`{}` is not UTF-8", path.display()))
                .hint("mend it, and give the command again; nothing was changed")
        })?;
        Ok(Self { path: real, text })
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
        let old = fs::metadata(&self.path).ok();
        let written =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside).and_then(|mut file| {
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
