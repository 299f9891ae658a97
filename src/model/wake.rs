//! How an agent is woken: by which of its doors, and which session.
//!
//! Read from a `[sinks.NAME]`, or found in the environment of the command that started a process (`notify = "auto"`) and then kept
//! in the state of that process, in a file that nobody else may read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sink::{Secret, SecretSource};

/// Which agent, or what it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Harness {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// OpenClaw.
    Openclaw,
    /// opencode.
    Opencode,
    /// Gemini CLI.
    Gemini,
    /// Copilot CLI.
    Copilot,
    /// Whatever runs in a pane of tmux.
    Tmux,
}

impl Harness {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Openclaw, Self::Opencode, Self::Gemini, Self::Copilot, Self::Tmux];

    /// The `type` of its sinks.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Openclaw => "openclaw",
            Self::Opencode => "opencode",
            Self::Gemini => "gemini",
            Self::Copilot => "copilot",
            Self::Tmux => "tmux",
        }
    }

    /// The one of that type.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|harness| harness.word() == word)
    }
}

/// One session of an agent, and the ways to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Which agent.
    pub harness: Harness,
    /// Id of its session or thread, or the pane of tmux.
    pub session: Option<String>,
    /// Socket on which a living session hears messages, or that of the tmux server.
    pub socket: Option<String>,
    /// What opens that door.
    pub token: Option<SecretSource>,
    /// Address of its server, without a slash at the end.
    pub api_base: Option<String>,
    /// Its program, with arguments that come first.
    pub program: Vec<String>,
    /// Directory in which a session is resumed; `None`: `/`.
    pub cwd: Option<String>,
    /// What its session executes, for where no `PATH` has its program.
    #[serde(default)]
    pub executed: Vec<String>,
    /// Options that its session was begun with and that a resumed one needs: models, permissions, configuration.
    #[serde(default)]
    pub options: Vec<String>,
    /// What its session was begun with, keys to its model among it; empty: that of whoever wakes it, and cron's finds no agent.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// File of JSON lines that gets each message as well: it is there when no session is.
    pub inbox: Option<String>,
}

impl Wake {
    /// One with nothing but its program.
    #[must_use]
    pub fn new(harness: Harness) -> Self {
        Self {
            harness,
            session: None,
            socket: None,
            token: None,
            api_base: None,
            program: vec![harness.word().to_owned()],
            cwd: None,
            executed: Vec::new(),
            options: Vec::new(),
            environment: BTreeMap::new(),
            inbox: None,
        }
    }
}

/// A process above the command that was given: perhaps the agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forebear {
    /// Its pid.
    pub pid: i32,
    /// Its arguments, the first of which names its program; those that are not UTF-8 end the list.
    pub arguments: Vec<String>,
    /// What it executes; `None`: not known.
    pub executable: Option<String>,
    /// Its working directory; `None`: not known.
    pub cwd: Option<String>,
    /// Its environment as it was begun; `None`: not known.
    pub environment: Option<BTreeMap<String, String>>,
}
