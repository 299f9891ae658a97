//! A process that runs and is nobody's child of ours: watched, signalled and asked how it ended, all by pidfd.
//!
//! For a shim that takes over a program whose shim was killed. The kernel gives the true wait status of a process that
//! others wait for: while it is a zombie `/proc` has it, and from Linux 6.15 on the pidfd has it afterwards. What neither
//! tells is `None`, never a guess.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::model::ending::WaitStatus;
use crate::model::time::{BootId, Identity};

use super::children::{self, Usage};
use super::{platform, process, signals, trace, watch};

/// Until a zombie that does not show how it ended has been waited for by its parent.
const REAPED: Duration = Duration::from_secs(2);
/// Looks at the threads of a process until none is found that is not traced yet.
const ROUNDS: usize = 8;

/// Whether this platform can watch such a process at all.
pub const CAN_WATCH: bool = true;

/// A process that is watched.
#[derive(Debug)]
pub struct Orphan {
    pidfd: OwnedFd,
    /// Readable while a signal waits for this process.
    signals: OwnedFd,
    identity: Identity,
}

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A signal is pending.
    Signal,
    /// The process has ended.
    Ended,
}

/// `struct pidfd_info` as Linux 6.13 has it; the exit code came with 6.15.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, parent, and four pairs of user and group.
    ids: [u32; 11],
    exit_code: i32,
}

/// The process was waited for, and `exit_code` says how it ended.
const INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const GET_INFO: u64 = (3 << 30) | (64 << 16) | (0xFF << 8) | 11;

/// Whether the kernel gives pidfds, and whether one tells how a process ended that was waited for. Tried with a child; `None`: none could be
/// started.
#[must_use]
pub fn offered() -> (Option<bool>, Option<bool>) {
    let child = std::process::Command::new("/bin/sh").args(["-c", "exit 0"]).spawn();
    let Ok(mut child) = child else { return (None, None) };
    let pidfd = i32::try_from(child.id()).map_err(io::Error::other).and_then(platform::pidfd);
    if child.wait().is_err() {
        return (None, None);
    }
    match pidfd {
        Ok(pidfd) => (Some(true), Some(recorded(&pidfd).is_some())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => (Some(false), None),
        Err(_) => (None, None),
    }
}

/// What the kernel keeps for the pidfd once the process was waited for.
fn recorded(pidfd: &OwnedFd) -> Option<WaitStatus> {
    let mut info = PidfdInfo { mask: INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the structure has the size that is part of the request and lives through the call.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & INFO_EXIT != 0).then(|| children::wait_status(info.exit_code)).flatten()
}

impl Orphan {
    /// Watches the process that `identity` means, one that has ended but was not waited for included; `None`: it is gone.
    /// All signals must be blocked.
    ///
    /// # Errors
    /// It cannot be asked, or no descriptor is left.
    pub fn open(identity: &Identity, boot: &BootId) -> io::Result<Option<Self>> {
        let pidfd = match platform::pidfd(identity.pid) {
            Ok(fd) => fd,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        // The descriptor is taken first: if the identity still holds now, the descriptor means that process.
        let unique = nix::sys::stat::fstat(&pidfd).ok().map(|stat| stat.st_ino);
        let now = process::look(identity.pid)?.map(|seen| Identity {
            pid: seen.pid,
            started: seen.started,
            boot: boot.clone(),
            unique,
        });
        if !now.is_some_and(|now| now.is(identity)) {
            return Ok(None);
        }
        Ok(Some(Self { pidfd, signals: signals::readable()?, identity: identity.clone() }))
    }

    /// Waits for the next signal or the end, whichever comes first. Uses no CPU while it waits.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn wait(&self) -> io::Result<Woken> {
        loop {
            let ready = watch::poll(&[self.signals.as_raw_fd(), self.pidfd.as_raw_fd()], None)?;
            // A signal first: one that came before the end is recorded before it.
            if ready.contains(&self.signals.as_raw_fd()) {
                return Ok(Woken::Signal);
            }
            if ready.contains(&self.pidfd.as_raw_fd()) {
                return Ok(Woken::Ended);
            }
        }
    }

    /// What tells of its end, by being readable.
    #[must_use]
    pub fn end(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The open file that the process has as descriptor `fd`.
    ///
    /// # Errors
    /// It has none; or the kernel or its security policy refuses (`EPERM`).
    pub fn descriptor(&self, fd: i32) -> io::Result<File> {
        // SAFETY: takes three integers, and returns a new descriptor or -1.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.pidfd.as_raw_fd(), fd, 0) };
        let copy = i32::try_from(copy).map_err(io::Error::other)?;
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Ok(unsafe { File::from_raw_fd(copy) })
    }

    /// Whether it has ended, waited for or not.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn has_ended(&self) -> io::Result<bool> {
        watch::poll(&[self.pidfd.as_raw_fd()], Some(Duration::ZERO)).map(|ready| !ready.is_empty())
    }

    /// Whether it has ended and nobody has waited for it: its pid is still its own.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        let seen = process::look(self.identity.pid).ok().flatten();
        seen.is_some_and(|seen| seen.zombie && seen.started == self.identity.started)
    }

    /// Its working directory; `None`: not ours to ask.
    #[must_use]
    pub fn cwd(&self) -> Option<CString> {
        let path = fs::read_link(format!("/proc/{}/cwd", self.identity.pid)).ok()?;
        CString::new(path.into_os_string().into_encoded_bytes()).ok()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone, or may not be signalled.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        platform::signal_pidfd(&self.pidfd, signal)
    }

    /// How it ended, once it has; `None`: the kernel does not say. Waits a moment for whoever is its parent.
    #[must_use]
    pub fn status(&self) -> Option<(WaitStatus, Usage)> {
        let unknown = Usage { user_ms: None, system_ms: None, max_rss_kib: None };
        let recorded = || recorded(&self.pidfd).map(|status| (status, unknown));
        recorded().or_else(|| self.zombie()).or_else(|| {
            drop(watch::poll_hangup(self.pidfd.as_raw_fd(), REAPED));
            recorded()
        })
    }

    /// What `/proc` shows of it while nobody has waited for it.
    fn zombie(&self) -> Option<(WaitStatus, Usage)> {
        let (started, status, usage) = platform::zombie(self.identity.pid)?;
        // Not waited for after that look: the pid was still its own at the look.
        let waited_for = !matches!(watch::poll_hangup(self.pidfd.as_raw_fd(), Duration::ZERO), Ok(false));
        (started == self.identity.started && !waited_for).then_some((status, usage))
    }
}

/// Begins to trace all threads of `pid`, which may be anybody's child.
///
/// # Errors
/// The kernel or its security policy refuses (`EPERM`).
pub fn seize_all(pid: i32) -> io::Result<()> {
    let mut traced = std::collections::BTreeSet::new();
    for _ in 0..ROUNDS {
        let before = traced.len();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Some(thread) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if traced.contains(&thread) {
                continue;
            }
            match trace::seize(thread) {
                // Gone meanwhile; or made by one that is traced already, and so traced as well.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) if error.raw_os_error() == Some(libc::EPERM) && thread != pid => {}
                Ok(()) => {}
                Err(error) => return Err(error),
            }
            traced.insert(thread);
        }
        if traced.len() == before {
            break;
        }
    }
    Ok(())
}
