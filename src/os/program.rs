//! From the shim to the first instruction of the program.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

use crate::model::evidence::SpawnStep;

use super::cgroup::Entrance;
use super::descriptor::pipe;
use super::spawn::{KEPT_FD, REPORT_LEN, Report, TREE_FD, exec_failed, pointers};
use super::user::Ids;
use super::{platform, signals, terminal, trace};

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
    /// The way into its control groups.
    pub entrance: &'a Entrance,
    /// What it reads.
    pub input: Input,
    /// As whom it runs, where that is another user.
    pub user: Option<&'a Ids>,
}

/// What a program reads: descriptor 0 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nothing of guardian's.
    Plain,
    /// A pipe whose other end is kept open by what stands at [`KEPT_FD`].
    Pipe,
    /// A terminal, the other end of which stands there.
    Terminal,
}

/// A program that runs, or the step and errno that kept it from running.
pub type Spawned = Result<(i32, Option<i32>), (SpawnStep, i32)>;

/// Starts the program as a child in its own session, with the tree's lock open in it. `in_child` runs
/// in the child before anything else: it writes down who it is, so that a shim killed right now leaves
/// no process that nobody knows of. `wrecked` runs in the child when it cannot enter its directory or execute the program: it
/// writes that down, because the shim may be gone. `meanwhile` runs here, beside the child. Returns when the program has been
/// executed, or the step and errno.
pub fn program(
    program: &Program<'_>,
    in_child: impl FnOnce(),
    wrecked: impl Fn(SpawnStep, i32),
    meanwhile: impl FnOnce(),
) -> Spawned {
    let failed = |step| move |error: io::Error| (step, error.raw_os_error().unwrap_or(libc::EIO)); // it always has one here
    let (mut outcome, outcome_write) = pipe().map_err(failed(SpawnStep::Fork))?;
    let (go, go_write) = pipe().map_err(failed(SpawnStep::Fork))?;
    let (argv, environment) = (pointers(program.argv), pointers(program.environment));
    // SAFETY: the shim has one thread, so the child may do what any process may.
    let (child, born_inside) = unsafe { program.entrance.fork() };
    if child == 0 {
        drop(go_write);
        let wreck = |step, errno| -> ! {
            wrecked(step, errno);
            set_errno(errno);
            exec_failed(outcome_write.as_raw_fd(), step)
        };
        // SAFETY: the child is a process of its own; all pointers are to memory that it has a copy of.
        unsafe {
            if !program.entrance.enter(born_inside) {
                exec_failed(outcome_write.as_raw_fd(), SpawnStep::Isolate);
            }
            libc::setsid();
            in_child();
            if !take_input(program.input) {
                wreck(SpawnStep::Exec, errno());
            }
            if program.trace {
                let mut byte = 0_u8;
                libc::read(go.as_raw_fd(), (&raw mut byte).cast(), 1); // until the tracer is there, or gone
            }
            if program.user.is_some_and(|user| !take_user(user, program.input)) {
                wreck(SpawnStep::User, errno());
            }
            if libc::chdir(program.cwd.as_ptr()) != 0 {
                wreck(SpawnStep::Cwd, errno());
            }
            libc::umask(platform::mode(program.umask));
            if libc::fcntl(TREE_FD, libc::F_DUPFD, INHERITED_FD) < 0 {
                libc::fcntl(TREE_FD, libc::F_DUPFD, TREE_FD + 1); // few descriptors allowed: anywhere
            }
            signals::reset_all();
            let mut denied = None;
            for candidate in program.candidates {
                libc::execve(candidate.as_ptr(), argv.as_ptr(), environment.as_ptr());
                match errno() {
                    libc::ENOENT => {}
                    libc::ENOTDIR if program.candidates.len() > 1 => {} // PATH has a file among its directories
                    libc::EACCES => denied = Some(libc::EACCES),
                    other => wreck(SpawnStep::Exec, other),
                }
            }
            wreck(SpawnStep::Exec, denied.unwrap_or(libc::ENOENT));
        }
    }
    drop(outcome_write);
    if child < 0 {
        return Err(failed(SpawnStep::Fork)(io::Error::last_os_error()));
    }
    drop(go);
    let untraced =
        program.trace.then(|| trace::seize(child).err().map(|error| error.raw_os_error().unwrap_or(libc::EIO)));
    drop(go_write);
    meanwhile();
    match read_report(&mut outcome) {
        Some(Report::Failed { step, errno }) => Err((step, errno)),
        Some(Report::Started { .. } | Report::Preparing) | None => Ok((child, untraced.flatten())),
    }
}

/// In the child: it becomes that user, and its terminal is that one's.
fn take_user(user: &Ids, input: Input) -> bool {
    if input == Input::Terminal {
        // SAFETY: passes no memory. One that stays ours can still be used, only not opened again.
        unsafe { libc::fchown(0, user.uid, user.gid) };
    }
    user.take_on().is_ok()
}

/// In the child: its terminal becomes that of its session, and it keeps open what must stay open without its shim.
fn take_input(input: Input) -> bool {
    if input == Input::Plain {
        return true;
    }
    // SAFETY: duplicating a descriptor passes no memory. With few descriptors allowed it is left out: then its shim alone
    // keeps the other end open.
    unsafe { libc::fcntl(KEPT_FD, libc::F_DUPFD, HELD_FD) };
    input == Input::Pipe || terminal::enter()
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

/// That of the last call that failed.
fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) // it always has one here
}

fn set_errno(errno: i32) {
    // SAFETY: the location is this thread's own errno.
    unsafe { *platform::errno_location() = errno }
}

/// Where the inherited lock lies in the program: the last number that costs no larger table, and out
/// of the way of shells and of `LISTEN_FDS`, which begin at 3.
const INHERITED_FD: i32 = 63;
/// Where that lies which keeps its input open, for the same reasons.
pub const HELD_FD: i32 = 62;
