//! The kernel: clocks, locks, processes, signals. The only place with `unsafe`, and the only one
//! that knows which platform this is. `linux.rs` and `macos.rs` hold what differs.

pub mod clock;
pub mod lock;
