//! Control groups: out of the caller's, into one of its own.
//!
//! Who stops a service or ends a session kills all that is in its group; that must not be the end of what was started
//! from there. So the shim leaves its caller's groups for `guardian/shims`, and each run gets a group of its own beside
//! it, `guardian/NAME.HOME.RUN`, which only the program enters: a limit, or the kernel short of memory, never takes the shim.
//!
//! Names are derived, so a crash leaves nothing that nobody knows of. Only groups with such names are ever removed.
//! Works where this user may make groups at the top (root), else below a scope that systemd hands over.

mod enter;
mod parse;
mod run;
mod scope;
mod tree;
mod wanted;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::spec::Isolation;
use crate::policy::doctor::Home;

pub use enter::Entrance;
pub use run::{Group, Made, outside, place};
pub use tree::{kill, members, names, of_name, remove, sweep};
pub use wanted::Wanted;

/// The group at the top that all others of guardian's are below.
const TOP: &str = "guardian";
/// The group of the shims.
const SHIMS: &str = "guardian/shims";

/// A tree of groups that is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hierarchy {
    /// The one of version 2.
    Unified,
    /// The one by which systemd keeps its units apart where version 2 does not.
    Systemd,
    /// Version 1, memory.
    Memory,
    /// Version 1, number of processes.
    Pids,
    /// Version 1, CPU time.
    Cpu,
}

impl Hierarchy {
    /// Those that a run can be in, in the order in which they are asked.
    const OF_RUNS: [Self; 4] = [Self::Unified, Self::Memory, Self::Pids, Self::Cpu];

    /// Where it lies; `None`: it is not mounted where every system mounts it.
    fn mount(self) -> Option<&'static Path> {
        let places: &[&str] = match self {
            Self::Unified => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
            Self::Systemd => &["/sys/fs/cgroup/systemd"],
            Self::Memory => &["/sys/fs/cgroup/memory"],
            Self::Pids => &["/sys/fs/cgroup/pids"],
            Self::Cpu => &["/sys/fs/cgroup/cpu"],
        };
        places.iter().map(Path::new).find(|place| place.join("cgroup.procs").exists())
    }

    /// Where a group, given from the root of the hierarchy, lies.
    fn directory(self, group: &str) -> Option<PathBuf> {
        Some(self.mount()?.join(group.trim_start_matches('/')))
    }

    /// The file through which this process, as long as it has one thread, enters a group: one thread alone moves in
    /// microseconds, a whole process waits until every processor has been through the scheduler.
    fn door(self) -> &'static str {
        match self {
            Self::Unified => "cgroup.procs",
            Self::Systemd | Self::Memory | Self::Pids | Self::Cpu => "tasks",
        }
    }
}

/// Where this process sits: in somebody's group, or in the root of each hierarchy; `None`: it cannot be told.
#[must_use]
pub fn here() -> Option<Home> {
    match fs::read_to_string("/proc/self/cgroup") {
        Ok(text) => {
            let group = parse::unit(&text).or_else(|| {
                let line = text.lines().find(|line| foreign(line).is_some())?;
                parse::membership(line).map(|(_, group)| group)
            });
            Some(group.map_or(Home::Root, |group| Home::Group(group.to_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/self/stat").exists() => {
            Some(Home::None)
        }
        Err(_) => None,
    }
}

/// Whether a whole group can be killed at once; `None`: there is no group to see it by.
#[must_use]
pub fn kills_as_a_whole() -> Option<bool> {
    const KILL: &str = "cgroup.kill";
    let Some(mount) = Hierarchy::Unified.mount() else { return Some(false) };
    if mount.join(KILL).exists() {
        return Some(true); // the root of a container
    }
    let groups = fs::read_dir(mount).ok()?.flatten().map(|entry| entry.path());
    groups.filter(|path| path.is_dir()).map(|path| path.join(KILL).exists()).next()
}

/// Moves this process, and so what it will start, out of its caller's groups. Where it is in the root of a hierarchy
/// nobody's end is its own: it stays there.
///
/// # Errors
/// A group cannot be made or entered: mostly that this user may not. Or there are no control groups.
pub(super) fn leave() -> io::Result<()> {
    for line in fs::read_to_string("/proc/self/cgroup")?.lines() {
        let Some(hierarchy) = foreign(line) else { continue };
        let Some(shims) = hierarchy.directory(SHIMS) else { continue };
        make(hierarchy.directory(TOP).as_deref().unwrap_or(&shims))?;
        make(&shims)?;
        put(&shims.join(hierarchy.door()), "0")?;
    }
    Ok(())
}

/// The group of the shims in the unified hierarchy, when this process is in somebody else's there: a shim that is born in
/// it need not move, which waits for every processor. `None`: it need not, may not, or is to stay.
#[must_use]
pub fn birthplace(isolation: Isolation) -> Option<File> {
    if isolation == Isolation::Session {
        return None;
    }
    let here = fs::read_to_string("/proc/self/cgroup").ok()?;
    here.lines().find(|line| foreign(line) == Some(Hierarchy::Unified))?;
    let mount = Hierarchy::Unified.mount()?;
    make(&mount.join(TOP)).ok()?;
    make(&mount.join(SHIMS)).ok()?;
    File::open(mount.join(SHIMS)).ok()
}

/// Takes this process, a shim without a program, out of its caller's groups, unless `wanted` forbids that.
pub fn shelter(wanted: &Wanted) {
    if wanted.isolation != Isolation::Session {
        // Where this user may not, it shares the fate of its caller's group, and cron does its work.
        drop(leave());
    }
}

/// The control group that a run has where this user may make one at the top, from the root of its hierarchy.
#[must_use]
pub fn of_run(state: &Path, name: &str, run: u64) -> String {
    format!("/{TOP}/{}", wanted::group(state, name, run))
}

/// Writes into a file of a group. One that is not there is not made: `NotFound` says so on every kernel.
fn put(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// Makes a group, unless it is there.
fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The hierarchy of this line of `/proc/self/cgroup`, when we are in somebody's group there. Only those that are used
/// to kill by: the unified one, systemd's own, and memory, which a group can run short of.
fn foreign(line: &str) -> Option<Hierarchy> {
    let (controllers, group) = parse::membership(line)?;
    if group == "/" || group.strip_prefix('/') == Some(SHIMS) {
        return None;
    }
    match controllers {
        "" => Some(Hierarchy::Unified),
        "name=systemd" => Some(Hierarchy::Systemd),
        "memory" => Some(Hierarchy::Memory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_the_shims_own_group_and_controllers_that_nobody_kills_by_are_left_alone() {
        for line in ["0::/", "0::/guardian/shims", "4:cpuset:/system.slice/x.service", "nonsense"] {
            assert_eq!(foreign(line), None, "{line}");
        }
    }

    #[test]
    fn a_service_a_session_and_the_group_of_another_run_are_somebody_elses() {
        let cases = [
            ("0::/system.slice/x.service", Hierarchy::Unified),
            ("0::/guardian/bot.0123456789abcdef.3", Hierarchy::Unified),
            ("1:name=systemd:/user.slice/user-0.slice/session-1.scope", Hierarchy::Systemd),
            ("4:memory:/tool", Hierarchy::Memory),
        ];
        for (line, hierarchy) in cases {
            assert_eq!(foreign(line), Some(hierarchy), "{line}");
        }
    }
}
