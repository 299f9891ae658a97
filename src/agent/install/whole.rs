//! Files that are guardian's from the first byte to the last: skills and plugins.

use super::Wrong;

/// What stands in each of them; a file without it is somebody else's.
const MARK: &str = "Written by `guardian install --agent`";

pub(super) fn put(old: Option<&str>, text: &str) -> Result<String, Wrong> {
    old.map_or(Ok(()), |old| is_ours(old, text))?;
    Ok(text.to_owned())
}

pub(super) fn take(old: &str, text: &str) -> Result<Option<String>, Wrong> {
    is_ours(old, text).map(|()| None)
}

fn is_ours(old: &str, text: &str) -> Result<(), Wrong> {
    if old == text || old.contains(MARK) || old.trim().is_empty() {
        return Ok(());
    }
    Err(Wrong::new("was not written by guardian", "move it away, and give the command again"))
}
