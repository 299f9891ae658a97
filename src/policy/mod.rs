//! The verbs: what evidence means and what follows from it.
//!
//! Pure: every function takes values and returns values. No clock, disk, environment or kernel,
//! so each is tested by tables and nothing here can be half done.

pub mod agents;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod caller;
pub mod cause;
pub mod classify;
pub mod clock;
pub mod core_pattern;
mod cron_gap;
pub mod cron_line;
pub mod crontab;
pub mod decide;
#[cfg(test)]
mod decide_tests;
pub mod delivery;
pub mod dependencies;
pub mod digest;
pub mod doctor;
mod draft;
pub mod environment;
pub mod error_lines;
pub mod flapping;
pub mod fleet;
pub mod fold;
mod hang;
pub mod heartbeat;
pub mod history;
pub mod hold;
pub mod incident;
#[cfg(test)]
mod incident_walk_tests;
pub mod job_name;
pub mod kernel_log;
pub mod keys;
pub mod lapse;
pub mod last_word;
pub mod liveness;
pub mod masked;
pub mod memory;
pub mod needs;
pub mod notify;
pub mod openclaw;
pub mod operator;
pub mod overdue;
pub mod pause;
pub mod pings;
pub mod progress;
pub mod quiet;
pub mod readiness;
pub mod reason;
pub mod remind;
pub mod rotation;
pub mod schedule;
pub mod secrets;
pub mod settle;
pub mod shell;
#[cfg(test)]
mod shutdown_tests;
pub mod signature;
pub mod silence;
pub mod stagger;
pub mod storm;
mod storm_delivery;
pub mod strays;
pub mod stuck;
#[cfg(test)]
mod takeover_tests;
pub mod terms;
pub mod timeline;
mod tokens;
pub mod trigger;
#[cfg(test)]
mod walk_tests;
pub mod watch;
pub mod watch_jobs;
pub mod watch_judge;
pub mod zone;
