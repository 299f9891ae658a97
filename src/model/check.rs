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

/// A way in which whoever started something is ended, with all that can be reached that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// Its process group is killed.
    Group,
    /// Every process of its session is killed.
    Session,
    /// Every process below it is killed, from parent to child.
    Parents,
    /// Its terminal is closed.
    Terminal,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Group, Self::Session, Self::Parents, Self::Terminal];

    /// The name of its check.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Group => "group-kill",
            Self::Session => "session-kill",
            Self::Parents => "parent-walk",
            Self::Terminal => "terminal-close",
        }
    }

    /// What was done, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Group => "the process group of its caller was killed",
            Self::Session => "every process in the session of its caller was killed",
            Self::Parents => "every process below its caller was killed, from parent to child",
            Self::Terminal => "the terminal of its caller was closed",
        }
    }
}
