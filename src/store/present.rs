//! Which processes have a file of one kind: where most have none, one look at the directory tells more cheaply than one
//! look for each of a thousand. Says nothing of what is in the files.

use std::collections::BTreeSet;
use std::fs;

use super::paths::Paths;

/// Names of the processes whose heartbeat file is there.
#[must_use]
pub fn heartbeats(paths: &Paths) -> BTreeSet<String> {
    having(paths, "sentinel", ".heartbeat")
}

/// Names of the processes whose log was ever rotated.
#[must_use]
pub fn rotated(paths: &Paths) -> BTreeSet<String> {
    having(paths, "log/rotated", ".json")
}

/// Those that have a file with this ending in a directory of the state; none where it cannot be listed.
fn having(paths: &Paths, dir: &str, ending: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(paths.state.join(dir)) else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}
