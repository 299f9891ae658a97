//! Opens the registry only when nobody but its owner or root can have written it, and looks at the state directory likewise.
//!
//! What stands in a registry is executed, so a file that somebody else may write is somebody else's
//! program; so is the environment that stands in the state. Checked on the open file, not on its name, so that it is what
//! is then read. Root believes nobody else's, unless it is told to.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Code, Error};

/// Whether the owner of the home is believed as well.
static OWNER: AtomicBool = AtomicBool::new(false);

/// From now on the owner of the directory in which the registry lies is believed like this user: somebody said so.
pub fn believe_owner() {
    OWNER.store(true, Ordering::Relaxed);
}

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
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // One that is made now would lie there.
            return if path.parent().is_some_and(Path::exists) {
                check_directory(path).map(|_owner| None)
            } else {
                Ok(None)
            };
        }
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    let mut owner = check_directory(path)?;
    let target = if link.is_symlink() {
        check_owner(path, &link, owner)?;
        let target = fs::canonicalize(path).map_err(|error| Error::io("follow the link", path, &error))?;
        owner = check_directory(&target)?;
        target
    } else {
        path.to_owned()
    };
    let meta = fs::metadata(&target).map_err(|error| Error::io("read", path, &error))?;
    check_file(path, &meta, owner)?;
    let file = OpenOptions::new()
        .read(true)
        // Should it have become a fifo since: opening must not wait for a writer.
        .custom_flags(libc::O_NONBLOCK)
        .open(&target)
        .map_err(|error| Error::io("read", path, &error))?;
    let meta = file.metadata().map_err(|error| Error::io("read", path, &error))?;
    check_file(path, &meta, owner)?;
    Ok(Some(Trusted { file, meta, path: target }))
}

fn untrusted(path: &Path, why: &str, hint: String) -> Error {
    let message = format!("registry `{}` is not trusted: {why}", path.display());
    Error::new(Code::Refused, "registry_untrusted", message).hint(hint)
}

fn check_file(path: &Path, meta: &Metadata, owner: u32) -> Result<(), Error> {
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
    check_owner(path, meta, owner)?;
    if meta.mode() & 0o022 != 0 {
        let why = format!("others than its owner may write it (mode {:04o})", meta.mode() & 0o7777);
        return Err(untrusted(path, &why, format!("chmod go-w {}", quoted(path))));
    }
    Ok(())
}

/// Whether what belongs to `uid` is believed, in a directory of `owner`'s.
fn is_believed(uid: u32, owner: u32) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    uid == me || uid == 0 || (uid == owner && OWNER.load(Ordering::Relaxed))
}

/// To whom it belongs, to follow "it".
fn belongs(uid: u32) -> String {
    let me = nix::unistd::geteuid().as_raw();
    match me {
        0 => format!("belongs to uid {uid}, and you are root"),
        me => format!("belongs to uid {uid}, neither to you (uid {me}) nor to root"),
    }
}

/// The way out where something belongs to somebody else.
fn not_yours(path: &Path) -> String {
    let me = nix::unistd::geteuid().as_raw();
    let chown = format!("look through it, then: chown {me} {}", quoted(path));
    match me {
        0 => format!(
            "{chown}; or run guardian as its owner; or, to act for its owner with the rights of root, give --trust-home"
        ),
        _ => chown,
    }
}

fn check_owner(path: &Path, meta: &Metadata, owner: u32) -> Result<(), Error> {
    if is_believed(meta.uid(), owner) {
        return Ok(());
    }
    Err(untrusted(path, &format!("it {}", belongs(meta.uid())), not_yours(path)))
}

/// Whose directory `path` lies in, if that one is believed and not everybody may write there.
fn check_directory(path: &Path) -> Result<u32, Error> {
    let Some(dir) = path.parent() else { return Ok(0) };
    let read = |error: io::Error| Error::io("read", dir, &error);
    let mut meta = fs::symlink_metadata(dir).map_err(read)?;
    if meta.is_symlink() {
        // Whoever made it says where all of guardian's files lie.
        if !is_believed(meta.uid(), meta.uid()) {
            let why = format!("its directory `{}` is a link that {}", dir.display(), belongs(meta.uid()));
            return Err(untrusted(path, &why, not_yours(dir)));
        }
        meta = fs::metadata(dir).map_err(read)?;
    }
    let (world_writable, sticky) = (meta.mode() & 0o002 != 0, meta.mode() & 0o1000 != 0);
    if world_writable && !sticky {
        let why = format!("everybody may write its directory `{}`", dir.display());
        return Err(untrusted(path, &why, format!("chmod o-w {}", quoted(dir))));
    }
    if !is_believed(meta.uid(), meta.uid()) {
        let why = format!("its directory `{}` {}", dir.display(), belongs(meta.uid()));
        return Err(untrusted(path, &why, not_yours(dir)));
    }
    Ok(meta.uid())
}

/// Whether the state directory is believed; one that is not there yet is. `registry` is where the registry lies.
///
/// # Errors
/// 5 `state_untrusted`: a link of somebody else's, no directory, another owner, writable by others.
pub(super) fn check_state(state: &Path, registry: &Path) -> Result<(), Error> {
    let refuse = |why: String, hint: String| {
        let message = format!("state directory `{}` is not trusted: {why}", state.display());
        Err(Error::new(Code::Refused, "state_untrusted", message).hint(hint))
    };
    let meta = match fs::symlink_metadata(state) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", state, &error)),
    };
    let me = nix::unistd::geteuid().as_raw();
    let believed = |uid: u32| {
        let owner = || registry.parent().and_then(|dir| fs::metadata(dir).ok()).map_or(me, |dir| dir.uid());
        uid == me || is_believed(uid, owner())
    };
    if !believed(meta.uid()) {
        return refuse(format!("it {}", belongs(meta.uid())), not_yours(state));
    }
    let meta = match meta.is_symlink() {
        true => fs::metadata(state).map_err(|error| Error::io("follow the link", state, &error))?,
        false => meta,
    };
    if !meta.is_dir() {
        return refuse("it is no directory".to_owned(), "put a directory in its place".to_owned());
    }
    if !believed(meta.uid()) {
        return refuse(format!("where its link leads {}", belongs(meta.uid())), not_yours(state));
    }
    // A group that is one user's alone, as it is where the umask is 002.
    let own_group = meta.gid() == meta.uid() && meta.gid() == nix::unistd::getegid().as_raw();
    let others = if own_group { 0o002 } else { 0o022 };
    if meta.mode() & others != 0 {
        let why = format!("others than its owner may write it (mode {:04o})", meta.mode() & 0o7777);
        return refuse(why, format!("chmod go-w {}", quoted(state)));
    }
    Ok(())
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}
