//! Facts in a process's history, and what is said of them.

use serde::{Deserialize, Serialize};

use super::ending::{Cause, Sender, SignalRecord, Verdict};
use super::incident::{About, Why};
use super::name::Name;
use super::storm::Facts;
use super::time::Wall;
use super::timing::Digest;

/// Version of the JSON documents that carry events.
pub const SCHEMA: u32 = 1;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nobody needs to act.
    Info,
    /// guardian is dealing with it.
    Warning,
    /// guardian has given up; a person is needed.
    Critical,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What kind of fact an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It came into the registry.
    Registered,
    /// A run began because somebody asked, or because its schedule says so.
    Started,
    /// A run began because guardian decided so.
    Restarted,
    /// It became ready.
    Ready,
    /// A signal was on its way to it.
    Signal,
    /// A run ended, in whichever way; the verdict is an event of its own.
    Exited,
    /// A run ended before its time.
    Premature,
    /// A run met its target.
    Completed,
    /// A run ended badly.
    Failed,
    /// A run ended because somebody asked.
    Stopped,
    /// It lives without any progress.
    Hung,
    /// guardian set out to end a run.
    Killed,
    /// It takes twice as long as it ever did.
    Slow,
    /// The breaker opened.
    Tripped,
    /// The breaker lets one run try.
    HalfOpen,
    /// It is well again after an incident.
    Recovered,
    /// It lives, but its shim is gone.
    Unsupervised,
    /// Its end made it many processes that failed at once.
    Storm,
    /// The storm that its end began is over.
    StormOver,
    /// It becomes well and unwell again and again.
    Flapping,
    /// It no longer does, and is well.
    FlappingOver,
    /// Somebody said that they know of its incident.
    Acknowledged,
    /// A time of its schedule was left out.
    Skipped,
    /// The action of a watch was run.
    Acted,
    /// A pass was due and did not run. Of guardian itself.
    Overdue,
    /// guardian lives, and how all stands: for sinks that ask for it. Of guardian itself.
    Heartbeat,
    /// A notification reached its sink.
    AlertDelivered,
    /// A notification was given up.
    AlertFailed,
    /// A message that somebody asked for with `alerts test`.
    Test,
}

impl EventKind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 29] = [
        Self::Registered,
        Self::Started,
        Self::Restarted,
        Self::Ready,
        Self::Signal,
        Self::Exited,
        Self::Premature,
        Self::Completed,
        Self::Failed,
        Self::Stopped,
        Self::Hung,
        Self::Killed,
        Self::Slow,
        Self::Tripped,
        Self::HalfOpen,
        Self::Recovered,
        Self::Unsupervised,
        Self::Storm,
        Self::StormOver,
        Self::Flapping,
        Self::FlappingOver,
        Self::Acknowledged,
        Self::Skipped,
        Self::Acted,
        Self::Overdue,
        Self::Heartbeat,
        Self::AlertDelivered,
        Self::AlertFailed,
        Self::Test,
    ];

    /// Whether it says that an incident is over.
    #[must_use]
    pub fn ends_an_incident(self) -> bool {
        matches!(self, Self::Recovered | Self::StormOver | Self::FlappingOver)
    }

    /// Whether it is about alerts themselves, or a test of them: nobody is alerted of those unasked.
    #[must_use]
    pub fn is_about_alerts(self) -> bool {
        match self {
            Self::AlertDelivered | Self::AlertFailed | Self::Test => true,
            Self::Registered
            | Self::Started
            | Self::Restarted
            | Self::Ready
            | Self::Signal
            | Self::Exited
            | Self::Premature
            | Self::Completed
            | Self::Failed
            | Self::Stopped
            | Self::Hung
            | Self::Killed
            | Self::Slow
            | Self::Tripped
            | Self::HalfOpen
            | Self::Recovered
            | Self::Unsupervised
            | Self::Storm
            | Self::StormOver
            | Self::Flapping
            | Self::FlappingOver
            | Self::Acknowledged
            | Self::Skipped
            | Self::Acted
            | Self::Overdue
            | Self::Heartbeat => false,
        }
    }

    /// Whether it is about guardian itself: no process has it in its history.
    #[must_use]
    pub fn is_of_guardian(self) -> bool {
        matches!(self, Self::Overdue | Self::Heartbeat)
    }

    /// The word for it in the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Started => "started",
            Self::Restarted => "restarted",
            Self::Ready => "ready",
            Self::Signal => "signal",
            Self::Exited => "exited",
            Self::Premature => "premature",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Hung => "hung",
            Self::Killed => "killed",
            Self::Slow => "slow",
            Self::Tripped => "tripped",
            Self::HalfOpen => "half_open",
            Self::Recovered => "recovered",
            Self::Unsupervised => "unsupervised",
            Self::Storm => "storm",
            Self::StormOver => "storm_over",
            Self::Flapping => "flapping",
            Self::FlappingOver => "flapping_over",
            Self::Acknowledged => "acknowledged",
            Self::Skipped => "skipped",
            Self::Acted => "acted",
            Self::Overdue => "overdue",
            Self::Heartbeat => "heartbeat",
            Self::AlertDelivered => "alert_delivered",
            Self::AlertFailed => "alert_failed",
            Self::Test => "test",
        }
    }
}

/// A fact in a process's history. Its `id` is derived from what it is about, so that saying it
/// twice is saying it once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// `NAME.EPOCH.RUN.KIND`; EPOCH tells two registrations of one name apart.
    pub id: String,
    /// When it became known.
    #[serde(with = "super::time::rfc3339")]
    pub at: Wall,
    /// Which process.
    pub process: Name,
    /// Which run; `None`: not about a run.
    pub run: Option<u64>,
    /// What kind of fact.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The group of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What that meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// How long the run lived, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_s: Option<f64>,
    /// Its target, in seconds, where that is a duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_s: Option<u64>,
    /// What guardian did about it, and when it acts next, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// When guardian acts next; `None`: at once, or not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::maybe_rfc3339")]
    pub next_at: Option<Wall>,
    /// Signals on their way to the process before the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalRecord>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Sender>,
    /// Failures in a row, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// What kind of watch it is about; `None`: about a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<String>,
    /// What it has in common with the failure before it, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alike: String,
    /// Pid of the main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Anything else worth a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Names of the sinks that the process wants told; empty: every sink that wants it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// The storm that it tells, in numbers and names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Box<Facts>>,
    /// What an end leaves the process as where no restart follows; `None`: not an end, or one that is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<Leaves>,
    /// The incident that it is told for, where it is on its way to a sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<About>>,
    /// It is told as the digest of all that stands here; its own fields are those of the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Box<Digest>>,
}

/// What an end leaves a process as, where nothing follows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaves {
    /// guardian has given it up: a person is needed.
    GivenUp,
    /// Down, as the operator wants it.
    Down,
}

impl Event {
    /// An event with nothing but the basics; the rest is filled in by update syntax.
    #[must_use]
    pub fn new(id: String, at: Wall, process: &Name, kind: EventKind, severity: Severity) -> Self {
        Self {
            schema: SCHEMA,
            id,
            at,
            process: process.clone(),
            run: None,
            kind,
            severity,
            group: None,
            cause: None,
            verdict: None,
            ran_s: None,
            target_s: None,
            action: String::new(),
            next_at: None,
            signals: Vec::new(),
            by: None,
            failures: None,
            watch: None,
            alike: String::new(),
            pid: None,
            detail: String::new(),
            notify: Vec::new(),
            storm: None,
            leaves: None,
            incident: None,
            digest: None,
        }
    }

    /// Why it is told.
    #[must_use]
    pub fn why(&self) -> &Why {
        self.incident.as_ref().map_or(&Why::News, |about| &about.why)
    }

    /// Whether it says that an incident is over.
    #[must_use]
    pub fn ends_an_incident(&self) -> bool {
        self.kind.ends_an_incident() || *self.why() == Why::Over
    }
}

/// An event on its way to sinks, with what only the world could add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The fact.
    pub event: Event,
    /// Host it happened on.
    pub host: String,
    /// Last lines of the run's output, oldest first, control characters removed.
    #[serde(default)]
    pub log_tail: Vec<String>,
    /// What is different from the last run that was well, in a sentence; empty: nothing is known to be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub differs: String,
    /// Runs that failed in the day up to the event, with this one; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_late: Option<u32>,
}
