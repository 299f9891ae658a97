//! `deregister`: a process leaves the registry; its logs and history stay.

use std::collections::BTreeSet;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::state::Desired;
use crate::registry::Registry;
use crate::registry::edit::remove;
use crate::store::journal;
use crate::store::registry_file::{self, Loaded};
use crate::supervise::Held;
use crate::view::status::State as Word;

use super::common::{Fresh, known, parse, registry};
use super::{Call, requests, stop};

/// Removes processes from the registry
///
/// Refused while one runs, unless --stop is given. Logs and history stay.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian deregister btc-bot --stop")]
pub(super) struct Deregister {
    /// Names of processes
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Stop what runs
    #[arg(long)]
    stop: bool,
}

pub(super) fn run(call: &Call, command: &Deregister) -> Result<u8, Error> {
    let names = parse(&command.names)?;
    let loaded = registry(call)?;
    let fresh = Fresh::default();
    // All are looked at before the first one goes.
    let mut there = Vec::new();
    let mut gone = Vec::new();
    for name in names.into_iter().collect::<BTreeSet<_>>() {
        match is_there(&loaded, &name, call)? {
            true => there.push(name),
            false => gone.push(name),
        }
    }
    let names = refuse_needed(&loaded.registry, &there)?;
    if let Some(why) = requests::needed(call).filter(|_| !names.is_empty()) {
        let option = command.stop.then(|| "--stop".to_owned());
        return requests::ask_each(call, &why, "deregister", &names, option.as_slice());
    }
    for name in &gone {
        call.out.say(&format!("{name}: was deregistered before; its log and history stay until `guardian prune`"));
    }
    for name in &names {
        if loaded.registry.invalid.iter().any(|invalid| invalid == name.as_str()) {
            take_out(call, name)?; // nothing of it can be read, so nothing of it is held
        } else {
            fresh.with(call, name, |held| {
                down(call, command, held)?;
                take_out(call, name) // under the lock: no start comes between
            })?;
        }
        call.out.say(&format!("{name}: deregistered; its log and history stay"));
    }
    call.out.json(&json!({"schema": SCHEMA, "deregistered": names, "already": gone}));
    Ok(0)
}

/// Whether `name` is in the registry, be its entry valid or not; one that has left it and has a history still is not.
fn is_there(loaded: &Loaded, name: &Name, call: &Call) -> Result<bool, Error> {
    if loaded.registry.invalid.iter().any(|invalid| invalid == name.as_str()) {
        return Ok(true);
    }
    match known(loaded, std::slice::from_ref(name), call) {
        Ok(()) => Ok(true),
        Err(error) if error.code == Code::NotRegistered && journal::is_there(&call.ctx.paths, name) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names in an order in which none is taken out that another one needs.
fn refuse_needed(registry: &Registry, names: &[Name]) -> Result<Vec<Name>, Error> {
    let graph = registry.graph();
    for name in names {
        if let Some(by) = graph.needed_by(name).find(|by| !names.contains(by)) {
            let message = format!("process `{by}` depends on `{name}`");
            let hint =
                format!("take it out of `depends_on` of `{by}`, or deregister both: guardian deregister {by} {name}");
            return Err(Error::new(Code::Refused, "needed", message).hint(hint).about(name));
        }
    }
    let mut ordered = graph.order(names);
    ordered.reverse();
    Ok(ordered)
}

fn take_out(call: &Call, name: &Name) -> Result<(), Error> {
    registry_file::update(&call.ctx.paths, call.ctx.home.as_deref(), |text| {
        remove(text, name).map(|edited| edited.text).map_err(|error| Error::from(error).about(name))
    })
    .map(drop)
}

/// Nothing of it runs when this returns.
fn down(call: &Call, command: &Deregister, held: &mut Held<'_>) -> Result<(), Error> {
    let name = held.name;
    if Word::of(&held.consider()?).is_alive() && !command.stop {
        let message = format!("process `{name}` is running");
        return Err(Error::new(Code::Refused, "running", message)
            .hint(format!("guardian deregister {name} --stop stops it first"))
            .about(name));
    }
    match command.stop {
        true => stop::down(call, held, None).map(drop),
        false => stop::until_gone(call, held, None, Desired::Down).map(drop),
    }
}
