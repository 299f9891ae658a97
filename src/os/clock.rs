//! The clocks, read once by each driver and passed down from there.

use std::io;

use nix::time::ClockId;

use crate::model::time::{BootId, Stamp, Wall};

/// The boot clock: counts suspend, cannot be set.
#[cfg(target_os = "linux")]
pub const BOOT_CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
/// The boot clock: macOS counts suspend in its monotonic clock.
#[cfg(not(target_os = "linux"))]
pub const BOOT_CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// A clock that stands still while the machine sleeps.
#[cfg(target_os = "linux")]
const AWAKE_CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
/// A clock that stands still while the machine sleeps.
#[cfg(not(target_os = "linux"))]
const AWAKE_CLOCK: ClockId = ClockId::from_raw(libc::CLOCK_UPTIME_RAW);

fn millis(clock: ClockId) -> io::Result<i64> {
    let time = clock.now()?;
    Ok(time.tv_sec().saturating_mul(1000).saturating_add(time.tv_nsec() / 1_000_000))
}

/// The wall clock.
///
/// # Errors
/// Those of `clock_gettime`.
pub fn wall() -> io::Result<Wall> {
    Ok(Wall(millis(ClockId::CLOCK_REALTIME)?))
}

/// Milliseconds since boot, suspend included.
///
/// # Errors
/// Those of `clock_gettime`.
pub fn boot_ms() -> io::Result<u64> {
    u64::try_from(millis(BOOT_CLOCK)?).map_err(io::Error::other)
}

/// Milliseconds on a clock that stands still while the machine sleeps. Nobody can set it; its zero means nothing.
///
/// # Errors
/// Those of `clock_gettime`.
pub fn awake_ms() -> io::Result<u64> {
    u64::try_from(millis(AWAKE_CLOCK)?).map_err(io::Error::other)
}

/// This moment on both clocks.
///
/// # Errors
/// A clock or the boot id cannot be read.
pub fn now() -> io::Result<Stamp> {
    Ok(Stamp { wall: wall()?, boot_ms: boot_ms()?, boot: boot_id()? })
}

/// Which boot this is.
///
/// # Errors
/// It cannot be read.
pub fn boot_id() -> io::Result<BootId> {
    super::platform::boot_id()
}
