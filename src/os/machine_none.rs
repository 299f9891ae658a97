//! What Linux has and this platform has not: control groups, systemd, logind, ptrace as Linux knows it.

use crate::policy::doctor::{First, Home, Kernel};

/// The machine; there is none to look at.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as on Linux")]
pub struct Machine {
    pub release: Option<String>,
    pub ptrace_scope: Option<Option<u32>>,
    pub kernel: Kernel,
    pub home: Option<Home>,
    pub systemd: bool,
    pub lingers: Option<bool>,
    pub logind: Vec<String>,
    pub container: Option<(&'static str, First)>,
}

/// Nothing of it is here.
#[must_use]
pub fn look() -> Option<Machine> {
    None
}
