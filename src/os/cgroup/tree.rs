//! Groups of runs as anybody sees them who knows the run: who is in them, their end, and what is left of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::time::Identity;

use super::wanted::prefix;
use super::{Hierarchy, TOP, parse};

/// How deep groups that a program makes below its own are looked for.
pub(super) const DEEPEST: usize = 8;

/// Every process in a group, given from the root of its hierarchy, and in groups below it.
#[must_use]
pub fn members(group: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for directory in directories(group) {
        collect(&directory, DEEPEST, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Where a group lies, in each hierarchy that has it.
fn directories(group: &str) -> impl Iterator<Item = PathBuf> {
    let there = |hierarchy: Hierarchy| hierarchy.directory(group).filter(|directory| directory.is_dir());
    Hierarchy::OF_RUNS.into_iter().filter_map(there)
}

fn collect(directory: &Path, deep: usize, found: &mut Vec<i32>) {
    // Removed meanwhile: then nobody is in it.
    found.extend(fs::read_to_string(directory.join("cgroup.procs")).iter().flat_map(|text| parse::pids(text)));
    if deep > 0 {
        below(directory).for_each(|group| collect(&group, deep - 1, found));
    }
}

/// Groups in a group.
fn below(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Kills all that is in a group at once, what it forks meanwhile included, if nobody but `living` is in it. Where the
/// kernel cannot do that, no further process is made in it, if a limit can be set; they are then killed one by one.
pub fn kill(group: &str, living: &[Identity]) {
    let known = |pid: &i32| living.iter().any(|identity| identity.pid == *pid);
    // A shim of another run, or the very command that asks, may be in it: these live.
    if !members(group).iter().all(known) {
        return;
    }
    for directory in directories(group) {
        // Neither is there in every hierarchy; what is left is killed one by one.
        drop(write_existing(&directory.join("cgroup.kill"), "1"));
        drop(write_existing(&directory.join("pids.max"), "0"));
    }
}

fn write_existing(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

/// Removes a group of a run, and what the program made below it. One that somebody lives in stays.
pub fn remove(group: &str) {
    directories(group).for_each(|directory| remove_empty(&directory, DEEPEST));
}

pub(super) fn remove_empty(directory: &Path, deep: usize) {
    if fs::remove_dir(directory).is_err() && deep > 0 {
        below(directory).for_each(|group| remove_empty(&group, deep - 1));
        drop(fs::remove_dir(directory)); // somebody lives in it: the next start of that name tries again
    }
}

/// Removes what is left of earlier runs of `name` than `run`, as far as nobody lives there.
pub fn sweep(state: &Path, name: &str, run: u64) {
    let prefix = prefix(state, name);
    let earlier = |group: &PathBuf| {
        let number = group.file_name().and_then(|name| name.to_str()?.strip_prefix(&prefix)?.parse::<u64>().ok());
        number.is_some_and(|number| number < run)
    };
    for top in directories(TOP) {
        below(&top).filter(earlier).for_each(|group| remove_empty(&group, DEEPEST));
    }
}
