//! macOS: the process table is `kern.proc`, arguments and environments come through sysinfo, a signal goes to a pid whose
//! start time was just checked, the boot has a session uuid.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::model::time::{BootId, Identity};

use super::children::{self, Usage};
use super::process::Process;
use super::processes_macos;

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

/// A shim has the name of its executable here, which is guardian's own: its first argument tells it from a command.
fn with_name_of_shims(mut process: Process, own: Option<&str>) -> Process {
    let shim = children::SHIM_NAME.to_string_lossy();
    if Some(process.comm.as_str()) == own
        && arguments(process.pid).is_some_and(|words| words.first() == Some(&shim.as_bytes().to_vec()))
    {
        process.comm = shim.into_owned();
    }
    process
}

/// The name that the kernel gives to what executes this very file.
fn own_name() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    path.file_name()?.to_str().map(|name| name.chars().take(libc::MAXCOMLEN).collect())
}

pub(super) fn look(pid: i32) -> io::Result<Option<Process>> {
    Ok(processes_macos::one(pid)?.map(|entry| with_name_of_shims(entry.process(), own_name().as_deref())))
}

pub(super) fn table() -> io::Result<Vec<Process>> {
    let own = own_name();
    let entries = processes_macos::all()?;
    Ok(entries.iter().map(|entry| with_name_of_shims(entry.process(), own.as_deref())).collect())
}

/// The real user of a process.
pub(super) fn uid(pid: i32) -> Option<u32> {
    processes_macos::one(pid).ok().flatten().map(|entry| entry.uid())
}

/// The arguments of a process; `None`: it is gone, or not ours to ask.
pub(super) fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
    let key = Pid::from_u32(u32::try_from(pid).ok()?);
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    let system = system(ProcessesToUpdate::Some(&[key]), kind).ok()?;
    let words: Vec<_> = system.process(key)?.cmd().iter().map(|word| word.as_bytes().to_vec()).collect();
    (!words.is_empty()).then_some(words)
}

/// Device and inode of what a process executes.
pub(super) fn executable(pid: i32) -> Option<(u64, u64)> {
    let mut path = [0_u8; 4 * libc::PATH_MAX as usize]; // PROC_PIDPATHINFO_MAXSIZE
    let room = u32::try_from(path.len()).ok()?;
    // SAFETY: the buffer has this room and lives through the call.
    let length = unsafe { libc::proc_pidpath(pid, path.as_mut_ptr().cast(), room) };
    let path = path.get(..usize::try_from(length).ok().filter(|length| *length > 0)?)?;
    // What lies there now: the kernel names a path, not the file that is executed.
    let file = std::fs::metadata(Path::new(OsStr::from_bytes(path))).ok()?;
    Some((file.dev(), file.ino()))
}

/// Another way to execute this program, for when its own path leads elsewhere: there is none.
pub(super) const ITSELF: Option<&CStr> = None;

pub(super) fn path_of_output() -> io::Result<PathBuf> {
    let mut path = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: F_GETPATH writes at most PATH_MAX bytes, NUL included, into the buffer, which lives through the call.
    if unsafe { libc::fcntl(1, libc::F_GETPATH, path.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let path = CStr::from_bytes_until_nul(&path).map_err(io::Error::other)?;
    Ok(PathBuf::from(OsStr::from_bytes(path.to_bytes())))
}

/// The file of standard output, opened once more for reading.
pub(super) fn reopen_output() -> io::Result<File> {
    let file = File::open(path_of_output()?)?;
    let (open, standard) = (file.metadata()?, nix::sys::stat::fstat(io::stdout())?);
    // Another file lies at that path by now, if these differ.
    let same = open.ino() == standard.st_ino && open.dev() == u64::from(standard.st_dev.unsigned_abs());
    if same { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

pub(super) fn cmdline(pid: i32, most: usize) -> Option<String> {
    let line = arguments(pid)?.join(&b' ');
    Some(String::from_utf8_lossy(line.get(..most).unwrap_or(&line)).into_owned())
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

/// macOS shows no such number to programs; its start times are exact to the microsecond.
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

/// There is no way to name another sender: it is this process.
pub(super) fn send_for(identity: &Identity, boot: &BootId, signal: i32, _sender: (i32, u32)) -> io::Result<bool> {
    send(identity, boot, signal)
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

/// Orphans among our descendants go to launchd: there is no subreaper, and `stop` finds them by their environment.
pub(super) const ADOPTS: bool = false;

/// macOS has no subreaper.
pub(super) fn become_subreaper(_yes: bool) -> io::Result<()> {
    Ok(())
}

/// macOS takes the name of a process from its executable.
pub(super) fn set_process_name(_name: &std::ffi::CStr) {}

/// A file mode, wider than macOS has it.
pub(super) fn mode_bits(mode: libc::mode_t) -> u32 {
    u32::from(mode)
}

/// The same, the other way: the bits that a mask can have.
pub(super) fn mode(bits: u32) -> libc::mode_t {
    libc::mode_t::try_from(bits & 0o7777).unwrap_or(0o077) // 12 bits fit
}

pub(super) const WAIT_ALL: i32 = 0;

pub(super) fn errno_location() -> *mut i32 {
    // SAFETY: takes nothing; the pointer is valid as long as the thread.
    unsafe { libc::__error() }
}

/// macOS counts the resident set in bytes.
pub(super) fn usage(usage: &libc::rusage) -> Usage {
    let millis = |time: libc::timeval| {
        u64::try_from(time.tv_sec * 1000 + i64::from(time.tv_usec) / 1000).unwrap_or(0) // never negative
    };
    Usage {
        user_ms: Some(millis(usage.ru_utime)),
        system_ms: Some(millis(usage.ru_stime)),
        max_rss_kib: u64::try_from(usage.ru_maxrss / 1024).ok(), // never negative
    }
}
