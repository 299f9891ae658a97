//! Hooks of agents: what one says of a tool call that it is about to make, and what guardian answers in its dialect.
//!
//! Values in, values out: [`crate::cli`] reads standard input and writes the answer. Shapes were seen with the real
//! programs, but for Cursor's and OpenClaw's, which are those of their documentation. Answers never approve a
//! call by themselves, except a rewritten one, which these agents take in no other way.

mod answer;
pub mod begin;
pub mod judge;
pub mod request;
#[cfg(test)]
mod tests;
pub mod unmanaged;

pub use answer::{Verdict, answer, has_a_place};

/// An agent whose hooks are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// GitHub Copilot CLI.
    Copilot,
    /// Gemini CLI.
    Gemini,
    /// Cursor.
    Cursor,
    /// opencode, by its plugin.
    Opencode,
    /// OpenClaw, by its plugin.
    Openclaw,
}

impl Agent {
    /// Every agent.
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Copilot, Self::Gemini, Self::Cursor, Self::Opencode, Self::Openclaw];

    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Copilot => "copilot",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
            Self::Opencode => "opencode",
            Self::Openclaw => "openclaw",
        }
    }

    /// The agent of a word; `claude-code` is Claude.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|agent| agent.word() == word || (*agent == Self::Claude && word == "claude-code"))
    }

    /// The name under which its marks in the environment are known.
    #[must_use]
    pub fn known_as(self) -> &'static str {
        match self {
            Self::Claude => "claude-code",
            Self::Codex | Self::Copilot | Self::Gemini | Self::Cursor | Self::Opencode | Self::Openclaw => self.word(),
        }
    }
}
