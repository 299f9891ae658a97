//! `alerts silence` and `alerts unsilence`, and both for short: nobody wants to hear of it for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::healthcheck::{Report, deliver, unknown};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::silence::{Silence as Silenced, Whom};
use crate::model::units::{human_duration, parse_duration};
use crate::os::user;
use crate::registry::Registry;
use crate::store::registry_file::Loaded;
use crate::store::silence;
use crate::supervise::now;
use crate::view::silence::{document, whom};
use crate::view::words::strip_control;

use super::Call;
use super::common::{complain_of, parse, registry};
use super::out::worse;

/// Tells nobody of a process for a while: what is still so at the end is told then
#[derive(Debug, Clone, Parser)]
#[command(after_help = "Example: guardian silence btc-bot 2h --reason 'exchange is down for maintenance'")]
#[command(override_usage = "guardian silence [OPTIONS] <NAME>... <FOR>\n       \
                            guardian silence [OPTIONS] --group <GROUP> <FOR>\n       \
                            guardian silence [OPTIONS] --all <FOR>")]
pub(super) struct Silence {
    /// Names of processes or watches, and at last for how long: `2h`
    #[arg(value_name = "NAME|FOR", required = true)]
    words: Vec<String>,
    /// All of this group, also those that come into it later
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
    /// Everything
    #[arg(short, long, conflicts_with = "group")]
    all: bool,
    /// Why, for the others
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who wants it; you, where it is left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// Ends a silence: what is still so is told now
#[derive(Debug, Clone, Parser)]
#[command(after_help = "Example: guardian unsilence btc-bot")]
pub(super) struct Unsilence {
    /// Names of processes or watches
    #[arg(value_name = "NAME", required_unless_present_any = ["group", "all"])]
    names: Vec<String>,
    /// The silence over this group
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
    /// Every silence that there is
    #[arg(short, long, conflicts_with_all = ["names", "group"])]
    all: bool,
}

pub(super) fn run(call: &Call, command: &Silence) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let (names, time) = split(command)?;
    let whoms = whoms(&loaded, call, &names, command.group.as_deref(), command.all)?;
    let (by, from) = (command.by.clone().unwrap_or_else(user::name), now()?);
    let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX); // a duration is at most 100 years
    let fresh: Vec<Silenced> = whoms
        .into_iter()
        .map(|whom| Silenced { whom, from: from.clone(), for_ms, reason: command.reason.clone(), by: by.clone() })
        .collect();
    silence::change(&call.ctx.paths, &from, |all| {
        // The newest word counts, also where it ends earlier.
        all.retain(|old| fresh.iter().all(|new| new.whom != old.whom));
        all.extend(fresh.iter().cloned());
    })?;
    let documents: Vec<_> = fresh.iter().map(|silence| document(silence, &from)).collect();
    call.out.json(&json!({"schema": SCHEMA, "silences": documents}));
    for silence in &fresh {
        let until = from.plus(time).wall;
        let (whom, time) = (whom(&silence.whom), human_duration(time));
        call.out.say(&format!("{whom}: silenced by {} for {time}, until {until}", strip_control(&by)));
    }
    Ok(complain_of(&loaded, call))
}

/// The names, and the time that stands behind them.
fn split(command: &Silence) -> Result<(Vec<String>, Duration), Error> {
    let usage = |what: String| {
        let hint = "for how long stands at the end: guardian silence NAME 2h";
        Error::new(Code::Usage, "usage", what).hint(hint)
    };
    let Some((last, names)) = command.words.split_last() else { return Err(usage("nothing is named".to_owned())) };
    let time = parse_duration(last).map_err(|error| match last.starts_with(|c: char| c.is_ascii_digit()) {
        true => Error::new(Code::Usage, "usage", error.what).hint(error.hint),
        false => usage(format!("`{}` is no time, and none is given", last.escape_debug())),
    })?;
    if time.is_zero() {
        return Err(Error::new(Code::Usage, "usage", "a silence of no time is none").hint("guardian unsilence NAME"));
    }
    match (names.is_empty(), command.all || command.group.is_some()) {
        (true, false) => Err(usage("nobody is named".to_owned())),
        (false, true) if command.all => Err(usage("names and `--all` are given".to_owned())),
        (_, _) => Ok((names.to_vec(), time)),
    }
}

/// What is named; what the registry does not have is refused.
fn whoms(loaded: &Loaded, call: &Call, names: &[String], group: Option<&str>, all: bool) -> Result<Vec<Whom>, Error> {
    let registry = &loaded.registry;
    let mut whoms = Vec::new();
    for name in parse(names)? {
        if !is_known(registry, &name) {
            return Err(loaded.error(&call.ctx.paths).unwrap_or_else(|| unknown(registry, &name)).about(&name));
        }
        whoms.push(Whom::Process(name));
    }
    if let Some(group) = group {
        let known = groups(registry);
        if !known.contains(group) {
            let hint = match known.is_empty() {
                true => "nothing is in any group: give it one with `group` in the registry".to_owned(),
                false => format!("there are: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("nothing is in group `{}`", group.escape_debug());
            return Err(Error::new(Code::NotRegistered, "not_registered", message).hint(hint));
        }
        whoms.push(Whom::Group(group.to_owned()));
    }
    whoms.extend(all.then_some(Whom::All));
    whoms.dedup();
    Ok(whoms)
}

/// One whose entry has a slip in it is there too.
fn is_known(registry: &Registry, name: &Name) -> bool {
    let invalid = || registry.invalid.iter().any(|invalid| invalid == name.as_str());
    registry.processes.contains_key(name) || registry.watches.contains_key(name) || invalid()
}

fn groups(registry: &Registry) -> BTreeSet<&str> {
    let processes = registry.processes.values().filter_map(|entry| entry.spec.group.as_deref());
    processes.chain(registry.watches.values().filter_map(|entry| entry.spec.group.as_deref())).collect()
}

/// The group of a process or watch.
fn group_of<'r>(registry: &'r Registry, name: &Name) -> Option<&'r str> {
    let process = registry.processes.get(name).and_then(|entry| entry.spec.group.as_deref());
    process.or_else(|| registry.watches.get(name).and_then(|entry| entry.spec.group.as_deref()))
}

pub(super) fn end(call: &Call, command: &Unsilence) -> Result<u8, Error> {
    let (loaded, now) = (registry(call)?, now()?);
    let names = parse(&command.names)?;
    let (left, ended) = silence::change(&call.ctx.paths, &now, |all| {
        let is_meant = |silence: &Silenced| match &silence.whom {
            _ if command.all => true,
            Whom::Process(name) => names.contains(name),
            Whom::Group(group) => command.group.as_ref() == Some(group),
            Whom::All => false,
        };
        let (ended, left) = std::mem::take(all).into_iter().partition::<Vec<_>, _>(is_meant);
        all.clone_from(&left);
        (left, ended)
    })?;
    let documents: Vec<_> = ended.iter().map(|silence| document(silence, &now)).collect();
    call.out.json(&json!({"schema": SCHEMA, "ended": documents}));
    for silence in &ended {
        call.out.say(&format!("{}: no longer silenced", whom(&silence.whom)));
    }
    if ended.is_empty() {
        call.out.say("that was not silenced");
    }
    let mut code = 0;
    for name in &names {
        if let Some(silence) = crate::policy::silence::over(&left, name, group_of(&loaded.registry, name), &now) {
            let whom = whom(&silence.whom);
            call.out.warn(&format!(
                "{name} is still silenced, with {whom}; that ends with: guardian unsilence {}",
                how(silence)
            ));
            code = Code::No as u8;
        }
    }
    if !ended.is_empty() {
        // What cannot be delivered now waits for the next pass.
        let mut report = Report::default();
        let drained = deliver(&call.ctx, &loaded.registry, &mut report)?;
        for error in &drained.errors {
            call.out.warn(error);
        }
    }
    Ok(worse(code, complain_of(&loaded, call)))
}

/// What ends a silence, as it is typed.
fn how(silence: &Silenced) -> String {
    match &silence.whom {
        Whom::Process(name) => name.to_string(),
        Whom::Group(group) => format!("--group {group}"),
        Whom::All => "--all".to_owned(),
    }
}
