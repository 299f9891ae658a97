//! Processes that guardian did not start: found by pid or by command line, and told apart from later ones.

use std::collections::BTreeMap;
use std::io;

use crate::model::ending::Part;
use crate::model::time::{Stamp, Wall};

use super::process::{Process, table};
use super::{own, platform, since};

/// Longest chain of parents that is followed.
const PARENTS_MAX: usize = 16;

/// When `process` began, by the wall clock; `None`: it cannot be told.
#[must_use]
pub fn began(process: &Process, now: &Stamp) -> Option<Wall> {
    since::began(process.started, now)
}

/// Pids and command lines of all processes whose command line, arguments joined by blanks, satisfies `wanted`.
///
/// Guardian itself is none of them, nor what a pass or command of it runs: a probe or an action may name what it looks for.
/// Zombies and processes without arguments are none either. `uid`: only those of this user.
///
/// # Errors
/// The process table cannot be read.
pub fn matching(wanted: impl Fn(&str) -> bool, uid: Option<u32>) -> io::Result<Vec<(i32, String)>> {
    let table = table()?;
    let parents: BTreeMap<i32, i32> = table.iter().map(|process| (process.pid, process.parent)).collect();
    let mut found = Vec::new();
    for process in table.iter().filter(|process| !process.zombie) {
        let Some(line) = line(process.pid).filter(|line| wanted(line)) else { continue };
        let other_user = uid.is_some_and(|uid| platform::uid(process.pid) != Some(uid));
        if !other_user && !is_guardians(process.pid, &parents) {
            found.push((process.pid, line));
        }
    }
    Ok(found)
}

/// The command line of `pid`; `None`: it has none, is gone, or is not ours to read.
fn line(pid: i32) -> Option<String> {
    let arguments = platform::arguments(pid)?;
    let end = arguments.iter().rposition(|argument| !argument.is_empty())?;
    let words: Vec<_> = arguments.get(..=end)?.iter().map(|argument| String::from_utf8_lossy(argument)).collect();
    Some(words.join(" "))
}

/// Whether `pid` is guardian, or stands below a pass or command of it. What stands below a shim is a program like others.
fn is_guardians(pid: i32, parents: &BTreeMap<i32, i32>) -> bool {
    if own::part(pid).is_some() {
        return true;
    }
    let above = std::iter::successors(parents.get(&pid).copied(), |pid| parents.get(pid).copied());
    let parts = above.take(PARENTS_MAX).take_while(|pid| *pid > 1).find_map(own::part);
    parts.is_some_and(|part| part != Part::Shim)
}
