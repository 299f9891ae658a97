//! The note that a pass over all processes leaves: `status` tells by it whether the trigger runs.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::model::time::Wall;
use crate::os::lock;
use crate::policy::overdue::Awake;
use crate::store::paths::Paths;
use crate::store::{atomic, checksum};

/// A pass that is this many periods late is overdue.
pub const OVERDUE: u32 = 3;

/// When the last pass over all processes ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastPass {
    /// When it ended.
    pub at: Wall,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The pid namespace that it ran in; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
    /// The same moment on a clock that stands while the machine sleeps; `None`: an earlier version wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awake: Option<Awake>,
    /// Why its ping failed, where one was to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_failed: Option<String>,
}

/// Notes that a pass over all processes ran, unless another one is noting that right now.
///
/// # Errors
/// It cannot be written.
pub fn note(paths: &Paths, last: &LastPass) -> Result<(), Error> {
    atomic::make_dir(&paths.state)?;
    let path = paths.last_pass();
    let Some(_only) = lock::try_take(&path.with_extension("lock"))? else { return Ok(()) };
    let bytes = serde_json::to_vec(last)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("the last pass cannot be written down: {error}")))?;
    atomic::replace_unsynced_dir(&path, &checksum::seal(bytes))
}

/// When the last pass over all processes ran; `None`: never, or it cannot be told.
///
/// # Errors
/// The note is there and cannot be read, or is damaged.
pub fn last(paths: &Paths) -> Result<Option<LastPass>, Error> {
    let Some(bytes) = atomic::read_if_there(&paths.last_pass())? else { return Ok(None) };
    let note =
        Some(&bytes).filter(|bytes| checksum::is_intact(bytes)).and_then(|bytes| serde_json::from_slice(bytes).ok());
    note.map(Some).ok_or_else(|| {
        let message = format!("the note of the last pass `{}` is damaged", paths.last_pass().display());
        Error::new(Code::System, "last_pass_damaged", message)
            .hint("the next pass writes it anew: guardian healthcheck")
    })
}
