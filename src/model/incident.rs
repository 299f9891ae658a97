//! An incident: one process in trouble, from the first sign of it until it is well, done or stopped.
//!
//! Premature, hung and tripped are stages of one incident, because one recovery answers all of them. A storm is none:
//! it has its own end. Stored by `store::incident`, one file for each process; judged by `policy::incident`,
//! `policy::remind` and `policy::flapping`. What a sink was told is not here: that is in the ledger.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Notification, Severity};
use super::time::{Stamp, Wall};

/// Version of the stored form.
pub const SCHEMA: u32 = 1;

/// What a sink asks for while an incident goes on: keys that all types have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insist {
    /// Failures in a row from which on a process's failures are told; what guardian gives up on always is.
    pub after: u32,
    /// How often an open incident is told again; `None`: never.
    pub remind: Option<Duration>,
    /// How long it may stay unacknowledged before others are told; `None`: for ever.
    pub escalate_after: Option<Duration>,
    /// Names of the sinks that are told then.
    pub escalate_to: Vec<String>,
}

impl Default for Insist {
    fn default() -> Self {
        Self { after: 1, remind: None, escalate_after: None, escalate_to: Vec::new() }
    }
}

/// Somebody has said that they know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// What they said; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When.
    pub at: Stamp,
}

/// An incident that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The id of the event that opened it.
    pub id: String,
    /// When that was noted.
    pub opened: Stamp,
    /// When it became as bad as it is.
    pub worse: Stamp,
    /// Severity at its opening.
    pub first: Severity,
    /// Highest severity so far.
    pub severity: Severity,
    /// Bad ends and hangs so far.
    pub times: u32,
    /// The newest of what makes it up: told again by a reminder.
    pub last: Notification,
    /// Who knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
}

/// It became well or unwell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The event that says so.
    pub id: String,
    /// When it was noted.
    pub at: Stamp,
}

/// It goes to and fro.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flapping {
    /// What told it.
    pub told: Notification,
    /// Since when.
    pub since: Stamp,
    /// Changes at that time, within [`crate::policy::flapping::WINDOW`].
    pub changes: u32,
}

/// All that is remembered of one process for the sake of those who are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// What goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Incident>,
    /// Changes of late, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Whether it goes to and fro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
    /// Ids of events that were noted last, so that noting them twice is noting them once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<String>,
}

impl Default for Book {
    fn default() -> Self {
        Self { schema: SCHEMA, open: None, changes: Vec::new(), flapping: None, noted: Vec::new() }
    }
}

/// Why an event of an incident is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It has just happened.
    News,
    /// Nobody acknowledged it; this is the nth time that it is told again.
    Reminder(u32),
    /// Nobody who was told by this sink acknowledged it.
    Escalation(String),
    /// The service forgets what it is not told again; the nth time.
    Refresh(u32),
    /// It no longer goes to and fro, but it is not well.
    Settled,
    /// The incident is over.
    Over,
}

/// The incident that an event is told for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Id of the incident.
    pub id: String,
    /// Since when it is open.
    #[serde(with = "super::time::rfc3339")]
    pub since: Wall,
    /// Bad ends and hangs so far.
    pub times: u32,
    /// Severity at its opening.
    pub first: Severity,
    /// Highest severity so far.
    pub severity: Severity,
    /// Why it is told.
    pub why: Why,
}

impl Incident {
    /// What goes with an event of it.
    #[must_use]
    pub fn about(&self, why: Why) -> About {
        About {
            id: self.id.clone(),
            since: self.opened.wall,
            times: self.times,
            first: self.first,
            severity: self.severity,
            why,
        }
    }

    /// What is told of it now, under an id of its own.
    #[must_use]
    pub fn again(&self, id: String, why: Why, now: &Stamp) -> Notification {
        let mut told = self.last.clone();
        told.event.incident = Some(Box::new(self.about(why)));
        (told.event.id, told.event.at) = (id, now.wall);
        told
    }
}
