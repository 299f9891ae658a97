//! Process names: safe as file names, on command lines and in mail subjects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
pub const MAX_LEN: usize = 64;

/// A process name: 1 to 64 bytes of `a-z 0-9 . _ -`, first a letter or digit, no `..`.
///
/// So it is also a safe file name that cannot leave its directory. Only parsing makes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a process name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters at all.
    #[error("a process name is empty")]
    Empty,
    /// More than [`MAX_LEN`] bytes.
    #[error("process name is {0} bytes long, {MAX_LEN} are allowed")]
    TooLong(usize),
    /// A character outside `a-z 0-9 . _ -`.
    #[error("process name {name} has {found:?}, which is not one of `a-z 0-9 . _ -`")]
    Character {
        /// The refused name, escaped.
        name: String,
        /// The first character that does not fit.
        found: char,
    },
    /// Begins with `.`, `_` or `-`.
    #[error("process name `{0}` begins with neither a letter nor a digit")]
    First(String),
    /// Holds `..`.
    #[error("process name `{0}` holds `..`")]
    DotDot(String),
}

impl NameError {
    /// What to do about it, one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "use 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit, for example `btc-bot`"
    }
}

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(found) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')) {
            let name = text.chars().take(MAX_LEN).collect::<String>();
            return Err(NameError::Character { name: format!("{name:?}"), found });
        }
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong(text.len()));
        }
        if text.starts_with(['.', '_', '-']) {
            return Err(NameError::First(text.to_owned()));
        }
        if text.contains("..") {
            return Err(NameError::DotDot(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_escape_a_directory_are_refused() {
        for bad in
            ["../evil", "a/b", "/etc", "..", ".", "a..b", ".hidden", "-rf", "_x", "", "A", "ä", "a b", "a\n", "a\0"]
        {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_may_have_64_bytes_and_not_65() {
        assert!("a".repeat(64).parse::<Name>().is_ok());
        assert_eq!("a".repeat(65).parse::<Name>(), Err(NameError::TooLong(65)));
    }

    #[test]
    fn ordinary_names_are_accepted() {
        for good in ["btc-bot", "a", "0", "web.1", "x_y", "a-"] {
            assert_eq!(good.parse::<Name>().map(String::from), Ok(good.to_owned()));
        }
    }
}
