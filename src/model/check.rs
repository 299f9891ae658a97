//! What `doctor` finds out: one check, how it came out, and what mends it.

use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// All is well.
    Green,
    /// It works, with less than could be had; or it cannot be told.
    Yellow,
    /// Something that is started here may be lost, or nobody would hear of it.
    Red,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a word.
    pub name: &'static str,
    /// How it came out.
    pub grade: Grade,
    /// What was found.
    pub said: String,
    /// The command, or the step, that mends it.
    pub mend: Option<String>,
}

impl Check {
    /// All is well.
    #[must_use]
    pub fn green(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, grade: Grade::Green, said: said.into(), mend: None }
    }

    /// It could be better, or it cannot be told.
    #[must_use]
    pub fn yellow(name: &'static str, said: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, grade: Grade::Yellow, said: said.into(), mend: Some(mend.into()) }
    }

    /// It must be mended.
    #[must_use]
    pub fn red(name: &'static str, said: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, grade: Grade::Red, said: said.into(), mend: Some(mend.into()) }
    }
}
