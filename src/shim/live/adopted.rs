//! A run whose shim was killed, in the hands of a new one: the program is not its child, so nothing comes to it by
//! itself. Its end comes through a pidfd, what it left is found as `stop` finds it.

use std::ffi::CStr;
use std::io;

use crate::context::Context;
use crate::living::living;
use crate::model::evidence::{Gone, Lock, Recorded};
use crate::model::name::Name;
use crate::model::time::Identity;
use crate::os::cgroup::Group;
use crate::os::children::signal_child;
use crate::os::orphan::{Orphan, Woken};
use crate::os::program;
use crate::os::signals::{self, Arrival};
use crate::shim::input::{self, Input};
use crate::shim::last_look::LastLook;
use crate::shim::pass::Passes;
use crate::shim::{Leftovers, now};
use crate::store::log;
use crate::store::record::{self, Durable, Line};

use super::{LOOKS, Live};

/// Between two looks at what was asked to end: it is nobody's child of ours, so that no signal tells of its end.
const LOOK_MS: u64 = 20;

/// The program of somebody else's run.
pub(in crate::shim) struct Adopted {
    /// The main process.
    pub(super) orphan: Orphan,
    pub(super) ctx: Context,
    pub(super) name: Name,
    pub(super) run: u64,
}

impl Adopted {
    pub(in crate::shim) fn new(orphan: Orphan, name: Name, run: u64) -> io::Result<Self> {
        let ctx = Context::read(None).map_err(|error| io::Error::other(error.message))?;
        Ok(Self { orphan, ctx, name, run })
    }

    /// The control groups of the run, if it has any of its own.
    pub(in crate::shim) fn group(&self) -> Option<Group> {
        match record::read(&self.ctx.paths, &self.name, self.run).0 {
            Recorded::Read(record) => record.placed.as_ref().and_then(Group::of),
            Recorded::Missing | Recorded::Unreadable(_) => None,
        }
    }

    /// What it reads, where the shim has a part in that and the program has kept it. Where the kernel does not give it
    /// (Yama), an input cannot be ended any more; and a terminal that nobody reads would hold the program up for ever, so that is hung up.
    pub(in crate::shim) fn input(&self, told: &CStr) -> Option<Input> {
        let kind = input::kind(told.to_bytes());
        match Input::of_orphan(kind, &self.orphan, &self.ctx.paths, &self.name) {
            Ok(input) => input,
            Err(error) => {
                if kind == program::Input::Terminal && error.raw_os_error() == Some(libc::EPERM) {
                    drop(self.orphan.signal(libc::SIGHUP)); // gone meanwhile: its end is what is seen next
                    drop(self.orphan.signal(libc::SIGCONT));
                }
                None
            }
        }
    }

    /// Processes of the run that live, but for `main`.
    pub(super) fn left(&self, main: i32) -> Vec<Identity> {
        for _ in 0..LOOKS {
            // A table that cannot be read leaves them to the next `stop`, which finds them in the same way.
            let mut left = living(&self.ctx, &self.name, self.run).unwrap_or_default();
            left.retain(|identity| identity.pid != main);
            if !left.is_empty() || record::tree_lock(&self.ctx.paths, &self.name, self.run) != Lock::Held {
                return left;
            }
        }
        Vec::new()
    }
}

impl Live {
    /// The next signal. For an adopted program also its end, which looks like that of a child.
    pub(super) fn arrival(&mut self) -> io::Result<Arrival> {
        let woken = match (&mut self.input, &self.adopted) {
            (Some(Input::Terminal(terminal)), adopted) => {
                terminal.wait(adopted.as_ref().map(|adopted| adopted.orphan.end()))?
            }
            (None | Some(Input::Pipe { .. }), None) => return signals::wait(),
            (None | Some(Input::Pipe { .. }), Some(adopted)) => adopted.orphan.wait()?,
        };
        match woken {
            Woken::Signal => signals::wait(),
            Woken::Ended => Ok(Arrival::Child),
        }
    }

    /// Gives a signal to the program.
    pub(super) fn give(&self, signal: i32) -> io::Result<()> {
        match &self.adopted {
            None => signal_child(self.main, signal),
            Some(adopted) => adopted.orphan.signal(signal),
        }
    }

    /// Records the end of an adopted program, if it has ended.
    pub(super) fn look_at_adopted(&mut self, passes: &mut Passes) -> io::Result<()> {
        let Some(adopted) = &self.adopted else { return Ok(()) };
        if self.over || !adopted.orphan.has_ended()? {
            return Ok(());
        }
        // A tracer is told of it as a parent is, and before the parent.
        self.children(passes)?;
        let Some(adopted) = self.adopted.as_ref().filter(|_| !self.over) else { return Ok(()) };
        match adopted.orphan.status() {
            Some((status, usage)) => {
                let look = LastLook::at(self.main, status, &self.before);
                // Waited for meanwhile: what was seen of its limits may be another's.
                let look = if adopted.orphan.is_zombie() { look } else { look.without_limits() };
                self.last_look = Some(look);
                self.main_ended(status, usage, passes);
            }
            None => {
                self.over = true;
                // As for every end: a disk that refuses it leaves it unexplained.
                drop(self.gone(passes));
            }
        }
        Ok(())
    }

    /// That it ended is on the disk when this returns well. How is not known.
    fn gone(&mut self, passes: &Passes) -> io::Result<()> {
        self.input.iter_mut().for_each(Input::drain);
        let left = self.left_named(passes);
        let at = now(&self.boot)?;
        let more_signals = self.heard.finish(&mut self.record, None, at.boot_ms, passes);
        let gone = Box::new(Gone { at, left, log_bytes: log::end_of_output() });
        Line::Gone { gone, more_signals }.append(&mut self.record, Durable::Yes)
    }

    /// What an adopted program left is asked to end, then killed, until nothing of it lives.
    pub(super) fn clear_adopted(&mut self, passes: &mut Passes) -> io::Result<()> {
        let Leftovers::Kill(grace) = self.leftovers else { return Ok(()) };
        let mut left = self.left(passes);
        self.send(&left, libc::SIGTERM);
        let kill_at = now(&self.boot)?.plus(grace);
        while !left.is_empty() {
            passes.alarm(Some(now(&self.boot)?.boot_ms + LOOK_MS));
            match signals::wait()? {
                Arrival::Sent { signal: signals::BELL, .. } => passes.hear(),
                Arrival::Child | Arrival::Other | Arrival::Alarm | Arrival::Sent { .. } => {}
            }
            self.children(passes)?;
            left = self.left(passes);
            if now(&self.boot)?.has_reached(&kill_at) {
                self.group.iter().for_each(|group| group.kill(&left));
                self.send(&left, libc::SIGKILL);
            }
        }
        passes.alarm(None);
        Ok(())
    }
}
