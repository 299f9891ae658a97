//! What a file of another program was before guardian's part came into it: so that taking that out gives back every byte.
//!
//! Kept in the state directory, for its owner alone. It holds only as long as nobody else has changed the file since;
//! after that only guardian's part is taken out, and the rest stays as it was left.

use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::paths::Paths;
use super::{atomic, checksum};
use crate::error::{Code, Error};

/// The largest file that is kept, in bytes.
const LARGEST: usize = 1 << 20;

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// What it was; `None`: it was not there.
    pub before: Option<String>,
    /// The hash of what guardian made of it.
    pub after: String,
}

fn hash(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(paths: &Paths, who: &str, file: &Path) -> PathBuf {
    paths.state.join("agents").join(format!("{who}-{}.json", hash(file.as_os_str().as_encoded_bytes())))
}

/// What `file`, which holds `text` now, was before the part for `who`, an agent, came into it; `None`: not known, or somebody changed it since.
#[must_use]
pub fn of(paths: &Paths, who: &str, file: &Path, text: &str) -> Option<Original> {
    // What is damaged is not given back: then only guardian's part is taken out.
    let bytes = atomic::read_if_there(&place(paths, who, file)).ok()?.filter(|bytes| checksum::is_intact(bytes))?;
    let kept: Original = serde_json::from_slice(&bytes).ok()?;
    (kept.after == hash(text.as_bytes())).then_some(kept)
}

/// Keeps what `file` was before it became `after`.
///
/// # Errors
/// It cannot be written.
pub fn keep(paths: &Paths, who: &str, file: &Path, before: Option<String>, after: &str) -> Result<(), Error> {
    if before.as_ref().is_some_and(|before| before.len() > LARGEST) {
        return forget(paths, who, file);
    }
    let place = place(paths, who, file);
    atomic::make_dir(place.parent().unwrap_or(&paths.state))?;
    let bytes = serde_json::to_vec(&Original { before, after: hash(after.as_bytes()) })
        .map_err(|error| Error::new(Code::Bug, "bug", format!("an original cannot be written down: {error}")))?;
    atomic::replace(&place, &checksum::seal(bytes))
}

/// Nothing of guardian's is in `file` any more.
///
/// # Errors
/// It cannot be removed.
pub fn forget(paths: &Paths, who: &str, file: &Path) -> Result<(), Error> {
    atomic::remove_if_there(&place(paths, who, file))
}
