//! `report`: what was over a time, as a page that is mailed on and read in the morning, and the same for programs.
//!
//! A report leaves the machine. So no command line of a process is in it, and whoever gathers it has masked what programs said.
//! Bounded: what there is no room for is counted. What is not known is shown as not known.

mod alerts;
mod axis;
mod deaths;
mod ends;
mod json;
mod page;
mod processes;

use std::time::Duration;

use chrono_tz::Tz;

use super::certificate::Certificate;
use super::status::{Health, State};
use super::watch;
use crate::model::delivery::Overview;
use crate::model::ending::Verdict;
use crate::model::state::Desired;
use crate::model::storm::Facts;
use crate::model::time::{Stamp, Wall};
use crate::model::watch_state::Condition;
use crate::policy::lapse::Lapses;
use crate::policy::stuck::Backlog;
use crate::policy::timeline::{Kind, Span, total};

pub use ends::{choose, deaths};
pub use json::json;
pub use page::page;

/// Deaths that are shown with all that is known of them; the newest.
pub const CERTIFICATES: usize = 100;
/// Deaths that are shown in a line.
pub const DEATHS: usize = 500;
/// Entries of each list about alerts, passes and errors.
const LISTED: usize = 20;

/// One process over the time.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What the operator asked for.
    pub desired: Desired,
    /// Whether it is so.
    pub as_desired: bool,
    /// Pid of its main process.
    pub pid: Option<i32>,
    /// Its run.
    pub run: Option<u64>,
    /// How long that is up.
    pub uptime_s: Option<u64>,
    /// Its target, as written.
    pub target: String,
    /// Whether it is to live on, so that time down is time missing.
    pub lives_on: bool,
    /// Restarts within the time.
    pub restarts: usize,
    /// Ends within the time that were as they should be, or asked for.
    pub ended_well: usize,
    /// Bad ends within the time, oldest first: when, and how.
    pub deaths: Vec<(Wall, String)>,
    /// When guardian acts next.
    pub next_at: Option<String>,
    /// What a person should know, masked.
    pub remark: String,
    /// What it was, without a hole.
    pub spans: Vec<Span>,
}

impl Process {
    /// Time up, wanted and not up, not known.
    fn times(&self) -> [Duration; 3] {
        let up = total(&self.spans, |kind| kind == Kind::Up);
        let unknown = total(&self.spans, |kind| kind == Kind::Unknown);
        let unwanted = total(&self.spans, |kind| kind == Kind::Unwanted);
        let all = total(&self.spans, |_| true);
        [up, all.saturating_sub(up + unknown + unwanted), unknown]
    }

    /// The share of the time in which it was wanted and is known that it was up. `None`: there was none, or it is a job.
    fn available(&self) -> Option<f64> {
        let [up, missing, _] = self.times();
        let wanted = up + missing;
        (self.lives_on && !wanted.is_zero()).then(|| up.as_secs_f64() / wanted.as_secs_f64())
    }

    /// The worst first, then those that died, then by name.
    fn rank(&self) -> (bool, std::cmp::Reverse<usize>, &str) {
        (self.as_desired, std::cmp::Reverse(self.deaths.len()), &self.name)
    }
}

/// One bad end.
#[derive(Debug, Clone)]
pub struct Death {
    /// Of which process.
    pub name: String,
    /// Which run.
    pub run: Option<u64>,
    /// When it ended, or when that was found.
    pub at: Wall,
    /// Whether that is when it ended.
    pub exact: bool,
    /// What it meant.
    pub verdict: Option<Verdict>,
    /// How long it lived, of which target.
    pub lived: String,
    /// How it ended, masked.
    pub cause: String,
    /// All that is known of it, masked; `None`: there is no room, or nothing is left of it.
    pub certificate: Option<Box<Certificate>>,
}

/// What there was no room for, or what could not be read.
#[derive(Debug, Clone, Default)]
pub struct Missing {
    /// Deaths that are counted only.
    pub deaths: usize,
    /// Events of a later build.
    pub later: usize,
    /// What could not be read, in sentences.
    pub errors: Vec<String>,
}

/// All that a report says.
#[derive(Debug)]
pub struct Report<'a> {
    /// Name of the host.
    pub host: &'a str,
    /// Version of guardian.
    pub version: &'a str,
    /// Now.
    pub now: &'a Stamp,
    /// Where the time begins.
    pub from: Wall,
    /// In which zone times are shown.
    pub zone: Tz,
    /// Which processes it is about, in words; `None`: all.
    pub about: Option<String>,
    /// How the trigger does.
    pub health: &'a Health,
    /// How long the last pass took.
    pub pass_took: Option<Duration>,
    /// Times without a pass; `None`: nothing was noted, or it cannot be read.
    pub lapses: Option<Lapses>,
    /// The outbox, cut to what is shown; `None`: it cannot be read.
    pub alerts: Option<(Backlog, Overview)>,
    /// A storm that goes on.
    pub storm: Option<Facts>,
    /// Each process, in any order.
    pub processes: Vec<Process>,
    /// Each watch.
    pub watches: Vec<watch::Row<'a>>,
    /// Newest first.
    pub deaths: Vec<Death>,
    /// What is not in here.
    pub missing: Missing,
}

impl Report<'_> {
    /// The processes, worst first.
    fn ranked(&self) -> Vec<&Process> {
        let mut all: Vec<&Process> = self.processes.iter().collect();
        all.sort_by_key(|process| process.rank());
        all
    }

    /// How all stands, in a line: `13 of 14 as desired; 1 tripped`.
    #[must_use]
    pub fn verdict(&self) -> String {
        let of = self.processes.len();
        let well = self.processes.iter().filter(|process| process.as_desired).count();
        let mut parts = vec![match of {
            0 if self.watches.is_empty() => "no process is registered".to_owned(),
            0 => "no process, only watches".to_owned(),
            _ => format!("{well} of {of} as desired"),
        }];
        let mut worst: Vec<(&'static str, usize)> = Vec::new();
        for process in self.processes.iter().filter(|process| !process.as_desired) {
            match worst.iter_mut().find(|(word, _)| *word == process.state.word()) {
                Some((_, count)) => *count += 1,
                None => worst.push((process.state.word(), 1)),
            }
        }
        worst.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        parts.extend(worst.iter().map(|(word, count)| format!("{count} {word}")));
        for condition in [Condition::Bad, Condition::Unknown] {
            let count = self.watches.iter().filter(|watch| watch.state == condition).count();
            let watches = if count == 1 { "watch" } else { "watches" };
            parts.extend((count > 0).then(|| format!("{count} {watches} {}", condition.word())));
        }
        let unread = self.missing.errors.len();
        let things = if unread == 1 { "thing" } else { "things" };
        parts.extend((unread > 0).then(|| format!("{unread} {things} could not be read")));
        parts.join("; ")
    }

    /// Whether nobody needs to look closer.
    fn is_well(&self) -> bool {
        self.processes.iter().all(|process| process.as_desired)
            && self.watches.iter().all(|watch| watch.state == Condition::Ok)
            && self.missing.errors.is_empty()
            && self.alerts.as_ref().is_some_and(|(backlog, _)| !backlog.is_bad())
            && !self.health.overdue
            && self.storm.is_none()
    }

    /// The time that it is about.
    fn length(&self) -> Duration {
        self.from.until(self.now.wall)
    }
}

/// Any text between tags, or within a quoted attribute.
fn escaped(text: &str) -> String {
    super::escape::html(&super::words::strip_control(text))
}
