//! `install --agent`: what stands in the configuration of which agent, and where.
//!
//! Text in, text out: [`crate::cli`] reads and writes the files. What is written comes from files below `agents/`, which
//! are part of the program. What is there already is kept, comments and order included; what cannot be read is refused.

mod block;
mod json;
#[cfg(test)]
mod json_tests;
mod places;
mod speak;
#[cfg(test)]
mod tests;
mod toml;
mod whole;

pub use places::{Piece, Roots, pieces};
pub use speak::Guardian;

/// An agent whose configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Claude Code.
    ClaudeCode,
    /// Codex CLI.
    Codex,
    /// Cursor.
    Cursor,
    /// Gemini CLI.
    Gemini,
    /// opencode.
    Opencode,
    /// GitHub Copilot CLI.
    Copilot,
    /// OpenClaw.
    Openclaw,
    /// Whoever reads the file `AGENTS.md` of a project.
    AgentsMd,
}

impl Client {
    /// Every agent.
    pub const ALL: [Self; 8] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::Cursor,
        Self::Gemini,
        Self::Opencode,
        Self::Copilot,
        Self::Openclaw,
        Self::AgentsMd,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Copilot => "copilot",
            Self::Openclaw => "openclaw",
            Self::AgentsMd => "agents-md",
        }
    }

    /// The agent of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.word() == word)
    }

    /// Where its configuration is written when nobody says.
    #[must_use]
    pub fn usual_place(self) -> Place {
        if self == Self::AgentsMd { Place::Project } else { Place::User }
    }

    /// What a person must still do, one sentence each.
    #[must_use]
    pub fn next_steps(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &["Restart Claude Code: sessions that are open keep what they read when they began."],
            Self::Codex => &[
                "Trust the hooks: type /hooks in Codex. Until then it skips them without a word.",
                "Restart Codex: sessions that are open keep what they read when they began.",
            ],
            Self::Cursor => &["Restart Cursor, and enable the server `guardian` under Settings, MCP."],
            Self::Gemini => &["Restart Gemini CLI: sessions that are open keep what they read when they began."],
            Self::Opencode => &["Restart opencode: plugins are loaded when it begins."],
            Self::Copilot => &[
                "Restart Copilot CLI. Hooks of a project run only in a folder that you trust (and with `-p` only where \
                 GITHUB_COPILOT_PROMPT_MODE_REPO_HOOKS=true).",
            ],
            Self::Openclaw => &[
                "Restart the gateway: openclaw gateway restart.",
                "Where `plugins.allow` is set, put \"guardian\" into it; `openclaw plugins inspect guardian` shows whether it is loaded.",
            ],
            Self::AgentsMd => &[],
        }
    }

    /// The agent's word for `guardian hook` and a launch past guardian in its words; `None`: it has no hooks.
    #[must_use]
    pub fn sample(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ClaudeCode => Some(("claude", CLAUDE_SAMPLE)),
            Self::Codex => Some(("codex", CLAUDE_SAMPLE)),
            Self::Cursor => Some((
                "cursor",
                r#"{"hook_event_name":"beforeShellExecution","command":"nohup python3 bot.py &","cwd":"/"}"#,
            )),
            Self::Gemini => Some((
                "gemini",
                r#"{"hook_event_name":"BeforeTool","tool_name":"run_shell_command","tool_input":{"command":"nohup python3 bot.py &"}}"#,
            )),
            Self::Opencode => Some(("opencode", r#"{"tool":"bash","args":{"command":"nohup python3 bot.py &"}}"#)),
            Self::Copilot => Some((
                "copilot",
                r#"{"toolName":"bash","toolArgs":{"command":"nohup python3 bot.py &","mode":"sync"}}"#,
            )),
            Self::Openclaw => {
                Some(("openclaw", r#"{"toolName":"exec","params":{"command":"nohup python3 bot.py &"}}"#))
            }
            Self::AgentsMd => None,
        }
    }
}

const CLAUDE_SAMPLE: &str =
    r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"nohup python3 bot.py &"}}"#;

/// For whom it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All that this user does.
    User,
    /// The directory in which the command is given.
    Project,
}

impl Place {
    /// The word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

/// What is written into one file.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Entries of a JSON file that is the agent's own; comments are kept.
    Json(speak::Template),
    /// A table of a TOML file that is the agent's own.
    Toml(Vec<String>),
    /// A file that is guardian's.
    Whole(String),
    /// A marked block in a text.
    Block(&'static str),
}

/// A file that cannot be changed: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Reads on after the path.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Wrong {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl Form {
    /// The file with guardian's part in it; the same text if it is there. `old` is `None` where there is no file.
    ///
    /// # Errors
    /// The file is not what it should be, or something else stands in the place.
    pub fn put(&self, old: Option<&str>) -> Result<String, Wrong> {
        let (mark, old) = old.map_or(("", None), |old| (marked(old).0, Some(marked(old).1)));
        let new = match self {
            Self::Json(template) => json::put(old.unwrap_or_default(), template.value()),
            Self::Toml(words) => toml::put(old.unwrap_or_default(), words),
            Self::Whole(text) => whole::put(old, text),
            Self::Block(text) => block::put(old.unwrap_or_default(), text),
        }?;
        Ok(format!("{mark}{new}"))
    }

    /// The file without guardian's part; `None`: nothing is left, and the file may go.
    ///
    /// # Errors
    /// As [`Form::put`].
    pub fn take(&self, old: &str) -> Result<Option<String>, Wrong> {
        let (mark, old) = marked(old);
        let rest = match self {
            Self::Json(template) => json::take(old, template.value()),
            Self::Toml(_) => toml::take(old),
            Self::Whole(text) => whole::take(old, text),
            Self::Block(_) => block::take(old),
        }?;
        Ok(rest.map(|rest| format!("{mark}{rest}")))
    }
}

/// The mark of byte order that some editors begin a file with, which parsers do not know; and the text.
fn marked(text: &str) -> (&str, &str) {
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    text.split_at(at)
}
