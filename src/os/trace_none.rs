//! Signal tracing where the platform has none: it is said, and the program runs untraced.

use std::io;

use super::children::Stop;

/// Tracing is not there.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn seize(_pid: i32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// No stop ever comes from a tracer that is not there.
pub fn resume(_main: i32, _thread: i32, _stop: Stop) -> Option<Seen> {
    None
}

/// A signal that is about to be delivered to a traced thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub signal: i32,
    /// The sender; `None`: the kernel.
    pub sender: Option<(i32, u32)>,
}
