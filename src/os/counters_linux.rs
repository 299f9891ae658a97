//! What the processes of a run have used so far, and what each of them waits for: from `/proc`.

use std::fs;
use std::io;

use super::{Counters, Waiting};

/// Descriptors whose targets are counted for one process.
const DESCRIPTORS: usize = 256;

/// What `pid` has used; `None`: it is gone.
pub(super) fn counters(pid: i32, with_io: bool) -> io::Result<Option<Counters>> {
    let Some(stat) = read(pid, "stat")? else { return Ok(None) };
    let other = || io::Error::other(format!("/proc/{pid}/stat has another form"));
    let fields = behind_name(&stat).ok_or_else(other)?;
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let state = fields.first().and_then(|state| state.chars().next()).ok_or_else(other)?;
    let ticks = [14, 15, 16, 17].into_iter().map(field).sum::<Option<u64>>().ok_or_else(other)?;
    let io = if with_io { io_bytes(pid) } else { None };
    Ok(Some(Counters {
        state,
        cpu_ms: ticks * 1000 / ticks_per_second(),
        io_bytes: io,
        memory_bytes: field(24).ok_or_else(other)? * page_size(),
        threads: field(20).ok_or_else(other)?,
    }))
}

/// The fields from the third on: the name before them may hold anything.
fn behind_name(stat: &str) -> Option<Vec<&str>> {
    Some(stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect())
}

/// A file of `/proc/PID`; `None`: the process is gone.
fn read(pid: i32, file: &str) -> io::Result<Option<String>> {
    match fs::read(format!("/proc/{pid}/{file}")) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A field of a file of lines `name: value`.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What it read and wrote, by any kind of file, and what went to and from disks for it: that which is read and written
/// through memory (`mmap`) is in no other counter. What goes through `send` and `recv` the kernel does not count.
fn io_bytes(pid: i32) -> Option<u64> {
    let text = read(pid, "io").ok()??;
    let by_call: u64 = ["rchar", "wchar"].into_iter().map(|name| number(&text, name)).sum::<Option<u64>>()?;
    // A kernel may be built without these.
    let by_disk: u64 = ["read_bytes", "write_bytes"].into_iter().filter_map(|name| number(&text, name)).sum();
    Some(by_call.saturating_add(by_disk))
}

/// A number in a file of lines `name: value`.
fn number(text: &str, name: &str) -> Option<u64> {
    line(text, name)?.parse().ok()
}

/// Its share of memory: pages that several processes have in common count in parts.
pub(super) fn proportional_bytes(pid: i32) -> Option<u64> {
    let text = read(pid, "smaps_rollup").ok()??;
    line(&text, "Pss")?.split(' ').next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Who debugs it, if it stands still for that.
pub(super) fn tracer(pid: i32) -> Option<i32> {
    let text = read(pid, "status").ok()??;
    line(&text, "TracerPid")?.parse().ok().filter(|tracer| *tracer > 0)
}

fn ticks_per_second() -> u64 {
    // SAFETY: takes a number, passes no memory.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

fn page_size() -> u64 {
    // SAFETY: takes a number, passes no memory.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|size| *size > 0).unwrap_or(4096)
}

/// Threads of a process.
pub(super) fn threads(pid: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut threads: Vec<i32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    threads.sort_unstable();
    threads
}

/// What a thread waits for, as far as it may be read.
pub(super) fn waiting(pid: i32, thread: i32) -> Option<Waiting> {
    let of = |file: &str| read(pid, &format!("task/{thread}/{file}")).ok().flatten();
    let state = behind_name(&of("stat")?)?.first()?.chars().next()?;
    let wchan = of("wchan").filter(|wchan| !wchan.is_empty() && wchan != "0");
    let line = of("syscall");
    let mut words = line.as_deref().unwrap_or("").split_ascii_whitespace();
    let number = words.next().and_then(|word| word.parse::<i64>().ok()).filter(|number| *number >= 0);
    let first = words.next().and_then(|word| i32::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    let call = number.map(|number| call_name(number).map_or(format!("syscall {number}"), str::to_owned));
    let descriptor = call.as_deref().filter(|call| takes_descriptor(call)).and(first);
    let target = descriptor.and_then(|fd| fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok());
    let target = target.map(|target| target.display().to_string());
    // Only root may read it; it is what a developer of the kernel's would ask for.
    let stack = of("stack").filter(|stack| !stack.is_empty());
    Some(Waiting { state, wchan, call, descriptor, target, stack })
}

/// What descriptors of `pid` are open on.
pub(super) fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let open = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = fs::read_link(entry.path()).ok()?.display().to_string();
        Some((entry.file_name().to_str()?.parse().ok()?, target))
    });
    let mut open: Vec<(i32, String)> = open.take(DESCRIPTORS).collect();
    open.sort_unstable();
    open
}

fn takes_descriptor(call: &str) -> bool {
    ["read", "readv", "pread64", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "accept", "accept4"]
        .contains(&call)
        || ["flock", "fcntl", "ioctl", "fsync", "fdatasync", "connect"].contains(&call)
}

/// The calls that a process can be found waiting in.
fn call_name(number: i64) -> Option<&'static str> {
    let known: &[(libc::c_long, &str)] = &[
        (libc::SYS_read, "read"),
        (libc::SYS_readv, "readv"),
        (libc::SYS_pread64, "pread64"),
        (libc::SYS_write, "write"),
        (libc::SYS_writev, "writev"),
        (libc::SYS_recvfrom, "recvfrom"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_sendto, "sendto"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_accept4, "accept4"),
        (libc::SYS_connect, "connect"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_openat, "openat"),
        (libc::SYS_clone, "clone"),
        (libc::SYS_clone3, "clone3"),
        (libc::SYS_wait4, "wait4"),
        (libc::SYS_waitid, "waitid"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
        (libc::SYS_restart_syscall, "restart_syscall"),
        (libc::SYS_ppoll, "ppoll"),
        (libc::SYS_pselect6, "pselect6"),
        (libc::SYS_epoll_pwait, "epoll_pwait"),
        (libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
        (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
        (libc::SYS_flock, "flock"),
        (libc::SYS_fcntl, "fcntl"),
        (libc::SYS_ioctl, "ioctl"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_io_getevents, "io_getevents"),
        (libc::SYS_semtimedop, "semtimedop"),
        (libc::SYS_msgrcv, "msgrcv"),
        (libc::SYS_mq_timedreceive, "mq_timedreceive"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_poll, "poll"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_select, "select"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_epoll_wait, "epoll_wait"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_pause, "pause"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, "open"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_vfork, "vfork"),
    ];
    known.iter().find(|(known, _)| i128::from(*known) == i128::from(number)).map(|(_, name)| *name)
}
