//! Out of the caller's control group: who stops a service or ends a session kills all that is in its group, and that
//! must not be the end of what was started from there.
//!
//! Works where this user may make a group of its own at the top (root); elsewhere the run stays in its caller's group.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The group that runs of guardian live in.
const OWN: &str = "guardian";

/// Moves this process, and so what it will start, into guardian's own control group.
///
/// In the root of the hierarchy nobody's end is ours: it stays there.
///
/// # Errors
/// The group cannot be made or entered: mostly that this user may not.
pub fn leave() -> io::Result<()> {
    if !Path::new("/proc/self/cgroup").exists() {
        return Ok(());
    }
    for line in fs::read_to_string("/proc/self/cgroup")?.lines() {
        if let Some(mount) = foreign(line) {
            let own = mount.join(OWN);
            match fs::create_dir(&own) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => fs::write(own.join("cgroup.procs"), "0")?,
            }
        }
    }
    Ok(())
}

/// Where the hierarchy of this line of `/proc/self/cgroup` is mounted, when we are in somebody's group there.
/// Only hierarchies that are used to kill by: the unified one and, before it, systemd's own.
fn foreign(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, group) = rest.split_once(':')?;
    if group == "/" || group == format!("/{OWN}") {
        return None;
    }
    let mounts: &[&str] = match controllers {
        "" => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
        "name=systemd" => &["/sys/fs/cgroup/systemd"],
        _ => &[],
    };
    mounts.iter().map(PathBuf::from).find(|mount| mount.join("cgroup.procs").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_our_own_group_and_controllers_that_nobody_kills_by_are_left_alone() {
        for line in ["0::/", "0::/guardian", "4:memory:/system.slice/x.service", "nonsense"] {
            assert_eq!(foreign(line), None, "{line}");
        }
    }
}
