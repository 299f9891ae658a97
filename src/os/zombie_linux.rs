//! What Linux still tells of a process that has ended and was not waited for, and of the kernel's own kills.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use nix::time::ClockId;

use crate::model::evidence::Limits;
use crate::policy::kernel_log::{Named, Search};

/// The pid namespace that the kernel's log counts in.
const INITIAL_PID_NAMESPACE: u64 = 4_026_531_836;
/// How far the clock of the log may be off the clocks that it is compared with, in microseconds.
const CLOCKS_APART_US: u64 = 2_000_000;

/// A moment on the clock of the kernel's log, which no program can read: between these two, which also stop in suspend.
/// Which of them it runs with differs between machines.
#[derive(Debug, Clone, Copy)]
pub struct LogTime {
    earliest_us: u64,
    latest_us: u64,
}

/// This moment.
#[must_use]
pub fn log_time() -> Option<LogTime> {
    let read = |clock: ClockId| u64::try_from(Duration::from(clock.now().ok()?).as_micros()).ok();
    let (raw, adjusted) = (read(ClockId::CLOCK_MONOTONIC_RAW)?, read(ClockId::CLOCK_MONOTONIC)?);
    Some(LogTime {
        earliest_us: raw.min(adjusted).saturating_sub(CLOCKS_APART_US),
        latest_us: raw.max(adjusted).saturating_add(CLOCKS_APART_US),
    })
}

/// How many processes the kernel has killed for want of memory since the boot, on the whole machine; `None`: it does not count.
#[must_use]
pub fn memory_kills() -> Option<u64> {
    const MARK: &[u8] = b"\noom_kill ";
    let mut file = fs::File::open("/proc/vmstat").ok()?;
    // A window, so that the whole file is never held: this is done for each run, in the smallest process there is.
    let mut window = [0_u8; 1024];
    let mut kept = 0;
    loop {
        let got = file.read(window.get_mut(kept..)?).ok()?;
        let filled = window.get(..kept + got)?;
        if let Some(at) = filled.windows(MARK.len()).position(|part| part == MARK) {
            let number = filled.get(at + MARK.len()..)?;
            if let Some(end) = number.iter().position(|byte| *byte == b'\n') {
                return std::str::from_utf8(number.get(..end)?).ok()?.parse().ok();
            }
        }
        if got == 0 {
            return None;
        }
        let length = filled.len();
        kept = length.min(64);
        window.copy_within(length - kept..length, 0);
    }
}

/// Whether the kernel's log names `pid` as killed for want of memory since `from`; `None`: the log cannot be read, counts
/// other pids, or has gaps.
#[must_use]
#[inline(never)] // its buffer is to lie on the stack of a shim only while this runs, not in a frame that stands for the whole run
pub fn killed_for_memory(pid: i32, from: LogTime) -> Option<Named> {
    if fs::metadata("/proc/self/ns/pid").ok()?.ino() != INITIAL_PID_NAMESPACE {
        return None;
    }
    let mut search = Search::new(pid, from.earliest_us, log_time()?.latest_us);
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
    let mut record = [0_u8; 8192]; // the longest that the kernel gives
    loop {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(got) => search.see(record.get(..got)?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => search.lost(),
            Err(_) => return None,
        }
    }
    search.answer()
}

/// The limits that the process ended with, and the CPU time that counts against them; a zombie still has both.
#[must_use]
pub fn limits(pid: i32) -> Option<Limits> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let mut limits = parse_limits(&text)?;
    limits.used_ms = own_cpu_ms(pid);
    Some(limits)
}

/// `Max cpu time   5   unlimited   seconds`.
fn parse_limits(text: &str) -> Option<Limits> {
    let row = |name: &str| {
        let mut values = text.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace();
        let mut value = || values.next().map(|value| value.parse::<u64>().ok());
        Some((value()?, value()?))
    };
    let (cpu_s, cpu_hard_s) = row("Max cpu time")?;
    let (file_bytes, _) = row("Max file size")?;
    Some(Limits { cpu_s, cpu_hard_s, file_bytes, used_ms: None })
}

/// User and system time of the process itself, without the children that it waited for.
fn own_cpu_ms(pid: i32) -> Option<u64> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?; // field 14
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    u64::try_from(ticks).ok().and_then(|ticks| ((user + system) * 1000).checked_div(ticks))
}

/// `kernel.core_pattern`, and whether `kernel.core_uses_pid` is set.
#[must_use]
pub fn core_pattern() -> Option<(String, bool)> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").ok()?;
    let uses_pid = fs::read_to_string("/proc/sys/kernel/core_uses_pid").ok()?;
    Some((pattern, uses_pid.trim() != "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_prints_them_and_unlimited_is_none() {
        let text = "Limit   Soft Limit  Hard Limit  Units\nMax cpu time  5  unlimited  seconds\nMax file size  4096  9000  bytes\n";
        let want = Limits { cpu_s: Some(5), cpu_hard_s: None, file_bytes: Some(4096), used_ms: None };
        assert_eq!(parse_limits(text), Some(want));
        assert_eq!(parse_limits("Max cpu time"), None);
    }

    #[test]
    fn the_kernel_counts_its_kills_and_this_process_has_limits() {
        let me = i32::try_from(std::process::id()).unwrap();
        let text = fs::read_to_string("/proc/vmstat").unwrap();
        assert_eq!(memory_kills().is_some(), text.contains("\noom_kill "));
        assert!(limits(me).is_some_and(|limits| limits.used_ms.is_some()));
        assert!(core_pattern().is_some());
    }
}
