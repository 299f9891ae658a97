//! Whether a directory is kept from being written by something other than its owner and mode: a read-only mount, a sandbox.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

/// The part of `path` that exists and cannot be written although owner and mode would allow it; `None`: it can be, or the
/// reason is a plain one, which whoever writes hears of.
#[must_use]
pub fn unwritable(path: &Path) -> Option<PathBuf> {
    for part in path.ancestors() {
        match access(part, AccessFlags::W_OK) {
            Err(Errno::ENOENT) => {}
            Err(Errno::EROFS) => return Some(part.to_owned()),
            Err(Errno::EACCES) => {
                let mine = |meta: &std::fs::Metadata| meta.uid() == geteuid().as_raw() && meta.mode() & 0o200 != 0;
                return part.metadata().is_ok_and(|meta| mine(&meta)).then(|| part.to_owned());
            }
            Ok(()) | Err(_) => return None,
        }
    }
    None
}
