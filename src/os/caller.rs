//! A caller that is ended as callers are: by its group, its session, its descendants or its terminal.
//!
//! For the trial runs of `doctor`, which look at what is left then. Only processes that were found in the caller's own group,
//! session or tree are ever signalled.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::{Pid, getsid};

use crate::model::check::Attack;

use super::process::Process;

/// A program that starts something: leader of a session, with a terminal of its own where there can be one.
#[derive(Debug)]
pub struct Caller {
    child: Child,
    terminal: Option<OwnedFd>,
}

impl Caller {
    /// Starts `command`, silent.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let (terminal, its_end) = match terminal() {
            Ok((ours, its)) => (Some(ours), Some(its)),
            Err(_) => (None, None), // that attack cannot be made then, and is told as such
        };
        let has_terminal = its_end.is_some();
        command.stdin(its_end.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: between fork and exec only system calls that are allowed there are made, on numbers and a set on the stack.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                // Blocked by us; perhaps ignored by whoever called us, which a shell cannot take back.
                libc::signal(libc::SIGHUP, libc::SIG_DFL);
                SigSet::empty().thread_set_mask()?;
                if has_terminal && libc::ioctl(0, libc::TIOCSCTTY as _, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        Ok(Self { child: command.spawn()?, terminal })
    }

    /// Its pid, which is also the number of its group and of its session.
    fn pid(&self) -> io::Result<i32> {
        i32::try_from(self.child.id()).map_err(io::Error::other)
    }

    /// Ends it and all that can be reached that way. `table`: all processes.
    ///
    /// # Errors
    /// It cannot be done: it has no terminal, or something may not be signalled.
    pub fn attack(&mut self, attack: Attack, table: &[Process]) -> io::Result<()> {
        let pid = self.pid()?;
        match attack {
            Attack::Group => killpg(Pid::from_raw(pid), Signal::SIGKILL).map_err(io::Error::from),
            Attack::Session => {
                let in_it = |process: &&Process| getsid(Some(Pid::from_raw(process.pid))) == Ok(Pid::from_raw(pid));
                kill_all(table.iter().filter(in_it).map(|process| process.pid))
            }
            Attack::Parents => kill_all(below(table, pid).into_iter()),
            Attack::Terminal => match self.terminal.take() {
                Some(terminal) => {
                    drop(terminal); // the kernel hangs up
                    Ok(())
                }
                None => Err(io::Error::new(io::ErrorKind::Unsupported, "there is no terminal to be had")),
            },
        }
    }

    /// Ends what an attack has left of its group, and waits for it.
    ///
    /// # Errors
    /// Those of `kill` and `wait`.
    pub fn end(mut self) -> io::Result<()> {
        match killpg(Pid::from_raw(self.pid()?), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            // macOS says so of a group in which all are zombies.
            Err(Errno::EPERM) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.child.wait().map(drop)
    }
}

/// Both ends of a new terminal; no other program that is started gets either.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = nix::pty::openpty(None, None)?;
    for end in [&ends.master, &ends.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((ends.master, ends.slave))
}

/// `root` and all below it, shims included: who walks does not know them.
fn below(table: &[Process], root: i32) -> BTreeSet<i32> {
    let mut known = BTreeSet::from([root]);
    loop {
        let before = known.len();
        let children = table.iter().filter(|process| known.contains(&process.parent)).map(|process| process.pid);
        known.extend(children.collect::<Vec<_>>());
        if known.len() == before {
            return known;
        }
    }
}

fn kill_all(pids: impl Iterator<Item = i32>) -> io::Result<()> {
    for pid in pids {
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {} // gone with its parent
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_from_parent_to_child_finds_all_generations_and_no_neighbour() {
        let process = |pid, parent| Process { pid, parent, started: 1, zombie: false, comm: "x".to_owned() };
        let table = [process(5, 3), process(3, 2), process(2, 1), process(4, 1), process(6, 5)];
        assert_eq!(below(&table, 2), BTreeSet::from([2, 3, 5, 6]));
    }
}
