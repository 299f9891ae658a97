//! Waiting for something to happen elsewhere, without polling where the kernel can tell.

use std::io;
use std::path::Path;
use std::time::Duration;

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::model::time::Identity;

/// Waits for a file to change.
#[derive(Debug)]
pub struct FileWatch {
    #[cfg(target_os = "linux")]
    inotify: nix::sys::inotify::Inotify,
}

/// Where the kernel does not tell, looks are this far apart.
#[cfg(not(target_os = "linux"))]
const LOOK: Duration = Duration::from_millis(100);

#[cfg(target_os = "linux")]
impl FileWatch {
    /// Watches the directory of `path`, so that a file that is made or replaced is noticed too.
    ///
    /// # Errors
    /// The kernel has no watch left, or the directory is not there.
    pub fn new(path: &Path) -> io::Result<Self> {
        Self::all(&[path])
    }

    /// Watches the file at `path` alone, which is there: what happens beside it wakes nobody.
    ///
    /// # Errors
    /// The kernel has no watch left, or the file is not there.
    pub fn only(path: &Path) -> io::Result<Self> {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(path, AddWatchFlags::IN_MODIFY)?;
        Ok(Self { inotify })
    }

    /// The same for several files.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn all(paths: &[impl AsRef<Path>]) -> io::Result<Self> {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let what = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        for path in paths {
            inotify.add_watch(path.as_ref().parent().unwrap_or(Path::new("/")), what)?;
        }
        Ok(Self { inotify })
    }

    /// Returns when something in the directory has changed, or after `limit`.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let ready = poll(&[self.inotify.as_fd().as_raw_fd()], limit)?;
        if !ready.is_empty() {
            drop(self.inotify.read_events()?);
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
impl FileWatch {
    /// Watches nothing: looks are made at intervals.
    ///
    /// # Errors
    /// Never.
    pub fn new(_path: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Watches nothing: looks are made at intervals.
    ///
    /// # Errors
    /// Never.
    pub fn only(_path: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The same for several files.
    ///
    /// # Errors
    /// Never.
    pub fn all(_paths: &[impl AsRef<Path>]) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns after a short while.
    ///
    /// # Errors
    /// Never.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        std::thread::sleep(limit.map_or(LOOK, |limit| limit.min(LOOK)));
        Ok(())
    }
}

/// Waits for processes to end.
#[derive(Debug, Default)]
pub struct Ends {
    #[cfg(target_os = "linux")]
    watched: Vec<(Identity, OwnedFd)>,
    #[cfg(not(target_os = "linux"))]
    watched: Vec<Identity>,
}

impl Ends {
    /// Watches the process that `identity` means; false: it has ended already.
    ///
    /// # Errors
    /// It cannot be asked.
    #[cfg(target_os = "linux")]
    pub fn add(&mut self, identity: &Identity) -> io::Result<bool> {
        let fd = match super::platform::pidfd(identity.pid) {
            Ok(fd) => fd,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(false),
            Err(error) => return Err(error),
        };
        // The descriptor is taken first: if the identity still holds now, the descriptor means that process.
        if !super::process::identify(identity.pid, &identity.boot)?.is_some_and(|now| now.is(identity)) {
            return Ok(false);
        }
        self.watched.push((identity.clone(), fd));
        Ok(true)
    }

    /// Returns when one has ended, or after `limit`; all are forgotten then. Uses no CPU while it waits.
    ///
    /// # Errors
    /// Those of `poll`.
    #[cfg(target_os = "linux")]
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let fds: Vec<i32> = self.watched.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
        poll(&fds, limit)?;
        self.watched.clear();
        Ok(())
    }

    /// The same, or when what `file` watches has changed.
    ///
    /// # Errors
    /// Those of `poll`.
    #[cfg(target_os = "linux")]
    pub fn wait_or(&mut self, file: &FileWatch, limit: Option<Duration>) -> io::Result<()> {
        let mut fds: Vec<i32> = self.watched.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
        let inotify = file.inotify.as_fd().as_raw_fd();
        fds.push(inotify);
        if poll(&fds, limit)?.contains(&inotify) {
            drop(file.inotify.read_events()?);
        }
        self.watched.clear();
        Ok(())
    }

    /// The same, or when what `file` watches has changed.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(target_os = "linux"))]
    pub fn wait_or(&mut self, _file: &FileWatch, limit: Option<Duration>) -> io::Result<()> {
        self.wait(limit)
    }

    /// Watches the process that `identity` means; false: it has ended already.
    ///
    /// # Errors
    /// It cannot be asked.
    #[cfg(not(target_os = "linux"))]
    pub fn add(&mut self, identity: &Identity) -> io::Result<bool> {
        let lives = super::process::identify(identity.pid, &identity.boot)?.is_some_and(|now| now.is(identity));
        if lives {
            self.watched.push(identity.clone());
        }
        Ok(lives)
    }

    /// Returns after a short while; all are forgotten then.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(target_os = "linux"))]
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        std::thread::sleep(limit.map_or(LOOK, |limit| limit.min(LOOK)));
        self.watched.clear();
        Ok(())
    }
}

/// Whether the process that a pidfd means has been waited for, or the other end of a pipe is closed, after at most `limit`.
pub(super) fn poll_hangup(pidfd: i32, limit: Duration) -> io::Result<bool> {
    let ms = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    let mut polled = libc::pollfd { fd: pidfd, events: 0, revents: 0 };
    // SAFETY: one structure, which lives through the call.
    match unsafe { libc::poll(&raw mut polled, 1, ms) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(polled.revents & libc::POLLHUP != 0),
    }
}

/// Whether nobody has the other end of this pipe open any more, after at most `limit`.
///
/// # Errors
/// Those of `poll`.
pub fn hangs_up(pipe: &std::fs::File, limit: Duration) -> io::Result<bool> {
    poll_hangup(std::os::fd::AsRawFd::as_raw_fd(pipe), limit)
}

/// Descriptors that are readable, after at most `limit`.
#[cfg(target_os = "linux")]
pub(super) fn poll(fds: &[i32], limit: Option<Duration>) -> io::Result<Vec<i32>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    // A limit beyond 24 days is cut: the caller looks again.
    let ms = limit.map_or(-1, |limit| i32::try_from(limit.as_millis()).unwrap_or(i32::MAX));
    let count = libc::nfds_t::try_from(polled.len()).map_err(io::Error::other)?;
    // SAFETY: the array lives through the call and has this length.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), count, ms) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(Vec::new()) } else { Err(error) };
    }
    Ok(polled.iter().filter(|fd| fd.revents != 0).map(|fd| fd.fd).collect())
}
