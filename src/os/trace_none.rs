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
///
/// # Errors
/// Never.
pub fn resume(_pid: i32, _stop: Stop) -> io::Result<Option<Seen>> {
    Ok(None)
}

/// A signal that is about to be delivered to a traced thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub signal: i32,
    /// The sender; `None`: the kernel.
    pub sender: Option<(i32, u32)>,
}
