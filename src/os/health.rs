//! The health of the machine, as far as guardian leans on it: room on a disk, a clock that is kept right.

use std::path::Path;

/// Bytes and inodes that this user may still use on the file system of `path`; inodes are 0 where they are not counted. `None`: it
/// cannot be asked.
#[must_use]
pub fn room(path: &Path) -> Option<(u64, u64)> {
    let bytes = fs2::available_space(path).ok()?;
    // Of another width on each platform.
    let inodes = i128::from(nix::sys::statvfs::statvfs(path).ok()?.files_available());
    Some((bytes, u64::try_from(inodes).ok()?))
}

/// Whether the kernel's clock is kept right by somebody; `None`: it does not say.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: all zeros is a valid value, and asks without changing anything.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: one structure, which lives through the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    (state >= 0).then_some(state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0)
}

/// Whether the kernel's clock is kept right by somebody; `None`: it does not say.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_synchronised() -> Option<bool> {
    None
}
