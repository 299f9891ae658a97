//! `register`: a process comes into the registry, and its environment is taken down.

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::state::State;
use crate::os::{process, user, zone};
use crate::policy::environment::unbound;
use crate::policy::schedule::{self, activate};
use crate::registry::edit::{Change, Replace, insert};
use crate::registry::value::{Draft, Value};
use crate::registry::{Context as Reading, Registry};
use crate::store::environment::{Snapshot, load, save};
use crate::store::record::Durable;
use crate::store::registry_file::{self, Staged};
use crate::store::{journal, state};
use crate::supervise::{now, registered};
use crate::view::schedule::sentence;

use super::ready::Until;
use super::spec_args::SpecArgs;
use super::{Call, requests, start};

/// Puts a process into the registry
///
/// Its environment is taken down now, less what is bound to this session, so that a start from
/// cron finds the same PATH and virtual environment. Saying the same twice is not an error.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian register btc-bot --target 8h --start -- python3 bot.py")]
pub(super) struct Register {
    /// Name of the process: 1 to 64 of `a-z 0-9 . _ -`
    #[arg(value_name = "NAME")]
    name: String,
    /// Take the new description where the name is registered with another one
    #[arg(long)]
    replace: bool,
    /// Start it at once
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    spec: SpecArgs,
}

pub(super) fn run(call: &Call, command: &Register) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    // Where only what is started would end, the registry can be written: then only the start is asked for.
    if let Some(why) = requests::needed(call).filter(|_| command.start) {
        return requests::ask(call, &why, "register", vec![(name, requests::words_after("register")?)]);
    }
    let draft = draft(&command.spec)?;
    let replace = if command.replace { Replace::Allow } else { Replace::Refuse };
    let (change, registry) = put(call, &name, &draft, replace)?;
    take_down_environment(call, &name, change, replace)?;
    let word = word(change);
    let next = count(call, &name, change, &registry)?;
    if !command.start {
        let next = next.map(|next| format!("; {next}")).unwrap_or_default();
        call.out.say(&format!("{name}: {word}{next}"));
        call.out.json(&json!({"schema": SCHEMA, "name": name, "result": word, "started": false}));
        return Ok(0);
    }
    start::start_all(call, &[name], Some(word), Until::Begun)
}

/// What is to be registered; in the directory of the caller, where none is given.
pub(super) fn draft(spec: &SpecArgs) -> Result<Draft, Error> {
    let here = std::env::current_dir().map_err(|error| {
        Error::new(Code::System, "no_cwd", format!("cannot tell the working directory: {error}"))
            .hint("it may have been removed: change to one that exists, or give --cwd")
    })?;
    let mut draft = spec.draft(&here)?;
    // Another user's home is where its program begins.
    if draft.get("cwd").is_none() && draft.get("user").is_none() {
        let here = here.to_str().ok_or_else(|| {
            Error::new(Code::Usage, "bad_cwd", "the working directory is not UTF-8, so the registry cannot hold it")
                .hint("give --cwd")
        })?;
        draft.set("cwd", Value::Text(here.to_owned()));
    }
    Ok(draft)
}

/// Puts `name` into the registry; its history begins, if it is new. What was done, and the registry as it is now.
fn put(call: &Call, name: &Name, draft: &Draft, replace: Replace) -> Result<(Change, Registry), Error> {
    let (change, staged) = stage(call, name, draft, replace)?;
    let registry = land(call, name, change, staged)?;
    Ok((change, registry))
}

/// What is to be done with `name` in the registry, on its way to the disk.
pub(super) fn stage(call: &Call, name: &Name, draft: &Draft, replace: Replace) -> Result<(Change, Staged), Error> {
    let reading = Reading { home_dir: call.ctx.home.clone(), zone: zone::name(), has_user: Some(user::is_there) };
    let mut change = Change::None;
    let staged = registry_file::stage(&call.ctx.paths, call.ctx.home.as_deref(), |text| {
        let edited = insert(text, name, draft, replace, &reading).map_err(|error| Error::from(error).about(name))?;
        change = edited.change;
        Ok(edited.text)
    })?;
    Ok((change, staged))
}

/// Puts it in its place.
pub(super) fn land(call: &Call, name: &Name, change: Change, staged: Staged) -> Result<Registry, Error> {
    let updated = staged.finish(&call.ctx.paths)?;
    state::prepare(&call.ctx.paths, name)?;
    if change == Change::Added {
        tell(call, name, &updated.registry)?;
    }
    Ok(updated.registry)
}

/// What was done, in a word.
pub(super) fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "registered",
        Change::Replaced => "replaced",
        Change::None | Change::Removed => "unchanged",
    }
}

/// A process that stays as it is keeps the environment it has, unless `--replace` says otherwise: the one that asks now
/// may be poorer. One that is damaged is taken down anew.
pub(super) fn take_down_environment(call: &Call, name: &Name, change: Change, replace: Replace) -> Result<(), Error> {
    let Some(snapshot) = environment_of(call, name, change, replace) else { return Ok(()) };
    let _held = state::lock(&call.ctx.paths, name)?;
    save(&call.ctx.paths, name, &snapshot)
}

/// The environment that is to be taken down; `None`: it keeps the one it has.
pub(super) fn environment_of(call: &Call, name: &Name, change: Change, replace: Replace) -> Option<Snapshot> {
    let kept = change == Change::None && replace == Replace::Refuse;
    if kept && matches!(load(&call.ctx.paths, name), Ok(Some(_))) {
        return None;
    }
    Some(Snapshot { variables: unbound(&call.ctx.environment), umask: process::umask() })
}

/// The times of its schedule count from now on; when it is due next, in words. `None`: it has no schedule.
pub(super) fn count(call: &Call, name: &Name, change: Change, registry: &Registry) -> Result<Option<String>, Error> {
    let spec = registry.processes.get(name).map(|entry| &entry.spec).filter(|spec| spec.schedule.is_some());
    let Some(spec) = spec else { return Ok(None) };
    let now = now()?;
    let _held = state::lock(&call.ctx.paths, name)?;
    let mut state = state::load(&call.ctx.paths, name)?.unwrap_or_else(|| State::new(&now));
    match change {
        Change::Added => schedule::registered(&mut state, spec, now.wall),
        Change::Replaced => activate(&mut state, spec, now.wall),
        Change::None | Change::Removed => return Ok(sentence(name.as_str(), spec, &state, now.wall)),
    }
    state::commit(&call.ctx.paths, name, &state)?;
    Ok(sentence(name.as_str(), spec, &state, now.wall))
}

/// The history of a process begins here.
pub(super) fn tell(call: &Call, name: &Name, registry: &Registry) -> Result<(), Error> {
    let now = now()?;
    let _held = state::lock(&call.ctx.paths, name)?;
    let state = match state::load(&call.ctx.paths, name)? {
        Some(state) => state,
        None => {
            let state = State::new(&now);
            state::commit(&call.ctx.paths, name, &state)?;
            state
        }
    };
    let group = registry.processes.get(name).and_then(|entry| entry.spec.group.as_deref());
    let event = registered(name, &state, group, now.wall);
    journal::append(&call.ctx.paths, name, &[event], Durable::No)
}
