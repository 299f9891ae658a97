//! The `env_file` of a process.
//!
//! Read with guardian's own rights, perhaps for a program that has fewer: then a link that the program's user, or anybody else,
//! put there must not lead to what its owner could not read. Never waits: no fifo and no device is read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, fstatat};

use crate::error::{Code, Error};
use crate::os::read::{regular, whole};
use crate::policy::environment::parse_env_file;

/// Largest file that is read, in bytes: a program can be given little more.
const MOST: u64 = 2 << 20;
/// Links that are followed.
const LINKS: usize = 40;

/// Why it cannot be taken: as an errno for the record of the start, and in words.
#[derive(Debug)]
pub struct Unfit {
    /// EINVAL: a line is not `NAME=value`; EPERM: somebody else's link leads to it.
    pub errno: i32,
    /// What is told.
    pub error: Error,
}

/// Its variables. `reader`: the user of the program, where that is not guardian's own.
///
/// # Errors
/// It cannot be read, a line is not `NAME=value`, or somebody else's link leads to it.
pub fn read(path: &Path, reader: Option<u32>) -> Result<Vec<(String, String)>, Unfit> {
    let fail = |error: io::Error| Unfit {
        errno: error.raw_os_error().unwrap_or(if error.kind() == io::ErrorKind::FileTooLarge {
            libc::EFBIG
        } else {
            libc::ENOTSUP // no regular file
        }),
        error: Error::io("read `env_file`", path, &error),
    };
    let bytes = match reader {
        None => regular(path, MOST).map_err(fail)?,
        Some(reader) => {
            let found = walk(path).map_err(fail)?;
            if let Some(why) = found.unfit(reader).map_err(fail)? {
                let message = format!("`env_file` `{}` is not read with guardian's rights: {why}", path.display());
                let error = Error::new(Code::Refused, "env_file", message)
                    .hint("name the file itself, in a directory that only root can write");
                return Err(Unfit { errno: libc::EPERM, error });
            }
            whole(found.file, MOST).map_err(fail)?
        }
    };
    let bad = |what: &str| Unfit {
        errno: libc::EINVAL,
        error: Error::new(Code::Config, "env_file", format!("`env_file` `{}` {what}", path.display())),
    };
    let text = String::from_utf8(bytes).map_err(|_| bad("is not UTF-8"))?;
    parse_env_file(&text).map_err(|line| bad(&format!("line {line} is not `NAME=value`")))
}

/// A file, open, and what led to it.
struct Found {
    file: File,
    /// The directory that it lies in.
    dir: File,
    /// Symbolic links on the way, and whose they are.
    links: Vec<(OsString, u32)>,
}

impl Found {
    /// Why `reader` must not get it: not everything on the way was put there by root, by us, or by who owns the file.
    fn unfit(&self, reader: u32) -> io::Result<Option<String>> {
        let (file, me) = (self.file.metadata()?, nix::unistd::geteuid().as_raw());
        if file.uid() == reader {
            return Ok(None); // its own
        }
        let believed = |uid: u32| uid == 0 || uid == me || uid == file.uid();
        if let Some((link, uid)) = self.links.iter().find(|(_, uid)| !believed(*uid)) {
            return Ok(Some(format!("the link `{}` belongs to uid {uid}", link.display())));
        }
        let made = file.nlink() > 1 && !believed(self.dir.metadata()?.uid());
        Ok(made.then(|| "it has a second name elsewhere".to_owned()))
    }
}

/// Opens the file at `path` step by step, so that nobody can change what was looked at already.
fn walk(path: &Path) -> io::Result<Found> {
    let directory = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let last = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let begin = |path: &Path| openat(AT_FDCWD, if path.is_absolute() { "/" } else { "." }, directory, Mode::empty());
    let mut dir: OwnedFd = begin(path)?;
    let (mut left, mut links) = (parts(path), Vec::new());
    while let Some(part) = left.pop() {
        match readlinkat(&dir, &part) {
            Ok(target) => {
                let owner = fstatat(&dir, &part, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_uid;
                links.push((part.into_os_string(), owner));
                if links.len() > LINKS {
                    return Err(Errno::ELOOP.into());
                }
                let target = Path::new(&target);
                if target.is_absolute() {
                    dir = begin(target)?;
                }
                left.extend(parts(target));
            }
            Err(Errno::EINVAL) if left.is_empty() => {
                let file = File::from(openat(&dir, &part, last, Mode::empty())?);
                return Ok(Found { file, dir: File::from(dir), links });
            }
            Err(Errno::EINVAL) => dir = openat(&dir, &part, directory, Mode::empty())?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EISDIR.into())
}

/// The parts of a path, last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let named = |part: &Component| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(named).map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[test]
    fn links_are_followed_wherever_they_stand_and_wherever_they_lead() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "A=1\n").unwrap();
        symlink("b", root.join("a/c")).unwrap();
        symlink(root.join("a/c"), root.join("d")).unwrap();
        symlink("../c/./file", root.join("a/b/e")).unwrap();
        let names = |path: &str| -> Vec<String> {
            let links = walk(&root.join(path)).unwrap().links;
            links.into_iter().map(|(link, _)| link.into_string().unwrap()).collect()
        };
        assert_eq!(names("a/b/file"), [""; 0]);
        assert_eq!(names("d/e"), ["d", "c", "e", "c"]);
        symlink("loop", root.join("loop")).unwrap();
        for (odd, errno) in [("loop", Errno::ELOOP), ("a/x", Errno::ENOENT), ("a/b/file/x", Errno::ENOTDIR)] {
            assert_eq!(walk(&root.join(odd)).err().and_then(|error| error.raw_os_error()), Some(errno as i32), "{odd}");
        }
    }

    #[test]
    fn a_link_of_somebody_elses_leads_to_nothing_but_their_own_file() {
        const OTHER: u32 = 65_534;
        let dir = tempfile::tempdir().unwrap();
        let (secret, own, link) = (dir.path().join("secret"), dir.path().join("own"), dir.path().join("link"));
        fs::write(&secret, "A=1\n").unwrap();
        fs::write(&own, "A=2\n").unwrap();
        symlink(&secret, &link).unwrap();
        let read = |path: &Path| read(path, Some(OTHER));
        assert!(read(&secret).is_ok() && read(&link).is_ok(), "whoever wrote the registry put both there");
        if !nix::unistd::geteuid().is_root() {
            return; // nothing can be given away
        }
        lchown(&link, Some(OTHER), None).unwrap();
        assert_eq!(read(&link).unwrap_err().error.code, Code::Refused);
        lchown(&own, Some(OTHER), None).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&own, &link).unwrap();
        lchown(&link, Some(OTHER), None).unwrap();
        assert_eq!(read(&link).unwrap(), [("A".to_owned(), "2".to_owned())]);
        fs::remove_file(&link).unwrap();
        fs::hard_link(&secret, &link).unwrap();
        assert!(read(&link).is_ok());
        lchown(dir.path(), Some(OTHER), None).unwrap();
        assert_eq!(read(&link).unwrap_err().error.code, Code::Refused, "a second name that it made itself");
    }
}
