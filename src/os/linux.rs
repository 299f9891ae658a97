//! Linux: the process table is `/proc`, a signal goes through a pidfd, the boot has a random id.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::ending::WaitStatus;
use crate::model::time::{BootId, Identity};

use super::children::Usage;
use super::process::Process;

/// Which boot this is.
pub(super) fn boot_id() -> io::Result<BootId> {
    let mut buffer = [0; 64];
    let text = read_small("/proc/sys/kernel/random/boot_id", &mut buffer)?;
    BootId::new(String::from_utf8_lossy(text).trim()).map_err(io::Error::other)
}

fn read_small<'a>(path: &str, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let length = super::read::open(Path::new(path))?.read(buffer)?;
    buffer.get(..length).ok_or_else(|| io::Error::other("a read of more than was asked for"))
}

/// No such process: gone before it was opened, or while it was read.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

pub(super) fn look(pid: i32) -> io::Result<Option<Process>> {
    let mut buffer = [0; 1024];
    match read_small(&format!("/proc/{pid}/stat"), &mut buffer) {
        Ok(text) => {
            parse_stat(text).map(Some).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has another form")))
        }
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `pid (comm) state ppid …`; comm may hold anything, so fields are counted from the last `)`.
fn parse_stat(text: &[u8]) -> Option<Process> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
    let comm = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads: u64 = fields.nth(15)?.parse().ok()?; // field 20; state was 3, ppid 4
    let started = fields.nth(1)?.parse().ok()?; // field 22
    // A process whose first thread has ended looks like a zombie and lives in the others.
    let zombie = matches!(state, "X" | "x") || (state == "Z" && threads < 2);
    Some(Process { pid, parent, started, zombie, comm })
}

pub(super) fn table() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match look(pid) {
            Ok(process) => processes.extend(process),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {} // hidepid=1: another user's
            Err(error) => return Err(error),
        }
    }
    Ok(processes)
}

pub(super) fn cmdline(pid: i32, most: usize) -> Option<String> {
    let mut buffer = vec![0; most];
    let text = read_small(&format!("/proc/{pid}/cmdline"), &mut buffer).ok().filter(|text| !text.is_empty())?;
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Some(String::from_utf8_lossy(text.get(..end)?).replace('\0', " "))
}

/// The arguments of a process; `None`: it is gone, or not ours to ask.
pub(super) fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

/// Device and inode of what a process executes.
pub(super) fn executable(pid: i32) -> Option<(u64, u64)> {
    let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

/// Another way to execute this program, for when its own path leads elsewhere.
pub(super) const ITSELF: Option<&CStr> = Some(c"/proc/self/exe");

/// The file of standard output, opened once more for reading.
pub(super) fn reopen_output() -> io::Result<File> {
    File::open("/proc/self/fd/1")
}

pub(super) fn path_of_output() -> io::Result<PathBuf> {
    fs::read_link("/proc/self/fd/1")
}

pub(super) fn cgroup(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    let memory = || text.lines().find(|line| line.contains(":memory:")).and_then(|line| line.rsplit(':').next());
    unified.filter(|path| *path != "/").or_else(memory).or(unified).map(str::to_owned)
}

/// The process that a thread belongs to.
pub(super) fn thread_group(thread: i32) -> Option<i32> {
    status_field(thread, "Tgid:")?.parse().ok()
}

/// The real user of a process, which is what `siginfo` names.
pub(super) fn uid(pid: i32) -> Option<u32> {
    status_field(pid, "Uid:")?.parse().ok()
}

/// The first word of a field of `/proc/PID/status`; the name in it has its control characters escaped.
fn status_field(pid: i32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next().map(str::to_owned)
}

pub(super) fn environment_has(pid: i32, marks: &[String]) -> bool {
    // Not ours to read, or gone: then it is none of ours either.
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    marks.iter().all(|mark| environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()))
}

/// The value of a variable of `pid`, as it was when that was executed; `None`: it has none, or is not ours to read.
pub(super) fn environment_value(pid: i32, name: &str) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).map(<[u8]>::to_vec)
}

/// Whether a descriptor of `pid` carries an exclusive lock on that file; asking for one does not.
pub(super) fn holds_lock(pid: i32, dev: u64, ino: u64) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        let same = fs::metadata(descriptor.path()).is_ok_and(|file| file.dev() == dev && file.ino() == ino);
        same && fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", descriptor.file_name().display()))
            .is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:") && line.contains(" WRITE ")))
    })
}

/// A descriptor that means exactly this process, even when its pid is given to another one.
pub(super) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A pidfd is readable from the moment at which its process ends, waited for or not.
pub(super) fn has_ended(pid: i32) -> io::Result<bool> {
    let fd = match pidfd(pid) {
        Ok(fd) => fd,
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(!super::watch::poll(&[fd.as_raw_fd()], Some(std::time::Duration::ZERO))?.is_empty())
}

/// The number that the kernel gives to a process and, since Linux 6.9, to no other one in this boot; before that it
/// is the same for all, and tells none apart.
pub(super) fn unique(pid: i32) -> Option<u64> {
    let fd = pidfd(pid).ok()?;
    nix::sys::stat::fstat(&fd).ok().map(|stat| stat.st_ino)
}

pub(super) fn send(identity: &Identity, boot: &BootId, signal: i32) -> io::Result<bool> {
    reach(identity, boot, |fd| signal_pidfd(fd, signal))
}

/// As [`send`], with the sender that the signal came from instead of this process.
pub(super) fn send_for(identity: &Identity, boot: &BootId, signal: i32, sender: (i32, u32)) -> io::Result<bool> {
    reach(identity, boot, |fd| super::signals::queue(fd, signal, sender))
}

/// Does something to the process of this identity; `false`: it is gone.
fn reach(identity: &Identity, boot: &BootId, act: impl FnOnce(&OwnedFd) -> io::Result<()>) -> io::Result<bool> {
    let fd = match pidfd(identity.pid) {
        Ok(fd) => fd,
        Err(error) if is_gone(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    // The descriptor is taken first: if the identity still holds now, the descriptor means that process.
    if !super::process::identify(identity.pid, boot)?.is_some_and(|now| now.is(identity)) {
        return Ok(false);
    }
    match act(&fd) {
        Ok(()) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends `signal` to the process that `fd` means.
pub(super) fn signal_pidfd(fd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: an open pidfd, a signal number, no siginfo, no flags; no memory is passed.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How the zombie `pid` ended, with its start time and what it used; `None`: it is none, or not ours to ask.
pub(super) fn zombie(pid: i32) -> Option<(u64, WaitStatus, Usage)> {
    let mut buffer = [0; 1024];
    let text = read_small(&format!("/proc/{pid}/stat"), &mut buffer).ok()?;
    let process = parse_stat(text).filter(|process| process.zombie)?;
    // Who may not look has a status of 0 shown, which would be a lie. One who may finds that it has no executable any more.
    let may_look =
        fs::read_link(format!("/proc/{pid}/exe")).is_err_and(|error| error.raw_os_error() == Some(libc::ENOENT));
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let status = super::children::wait_status(i32::try_from(field(52).filter(|_| may_look)?).ok()?)?;
    let tick_ms = 1000
        / nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
            .ok()
            .flatten()
            .and_then(|hz| u64::try_from(hz).ok())
            .filter(|hz| *hz > 0)?;
    let ms = |own, waited| Some((field(own)? + field(waited)?) * tick_ms);
    Some((process.started, status, Usage { user_ms: ms(14, 16), system_ms: ms(15, 17), max_rss_kib: None }))
}

/// An anonymous file that vanishes with its last descriptor, close-on-exec.
pub(super) fn anonymous_file() -> io::Result<File> {
    // SAFETY: a NUL-terminated constant and a flag; a new descriptor or -1 comes back.
    let fd = unsafe { libc::memfd_create(c"launch".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Room on the disk for what will be appended, the size unchanged.
pub(super) fn set_aside(file: &File, bytes: i64) -> io::Result<()> {
    // SAFETY: an open descriptor and integers; no memory is passed.
    match unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, bytes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Closes every descriptor from `first` on. Async-signal-safe.
pub(super) fn close_from(first: i32) {
    // SAFETY: closing descriptors passes no memory; this runs between fork and exec, where no owner of one runs on.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if closed != 0 {
        for fd in first..4096 {
            // SAFETY: as above; a number that is not open is an error that changes nothing.
            unsafe { libc::close(fd) };
        }
    }
}

/// Forks, and the child is born in the control group (version 2) whose directory is open at `directory`; negative: it
/// cannot be done so. No memory is shared, and the child runs on the copy of this very stack, as after `fork`.
pub(super) fn fork_into(directory: i32) -> i32 {
    /// `struct clone_args` of Linux 5.7.
    #[repr(C, align(8))]
    #[derive(Default)]
    struct Arguments {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let Ok(cgroup) = u64::try_from(directory) else { return -1 };
    let arguments =
        Arguments { flags: CLONE_INTO_CGROUP, exit_signal: libc::SIGCHLD as u64, cgroup, ..Arguments::default() };
    // SAFETY: the structure lives through the call and its size is told. Without CLONE_VM the child has a copy of all
    // memory; what the C library would note of a fork (the thread's id) nothing here asks for before the exec.
    let child = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<Arguments>()) };
    i32::try_from(child).unwrap_or(-1) // pids fit by definition of pid_t
}

/// Orphans among the descendants of a shim become its children.
pub(super) const ADOPTS: bool = true;

/// Orphans among our descendants become our children, or no longer.
pub(super) fn become_subreaper(yes: bool) -> io::Result<()> {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes one integer.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(yes), 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The name that `ps` and `pkill` without `-f` see.
pub(super) fn set_process_name(name: &std::ffi::CStr) {
    // SAFETY: PR_SET_NAME reads at most 16 bytes of a NUL-terminated string. It cannot fail.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// A file mode as it is.
pub(super) fn mode_bits(mode: libc::mode_t) -> u32 {
    mode
}

/// The same, the other way.
pub(super) fn mode(bits: u32) -> libc::mode_t {
    bits
}

/// With `wait4`: children of every kind, threads that are traced included.
pub(super) const WAIT_ALL: i32 = libc::__WALL;

/// Where this thread's errno lies.
pub(super) fn errno_location() -> *mut i32 {
    // SAFETY: takes nothing; the pointer is valid as long as the thread.
    unsafe { libc::__errno_location() }
}

/// Linux counts the resident set in KiB.
pub(super) fn usage(usage: &libc::rusage) -> Usage {
    Usage {
        user_ms: Some(millis(usage.ru_utime)),
        system_ms: Some(millis(usage.ru_stime)),
        max_rss_kib: u64::try_from(usage.ru_maxrss).ok(), // never negative
    }
}

fn millis(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1000 + time.tv_usec / 1000).unwrap_or(0) // CPU time is never negative
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = b"42 (a) R 7 (x) S 41 42 42 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 1 0 12345 1000 10 1";
        let want = Process { pid: 42, parent: 41, started: 12345, zombie: false, comm: "a) R 7 (x".to_owned() };
        assert_eq!(parse_stat(text), Some(want));
    }

    #[test]
    fn a_process_is_a_zombie_once_its_last_thread_has_ended() {
        for (threads, zombie) in [("1", true), ("2", false)] {
            let text = format!("42 (a) Z 41 42 42 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 {threads} 0 12345 1000 10 1");
            assert_eq!(parse_stat(text.as_bytes()).map(|process| process.zombie), Some(zombie));
        }
    }

    #[test]
    fn this_very_process_is_found_and_alive() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let boot = boot_id().unwrap();
        let me = super::super::process::identify(pid, &boot).unwrap().unwrap();
        assert_eq!(super::super::process::life(&me, &boot), crate::model::evidence::Life::Alive);
        let other = Identity { started: me.started + 1, ..me };
        assert_eq!(super::super::process::life(&other, &boot), crate::model::evidence::Life::Gone, "a reused pid");
        assert!(!send(&other, &boot, libc::SIGKILL).unwrap(), "and it is never signalled");
    }
}
