//! What a row of the corpus is made of: a program, how it is watched, and what guardian must make of it.

use std::path::Path;

use crate::home::{Home, PYTHON};

/// One program that stands still, or only looks like it.
pub(super) struct Row {
    /// The name under which it is registered.
    pub(super) name: &'static str,
    /// What it does, in words.
    pub(super) does: &'static str,
    /// How it is watched.
    pub(super) watched: &'static [&'static str],
    pub(super) program: Program,
    pub(super) want: Want,
}

/// What is run.
#[derive(Clone, Copy)]
pub(super) enum Program {
    /// A line for `sh`; `GUARDIAN` stands for the program under test.
    Sh(&'static str),
    Python(&'static str),
    Node(&'static str),
    /// A mode of `stuck.c`, and a file that it may use.
    C(&'static str, &'static str),
}

/// What guardian must make of it.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// It is called hung, with this sentence (`…` stands for anything), and the snapshot names this call.
    Hung { says: &'static str, call: &'static str },
    /// It is never called hung, because of this sign.
    Well(Sign),
}

/// A sign of progress, as the state has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Output,
    Heartbeat,
    Cpu,
    Io,
    /// Processes come and go, which counts for the two above.
    Processes,
    /// Nobody looks.
    Unwatched,
}

impl Sign {
    /// Its field in the state; `None`: there is none to look at.
    pub(super) fn field(self) -> Option<&'static str> {
        match self {
            Self::Output => Some("output"),
            Self::Heartbeat => Some("heartbeat"),
            Self::Cpu | Self::Processes => Some("cpu"),
            Self::Io => Some("io"),
            Self::Unwatched => None,
        }
    }

    /// As a cell of the table.
    pub(super) fn cell(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Heartbeat => "heartbeat",
            Self::Cpu => "CPU time",
            Self::Io => "input and output",
            Self::Processes => "processes come and go",
            Self::Unwatched => "nobody asked for a look",
        }
    }
}

/// The limit of those that hang.
const HUNG: &[&str] = &["--hang-after", "2s"];
/// The limit of those that do not, in milliseconds, and as options.
pub(super) const WELL_MS: u64 = 4000;
const WELL: &[&str] = &["--hang-after", "4s"];
/// The same for a heartbeat alone.
const BEATS: &[&str] = &["--heartbeat", "4s"];
/// The same for output alone.
const SPEAKS: &[&str] = &["--output-stale", "4s"];

/// A program that hangs.
pub(super) const fn hung(
    name: &'static str,
    does: &'static str,
    program: Program,
    call: &'static str,
    says: &'static str,
) -> Row {
    Row { name, does, watched: HUNG, program, want: Want::Hung { says, call } }
}

/// A program that works.
pub(super) const fn well(name: &'static str, does: &'static str, program: Program, sign: Sign) -> Row {
    Row { name, does, watched: WELL, program, want: Want::Well(sign) }
}

impl Row {
    /// Only its heartbeat counts.
    pub(super) const fn beats(self) -> Self {
        Self { watched: BEATS, ..self }
    }

    /// Only its output counts.
    pub(super) const fn speaks(self) -> Self {
        Self { watched: SPEAKS, ..self }
    }

    /// It is not looked at.
    pub(super) const fn unwatched(self) -> Self {
        Self { watched: &[], ..self }
    }

    /// Registers and starts it; `stuck` is `stuck.c`, compiled.
    pub(super) fn start(&self, home: &Home, stuck: &Path) {
        let script = |end: &str, text: &str| home.script(&format!("{}.{end}", self.name), text).display().to_string();
        let line = match self.program {
            Program::Sh(line) => line.replace("GUARDIAN", &home.program().display().to_string()),
            Program::Python(text) => format!("exec {PYTHON} -u {}", script("py", text)),
            Program::Node(text) => format!("exec node {}", script("js", text)),
            Program::C(mode, file) => format!("exec {} {mode} {file}", stuck.display()),
        };
        home.up(self.name, &[self.watched, &["--on-hang", "alert"]].concat(), &line);
    }
}
