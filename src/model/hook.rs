//! `[hook]` of the registry: what is done about launches that agents try past guardian.

use serde::{Deserialize, Serialize};

/// What a hook does about a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HookMode {
    /// Refuses it and says what to write instead.
    #[default]
    Deny,
    /// Puts `guardian run` in its place where that is exact and the agent takes it; refuses it else.
    Rewrite,
    /// Lets it pass and says what would be better.
    Warn,
}

impl HookMode {
    /// Every mode.
    pub const WORDS: &'static [&'static str] = &["deny", "rewrite", "warn"];

    /// The mode of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "deny" => Some(Self::Deny),
            "rewrite" => Some(Self::Rewrite),
            "warn" => Some(Self::Warn),
            _ => None,
        }
    }
}

/// `[hook]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HookConfig {
    /// What is done.
    pub mode: HookMode,
    /// Globs over commands that may be launched all the same.
    pub allow: Vec<String>,
}
