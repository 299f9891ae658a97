//! `status`: where every process stands, as JSON for programs and as a table for people.

use std::time::Duration;

use serde::Serialize;

use crate::model::ending::{EndedRun, Sender, SignalRecord};
use crate::model::evidence::{Level, Placed};
use crate::model::liveness::Probing;
use crate::model::name::Name;
use crate::model::progress::{Beat, Silence};
use crate::model::spec::{Command, Spec};
use crate::model::state::{Desired, Phase};
use crate::model::storm::Facts;
use crate::model::time::Wall;
use crate::model::units::{human_duration, seconds};
use crate::policy::classify::Standing;
use crate::policy::decide::Decision;
use crate::policy::stuck::Backlog;

use super::schedule::Schedule;
use super::usual::Usual;
use super::words::{end_phrase, strip_control};

/// The state word of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never started.
    New,
    /// Its shim is starting it, or it runs and is not ready.
    Starting,
    /// It runs under its shim.
    Running,
    /// It lives without any progress.
    Hung,
    /// It runs, its shim is gone.
    Unsupervised,
    /// A restart is due.
    Waiting,
    /// The target was met.
    Completed,
    /// Somebody stopped it.
    Stopped,
    /// Target unmet, and policy will not restart it.
    Dead,
    /// The breaker is open.
    Tripped,
}

impl State {
    /// Where a process stands, going by what would be decided about it now.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        match (&decision.state.phase, &decision.standing) {
            (Phase::New, _) => Self::New,
            (Phase::Completed, _) => Self::Completed,
            (Phase::Stopped, _) => Self::Stopped,
            (Phase::Dead, _) => Self::Dead,
            (Phase::Tripped { .. }, _) => Self::Tripped,
            // It has ended and the next run is due now.
            (Phase::Waiting { .. }, _) | (Phase::Open(_), None | Some(Standing::Ended(_) | Standing::Closing)) => {
                Self::Waiting
            }
            (Phase::Open(_), Some(Standing::Starting | Standing::NeverBegan)) => Self::Starting,
            (Phase::Open(_), Some(Standing::Running)) if decision.ready == Some(false) => Self::Starting,
            (Phase::Open(open), Some(Standing::Running)) if open.is_hung() => Self::Hung,
            (Phase::Open(_), Some(Standing::Running)) => Self::Running,
            // What cannot be told is not called well.
            (Phase::Open(_), Some(Standing::Unsupervised | Standing::Remnants | Standing::Uncertain(_))) => {
                Self::Unsupervised
            }
        }
    }

    /// The word itself.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Hung => "hung",
            Self::Unsupervised => "unsupervised",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
            Self::Tripped => "tripped",
        }
    }

    /// Whether a process of it lives.
    #[must_use]
    pub fn is_alive(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Hung | Self::Unsupervised => true,
            Self::New | Self::Waiting | Self::Completed | Self::Stopped | Self::Dead | Self::Tripped => false,
        }
    }
}

/// How a run ended, as `status` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct LastExit {
    run: u64,
    at: Option<String>,
    ran_s: Option<f64>,
    verdict: &'static str,
    cause: crate::model::ending::Cause,
    signals: Vec<SignalRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<Sender>,
    action: String,
}

/// Most signals of one run that `status` shows; `why` shows all.
const SIGNALS_SHOWN: usize = 4;

impl LastExit {
    /// The short form of an ended run.
    #[must_use]
    pub fn of(last: &EndedRun) -> Self {
        let skip = last.signals.len().saturating_sub(SIGNALS_SHOWN); // the last ones are nearest to the end
        Self {
            run: last.run,
            at: last.ended.and_then(Wall::rfc3339),
            ran_s: last.ran().map(seconds),
            verdict: last.verdict.word(),
            cause: last.cause.clone(),
            signals: last.signals.iter().skip(skip).cloned().collect(),
            stopped_by: last.stopped_by.clone(),
            action: last.action.clone(),
        }
    }
}

/// The circuit breaker.
#[derive(Debug, Clone, Serialize)]
pub struct Breaker {
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// When one run may try.
    pub until: Option<String>,
}

/// The log of a process.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// Where it lies.
    pub path: String,
    /// Bytes that were ever written to it, those of rotated parts included; `None`: not known.
    pub bytes: Option<u64>,
    /// Seconds since something was written; `None`: not known.
    pub age_s: Option<u64>,
}

/// The last sign of life that the process gave by itself.
#[derive(Debug, Clone, Serialize)]
pub struct Heartbeat {
    /// Where it came from.
    pub source: &'static str,
    /// Seconds since.
    pub age_s: u64,
    /// What was said with it.
    #[serde(flatten)]
    pub said: Beat,
}

/// A hang that goes on.
#[derive(Debug, Clone, Serialize)]
pub struct Hung {
    /// When it was called.
    pub since: Option<String>,
    /// How long it had been silent then, in seconds.
    pub silent_s: u64,
    /// Which silence it is.
    pub silence: Silence,
    /// What it is blocked on, in a sentence; `None`: that could not be kept.
    pub blocked_on: Option<String>,
}

/// What the `probe` of a process showed last.
#[derive(Debug, Clone, Serialize)]
pub struct Probed {
    /// What is asked.
    pub of: String,
    /// Failures in a row.
    pub failures: u32,
    /// So many are a hang.
    pub most: u32,
    /// Why it failed last; `None`: it did not.
    pub why: Option<String>,
    /// When it is asked next.
    pub next_at: Option<String>,
}

impl Probed {
    /// What is remembered of a run that is probed as `spec` says.
    #[must_use]
    pub fn of(probing: &Probing, spec: &Spec) -> Self {
        Self {
            of: probing.of.clone(),
            failures: probing.failures,
            most: spec.probe_failures,
            why: probing.why.as_deref().map(strip_control),
            next_at: probing.due.wall.rfc3339(),
        }
    }

    /// Where it fails, how often it did: `probe failing 2 of 3: connection refused`.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let Self { failures, most, why, .. } = self;
        // Where its failures are a hang, that is said in its place.
        let why = why.as_ref().filter(|_| failures < most)?;
        Some(format!("probe failing {failures} of {most}: {why}"))
    }
}

/// What the whole tree of a process uses.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// CPU time so far, in seconds.
    pub cpu_s: f64,
    /// Number of processes.
    pub processes: usize,
}

/// What keeps a process alive when its caller is ended.
#[derive(Debug, Clone, Serialize)]
pub struct Isolation {
    level: Level,
    cgroup: Option<String>,
    why: Option<String>,
}

impl Isolation {
    /// The short form of where a run was put.
    #[must_use]
    pub fn of(placed: &Placed) -> Self {
        Self { level: placed.level, cgroup: placed.cgroup.clone(), why: placed.why.clone() }
    }
}

/// One process, as the contract's `status --json` has it.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the contract, section 4")]
pub struct Row<'a> {
    pub name: &'a str,
    pub group: Option<&'a str>,
    pub state: State,
    pub desired: Desired,
    pub ready: Option<bool>,
    pub says: Option<String>,
    pub pid: Option<i32>,
    pub shim_pid: Option<i32>,
    pub run: Option<u64>,
    pub started_at: Option<String>,
    pub uptime_s: Option<u64>,
    pub target: String,
    pub target_s: Option<u64>,
    pub remaining_s: Option<u64>,
    pub usual: Option<Usual>,
    pub eta_at: Option<String>,
    pub restarts: u32,
    pub consecutive_failures: u32,
    pub breaker: Breaker,
    pub next_action_at: Option<String>,
    #[serde(skip_serializing_if = "<[Name]>::is_empty")]
    pub depends_on: &'a [Name],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for_input: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    pub silenced_until: Option<String>,
    pub output: Output,
    pub heartbeat: Option<Heartbeat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang: Option<Hung>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probed>,
    pub usage: Option<Usage>,
    pub isolation: Option<Isolation>,
    pub leftover: Option<bool>,
    pub last_exit: Option<LastExit>,
    pub command: &'a [String],
    pub cwd: Option<&'a str>,
    /// What a person should know beyond the columns.
    #[serde(skip)]
    pub remark: String,
}

/// How the trigger does.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// When the last pass over all processes ran; `None`: never, as far as is known.
    pub last_at: Option<String>,
    /// Seconds since.
    pub age_s: Option<u64>,
    /// How often one should run, in seconds.
    pub every_s: u64,
    /// Whether one is missing. A pass that never ran is, once something should be up.
    pub overdue: bool,
    /// Why the ping of the last pass failed; `None`: it did not, or none is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_failed: Option<String>,
}

/// The whole of `status --json`.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the contract, section 4")]
pub struct Document<'a> {
    pub schema: u32,
    pub host: &'a str,
    pub at: String,
    pub healthcheck: &'a Health,
    pub alerts: &'a Backlog,
    pub storm: Option<&'a Facts>,
    pub processes: &'a [Row<'a>],
    pub watches: &'a [super::watch::Row<'a>],
    pub errors: Vec<String>,
}

/// The argument vector as `status` shows it.
#[must_use]
pub fn command(command: &Command) -> &[String] {
    match command {
        Command::Argv(argv) => argv,
        Command::Shell(line) => std::slice::from_ref(line),
    }
}

/// The table for people: one line for each process, what is wrong in words.
#[must_use]
pub fn table(rows: &[Row<'_>]) -> String {
    let mut cells = vec![["NAME", "STATE", "PID", "UP", "TARGET", "RESTARTS", ""].map(str::to_owned)];
    for row in rows {
        cells.push([
            row.name.to_owned(),
            row.state.word().to_owned(),
            row.pid.map_or("-".to_owned(), |pid| pid.to_string()),
            row.uptime_s.map_or("-".to_owned(), |s| human_duration(Duration::from_secs(s))),
            row.target.clone(),
            row.restarts.to_string(),
            row.remark.clone(),
        ]);
    }
    super::table::align(&cells)
}

/// What a person should know beyond the columns: what it does (`life`), what ended last and how, and when what follows is due.
#[must_use]
pub fn remark(state: State, life: &[String], last: Option<&EndedRun>, next: Option<Duration>) -> String {
    let last = last.map(|last| {
        let lived = last.ran().map_or(String::new(), |ran| format!(" after {}", human_duration(ran)));
        format!(
            "last run {}{lived}: {}",
            last.verdict.word(),
            end_phrase(&last.cause, &last.signals, last.stopped_by.as_ref())
        )
    });
    let next = next.map(|next| match next.as_secs() {
        0 => "next start due now".to_owned(),
        _ => format!("next start in {}", human_duration(next)),
    });
    let lost = (state == State::Unsupervised).then(|| "its shim is gone".to_owned());
    let text: Vec<String> = life.iter().cloned().chain([lost, next, last].into_iter().flatten()).collect();
    strip_control(&text.join("; "))
}
