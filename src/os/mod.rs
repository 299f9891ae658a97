//! The kernel: clocks, locks, processes, signals. The only place with `unsafe`, and the only one
//! that knows which platform this is.
#![expect(unsafe_code, reason = "system calls that no crate wraps; each block says why it is sound")]

pub mod background;
pub mod caller;
pub mod cgroup;
pub mod children;
pub mod clock;
pub mod counters;
pub mod crontab;
pub mod descent;
pub mod descriptor;
pub mod desktop;
pub mod fingerprint;
pub mod forebears;
pub mod health;
pub mod keeper;
#[cfg(target_os = "linux")]
#[path = "kernel_trace_linux.rs"]
pub mod kernel_trace;
#[cfg(not(target_os = "linux"))]
#[path = "kernel_trace_none.rs"]
pub mod kernel_trace;
pub mod lock;
#[cfg(target_os = "linux")]
#[path = "machine_linux.rs"]
pub mod machine;
#[cfg(not(target_os = "linux"))]
#[path = "machine_none.rs"]
pub mod machine;
pub mod managers;
#[cfg(target_os = "linux")]
#[path = "notify_linux.rs"]
pub mod notify;
#[cfg(not(target_os = "linux"))]
#[path = "notify_none.rs"]
pub mod notify;
#[cfg(target_os = "linux")]
#[path = "orphan_linux.rs"]
pub mod orphan;
#[cfg(not(target_os = "linux"))]
#[path = "orphan_none.rs"]
pub mod orphan;
pub mod others;
pub mod own;
pub mod process;
#[cfg(target_os = "macos")]
mod processes_macos;
pub mod program;
pub mod read;
pub mod sandbox;
#[cfg(target_os = "linux")]
#[path = "shrink_linux.rs"]
pub mod shrink;
#[cfg(target_os = "macos")]
#[path = "shrink_macos.rs"]
pub mod shrink;
pub mod signals;
#[cfg(target_os = "linux")]
#[path = "began_linux.rs"]
mod since;
#[cfg(target_os = "macos")]
#[path = "began_macos.rs"]
mod since;
pub mod spawn;
#[cfg(target_os = "linux")]
#[path = "stranger_linux.rs"]
pub mod stranger;
#[cfg(not(target_os = "linux"))]
#[path = "stranger_none.rs"]
pub mod stranger;
pub mod surroundings;
#[cfg(target_os = "linux")]
#[path = "terminal_linux.rs"]
pub mod terminal;
#[cfg(not(target_os = "linux"))]
#[path = "terminal_none.rs"]
pub mod terminal;
#[cfg(target_os = "linux")]
#[path = "trace_linux.rs"]
pub mod trace;
#[cfg(not(target_os = "linux"))]
#[path = "trace_none.rs"]
pub mod trace;
pub mod usage;
pub mod user;
pub mod watch;
#[cfg(target_os = "linux")]
#[path = "zombie_linux.rs"]
pub mod zombie;
#[cfg(not(target_os = "linux"))]
#[path = "zombie_none.rs"]
pub mod zombie;
pub mod zone;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod platform;
