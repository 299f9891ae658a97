//! Processes as services of systemd.

use std::time::Duration;

use super::export::{Again, Can, Form, Leaving, Place, Written, again, command, open_variables, unnamed, user};
use super::systemd_keys::OWN;
use super::to_calendar::calendar;
use crate::model::never::Never;
use crate::model::probe::Probe;
use crate::model::signal::Signal;
use crate::model::spec::{Follow, Leftover, OnBoot, Spec};
use crate::model::units::format_duration;

/// Time that `guardian exec` needs beyond the grace of the process: the KILL, the certificate, the alerts.
const BEYOND: Duration = Duration::from_secs(30);

const CAN: Can = Can {
    system: "systemd",
    says: &[
        "cwd",
        "env_file",
        "pass_env",
        "stop_signal",
        "grace",
        "success_codes",
        "backoff",
        "backoff_max",
        "max_restarts",
        "window",
        "never_restart",
        "time_limit",
        "watchdog",
        "memory",
        "cpu",
        "tasks",
        "preflight",
        "depends_on",
        "follow",
        "leftover",
        "on_boot",
        "user",
        "ready",
        "ready_timeout",
        "schedule",
        "timezone",
    ],
    passes: false,
};

/// One service for each process; with a timer, where it has a schedule.
#[must_use]
pub fn write(leaving: &[Leaving<'_>], place: &Place<'_>) -> Vec<Written> {
    leaving.iter().flat_map(|process| unit(process, place)).collect()
}

/// A unit is called like its process.
fn unit_name(name: &str) -> String {
    format!("{name}.service")
}

fn unit(process: &Leaving<'_>, place: &Place<'_>) -> Vec<Written> {
    let spec = process.spec;
    let mut form = Form::of(process, &CAN, place);
    if let Some(ready) = spec.ready.as_ref().filter(|ready| **ready != Probe::Notify) {
        form.gaps.push(format!("ready = \"{ready}\""));
    }
    form.gaps.extend(spec.never_restart.iter().filter_map(|never| match never {
        Never::Kind(kind) => Some(format!("never_restart = [\"{kind}\"]")),
        Never::Code(_) | Never::Signal(_) => None,
    }));
    if spec.cwd.is_none() && spec.command.argv().first().is_some_and(|program| is_relative(program)) {
        form.gaps.push("a program whose path begins in the home directory".to_owned());
    }
    form.gaps.extend(unnamed(spec));
    if spec.command.argv().first().is_some_and(|program| program.contains('$')) {
        form.gaps.push("a program with `$` in its path".to_owned()); // `$$` is one only in its arguments
    }
    for (key, path) in [("cwd", &spec.cwd), ("env_file", &spec.env_file)] {
        form.gaps.extend(path.as_ref().filter(|path| !is_plain(path)).map(|path| format!("{key} = {path:?}")));
    }
    let times = spec.schedule.as_deref().map(|line| calendar(line, spec.zone.name()));
    form.wrapped |= !form.gaps.is_empty();
    let mut text =
        format!("# Made by `guardian export systemd {}`.\n{}", process.name, form.comment(process, &CAN, "#"));
    if times == Some(None) {
        text.push_str(&format!(
            "# It has no timer: systemd has no word for schedule = {:?}. Let guardian start it, or write one.\n",
            spec.schedule.as_deref().unwrap_or("")
        ));
    }
    text.push_str(&format!("[Unit]\nDescription=Process {} of guardian\n", process.name));
    for name in &spec.depends_on {
        text.push_str(&format!("Wants={0}\nAfter={0}\n", unit_name(name.as_str())));
    }
    match (form.wrapped, spec.max_restarts) {
        (false, most) if most > 0 => {
            text.push_str(&format!("StartLimitBurst={most}\nStartLimitIntervalSec={}\n", span(spec.window)));
        }
        (_, _) => text.push_str("StartLimitIntervalSec=0\n"),
    }
    text.push_str("\n[Service]\n");
    text.push_str(&service(process, &form, place));
    let timed = matches!(times, Some(Some(_)));
    if spec.on_boot != OnBoot::Never && !timed {
        text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    }
    if again(spec) != Again::No && spec.backoff_max != spec.backoff && !form.wrapped {
        let most = format_duration(spec.backoff_max);
        text.push_str(&format!(
            "\n[{OWN}]\n# RestartSteps= and RestartMaxDelaySec=, from systemd 254 on.\nbackoff_max={most}\n"
        ));
    }
    let mut files = vec![Written { name: unit_name(process.name.as_str()), text }];
    if let Some(Some(times)) = times {
        let text = format!(
            "# Made by `guardian export systemd {0}`.\n[Unit]\nDescription=Times of process {0} of guardian\n\n[Timer]\n{1}\
             Persistent=true\n\n[Install]\nWantedBy=timers.target\n",
            process.name,
            times.iter().map(|time| format!("OnCalendar={time}\n")).collect::<String>()
        );
        files.push(Written { name: format!("{}.timer", process.name), text });
    }
    files
}

fn service(process: &Leaving<'_>, form: &Form, place: &Place<'_>) -> String {
    let spec = process.spec;
    let mut lines = Vec::new();
    let mut say = |key: &str, value: String| lines.push(format!("{key}={value}\n"));
    let kind = match (form.wrapped, spec.follow, &spec.ready) {
        (true, _, _) => "exec",
        (false, Follow::Fork, _) => "forking",
        (false, Follow::Main, Some(_)) => "notify",
        (false, Follow::Main, None) => "exec",
    };
    say("Type", kind.to_owned());
    say("ExecStart", words(&rooted(command(process, form, place.exe), spec)));
    let restart = match again(spec) {
        Again::Always => "always",
        Again::OnFailure => "on-failure",
        Again::No => "no",
    };
    say("Restart", restart.to_owned());
    if restart != "no" {
        say("RestartSec", span(spec.backoff));
    }
    user(process, form, place).into_iter().for_each(|user| say("User", user));
    let mut codes: Vec<i32> = spec.success_codes.iter().copied().filter(|code| *code != 0).collect();
    if form.wrapped {
        // It says how the program ended: by the signal that stopped it.
        codes.extend([128 + libc::SIGTERM, 128 + libc::SIGINT, 128 + spec.stop_signal]);
        codes.sort_unstable();
        codes.dedup();
        place.home.into_iter().for_each(|home| say("Environment", assignment("GUARDIAN_HOME", home)));
        say("KillMode", "mixed".to_owned());
        say("TimeoutStopSec", span(spec.grace + BEYOND));
    }
    if !codes.is_empty() {
        say("SuccessExitStatus", codes.iter().map(i32::to_string).collect::<Vec<_>>().join(" "));
    }
    if !form.wrapped {
        plain(spec, &mut say);
    }
    lines.concat()
}

/// The same command with the whole path of the program: systemd takes none that is relative.
fn rooted(mut words: Vec<String>, spec: &Spec) -> Vec<String> {
    if let (Some(program), Some(cwd)) = (words.first_mut(), &spec.cwd)
        && is_relative(program)
    {
        *program = format!("{}/{}", cwd.trim_end_matches('/'), program.strip_prefix("./").unwrap_or(program));
    }
    words
}

/// A path that begins where the program runs.
fn is_relative(program: &str) -> bool {
    program.contains('/') && !program.starts_with('/')
}

/// A path that a line can hold: there are no quotes for it.
fn is_plain(path: &str) -> bool {
    !path.contains(char::is_control) && path.trim() == path && !path.ends_with('\\')
}

/// What is said where systemd itself runs the program.
fn plain(spec: &Spec, say: &mut impl FnMut(&str, String)) {
    for line in &spec.preflight {
        say("ExecStartPre", words(&["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]));
    }
    say("WorkingDirectory", spec.cwd.as_deref().map_or("~".to_owned(), escaped));
    for (name, value) in open_variables(spec) {
        say("Environment", assignment(name, value));
    }
    spec.env_file.iter().for_each(|file| say("EnvironmentFile", escaped(file)));
    if !spec.pass_env.is_empty() {
        say("PassEnvironment", spec.pass_env.join(" "));
    }
    let never = spec.never_restart.iter().map(|never| match never {
        Never::Signal(signal) => signal.to_string(),
        Never::Code(_) | Never::Kind(_) => never.to_string(),
    });
    let never: Vec<String> = never.collect();
    if !never.is_empty() {
        say("RestartPreventExitStatus", never.join(" "));
    }
    say("KillSignal", Signal(spec.stop_signal).to_string());
    say("TimeoutStopSec", span(spec.grace));
    if spec.leftover == Leftover::Keep {
        say("KillMode", "process".to_owned());
    }
    if spec.ready.is_some() {
        say("TimeoutStartSec", span(spec.ready_timeout));
    }
    spec.time_limit.into_iter().for_each(|limit| say("RuntimeMaxSec", span(limit)));
    spec.watchdog.into_iter().for_each(|limit| say("WatchdogSec", span(limit)));
    spec.memory.into_iter().for_each(|bytes| say("MemoryMax", bytes.to_string()));
    spec.cpu
        .into_iter()
        .for_each(|cores| say("CPUQuota", format!("{}%", ((cores * 10_000.0).round() / 100.0).max(0.01))));
    spec.tasks.into_iter().for_each(|tasks| say("TasksMax", tasks.to_string()));
}

/// A time in seconds.
fn span(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// `NAME=value` in quotes.
fn assignment(name: &str, value: &str) -> String {
    quoted(&format!("{name}={value}"), false)
}

/// A path with `%` as itself.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// A command line.
fn words(words: &[String]) -> String {
    let one = |(index, word): (usize, &String)| match (index, word.starts_with(|letter| "-@:+!|".contains(letter))) {
        (0, true) => in_quotes(word, true), // else it would be a prefix
        (_, _) => quoted(word, true),
    };
    words.iter().enumerate().map(one).collect::<Vec<_>>().join(" ")
}

/// One word in quotes where it needs them. `variables`: `$` would be one.
fn quoted(word: &str, variables: bool) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:,+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    in_quotes(word, variables)
}

fn in_quotes(word: &str, variables: bool) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '%' => quoted.push_str("%%"),
            '$' if variables => quoted.push_str("$$"),
            letter if letter.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
