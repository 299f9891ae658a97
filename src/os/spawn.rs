//! Making processes: the shim, out of the reach of whoever asked for it, and the program below the shim.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::model::ending::WaitStatus;
use crate::model::evidence::SpawnStep;
use crate::model::signal::Signal;

use super::{platform, signals};

/// Descriptors that the shim finds open when it begins; 0 is /dev/null, 1 and 2 are the log.
pub const LAUNCH_FD: i32 = 3;
/// Where the shim reports the start.
pub const REPORT_FD: i32 = 4;
/// The run's record, locked for as long as the shim lives.
pub const RECORD_FD: i32 = 5;
/// The lock that the run's processes inherit.
pub const TREE_FD: i32 = 6;
/// Where the inherited lock lies in the program: the last number that costs no larger table, and out
/// of the way of shells and of `LISTEN_FDS`, which begin at 3.
const INHERITED_FD: i32 = 63;
/// Descriptors are moved here before they are put in their places, so that none is overwritten.
const ASIDE: i32 = TREE_FD + 1;

/// What the shim is started with.
#[derive(Debug)]
pub struct ShimFiles<'a> {
    /// What to run.
    pub launch: &'a File,
    /// The log.
    pub log: &'a File,
    /// The record.
    pub record: &'a File,
    /// The tree's lock.
    pub tree: &'a File,
}

/// NULL-terminated pointers into `strings`, as `execve` takes them.
fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ref().as_ptr()).chain([std::ptr::null()]).collect()
}

fn aside(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: duplicating a descriptor passes no memory.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, ASIDE) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
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

/// Starts the shim: double fork, own session, parent init before this returns, every descriptor
/// above [`TREE_FD`] closed, all signals blocked. Returns the end of the pipe it reports through.
///
/// # Errors
/// A pipe, descriptor or process cannot be made. That the shim could not be executed comes through
/// the pipe: `F`, step, errno.
pub fn detach_shim(exe: &CStr, argv: &[CString], environment: &[CString], files: &ShimFiles<'_>) -> io::Result<File> {
    let (report, report_write) = pipe()?;
    let null = File::open("/dev/null")?;
    let places = [
        (aside(null.as_raw_fd())?, 0),
        (aside(files.log.as_raw_fd())?, 1),
        (aside(files.log.as_raw_fd())?, 2),
        (aside(files.launch.as_raw_fd())?, LAUNCH_FD),
        (aside(report_write.as_raw_fd())?, REPORT_FD),
        (aside(files.record.as_raw_fd())?, RECORD_FD),
        (aside(files.tree.as_raw_fd())?, TREE_FD),
    ];
    let (argv, environment) = (pointers(argv), pointers(environment));
    let mask = signals::block_all()?;
    // SAFETY: between this fork and `_exit` or `execve` the child makes only async-signal-safe calls
    // on memory prepared above; other threads may hold locks, none of which it takes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            libc::setsid();
            match libc::fork() {
                0 => {}
                -1 => exec_failed(report_write.as_raw_fd(), SpawnStep::Fork),
                _ => libc::_exit(0),
            }
            for (from, to) in &places {
                libc::dup2(from.as_raw_fd(), *to);
            }
            platform::close_from(TREE_FD + 1);
            libc::execve(exe.as_ptr(), argv.as_ptr(), environment.as_ptr());
            exec_failed(REPORT_FD, SpawnStep::Exec);
        }
    }
    let failed = (child < 0).then(io::Error::last_os_error);
    signals::set_mask(&mask)?;
    if let Some(error) = failed {
        return Err(error);
    }
    wait_for(child)?;
    Ok(report)
}

fn wait_for(child: i32) -> io::Result<()> {
    loop {
        // SAFETY: no status is asked for.
        if unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } == child {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(()), // SIGCHLD is ignored: the kernel waited
            error => return Err(error),
        }
    }
}

/// What comes through the report pipe: `S` and the pid, or `F`, the step and errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The program runs.
    Started {
        /// Its pid.
        pid: i32,
        /// Why it is not traced although it was asked for.
        untraced: Option<i32>,
    },
    /// It does not.
    Failed {
        /// The step that failed.
        step: SpawnStep,
        /// The system's error number.
        errno: i32,
    },
}

const REPORT_LEN: usize = 9;

impl Report {
    /// The form that goes through the pipe, in one write.
    #[must_use]
    pub fn encode(self) -> [u8; REPORT_LEN] {
        let (kind, number, extra) = match self {
            Self::Started { pid, untraced } => (b'S', pid, untraced.unwrap_or(0)), // errno 0 is no error
            Self::Failed { step: SpawnStep::Fork, errno } => (b'f', errno, 0),
            Self::Failed { step: SpawnStep::Cwd, errno } => (b'c', errno, 0),
            Self::Failed { step: SpawnStep::Exec, errno } => (b'x', errno, 0),
        };
        let mut bytes = [kind; REPORT_LEN];
        let numbers = number.to_le_bytes().into_iter().chain(extra.to_le_bytes());
        for (place, byte) in bytes.iter_mut().skip(1).zip(numbers) {
            *place = byte;
        }
        bytes
    }

    /// What came through the pipe; `None`: not a report, such as nothing at all.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (number, extra) = rest.split_at_checked(4)?;
        let number = i32::from_le_bytes(number.try_into().ok()?);
        let extra = i32::from_le_bytes(extra.try_into().ok()?);
        match kind {
            b'S' => Some(Self::Started { pid: number, untraced: (extra != 0).then_some(extra) }),
            b'f' => Some(Self::Failed { step: SpawnStep::Fork, errno: number }),
            b'c' => Some(Self::Failed { step: SpawnStep::Cwd, errno: number }),
            b'x' => Some(Self::Failed { step: SpawnStep::Exec, errno: number }),
            _ => None,
        }
    }
}

/// Reports the last error through `fd` and ends this process. Async-signal-safe.
fn exec_failed(fd: i32, step: SpawnStep) -> ! {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO); // it always has one here
    let bytes = Report::Failed { step, errno }.encode();
    // SAFETY: `bytes` lives through the write; what cannot be reported is seen as an early end of the pipe.
    unsafe {
        libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// What the program is.
#[derive(Debug)]
pub struct Program<'a> {
    /// Working directory.
    pub cwd: &'a CStr,
    /// Paths to try to execute, in order, as `execvp` would look in PATH.
    pub candidates: &'a [&'a CStr],
    /// Argument vector.
    pub argv: &'a [&'a CStr],
    /// Environment.
    pub environment: &'a [&'a CStr],
    /// File mode creation mask.
    pub umask: u32,
    /// Whether to trace signals.
    pub trace: bool,
}

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

/// What `ps` shows of a shim, whatever it guards: no pattern that means a program matches it.
pub const SHIM_NAME: &CStr = c"guardian-shim";

/// Starts `argv` as a child with all signals unblocked and `answer` as its descriptor 3. For the passes that a shim runs.
///
/// # Errors
/// No process can be made. That the program cannot be executed shows as exit code 127.
pub fn pass(exe: &[&CStr], argv: &[&CStr], environment: &[CString], answer: &File) -> io::Result<i32> {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: the shim has one thread, so the child may do what any process may.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the child is a process of its own; all pointers are to memory that it has a copy of.
        unsafe {
            libc::dup2(answer.as_raw_fd(), LAUNCH_FD);
            platform::close_from(LAUNCH_FD + 1);
            signals::reset_all();
            for path in exe {
                libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr());
            }
            libc::_exit(127);
        }
    }
    if child < 0 { Err(io::Error::last_os_error()) } else { Ok(child) }
}

/// A program that runs, or the step and errno that kept it from running.
pub type Spawned = Result<(i32, Option<i32>), (SpawnStep, i32)>;

/// Starts the program as a child in its own session, with the tree's lock open in it. `in_child` runs
/// in the child before anything else: it writes down who it is, so that a shim killed right now leaves
/// no process that nobody knows of. Returns when the program has been executed, or the step and errno.
pub fn program(program: &Program<'_>, in_child: impl FnOnce()) -> Spawned {
    let failed = |step| move |error: io::Error| (step, error.raw_os_error().unwrap_or(libc::EIO)); // it always has one here
    let (mut outcome, outcome_write) = pipe().map_err(failed(SpawnStep::Fork))?;
    let (go, go_write) = pipe().map_err(failed(SpawnStep::Fork))?;
    let (argv, environment) = (pointers(program.argv), pointers(program.environment));
    // SAFETY: the shim has one thread, so the child may do what any process may.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(go_write);
        // SAFETY: the child is a process of its own; all pointers are to memory that it has a copy of.
        unsafe {
            libc::setsid();
            in_child();
            if program.trace {
                let mut byte = 0_u8;
                libc::read(go.as_raw_fd(), (&raw mut byte).cast(), 1); // until the tracer is there, or gone
            }
            if libc::chdir(program.cwd.as_ptr()) != 0 {
                exec_failed(outcome_write.as_raw_fd(), SpawnStep::Cwd);
            }
            libc::umask(program.umask as libc::mode_t);
            if libc::fcntl(TREE_FD, libc::F_DUPFD, INHERITED_FD) < 0 {
                libc::fcntl(TREE_FD, libc::F_DUPFD, TREE_FD + 1); // few descriptors allowed: anywhere
            }
            signals::reset_all();
            let mut denied = None;
            for candidate in program.candidates {
                libc::execve(candidate.as_ptr(), argv.as_ptr(), environment.as_ptr());
                match io::Error::last_os_error().raw_os_error() {
                    Some(libc::ENOENT | libc::ENOTDIR) => {}
                    Some(libc::EACCES) => denied = Some(libc::EACCES),
                    Some(_) | None => exec_failed(outcome_write.as_raw_fd(), SpawnStep::Exec),
                }
            }
            set_errno(denied.unwrap_or(libc::ENOENT));
            exec_failed(outcome_write.as_raw_fd(), SpawnStep::Exec);
        }
    }
    drop(outcome_write);
    if child < 0 {
        return Err(failed(SpawnStep::Fork)(io::Error::last_os_error()));
    }
    drop(go);
    let untraced =
        program.trace.then(|| super::trace::seize(child).err().map(|error| error.raw_os_error().unwrap_or(libc::EIO)));
    drop(go_write);
    match read_report(&mut outcome) {
        Some(Report::Failed { step, errno }) => Err((step, errno)),
        Some(Report::Started { .. }) | None => Ok((child, untraced.flatten())),
    }
}

/// Reads until the pipe closes: a report, or nothing when the program was executed. A traced child
/// stops at its `execve` after its end of the pipe is closed, so reading first is safe.
fn read_report(outcome: &mut File) -> Option<Report> {
    let mut bytes = Vec::with_capacity(REPORT_LEN);
    match outcome.read_to_end(&mut bytes) {
        Ok(_) => Report::decode(&bytes),
        Err(_) => None,
    }
}

fn set_errno(errno: i32) {
    // SAFETY: the location is this thread's own errno.
    unsafe { *platform::errno_location() = errno }
}

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
    /// User CPU time, in milliseconds.
    pub user_ms: u64,
    /// System CPU time, in milliseconds.
    pub system_ms: u64,
    /// Largest resident set, in KiB.
    pub max_rss_kib: u64,
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
    let ended = if libc::WIFEXITED(status) {
        WaitStatus::Code(libc::WEXITSTATUS(status))
    } else {
        WaitStatus::Signal(Signal(libc::WTERMSIG(status)), libc::WCOREDUMP(status))
    };
    Ok(Waited::Ended { pid, status: ended, usage: platform::usage(&usage) })
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
