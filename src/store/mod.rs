//! Files: where everything lies, how it is written so that it survives, and what it looks like there.
//!
//! Commits are one rename; journals are append-only and a torn last line is dropped on read. What
//! cannot be read is an error or a value that says so, never an empty default.

pub mod atomic;
pub mod beat;
pub mod checksum;
pub mod document;
pub mod env_file;
pub mod environment;
pub mod foreign;
pub mod git;
pub mod hang;
pub mod heartbeat;
pub mod incident;
pub mod journal;
pub mod lapses;
pub mod last_word;
pub mod launch;
pub mod ledger;
pub mod leftovers;
pub mod log;
pub mod log_index;
pub mod metadata;
pub mod notify;
pub mod once;
pub mod original;
pub mod outbox;
mod part;
pub mod paths;
pub mod record;
mod record_line;
mod registry_cache;
mod registry_compact;
pub mod registry_file;
pub mod registry_trust;
pub mod rotation;
mod rotation_note;
pub mod says;
pub mod sentinel;
pub mod silence;
pub mod spool;
pub mod state;
pub mod stdin;
pub mod storm;
pub mod strays;
pub mod textfile;
pub mod wake;
pub mod watch;
