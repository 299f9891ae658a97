//! What other systems show of a process that guardian did not start: its environment, and little else.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The variables of `pid` as they were when it was executed, `NAME=value` each; `None`: it is gone.
///
/// # Errors
/// It is not ours to read: the system shows nothing then, and no process has no variable at all.
pub fn environment(pid: i32) -> io::Result<Option<Vec<Vec<u8>>>> {
    let key = Pid::from_u32(u32::try_from(pid).map_err(io::Error::other)?);
    let mut system = System::new().map_err(io::Error::other)?;
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[key]), true, kind);
    let Some(process) = system.process(key) else { return Ok(None) };
    match process.environ() {
        [] => Err(io::ErrorKind::PermissionDenied.into()),
        variables => Ok(Some(variables.iter().map(|variable| variable.as_bytes().to_vec()).collect())),
    }
}

/// Whether `pid` is the kernel's own.
#[must_use]
pub fn is_of_the_kernel(pid: i32, _parent: i32) -> bool {
    pid == 0
}

/// The process of which `pid` is a thread: threads have no ids of their own here.
#[must_use]
pub fn process_of(pid: i32) -> Option<i32> {
    Some(pid)
}

/// Its working directory: not asked here.
///
/// # Errors
/// Always.
pub fn cwd(_pid: i32) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What it executes: not asked here.
#[must_use]
pub fn executable(_pid: i32) -> Option<PathBuf> {
    None
}

/// Its user, group and further groups: not asked here.
#[must_use]
pub fn ids(_pid: i32) -> Option<(u32, u32, Vec<u32>)> {
    None
}

/// Its file mode creation mask: not known.
#[must_use]
pub fn umask(_pid: i32) -> Option<u32> {
    None
}

/// What its standard output goes to: not known.
#[must_use]
pub fn output(_pid: i32) -> Option<PathBuf> {
    None
}

/// Ports that `pids` listen on: not known.
#[must_use]
pub fn listening(_pids: &[i32]) -> Option<BTreeSet<u16>> {
    None
}
