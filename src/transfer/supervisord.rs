//! A configuration of supervisord: `[program:x]` sections, groups of them, and what else stands there.

use std::collections::BTreeMap;

use super::ini::{self, Key, Section};
use super::supervisor_keys::{key, unset};
use super::supervisor_text::{Names, pairs};
use super::{Around, Damage, Found, Import, Note, Taking};
use crate::registry::value::{Draft, Value};

/// Copies of one program that are read.
const MOST: u32 = 1000;

/// Reads a configuration of supervisord.
///
/// # Errors
/// It is none, or something in it that decides what is run cannot be read.
pub fn read(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    let sections = ini::read(text)?;
    let mut import = Import::default();
    let whole = whole(&sections, around, &mut import.notes)?;
    for section in &sections {
        match section.name.split_once(':') {
            Some(("program", name)) => program(section, name.trim(), &whole, around, &mut import)?,
            Some(("group", _)) => group_notes(section, &mut import.notes),
            None if section.name == "supervisord" => {}
            Some((_, _)) | None => import.notes.push(elsewhere(section)),
        }
    }
    if import.found.is_empty() && import.notes.is_empty() {
        return Err(Damage::new(1, "no section is in it", "is this a configuration of supervisord?"));
    }
    Ok(import)
}

/// What `[supervisord]` and groups say of all programs.
struct Whole {
    groups: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    directory: Option<String>,
}

fn whole(sections: &[Section], around: &Around<'_>, notes: &mut Vec<Note>) -> Result<Whole, Damage> {
    let mut whole = Whole { groups: BTreeMap::new(), environment: Vec::new(), directory: None };
    for section in sections {
        if let Some(group) = section.name.strip_prefix("group:")
            && let Some(programs) = section.get("programs")
        {
            let members = programs.value.split([',', '\n']).map(str::trim).filter(|member| !member.is_empty());
            whole.groups.extend(members.map(|member| (member.to_owned(), group.trim().to_owned())));
        }
    }
    let Some(section) = sections.iter().find(|section| section.name == "supervisord") else { return Ok(whole) };
    let names = names(around, &[]);
    let mut left = Vec::new();
    for key in &section.keys {
        match key.name.as_str() {
            "environment" => whole.environment = environment(key, &names)?,
            "directory" => whole.directory = Some(around.path(&filled(key, &names)?)),
            _ => left.push(key.name.as_str()),
        }
    }
    if !left.is_empty() {
        let (what, line) = (format!("[supervisord] {}", left.join(", ")), section.line);
        let why = "there is no daemon whose log, pid file or limits these are".to_owned();
        let instead = "`[healthcheck]` and `[defaults]` are what is said of all processes here".to_owned();
        notes.push(Note { line, process: None, what, why, instead });
    }
    Ok(whole)
}

/// A section that has no equal.
fn elsewhere(section: &Section) -> Note {
    let (why, instead) = match section.name.split(':').next().unwrap_or("") {
        "eventlistener" => (
            "nothing listens to events of a daemon here",
            "`[sinks.NAME] type = \"command\"` gets each event as JSON; `guardian events -f --json` is the stream of them",
        ),
        "fcgi-program" => (
            "guardian hands no socket to a program",
            "let it bind its own, or keep it under systemd with a socket unit",
        ),
        "include" => ("other files are not read", "`guardian import supervisord` for each of them"),
        "inet_http_server" | "unix_http_server" | "supervisorctl" | "rpcinterface" => {
            ("guardian has no server to reach or to secure", "its commands work on files: `guardian status --json`")
        }
        _ => ("supervisord has no such section, or one of a plugin", ""),
    };
    let keys: Vec<&str> = section.keys.iter().map(|key| key.name.as_str()).collect();
    let what = format!("[{}] {}", section.name, keys.join(", "));
    Note { line: section.line, process: None, what: what.trim().to_owned(), why: why.into(), instead: instead.into() }
}

fn group_notes(section: &Section, notes: &mut Vec<Note>) {
    for key in section.keys.iter().filter(|key| key.name != "programs") {
        let what = format!("[{}] {} = {}", section.name, key.name, key.value);
        let why = "groups have no order and no keys of their own".to_owned();
        let instead = "`depends_on` says what must be there first".to_owned();
        notes.push(Note { line: key.line, process: None, what, why, instead });
    }
}

/// What may stand in `%(name)s`.
fn names<'a>(around: &'a Around<'a>, more: &[(&'static str, String)]) -> Names<'a> {
    let known = [("here", around.dir.to_owned()), ("host_node_name", around.host.to_owned())];
    Names { known: known.into_iter().chain(more.iter().cloned()).collect(), around }
}

/// The value of a key with its names filled in.
pub(super) fn filled(key: &Key, names: &Names<'_>) -> Result<String, Damage> {
    names.fill(&key.value).map_err(|name| {
        let hint = match name.strip_prefix("%(ENV_").and_then(|name| name.strip_suffix(')')) {
            Some(variable) => format!("set {variable} for the import, as supervisord has it"),
            None => "supervisord would not read it either".to_owned(),
        };
        Damage::new(key.line, format!("`{}`: {name} has no value", key.name), hint)
    })
}

fn environment(key: &Key, names: &Names<'_>) -> Result<Vec<(String, String)>, Damage> {
    pairs(&filled(key, names)?).ok_or_else(|| {
        Damage::new(
            key.line,
            "`environment` is not KEY=\"value\",KEY2=\"value2\"",
            "supervisord would not read it either",
        )
    })
}

/// One `[program:x]`, or several where it has `numprocs`.
fn program(
    section: &Section,
    program: &str,
    whole: &Whole,
    around: &Around<'_>,
    import: &mut Import,
) -> Result<(), Damage> {
    let number = |name: &str, usual: u32| match section.get(name) {
        Some(key) => key
            .value
            .parse::<u32>()
            .map_err(|_| Damage::new(key.line, format!("`{name}` is {:?}", key.value), "a whole number is wanted")),
        None => Ok(usual),
    };
    let (count, first) = (number("numprocs", 1)?, number("numprocs_start", 0)?);
    if count > MOST {
        return Err(Damage::new(
            section.line,
            format!("`numprocs` is {count}"),
            format!("{MOST} is the most that is read"),
        ));
    }
    let Some(command) = section.get("command") else {
        let hint = "supervisord would not read it either";
        return Err(Damage::new(section.line, format!("[{}] has no `command`", section.name), hint));
    };
    for index in first..first.saturating_add(count) {
        let group = whole.groups.get(program).map_or(program, String::as_str);
        let names = names(
            around,
            &[
                ("program_name", program.to_owned()),
                ("group_name", group.to_owned()),
                ("process_num", index.to_string()),
                ("numprocs", count.to_string()),
            ],
        );
        let name = match section.get("process_name") {
            Some(key) => filled(key, &names)?,
            None if count > 1 => format!("{program}_{index:02}"),
            None => program.to_owned(),
        };
        let mut again = Vec::new();
        // What is said of one of them is said of all.
        let notes = if index == first { &mut import.notes } else { &mut again };
        let mut taking = Taking { name: name.clone(), draft: Draft::default(), notes };
        let (run, value) = names.command(&command.value).map_err(|what| {
            Damage::new(command.line, format!("`command`: {what}"), "supervisord would not read it either")
        })?;
        taking.set(run, value);
        let mut variables: BTreeMap<String, String> = whole.environment.iter().cloned().collect();
        if let Some(key) = section.get("environment") {
            variables.extend(environment(key, &names)?);
        }
        if !variables.is_empty() {
            taking.set("env", Value::Pairs(variables));
        }
        if count > 1 || whole.groups.contains_key(program) {
            taking.text("group", group);
        }
        for entry in
            section.keys.iter().filter(|entry| section.get(&entry.name).is_some_and(|last| last.line == entry.line))
        {
            // The variables of a command are left to the shell.
            let value = if entry.name == "command" { String::new() } else { filled(entry, &names)? };
            key(&mut taking, entry, &value, around)?;
        }
        unset(&mut taking, section, whole.directory.as_deref());
        let Taking { draft, .. } = taking;
        import.found.push(Found { name, line: section.line, draft });
    }
    Ok(())
}
