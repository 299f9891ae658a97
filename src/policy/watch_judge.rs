//! What a look at something watched means: it is well, it is bad, or it cannot be told.
//!
//! What cannot be told is never well, and never bad either: the action of a watch is for what is known to be bad.

use std::time::Duration;

use crate::model::time::{Stamp, Wall};
use crate::model::units::{format_duration, human_duration};
use crate::model::watch::{Field, Step, Subject};
use crate::model::watch_state::Seen;

use super::watch_jobs::{Jobs, judge_jobs};

/// A time that is later than now by more than this is in the future; hosts differ by less.
const SKEW: Duration = Duration::from_secs(5);
/// A pid file may be older than its process by this: clocks are read in ticks, and are set now and then.
const PID_SKEW: Duration = Duration::from_secs(2);
/// Numbers from here on are milliseconds: as seconds they would be the year 5138.
const MILLISECONDS: f64 = 1e11;
/// Numbers from here on are neither.
const NO_TIME: f64 = 1e14;
/// Command lines of processes that are too many, in characters.
const LINE: usize = 60;
/// So many of them are named.
const NAMED: usize = 5;

/// What a look saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// A pid file.
    PidFile(PidFile),
    /// The processes that match.
    Processes(Vec<Found>),
    /// When a file was changed last; `None`: there is none.
    Changed(Option<Wall>),
    /// The text of a file; `None`: there is none.
    Text(Option<Vec<u8>>),
    /// What a command did.
    Ran(Ran),
    /// What is known of OpenClaw's jobs.
    Jobs(Jobs),
    /// It could not be looked at, for this reason.
    Unreadable(String),
}

/// A pid file, and the process that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PidFile {
    /// There is none.
    Missing,
    /// What stands in it is no pid.
    NoPid(String),
    /// A pid.
    Pid {
        /// It.
        pid: i32,
        /// When the file was written.
        written: Wall,
        /// The process that has this pid now, zombies included.
        process: Option<Owner>,
    },
}

/// A process that has a pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// It has ended.
    pub zombie: bool,
    /// When it began; `None`: not known.
    pub began: Option<Wall>,
    /// Its short name.
    pub comm: String,
}

/// A process whose command line matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub line: String,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// In words: `exited with 3`.
    pub how: String,
    /// It was killed at its limit.
    pub timed_out: bool,
    /// Tells outputs apart.
    pub fingerprint: u64,
    /// What it printed, as far as it is kept.
    pub output: String,
    /// The last line that says something, errors first.
    pub last_line: String,
}

/// What a look means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is well.
    Ok,
    /// It is not, for this reason.
    Bad(String),
    /// It cannot be told, for this reason.
    Unknown(String),
}

/// A finding, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it means.
    pub finding: Finding,
    /// What was seen, such as a pid or a time.
    pub value: Option<String>,
    /// How old that is.
    pub age: Option<Duration>,
    /// The output to compare the next one with.
    pub seen: Option<Seen>,
}

impl Judged {
    /// A finding, with nothing seen.
    #[must_use]
    pub fn of(finding: Finding) -> Self {
        Self { finding, value: None, age: None, seen: None }
    }

    fn bad(why: impl Into<String>) -> Self {
        Self::of(Finding::Bad(why.into()))
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self::of(Finding::Unknown(why.into()))
    }
}

/// What `evidence` about `subject` means. `earlier`: the output of the look before. `pass`: time between two passes.
#[must_use]
pub fn judge(subject: &Subject, evidence: &Evidence, earlier: Option<&Seen>, now: &Stamp, pass: Duration) -> Judged {
    let judged = match (subject, evidence) {
        (_, Evidence::Unreadable(why)) => Judged::unknown(why.clone()),
        (Subject::PidFile { path }, Evidence::PidFile(file)) => pid_file(path, file),
        (Subject::Match { pattern, .. }, Evidence::Processes(found)) => processes(pattern, found),
        (Subject::File { path, .. }, Evidence::Changed(None)) => Judged::bad(format!("`{path}` is not there")),
        (Subject::File { path, max_age }, Evidence::Changed(Some(at))) => {
            aged(&format!("`{path}` was last changed"), *at, *max_age, now)
        }
        (Subject::JsonFile { path, .. }, Evidence::Text(None)) => Judged::bad(format!("`{path}` is not there")),
        (Subject::JsonFile { path, field, max_age }, Evidence::Text(Some(text))) => match time_at(text, field) {
            Ok(at) => aged(&format!("`{field}` in `{path}` is a time"), at, *max_age, now),
            Err(why) => Judged::bad(format!("`{path}`: {why}")),
        },
        (Subject::Output { max_age, .. }, Evidence::Ran(ran)) => output(ran, *max_age, earlier, now),
        (Subject::Command { .. }, Evidence::Ran(ran)) => command(ran),
        (Subject::OpenClaw { .. }, Evidence::Jobs(jobs)) => judge_jobs(jobs, now.wall, pass),
        (_, _) => Judged::unknown("it was looked at as something else"), // a bug, and never taken for well
    };
    // What could not be told now is compared with what was seen before it.
    Judged { seen: judged.seen.or_else(|| earlier.cloned()), ..judged }
}

fn pid_file(path: &str, file: &PidFile) -> Judged {
    let (pid, written, process) = match file {
        PidFile::Missing => return Judged::bad(format!("pid file `{path}` is not there")),
        PidFile::NoPid(text) => return Judged::bad(format!("pid file `{path}` holds no pid: {text:?}")),
        PidFile::Pid { pid, written, process } => (*pid, *written, process),
    };
    let judged = match process {
        None => Judged::bad(format!("pid file `{path}` names pid {pid}, which is gone")),
        Some(owner) if owner.zombie => {
            Judged::bad(format!("pid {pid} ({}) of pid file `{path}` has ended: it is a zombie", owner.comm))
        }
        Some(Owner { began: None, .. }) => Judged::unknown(format!(
            "when pid {pid} of pid file `{path}` began cannot be told, so it may be another one"
        )),
        Some(Owner { began: Some(began), comm, .. }) if written.until(*began) > PID_SKEW => Judged::bad(format!(
            "pid file `{path}` is older than pid {pid} ({comm}), which began at {began}: the one it names is gone, and its pid \
             was given to another"
        )),
        Some(Owner { began: Some(_), .. }) => Judged::of(Finding::Ok),
    };
    Judged { value: Some(pid.to_string()), ..judged }
}

fn processes(pattern: &str, found: &[Found]) -> Judged {
    match found {
        [] => Judged::bad(format!("no process matches `{pattern}`")),
        [one] => Judged { value: Some(one.pid.to_string()), ..Judged::of(Finding::Ok) },
        many => {
            let cut = |line: &str| line.chars().take(LINE).collect::<String>();
            let named: Vec<String> =
                many.iter().take(NAMED).map(|found| format!("{} ({})", found.pid, cut(&found.line))).collect();
            let more = if many.len() > NAMED { format!(" and {} more", many.len() - NAMED) } else { String::new() };
            let why =
                format!("{} processes match `{pattern}`, exactly one should: {}{more}", many.len(), named.join(", "));
            // Which of them is meant is not guessed, and no action is run for it.
            Judged::unknown(why)
        }
    }
}

/// `what` reads on before "5m ago".
fn aged(what: &str, at: Wall, max_age: Duration, now: &Stamp) -> Judged {
    let ahead = now.wall.until(at);
    let age = at.until(now.wall);
    let finding = if ahead > SKEW {
        Finding::Bad(format!("{what} {} in the future ({at})", human_duration(ahead)))
    } else if age > max_age {
        Finding::Bad(format!("{what} {} ago, at most {} is right", human_duration(age), format_duration(max_age)))
    } else {
        Finding::Ok
    };
    let age = (ahead <= SKEW).then_some(age);
    Judged { finding, value: Some(at.to_string()), age, seen: None }
}

/// The time that stands at `field` of a JSON text.
fn time_at(text: &[u8], field: &Field) -> Result<Wall, String> {
    let document: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut value = &document;
    for step in field.steps() {
        let found = match step {
            Step::Member(name) => value.get(name),
            Step::Element(at) => value.get(at),
        };
        value = found.ok_or_else(|| format!("there is no `{field}` in it"))?;
    }
    match value {
        serde_json::Value::String(text) => {
            rfc3339(text).ok_or_else(|| format!("`{field}` is {text:?}, which is no RFC 3339 time"))
        }
        serde_json::Value::Number(number) => number
            .as_f64()
            .and_then(epoch)
            .ok_or_else(|| format!("`{field}` is {number}, which is neither seconds nor milliseconds since 1970")),
        serde_json::Value::Null => Err(format!("`{field}` is null")),
        serde_json::Value::Bool(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            Err(format!("`{field}` is no time: a number or a text is wanted"))
        }
    }
}

/// A text that is nothing but an RFC 3339 time.
pub(super) fn rfc3339(text: &str) -> Option<Wall> {
    let at = chrono::DateTime::parse_from_rfc3339(text.trim()).ok()?;
    Some(Wall(at.timestamp_millis()))
}

/// A number of seconds or milliseconds since 1970.
pub(super) fn epoch(number: f64) -> Option<Wall> {
    let ms = if number < MILLISECONDS { number * 1000.0 } else { number };
    if !(0.0..NO_TIME).contains(&ms) {
        return None;
    }
    format!("{ms:.0}").parse().ok().map(Wall)
}

fn output(ran: &Ran, max_age: Duration, earlier: Option<&Seen>, now: &Stamp) -> Judged {
    if ran.timed_out || ran.code != Some(0) {
        return Judged::unknown(failure(ran));
    }
    if let Some(at) = rfc3339(&ran.output) {
        return aged("it printed a time", at, max_age, now);
    }
    let seen = match earlier.filter(|earlier| earlier.fingerprint == ran.fingerprint) {
        Some(earlier) => earlier.clone(),
        None => Seen { fingerprint: ran.fingerprint, since: now.clone() },
    };
    let age = now.since(&seen.since);
    let finding = if age > max_age {
        let (age, most) = (human_duration(age), format_duration(max_age));
        Finding::Bad(format!("its output has been the same for {age}, at most {most} is right: {:?}", ran.last_line))
    } else {
        Finding::Ok
    };
    Judged { finding, value: Some(ran.last_line.clone()), age: Some(age), seen: Some(seen) }
}

fn command(ran: &Ran) -> Judged {
    match ran.code {
        Some(0) if !ran.timed_out => Judged::of(Finding::Ok),
        // The shell says so of a command that it cannot find or execute: nothing was asked, so nothing is known.
        Some(126 | 127) if !ran.timed_out => Judged::unknown(failure(ran)),
        Some(_) | None => Judged::bad(failure(ran)),
    }
}

fn failure(ran: &Ran) -> String {
    let said = if ran.last_line.is_empty() { String::new() } else { format!(": {}", ran.last_line) };
    format!("the command {}{said}", ran.how)
}

#[cfg(test)]
#[path = "watch_judge_tests.rs"]
mod tests;
