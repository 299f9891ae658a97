//! What processes have used so far, and what they wait for.
//!
//! Reads only; what may not be read is left out, never taken for zero.

use std::collections::BTreeSet;
use std::io;

#[cfg(target_os = "linux")]
#[path = "counters_linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "counters_macos.rs"]
mod platform;
#[cfg(target_os = "linux")]
#[path = "traffic_linux.rs"]
mod traffic;
#[cfg(not(target_os = "linux"))]
#[path = "traffic_none.rs"]
mod traffic;

/// What one process has used since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// The kernel's letter for its state: `R` runs, `S` sleeps, `D` cannot be woken, `T` is stopped, `t` is debugged.
    pub state: char,
    /// CPU time, with that of children that it waited for, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes read and written, those of children that it waited for too; `None`: not asked, or not ours to read.
    pub io_bytes: Option<u64>,
    /// Resident memory, in bytes. What it shares with others counts in full.
    pub memory_bytes: u64,
    /// Its threads.
    pub threads: u64,
}

/// What one thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// As [`Counters::state`].
    pub state: char,
    /// The place in the kernel.
    pub wchan: Option<String>,
    /// The system call.
    pub call: Option<String>,
    /// The descriptor that the call is about.
    pub descriptor: Option<i32>,
    /// What that is open on.
    pub target: Option<String>,
    /// The kernel's stack, for root.
    pub stack: Option<String>,
}

/// What `pid` has used; `None`: it is gone.
///
/// # Errors
/// It cannot be asked.
pub fn counters(pid: i32, with_io: bool) -> io::Result<Option<Counters>> {
    platform::counters(pid, with_io)
}

/// The memory of `pid`, in bytes, where pages that several processes have in common count in parts; `None`: it cannot
/// be told. Costs milliseconds where there is much of it.
#[must_use]
pub fn proportional_bytes(pid: i32) -> Option<u64> {
    platform::proportional_bytes(pid)
}

/// Bytes that went through the TCP connections of `pids`, where the kernel tells; `None`: it does not.
#[must_use]
pub fn traffic(pids: &[i32]) -> Option<u64> {
    if !traffic::IS_COUNTED {
        return None;
    }
    let sockets: BTreeSet<u32> = pids.iter().filter_map(|pid| traffic::sockets(*pid)).flatten().collect();
    if sockets.is_empty() { Some(0) } else { traffic::bytes(&sockets).ok() }
}

/// Who debugs or traces `pid`.
#[must_use]
pub fn tracer(pid: i32) -> Option<i32> {
    platform::tracer(pid)
}

/// Threads of `pid`, ascending; none where that cannot be told.
#[must_use]
pub fn threads(pid: i32) -> Vec<i32> {
    platform::threads(pid)
}

/// What a thread of `pid` waits for; `None`: it is gone, or cannot be asked.
#[must_use]
pub fn waiting(pid: i32, thread: i32) -> Option<Waiting> {
    platform::waiting(pid, thread)
}

/// Open descriptors of `pid` and what they are open on, ascending; none where that is not ours to read.
#[must_use]
pub fn descriptors(pid: i32) -> Vec<(i32, String)> {
    platform::descriptors(pid)
}
