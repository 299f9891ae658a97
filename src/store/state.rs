//! The state of one process on disk: one JSON file, replaced whole by one rename.

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::state::{SCHEMA, State};
use crate::os::lock;

use super::atomic::{self, Beside};
use super::checksum;
use super::paths::Paths;
use super::record;

fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.process_state(name)
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// What is remembered of `name`; `None`: nothing yet.
///
/// # Errors
/// It cannot be read, is damaged, or a later version wrote it: never taken for empty.
pub fn load(paths: &Paths, name: &Name) -> Result<Option<State>, Error> {
    let path = path(paths, name);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(None) };
    let damaged = |error: String| {
        let message = format!("state `{}` is damaged: {error}", path.display());
        let hint = format!("nothing is done about `{name}` until it is mended; move the file away to begin anew");
        Error::new(Code::System, "state_damaged", message).hint(hint).about(name)
    };
    if !checksum::is_intact(&bytes) {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    match checksum::read::<State>(&bytes) {
        Ok(state) if state.schema <= SCHEMA => Ok(Some(state)),
        outcome => {
            let version: Version = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
            if version.schema > SCHEMA {
                let message =
                    format!("state `{}` has schema {}, this guardian knows {SCHEMA}", path.display(), version.schema);
                let error = Error::new(Code::System, "state_newer", message);
                return Err(error.hint("use the newer guardian that wrote it").about(name));
            }
            outcome.map(Some).map_err(|error| damaged(error.to_string()))
        }
    }
}

/// Commits the state of `name`: on the disk, whole, when this returns. Its lock is held by the caller.
///
/// # Errors
/// It cannot be written; the earlier state is intact.
pub fn commit(paths: &Paths, name: &Name, state: &State) -> Result<(), Error> {
    commit_unsettled(paths, name, state)?;
    settle(paths, name)
}

/// As [`commit`], but until [`settle`] a power cut may bring the earlier state back, whole. For a commit
/// whose act is a start: what was started is gone with the power too, and the earlier state leads to the same again.
///
/// # Errors
/// It cannot be written; the earlier state is intact.
pub fn commit_unsettled(paths: &Paths, name: &Name, state: &State) -> Result<(), Error> {
    beside(paths, name, state)?.put().map_err(|error| error.about(name))
}

/// The first half of [`commit_unsettled`]: on the disk, and not yet to be seen.
///
/// # Errors
/// It cannot be written.
pub fn beside(paths: &Paths, name: &Name, state: &State) -> Result<Beside, Error> {
    let bytes = serde_json::to_vec(state)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("state of `{name}` cannot be written down: {error}")))?;
    atomic::beside(&path(paths, name), &checksum::seal(bytes)).map_err(|error| error.about(name))
}

/// Makes the last commit of `name` outlast a power cut.
///
/// # Errors
/// The directory cannot be synced.
pub fn settle(paths: &Paths, name: &Name) -> Result<(), Error> {
    atomic::sync_dir(&paths.process(name)).map_err(|error| error.about(name))
}

/// Makes the directories of `name`.
///
/// # Errors
/// One cannot be made.
pub fn prepare(paths: &Paths, name: &Name) -> Result<(), Error> {
    for dir in paths.directories() {
        atomic::make_dir(&dir)?;
    }
    record::prepare(paths, name)
}

/// Waits for the right to change the state of `name`.
///
/// # Errors
/// The lock cannot be made.
pub fn lock(paths: &Paths, name: &Name) -> Result<lock::Held, Error> {
    let path = paths.process(name).join("lock");
    if let Ok(held) = lock::wait(&path) {
        return Ok(held); // nearly always: its directory is there
    }
    prepare(paths, name)?;
    lock::wait(&path)
}

/// The right to change the state of `name`, unless somebody is changing it right now.
///
/// # Errors
/// The lock cannot be made.
pub fn try_lock(paths: &Paths, name: &Name) -> Result<Option<lock::Held>, Error> {
    let path = paths.process(name).join("lock");
    if let Ok(outcome) = lock::try_take(&path) {
        return Ok(outcome);
    }
    prepare(paths, name)?;
    lock::try_take(&path)
}
