//! What people and programs read: values in, text or JSON out.
//!
//! Pure: nothing here reads a clock, a file or the environment, and nothing prints.

pub mod alert;
pub mod brief;
pub mod certificate;
pub mod certificate_json;
pub mod circumstances;
pub mod differ;
mod digest;
pub mod escape;
pub mod exit_code;
pub mod exposition;
mod facts;
mod fit;
pub mod fleet;
pub mod history;
#[cfg(test)]
pub(crate) mod hostile;
mod html;
pub mod incident;
pub mod metrics;
pub mod outbox;
pub mod report;
pub mod schedule;
pub mod silence;
pub mod status;
pub mod storm;
pub mod strays;
pub mod table;
pub mod template;
pub mod trigger;
pub mod usual;
pub mod wake;
pub mod watch;
pub mod words;
