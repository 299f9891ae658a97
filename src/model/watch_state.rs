//! What guardian remembers of one watch between two passes.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::state::{SCHEMA, base36};
use super::time::Stamp;

/// How what is watched does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The last look showed that it is well.
    Ok,
    /// Looks in a row showed that it is not.
    Bad,
    /// It could not be told, or nobody has looked yet. Never taken for well.
    Unknown,
}

impl Condition {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether the action may be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// It may.
    Closed,
    /// It may not until then.
    Open {
        /// When one try is made.
        until: Stamp,
    },
    /// One try was made, and it is not known yet whether it helped.
    HalfOpen,
}

impl Breaker {
    /// The word of the contract.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// An incident that was told and whose recovery will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was told first.
    pub since: Stamp,
    /// It was told that it is bad.
    pub told_bad: bool,
    /// It was told that it cannot be told.
    pub told_unknown: bool,
    /// Actions that were run.
    pub actions: u32,
    /// Looks since the last of them that found it bad.
    pub since_action: u32,
    /// Times that the breaker opened.
    pub trips: u32,
}

/// The last action, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// When it was decided on.
    pub at: Stamp,
    /// Whether it succeeded; `None`: it runs, or whoever ran it was killed.
    pub succeeded: Option<bool>,
    /// How it ended and what it printed, in a sentence.
    pub outcome: String,
}

/// An output as it was when it changed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Tells outputs apart.
    pub fingerprint: u64,
    /// When it was seen first.
    pub since: Stamp,
}

/// All that is remembered of one watch. One rename commits it, with the events that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    /// Version of this form.
    pub schema: u32,
    /// Tells two watches of one name apart: when the first state was made, base 36.
    pub epoch: String,
    /// Which kind of watch this is about: another kind under the same name begins anew.
    pub kind: String,
    /// How it does.
    pub condition: Condition,
    /// Since when.
    pub since: Stamp,
    /// What is amiss, by the last look; empty: nothing.
    pub reason: String,
    /// What the last look saw, such as a pid or a time.
    pub value: Option<String>,
    /// How old that was, in seconds.
    pub age_s: Option<u64>,
    /// When the last look was taken.
    pub looked: Option<Stamp>,
    /// When a look showed that it was well.
    pub last_ok: Option<Stamp>,
    /// Looks in a row that did not show that it was well.
    pub failures: u32,
    /// Incidents so far.
    pub incidents: u64,
    /// The one that is open.
    pub incident: Option<Incident>,
    /// Whether its action may be run.
    pub breaker: Breaker,
    /// Times that the breaker opened, since a whole window passed without an action.
    pub trips: u32,
    /// When its action was run, within the window, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acted: Vec<Stamp>,
    /// The last action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The output that is waited to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Events that this commit brought and that may not be in journal and outbox yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Event>,
}

impl WatchState {
    /// The state of a watch of this kind that nobody has looked at.
    #[must_use]
    pub fn new(kind: &str, now: &Stamp) -> Self {
        Self {
            schema: SCHEMA,
            epoch: base36(now.wall.0.unsigned_abs()),
            kind: kind.to_owned(),
            condition: Condition::Unknown,
            since: now.clone(),
            reason: "nobody has looked yet".to_owned(),
            value: None,
            age_s: None,
            looked: None,
            last_ok: None,
            failures: 0,
            incidents: 0,
            incident: None,
            breaker: Breaker::Closed,
            trips: 0,
            acted: Vec::new(),
            action: None,
            seen: None,
            pending: Vec::new(),
        }
    }
}
