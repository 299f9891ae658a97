//! Whether the jobs of another program's scheduler ran when they should have.
//!
//! Each job is judged by its own interval. A job whose times cannot be read is not taken for well, and one that never
//! ran is found as soon as it should have.

use std::time::Duration;

use crate::model::time::Wall;
use crate::model::units::{format_duration, human_duration};

use super::cron_gap::longest_gap;
use super::watch_judge::{Finding, Judged};

/// So many jobs are named.
const NAMED: usize = 5;
/// Longest name or error that is repeated, in characters.
const WIDTH: usize = 80;
/// A job that runs for longer than this, and than its interval, hangs.
const LONG_RUN: Duration = Duration::from_secs(2 * 3600);
/// A time that is later than now by more than this cannot be.
const SKEW_MS: i64 = 60_000;

/// Jobs, and where they were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Jobs {
    /// `openclaw cron list`, a store, …
    pub source: String,
    /// They.
    pub jobs: Vec<Job>,
}

/// When a job is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// Once, at this time.
    At(Wall),
    /// Again and again after this.
    Every(Duration),
    /// By a cron line.
    Cron(String),
    /// By no time: at the end of something, or on input.
    Event,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name, else its id.
    pub name: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// When it is due.
    pub due: Due,
    /// When it was made, or changed last.
    pub made: Option<Wall>,
    /// When it ran last.
    pub last: Option<Wall>,
    /// When it runs next, by its own scheduler.
    pub next: Option<Wall>,
    /// Since when it runs now.
    pub running: Option<Wall>,
    /// How the last run went, in the scheduler's word.
    pub status: Option<String>,
    /// What it said of that.
    pub error: Option<String>,
}

/// How one job does.
enum One {
    Well,
    Bad(String),
    Unknown(String),
}

/// What the jobs mean together. `pass`: time between two passes.
pub(super) fn judge_jobs(jobs: &Jobs, now: Wall, pass: Duration) -> Judged {
    let (mut bad, mut unknown) = (Vec::new(), Vec::new());
    let enabled: Vec<&Job> = jobs.jobs.iter().filter(|job| job.enabled).collect();
    for job in &enabled {
        let name = cut(&job.name);
        match judge_job(job, now, pass) {
            One::Well => {}
            One::Bad(why) => bad.push(format!("`{name}` {why}")),
            One::Unknown(why) => unknown.push(format!("`{name}` {why}")),
        }
    }
    let of = |list: &[String]| {
        let more = if list.len() > NAMED { format!("; and {} more", list.len() - NAMED) } else { String::new() };
        format!("{} of {} jobs: {}{more}", list.len(), enabled.len(), list[..list.len().min(NAMED)].join("; "))
    };
    let finding = match (bad.is_empty(), unknown.is_empty()) {
        (false, _) => Finding::Bad(of(&bad)),
        (true, false) => Finding::Unknown(of(&unknown)),
        (true, true) => Finding::Ok,
    };
    let disabled = jobs.jobs.len() - enabled.len();
    let value = format!("{} jobs, {disabled} disabled, by {}", jobs.jobs.len(), jobs.source);
    Judged { value: Some(value), ..Judged::of(finding) }
}

fn cut(text: &str) -> String {
    text.chars().take(WIDTH).collect()
}

fn judge_job(job: &Job, now: Wall, pass: Duration) -> One {
    let times = [job.last, job.running];
    if let Some(at) = times.into_iter().flatten().find(|at| at.0 > now.0.saturating_add(SKEW_MS)) {
        return One::Unknown(format!("ran at {at}, which is in the future"));
    }
    let late = match &job.due {
        Due::Unreadable(why) => One::Unknown(why.clone()),
        Due::Event => One::Well,
        Due::At(at) => once(job, *at, now, pass),
        Due::Every(interval) => again(job, *interval, now, pass),
        Due::Cron(line) => match longest_gap(line, now) {
            Ok(interval) => again(job, interval, now, pass),
            Err(why) => One::Unknown(format!("has a cron line that cannot be read: {why}")),
        },
    };
    match (late, failed(job)) {
        (One::Well, Some(why)) => One::Bad(why),
        (late, _) => late,
    }
}

/// What is allowed beyond an interval.
fn grace(interval: Duration, pass: Duration) -> Duration {
    (pass * 2).max(interval / 10)
}

fn is_past(at: Wall, more: Duration, now: Wall) -> bool {
    at.until(now) > more
}

fn ago(at: Wall, now: Wall) -> String {
    human_duration(at.until(now))
}

fn once(job: &Job, at: Wall, now: Wall, pass: Duration) -> One {
    let ran = job.last.is_some_and(|last| last >= at) || job.running.is_some();
    if !ran && is_past(at, grace(Duration::ZERO, pass), now) {
        return One::Bad(format!("never ran, and was due {} ago", ago(at, now)));
    }
    One::Well
}

fn again(job: &Job, interval: Duration, now: Wall, pass: Duration) -> One {
    if interval.is_zero() {
        return One::Unknown("has an interval of nothing".to_owned());
    }
    let grace = grace(interval, pass);
    let every = format_duration(interval);
    if let Some(since) = job.running {
        if is_past(since, LONG_RUN.max(interval) + grace, now) {
            return One::Bad(format!("has been running for {}, due every {every}", ago(since, now)));
        }
        return One::Well;
    }
    let planned = job.next.filter(|next| is_past(*next, grace, now));
    match (job.last, planned) {
        (Some(last), Some(next)) => {
            One::Bad(format!("last ran {} ago and was due {} ago (every {every})", ago(last, now), ago(next, now)))
        }
        (None, Some(next)) => One::Bad(format!("never ran, and was due {} ago (every {every})", ago(next, now))),
        (Some(last), None) => {
            let base = job.made.map_or(last, |made| made.max(last)); // an interval that was changed begins anew
            if is_past(base, interval + grace, now) {
                return One::Bad(format!("last ran {} ago, due every {every}", ago(last, now)));
            }
            One::Well
        }
        (None, None) => match (job.made, job.next) {
            (Some(made), _) if is_past(made, interval + grace, now) => {
                One::Bad(format!("never ran in {}, due every {every}", ago(made, now)))
            }
            (_, None) => One::Bad(format!("never ran, and no run is planned (every {every})")),
            (_, Some(_)) => One::Well,
        },
    }
}

/// How the last run went, if not well.
fn failed(job: &Job) -> Option<String> {
    let status = job.status.as_deref()?;
    if matches!(status, "ok" | "success" | "skipped" | "running" | "") {
        return None;
    }
    let said = job.error.as_deref().filter(|error| !error.trim().is_empty());
    let said = said.map_or(String::new(), |error| format!(": {}", cut(error)));
    Some(format!("ended its last run with `{}`{said}", cut(status)))
}

#[cfg(test)]
#[path = "watch_jobs_tests.rs"]
mod tests;
