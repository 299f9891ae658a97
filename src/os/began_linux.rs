//! Linux: a start time is in ticks since boot, suspend included.

use crate::model::time::{Stamp, Wall};

/// When a process began, in milliseconds on the boot clock; `None`: it cannot be told.
pub(super) fn boot_ms(started: u64) -> Option<u64> {
    let hz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    started.checked_mul(1000)?.checked_div(u64::try_from(hz).ok()?)
}

/// When a process began, by the wall clock as it stands now; `None`: it cannot be told.
pub(super) fn began(started: u64, now: &Stamp) -> Option<Wall> {
    let age = i64::try_from(now.boot_ms.saturating_sub(boot_ms(started)?)).ok()?;
    Some(Wall(now.wall.0.checked_sub(age)?))
}
