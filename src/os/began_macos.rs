//! macOS: a start time is in microseconds since 1970, as the kernel keeps it.

use crate::model::time::{Stamp, Wall};

/// When a process began; `None`: it cannot be told.
pub(super) fn began(started: u64, _now: &Stamp) -> Option<Wall> {
    i64::try_from(started / 1000).ok().filter(|ms| *ms > 0).map(Wall)
}

/// There are no containers, so nobody asks when process 1 of one began.
pub(super) fn boot_ms(_started: u64) -> Option<u64> {
    None
}
