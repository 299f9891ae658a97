//! The way of a program into its groups: between fork and exec, so that nothing of it is ever outside.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::super::platform;

/// Open doors to the groups of a run. Empty: it stays where its shim is.
#[derive(Debug, Default)]
pub struct Entrance {
    /// Directory of the group in the unified hierarchy.
    pub(super) directory: Option<File>,
    /// Files of the groups of version 1 that a thread enters through.
    pub(super) doors: Vec<File>,
}

impl Entrance {
    /// Forks. In the child 0 comes back, and whether it was born in the group of the unified hierarchy, which costs
    /// nothing; to move there later waits for every processor.
    ///
    /// # Safety
    /// As `fork`: with other threads about, the child may make async-signal-safe calls only.
    pub(in super::super) unsafe fn fork(&self) -> (i32, bool) {
        if let Some(directory) = &self.directory {
            let child = platform::fork_into(directory.as_raw_fd());
            if child >= 0 {
                return (child, true);
            }
        }
        // SAFETY: the caller keeps to what fork asks.
        (unsafe { libc::fork() }, false)
    }

    /// In the child: through the doors that are left. False, with errno: one is closed. Async-signal-safe.
    pub(in super::super) fn enter(&self, born_inside: bool) -> bool {
        let move_by = |fd: i32| {
            // SAFETY: two bytes of a constant are read.
            unsafe { libc::write(fd, c"0".as_ptr().cast(), 1) == 1 }
        };
        let unified = match &self.directory {
            Some(directory) if !born_inside => {
                // SAFETY: an open directory and a NUL-terminated constant; the descriptor closes with the exec.
                let door = unsafe {
                    libc::openat(directory.as_raw_fd(), c"cgroup.procs".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC)
                };
                door >= 0 && move_by(door)
            }
            Some(_) | None => true,
        };
        unified && self.doors.iter().all(|door| move_by(door.as_raw_fd()))
    }
}
