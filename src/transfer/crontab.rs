//! A crontab: lines with times become schedules, `@reboot` becomes a service, variables hold for the lines after them.

use std::collections::BTreeMap;

use super::{Around, Damage, Found, Import, Note, Taking, take};
use crate::policy::cron_line::CronLine;
use crate::policy::job_name::job_name;
use crate::policy::zone;
use crate::registry::value::{Draft, Value};

/// What a line of guardian's own has.
const OWN: &str = "guardian healthcheck";
/// Where cron looks for programs, unless the crontab says otherwise.
const PATH: &str = "/usr/bin:/bin";

/// Variables that hold for the lines after them.
#[derive(Default)]
struct Setting {
    env: BTreeMap<String, String>,
    zone: Option<String>,
    shell: Option<String>,
    home: Option<String>,
}

/// Reads a crontab; one of the system's has a user in each line.
///
/// # Errors
/// A line that cron would refuse.
pub fn read(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    let mut import = Import::default();
    let mut setting = Setting::default();
    for (index, line) in text.lines().enumerate() {
        let (at, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => variable(&mut setting, &mut import, at, name, value)?,
            None => job(&setting, &mut import, at, line, around)?,
        }
    }
    if !import.found.is_empty() {
        let (what, why) = ("overlap".to_owned(), "cron starts a job beside itself when it still runs".to_owned());
        let instead =
            "guardian leaves such a time out; `overlap = \"queue\"` or `\"kill\"` are the other ways".to_owned();
        import.notes.push(Note { line: 1, process: None, what, why, instead });
    }
    Ok(import)
}

/// `NAME = value`, with quotes around either taken off. A line with times begins with none.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (bare(name.trim()), bare(value.trim()));
    let is_name = !name.is_empty()
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then_some((name, value))
}

/// A text without the quotes around it.
fn bare(text: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}

fn variable(setting: &mut Setting, import: &mut Import, at: usize, name: &str, value: &str) -> Result<(), Damage> {
    let mut note = |why: &str, instead: &str| {
        let (what, why, instead) = (format!("{name}={value}"), why.to_owned(), instead.to_owned());
        import.notes.push(Note { line: at, process: None, what, why, instead });
    };
    match name {
        "CRON_TZ" | "TZ" => {
            let known = zone::find(value).map_err(|similar| {
                let hint = similar
                    .map_or("a name such as Europe/Kyiv is wanted".to_owned(), |name| format!("did you mean {name}?"));
                Damage::new(at, format!("{name}: there is no time zone {value:?}"), hint)
            });
            known?;
            setting.zone = Some(value.to_owned());
            if name == "TZ" {
                setting.env.insert(name.to_owned(), value.to_owned());
            }
        }
        "MAILTO" | "MAILFROM" if value.is_empty() => {}
        "MAILTO" => note(
            "output is not mailed: it is in the log, and a job that fails is told",
            "`[sinks.NAME] type = \"email\"`, or `\"sendmail\"`, with `to` and `processes`",
        ),
        "MAILFROM" => note("there is no mail with output", "`from` of an `email` sink is what alerts come from"),
        "RANDOM_DELAY" | "START_HOURS_RANGE" => {
            note("a time is kept as it is written", "put a `sleep` before the command")
        }
        "SHELL" => setting.shell = Some(value.to_owned()).filter(|shell| shell != "/bin/sh"),
        "HOME" => {
            setting.home = Some(value.to_owned());
            setting.env.insert(name.to_owned(), value.to_owned());
        }
        "LOGNAME" => {}
        _ => drop(setting.env.insert(name.to_owned(), value.to_owned())),
    }
    Ok(())
}

fn job(setting: &Setting, import: &mut Import, at: usize, line: &str, around: &Around<'_>) -> Result<(), Damage> {
    // A minus before the times only keeps cron from writing into syslog that it ran.
    let line = line.strip_prefix('-').unwrap_or(line);
    let count = if line.starts_with('@') { 1 } else { 5 };
    let (times, rest) = fields(line, count).ok_or_else(|| {
        let what = format!("{:?} is no line of a crontab", line.chars().take(60).collect::<String>());
        Damage::new(at, what, "five fields and a command are wanted, `@daily` and a command, or NAME=value")
    })?;
    let (user, command) = match around.of_system {
        true => fields(rest, 1).map(|(user, command)| (Some(user), command)).ok_or_else(|| {
            Damage::new(at, "no command after the user", "a crontab of the system has a user before each command")
        })?,
        false => (None, rest),
    };
    let reboots = times == "@reboot";
    if !reboots {
        CronLine::parse(&times, chrono_tz::Tz::UTC)
            .map_err(|bad| Damage::new(at, format!("{times:?}: {}", bad.what), bad.hint))?;
    }
    if command.contains(OWN) {
        let (what, why) = (command.to_owned(), "this is guardian's own trigger".to_owned());
        let instead = "`guardian install --cron` keeps it".to_owned();
        import.notes.push(Note { line: at, process: None, what, why, instead });
        return Ok(());
    }
    let bare = command.split('%').next().unwrap_or(command);
    let words = shlex::split(bare).unwrap_or_else(|| bare.split(' ').map(str::to_owned).collect());
    let name = job_name(&words);
    let command = with_input(command);
    let mut taking = Taking { name: name.clone(), draft: Draft::default(), notes: &mut import.notes };
    match &setting.shell {
        Some(shell) => {
            taking.set("command", Value::Texts(vec![shell.clone(), "-c".to_owned(), command]));
        }
        None => taking.text("shell", command),
    }
    if let Some(home) = &setting.home {
        taking.text("cwd", around.path(home));
    }
    let mut variables = setting.env.clone();
    variables.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    taking.set("env", Value::Pairs(variables));
    taking.set("clean_env", Value::Switch(true));
    if let Some(user) = user {
        taking.user(&user, around);
    }
    if reboots {
        taking.text("target", "forever");
        let instead = "if it is a job that ends by itself, `target = \"exit\"`, and start it from `/etc/rc.local`";
        taking.note(at, "@reboot", "it is a service here: kept alive, and started again after a reboot", instead);
    } else {
        taking.text("schedule", times);
        if let Some(zone) = &setting.zone {
            taking.text("timezone", zone.clone());
        }
    }
    let Taking { draft, .. } = taking;
    import.found.push(Found { name, line: at, draft });
    Ok(())
}

/// The first `count` fields with one blank between them, and what follows; `None`: nothing follows.
fn fields(line: &str, count: usize) -> Option<(String, &str)> {
    let mut rest = line;
    let mut found = Vec::new();
    for _ in 0..count {
        let end = rest.find(char::is_whitespace)?;
        found.push(rest.get(..end)?);
        rest = rest.get(end..)?.trim_start();
    }
    (!rest.is_empty()).then(|| (found.join(" "), rest))
}

/// What cron makes of `%`: the command ends there, and the rest are lines of its input. `\%` is one that stays.
fn with_input(command: &str) -> String {
    let mut parts = vec![String::new()];
    let mut letters = command.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            ('\\', Some(part)) if letters.peek() == Some(&'%') => {
                part.extend(letters.next());
            }
            ('%', _) => parts.push(String::new()),
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    let (command, input) = parts.split_at(1);
    let command = command.concat().trim().to_owned();
    if input.is_empty() {
        return command;
    }
    // Behind a line break, for the command may end in a comment.
    format!("printf '%s\\n' {} | {{ {command}\n}}", take::quoted(input))
}
