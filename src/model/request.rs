//! What a caller that cannot start anything which survives, or reach what runs, asks a pass to do in its place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::time::Wall;

/// Version of the stored form.
pub const SCHEMA: u32 = 1;

/// The commands that may be asked for.
pub const VERBS: [&str; 6] = ["start", "register", "run", "stop", "restart", "deregister"];

/// A command that is to be given again where what it starts survives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// The process that it is about.
    pub name: Name,
    /// Which command: one of [`VERBS`].
    pub verb: String,
    /// What follows it on the command line.
    pub arguments: Vec<String>,
    /// Where it was given.
    pub cwd: String,
    /// The environment that it would take down. Left out of what is kept once it is answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// What tells who asks, and how that session is woken: given to the command, never to the program. Left out as well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub session: BTreeMap<String, String>,
    /// File mode creation mask.
    pub umask: u32,
    /// Who asks.
    pub uid: u32,
    /// The registry that is meant: the passes of another one leave it alone.
    pub registry: String,
    /// When.
    pub at: Wall,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// Whether it was done.
    pub done: bool,
    /// What came of it, or why it was refused.
    pub reason: String,
    /// When.
    pub at: Wall,
}
