//! Groups of runs as anybody sees them who knows the run: who is in them, their end, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::name::Name;
use crate::model::time::Identity;

use super::wanted::home;
use super::{Hierarchy, TOP, parse, put};

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
        drop(put(&directory.join("cgroup.kill"), "1"));
        drop(put(&directory.join("pids.max"), "0"));
    }
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

/// Removes what is left of all runs of the home whose state lies at `state`, but for the last one of each name: that one
/// may be about to begin. For a pass: where there are no more groups than its `living` runs nothing is listed.
pub fn sweep(state: &Path, living: usize) {
    let groups = directories(TOP).filter(|top| count(top) > living).flat_map(|top| below(&top).collect::<Vec<_>>());
    let names = groups.filter_map(|group| group.file_name()?.to_str().map(str::to_owned));
    for group in superseded(names, &home(state)) {
        remove(&format!("/{TOP}/{group}"));
    }
}

/// Processes of the home whose state lies at `state` that a group is left of.
#[must_use]
pub fn names(state: &Path) -> Vec<Name> {
    let home = format!(".{}", home(state));
    let name = |group: String| group.rsplit_once('.')?.0.strip_suffix(&home)?.parse().ok();
    groups().filter_map(name).collect()
}

/// The groups that are left of runs of one process of that home, from the root of their hierarchies.
#[must_use]
pub fn of_name(state: &Path, name: &str) -> Vec<String> {
    let start = format!("{name}.{}.", home(state));
    let run = |group: &String| group.strip_prefix(&start).is_some_and(|run| run.parse::<u64>().is_ok());
    groups().filter(run).map(|group| format!("/{TOP}/{group}")).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names of all groups below [`TOP`], one for each hierarchy.
fn groups() -> impl Iterator<Item = String> {
    let groups = directories(TOP).flat_map(|top| below(&top).collect::<Vec<_>>());
    groups.filter_map(|group| Some(group.file_name()?.to_str()?.to_owned()))
}

/// How many groups of runs there are, of all homes: a directory has two links, and one for each below it.
fn count(top: &Path) -> usize {
    let links = fs::metadata(top).map_or(0, |top| top.nlink()); // gone: then there are none
    let shims = usize::from(top.join("shims").exists());
    usize::try_from(links).unwrap_or(usize::MAX).saturating_sub(2 + shims)
}

/// Those of `groups` of a home that another one of the same name comes after.
fn superseded(groups: impl Iterator<Item = String>, home: &str) -> Vec<String> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut over = Vec::new();
    for group in groups {
        let Some((name, run)) = group.rsplit_once('.').and_then(|(rest, run)| {
            let name = rest.strip_suffix(home)?.strip_suffix('.')?;
            Some((name.to_owned(), run.parse::<u64>().ok()?))
        }) else {
            continue;
        };
        let newest = last.entry(name.clone()).or_insert(run);
        if run != *newest {
            over.push(format!("{name}.{home}.{}", run.min(*newest)));
            *newest = run.max(*newest);
        }
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_name_the_last_run_is_left_alone_and_so_are_other_homes_and_the_shims() {
        let home = "0123456789abcdef";
        let groups = [
            "a.0123456789abcdef.2",
            "a.0123456789abcdef.10",
            "a.0123456789abcdef.9",
            "b.0123456789abcdef.1",
            "a.fedcba9876543210.1",
            "a.0123456789abcdef.x",
            "shims",
        ];
        let mut over = superseded(groups.iter().map(|group| (*group).to_owned()), home);
        over.sort();
        assert_eq!(over, ["a.0123456789abcdef.2", "a.0123456789abcdef.9"]);
    }
}
