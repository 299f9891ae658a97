//! OpenClaw's jobs, from the JSON that its program prints and its stores hold.
//!
//! A job that cannot be read is a job that cannot be judged, and is kept as that; a list that cannot be read is an error.

use std::time::Duration;

use serde_json::Value;

use crate::model::time::Wall;

use super::watch_jobs::{Due, Job};
use super::watch_judge::{epoch, rfc3339};

/// The jobs of `openclaw cron list --json`, or of `jobs.json`: an array, or an object with one.
///
/// # Errors
/// There is no such array in it.
pub fn list(document: &Value) -> Result<Vec<Job>, String> {
    let jobs = document.get("jobs").unwrap_or(document);
    let jobs = jobs.as_array().ok_or("there is no list of jobs in it")?;
    Ok(jobs.iter().map(|value| job(value, value.get("state"))).collect())
}

/// The document in what a program printed: whatever stands on lines before it is not part of it.
///
/// # Errors
/// There is none.
pub fn document(printed: &str) -> Result<Value, String> {
    let mut last = "it printed nothing".to_owned();
    let mut at = 0;
    for line in printed.split_inclusive('\n') {
        if line.trim_start().starts_with(['{', '[']) {
            match serde_json::from_str(printed.get(at..).unwrap_or("")) {
                Ok(document) => return Ok(document),
                Err(error) => last = format!("what it printed is not JSON: {error}"),
            }
        } else if !line.trim().is_empty() && at == 0 {
            "what it printed is not JSON".clone_into(&mut last);
        }
        at += line.len();
    }
    Err(last)
}

/// One job of the SQLite store.
#[must_use]
pub fn stored(id: &str, name: Option<&str>, enabled: Option<bool>, job_json: &str, state_json: Option<&str>) -> Job {
    let label = name.filter(|name| !name.is_empty()).unwrap_or(id);
    let parsed = |what: &str, text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| format!("has a `{what}` that is not JSON: {error}"))
    };
    let state = state_json.filter(|text| !text.is_empty()).map(|text| parsed("state_json", text)).transpose();
    match (parsed("job_json", job_json), state) {
        (Ok(value), Ok(state)) => {
            let job = job(&value, state.as_ref().or(value.get("state")));
            Job { name: label.to_owned(), enabled: enabled.unwrap_or(job.enabled), ..job }
        }
        (Err(why), _) | (_, Err(why)) => unreadable(label, enabled.unwrap_or(true), why),
    }
}

fn unreadable(name: &str, enabled: bool, why: String) -> Job {
    Job {
        name: name.to_owned(),
        enabled,
        due: Due::Unreadable(why),
        made: None,
        last: None,
        next: None,
        running: None,
        status: None,
        error: None,
    }
}

fn job(value: &Value, state: Option<&Value>) -> Job {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("name").or_else(|| text("id")).unwrap_or("a job without a name");
    let enabled = match value.get("enabled") {
        Some(Value::Bool(enabled)) => *enabled,
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        Some(_) | None => true, // what may be switched on is judged
    };
    match read(value, state, name, enabled) {
        Ok(job) => job,
        Err(why) => unreadable(name, enabled, why),
    }
}

fn read(value: &Value, state: Option<&Value>, name: &str, enabled: bool) -> Result<Job, String> {
    if !value.is_object() {
        return Err("is no object".to_owned());
    }
    let state = state.unwrap_or(&Value::Null);
    let word = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| state.get(key)).or_else(|| keys.iter().find_map(|key| value.get(key)));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let of_state = |key: &str| match time(state, key)? {
        Some(at) => Ok(Some(at)),
        None => time(value, key),
    };
    let made = time(value, "createdAtMs")?.max(time(value, "updatedAtMs")?);
    Ok(Job {
        name: name.to_owned(),
        enabled,
        due: due(value.get("schedule"))?,
        made,
        last: of_state("lastRunAtMs")?,
        next: of_state("nextRunAtMs")?,
        running: of_state("runningAtMs")?,
        status: word(["lastStatus", "lastRunStatus"]),
        error: word(["lastError", "lastErrorReason"]),
    })
}

/// The time at `key`; `None`: there is none.
fn time(value: &Value, key: &str) -> Result<Option<Wall>, String> {
    let wrong = || format!("has a `{key}` that is no time");
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let ms = number.as_f64().filter(|ms| (0.0..1e15).contains(ms)).ok_or_else(wrong)?;
            format!("{ms:.0}").parse().map(|ms| Some(Wall(ms))).map_err(|_| wrong())
        }
        Some(Value::String(text)) => rfc3339(text).map(Some).ok_or_else(wrong),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(wrong()),
    }
}

fn due(schedule: Option<&Value>) -> Result<Due, String> {
    let schedule = match schedule {
        None | Some(Value::Null) => return Err("has no schedule".to_owned()),
        Some(Value::String(line)) => return Ok(Due::Cron(line.clone())),
        Some(schedule) => schedule,
    };
    let text = |key: &str| schedule.get(key).and_then(Value::as_str);
    match text("kind") {
        Some("every") => {
            let ms = schedule.get("everyMs").and_then(Value::as_f64).filter(|ms| *ms >= 1.0 && *ms < 1e15);
            ms.map(|ms| Due::Every(Duration::from_secs_f64(ms / 1000.0)))
                .ok_or_else(|| "has an `everyMs` that is no interval".to_owned())
        }
        Some("cron") => {
            let line = text("expr").or_else(|| text("cron"));
            line.map(|line| Due::Cron(line.to_owned())).ok_or_else(|| "has no `expr`".to_owned())
        }
        Some("at") => {
            let number = schedule.get("atMs").or_else(|| schedule.get("at")).and_then(Value::as_f64).and_then(epoch);
            let at = number.or_else(|| text("at").or_else(|| text("atMs")).and_then(rfc3339));
            at.map(Due::At).ok_or_else(|| "has an `at` that is no time".to_owned())
        }
        Some("on-exit" | "stream") => Ok(Due::Event),
        Some(other) => Err(format!("has a schedule of a kind that is not known: {other:?}")),
        None => Err("has a schedule without a kind".to_owned()),
    }
}

#[cfg(test)]
#[path = "openclaw_tests.rs"]
mod tests;
