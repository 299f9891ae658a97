//! Taking the beginning of a file away from under whoever appends to it: what macOS offers for that, which is holes.
//!
//! A writer with O_APPEND does not notice. Knows no log.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Gives the first `bytes`, whole blocks of the file system, back to the disk; they read as zeroes, and nothing moves.
///
/// # Errors
/// The file system cannot (APFS can).
pub fn punch(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    let hole = libc::fpunchhole_t { fp_flags: 0, reserved: 0, fp_offset: 0, fp_length: length };
    // SAFETY: the structure lives through the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PUNCHHOLE, &hole) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// There is no such call here.
///
/// # Errors
/// Always.
pub fn collapse(_file: &File, _bytes: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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
