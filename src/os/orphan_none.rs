//! A process that is nobody's child of ours, where the platform gives no means to learn how such a one ends: it is said,
//! and the program stays as it is, watched by each pass.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use crate::model::ending::WaitStatus;
use crate::model::time::{BootId, Identity};

use super::children::Usage;

/// Whether this platform can watch such a process at all.
pub const CAN_WATCH: bool = false;

/// A process that is watched; there is none.
#[derive(Debug)]
pub enum Orphan {}

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A signal is pending.
    Signal,
    /// The process has ended.
    Ended,
}

impl Orphan {
    /// None is watched.
    ///
    /// # Errors
    /// Always `ENOTSUP`.
    pub fn open(_identity: &Identity, _boot: &BootId) -> io::Result<Option<Self>> {
        Err(io::Error::from_raw_os_error(libc::ENOTSUP))
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// Never.
    pub fn wait(&self) -> io::Result<Woken> {
        match *self {}
    }

    /// Never called: there is none.
    #[must_use]
    pub fn end(&self) -> BorrowedFd<'_> {
        match *self {}
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// Never.
    pub fn descriptor(&self, _fd: i32) -> io::Result<File> {
        match *self {}
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// Never.
    pub fn has_ended(&self) -> io::Result<bool> {
        match *self {}
    }

    /// Never called: there is none.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        match *self {}
    }

    /// Never called: there is none.
    #[must_use]
    pub fn cwd(&self) -> Option<CString> {
        match *self {}
    }

    /// Never called: there is none.
    ///
    /// # Errors
    /// Never.
    pub fn signal(&self, _signal: i32) -> io::Result<()> {
        match *self {}
    }

    /// Never called: there is none.
    #[must_use]
    pub fn status(&self) -> Option<(WaitStatus, Usage)> {
        match *self {}
    }
}

/// Tracing is not there.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn seize_all(_pid: i32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}
