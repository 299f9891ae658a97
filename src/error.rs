//! One error form for every command: what failed, about what, why, and what to do.

use std::fmt;
use std::io;
use std::path::Path;

use crate::model::name::{Name, NameError};

/// Exit codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The answer is no, or what was asked for failed.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Not running.
    NotRunning = 3,
    /// No such process in the registry.
    NotRegistered = 4,
    /// Refused: breaker open, registry not trusted, spec differs, still running.
    Refused = 5,
    /// What was given to be read is damaged; nothing was changed.
    Data = 65,
    /// A bug in guardian.
    Bug = 70,
    /// A system call or file failed; nothing was lost.
    System = 74,
    /// Accepted, not done yet: the next pass will.
    Later = 75,
    /// The registry or configuration is not valid.
    Config = 78,
    /// Time ran out.
    Timeout = 124,
}

/// A failure that ends a command.
#[derive(Debug, Clone)]
pub struct Error {
    /// Exit code.
    pub code: Code,
    /// Stable word for programs: `not_registered`, `registry_invalid`, …
    pub kind: &'static str,
    /// The process it is about.
    pub process: Option<Name>,
    /// What failed, about what, why. No final period.
    pub message: String,
    /// What to do about it; empty: nothing is known.
    pub hint: String,
}

impl Error {
    /// A failure without a hint yet.
    #[must_use]
    pub fn new(code: Code, kind: &'static str, message: impl Into<String>) -> Self {
        Self { code, kind, process: None, message: message.into(), hint: String::new() }
    }

    /// The same with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, about a process.
    #[must_use]
    pub fn about(mut self, name: &Name) -> Self {
        self.process = Some(name.clone());
        self
    }

    /// A system call or file operation that failed. `what` reads on after "cannot": `write`, `lock`.
    #[must_use]
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let hint = match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => "free some space on that file system; what was there before is intact",
            Some(libc::EROFS) => "that file system is mounted read-only: point GUARDIAN_HOME at a writable directory",
            Some(libc::EACCES | libc::EPERM) => "check the owner and mode of that path, and who runs guardian",
            Some(libc::ENOENT) => "something of that path is missing: check how it is written",
            Some(libc::EMFILE | libc::ENFILE) => "raise the limit on open files (`ulimit -n`)",
            Some(libc::EISDIR | libc::ENOTDIR | libc::ELOOP | libc::EEXIST) => {
                "something else stands in that place: move it away, and give the command again"
            }
            Some(_) | None => "",
        };
        Self::new(Code::System, "io", format!("cannot {what} `{}`: {error}", path.display())).hint(hint)
    }

    /// No such process in the registry.
    #[must_use]
    pub fn not_registered(name: &Name, similar: Option<&Name>) -> Self {
        let hint = match similar {
            Some(similar) => format!("did you mean `{similar}`? `guardian status` lists all"),
            None => format!("register it first: guardian register {name} -- COMMAND"),
        };
        Self::new(Code::NotRegistered, "not_registered", format!("process `{name}` is not in the registry"))
            .hint(hint)
            .about(name)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::new(Code::Usage, "bad_name", error.to_string()).hint(error.hint())
    }
}
