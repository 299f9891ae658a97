//! From the text of a registry to processes and sinks, with everything that is wrong with it.
//!
//! What is wrong with one entry drops that entry only; what is wrong with `[defaults]` drops that
//! key only. Text that is not TOML gives no entries at all: half a file is not a smaller registry.

use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Field, Key};
use super::problem::similar;
use super::read::{Item, Reader};
use super::{
    Context, Entry, Parsed, Registry, dependencies, hook, insist, logs, schedule, secret, sink, timing, watch,
};
use crate::model::name::Name;
use crate::model::probe::Probe;
use crate::model::signal::Signal;
use crate::model::spec::{Command, Spec, Target};
use crate::model::units::parse_duration;
use crate::policy::notify::AUTO;
use crate::policy::pings;

const TABLES: &[&str] = &["defaults", "process", "watch", "sinks", "healthcheck", "hook", "logs"];

/// Reads a registry. Never fails: what is wrong is in the answer.
#[must_use]
pub fn parse(text: &str, context: &Context) -> Parsed {
    let mut reader = Reader::new(text, context.home_dir.as_deref());
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let hint = if error.message() == "duplicate key" {
            "the same key or table stands above: keep one of them"
        } else {
            "what stands there is not TOML; nothing of this file is used until it is"
        };
        reader.fail::<()>(error.span().unwrap_or(text.len()..text.len()), error.message(), hint);
    }
    let is_toml = errors.is_empty();
    let registry = if is_toml { read_root(&mut reader, root.get_ref(), context) } else { Registry::default() };
    let mut problems = reader.problems;
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Parsed { registry, problems, is_toml }
}

fn read_root(reader: &mut Reader<'_>, root: &DeTable<'_>, context: &Context) -> Registry {
    for (key, _) in root.iter().filter(|(key, _)| !TABLES.contains(&key.get_ref().as_ref())) {
        let hint = match similar(key.get_ref(), TABLES.iter().copied()) {
            Some(similar) => format!("did you mean `[{similar}]`?"),
            None => "a process is a table `[process.NAME]`, a watch `[watch.NAME]`, a sink `[sinks.NAME]`".to_owned(),
        };
        reader.fail::<()>(key.span(), format!("unknown table or key `{}`", key.get_ref().escape_debug()), hint);
    }
    let mut base = Spec::with_command(Command::Argv(Vec::new()));
    if let Some(defaults) = root.get("defaults").and_then(|item| reader.table("defaults", item)) {
        reader.scope = "`[defaults]`: ".to_owned();
        read_keys(reader, defaults, &mut base, Place::Defaults);
        reader.scope.clear();
    }
    let mut registry = Registry::default();
    if let Some(config) = root.get("healthcheck").and_then(|item| reader.table("healthcheck", item)) {
        registry.healthcheck = sink::read_healthcheck(reader, config);
    }
    if let Some(config) = root.get("hook").and_then(|item| reader.table("hook", item)) {
        registry.hook = hook::read(reader, config);
    }
    if let Some(config) = root.get("logs").and_then(|item| reader.table("logs", item)) {
        registry.logs = logs::read(reader, config);
    }
    let mut sinks = Vec::new();
    if let Some(table) = root.get("sinks").and_then(|item| reader.table("sinks", item)) {
        for (name, item) in table {
            let sink = sink::read(reader, name, item, context.zone.as_deref());
            sinks.push((name.get_ref().to_string(), if sink.is_some() { Served::Yes } else { Served::No }));
            registry.sinks.extend(sink);
        }
        insist::check(reader, table, &mut registry.sinks);
        timing::complete(reader, table, &mut registry.sinks, context.zone.as_deref());
    }
    if let Some(table) = root.get("process").and_then(|item| reader.table("process", item)) {
        for (name, item) in table {
            reader.process = Some(name.get_ref().to_string());
            match read_process(reader, name, item, &base, context) {
                Some((name, mut entry)) => {
                    check_sinks(reader, item, &mut entry.spec.notify, &sinks);
                    registry.processes.insert(name, entry);
                }
                None => registry.invalid.push(name.get_ref().to_string()),
            }
        }
        reader.process = None;
        dependencies::check(reader, table, &mut registry);
        let pinged = registry.processes.iter().filter_map(|(name, entry)| Some((name, entry.spec.ping_url.clone()?)));
        let pings: Vec<_> = pinged.map(|(name, source)| pings::sink(name, source)).collect();
        registry.sinks.extend(pings);
    }
    read_watches(reader, root, &base, &sinks, &mut registry);
    if let Some(item) = root.get("defaults") {
        reader.scope = "`[defaults]`: ".to_owned();
        check_sinks(reader, item, &mut base.notify, &sinks);
    }
    registry
}

fn read_watches(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    base: &Spec,
    sinks: &[(String, Served)],
    registry: &mut Registry,
) {
    let Some(table) = root.get("watch").and_then(|item| reader.table("watch", item)) else { return };
    let processes = root.get("process").and_then(|item| item.get_ref().as_table());
    for (name, item) in table {
        let scope = format!("watch `{}`: ", name.get_ref().escape_debug());
        if processes.is_some_and(|processes| processes.contains_key(name.get_ref().as_ref())) {
            let message = format!("{scope}there is a process of the same name");
            reader.fail::<()>(name.span(), message, "give one of them another name: commands take either by its name");
            continue; // the process is served, so the name is not invalid
        }
        match watch::read(reader, name, item, base) {
            Some((name, mut entry)) => {
                reader.scope = scope;
                check_sinks(reader, item, &mut entry.spec.notify, sinks);
                reader.scope.clear();
                registry.watches.insert(name, entry);
            }
            None => registry.invalid.push(name.get_ref().to_string()),
        }
    }
}

type SpannedKey<'i> = toml::Spanned<toml::de::DeString<'i>>;

fn read_process(
    reader: &mut Reader<'_>,
    key: &SpannedKey<'_>,
    item: &Item<'_>,
    base: &Spec,
    context: &Context,
) -> Option<(Name, Entry)> {
    let before = reader.problems.len();
    let name = match Name::from_str(key.get_ref()) {
        Ok(name) => Some(name),
        Err(error) => reader.fail(key.span(), error.to_string(), error.hint()),
    };
    let table = reader.table(&format!("process.{}", key.get_ref()), item)?;
    let mut spec = base.clone();
    read_keys(reader, table, &mut spec, Place::Process);
    match (table.get_key_value("command"), table.get_key_value("shell")) {
        (Some(_), Some((shell, _))) => {
            reader.fail::<()>(shell.span(), "both `command` and `shell` are given", "keep one of them");
        }
        (None, None) => {
            let hint = "add `command = [\"program\", \"argument\"]` or `shell = \"a line for sh\"`";
            reader.fail::<()>(key.span(), "neither `command` nor `shell` is given", hint);
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    secret::one_spelling(reader, table, "ping_url");
    check_user(reader, key, table, &spec, context);
    schedule::complete(reader, table, &mut spec, context.zone.as_deref());
    if reader.problems.len() > before {
        return None;
    }
    let line = u32::try_from(reader.line(&key.span())).unwrap_or(u32::MAX);
    Some((name?, Entry { spec, line }))
}

/// An entry whose user this machine does not have is left out: as guardian itself it must not run.
fn check_user(reader: &mut Reader<'_>, key: &SpannedKey<'_>, table: &DeTable<'_>, spec: &Spec, context: &Context) {
    let (Some(user), Some(has_user)) = (&spec.user, context.has_user) else { return };
    if has_user(user) {
        return;
    }
    let at = table.get("user").map_or_else(|| key.span(), Spanned::span); // else it stands in `[defaults]`
    let message = format!("`user`: there is no user {user:?} on this machine");
    reader.fail::<()>(at, message, "`getent passwd` lists those that there are; add it, or name another one");
}

/// Where keys of processes may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Defaults,
    Process,
}

fn read_keys(reader: &mut Reader<'_>, table: &DeTable<'_>, spec: &mut Spec, place: Place) {
    for (name, item) in table {
        match keys::find(name.get_ref()) {
            Some(key)
                if place == Place::Defaults && matches!(key.field, Field::Argv | Field::Shell | Field::Secret(..)) =>
            {
                let message = format!("`{}` cannot be the same for all processes", key.name);
                reader.fail::<()>(name.span(), message, "move it to the `[process.NAME]` it belongs to");
            }
            Some(key) => {
                // What is wrong is in the reader; the spec keeps its default there.
                let _read: Option<()> = read_key(reader, key, item, spec);
            }
            None => reader.unknown(name.span(), name.get_ref(), keys::PROCESS.iter().map(|key| key.name)),
        }
    }
}

/// Reads one value into the field of its key; on `None` the reader knows why.
fn read_key(reader: &mut Reader<'_>, key: &Key, item: &Item<'_>, spec: &mut Spec) -> Option<()> {
    let name = key.name;
    match key.field {
        Field::Argv => spec.command = Command::Argv(reader.argv(name, item)?),
        Field::Shell => spec.command = Command::Shell(reader.text(name, item)?),
        Field::Target => spec.target = read_target(reader, name, item)?,
        Field::Share(of) => *of(spec) = reader.share(name, item)?,
        Field::Switch(of) => *of(spec) = reader.switch(name, item)?,
        Field::Words(words, _, set) => set(spec, reader.word(name, item, words)?),
        Field::Path(of) => *of(spec) = Some(reader.path(name, item)?),
        Field::Text(of) => *of(spec) = Some(reader.text(name, item)?),
        Field::Pairs(of) => of(spec).extend(reader.pairs(name, item)?),
        Field::Variables(of) => *of(spec) = reader.variables(name, item)?,
        Field::Sinks(of) => {
            let auto = item.get_ref().as_str() == Some(AUTO);
            *of(spec) = if auto { vec![AUTO.to_owned()] } else { reader.texts(name, item)? };
        }
        Field::Processes(of) => *of(spec) = reader.processes(name, item)?,
        Field::Signal(of) => *of(spec) = read_signal(reader, name, item)?,
        Field::Duration(of) => *of(spec) = reader.duration(name, item)?,
        Field::SomeTime(of) => {
            *of(spec) = reader.some_time(name, item, "take the key out to have what is usual")?;
        }
        Field::Limit(of) => {
            *of(spec) = Some(reader.some_time(name, item, "take the key out when there is no limit")?);
        }
        Field::Count(of) => *of(spec) = reader.count(name, item)?,
        Field::Most(of) => *of(spec) = Some(reader.most(name, item)?),
        Field::Cores(of) => *of(spec) = Some(reader.cores(name, item)?),
        Field::Size(of) => *of(spec) = Some(reader.size(name, item)?),
        Field::SizeOrOff(of) => *of(spec) = reader.size_or_off(name, item)?,
        Field::Lines(of) => *of(spec) = reader.shell_lines(name, item)?,
        Field::Times(of) => *of(spec) = reader.most(name, item)?,
        Field::Window(of) => *of(spec) = reader.window(name, item)?,
        Field::Ready => spec.ready = Some(reader.probe(name, item, str::parse)?),
        Field::Liveness => spec.probe = Some(reader.probe(name, item, Probe::liveness)?),
        Field::Schedule => spec.schedule = Some(schedule::read_line(reader, name, item)?),
        Field::Zone => spec.zone = schedule::read_zone(reader, name, item)?,
        Field::Never(of) => *of(spec) = reader.ends(name, item)?,
        Field::Secret(spelling, of) => *of(spec) = Some(spelling.read(reader, name, item)?),
        Field::SomeCodes(of) => {
            let codes = reader.codes(name, item)?;
            if codes.is_empty() {
                return reader.fail(
                    item.span(),
                    format!("`{name}` is empty"),
                    "nothing could ever succeed: name a code",
                );
            }
            *of(spec) = codes;
        }
    }
    Some(())
}

fn read_target(reader: &mut Reader<'_>, key: &str, item: &Item<'_>) -> Option<Target> {
    match item.get_ref().as_str() {
        Some("forever") => return Some(Target::Forever),
        Some("exit") => return Some(Target::Exit),
        Some(word) if parse_duration(word).is_err() && word.chars().all(char::is_alphabetic) => {
            let hint = match similar(word, ["forever", "exit"]) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("{} is wanted", super::form::Form::Target.wanted()),
            };
            return reader.fail(item.span(), format!("`{key}` cannot be {word:?}"), hint);
        }
        Some(_) | None => {}
    }
    let hint = "a job that is done when it exits has `target = \"exit\"`, a service `\"forever\"`";
    reader.some_time(key, item, hint).map(Target::For)
}

fn read_signal(reader: &mut Reader<'_>, key: &str, item: &Item<'_>) -> Option<i32> {
    let text = match item.get_ref() {
        DeValue::Integer(digits) => digits.to_string(),
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => reader.text(key, item)?,
    };
    match Signal::from_str(&text) {
        Ok(Signal(number)) => Some(number),
        Err(error) => {
            let common = ["TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2"];
            let bare = text.to_ascii_uppercase().trim_start_matches("SIG").to_owned();
            let hint = match common.into_iter().max_by(|a, b| strsim::jaro(&bare, a).total_cmp(&strsim::jaro(&bare, b)))
            {
                Some(best) if strsim::jaro(&bare, best) > 0.75 => format!("did you mean `{best}`?"),
                Some(_) | None => format!("{} is wanted", super::form::Form::Signal.wanted()),
            };
            reader.fail(item.span(), format!("`{key}`: {error}"), hint)
        }
    }
}

/// Whether a sink that is written down is served, or was dropped because it is not valid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    Yes,
    No,
}

/// Takes sinks that are not served out of `notify`, and reports those that are not even written
/// down: a slip in a sink must neither drop the process nor leave nobody to be told of it.
fn check_sinks(reader: &mut Reader<'_>, item: &Item<'_>, notify: &mut Vec<String>, sinks: &[(String, Served)]) {
    let unknown = |name: &&String| *name != AUTO && sinks.iter().all(|(sink, _)| sink != *name);
    if let Some(place) = item.get_ref().as_table().and_then(|table| table.get("notify")) {
        for name in notify.iter().filter(unknown) {
            let hint = match similar(name, sinks.iter().map(|(sink, _)| sink.as_str())) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => {
                    format!("add `[sinks.{}]`, or take it out; until then the others are told", name.escape_debug())
                }
            };
            reader.fail::<()>(place.span(), format!("`notify`: there is no sink {name:?}"), hint);
        }
    }
    notify.retain(|name| name == AUTO || sinks.iter().any(|(sink, served)| sink == name && *served == Served::Yes));
}

/// The valid processes of a text, for tests of other modules.
#[cfg(test)]
pub(super) fn processes(text: &str) -> std::collections::BTreeMap<String, Spec> {
    let parsed = parse(text, &Context::default());
    parsed.registry.processes.into_iter().map(|(name, entry)| (name.to_string(), entry.spec)).collect()
}
