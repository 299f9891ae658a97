//! A notification on its way to one sink, and the receipt that says it arrived.
//!
//! Stored by `store::outbox` and `store::ledger`, judged by `policy::delivery`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{EventKind, Notification};
use super::incident::Book;
use super::last_word::Word;
use super::name::Name;
use super::silence::{Kept, Silence};
use super::time::Stamp;

/// Version of the stored forms.
pub const SCHEMA: u32 = 1;

/// One notification that waits for one sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// What is told.
    pub notification: Notification,
    /// Name of the sink.
    pub sink: String,
    /// When it was queued.
    pub queued: Stamp,
    /// Failed tries so far.
    pub attempts: u32,
    /// When the first try failed; giving up counts from here.
    pub first_failed: Option<Stamp>,
    /// Not tried before this; `None`: due.
    pub not_before: Option<Stamp>,
    /// Until then the sink asked to be left alone, by everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Stamp>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// Recipients that have it already; they are left out of the next try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<String>,
    /// It was kept for the end of a silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

impl Entry {
    /// A notification that nobody has tried to deliver yet.
    #[must_use]
    pub fn new(notification: Notification, sink: &str, queued: Stamp) -> Self {
        Self {
            schema: SCHEMA,
            notification,
            sink: sink.to_owned(),
            queued,
            attempts: 0,
            first_failed: None,
            not_before: None,
            asked: None,
            last_error: None,
            reached: Vec::new(),
            kept: None,
        }
    }

    /// The id of its event.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.notification.event.id
    }

    /// What its cooldown is counted by.
    #[must_use]
    pub fn group(&self) -> Group {
        let event = &self.notification.event;
        Group {
            process: event.process.clone(),
            kind: event.kind,
            cause: event.cause.as_ref().map(|cause| cause.kind().to_owned()),
        }
    }
}

/// Incidents of one kind: what a cooldown, within one sink, is counted by.
///
/// Another kind or cause is news, so it is another group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    /// Which process.
    pub process: Name,
    /// What kind of event.
    pub kind: EventKind,
    /// How the run ended: `exited`, `signaled`, …
    pub cause: Option<String>,
}

/// How a notification left the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It was sent as a message of its own.
    Sent,
    /// It was told within the message of a newer one.
    Folded,
    /// A recovery from something that this sink was never told.
    Moot,
    /// It was not to be told: the reason stands beside.
    Suppressed,
}

/// Proof that one notification is done with for one sink; never delivered again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// The id of the event.
    pub id: String,
    /// Name of the sink.
    pub sink: String,
    /// What its cooldown is counted by.
    #[serde(flatten)]
    pub group: Group,
    /// When it was settled.
    pub at: Stamp,
    /// How.
    pub how: Settled,
    /// Id of the storm whose message told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// What the sink refused for good while it took the rest: recipients with the server's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Why it was suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The whole of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// What waits.
    pub pending: Vec<Entry>,
    /// What was given up.
    pub dead: Vec<Entry>,
    /// What goes on.
    pub books: Vec<Book>,
    /// What was said of that, through which other sinks.
    pub words: Vec<Word>,
    /// What was settled last, newest first.
    pub settled: Vec<Receipt>,
    /// A sentence for each thing that could not be read.
    pub unreadable: Vec<String>,
    /// What nobody wants to hear of now.
    pub silences: Vec<Silence>,
    /// What was not told of late, counted, most first.
    pub hushed: Vec<Hushed>,
    /// Why each of `pending` waits, in the same order.
    pub reasons: Vec<String>,
}

/// What one sink was not told of one process of late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hushed {
    /// Name of the sink.
    pub sink: String,
    /// Of which process.
    pub process: Name,
    /// How many notifications.
    pub count: usize,
    /// Why the newest was not.
    pub reason: String,
}

/// What one try to deliver came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it.
    Delivered {
        /// What the sink said, in short.
        reply: String,
        /// Recipients that it refused for good, with its words.
        refused: Vec<String>,
    },
    /// Not now; worth another try.
    Failed {
        /// Why. Names no secret.
        error: String,
        /// How long the sink asked us to wait.
        after: Option<Duration>,
        /// Recipients that have it nevertheless.
        reached: Vec<String>,
    },
    /// Never; somebody has to change something.
    Refused {
        /// Why. Names no secret.
        error: String,
    },
}

impl Outcome {
    /// Not now, for this reason, as a whole.
    #[must_use]
    pub fn failed(error: impl Into<String>) -> Self {
        Self::failed_until(error, None)
    }

    /// Not now, for this reason, as a whole; the sink may have said how long to wait.
    #[must_use]
    pub fn failed_until(error: impl Into<String>, after: Option<Duration>) -> Self {
        Self::Failed { error: error.into(), after, reached: Vec::new() }
    }

    /// Never, for this reason.
    #[must_use]
    pub fn refused(error: impl Into<String>) -> Self {
        Self::Refused { error: error.into() }
    }

    /// The sink has it, and said this.
    #[must_use]
    pub fn delivered(reply: impl Into<String>) -> Self {
        Self::Delivered { reply: reply.into(), refused: Vec::new() }
    }
}
