//! How the session that started a process is woken: `notify = "auto"`. One small file beside its state, for nobody else's eyes.

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::wake::{Harness, Wake};

use super::atomic;
use super::paths::Paths;

fn path(paths: &Paths, name: &Name) -> std::path::PathBuf {
    paths.process(name).join("wake.json")
}

/// The way to the session that started it last; `None`: nobody is to be woken.
///
/// # Errors
/// It is there and cannot be read.
pub fn load(paths: &Paths, name: &Name) -> Result<Option<Wake>, Error> {
    let path = path(paths, name);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let message = format!("`{}` is not valid: {error}", path.display());
        Error::new(Code::System, "state", message)
            .hint("remove it; the next start by an agent writes it anew")
            .about(name)
    })
}

/// The file of JSON lines that gets every message to a session, for when that is gone.
#[must_use]
pub fn inbox(paths: &Paths) -> String {
    paths.state.join("inbox.jsonl").to_string_lossy().into_owned()
}

/// For a session that is not known any more, because what was kept of it is damaged: its inbox is left.
#[must_use]
pub fn inbox_alone(paths: &Paths) -> Wake {
    Wake { inbox: Some(inbox(paths)), ..Wake::new(Harness::Claude) }
}

/// Nobody is to be woken any more.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(paths: &Paths, name: &Name) -> Result<(), Error> {
    atomic::remove_if_there(&path(paths, name))
}

/// Keeps it, before the process is started.
///
/// # Errors
/// It cannot be written.
pub fn keep(paths: &Paths, name: &Name, wake: &Wake) -> Result<(), Error> {
    let bytes = serde_json::to_vec(wake)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("a session cannot be written down: {error}")))?;
    atomic::make_dir(&paths.process(name))?;
    atomic::replace(&path(paths, name), &bytes)
}
