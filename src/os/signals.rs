//! Signals as the shim takes them: blocked, waited for one by one, with who sent them.

use std::io;
use std::mem::MaybeUninit;
#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use nix::sys::time::TimeSpec;

/// The bell that a pass rings after it has written its answer for the shim that ran it.
pub const BELL: i32 = libc::SIGIO;
/// Asks a shim for a pass now, as if a moment that it waits for had come: some pass saw that one is due sooner than its
/// shim knows.
pub const NUDGE: i32 = libc::SIGURG;

/// What the shim waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A child changed state.
    Child,
    /// The armed moment has come.
    Alarm,
    /// Somebody sent a signal that is meant for the process.
    Sent {
        /// Which one.
        signal: i32,
        /// The sender; `None`: the kernel.
        sender: Option<(i32, u32)>,
    },
    /// One that means nothing to the shim.
    Other,
}

/// Never blocked: the kernel raises them for a fault, and blocking them would hide it.
const FAULTS: [i32; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// All signals but faults.
fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the whole set; sigdelset changes one that is initialised.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        set.assume_init()
    }
}

/// A signal mask, to be put back.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

/// Blocks every signal but faults, and returns the mask that was in force.
///
/// # Errors
/// Those of `pthread_sigmask`.
pub fn block_all() -> io::Result<Mask> {
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets live through the call; the old one is written when it returns 0.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &all(), old.as_mut_ptr()) } {
        // SAFETY: the call succeeded, so the old mask was written.
        0 => Ok(Mask(unsafe { old.assume_init() })),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Puts a mask back.
///
/// # Errors
/// Those of `pthread_sigmask`.
pub fn set_mask(mask: &Mask) -> io::Result<()> {
    // SAFETY: the set lives through the call; no old set is asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &mask.0, std::ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Signals that [`wait`] is to return and that macOS would throw away, blocked or not, as long as their disposition is the
/// default one: to ignore them.
#[cfg(not(target_os = "linux"))]
const DROPPED: [i32; 4] = [libc::SIGCHLD, libc::SIGWINCH, BELL, NUDGE];

/// From now on no signal that [`wait`] is there for is thrown away. All of them must be blocked before.
#[cfg(not(target_os = "linux"))]
pub fn keep_for_wait() {
    extern "C" fn never_run(_signal: i32) {}
    let handler = never_run as extern "C" fn(i32) as libc::sighandler_t;
    for signal in DROPPED {
        // SAFETY: a handler that does nothing, and is not run while its signal is blocked; `execve` takes it away.
        unsafe { libc::signal(signal, handler) };
    }
}

/// From now on no signal that [`wait`] is there for is thrown away. Linux keeps all that are blocked.
#[cfg(target_os = "linux")]
pub fn keep_for_wait() {}

/// Ends of children are reported to this process, even when its caller ignores `SIGCHLD` and so made it do the same:
/// the kernel would throw away how they ended.
pub fn hear_of_children() {
    // SAFETY: sets a default disposition; no handler of ours is replaced, for there is none.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Gives every signal its default disposition and unblocks all: what a program expects to start with.
/// Async-signal-safe.
pub fn reset_all() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: only async-signal-safe calls; a number that has no disposition to set is an error that changes nothing.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Somebody pressed Ctrl-C.
static INTERRUPTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// From now on SIGINT ends no command; [`was_interrupted`] tells of it, and it wakes a `poll`.
pub fn note_interrupt() {
    extern "C" fn note(_signal: i32) {
        INTERRUPTED.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let handler = note as extern "C" fn(i32) as libc::sighandler_t;
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a valid action without flags; the handler does one atomic store; `execve` takes it away.
    unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler;
        libc::sigaction(libc::SIGINT, action.as_ptr(), std::ptr::null_mut());
    }
}

/// From now on what asks this process to end neither ends it nor anything that it executes later: what it does is soon over.
pub fn finish_first() {
    extern "C" fn nothing(_signal: i32) {}
    let handler = nothing as extern "C" fn(i32) as libc::sighandler_t;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: a handler that does nothing; `execve` takes it away.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Whether SIGINT came since [`note_interrupt`].
#[must_use]
pub fn was_interrupted() -> bool {
    INTERRUPTED.load(std::sync::atomic::Ordering::Relaxed)
}

/// Waits for the next signal. All of them must be blocked. Uses no CPU while it waits.
///
/// # Errors
/// Those of `sigwaitinfo`, interruption left out.
#[cfg(target_os = "linux")]
pub fn wait() -> io::Result<Arrival> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: both structures live through the call.
        let signal = unsafe { libc::sigwaitinfo(&all(), info.as_mut_ptr()) };
        if signal > 0 {
            // SAFETY: the call returned a signal, so it filled the structure; zeroes are valid besides.
            return Ok(arrival(signal, unsafe { info.assume_init_ref() }));
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

/// A descriptor that is readable while a signal waits to be taken by [`wait`].
///
/// # Errors
/// No descriptor is left.
#[cfg(target_os = "linux")]
pub fn readable() -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the set lives through the call; a new descriptor or -1 comes back.
    let fd = unsafe { libc::signalfd(-1, &all(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}

/// There is no such descriptor.
///
/// # Errors
/// Always `ENOTSUP`.
#[cfg(not(target_os = "linux"))]
pub fn readable() -> io::Result<std::os::fd::OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Whether this `si_code` means a process, which the kernel then names.
#[cfg(target_os = "linux")]
pub(super) fn by_a_process(code: i32) -> bool {
    matches!(code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL)
}

#[cfg(target_os = "linux")]
fn arrival(signal: i32, info: &libc::siginfo_t) -> Arrival {
    // SAFETY: pid and uid are plain integers of a structure that is wholly initialised; used for these codes only.
    let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
    match signal {
        libc::SIGCHLD => Arrival::Child,
        libc::SIGALRM if info.si_code == libc::SI_TIMER => Arrival::Alarm,
        NUDGE => Arrival::Alarm,
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU | libc::SIGPIPE | libc::SIGCONT => Arrival::Other,
        _ => Arrival::Sent { signal, sender: by_a_process(info.si_code).then_some((pid, uid)) },
    }
}

/// Waits for the next signal. All of them must be blocked. macOS has no `sigwaitinfo`: who sent it is not known.
///
/// # Errors
/// Those of `sigwait`.
#[cfg(not(target_os = "linux"))]
pub fn wait() -> io::Result<Arrival> {
    let mut signal = 0;
    // SAFETY: set and number live through the call.
    match unsafe { libc::sigwait(&all(), &mut signal) } {
        0 => Ok(match signal {
            libc::SIGCHLD => Arrival::Child,
            libc::SIGALRM => Arrival::Alarm,
            NUDGE => Arrival::Alarm,
            libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU | libc::SIGPIPE => Arrival::Other,
            _ => Arrival::Sent { signal, sender: None },
        }),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// A one-shot timer on the boot clock that arrives as [`Arrival::Alarm`].
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
pub struct Alarm(Option<usize>);

#[cfg(target_os = "linux")]
impl Alarm {
    /// Sets it to `boot_ms` on the boot clock; a moment that has passed arrives at once; `None` disarms it.
    ///
    /// # Errors
    /// Those of `timer_create` and `timer_settime`.
    pub fn set(&mut self, boot_ms: Option<u64>) -> io::Result<()> {
        let timer = match (self.0, boot_ms) {
            (Some(timer), _) => timer,
            (None, None) => return Ok(()),
            (None, Some(_)) => *self.0.insert(create_timer()?),
        };
        let ms = boot_ms.map_or(0, |ms| ms.max(1)); // zero would disarm it
        let time = |ms| *TimeSpec::from_duration(Duration::from_millis(ms)).as_ref();
        let spec = libc::itimerspec { it_interval: time(0), it_value: time(ms) };
        // SAFETY: the timer is ours and the structure lives through the call.
        let set =
            unsafe { libc::timer_settime(timer as libc::timer_t, libc::TIMER_ABSTIME, &spec, std::ptr::null_mut()) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(target_os = "linux")]
fn create_timer() -> io::Result<usize> {
    let mut timer: libc::timer_t = std::ptr::null_mut();
    // SAFETY: zeroes are a valid sigevent; the fields that matter are set below.
    let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGALRM;
    // SAFETY: event and timer live through the call.
    match unsafe { libc::timer_create(libc::CLOCK_BOOTTIME, &mut event, &mut timer) } {
        0 => Ok(timer as usize),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The longest time that `setitimer` takes on macOS, in seconds.
#[cfg(not(target_os = "linux"))]
const LONGEST_S: u64 = 100_000_000;

/// A one-shot timer that arrives as [`Arrival::Alarm`].
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub struct Alarm(());

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// Sets it to `boot_ms` on the boot clock; a moment that has passed arrives at once; `None` disarms it.
    ///
    /// # Errors
    /// Those of the clock and of `setitimer`.
    pub fn set(&mut self, boot_ms: Option<u64>) -> io::Result<()> {
        let left = match boot_ms {
            // Zero would disarm it, and more than `LONGEST_S` is refused: the caller looks again after that.
            Some(at) => at.saturating_sub(super::clock::boot_ms()?).clamp(1, LONGEST_S * 1000),
            None => 0,
        };
        let value = libc::timeval {
            tv_sec: libc::time_t::try_from(left / 1000).unwrap_or(libc::time_t::MAX), // beyond the clock's range: never
            tv_usec: libc::suseconds_t::try_from(left % 1000 * 1000).unwrap_or(0),    // below 10^6 by construction
        };
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let timer = libc::itimerval { it_interval: zero, it_value: value };
        // SAFETY: the structure lives through the call; no old value is asked for.
        match unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// What a process tells of itself with a signal that it queues, as the kernel lays it out.
#[cfg(target_os = "linux")]
#[repr(C)]
struct Queued {
    signal: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    pid: i32,
    uid: u32,
    _rest: [u64; 13],
}

/// Sends `signal` to the process that `fd` means, in the name of `sender` (pid, uid): the kernel lets a process say that
/// of a signal that it queues.
#[cfg(target_os = "linux")]
pub(super) fn queue(fd: &std::os::fd::OwnedFd, signal: i32, (pid, uid): (i32, u32)) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let info = Queued { signal, errno: 0, code: libc::SI_QUEUE, _pad: 0, pid, uid, _rest: [0; 13] };
    // SAFETY: an open pidfd; the structure has the size and layout of siginfo_t and lives through the call; no flags.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, &raw const info, 0) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Rings the bell of this process: one of its threads has something to say to the one that waits for signals.
///
/// # Errors
/// Those of `kill`.
pub fn ring_self() -> io::Result<()> {
    // SAFETY: kill passes no memory.
    match unsafe { libc::kill(libc::getpid(), BELL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Rings the bell of the parent of this process.
///
/// # Errors
/// The parent is gone, or may not be signalled.
pub fn ring_parent() -> io::Result<()> {
    let parent = nix::unistd::getppid();
    if parent.as_raw() <= 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill passes no memory.
    match unsafe { libc::kill(parent.as_raw(), BELL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
