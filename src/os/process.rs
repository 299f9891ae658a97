//! Processes that exist: who they are, who their parents are, whether one is still the one we knew.

use std::collections::BTreeSet;
use std::io;

use crate::model::ending::{Ancestor, Sender};
use crate::model::evidence::Life;
use crate::model::time::{BootId, Identity};
use crate::policy::environment::without_values;
use crate::policy::secrets::Mask;

use super::children::SHIM_NAME;
use super::kernel_trace::{self, Made};
use super::platform;

/// Longest command line that is kept, in bytes.
const CMDLINE_MAX: usize = 256;
/// As much is read of it, so that a secret in it is known whole.
const CMDLINE_READ: usize = 1024;
/// Longest chain of parents that is followed.
const PARENTS_MAX: usize = 16;

/// One process, as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its start time, as in [`Identity::started`].
    pub started: u64,
    /// It ended and its parent has not waited for it yet.
    pub zombie: bool,
    /// Its short name.
    pub comm: String,
}

/// The process `pid` as it is now; `None`: there is none.
///
/// # Errors
/// It cannot be asked.
pub fn look(pid: i32) -> io::Result<Option<Process>> {
    platform::look(pid)
}

/// Whether `pid`, which nobody else can have by now, has ended; a zombie has. Cheaper than [`look`].
///
/// # Errors
/// It cannot be asked.
pub fn has_ended(pid: i32) -> io::Result<bool> {
    platform::has_ended(pid)
}

/// Every process that can be seen.
///
/// # Errors
/// The process table cannot be read at all; single processes that go away meanwhile are left out.
pub fn table() -> io::Result<Vec<Process>> {
    platform::table()
}

/// The identity of the running process `pid`; `None`: there is none, or a zombie.
///
/// # Errors
/// It cannot be asked.
pub fn identify(pid: i32, boot: &BootId) -> io::Result<Option<Identity>> {
    let process = look(pid)?.filter(|process| !process.zombie);
    let unique = platform::unique(pid);
    Ok(process.map(|process| Identity { pid, started: process.started, boot: boot.clone(), unique }))
}

/// When process 1 began, in milliseconds on the boot clock; `None`: it cannot be told.
#[must_use]
pub fn init_began(boot: &BootId) -> Option<u64> {
    let init = identify(1, boot).ok()??;
    super::since::boot_ms(init.started)
}

/// Whether the very process that `identity` means still runs. A zombie does not.
#[must_use]
pub fn life(identity: &Identity, boot: &BootId) -> Life {
    if identity.boot != *boot {
        return Life::Gone;
    }
    match identify(identity.pid, boot) {
        Ok(Some(now)) if now.is(identity) => Life::Alive,
        Ok(_) => Life::Gone,
        Err(_) => Life::Unknown,
    }
}

/// Whether `pid` leads a session.
#[must_use]
pub fn leads_session(pid: i32) -> bool {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::unistd::getsid(Some(pid)) == Ok(pid)
}

/// The session of `pid`; `None`: it is gone, or the session began where it cannot be seen from here.
#[must_use]
pub fn session(pid: i32) -> Option<i32> {
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).ok()?.as_raw();
    (session > 0).then_some(session)
}

/// The real user of `pid`; `None`: it is gone, or cannot be asked.
#[must_use]
pub fn user(pid: i32) -> Option<u32> {
    platform::uid(pid)
}

/// The arguments of `pid`; `None`: it is gone, or not ours to ask.
#[must_use]
pub fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
    platform::arguments(pid)
}

/// Sends `signal` to the process that `identity` means, and to nobody else; false: it is gone.
///
/// # Errors
/// The kernel refuses, or it cannot be asked who that pid is.
pub fn send(identity: &Identity, boot: &BootId, signal: i32) -> io::Result<bool> {
    platform::send(identity, boot, signal)
}

/// The same for a signal that came from `sender` (pid, uid) and is passed on: where the platform has the means, whoever gets
/// it sees that sender.
///
/// # Errors
/// As [`send`].
pub fn send_for(identity: &Identity, boot: &BootId, signal: i32, sender: (i32, u32)) -> io::Result<bool> {
    platform::send_for(identity, boot, signal, sender)
}

/// `roots` and all their descendants in `table`, zombies left out, parents before children.
///
/// A shim among them, and what is below it, is a run of its own: a process that runs under guardian may start others
/// with guardian, and their shims come to its shim as any orphan does.
#[must_use]
pub fn tree<'a>(table: &'a [Process], roots: &BTreeSet<i32>) -> Vec<&'a Process> {
    let shim = |process: &&Process| process.comm.as_bytes() == SHIM_NAME.to_bytes();
    let shims: BTreeSet<i32> = table.iter().filter(shim).map(|process| process.pid).collect();
    let mut known: BTreeSet<i32> = roots.difference(&shims).copied().collect();
    loop {
        let before = known.len();
        known.extend(
            table
                .iter()
                .filter(|process| known.contains(&process.parent) && !shims.contains(&process.pid))
                .map(|process| process.pid)
                .collect::<Vec<_>>(),
        );
        if known.len() == before {
            break;
        }
    }
    table.iter().filter(|process| known.contains(&process.pid) && !process.zombie).collect()
}

/// Those of `pids` in `table` that a shim other than `own` does not stand above: what is below one is a run of its own.
#[must_use]
pub fn without_other_runs(table: &[Process], pids: &[i32], own: Option<i32>) -> Vec<i32> {
    let by_pid: std::collections::BTreeMap<i32, &Process> =
        table.iter().map(|process| (process.pid, process)).collect();
    let is_shim = |process: &&Process| Some(process.pid) != own && process.comm.as_bytes() == SHIM_NAME.to_bytes();
    let below_other = |pid: i32| {
        let chain = std::iter::successors(by_pid.get(&pid), |process| by_pid.get(&process.parent)).take(table.len());
        chain.copied().any(|process| is_shim(&process))
    };
    pids.iter().copied().filter(|pid| !below_other(*pid)).collect()
}

/// Whether `pid` belongs to a run of another process than `name`, going by its environment. One whose shim was killed comes
/// to the shim above as any orphan does, and is none of its own.
#[must_use]
pub fn is_of_another(pid: i32, name: &str) -> bool {
    platform::environment_value(pid, "GUARDIAN_NAME").is_some_and(|other| other != name.as_bytes())
}

/// Those of `table` whose environment, as it was when they were executed, has `mark` (`NAME=value`) in it.
/// A process whose environment is not ours to read has not.
#[must_use]
pub fn marked<'a>(table: &'a [Process], marks: &[String]) -> Vec<&'a Process> {
    table.iter().filter(|process| !process.zombie && platform::environment_has(process.pid, marks)).collect()
}

/// Those of `table` that hold the lock on the file at `path` through a descriptor that is open in them.
/// A process whose descriptors are not ours to read is left out.
///
/// # Errors
/// The file cannot be asked who it is.
pub fn lock_holders<'a>(table: &'a [Process], path: &std::path::Path) -> io::Result<Vec<&'a Process>> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path)?;
    let holds = |process: &&Process| !process.zombie && platform::holds_lock(process.pid, file.dev(), file.ino());
    Ok(table.iter().filter(holds).collect())
}

/// Whether `pid` is a pass that a shim started: its command line says so.
#[must_use]
pub fn is_pass(pid: i32) -> bool {
    platform::cmdline(pid, CMDLINE_MAX).is_some_and(|line| line.starts_with("guardian healthcheck "))
}

/// Who `pid` is, as much as can be read before it is gone.
#[must_use]
pub fn describe(pid: i32, uid: Option<u32>) -> Sender {
    // 0 stands for somebody outside of this pid namespace.
    let process = (pid > 0).then(|| look(pid).ok().flatten()).flatten();
    let mut parents = Vec::new();
    let mut parent = process.as_ref().map(|process| process.parent);
    while let Some(next) = parent.filter(|next| *next > 0 && parents.len() < PARENTS_MAX) {
        let Ok(Some(ancestor)) = look(next) else { break };
        parents.push(Ancestor { pid: next, comm: ancestor.comm });
        parent = Some(ancestor.parent);
    }
    Sender {
        pid,
        uid,
        comm: process.map(|process| process.comm),
        cmdline: platform::cmdline(pid, CMDLINE_READ).map(|line| shown(&line)),
        parents,
        cgroup: platform::cgroup(pid),
        guardian: super::own::part(pid),
        itself: false,
    }
}

/// A command line as it is kept: without tokens, and cut.
fn shown(line: &str) -> String {
    let mut masked = Mask::default().text(line);
    masked.truncate(masked.floor_char_boundary(CMDLINE_MAX));
    masked
}

/// The sender of a signal that the kernel's own record holds: named by it, and filled in where it still lives.
#[must_use]
pub fn describe_recorded(made: &Made) -> Sender {
    let gone = Sender::gone(made.thread, None, made.comm.clone());
    let Some(pid) = kernel_trace::process_of(made) else { return gone };
    let now = describe(pid, platform::uid(pid));
    match (&now.comm, &made.comm) {
        // A thread has a name of its own; the process is who sent it.
        (Some(_), Some(_)) if pid != made.thread => now,
        // It executes another program now: the name that it had then stands, and its command line is not known.
        (Some(now_comm), Some(then)) if now_comm != then => {
            Sender { comm: made.comm.clone(), cmdline: None, guardian: None, ..now }
        }
        (None, _) => gone,
        (Some(_), _) => now,
    }
}

/// Who is calling: this very process, seen as the sender of what it asks for.
#[must_use]
pub fn caller() -> Sender {
    let pid = i32::try_from(std::process::id()).unwrap_or(0); // pids fit by definition of pid_t
    // Its own command line may hold what is nobody else's business.
    let line = without_values(
        std::iter::once("guardian".to_owned())
            .chain(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())),
    );
    Sender { cmdline: Some(shown(&line)), ..describe(pid, Some(nix::unistd::getuid().as_raw())) }
}

/// The file mode creation mask of this process.
#[must_use]
pub fn umask() -> u32 {
    // There is no way to ask without setting; nothing else makes files at this moment.
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    nix::sys::stat::umask(mask);
    platform::mode_bits(mask.bits())
}
