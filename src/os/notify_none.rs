//! The socket of sd_notify where the platform has none: programs are given no name, and say nothing.

use std::io;

/// Who sent a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Its pid.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// A socket that is never there.
#[derive(Debug)]
pub struct Socket(std::convert::Infallible);

/// There is no name to give.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn fresh_name() -> io::Result<String> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

impl Socket {
    /// It cannot be bound.
    ///
    /// # Errors
    /// Always `ENOTSUP`.
    pub fn bind(_name: &[u8]) -> io::Result<Self> {
        Err(io::Error::from_raw_os_error(libc::ENOTSUP))
    }

    /// Nothing ever comes.
    ///
    /// # Errors
    /// Never.
    pub fn receive<'b>(&self, _buffer: &'b mut [u8]) -> io::Result<Option<(Writer, &'b [u8])>> {
        match self.0 {}
    }
}
