//! The state of one watch on disk: one JSON file, replaced whole by one rename.

use serde::Deserialize;

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::state::SCHEMA;
use crate::model::watch_state::WatchState;
use crate::os::lock;

use super::paths::Paths;
use super::{atomic, checksum, state};

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// What is remembered of the watch `name`; `None`: nothing yet.
///
/// # Errors
/// It cannot be read, is damaged, or a later version wrote it: never taken for empty.
pub fn load(paths: &Paths, name: &Name) -> Result<Option<WatchState>, Error> {
    let path = paths.watch(name);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(None) };
    let damaged = |why: String| {
        let message = format!("state `{}` is damaged: {why}", path.display());
        let hint = format!("nothing is done about `{name}` until it is mended; move the file away to begin anew");
        Error::new(Code::System, "state_damaged", message).hint(hint).about(name)
    };
    if !checksum::is_intact(&bytes) {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    let version: Version = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if version.schema > SCHEMA {
        let message = format!("state `{}` has schema {}, this guardian knows {SCHEMA}", path.display(), version.schema);
        let error = Error::new(Code::System, "state_newer", message);
        return Err(error.hint("use the newer guardian that wrote it").about(name));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

/// Commits the state of `name`: on the disk, whole, when this returns. Its lock is held by the caller.
///
/// # Errors
/// It cannot be written; the earlier state is intact.
pub fn commit(paths: &Paths, name: &Name, state: &WatchState) -> Result<(), Error> {
    note(paths, name, state)?;
    atomic::sync_dir(&paths.state.join("watch")).map_err(|error| error.about(name))
}

/// The same, for a look from which nothing follows: a power cut may bring the look before it back.
///
/// # Errors
/// It cannot be written; the earlier state is intact.
pub fn note(paths: &Paths, name: &Name, state: &WatchState) -> Result<(), Error> {
    let bytes = serde_json::to_vec(state)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("state of `{name}` cannot be written down: {error}")))?;
    atomic::replace_unsynced_dir(&paths.watch(name), &checksum::seal(bytes)).map_err(|error| error.about(name))
}

/// The right to change the state of the watch `name`; `None`: somebody is changing it right now.
///
/// # Errors
/// The lock cannot be made.
pub fn try_lock(paths: &Paths, name: &Name) -> Result<Option<lock::Held>, Error> {
    prepare(paths, name)?;
    lock::try_take(&paths.watch(name).with_extension("lock"))
}

/// Waits for the right to change the state of the watch `name`.
///
/// # Errors
/// The lock cannot be made.
pub fn lock(paths: &Paths, name: &Name) -> Result<lock::Held, Error> {
    prepare(paths, name)?;
    lock::wait(&paths.watch(name).with_extension("lock"))
}

/// Makes the directories; its history lies where those of processes do.
fn prepare(paths: &Paths, name: &Name) -> Result<(), Error> {
    if paths.watch(name).exists() {
        return Ok(());
    }
    atomic::make_dir(&paths.state.join("watch"))?;
    state::prepare(paths, name)
}
