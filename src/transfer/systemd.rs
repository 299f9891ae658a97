//! A service of systemd: one unit, with what `systemctl cat` adds to it.

use std::collections::BTreeMap;

use super::systemd_command::Exec;
use super::systemd_keys::{one, restart, start_limit};
use super::systemd_text::{self, Setting, switch};
use super::{Around, Damage, Found, Import, Taking};
use crate::registry::value::{Draft, Value};

/// A unit while it is read.
pub(super) struct Unit<'a> {
    /// Its whole name.
    pub(super) name: &'a str,
    pub(super) settings: &'a [Setting],
    pub(super) around: &'a Around<'a>,
}

impl Unit<'_> {
    /// What a key of a section is set to; an empty value takes back what was before.
    pub(super) fn all(&self, section: &str, key: &str) -> Vec<&Setting> {
        let mut all: Vec<&Setting> = Vec::new();
        for setting in self.settings.iter().filter(|setting| setting.section == section && setting.key == key) {
            if setting.value.is_empty() { all.clear() } else { all.push(setting) }
        }
        all
    }

    /// The last of them.
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        self.all("Service", key).pop()
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.get(key).is_some_and(|setting| setting.value == value)
    }
}

/// Reads a unit of systemd; its name is that of the file.
///
/// # Errors
/// It is no service, or what decides what is run cannot be read.
pub fn read(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    let settings = systemd_text::read(text)?;
    let name = match around.file.contains('.') {
        true => around.file.to_owned(),
        false => format!("{}.service", around.file),
    };
    let unit = Unit { name: &name, settings: &settings, around };
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    if stem.ends_with('@') {
        let hint = format!("import an instance: copy it to {stem}NAME.service");
        return Err(Damage::new(1, "it is a template, and no instance of it", hint));
    }
    if !settings.iter().any(|setting| setting.section == "Service") {
        let hint = "what a timer or socket starts is the service: import that; its times are `schedule`";
        return Err(Damage::new(1, "there is no [Service] in it", hint));
    }
    let mut import = Import::default();
    let mut taking = Taking { name: stem.to_owned(), draft: Draft::default(), notes: &mut import.notes };
    command(&mut taking, &unit)?;
    restart(&mut taking, &unit);
    start_limit(&mut taking, &unit)?;
    environment(&mut taking, &unit)?;
    // systemd gives a service next to no environment.
    taking.set("clean_env", Value::Switch(true));
    if unit.get("WorkingDirectory").is_none() {
        taking.text("cwd", "/");
    }
    for setting in &settings {
        one(&mut taking, &unit, setting)?;
    }
    let line = settings.iter().find(|setting| setting.section == "Service").map_or(1, |setting| setting.line);
    let Taking { draft, .. } = taking;
    import.found.push(Found { name: stem.to_owned(), line, draft });
    Ok(import)
}

/// The command lines of a key, several in one setting included, or what is wrong with one.
fn execs<'u>(unit: &'u Unit<'_>, key: &str) -> Result<Vec<(&'u Setting, Exec)>, Damage> {
    let mut execs = Vec::new();
    for setting in unit.all("Service", key) {
        for line in systemd_text::lines(&setting.value) {
            let exec = Exec::read(line.trim(), unit.name, unit.around).map_err(|what| {
                Damage::new(setting.line, format!("`{key}`: {what}"), "mend that line, or register it by hand")
            })?;
            execs.push((setting, exec));
        }
    }
    Ok(execs)
}

/// What is executed, and what before it.
fn command(taking: &mut Taking<'_>, unit: &Unit<'_>) -> Result<(), Damage> {
    let starts = execs(unit, "ExecStart")?;
    let Some(((_, run), first)) = starts.split_last() else {
        return Err(Damage::new(
            1,
            "there is no `ExecStart`",
            "a service without a program is nothing that can be kept alive",
        ));
    };
    for (setting, exec) in &starts {
        prefixes(taking, setting, exec);
    }
    match run.argv().filter(|_| first.is_empty()) {
        Some(argv) => match sh_line(&argv) {
            Some(line) => taking.text("shell", line),
            None => taking.set("command", Value::Texts(argv)),
        },
        None => {
            let mut lines: Vec<String> = first.iter().map(|(_, exec)| exec.line()).collect();
            let own = if run.prefixes.contains('|') { String::new() } else { "exec ".to_owned() };
            lines.push(own + &run.line());
            taking.text("shell", lines.join(" && "));
        }
    }
    let mut before = Vec::new();
    for (setting, line) in execs(unit, "ExecStartPre")? {
        let ignored = if line.prefixes.contains('-') { " || :" } else { "" };
        if line.prefixes.contains(['+', '!']) {
            taking.note(
                setting.line,
                format!("{}={}", setting.key, setting.value),
                "it runs with the rights of the process itself",
                "",
            );
        }
        let own = line.argv().and_then(|argv| sh_line(&argv).map(str::to_owned));
        before.push(format!("{}{ignored}", own.unwrap_or_else(|| line.line())));
    }
    if !before.is_empty() {
        taking.set("preflight", Value::Texts(before));
    }
    Ok(())
}

/// The line that `/bin/sh -c` is given.
fn sh_line(argv: &[String]) -> Option<&str> {
    match argv {
        [shell, option, line] if shell == "/bin/sh" && option == "-c" => Some(line),
        _ => None,
    }
}

fn prefixes(taking: &mut Taking<'_>, setting: &Setting, exec: &Exec) {
    let what = || format!("{}={}", setting.key, setting.value);
    if exec.prefixes.contains('-') {
        let why = "a failure is a failure: `-` would hide it";
        taking.note(setting.line, what(), why, "`success_codes` names the codes that are none");
    }
    if exec.prefixes.contains(['+', '!']) {
        let instead = "let guardian run as root, with `user` for those that need no rights";
        taking.note(setting.line, what(), "nothing is given more rights than the process has", instead);
    }
    if exec.splits {
        let why = "a variable by itself is split at blanks, and quotes in its value are letters";
        taking.note(setting.line, what(), why, "`${NAME}` is one word, as it is");
    }
    if exec.renamed {
        let instead = format!("`exec -a NAME {}` in a line for bash", exec.line());
        taking.note(setting.line, what(), "a program is called by its own name, not by the word after `@`", instead);
    }
}

/// `Environment`, `EnvironmentFile`, `PassEnvironment`.
fn environment(taking: &mut Taking<'_>, unit: &Unit<'_>) -> Result<(), Damage> {
    let mut variables = BTreeMap::new();
    for setting in unit.all("Service", "Environment") {
        let bad =
            || Damage::new(setting.line, format!("`Environment={}`", setting.value), "`\"NAME=value\"` is wanted");
        for word in systemd_text::words(&setting.value).ok_or_else(bad)? {
            let word = systemd_text::specified(&word, unit.name, unit.around).map_err(|_| bad())?;
            let (name, value) = word.split_once('=').ok_or_else(bad)?;
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    if !variables.is_empty() {
        taking.set("env", Value::Pairs(variables));
    }
    let files = unit.all("Service", "EnvironmentFile");
    for (index, setting) in files.iter().enumerate() {
        let what = format!("EnvironmentFile={}", setting.value);
        let path = setting.value.trim_start_matches('-');
        match systemd_text::specified(path, unit.name, unit.around) {
            Ok(path) if index == 0 => taking.text("env_file", path),
            Ok(_) => {
                taking.note(setting.line, what.clone(), "there is one such file for each process", "put both into one")
            }
            Err(_) => {
                taking.note(setting.line, what.clone(), "a specifier in it has no meaning here", "write the path")
            }
        }
        if setting.value.starts_with('-') && index == 0 {
            let instead = "make the file, empty if need be, or take `env_file` out";
            taking.note(
                setting.line,
                what,
                "`-` would forgive that it is missing; here it is an error of the start",
                instead,
            );
        }
    }
    let passed = unit.all("Service", "PassEnvironment");
    let passed: Vec<String> =
        passed.iter().flat_map(|setting| setting.value.split_whitespace()).map(str::to_owned).collect();
    if !passed.is_empty() {
        taking.set("pass_env", Value::Texts(passed));
    }
    Ok(())
}

/// Whether a switch of the unit is on.
pub(super) fn is_on(unit: &Unit<'_>, key: &str) -> bool {
    unit.get(key).is_some_and(|setting| switch(&setting.value) == Some(true))
}
