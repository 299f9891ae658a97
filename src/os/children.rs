//! The shim's children: waited for, signalled, adopted.

use std::ffi::CStr;
use std::io;

use crate::model::ending::WaitStatus;
use crate::model::signal::Signal;

use super::platform;

/// A thread of a traced process that stands still: the signal, and the ptrace event (0: a signal is about to be delivered).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The signal in the wait status.
    pub signal: i32,
    /// The event in the wait status.
    pub event: i32,
}

/// What one child did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// It ended.
    Ended {
        /// Its pid.
        pid: i32,
        /// How.
        status: WaitStatus,
        /// What it used.
        usage: Usage,
    },
    /// It is traced and stands still.
    Stopped {
        /// Its thread id.
        pid: i32,
        /// For what.
        stop: Stop,
    },
    /// Nothing has happened; children live.
    Quiet,
    /// There are no children.
    Childless,
}

/// What a process and the children it waited for have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// User CPU time, in milliseconds; `None`: not known, as the rest.
    pub user_ms: Option<u64>,
    /// System CPU time, in milliseconds.
    pub system_ms: Option<u64>,
    /// Largest resident set, in KiB.
    pub max_rss_kib: Option<u64>,
}

/// What a child has done that was not reported yet, without waiting.
///
/// # Errors
/// Those of `wait4`.
pub fn poll_children() -> io::Result<Waited> {
    let mut status = 0;
    // SAFETY: zeroes are a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: status and usage live through the call.
    let pid = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG | platform::WAIT_ALL, &mut usage) };
    if pid == 0 {
        return Ok(Waited::Quiet);
    }
    if pid < 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::ECHILD) { Ok(Waited::Childless) } else { Err(error) };
    }
    if libc::WIFSTOPPED(status) {
        return Ok(Waited::Stopped { pid, stop: Stop { signal: libc::WSTOPSIG(status), event: status >> 16 } });
    }
    let status = wait_status(status).ok_or_else(|| io::Error::other("a wait status that is no end"))?;
    Ok(Waited::Ended { pid, status, usage: platform::usage(&usage) })
}

/// What the kernel's number for an end means; `None`: it is no end.
#[must_use]
pub fn wait_status(status: i32) -> Option<WaitStatus> {
    if libc::WIFEXITED(status) {
        Some(WaitStatus::Code(libc::WEXITSTATUS(status)))
    } else {
        let signal = libc::WTERMSIG(status);
        libc::WIFSIGNALED(status).then(|| WaitStatus::Signal(Signal(signal), libc::WCOREDUMP(status)))
    }
}

/// How the child `pid` ended, if it has; it can still be waited for, and until then it is still there to be looked at.
#[must_use]
pub fn has_ended(pid: i32) -> Option<WaitStatus> {
    let id = libc::id_t::try_from(pid).ok()?;
    // SAFETY: zeroes are a valid siginfo, which lives through the call; WNOWAIT leaves the child as it is.
    let (found, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        (
            libc::waitid(
                libc::P_PID,
                id,
                &mut info,
                libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | platform::WAIT_ALL,
            ),
            info,
        )
    };
    // SAFETY: pid and status are plain integers of a structure that is wholly initialised.
    let (who, status) = unsafe { (info.si_pid(), info.si_status()) };
    if found != 0 || who != pid {
        return None;
    }
    match info.si_code {
        libc::CLD_EXITED => Some(WaitStatus::Code(status)),
        libc::CLD_KILLED => Some(WaitStatus::Signal(Signal(status), false)),
        libc::CLD_DUMPED => Some(WaitStatus::Signal(Signal(status), true)),
        _ => None,
    }
}

/// Sends `signal` to the child `pid`, which has not been waited for: its pid is its own.
///
/// # Errors
/// Those of `kill`.
pub fn signal_child(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: kill passes no memory.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether this process has no children, dead ones included.
#[must_use]
pub fn is_childless() -> bool {
    // SAFETY: zeroes are a valid siginfo, which lives through the call; WNOWAIT leaves the child as it is.
    let found = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
    };
    found == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD)
}

/// Whether a shim that lives adopts every orphan of its run on this platform.
pub const ADOPTS: bool = platform::ADOPTS;

/// Orphans among our descendants come to us from now on, and `ps` shows our name.
pub fn become_shim() {
    // Without a subreaper orphans go to init, and `stop` finds them by their environment.
    drop(platform::become_subreaper(true));
    platform::set_process_name(SHIM_NAME);
}

/// Orphans go to init again, as they must before a pass of ours starts a new shim.
pub fn stop_adopting() {
    // Where it cannot be undone it could not be done either.
    drop(platform::become_subreaper(false));
}

/// What `ps` shows of a shim, whatever it guards: no pattern that means a program matches it.
pub const SHIM_NAME: &CStr = c"guardian-shim";
