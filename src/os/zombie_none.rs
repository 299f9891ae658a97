//! Where the kernel tells nothing more of a process that has ended: everything here is unknown.

use crate::model::evidence::Limits;
use crate::policy::kernel_log::Named;

/// A moment on the clock of a kernel's log that nobody reads.
#[derive(Debug, Clone, Copy)]
pub struct LogTime(());

/// This moment.
#[must_use]
pub fn log_time() -> Option<LogTime> {
    None
}

/// How many processes the kernel has killed for want of memory: it does not count.
#[must_use]
pub fn memory_kills() -> Option<u64> {
    None
}

/// Whether the kernel's log names `pid` as killed for want of memory: it cannot be read.
#[must_use]
pub fn killed_for_memory(_pid: i32, _from: LogTime) -> Option<Named> {
    None
}

/// The limits that the process ended with: they are gone with it.
#[must_use]
pub fn limits(_pid: i32) -> Option<Limits> {
    None
}

/// Where core dumps go: not known.
#[must_use]
pub fn core_pattern() -> Option<(String, bool)> {
    None
}
