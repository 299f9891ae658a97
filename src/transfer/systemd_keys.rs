//! The keys of a service of systemd, and what each is here.

use std::time::Duration;

use super::systemd::{Unit, is_on};
use super::systemd_other::other;
use super::systemd_text::{Setting, span, span_or_never, specified};
use super::{Damage, Taking, take};
use crate::model::never::Never;
use crate::model::signal::Signal;
use crate::registry::value::Value;

/// A section that systemd passes over, with what an export could not say otherwise.
pub(super) const OWN: &str = "X-Guardian";
/// Keys of which the last one counts.
const SINGLE: [&str; 14] = [
    "Type",
    "WorkingDirectory",
    "User",
    "TimeoutStopSec",
    "TimeoutSec",
    "TimeoutStartSec",
    "RuntimeMaxSec",
    "WatchdogSec",
    "KillSignal",
    "KillMode",
    "MemoryMax",
    "MemoryLimit",
    "CPUQuota",
    "TasksMax",
];
/// How often systemd starts a unit, and in which time, where only the other one is said.
const START_LIMIT: (i64, Duration) = (5, Duration::from_secs(10));

/// One setting, if it is the last of its key: those that are lists were read before.
pub(super) fn one(taking: &mut Taking<'_>, unit: &Unit<'_>, setting: &Setting) -> Result<(), Damage> {
    let Setting { section, key, value, line } = setting;
    let last = unit.settings.iter().rfind(|other| other.section == *section && other.key == *key);
    if section != "Service" || value.is_empty() {
        return if value.is_empty() { Ok(()) } else { elsewhere(taking, unit, setting) };
    }
    let is_last = last.is_some_and(|last| last.line == *line);
    let bad = |wanted: &str| Damage::new(*line, format!("`{key}={value}`"), format!("{wanted} is wanted"));
    let what = format!("{key}={value}");
    let limit = || span_or_never(value).ok_or_else(|| bad("a time"));
    match key.as_str() {
        // Read together, or lists.
        "ExecStart"
        | "ExecStartPre"
        | "Environment"
        | "EnvironmentFile"
        | "PassEnvironment"
        | "Restart"
        | "RestartSec"
        | "RestartMaxDelaySec"
        | "RestartSteps"
        | "StartLimitInterval"
        | "StartLimitIntervalSec"
        | "StartLimitBurst" => {}
        key if !is_last && SINGLE.contains(&key) => {}
        // Taken back by an empty one.
        _ if !unit.all(section, key).iter().any(|kept| kept.line == *line) => {}
        "Type" => kind(taking, unit, setting),
        "WorkingDirectory" => {
            let path = value.trim_start_matches('-');
            if path != value {
                let why = "`-` would forgive that it is missing; here it is an error of the start";
                taking.note(*line, what, why, "make the directory, or take `cwd` out");
            }
            let path = if path == "~" { "%h" } else { path };
            let path = specified(path, unit.name, unit.around).map_err(|_| bad("a path"))?;
            taking.text("cwd", path);
        }
        "User" => {
            let user = specified(value, unit.name, unit.around).map_err(|_| bad("a user"))?;
            taking.user(&user, unit.around);
        }
        "TimeoutStopSec" => grace(taking, *line, what, limit()?),
        "TimeoutSec" => {
            grace(taking, *line, what, limit()?);
            start(taking, unit, limit()?);
        }
        "TimeoutStartSec" => start(taking, unit, limit()?),
        "RuntimeMaxSec" => limit()?.into_iter().for_each(|limit| taking.set("time_limit", take::duration(limit))),
        "WatchdogSec" => limit()?.into_iter().for_each(|limit| taking.set("watchdog", take::duration(limit))),
        "KillSignal" => {
            value.parse::<Signal>().map_err(|_| bad("a signal"))?;
            taking.text("stop_signal", value.trim_start_matches("SIG"));
        }
        "KillMode" => match value.as_str() {
            "control-group" => {}
            "process" => taking.text("leftover", "keep"),
            _ => taking.note(
                *line,
                what,
                "the stop signal goes to the whole tree, KILL after the grace to what is left",
                "",
            ),
        },
        "SuccessExitStatus" => success(taking, setting),
        "RestartPreventExitStatus" => prevented(taking, setting),
        "MemoryMax" | "MemoryLimit" if value == "infinity" => {}
        "MemoryMax" | "MemoryLimit" => match take::some_size(value) {
            Some(size) => taking.set("memory", size),
            None => taking.note(*line, what, "`memory` is a size, no share of the machine", "`memory = \"2G\"`"),
        },
        "CPUQuota" => {
            let share = value.trim_end_matches('%').trim().parse::<f64>().ok().filter(|share| *share > 0.0);
            taking.set("cpu", Value::Share(share.ok_or_else(|| bad("a percentage"))? / 100.0));
        }
        "TasksMax" if value == "infinity" => {}
        "TasksMax" => match value.parse::<i64>() {
            Ok(most) if most > 0 => taking.set("tasks", Value::Number(most)),
            Ok(_) | Err(_) => taking.note(*line, what, "`tasks` is a number, no share of the machine", "`tasks = 512`"),
        },
        _ => other(taking, unit, setting),
    }
    Ok(())
}

/// Settings of other sections.
fn elsewhere(taking: &mut Taking<'_>, unit: &Unit<'_>, setting: &Setting) -> Result<(), Damage> {
    match setting.key.as_str() {
        "backoff_max" if setting.section == OWN => {
            taking.text("backoff_max", &*setting.value);
            Ok(())
        }
        "StartLimitIntervalSec" | "StartLimitInterval" | "StartLimitBurst" => Ok(()), // read together
        _ => {
            other(taking, unit, setting);
            Ok(())
        }
    }
}

/// How often it may be started in which time, where either is said. Nothing is said of most, and guardian has a breaker of its own.
pub(super) fn start_limit(taking: &mut Taking<'_>, unit: &Unit<'_>) -> Result<(), Damage> {
    let last = |keys: &[&str]| {
        let says = |setting: &&Setting| keys.contains(&setting.key.as_str()) && !setting.value.is_empty();
        unit.settings.iter().filter(says).rfind(|setting| ["Unit", "Service"].contains(&setting.section.as_str()))
    };
    let bad = |setting: &Setting, wanted: &str| {
        Damage::new(setting.line, format!("`{}={}`", setting.key, setting.value), format!("{wanted} is wanted"))
    };
    let number = |setting: &Setting| {
        let most = setting.value.parse().ok().filter(|most: &i64| *most >= 0);
        most.ok_or_else(|| bad(setting, "a number"))
    };
    let time = |setting: &Setting| span_or_never(&setting.value).ok_or_else(|| bad(setting, "a time"));
    let (burst, interval) = (last(&["StartLimitBurst"]), last(&["StartLimitIntervalSec", "StartLimitInterval"]));
    if burst.is_none() && interval.is_none() {
        return Ok(());
    }
    let most = burst.map_or(Ok(START_LIMIT.0), number)?;
    match interval.map_or(Ok(Some(START_LIMIT.1)), time)? {
        Some(window) if most > 0 => {
            taking.set("max_restarts", Value::Number(most));
            taking.set("window", take::duration(window));
        }
        Some(_) | None => taking.set("max_restarts", Value::Number(0)),
    }
    Ok(())
}

/// What `Type=` says of readiness, of the main process, of the end.
fn kind(taking: &mut Taking<'_>, unit: &Unit<'_>, setting: &Setting) {
    let what = format!("Type={}", setting.value);
    match setting.value.as_str() {
        "simple" | "exec" => {}
        "notify" => taking.text("ready", "notify"),
        "notify-reload" => {
            taking.text("ready", "notify");
            taking.note(setting.line, what, "nothing is reloaded and waited for", "`guardian signal NAME HUP`");
        }
        "oneshot" => {
            if is_on(unit, "RemainAfterExit") {
                let why = "a job that is done is `completed`; nothing of it stays up";
                taking.note(
                    setting.line,
                    "RemainAfterExit=yes",
                    why,
                    "what depends on it is started once it is completed",
                );
            }
        }
        "forking" => taking.text("follow", "fork"),
        "dbus" => {
            taking.note(setting.line, what, "it is ready as soon as it runs", "`ready = \"cmd:busctl status NAME\"`")
        }
        "idle" => taking.note(setting.line, what, "nothing waits for other jobs of the boot", ""),
        _ => taking.note(setting.line, what, "systemd has no such type", ""),
    }
}

/// When it is started again, and after what delay.
pub(super) fn restart(taking: &mut Taking<'_>, unit: &Unit<'_>) {
    let job = unit.is("Type", "oneshot");
    let setting = unit.get("Restart");
    let nearest = |taking: &mut Taking<'_>, why: &str, instead: &str| {
        if let Some(setting) = setting {
            taking.note(setting.line, format!("Restart={}", setting.value), why, instead);
        }
    };
    match setting.map_or("no", |setting| setting.value.as_str()) {
        "always" => {
            taking.text("target", if job { "exit" } else { "forever" });
            if job {
                taking.text("restart", "always");
            }
            taking.set("never_restart", Value::Words(Vec::new()));
        }
        // A job that ends badly stays down, and so does whatever ends.
        "no" => taking.text("target", "exit"),
        kind => {
            taking.text("target", "exit");
            taking.text("restart", "on-failure");
            taking.set("never_restart", Value::Words(Vec::new()));
            match kind {
                "on-failure" => {}
                "on-success" => nearest(
                    taking,
                    "nothing is restarted because it succeeded; it is `on-failure` here",
                    "`schedule`, or `always`",
                ),
                _ => nearest(
                    taking,
                    "it is `on-failure` here: other codes than 0 are restarted as well",
                    "`never_restart` names codes",
                ),
            }
        }
    }
    let first = unit.get("RestartSec").and_then(|setting| span(&setting.value));
    let most = unit.get("RestartMaxDelaySec").and_then(|setting| span(&setting.value));
    if let Some(first) = first {
        taking.set("backoff", take::duration(first));
        taking.set("backoff_max", take::duration(most.unwrap_or(first)));
    }
}

fn grace(taking: &mut Taking<'_>, line: usize, what: String, limit: Option<Duration>) {
    match limit {
        Some(limit) => taking.set("grace", take::duration(limit)),
        None => taking.note(line, what, "there is always a KILL in the end", "`grace` may be as long as you like"),
    }
}

/// The time that a start has: of a job that is its whole life.
fn start(taking: &mut Taking<'_>, unit: &Unit<'_>, limit: Option<Duration>) {
    let Some(limit) = limit.map(take::duration) else { return };
    if unit.is("Type", "oneshot") {
        taking.set("time_limit", limit);
    } else if unit.is("Type", "notify") || unit.is("Type", "notify-reload") {
        taking.set("ready_timeout", limit);
    }
}

fn success(taking: &mut Taking<'_>, setting: &Setting) {
    let mut codes = match taking.draft.get("success_codes") {
        Some(Value::Codes(codes)) => codes.clone(),
        Some(_) | None => vec![0],
    };
    for word in setting.value.split_whitespace() {
        match word.parse::<i64>().ok().filter(|code| (0..256).contains(code)) {
            Some(code) if !codes.contains(&code) => codes.push(code),
            Some(_) => {}
            None => {
                let instead = "a `stop` is never a failure here, whatever signal ends it";
                taking.note(
                    setting.line,
                    format!("{}: {word}", setting.key),
                    "success is an exit code, by its number",
                    instead,
                );
            }
        }
    }
    taking.set("success_codes", Value::Codes(codes));
}

fn prevented(taking: &mut Taking<'_>, setting: &Setting) {
    let mut ends = match taking.draft.get("never_restart") {
        Some(Value::Words(ends)) => ends.clone(),
        Some(_) | None => Vec::new(),
    };
    for word in setting.value.split_whitespace() {
        match word.parse::<Never>() {
            Ok(_) => ends.push(word.to_owned()),
            Err(why) => {
                taking.note(setting.line, format!("{}: {word}", setting.key), why, "write the number of the code")
            }
        }
    }
    taking.set("never_restart", Value::Words(ends));
}
