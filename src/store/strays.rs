//! Strays that passes have seen: since when, and whether each was told. One file, there only while there is one.

use crate::error::{Code, Error};
use crate::os::lock;
use crate::policy::strays::Known;

use super::paths::Paths;
use super::{atomic, checksum};

fn path(paths: &Paths) -> std::path::PathBuf {
    paths.state.join("strays.json")
}

/// The right to tell of strays; `None`: another pass has it.
///
/// # Errors
/// The lock cannot be used.
pub fn lock(paths: &Paths) -> Result<Option<lock::Held>, Error> {
    atomic::make_dir(&paths.state)?;
    lock::try_take(&path(paths).with_extension("lock"))
}

/// Those that were seen last.
///
/// # Errors
/// The file is there and cannot be read, or is damaged.
pub fn load(paths: &Paths) -> Result<Vec<Known>, Error> {
    let Some(bytes) = atomic::read_if_there(&path(paths))? else { return Ok(Vec::new()) };
    let whole = Some(&bytes).filter(|bytes| checksum::is_intact(bytes));
    let known: Option<Noted> = whole.and_then(|bytes| serde_json::from_slice(bytes).ok());
    known.map(|noted| noted.strays).ok_or_else(|| {
        let message = format!("`{}` is damaged", path(paths).display());
        Error::new(Code::System, "strays_damaged", message).hint("remove it: strays that live are then told once more")
    })
}

/// Remembers them.
///
/// # Errors
/// It cannot be written.
pub fn save(paths: &Paths, strays: Vec<Known>) -> Result<(), Error> {
    if strays.is_empty() {
        return atomic::remove_if_there(&path(paths));
    }
    let bytes = serde_json::to_vec(&Noted { schema: 1, strays })
        .map_err(|error| Error::new(Code::Bug, "bug", format!("strays cannot be written down: {error}")))?;
    atomic::replace_unsynced_dir(&path(paths), &checksum::seal(bytes))
}

/// The file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Noted {
    schema: u32,
    strays: Vec<Known>,
}
