//! Processes in the words of other systems: read from their files, written as theirs.
//!
//! Pure: text in, processes and notes out. What has no equal here is a [`Note`] with its line, never left out in
//! silence; text that is damaged is [`Damage`], and then nothing of it is used. Knows no registry and writes none.

pub mod crontab;
pub mod export;
mod ini;
mod json;
pub mod names;
pub mod pm2;
mod pm2_keys;
pub mod process_guardian;
pub mod procfile;
mod supervisor_keys;
mod supervisor_text;
pub mod supervisord;
pub mod systemd;
mod systemd_command;
mod systemd_keys;
mod systemd_other;
mod systemd_text;
mod take;
mod to_calendar;
pub mod to_compose;
pub mod to_kubernetes;
pub mod to_nomad;
pub mod to_supervisord;
pub mod to_systemd;

use std::fmt;

use crate::registry::value::{Draft, Value};

/// A process as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The name that it has there.
    pub name: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// What it comes to here.
    pub draft: Draft,
}

/// Something that has no equal here, or another meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line, from 1.
    pub line: usize,
    /// The process that it is about, by its name there; `None`: the file.
    pub process: Option<String>,
    /// What stands there: a key with its value, a section.
    pub what: String,
    /// Why it was not taken over as it is.
    pub why: String,
    /// What to do instead.
    pub instead: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(process) = &self.process {
            write!(f, "{}: ", process.replace(char::is_control, " "))?;
        }
        write!(f, "{}: {}", self.what.replace(char::is_control, " "), self.why)?;
        if self.instead.is_empty() { Ok(()) } else { write!(f, "; {}", self.instead) }
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Import {
    /// Its processes, in its order.
    pub found: Vec<Found>,
    /// What else stands there.
    pub notes: Vec<Note>,
}

/// A text that cannot be read as what it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong. No final period.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Damage {
    /// What is wrong in this line.
    #[must_use]
    pub fn new(line: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, what: what.into(), hint: hint.into() }
    }
}

/// What a file does not say and its meaning depends on.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// The directory that the file lies in, absolute.
    pub dir: &'a str,
    /// The name of the file.
    pub file: &'a str,
    /// The home directory of whoever imports.
    pub home: Option<&'a str>,
    /// Their name.
    pub user: &'a str,
    /// The name of this machine.
    pub host: &'a str,
    /// The environment that the import is made in.
    pub env: &'a [(String, String)],
    /// What the file `.env` beside it holds, if there is one.
    pub dotenv: Option<&'a str>,
    /// It is a file of the system's, with a user in each line of a crontab.
    pub of_system: bool,
}

impl Around<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// An absolute path: relative ones are meant from the file.
    fn path(&self, path: &str) -> String {
        match path.strip_prefix("./").unwrap_or(path) {
            "." | "" => self.dir.to_owned(),
            path if path.starts_with(['/', '~']) => path.to_owned(),
            path => format!("{}/{path}", self.dir.trim_end_matches('/')),
        }
    }
}

/// One process while its keys are read.
struct Taking<'a> {
    name: String,
    draft: Draft,
    notes: &'a mut Vec<Note>,
}

impl Taking<'_> {
    fn set(&mut self, key: &'static str, value: Value) {
        self.draft.set(key, value);
    }

    fn text(&mut self, key: &'static str, value: impl Into<String>) {
        self.set(key, Value::Text(value.into()));
    }

    fn note(&mut self, line: usize, what: impl Into<String>, why: impl Into<String>, instead: impl Into<String>) {
        let process = Some(self.name.clone());
        self.notes.push(Note { line, process, what: what.into(), why: why.into(), instead: instead.into() });
    }

    /// Who it runs as: nothing is said where that is whoever imports.
    fn user(&mut self, user: &str, around: &Around<'_>) {
        if user != around.user {
            self.text("user", user);
        }
    }
}

/// What cannot be found is said with its line in every notation: a text with all of them.
#[must_use]
pub fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}
