//! What guardian remembers of one process between two passes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ending::{EndedRun, Sender, StopReason};
use super::event::Event;
use super::liveness::Probing;
use super::name::Name;
use super::progress::{Hang, Watch};
use super::schedule::{Occurrence, Plan};
use super::tally::Tally;
use super::time::Stamp;

/// Version of the stored form.
pub const SCHEMA: u32 = 1;

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Started.
    Up,
    /// Stopped, or never started.
    Down,
}

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Began {
    /// Somebody said `start`, `restart`, `register --start` or `run`.
    Operator,
    /// guardian restarted it after an end.
    Restart,
    /// The breaker let it try.
    Trial,
    /// A time of its schedule came.
    Schedule {
        /// Which.
        occurrence: Occurrence,
    },
}

/// guardian is ending the open run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// Why.
    pub reason: StopReason,
    /// When the stop signal was decided on.
    pub since: Stamp,
    /// Who asked, for an operator's stop.
    pub by: Option<Sender>,
    /// What it is that the reason does not say, to follow `asked to end`; empty: it says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// One run of another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tie {
    /// Tells two registrations of its name apart.
    pub epoch: String,
    /// Its number.
    pub run: u64,
}

/// A run that began and has not been judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Its number.
    pub run: u64,
    /// When its start was decided on.
    pub since: Stamp,
    /// Why.
    pub began: Began,
    /// Position of the end of the log before it began; see [`super::rotation`].
    pub log_offset: u64,
    /// Whether it has been up for `healthy_after`.
    #[serde(default)]
    pub healthy: bool,
    /// Whether it was told that the program began, where a preflight stands before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
    /// Whether it was told that it is ready.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready: bool,
    /// From which age on it is slow, in milliseconds; `None`: too little to compare with, or told already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_after_ms: Option<u64>,
    /// Whether the loss of its shim was told.
    #[serde(default)]
    pub unsupervised: bool,
    /// guardian is ending it.
    #[serde(default)]
    pub stopping: Option<Stopping>,
    /// Its signs of progress, where they are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Box<Watch>>,
    /// The runs of what it depends on that it was started against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Box<BTreeMap<Name, Tie>>>,
    /// What its `probe` showed, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing: Option<Box<Probing>>,
}

impl OpenRun {
    /// A run whose start has just been decided on.
    #[must_use]
    pub fn new(run: u64, since: Stamp, began: Began) -> Self {
        Self {
            run,
            since,
            began,
            log_offset: 0,
            healthy: false,
            announced: false,
            ready: false,
            slow_after_ms: None,
            unsupervised: false,
            stopping: None,
            watch: None,
            against: None,
            probing: None,
        }
    }

    /// The hang that goes on, as far as the last look or `probe` showed.
    #[must_use]
    pub fn hang(&self) -> Option<&Hang> {
        let looked = self.watch.as_ref().and_then(|watch| watch.hang.as_ref());
        looked.or_else(|| self.probing.as_ref().and_then(|probing| probing.hang.as_ref()))
    }

    /// Whether it lives without progress, as far as the last look or `probe` showed.
    #[must_use]
    pub fn is_hung(&self) -> bool {
        self.hang().is_some()
    }
}

/// Where a process stands. Each state carries exactly its own data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one of them at a time is looked at, nobody keeps many")]
pub enum Phase {
    /// Never started.
    New,
    /// A run began and has not been judged.
    Open(OpenRun),
    /// A restart is due at this time.
    Waiting {
        /// When.
        until: Stamp,
    },
    /// The breaker is open.
    Tripped {
        /// Since when.
        since: Stamp,
        /// When one run may try.
        until: Stamp,
    },
    /// The target was met; nothing follows.
    Completed,
    /// Somebody stopped it.
    Stopped,
    /// The target is unmet and policy does not restart it.
    Dead,
}

/// An incident that was told and whose recovery will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The run whose end opened it.
    pub run: u64,
    /// When.
    pub since: Stamp,
    /// Bad ends since, the first included.
    pub ends: u32,
}

/// The last failure, as far as it can be told apart from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The run that it ended.
    pub run: u64,
    /// Its cause, in few words.
    pub what: String,
    /// The line of its output that says most, cut; empty: it wrote nothing.
    pub line: String,
    /// How often in a row the same one came.
    pub times: u32,
    /// What the failure before it was, if that was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

/// All that is remembered of one process. One rename commits it, with the events that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// Tells two registrations of one name apart: when the first state was made, base 36.
    pub epoch: String,
    /// What the operator asked for.
    pub desired: Desired,
    /// Highest run number given out; 0: none.
    pub run: u64,
    /// Restarts by guardian since the operator last started it.
    pub restarts: u32,
    /// What is never set back.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub tally: Tally,
    /// Failures in a row.
    pub failures: u32,
    /// Delays before a restart since it was last well.
    #[serde(default)]
    pub backoffs: u32,
    /// Times in a row that the breaker opened.
    pub trips: u32,
    /// When guardian restarted it, within the longest window it had, newest last.
    #[serde(default)]
    pub restarted_at: Vec<Stamp>,
    /// When it was started by somebody, as far as that counts; see `policy::budget`. Newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<Stamp>,
    /// Whether `guardian exec` ran it last: then whoever ran that starts it again, and guardian does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreground: bool,
    /// Where it stands.
    pub phase: Phase,
    /// What its schedule comes to; `None`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<Plan>>,
    /// The last run that ended.
    pub last: Option<EndedRun>,
    /// The incident that is open.
    pub incident: Option<Incident>,
    /// The last failure; `None`: it completed since, or its output could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How long the last runs that completed took, in milliseconds, newest last. None of services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completed_ms: Vec<u64>,
    /// Events that this commit brought and that may not be in journal and outbox yet.
    #[serde(default)]
    pub pending: Vec<Event>,
}

impl State {
    /// The state of a process that nobody has started yet, first seen at `now`.
    #[must_use]
    pub fn new(now: &Stamp) -> Self {
        Self {
            schema: SCHEMA,
            epoch: base36(now.wall.0.unsigned_abs()),
            desired: Desired::Down,
            run: 0,
            restarts: 0,
            tally: Tally::default(),
            failures: 0,
            backoffs: 0,
            trips: 0,
            restarted_at: Vec::new(),
            starts: Vec::new(),
            foreground: false,
            phase: Phase::New,
            schedule: None,
            last: None,
            incident: None,
            failure: None,
            completed_ms: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// The run that is not judged yet.
    #[must_use]
    pub fn open(&self) -> Option<&OpenRun> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            Phase::New
            | Phase::Waiting { .. }
            | Phase::Tripped { .. }
            | Phase::Completed
            | Phase::Stopped
            | Phase::Dead => None,
        }
    }
}

pub(super) fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        let digit = usize::try_from(number % 36).unwrap_or(0); // always below 36
        digits.push(char::from(DIGITS[digit]));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}
