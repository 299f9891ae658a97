//! macOS: the process table comes through sysinfo, a signal goes to a pid whose start time was just
//! checked, the boot has a session uuid.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use crate::model::time::{BootId, Identity};

use super::children::Usage;
use super::process::Process;

/// Which boot this is.
pub(super) fn boot_id() -> io::Result<BootId> {
    let name = c"kern.bootsessionuuid";
    let mut buffer = [0_u8; 64];
    let mut length = buffer.len();
    // SAFETY: buffer and length live through the call and match.
    let result =
        unsafe { libc::sysctlbyname(name.as_ptr(), buffer.as_mut_ptr().cast(), &mut length, std::ptr::null_mut(), 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let text = buffer.get(..length).unwrap_or(&buffer);
    BootId::new(String::from_utf8_lossy(text).trim_matches('\0')).map_err(io::Error::other)
}

fn system(which: ProcessesToUpdate<'_>, kind: ProcessRefreshKind) -> io::Result<System> {
    let mut system = System::new().map_err(io::Error::other)?;
    system.refresh_processes_specifics(which, true, kind);
    Ok(system)
}

fn convert(pid: &Pid, process: &sysinfo::Process) -> Option<Process> {
    Some(Process {
        pid: i32::try_from(pid.as_u32()).ok()?,
        parent: process.parent().and_then(|parent| i32::try_from(parent.as_u32()).ok()).unwrap_or(0), // 0: the kernel
        started: process.start_time(),
        zombie: process.status() == ProcessStatus::Zombie,
        comm: process.name().to_string_lossy().into_owned(),
    })
}

pub(super) fn look(pid: i32) -> io::Result<Option<Process>> {
    let Ok(number) = u32::try_from(pid) else { return Ok(None) };
    let key = Pid::from_u32(number);
    let system = system(ProcessesToUpdate::Some(&[key]), ProcessRefreshKind::nothing())?;
    Ok(system.process(key).and_then(|process| convert(&key, process)))
}

pub(super) fn table() -> io::Result<Vec<Process>> {
    let system = system(ProcessesToUpdate::All, ProcessRefreshKind::nothing())?;
    Ok(system.processes().iter().filter_map(|(pid, process)| convert(pid, process)).collect())
}

pub(super) fn cmdline(pid: i32, most: usize) -> Option<String> {
    let key = Pid::from_u32(u32::try_from(pid).ok()?);
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    let system = system(ProcessesToUpdate::Some(&[key]), kind).ok()?;
    let words: Vec<_> = system.process(key)?.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let line: String = words.join(" ").chars().take(most).collect();
    (!line.is_empty()).then_some(line)
}

pub(super) fn cgroup(_pid: i32) -> Option<String> {
    None
}

/// Which descriptors carry a lock cannot be asked here.
pub(super) fn holds_lock(_pid: i32, _dev: u64, _ino: u64) -> bool {
    false
}

pub(super) fn environment_has(pid: i32, marks: &[String]) -> bool {
    let Some(key) = u32::try_from(pid).ok().map(Pid::from_u32) else { return false };
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let Ok(system) = system(ProcessesToUpdate::Some(&[key]), kind) else { return false };
    let Some(process) = system.process(key) else { return false };
    marks.iter().all(|mark| process.environ().iter().any(|variable| variable.to_string_lossy() == mark.as_str()))
}

pub(super) fn environment_value(pid: i32, name: &str) -> Option<Vec<u8>> {
    let key = u32::try_from(pid).ok().map(Pid::from_u32)?;
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let system = system(ProcessesToUpdate::Some(&[key]), kind).ok()?;
    let variables = system.process(key)?.environ().iter().map(|variable| variable.to_string_lossy());
    variables
        .filter_map(|variable| variable.strip_prefix(name)?.strip_prefix('=').map(|v| v.as_bytes().to_vec()))
        .next()
}

pub(super) fn has_ended(pid: i32) -> io::Result<bool> {
    Ok(look(pid)?.is_none_or(|process| process.zombie))
}

/// macOS has no such number.
pub(super) fn unique(_pid: i32) -> Option<u64> {
    None
}

pub(super) fn send(identity: &Identity, boot: &BootId, signal: i32) -> io::Result<bool> {
    if !super::process::identify(identity.pid, boot)?.is_some_and(|now| now.is(identity)) {
        return Ok(false);
    }
    // SAFETY: kill passes no memory.
    match unsafe { libc::kill(identity.pid, signal) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            error => Err(error),
        },
    }
}

pub(super) fn anonymous_file() -> io::Result<File> {
    let template = std::env::temp_dir().join("guardian-launch.XXXXXX");
    let mut path = CString::new(template.into_os_string().into_encoded_bytes())?.into_bytes_with_nul();
    // SAFETY: the path is NUL-terminated and writable; mkstemp makes the file 0600.
    let fd = unsafe { libc::mkstemp(path.as_mut_ptr().cast()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the path is the file that was just made; the descriptor is new and nobody else owns it.
    unsafe {
        libc::unlink(path.as_ptr().cast());
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        Ok(File::from_raw_fd(fd))
    }
}

/// Room on the disk for what will be appended, the size unchanged.
pub(super) fn set_aside(file: &File, bytes: i64) -> io::Result<()> {
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: bytes,
        fst_bytesalloc: 0,
    };
    // SAFETY: the structure lives through the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &mut store) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(super) fn close_from(first: i32) {
    // SAFETY: getdtablesize takes nothing.
    let last = unsafe { libc::getdtablesize() };
    for fd in first..last {
        // SAFETY: between fork and exec no owner of a descriptor runs on; one that is not open is an error that changes nothing.
        unsafe { libc::close(fd) };
    }
}

/// macOS has no control groups.
pub(super) fn fork_into(_directory: i32) -> i32 {
    -1
}

/// macOS has no subreaper: an orphan goes to launchd, and `stop` finds it by its environment.
pub(super) fn become_subreaper(_yes: bool) -> io::Result<()> {
    Ok(())
}

/// macOS takes the name of a process from its executable.
pub(super) fn set_process_name(_name: &std::ffi::CStr) {}

/// A file mode, wider than macOS has it.
pub(super) fn mode_bits(mode: libc::mode_t) -> u32 {
    u32::from(mode)
}

pub(super) const WAIT_ALL: i32 = 0;

pub(super) fn errno_location() -> *mut i32 {
    // SAFETY: takes nothing; the pointer is valid as long as the thread.
    unsafe { libc::__error() }
}

/// macOS counts the resident set in bytes.
pub(super) fn usage(usage: &libc::rusage) -> Usage {
    let millis = |time: libc::timeval| {
        u64::try_from(i64::from(time.tv_sec) * 1000 + i64::from(time.tv_usec) / 1000).unwrap_or(0) // never negative
    };
    Usage {
        user_ms: Some(millis(usage.ru_utime)),
        system_ms: Some(millis(usage.ru_stime)),
        max_rss_kib: u64::try_from(usage.ru_maxrss / 1024).ok(), // never negative
    }
}
