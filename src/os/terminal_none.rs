//! Terminals of the kernel's making, where guardian cannot wait for one and for signals at once: none is made, and that is said.

use std::fs::File;
use std::io;

use crate::model::window::Window;

/// Whether this platform has them, as far as guardian knows.
pub const THERE: bool = false;

/// None is made.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn open(_window: Window) -> io::Result<(File, File)> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// There is none.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn peer(_master: &File) -> io::Result<File> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// There is none.
///
/// # Errors
/// Always `ENOTSUP`.
pub fn resize(_main: i32, _window: Window) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// None is entered.
#[must_use]
pub(super) fn enter() -> bool {
    false
}

/// That cannot be told.
#[must_use]
pub fn is_waited_on(_main: i32) -> Option<bool> {
    None
}
