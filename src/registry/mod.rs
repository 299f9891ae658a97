//! Text ↔ specs: the registry file as values, and edits that keep what people wrote in it.
//!
//! [`parse`] reads a whole file and reports everything that is wrong with it at once, each with its
//! line and column; one bad entry never takes the others with it. [`keys`] is the only list of keys.
//! Pure: it never opens the file, `store::registry_file` does.

mod channels;
mod choices;
mod dependencies;
pub mod edit;
pub mod form;
mod heartbeat;
pub mod hook;
mod insist;
pub mod keys;
pub mod logs;
pub mod parse;
mod problem;
mod process_keys;
mod read;
pub mod reference;
#[cfg(test)]
mod reference_tests;
mod schedule;
pub mod secret;
pub mod settings;
pub mod show;
mod sink;
pub mod sink_keys;
mod syslog;
#[cfg(test)]
mod tests;
mod timing;
pub mod value;
mod wake;
mod watch;
pub mod watch_keys;
pub mod watch_show;
#[cfg(test)]
mod watch_tests;
mod webhook;
#[cfg(test)]
mod webhook_tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use parse::parse;
pub use problem::Problem;

use crate::model::hook::HookConfig;
use crate::model::name::Name;
use crate::model::rotation::LogsConfig;
use crate::model::sink::{HealthcheckConfig, Sink};
use crate::model::spec::Spec;
use crate::model::watch::WatchSpec;
use crate::policy::dependencies::Graph;

/// The annotated example that `guardian init` writes.
pub const EXAMPLE: &str = include_str!("../../registry.example.toml");

/// What the parser needs to know of its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// What `~/` stands for; `None`: such paths are errors.
    pub home_dir: Option<std::path::PathBuf>,
    /// The time zone of this machine; `None`: a `schedule` without `timezone` is an error.
    pub zone: Option<String>,
    /// Whether this machine has a user of that name or number; `None`: nobody can tell, and any is taken.
    pub has_user: Option<fn(&str) -> bool>,
}

/// One process of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    pub spec: Spec,
    /// Line of its name in the file, from 1.
    pub line: u32,
}

/// One watch of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEntry {
    /// What it is.
    pub spec: WatchSpec,
    /// Line of its name in the file, from 1.
    pub line: u32,
}

/// A registry: what was valid of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Registry {
    /// The valid processes.
    pub processes: BTreeMap<Name, Entry>,
    /// The valid watches, whose names are none of a process.
    pub watches: BTreeMap<Name, WatchEntry>,
    /// The valid sinks, by name.
    pub sinks: Vec<Sink>,
    /// `[healthcheck]`.
    pub healthcheck: HealthcheckConfig,
    /// `[hook]`.
    pub hook: HookConfig,
    /// `[logs]`.
    pub logs: LogsConfig,
    /// Names, as written, of processes and watches that were left out because something in them is not valid.
    pub invalid: Vec<String>,
}

impl Registry {
    /// What each process needs.
    #[must_use]
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(self.processes.iter().map(|(name, entry)| (name, entry.spec.depends_on.as_slice())))
    }
}

/// A registry with everything that is wrong with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What was valid; empty when the text is not TOML.
    pub registry: Registry,
    /// All that is wrong, in the order of the text. Empty: the text is valid as a whole.
    pub problems: Vec<Problem>,
    /// Whether the text is TOML at all. When not, `registry` says nothing about what is in it.
    pub is_toml: bool,
}
