//! Taking the beginning of a file away from under whoever appends to it: what the kernel offers for that on Linux.
//!
//! A writer with O_APPEND notices neither: what it writes next is at the end, wherever that is. Knows no log.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

fn fallocate(file: &File, mode: libc::c_int, bytes: u64) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: an open descriptor and integers; no memory is passed.
    match unsafe { libc::fallocate(file.as_raw_fd(), mode, 0, bytes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives the first `bytes` back to the disk; they read as zeroes, and nothing moves.
///
/// # Errors
/// The file system cannot.
pub fn punch(file: &File, bytes: u64) -> io::Result<()> {
    fallocate(file, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, bytes)
}

/// Takes the first `bytes` out: what follows is at the beginning then. Whole blocks only, and never all of the file.
///
/// # Errors
/// The file system cannot (ext4 and xfs can), or not by this number.
pub fn collapse(file: &File, bytes: u64) -> io::Result<()> {
    fallocate(file, libc::FALLOC_FL_COLLAPSE_RANGE, bytes)
}

/// Whether the file begins with a hole. An empty one does not.
///
/// # Errors
/// Those of `lseek`.
pub fn begins_with_hole(file: &File) -> io::Result<bool> {
    // SAFETY: an open descriptor and integers; no memory is passed.
    match unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_DATA) } {
        -1 => match io::Error::last_os_error() {
            // No data at all: a hole from end to end, or an empty file.
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(file.metadata()?.len() > 0),
            error => Err(error),
        },
        data => Ok(data > 0),
    }
}
