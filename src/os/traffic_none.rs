//! Bytes that went through connections cannot be asked here.

use std::collections::BTreeSet;
use std::io;

/// Whether the kernel counts them.
pub(super) const IS_COUNTED: bool = false;

pub(super) fn sockets(_pid: i32) -> Option<BTreeSet<u32>> {
    None
}

pub(super) fn bytes(_sockets: &BTreeSet<u32>) -> io::Result<u64> {
    Ok(0)
}
