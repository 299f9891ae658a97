//! Markers of `run --once KEY`: which run a key stands for, so that the same key never runs twice.
//!
//! Written before that run is started, under the lock of its key and that of its process. A marker whose run never began
//! (its number was not given out) was left by a crash: the one that finds it starts that run. Kept for good.

use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::paths::Paths;
use super::{atomic, checksum};
use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::os::lock;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this form.
    pub schema: u32,
    /// The key.
    pub key: String,
    /// The process that runs for it.
    pub name: Name,
    /// Which registration of that name; see `State::epoch`.
    pub epoch: String,
    /// The run that is the one for this key.
    pub run: u64,
    /// When it was asked for.
    pub at: Wall,
    /// How it ended, once the process itself is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// The end of the run for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code, as `wait` gives it.
    pub code: u8,
    /// The verdict, in its word.
    pub verdict: String,
}

fn dir(paths: &Paths) -> PathBuf {
    paths.state.join("once")
}

/// A key may be any text, so its file is named by a hash of it.
fn path(paths: &Paths, key: &str, ending: &str) -> PathBuf {
    let hash: String = digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    dir(paths).join(format!("{hash}.{ending}"))
}

/// Waits for the right to decide about `key`.
///
/// # Errors
/// The lock cannot be made.
pub fn lock(paths: &Paths, key: &str) -> Result<lock::Held, Error> {
    atomic::make_dir(&dir(paths))?;
    lock::wait(&path(paths, key, "lock"))
}

/// What is known of `key`; `None`: nothing, it was never given.
///
/// # Errors
/// The marker cannot be read or is damaged: never taken for none.
pub fn load(paths: &Paths, key: &str) -> Result<Option<Marker>, Error> {
    read(&path(paths, key, "json"))
}

fn read(path: &Path) -> Result<Option<Marker>, Error> {
    let Some(bytes) = atomic::read_if_there(path)? else { return Ok(None) };
    let damaged = |why: String| {
        Error::new(Code::System, "once_damaged", format!("marker `{}` is damaged: {why}", path.display()))
            .hint("what it stands for may have run; if it may run again, move the file away")
    };
    if !checksum::is_intact(&bytes) {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

/// Keeps a marker: on the disk, whole, when this returns.
///
/// # Errors
/// It cannot be written; an earlier one is intact.
pub fn save(paths: &Paths, marker: &Marker) -> Result<(), Error> {
    let bytes = serde_json::to_vec(marker)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("a marker cannot be written down: {error}")))?;
    atomic::replace(&path(paths, &marker.key, "json"), &checksum::seal(bytes))
}

/// The keys that stand for runs of this registration of `name`.
///
/// # Errors
/// One cannot be read.
pub fn of(paths: &Paths, name: &Name, epoch: &str) -> Result<Vec<Marker>, Error> {
    let dir = dir(paths);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", &dir, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io("read", &dir, &error))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            found.extend(read(&path)?.filter(|marker| marker.name == *name && marker.epoch == epoch));
        }
    }
    Ok(found)
}
