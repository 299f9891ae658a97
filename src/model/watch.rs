//! What the registry says about one watch: something that guardian did not start, and only looks at.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Severity;

/// What a watch looks at, with what its kind needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The process whose pid stands in a file.
    PidFile {
        /// Absolute path.
        path: String,
    },
    /// The one process whose command line matches.
    Match {
        /// Regular expression on the arguments, joined by blanks.
        pattern: String,
        /// Name or number of the user that it runs as; `None`: anybody.
        user: Option<String>,
    },
    /// A file that must be written again and again.
    File {
        /// Absolute path.
        path: String,
        /// How old its last change may be.
        max_age: Duration,
    },
    /// A time in a JSON file.
    JsonFile {
        /// Absolute path.
        path: String,
        /// Where in the document it stands.
        field: Field,
        /// How old it may be.
        max_age: Duration,
    },
    /// What a command prints, which must change.
    Output {
        /// Line for the shell.
        line: String,
        /// How long it may stay the same.
        max_age: Duration,
    },
    /// A command that must succeed.
    Command {
        /// Line for the shell.
        line: String,
    },
    /// The scheduled jobs of OpenClaw.
    OpenClaw {
        /// Its state directory; `None`: where it keeps it by itself.
        home: Option<String>,
        /// Its program; `None`: `openclaw`, wherever `PATH` has it.
        program: Option<String>,
    },
}

impl Subject {
    /// The key of the registry that asks for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::PidFile { .. } => "pid_file",
            Self::Match { .. } => "match",
            Self::File { .. } => "file",
            Self::JsonFile { .. } => "json_file",
            Self::Output { .. } => "output",
            Self::Command { .. } => "command",
            Self::OpenClaw { .. } => "openclaw",
        }
    }
}

/// One `[watch.NAME]` of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// What is looked at.
    pub subject: Subject,
    /// At most one look in this time; zero: one in each pass.
    pub every: Duration,
    /// Limit on one look.
    pub timeout: Duration,
    /// Looks in a row that must find it amiss before it is.
    pub after: u32,
    /// Line for the shell, run when it is bad.
    pub action: Option<String>,
    /// Limit on that.
    pub action_timeout: Duration,
    /// Actions within `window` before the breaker opens; 0: it never does.
    pub max_failures: u32,
    /// Time in which actions are counted.
    pub window: Duration,
    /// How long the breaker is open the first time.
    pub breaker_cooldown: Duration,
    /// Its group.
    pub group: Option<String>,
    /// Sinks that are told; empty: every one that wants it.
    pub notify: Vec<String>,
    /// How much it matters that it is amiss.
    pub severity: Severity,
}

/// A place in a JSON document: `a.b[0]["x.y"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field(Vec<Step>);

/// One step into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An element of an array, from 0.
    Element(usize),
}

impl Field {
    /// The steps, outermost first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if is_plain(name) && nth > 0 => write!(f, ".{name}")?,
                Step::Member(name) if is_plain(name) => f.write_str(name)?,
                Step::Member(name) => write!(f, "[{}]", serde_json::Value::from(name.as_str()))?,
                Step::Element(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['.', '[', ']', '"'])
}

impl FromStr for Field {
    type Err = String;

    /// # Errors
    /// What is wrong, and at which character.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let wrong = |what: &str| format!("{what} at character {}", text[..at].chars().count() + 1);
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, after) = bracketed(inside).ok_or_else(|| wrong("`[` is followed by no number or text"))?;
                steps.push(step);
                rest = after;
                continue;
            }
            let name = match (rest.strip_prefix('.'), steps.is_empty()) {
                (Some(after), false) => after,
                (None, true) => rest,
                (Some(_), true) | (None, false) => return Err(wrong("a `.` is in the wrong place")),
            };
            let end = name.find(['.', '[', ']', '"']).unwrap_or(name.len());
            let (member, after) = name.split_at(end);
            if member.is_empty() || after.starts_with([']', '"']) {
                return Err(wrong("a name is wanted"));
            }
            steps.push(Step::Member(member.to_owned()));
            rest = after;
        }
        if steps.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(steps)) }
    }
}

/// What stands in brackets, and what follows them.
fn bracketed(inside: &str) -> Option<(Step, &str)> {
    if !inside.starts_with('"') {
        let (number, after) = inside.split_once(']')?;
        return Some((Step::Element(number.parse().ok()?), after));
    }
    let mut texts = serde_json::Deserializer::from_str(inside).into_iter::<String>();
    let name = texts.next()?.ok()?;
    let after = inside.get(texts.byte_offset()..)?.strip_prefix(']')?;
    Some((Step::Member(name), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_document_reads_back_as_it_was_written() {
        for text in ["ts", "a.b[0].ts", "[3].x", "a[\"x.y\"][0][1].z", "[\"\"]", "ä.ö"] {
            assert_eq!(text.parse::<Field>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_place_that_is_none_is_refused_with_the_character() {
        for (text, want) in [
            ("", "it is empty"),
            (".a", "a `.` is in the wrong place at character 1"),
            ("a..b", "a name is wanted at character 2"),
            ("a[x]", "`[` is followed by no number or text at character 2"),
            ("ä[0", "`[` is followed by no number or text at character 2"),
            ("a[0]b", "a `.` is in the wrong place at character 5"),
            ("a.", "a name is wanted at character 2"),
            ("a]", "a name is wanted at character 1"),
        ] {
            assert_eq!(text.parse::<Field>(), Err(want.to_owned()), "{text}");
        }
    }
}
