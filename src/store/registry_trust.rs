//! Opens the registry only when nobody but its owner or root can have written it.
//!
//! What stands in a registry is executed, so a file that somebody else may write is somebody else's
//! program. Checked on the open file, not on its name, so that it is what is then read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};

/// An open registry that passed the checks.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) file: File,
    pub(super) meta: Metadata,
    /// The file itself, behind symbolic links.
    pub(super) path: PathBuf,
}

/// Opens `path`; `None` when there is nothing of that name.
///
/// # Errors
/// 5 `registry_untrusted`: not a regular file, another owner, writable by others, in a directory
/// that others can write. 74: it cannot be opened, or is a link that leads nowhere.
pub(super) fn open(path: &Path) -> Result<Option<Trusted>, Error> {
    let link = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    check_directory(path)?;
    let target = if link.is_symlink() {
        check_owner(path, &link)?;
        let target = fs::canonicalize(path).map_err(|error| Error::io("follow the link", path, &error))?;
        check_directory(&target)?;
        target
    } else {
        path.to_owned()
    };
    let meta = fs::metadata(&target).map_err(|error| Error::io("read", path, &error))?;
    check_file(path, &meta)?;
    let file = OpenOptions::new()
        .read(true)
        // Should it have become a fifo since: opening must not wait for a writer.
        .custom_flags(libc::O_NONBLOCK)
        .open(&target)
        .map_err(|error| Error::io("read", path, &error))?;
    let meta = file.metadata().map_err(|error| Error::io("read", path, &error))?;
    check_file(path, &meta)?;
    Ok(Some(Trusted { file, meta, path: target }))
}

fn untrusted(path: &Path, why: &str, hint: String) -> Error {
    let message = format!("registry `{}` is not trusted: {why}", path.display());
    Error::new(Code::Refused, "registry_untrusted", message).hint(hint)
}

fn check_file(path: &Path, meta: &Metadata) -> Result<(), Error> {
    let kind = meta.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() {
            "a fifo"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        };
        return Err(untrusted(path, &format!("it is {what}"), "put a regular file in its place".to_owned()));
    }
    check_owner(path, meta)?;
    if meta.mode() & 0o022 != 0 {
        let why = format!("others than its owner may write it (mode {:04o})", meta.mode() & 0o7777);
        return Err(untrusted(path, &why, format!("chmod go-w {}", quoted(path))));
    }
    Ok(())
}

fn check_owner(path: &Path, meta: &Metadata) -> Result<(), Error> {
    let me = nix::unistd::geteuid().as_raw();
    if meta.uid() != me && meta.uid() != 0 {
        let why = format!("it belongs to uid {}, neither to you (uid {me}) nor to root", meta.uid());
        return Err(untrusted(path, &why, format!("look through it, then: chown {me} {}", quoted(path))));
    }
    Ok(())
}

fn check_directory(path: &Path) -> Result<(), Error> {
    let Some(dir) = path.parent() else { return Ok(()) };
    let meta = fs::metadata(dir).map_err(|error| Error::io("read", dir, &error))?;
    let (world_writable, sticky) = (meta.mode() & 0o002 != 0, meta.mode() & 0o1000 != 0);
    if world_writable && !sticky {
        let why = format!("everybody may write its directory `{}`", dir.display());
        return Err(untrusted(path, &why, format!("chmod o-w {}", quoted(dir))));
    }
    Ok(())
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}
