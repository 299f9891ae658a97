//! A job that is completed for `forget_after` is forgotten by a pass: its log, its history, its entry in the registry.
//!
//! The log goes first and the state last, so that a pass that is cut off is done again by the next one. Between the entry
//! and the state nothing but a mark tells that the state is to go as well, as what is deregistered keeps its own.
//! What a key of `run --once` stands for is written into its marker before. The directory itself stays, with the lock in
//! it: whoever waits for that lock goes on with the same one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::Error;
use crate::model::ending::EndedRun;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::{Phase, State};
use crate::model::time::Wall;
use crate::registry::Registry;
use crate::registry::edit::remove;
use crate::store::once::{Ended, load, lock, of, save};
use crate::store::paths::Paths;
use crate::store::{atomic, registry_file, rotation, state};
use crate::view::exit_code::code_of;

/// The files of a process that others may read.
const SENTINELS: [&str; 4] = ["pid", "heartbeat", "status", "result"];

/// Whether it is completed for so long that it is to be forgotten.
#[must_use]
pub fn is_due(spec: &Spec, state: &State, now: Wall) -> bool {
    let (Some(after), Phase::Completed) = (spec.forget_after, &state.phase) else { return false };
    let ended = state.last.as_ref().and_then(|last| last.ended);
    ended.is_some_and(|ended| ended.until(now) >= after)
}

/// Forgets `name`, if nobody needs it and it is still due. False: it stays.
///
/// # Errors
/// A file cannot be removed, or the registry not be changed; the next pass goes on.
pub fn forget(ctx: &Context, registry: &Registry, name: &Name, spec: &Spec, now: Wall) -> Result<bool, Error> {
    let paths = &ctx.paths;
    if registry.graph().needed_by(name).next().is_some() {
        return Ok(false);
    }
    if let Some(state) = state::load(paths, name)? {
        keep_ends(ctx, name, &state)?;
    }
    let Some(_held) = state::try_lock(paths, name)? else { return Ok(false) };
    let Some(state) = state::load(paths, name)? else { return Ok(false) };
    if !is_due(spec, &state, now) || !state.pending.is_empty() {
        return Ok(false);
    }
    rotation::forget(&paths.log(name))?;
    for kind in SENTINELS {
        atomic::remove_if_there(&paths.sentinel(name, kind))?;
    }
    atomic::make_dir(&marks(paths))?;
    atomic::replace(&marks(paths).join(name.as_str()), b"")?;
    registry_file::update(paths, ctx.home.as_deref(), |text| {
        remove(text, name).map(|edited| edited.text).map_err(|error| Error::from(error).about(name))
    })?;
    clear(paths, name)?;
    Ok(true)
}

/// Where those are marked whose entry goes, until their state is gone.
fn marks(paths: &Paths) -> PathBuf {
    paths.state.join("forgetting")
}

/// Removes all that is left of one that is in the registry no more. Its lock is held.
fn clear(paths: &Paths, name: &Name) -> Result<(), Error> {
    let dir = paths.process(name);
    empty(&dir.join("run"))?;
    empty(&dir)?;
    atomic::remove_if_there(&marks(paths).join(name.as_str()))
}

/// Does the rest for those whose forgetting was cut off behind the registry. What failed.
#[must_use]
pub fn finish(ctx: &Context) -> Vec<Error> {
    let marks = marks(&ctx.paths);
    let entries = match fs::read_dir(&marks) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![Error::io("read", &marks, &error)],
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Name>().ok());
    names.filter_map(|name| finish_one(ctx, &name).err().map(|error| error.about(&name))).collect()
}

fn finish_one(ctx: &Context, name: &Name) -> Result<(), Error> {
    let Some(_held) = state::try_lock(&ctx.paths, name)? else { return Ok(()) };
    // Read with the lock held: who registers it anew puts nothing into its directory before we are through.
    let loaded = registry_file::load(&ctx.paths, ctx.home.as_deref())?;
    if !loaded.problems.is_empty() {
        return Ok(()); // what is not served may still be meant
    }
    match loaded.registry.processes.contains_key(name) {
        true => atomic::remove_if_there(&marks(&ctx.paths).join(name.as_str())), // not begun, or registered anew
        false => clear(&ctx.paths, name),
    }
}

/// How the runs ended that keys of `run --once` stand for.
fn keep_ends(ctx: &Context, name: &Name, state: &State) -> Result<(), Error> {
    let Some(EndedRun { run, verdict, .. }) = &state.last else { return Ok(()) };
    let ended = state.last.as_ref().map(|last| Ended { code: code_of(last), verdict: verdict.word().to_owned() });
    for marker in of(&ctx.paths, name, &state.epoch)? {
        if marker.run == *run && marker.ended.is_none() {
            let _held = lock(&ctx.paths, &marker.key)?;
            if let Some(marker) = load(&ctx.paths, &marker.key)? {
                save(&ctx.paths, &crate::store::once::Marker { ended: ended.clone(), ..marker })?;
            }
        }
    }
    Ok(())
}

/// Removes the files of a directory, but for the lock.
fn empty(dir: &Path) -> Result<(), Error> {
    let fail = |error: std::io::Error| Error::io("read", dir, &error);
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if !path.is_dir() && path.file_name().is_some_and(|file| file != "lock") {
            atomic::remove_if_there(&path)?;
        }
    }
    Ok(())
}
