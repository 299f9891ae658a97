//! The part of the process table around a few processes: what is below them, and whose children they are.
//!
//! A look at one run must not cost more the more other runs there are. What the kernel lists of a process that makes and
//! loses children meanwhile may lack some, as any look at a table that changes: who must be sure looks again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::process::{Process, look, table};

/// There, if this kernel lists the children of a process.
const LISTED: &str = "/proc/thread-self/children";

/// `roots`, all that descends from them, and their parents up to init. Where the kernel does not list children, the
/// whole table.
///
/// # Errors
/// A process cannot be asked; one that goes away meanwhile is left out.
pub fn around(roots: impl IntoIterator<Item = i32>) -> io::Result<Vec<Process>> {
    if !Path::new(LISTED).exists() {
        return table();
    }
    let mut found: BTreeMap<i32, Process> = BTreeMap::new();
    let mut below: Vec<i32> = roots.into_iter().collect();
    while let Some(pid) = below.pop() {
        if found.contains_key(&pid) {
            continue;
        }
        if let Some(process) = look(pid)? {
            found.insert(pid, process);
            children(pid, &mut below);
        }
    }
    let mut above: Vec<i32> = found.values().map(|process| process.parent).collect();
    while let Some(pid) = above.pop() {
        if pid > 0
            && !found.contains_key(&pid)
            && let Some(process) = look(pid)?
        {
            above.push(process.parent);
            found.insert(pid, process);
        }
    }
    Ok(found.into_values().collect())
}

/// The children of all threads of `pid`.
fn children(pid: i32, into: &mut Vec<i32>) {
    // Gone meanwhile: its children have another parent now.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            into.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_and_its_child_and_all_parents_are_found_and_nobody_else() {
        use std::io::Read;
        let mut shell = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = shell.stdout.take().unwrap();
        while !line.ends_with('\n') {
            let mut byte = [0];
            out.read_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
        let grandchild: i32 = line.trim().parse().unwrap();
        let child = i32::try_from(shell.id()).unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        let around = around([child]).unwrap();
        let has = |pid: i32| around.iter().any(|process| process.pid == pid);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(grandchild), nix::sys::signal::Signal::SIGKILL).unwrap();
        shell.wait().unwrap();
        assert!(has(child) && has(grandchild) && has(me), "{around:?}");
        if Path::new(LISTED).exists() {
            let strangers = around.iter().filter(|p| p.parent == me && p.pid != child).count();
            assert_eq!(strangers, 0, "{around:?}");
        }
    }
}
