//! The nouns: what guardian talks about, as values.
//!
//! Pure: nothing here reads a clock, a file, the environment or the kernel. Types are made by
//! parsing, so a value that exists is valid. On-disk forms are derived here and versioned in `store`.

pub mod channel;
pub mod check;
pub mod delivery;
pub mod ending;
pub mod event;
pub mod evidence;
pub mod hook;
pub mod incident;
pub mod last_word;
pub mod liveness;
pub mod metadata;
pub mod name;
pub mod never;
pub mod probe;
pub mod progress;
pub mod request;
pub mod rotation;
#[cfg(test)]
pub(crate) mod sample;
pub mod schedule;
pub mod signal;
pub mod silence;
pub mod sink;
pub mod spec;
pub mod state;
mod stop_reason;
pub mod storm;
pub mod tally;
pub mod time;
pub mod timing;
pub mod units;
pub mod wake;
pub mod watch;
pub mod watch_state;
pub mod window;
