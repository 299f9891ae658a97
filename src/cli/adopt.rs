//! `adopt`: a process that runs already is registered and watched, without being touched.

use clap::Parser;
use serde_json::json;

use crate::adopt::Adoptee;
use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::os::{lock, zone};
use crate::registry::Context as Reading;
use crate::registry::edit::{Replace, insert};
use crate::registry::value::Value;
use crate::store::environment::save;
use crate::store::{atomic, registry_file, state};
use crate::strays::guarded;
use crate::supervise::{Outcome, now};

use super::Call;
use super::common::{Fresh, registry};
use super::spec_args::WithoutCommand;

/// Takes a process that runs already under guard
///
/// It is registered with its own command, directory and environment, where none are given, and watched from now on. It
/// is not touched: its output stays where it goes, and it stays in the session that it was started in. The next run is
/// started afresh, as any other.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian adopt btc-bot --pid 4711 --target 8h")]
pub(super) struct Adopt {
    /// Name that it gets: 1 to 64 of `a-z 0-9 . _ -`
    #[arg(value_name = "NAME")]
    name: String,
    /// The process
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: i32,
    #[command(flatten)]
    spec: WithoutCommand,
}

pub(super) fn run(call: &Call, command: &Adopt) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let (ctx, paths) = (&call.ctx, &call.ctx.paths);
    atomic::make_dir(&paths.state)?;
    let _alone = lock::wait(&paths.state.join("adopt.lock"))?; // two names for one process would be two of it later
    let loaded = registry(call)?;
    let adoptee = match Adoptee::look(ctx, &loaded.registry, command.pid) {
        Err(error)
            if error.kind == "guarded" && guarded(ctx, &loaded.registry, &now()?)?.get(&command.pid) == Some(&name) =>
        {
            let run = state::load(paths, &name)?.map(|state| state.run);
            call.out.say(&format!("{name}: pid {} is guarded already", command.pid));
            call.out.json(
                &json!({"schema": SCHEMA, "name": name, "result": "already_guarded", "run": run, "pid": command.pid}),
            );
            return Ok(0);
        }
        looked => looked?,
    };
    let cwd = adoptee.cwd();
    // What was given relative is meant from where it was given.
    let here = std::env::current_dir()
        .map_err(|error| Error::new(Code::System, "no_cwd", format!("cannot tell the working directory: {error}")))?;
    let mut draft = command.spec.0.draft(&here)?;
    if command.spec.0.command().is_empty() {
        draft.set("command", Value::Texts(adoptee.command()?));
    }
    if draft.get("cwd").is_none() {
        draft.set("cwd", Value::Text(cwd?));
    }
    let reading = Reading { home_dir: ctx.home.clone(), zone: zone::name() };
    registry_file::update(paths, ctx.home.as_deref(), |text| {
        let edited =
            insert(text, &name, &draft, Replace::Refuse, &reading).map_err(|error| taken(error.into(), &name))?;
        Ok(edited.text)
    })?;
    state::prepare(paths, &name)?;
    let mut outcome = Outcome::default();
    let (run, watched) = Fresh::default().with(call, &name, |held| {
        save(paths, &name, &adoptee.snapshot())?;
        let watched = adoptee.take(held, &mut outcome)?;
        Ok((held.state.run, watched))
    })?;
    for error in &outcome.errors {
        call.out.warn(&error.message);
    }
    let output = adoptee.output.as_ref().map(|path| path.display().to_string());
    call.out.json(&json!({"schema": SCHEMA, "name": name, "result": "adopted", "run": run, "pid": command.pid,
                          "began_at": adoptee.began.wall.to_string(), "output": output, "watched": watched}));
    if !watched {
        let message = format!("process {} ended while it was adopted", command.pid);
        return Err(Error::new(Code::NotRunning, "ended", message)
            .hint(format!("`{name}` is registered, and the next pass does what follows: guardian status {name}"))
            .about(&name));
    }
    call.out.say(&format!("{name}: adopted pid {} as run {run}", command.pid));
    let output = output.unwrap_or_else(|| "where it went before".to_owned());
    call.out.say(&format!("its output stays where it goes, {output}: `guardian logs` has that of the next run on"));
    call.out.say("it stays in the session that started it: what ends that whole session may end it too");
    Ok(0)
}

/// The way out for a name that is taken is another name.
fn taken(error: Error, name: &Name) -> Error {
    match error.kind {
        "spec_differs" => error.hint(format!("adopt it under another name, or: guardian deregister {name}")),
        _ => error,
    }
}
