//! `deregister`: a process leaves the registry; its logs and history stay.

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::registry::edit::remove;
use crate::store::registry_file::{self, Loaded};
use crate::store::state;
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

use super::common::{known, parse, registry};
use super::{Call, stop};

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
    let removable = |name: &Name| loaded.registry.invalid.iter().any(|invalid| invalid == name.as_str());
    for name in names.iter().filter(|name| !removable(name)) {
        known(&loaded, std::slice::from_ref(name), call)?;
        down(call, command, name, &loaded)?;
    }
    for name in &names {
        registry_file::update(&call.ctx.paths, call.ctx.home.as_deref(), |text| {
            remove(text, name).map(|edited| edited.text).map_err(|error| Error::from(error).about(name))
        })?;
        call.out.say(&format!("{name}: deregistered; its log and history stay"));
    }
    call.out.json(&json!({"schema": SCHEMA, "deregistered": names}));
    Ok(0)
}

/// Nothing of it runs when this returns.
fn down(call: &Call, command: &Deregister, name: &Name, loaded: &Loaded) -> Result<(), Error> {
    let Some(entry) = loaded.registry.processes.get(name) else { return Ok(()) };
    let Some(state) = state::load(&call.ctx.paths, name)? else { return Ok(()) };
    let now = now()?;
    let decision = consider(&call.ctx, name, &entry.spec, &state, &now);
    if Word::of(&decision).is_alive() && !command.stop {
        let message = format!("process `{name}` is running");
        return Err(Error::new(Code::Refused, "running", message)
            .hint(format!("guardian deregister {name} --stop stops it first"))
            .about(name));
    }
    stop::one(call, name, &loaded.registry, None).map(drop)
}
