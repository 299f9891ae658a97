//! The health of the machine, as far as guardian leans on it: room on a disk, what its file system can do, a clock that is kept
//! right, somebody who waits for orphans.
//!
//! What is tried is tried with files and processes of its own, which are gone afterwards.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::policy::doctor::{Adopter, Rotation};

use super::{clock, lock, process, shrink};

/// How long a trial orphan lives, as `sleep` takes it.
const ORPHAN: &str = "sleep 0.3 </dev/null >/dev/null 2>&1 & echo $!";
/// How long its end is waited for, and between two looks.
const REAPED_MS: u64 = 5000;
const LOOK: Duration = Duration::from_millis(20);
/// The least block of a file in the trial.
const BLOCK: u64 = 4096;

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

/// What the file system of `dir` can do for the rotation of logs.
#[must_use]
pub fn rotation(dir: &Path) -> Rotation {
    let path = dir.join(format!(".guardian-doctor-{}", std::process::id()));
    let unknown = |error: &io::Error| Rotation::Unknown(error.to_string());
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match made {
        Ok(file) => file,
        Err(error) => return unknown(&error),
    };
    // It has no name any more when this ends, however it does.
    let filled = fs::remove_file(&path).and_then(|()| {
        let block = file.metadata()?.blksize().max(BLOCK);
        let length = usize::try_from(block * 4).map_err(io::Error::other)?;
        file.write_all(&vec![b'x'; length])?;
        file.sync_data()?;
        Ok(block)
    });
    let block = match filled {
        Ok(block) => block,
        Err(error) => return unknown(&error),
    };
    match (shrink::punch(&file, block), shrink::collapse(&file, block)) {
        (Ok(()), Ok(())) => Rotation::TakesOut,
        (Ok(()), Err(_)) => Rotation::Holes,
        (Err(_), _) => Rotation::Neither,
    }
}

/// Whether a lock on a file in `dir` keeps a second one out.
///
/// # Errors
/// It cannot be tried.
pub fn locks(dir: &Path) -> Result<bool, Error> {
    let path = dir.join(format!(".guardian-doctor-{}.lock", std::process::id()));
    let tried = lock::try_take(&path).and_then(|first| Ok(first.is_some() && lock::try_take(&path)?.is_none()));
    match fs::remove_file(&path) {
        Err(error) if tried.is_ok() => Err(Error::io("remove", &path, &error)),
        Ok(()) | Err(_) => tried,
    }
}

/// Who takes what lost its parent, and whether that one waits for it; `None`: it was not seen.
#[must_use]
pub fn orphan() -> Option<Adopter> {
    let before = process::table().ok()?; // trials leave orphans of their own
    let output =
        Command::new("/bin/sh").args(["-c", ORPHAN]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let pid: i32 = std::str::from_utf8(&output.stdout).ok()?.trim().parse().ok()?;
    let adopter = process::look(pid).ok()??.parent;
    let name = process::look(adopter).ok().flatten().map_or_else(String::new, |found| found.comm);
    let zombies = before.iter().filter(|one| one.zombie && one.parent == adopter).count();
    let begun = clock::boot_ms().ok()?;
    loop {
        let zombie = match process::look(pid).ok()? {
            None => return Some(Adopter { pid: adopter, name, reaps: true, zombies: 0 }),
            Some(found) => found.zombie,
        };
        if clock::boot_ms().ok()?.saturating_sub(begun) >= REAPED_MS {
            return zombie.then_some(Adopter { pid: adopter, name, reaps: false, zombies });
        }
        thread::sleep(LOOK);
    }
}
