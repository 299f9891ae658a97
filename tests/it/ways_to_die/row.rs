//! What a row of the corpus is made of: a program, what happens to it, and what guardian must say of its end.

use super::scene::Scene;

/// One way to die.
pub(crate) struct Row {
    /// The name under which it is registered.
    pub(crate) name: &'static str,
    /// The same in words.
    pub(crate) way: &'static str,
    pub(super) options: &'static [&'static str],
    pub(super) program: Program,
    /// What is done between `register` and `start`.
    pub(super) before: Option<fn(&Scene)>,
    pub(super) act: Act,
    pub(super) want: Want,
}

/// What is run. All but the last are run by `die`, which counts the starts, and only the first start dies.
#[derive(Clone, Copy)]
pub(super) enum Program {
    /// A mode of `die.c`.
    Die(&'static [&'static str]),
    /// A line for `sh`.
    Sh(&'static str),
    /// Any program.
    Exec(&'static [&'static str]),
    /// Any program, not counted. A word that begins with `./` is in the directory of the test.
    Bare(&'static [&'static str]),
}

/// What happens to it.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Nothing: it ends by itself.
    Nothing,
    /// A program called `murderer` sends it a signal.
    Murder(Whom, &'static str),
    /// The operator gives a command of guardian's about it.
    Operator(&'static [&'static str]),
    /// Anything else.
    Does(fn(&Scene)),
    /// The start, and what follows it, in a world of its own.
    Instead(fn(&Scene)),
}

/// Whom the murderer aims at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Program,
    Shim,
}

/// What guardian must say.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub(super) cause: &'static str,
    pub(super) verdict: &'static str,
    pub(super) signals: &'static [&'static str],
    pub(super) then: Then,
    pub(super) told: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// A second run, and only one.
    Restarted,
    /// A second run at a later time.
    Waiting,
    Completed,
    Stopped,
    Dead,
    Tripped,
}

impl Then {
    /// As a cell of the table.
    pub(super) fn cell(self) -> &'static str {
        match self {
            Self::Restarted => "restarted",
            Self::Waiting => "restart is due",
            Self::Completed => "no: completed",
            Self::Stopped => "no: stopped",
            Self::Dead => "no: dead",
            Self::Tripped => "no: tripped",
        }
    }

    /// The state in which it ends up.
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Restarted => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
            Self::Tripped => "tripped",
        }
    }
}

/// A service, restarted without delay.
pub(super) const SERVICE: &[&str] = &["--backoff", "0s"];
/// The same, traced.
pub(super) const TRACED: &[&str] = &["--backoff", "0s", "--trace-signals"];
/// A job.
pub(super) const JOB: &[&str] = &["--target", "exit"];

/// A row whose end is expected to be that of a service which is restarted, and told.
pub(super) const fn row(
    name: &'static str,
    way: &'static str,
    options: &'static [&'static str],
    program: Program,
) -> Row {
    let want = Want { cause: "", verdict: "premature", signals: &[], then: Then::Restarted, told: true };
    Row { name, way, options, program, before: None, act: Act::Nothing, want }
}

impl Row {
    /// Whether its target is its end.
    pub(super) fn is_job(&self) -> bool {
        self.options.windows(2).any(|pair| pair == ["--target", "exit"])
    }

    pub(super) const fn before(self, before: fn(&Scene)) -> Self {
        Self { before: Some(before), ..self }
    }

    pub(super) const fn act(self, act: Act) -> Self {
        Self { act, ..self }
    }

    /// A service that is restarted, and that is told.
    pub(super) const fn dies(self, cause: &'static str) -> Self {
        self.ends(cause, "premature", Then::Restarted)
    }

    /// A job that failed.
    pub(super) const fn fails(self, cause: &'static str) -> Self {
        self.ends(cause, "failed", Then::Dead)
    }

    /// A job that is done, which nobody is told.
    pub(super) const fn completes(self, cause: &'static str) -> Self {
        self.ends(cause, "completed", Then::Completed).untold()
    }

    /// What the operator asked for, which nobody is told.
    pub(super) const fn stops(self, cause: &'static str) -> Self {
        self.ends(cause, "stopped", Then::Stopped).signals(&["asked by guardian"]).untold()
    }

    pub(super) const fn ends(self, cause: &'static str, verdict: &'static str, then: Then) -> Self {
        let want = Want { cause, verdict, then, ..self.want };
        Self { want, ..self }
    }

    pub(super) const fn signals(self, signals: &'static [&'static str]) -> Self {
        let want = Want { signals, ..self.want };
        Self { want, ..self }
    }

    pub(super) const fn untold(self) -> Self {
        let want = Want { told: false, ..self.want };
        Self { want, ..self }
    }
}
