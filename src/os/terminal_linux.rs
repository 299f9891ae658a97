//! Terminals of the kernel's making (pseudo-terminals): made, entered, and seen to be waited on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use crate::model::window::Window;

/// Whether this platform has them, as far as guardian knows.
pub const THERE: bool = true;

/// Majors of the devices `/dev/pts/N`.
const MAJORS: std::ops::RangeInclusive<u64> = 136..=143;

/// A new terminal of this size: guardian's end, which reads and writes without waiting, and the program's.
///
/// Lines end in the output as in any log: a line feed stays one.
///
/// # Errors
/// The kernel has none left, or `/dev/ptmx` is not there.
pub fn open(window: Window) -> io::Result<(File, File)> {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let master = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/ptmx")?;
    let unlocked: i32 = 0;
    // SAFETY: the kernel reads one integer, which lives through the call.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })?;
    set_size(&master, window)?;
    let slave = peer(&master)?;
    let mut modes = nix::sys::termios::tcgetattr(&slave)?;
    modes.output_flags.remove(nix::sys::termios::OutputFlags::ONLCR);
    modes.input_flags.insert(nix::sys::termios::InputFlags::IUTF8);
    nix::sys::termios::tcsetattr(&slave, nix::sys::termios::SetArg::TCSANOW, &modes)?;
    Ok((master, slave))
}

/// The program's end of the terminal whose other end is `master`, wherever its device may be mounted.
///
/// # Errors
/// It cannot be opened: the terminal was hung up.
pub fn peer(master: &File) -> io::Result<File> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: takes flags, and returns a new descriptor or -1.
    let fd = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
    check(fd)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Gives the terminal of `main` another size; what is in its foreground is told so by the kernel (SIGWINCH).
///
/// # Errors
/// It has no such terminal any more (`ENOTTY`), or that cannot be opened.
pub fn resize(main: i32, window: Window) -> io::Result<()> {
    let no_terminal = || io::Error::from_raw_os_error(libc::ENOTTY);
    let path = Fields::of(main).and_then(|fields| fields.path()).ok_or_else(no_terminal)?;
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    set_size(&OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?, window)
}

fn set_size(terminal: &File, window: Window) -> io::Result<()> {
    let size = libc::winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one structure, which lives through the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The terminal on descriptor 0 becomes that of this session, and its output. Async-signal-safe.
#[must_use]
pub(super) fn enter() -> bool {
    // SAFETY: three calls on numbers, which pass no memory.
    unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 && libc::dup2(0, 1) == 1 && libc::dup2(0, 2) == 2 }
}

/// Whether a process in the foreground of the terminal of `main` waits for input from it; `None`: that cannot be told.
#[must_use]
pub fn is_waited_on(main: i32) -> Option<bool> {
    let fields = Fields::of(main)?;
    let path = fields.path().filter(|_| fields.foreground > 0)?;
    let mut known = true;
    let mut some = false;
    for entry in fs::read_dir("/proc").ok()? {
        let Some(pid) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) else { continue };
        if Fields::of(pid).is_none_or(|seen| seen.group != fields.foreground || seen.terminal != fields.terminal) {
            continue;
        }
        some = true;
        for thread in super::counters::threads(pid) {
            match thread_waits(pid, thread, &path) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = false,
            }
        }
    }
    (known && some).then_some(false)
}

/// What `/proc/PID/stat` says of a process and its terminal.
struct Fields {
    group: i64,
    terminal: i64,
    foreground: i64,
}

impl Fields {
    fn of(pid: i32) -> Option<Self> {
        let stat = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
        let mut behind = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(2);
        let mut field = || behind.next()?.parse().ok();
        let (group, _session, terminal, foreground) = (field()?, field()?, field()?, field()?);
        Some(Self { group, terminal, foreground })
    }

    /// Where its terminal is found, if that is one of ours.
    fn path(&self) -> Option<String> {
        let device = u64::try_from(self.terminal).ok()?;
        let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
        MAJORS.contains(&major).then(|| format!("/dev/pts/{}", minor + ((major - MAJORS.start()) << 8)))
    }
}

/// Whether this thread sleeps in a call that waits for input from the terminal at `path`.
fn thread_waits(pid: i32, thread: i32, path: &str) -> Option<bool> {
    let line = fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).ok()?;
    let mut words = line.split_ascii_whitespace();
    let Some(call) = words.next().and_then(|word| word.parse::<libc::c_long>().ok()) else {
        return Some(false); // it runs
    };
    let mut argument = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
    let (first, second) = (argument()?, argument()?);
    let is_terminal = |fd: u64| {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok();
        target.is_some_and(|target| target.as_os_str() == path || target.as_os_str() == "/dev/tty")
    };
    match call {
        libc::SYS_read | libc::SYS_readv => Some(is_terminal(first)),
        libc::SYS_pselect6 => Some(selected(pid, first, second)?.into_iter().any(is_terminal)),
        libc::SYS_ppoll => Some(polled(pid, first, second)?.into_iter().any(is_terminal)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => Some(selected(pid, first, second)?.into_iter().any(is_terminal)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => Some(polled(pid, first, second)?.into_iter().any(is_terminal)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => None, // what it has in its list is not seen from outside
        libc::SYS_epoll_pwait | libc::SYS_restart_syscall => None,
        _ => Some(false),
    }
}

/// The most descriptors of one call that are looked at.
const MOST: u64 = 1024;

fn memory(pid: i32, at: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

/// Descriptors that a `select` on numbers below `count` waits to read from.
fn selected(pid: i32, count: u64, set: u64) -> Option<Vec<u64>> {
    if set == 0 {
        return Some(Vec::new());
    }
    let count = count.min(MOST);
    let bytes = memory(pid, set, count.div_ceil(8))?;
    let is_in = |fd: &u64| {
        let byte = usize::try_from(fd / 8).ok().and_then(|place| bytes.get(place));
        byte.is_some_and(|byte| byte & (1 << (fd % 8)) != 0)
    };
    Some((0..count).filter(is_in).collect())
}

/// Descriptors that a `poll` of `count` waits to read from.
fn polled(pid: i32, list: u64, count: u64) -> Option<Vec<u64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let bytes = memory(pid, list, count.min(MOST) * 8)?;
    let one = |entry: &[u8]| {
        let (fd, rest) = entry.split_at_checked(4)?;
        let events = i16::from_ne_bytes(rest.get(..2)?.try_into().ok()?);
        let fd = u64::try_from(i32::from_ne_bytes(fd.try_into().ok()?)).ok()?;
        (events & libc::POLLIN != 0).then_some(fd)
    };
    Some(bytes.chunks_exact(8).filter_map(one).collect())
}
