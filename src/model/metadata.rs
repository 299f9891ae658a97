//! The surroundings that a run was started in, for post-mortems and for the difference to a run that was well.
//!
//! Written at the start by whoever launched it, completed a little later. What is not known, or was not known in
//! time, is `None`. Values of environment variables are never in here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ending::Sender;
use super::name::Name;
use super::state::Began;
use super::time::{BootId, Wall};

/// Version of the stored form.
pub const SCHEMA: u32 = 1;
/// Most bytes of a command line that are kept; of a longer one there is a hash besides.
const COMMAND_MAX: usize = 4096;
/// Most bytes of names of environment variables; more than that is not kept at all.
const NAMES_MAX: usize = 64 * 1024;

/// What a run was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// Which process.
    pub name: Name,
    /// Which run.
    pub run: u64,
    /// When its start was decided on.
    #[serde(with = "super::time::rfc3339")]
    pub at: Wall,
    /// Version of the guardian that started it.
    pub guardian: String,
    /// Name of the host.
    pub host: String,
    /// Which boot.
    pub boot: BootId,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Further groups, ascending.
    pub groups: Option<Vec<u32>>,
    /// File mode creation mask, octal.
    pub umask: String,
    /// Working directory.
    pub cwd: String,
    /// Its command.
    pub command: CommandLine,
    /// Its target, as the registry has it.
    pub target: String,
    /// How long it had to live to count as healthy, in milliseconds.
    pub healthy_after_ms: u64,
    /// Names of its environment variables, ascending.
    pub environment: Option<Vec<String>>,
    /// Resource limits, soft and hard; `None` in them: unlimited.
    pub rlimits: BTreeMap<String, [Option<u64>; 2]>,
    /// What was executed; `None`: nothing was found, or it never ran.
    pub program: Option<FileFact>,
    /// The first of its arguments that is a file, such as the script of an interpreter.
    pub input: Option<FileFact>,
    /// The repository that its working directory is in; `None`: none was found.
    pub git: Option<Git>,
    /// Who asked for the start.
    pub asked: Option<Asked>,
}

/// An argument vector, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// The arguments, as far as they are kept.
    pub argv: Vec<String>,
    /// SHA-256 of the whole, each argument ended by a NUL, where not all is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl CommandLine {
    /// The vector, or its beginning and what `hash` gives for all of it.
    #[must_use]
    pub fn new(argv: &[String], hash: impl FnOnce(&[u8]) -> String) -> Self {
        let whole: usize = argv.iter().map(|argument| argument.len() + 1).sum();
        if whole <= COMMAND_MAX {
            return Self { argv: argv.to_vec(), sha256: None };
        }
        let mut bytes = Vec::with_capacity(whole);
        argv.iter().for_each(|argument| {
            bytes.extend(argument.as_bytes());
            bytes.push(0);
        });
        let mut room = COMMAND_MAX;
        let mut kept = Vec::new();
        for argument in argv {
            let mut end = argument.len().min(room);
            while !argument.is_char_boundary(end) {
                end -= 1;
            }
            kept.push(argument.get(..end).unwrap_or("").to_owned());
            if end < argument.len() || room <= argument.len() + 1 {
                break;
            }
            room -= argument.len() + 1;
        }
        Self { argv: kept, sha256: Some(hash(&bytes)) }
    }
}

/// The names of variables, unless they take more room than there is.
#[must_use]
pub fn bounded_names(names: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    let size: usize = names.iter().map(|name| name.len() + 3).sum();
    (size <= NAMES_MAX).then_some(names)
}

/// One state of one file: another content has another one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// When its content was changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When anything of it was changed, in nanoseconds since 1970.
    pub ctime_ns: i64,
}

/// A file that a run was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFact {
    /// Where it lies.
    pub path: String,
    /// Which file in which state; `None`: not certain.
    pub file: Option<FileId>,
    /// SHA-256 of exactly that state.
    pub sha256: Option<String>,
}

/// A repository at the moment of a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// Its working tree.
    pub root: String,
    /// The commit that is checked out; `None`: there is none, or it cannot be read.
    pub commit: Option<String>,
    /// The branch; `None`: none, or it cannot be read.
    pub branch: Option<String>,
    /// Whether files that it keeps were changed.
    pub dirty: Option<bool>,
}

/// Who asked for a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Asked {
    /// A command that somebody gave.
    Command {
        /// The process of the command, with its parents.
        caller: Sender,
        /// Agents whose marks were in its environment.
        agents: Vec<Agent>,
    },
    /// guardian itself.
    Guardian {
        /// Why.
        began: Began,
    },
}

/// An agent, by the marks that it leaves in the environment of its commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its session or thread, where it says so.
    pub session: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(argv: &[&str]) -> CommandLine {
        let argv: Vec<String> = argv.iter().map(|&argument| argument.to_owned()).collect();
        CommandLine::new(&argv, |bytes| format!("{} bytes", bytes.len()))
    }

    #[test]
    fn a_command_line_that_fits_is_kept_as_it_is() {
        assert_eq!(
            line(&["a", "", "b c"]),
            CommandLine { argv: vec!["a".into(), String::new(), "b c".into()], sha256: None }
        );
    }

    #[test]
    fn a_longer_one_keeps_its_beginning_and_a_hash_of_all() {
        let long = "é".repeat(600_000);
        let kept = line(&["sh", "-c", &long, "tail"]);
        assert!(kept.argv.iter().map(String::len).sum::<usize>() <= COMMAND_MAX);
        assert_eq!(kept.argv.len(), 3);
        assert_eq!(kept.sha256.as_deref(), Some("1200012 bytes"));
        let many = vec!["x"; 100_000];
        assert!(line(&many).argv.len() <= COMMAND_MAX / 2);
    }

    #[test]
    fn names_that_take_too_much_room_are_not_known_rather_than_cut() {
        assert_eq!(bounded_names(["B", "A"].map(str::to_owned).into_iter()), Some(vec!["A".into(), "B".into()]));
        assert_eq!(bounded_names((0..20_000).map(|i| format!("VARIABLE_{i}"))), None);
    }
}
