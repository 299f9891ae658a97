//! Storms: many processes that fail at once, so that the fault is likely not theirs.
//!
//! What passes know of each other lies in one small file of [`Line`]s (`store::storm`); what follows
//! from them is `policy::storm`. Nothing here judges.

use serde::{Deserialize, Serialize};

use super::ending::Verdict;
use super::name::Name;
use super::time::{Stamp, Wall};

/// A run that ended badly, as far as others need to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When that became known.
    pub at: Stamp,
    /// Which process.
    pub process: Name,
    /// Tells two registrations of one name apart.
    pub epoch: String,
    /// Which run.
    pub run: u64,
    /// What it meant.
    pub verdict: Verdict,
    /// How it ended, in short and without a sender: `exit 1`, `SIGKILL`.
    pub cause: String,
    /// The same with all that a line has room for.
    pub message: String,
    /// Who sent the signal that ended it; `None`: nobody, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The group of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The last line that it wrote; `None`: none, or nobody looked, because it failed alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
    /// Its turn to be started again, on the boot clock; `None`: it failed outside of a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_ms: Option<u64>,
}

impl Failure {
    /// Whether it is the end of that very run.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.process, &self.epoch, self.run) == (&other.process, &other.epoch, other.run)
    }
}

/// A storm was recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// Its id: that of the event that tells it.
    pub storm: String,
    /// When.
    pub at: Stamp,
    /// The process whose failure made it one.
    pub process: Name,
    /// The run of that.
    pub run: u64,
    /// Processes that were to be up; `None`: nobody counted, there were failures enough.
    pub up: Option<usize>,
}

/// A storm has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// Its id.
    pub storm: String,
    /// When.
    pub at: Stamp,
    /// Processes of it that were not back by then.
    pub down: Vec<Name>,
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A run ended badly.
    Failed(Failure),
    /// That made it a storm.
    Began(Began),
    /// No process has failed for a while.
    Over(Over),
    /// That was told: the message is in the outbox.
    Told {
        /// Id of the storm.
        storm: String,
    },
}

/// One storm, put together from the lines about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Storm {
    /// How it was recognised.
    pub began: Began,
    /// All that failed in it, oldest first, those that made it one included.
    pub failures: Vec<Failure>,
    /// How it ended; `None`: it has not, or nobody has looked since.
    pub over: Option<Over>,
    /// Whether its end was told.
    pub told: bool,
    /// Processes of it that failed again when it was over: what is said of them then is news.
    pub later: Vec<Name>,
}

impl Storm {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.began.storm
    }

    /// The id of the event that tells its end.
    #[must_use]
    pub fn over_id(&self) -> String {
        format!("{}_over", self.began.storm)
    }
}

/// A storm in numbers and names, for messages and `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its id, which each message that it speaks for is filed under.
    pub id: String,
    /// Processes that failed in it.
    pub failed: usize,
    /// Bad ends of all of them.
    pub ends: usize,
    /// Processes that were to be up when it began; `None`: not counted.
    pub up: Option<usize>,
    /// The first bad end.
    #[serde(with = "super::time::rfc3339")]
    pub first_at: Wall,
    /// The last one.
    #[serde(with = "super::time::rfc3339")]
    pub last_at: Wall,
    /// Names of those that failed, in the order in which they did, as many as a message has room for.
    pub names: Vec<String>,
    /// How they ended most often.
    pub cause: String,
    /// How many of the bad ends were of that kind.
    pub of_that_cause: usize,
    /// What all or most of them have in common, in words.
    pub in_common: Vec<String>,
    /// Those that were not back when it had ended; `None`: it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Vec<String>>,
}
