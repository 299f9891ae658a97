//! What this Linux is: kernel, control groups, systemd, logind, container. Looks only, and reads what is not there as `None`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::policy::doctor::{First, Home, Kernel};

use super::surroundings::{self, INITIAL_PIDS};
use super::{cgroup, managers, orphan};

/// Directories of `logind.conf` and its drop-ins, from what counts least on.
const LOGIND: [&str; 4] = ["/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd"];

/// What names of control groups have in them in containers.
const MARKS: [&str; 4] = ["docker", "kubepods", "libpod", "lxc"];

/// The machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Release of the kernel.
    pub release: Option<String>,
    /// `kernel.yama.ptrace_scope`; inside `None`: no such thing, outside: it cannot be read.
    pub ptrace_scope: Option<Option<u32>>,
    /// What the kernel offers.
    pub kernel: Kernel,
    /// Where this process sits among the control groups.
    pub home: Option<Home>,
    /// systemd runs it.
    pub systemd: bool,
    /// A user's own systemd of this user runs without a login; `None`: it cannot be told.
    pub lingers: Option<bool>,
    /// Texts of logind's configuration, from what counts least on.
    pub logind: Vec<String>,
    /// What kind of container this is, and its first process; `None`: it is none.
    pub container: Option<(&'static str, First)>,
}

/// Looks at it; `None`: this platform has none of this.
#[must_use]
pub fn look() -> Option<Machine> {
    let (pidfd, exit_info) = orphan::offered();
    Some(Machine {
        release: read("/proc/sys/kernel/osrelease"),
        ptrace_scope: ptrace_scope(),
        kernel: Kernel { pidfd, exit_info, group_kill: cgroup::kills_as_a_whole() },
        home: cgroup::here(),
        systemd: managers::is_systemd(),
        lingers: managers::lingers(),
        logind: logind(),
        container: container().map(|what| (what, first())),
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn ptrace_scope() -> Option<Option<u32>> {
    match fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(text) => text.trim().parse().ok().map(Some),
        // Without Yama; but without /proc nobody knows.
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/sys/kernel").exists() => Some(None),
        Err(_) => None,
    }
}

/// `logind.conf` and its drop-ins. Of files of one name the one that counts most is read alone; drop-ins go by their names.
fn logind() -> Vec<String> {
    let main = LOGIND.iter().rev().find_map(|dir| fs::read_to_string(Path::new(dir).join("logind.conf")).ok());
    let mut drop_ins = BTreeMap::new();
    for dir in LOGIND {
        for entry in fs::read_dir(Path::new(dir).join("logind.conf.d")).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.ends_with(".conf")) {
                drop_ins.insert(entry.file_name(), fs::read_to_string(entry.path()).ok());
            }
        }
    }
    main.into_iter().chain(drop_ins.into_values().flatten()).collect()
}

/// What kind of container this process is in, by the marks that their makers leave.
fn container() -> Option<&'static str> {
    let groups = read("/proc/self/cgroup");
    let named = std::env::var_os("container").is_some() || Path::new("/run/systemd/container").exists();
    if Path::new("/run/.containerenv").exists() {
        Some("a podman container")
    } else if Path::new("/.dockerenv").exists() {
        Some("a docker container")
    } else if named || groups.is_some_and(|groups| MARKS.iter().any(|mark| groups.contains(mark))) {
        Some("a container")
    } else {
        surroundings::pid_namespace()
            .filter(|pids| *pids != INITIAL_PIDS)
            .map(|_| "a place with process ids of its own")
    }
}

fn first() -> First {
    First { name: read("/proc/1/comm"), hears: fs::read_to_string("/proc/1/status").ok().and_then(|text| hears(&text)) }
}

/// Whether SIGTERM is caught, or blocked and so waited for, going by `/proc/PID/status`.
fn hears(status: &str) -> Option<bool> {
    let has = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(u64::from_str_radix(mask.trim(), 16).ok()? & (1 << (libc::SIGTERM - 1)) != 0)
    };
    Some(has("SigCgt")? || has("SigBlk")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_hears_what_it_catches_or_waits_for() {
        let status =
            |blocked: &str, caught: &str| format!("Name:\tx\nSigBlk:\t{blocked}\nSigIgn:\t0\nSigCgt:\t{caught}\n");
        let (none, term) = ("0000000000000000", "0000000000004000");
        assert_eq!(hears(&status(none, none)), Some(false));
        assert_eq!(hears(&status(none, term)), Some(true));
        assert_eq!(hears(&status(term, none)), Some(true));
        assert_eq!(hears("Name:\tx\n"), None);
    }
}
