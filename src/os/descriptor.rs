//! Open files: passed on, mapped, set aside, redirected.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use super::platform;

/// A file in memory, read-only, for as long as it is needed and no page longer.
#[derive(Debug)]
pub struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    /// Maps the whole of `file`, which nobody writes any more.
    ///
    /// # Errors
    /// Those of `fstat` and `mmap`; an empty file is one.
    pub fn new(file: &File) -> io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        // SAFETY: a private read-only mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Self { start, length }) }
    }

    /// Its content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has this length and lives as long as `self`; the file behind it is written no more.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, which nobody can use after this.
        unsafe { libc::munmap(self.start, self.length) };
    }
}

/// Sets `bytes` of disk aside for `file` without changing its size.
///
/// # Errors
/// The file system cannot, or has no room.
pub fn set_aside(file: &File, bytes: u64) -> io::Result<()> {
    platform::set_aside(file, i64::try_from(bytes).map_err(io::Error::other)?)
}

/// Takes over a descriptor that this process was started with.
///
/// # Errors
/// It is not open.
pub fn inherited(fd: i32) -> io::Result<File> {
    // SAFETY: setting a flag on a number; one that is not open is an error.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, it was inherited, and the caller takes each of its numbers once.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Reading from `file` returns at once from now on, with `WouldBlock` where there is nothing.
///
/// # Errors
/// Those of `fcntl`.
pub fn set_nonblocking(file: &File) -> io::Result<()> {
    // SAFETY: setting a flag of an open descriptor.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Standard output and error go to `fd` from now on.
///
/// # Errors
/// Those of `dup2`.
pub fn redirect_output(fd: i32) -> io::Result<()> {
    for standard in [1, 2] {
        // SAFETY: duplicating a descriptor onto a number passes no memory; the old file of that number is not owned by anyone here.
        if unsafe { libc::dup2(fd, standard) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Size of the file that standard output goes to, in bytes; `None`: it cannot be asked.
#[must_use]
pub fn size_of_output() -> Option<u64> {
    nix::sys::stat::fstat(io::stdout()).ok().and_then(|stat| u64::try_from(stat.st_size).ok())
}

/// Path of the file that standard output goes to.
///
/// # Errors
/// It cannot be told.
pub fn path_of_output() -> io::Result<PathBuf> {
    platform::path_of_output()
}

/// Writes to the file that standard output goes to. A full disk takes what it can.
pub fn write_output(bytes: &[u8]) {
    let _written = nix::unistd::write(io::stdout(), bytes);
}

/// At most the last `most` bytes that were written to the file of standard output from `from` on; `None`: it cannot be
/// read, such as where it lies no longer at the path that it was opened by and the platform goes by that.
#[must_use]
pub fn tail_of_output(from: u64, most: u64) -> Option<Vec<u8>> {
    let mut file = platform::reopen_output().ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(from.max(size.saturating_sub(most)))).ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A pipe, both ends close-on-exec: (read, write).
///
/// # Errors
/// No descriptors are left.
pub fn pipe() -> io::Result<(File, File)> {
    let (read, write) = io::pipe()?;
    Ok((File::from(OwnedFd::from(read)), File::from(OwnedFd::from(write))))
}

/// An unnamed file for what the shim is told.
///
/// # Errors
/// None can be made.
pub fn anonymous_file() -> io::Result<File> {
    platform::anonymous_file()
}
