//! Making processes: the shim, out of the reach of whoever asked for it, and the program below the shim.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::model::evidence::SpawnStep;

use super::descriptor::pipe;
use super::{platform, signals};

/// Descriptors that the shim finds open when it begins; 0 is /dev/null, 1 and 2 are the log.
pub const LAUNCH_FD: i32 = 3;
/// Where the shim reports the start.
pub const REPORT_FD: i32 = 4;
/// The run's record, locked for as long as the shim lives.
pub const RECORD_FD: i32 = 5;
/// The lock that the run's processes inherit.
pub const TREE_FD: i32 = 6;
/// What the program keeps open without knowing: of a pipe the socket with its other end, of a terminal the other end. Only
/// where it has one.
pub const KEPT_FD: i32 = 7;
/// The pipe that is typed into a terminal. Only where there is one.
pub const TYPED_FD: i32 = 8;
/// Descriptors are moved here before they are put in their places, so that none is overwritten.
const ASIDE: i32 = TYPED_FD + 1;

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
    /// What the program reads; `None`: nothing.
    pub stdin: Option<&'a File>,
    /// What stands at [`KEPT_FD`] and after it.
    pub more: &'a [File],
    /// The control group that it is to be born in.
    pub birthplace: Option<&'a File>,
}

/// NULL-terminated pointers into `strings`, as `execve` takes them.
pub(super) fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const c_char> {
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

/// Starts the shim: double fork, own session, parent init before this returns, every descriptor
/// above [`TREE_FD`] closed, all signals blocked. Returns the end of the pipe it reports through.
///
/// # Errors
/// A pipe, descriptor or process cannot be made. That the shim could not be executed comes through
/// the pipe: `F`, step, errno.
pub fn detach_shim(exe: &CStr, argv: &[CString], environment: &[CString], files: &ShimFiles<'_>) -> io::Result<File> {
    let (report, report_write) = pipe()?;
    let null = File::open("/dev/null")?; // what it reads, where it is given nothing to read
    let mut places = vec![
        (aside(files.stdin.unwrap_or(&null).as_raw_fd())?, 0),
        (aside(files.log.as_raw_fd())?, 1),
        (aside(files.log.as_raw_fd())?, 2),
        (aside(files.launch.as_raw_fd())?, LAUNCH_FD),
        (aside(report_write.as_raw_fd())?, REPORT_FD),
        (aside(files.record.as_raw_fd())?, RECORD_FD),
        (aside(files.tree.as_raw_fd())?, TREE_FD),
    ];
    let mut free = TREE_FD + 1;
    for file in files.more {
        places.push((aside(file.as_raw_fd())?, free));
        free += 1;
    }
    let (argv, environment) = (pointers(argv), pointers(environment));
    let birthplace = files.birthplace.map_or(-1, AsRawFd::as_raw_fd); // -1: fork_into refuses
    let mask = signals::block_all()?;
    // SAFETY: between this fork and `_exit` or `execve` the child makes only async-signal-safe calls
    // on memory prepared above; other threads may hold locks, none of which it takes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            libc::setsid();
            let shim = match platform::fork_into(birthplace) {
                refused if refused < 0 => libc::fork(),
                born => born,
            };
            match shim {
                0 => {}
                -1 => exec_failed(report_write.as_raw_fd(), SpawnStep::Fork),
                _ => libc::_exit(0),
            }
            for (from, to) in &places {
                libc::dup2(from.as_raw_fd(), *to);
            }
            platform::close_from(free);
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

/// Waits for a child that does next to nothing; its exit code, 0 where that is not told.
pub(super) fn wait_for(child: i32) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: the status lives through the call.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            return Ok(libc::WEXITSTATUS(status));
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(0), // SIGCHLD is ignored: the kernel waited
            error => return Err(error),
        }
    }
}

/// What comes through the report pipe: `S` and the pid, `P`, or the step and errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The program runs.
    Started {
        /// Its pid.
        pid: i32,
        /// Why it is not traced although it was asked for.
        untraced: Option<i32>,
    },
    /// Its preflight runs; what becomes of it will stand in the record.
    Preparing,
    /// It does not.
    Failed {
        /// The step that failed.
        step: SpawnStep,
        /// The system's error number.
        errno: i32,
    },
}

pub(super) const REPORT_LEN: usize = 9;

impl Report {
    /// The form that goes through the pipe, in one write.
    #[must_use]
    pub fn encode(self) -> [u8; REPORT_LEN] {
        let (kind, number, extra) = match self {
            Self::Started { pid, untraced } => (b'S', pid, untraced.unwrap_or(0)), // errno 0 is no error
            Self::Preparing => (b'P', 0, 0),
            // No shim tells of its own silence, nor of what kept it from being started.
            Self::Failed { step: SpawnStep::Fork | SpawnStep::Shim | SpawnStep::EnvFile, errno } => (b'f', errno, 0),
            Self::Failed { step: SpawnStep::User, errno } => (b'u', errno, 0),
            Self::Failed { step: SpawnStep::Cwd, errno } => (b'c', errno, 0),
            Self::Failed { step: SpawnStep::Exec, errno } => (b'x', errno, 0),
            Self::Failed { step: SpawnStep::Isolate, errno } => (b'i', errno, 0),
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
            b'P' => Some(Self::Preparing),
            b'f' => Some(Self::Failed { step: SpawnStep::Fork, errno: number }),
            b'u' => Some(Self::Failed { step: SpawnStep::User, errno: number }),
            b'c' => Some(Self::Failed { step: SpawnStep::Cwd, errno: number }),
            b'x' => Some(Self::Failed { step: SpawnStep::Exec, errno: number }),
            b'i' => Some(Self::Failed { step: SpawnStep::Isolate, errno: number }),
            _ => None,
        }
    }
}

/// Reports the last error through `fd` and ends this process. Async-signal-safe.
pub(super) fn exec_failed(fd: i32, step: SpawnStep) -> ! {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO); // it always has one here
    let bytes = Report::Failed { step, errno }.encode();
    // SAFETY: `bytes` lives through the write; what cannot be reported is seen as an early end of the pipe.
    unsafe {
        libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// Starts this program, which lies or lay at `exe`, as a child with `argv`, all signals unblocked and `answer` as its
/// descriptor 3. For the passes that a shim or a loop runs.
///
/// # Errors
/// No process can be made. That the program cannot be executed shows as exit code 127.
pub fn pass<S: AsRef<CStr>>(exe: &CStr, argv: &[S], environment: &[CString], answer: Option<&File>) -> io::Result<i32> {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: shim and loop have one thread, so the child may do what any process may.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the child is a process of its own; all pointers are to memory that it has a copy of.
        unsafe {
            match answer {
                Some(answer) => {
                    libc::dup2(answer.as_raw_fd(), LAUNCH_FD);
                    platform::close_from(LAUNCH_FD + 1);
                }
                None => platform::close_from(LAUNCH_FD),
            }
            signals::reset_all();
            libc::execve(exe.as_ptr(), argv.as_ptr(), environment.as_ptr());
            if let Some(itself) = platform::ITSELF {
                libc::execve(itself.as_ptr(), argv.as_ptr(), environment.as_ptr());
            }
            libc::_exit(127);
        }
    }
    if child < 0 { Err(io::Error::last_os_error()) } else { Ok(child) }
}
