//! What a session of an agent left running past guardian.
//!
//! Known by the session's id in the environment. What still stands below the agent itself (its servers, its own background) is
//! none of it, nor what runs below a shim. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::os::{own, process};

/// Longest chain of parents that is followed.
const PARENTS_MAX: usize = 64;

/// Pid and command line of each process at the top of what carries one of `marks`, without a parent in the session.
///
/// # Errors
/// The process table cannot be read.
pub fn left(marks: &[String]) -> io::Result<Vec<(i32, String)>> {
    let table = process::table()?;
    let parents: BTreeMap<i32, i32> = table.iter().map(|process| (process.pid, process.parent)).collect();
    let above = |pid: i32| std::iter::successors(parents.get(&pid), |pid| parents.get(pid)).take(PARENTS_MAX).copied();
    let marked: BTreeSet<i32> = marks
        .iter()
        .flat_map(|mark| process::marked(&table, std::slice::from_ref(mark)))
        .map(|process| process.pid)
        .collect();
    let me = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let mine: BTreeSet<i32> = above(me).chain([me]).collect();
    // Who called: the first above that does not carry the mark, for an agent marks what it starts and not itself.
    let agent = above(me).find(|pid| !marked.contains(pid)).filter(|pid| *pid > 1);
    let tops: Vec<i32> = marked
        .iter()
        .copied()
        .filter(|pid| !mine.contains(pid) && !above(*pid).any(|above| marked.contains(&above) || Some(above) == agent))
        .collect();
    let tops = process::without_other_runs(&table, &tops, None);
    let described = tops.into_iter().filter(|pid| own::part(*pid).is_none()).map(|pid| {
        let sender = process::describe(pid, None);
        (pid, sender.cmdline.or(sender.comm).unwrap_or_default())
    });
    Ok(described.collect())
}
