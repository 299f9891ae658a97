//! Signal tracing by ptrace: who sends what straight to the process, before its handler runs.
//!
//! `PTRACE_SEIZE` with `TRACECLONE` and `TRACEEXEC`: no cost per system call, two stops for each
//! thread that is made. Children of the process are not traced: what `fork`, `vfork` and `posix_spawn` make never is, and
//! what a bare `clone` makes is let go at its first stop. When the tracer dies, the kernel lets the process run on
//! untraced.

use std::io;

use super::children::Stop;

/// A signal that is about to be delivered to a traced thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub signal: i32,
    /// The sender; `None`: the kernel.
    pub sender: Option<(i32, u32)>,
}

/// The type that this C library gives to ptrace requests.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
/// The type that this C library gives to ptrace requests.
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

fn ptrace(request: Request, pid: i32, data: usize) -> io::Result<()> {
    // SAFETY: these requests take an integer as data and touch no memory of ours.
    match unsafe { libc::ptrace(request, pid, std::ptr::null_mut::<libc::c_void>(), data as *mut libc::c_void) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Begins to trace the child `pid`.
///
/// # Errors
/// The kernel or its security policy refuses (`EPERM`).
pub fn seize(pid: i32) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEEXEC;
    ptrace(libc::PTRACE_SEIZE, pid, usize::try_from(options).map_err(io::Error::other)?)
}

/// Lets a stopped thread go on in the way its stop asks for, and says which signal to the process `main` it was stopped for.
pub fn resume(main: i32, thread: i32, stop: Stop) -> Option<Seen> {
    let stopping = matches!(stop.signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
    let (seen, done) = match stop.event {
        0 => {
            let seen = signal_info(thread, stop.signal);
            let signal = usize::try_from(stop.signal).unwrap_or(0); // signal numbers are positive
            (seen, ptrace(libc::PTRACE_CONT, thread, signal))
        }
        libc::PTRACE_EVENT_STOP if stopping => (None, ptrace(libc::PTRACE_LISTEN, thread, 0)),
        libc::PTRACE_EVENT_STOP if !is_thread_of(main, thread) => (None, ptrace(libc::PTRACE_DETACH, thread, 0)),
        _ => (None, ptrace(libc::PTRACE_CONT, thread, 0)),
    };
    // A thread that was killed meanwhile stands still no longer.
    drop(done);
    seen
}

fn is_thread_of(main: i32, thread: i32) -> bool {
    // SAFETY: tgkill takes integers; signal 0 is never delivered, it only asks.
    main == thread || unsafe { libc::syscall(libc::SYS_tgkill, main, thread, 0) } == 0
}

fn signal_info(pid: i32, signal: i32) -> Option<Seen> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the structure lives through the call and is the one that PTRACE_GETSIGINFO fills; zeroes are valid besides.
    let info = unsafe {
        if libc::ptrace(libc::PTRACE_GETSIGINFO, pid, std::ptr::null_mut::<libc::c_void>(), info.as_mut_ptr()) == -1 {
            return None;
        }
        info.assume_init()
    };
    let by_a_process = super::signals::by_a_process(info.si_code);
    // SAFETY: pid and uid are plain integers of a structure that is wholly initialised; used for these codes only.
    let sender = by_a_process.then(|| unsafe { (info.si_pid(), info.si_uid()) });
    Some(Seen { signal, sender })
}
