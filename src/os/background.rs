//! Work that nobody waits for: a program of our own in a session of its own, with nothing open that its maker had open.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::descriptor::{inherited, pipe};
use super::spawn::{pointers, wait_for};
use super::{cgroup, children, platform, signals};

/// How much it stands back behind other work, where it is to.
const NICE: i32 = 10;

/// Whether other work goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// It does.
    Behind,
    /// It does not: what this starts inherits its rank.
    Equal,
}
/// Open in it until it [stands apart](stand_apart).
const ALONE_FD: i32 = 3;
/// How long its maker waits for that, in milliseconds; it takes about one.
const ALONE_MS: i32 = 100;

/// Starts `argv` out of the caller's reach, with `input` as its standard input and no other descriptor but
/// `/dev/null` for its output. Returns when it stands apart: if its maker ended before, it would pass for what that left behind.
///
/// # Errors
/// No process can be made. That the program cannot be executed is not seen.
pub fn start(exe: &CStr, argv: &[CString], environment: &[CString], input: &File, rank: Rank) -> io::Result<()> {
    let null = File::options().write(true).open("/dev/null")?;
    let (argv, environment) = (pointers(argv), pointers(environment));
    let (alone, alone_write) = pipe()?;
    // SAFETY: between this fork and `_exit` or `execve` the child makes only async-signal-safe calls on memory
    // prepared above; other threads may hold locks, none of which it takes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            libc::setsid();
            match libc::fork() {
                0 => {}
                -1 => libc::_exit(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)), // it always has one here
                _ => libc::_exit(0),
            }
            libc::dup2(input.as_raw_fd(), 0);
            libc::dup2(null.as_raw_fd(), 1);
            libc::dup2(null.as_raw_fd(), 2);
            libc::dup2(alone_write.as_raw_fd(), ALONE_FD);
            platform::close_from(ALONE_FD + 1);
            if rank == Rank::Behind {
                libc::nice(NICE);
            }
            libc::chdir(c"/".as_ptr());
            signals::reset_all();
            libc::execve(exe.as_ptr(), argv.as_ptr(), environment.as_ptr());
            libc::_exit(127)
        }
    }
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    drop(alone_write);
    match wait_for(child)? {
        0 => {}
        errno => return Err(io::Error::from_raw_os_error(errno)),
    }
    let mut polled = libc::pollfd { fd: alone.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure, which lives through the call. One that is slow or stopped is not waited for any longer.
    unsafe { libc::poll(&raw mut polled, 1, ALONE_MS) };
    Ok(())
}

/// Takes the name of a shim and leaves the caller's control group, so that it counts to no run: what runs under
/// guardian may start others with guardian.
pub fn stand_apart() {
    platform::set_process_name(children::SHIM_NAME);
    // The name is what tells it apart; its maker need not wait for more. Started by hand it has no such descriptor.
    drop(inherited(ALONE_FD));
    // Where this user may not, it shares the fate of that group, and what it did not find out stays unknown.
    drop(cgroup::leave());
}
