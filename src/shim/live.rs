//! The shim while its run lives: signals in, signals on, children waited for, the end recorded.

mod adopted;
mod follow;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use crate::model::ending::{Ancestor, WaitStatus};
use crate::model::evidence::{End, Left};
use crate::model::time::{BootId, Identity};
use crate::os::cgroup::Group;
use crate::os::children::{self, Usage, Waited};
use crate::os::signals::Arrival;
use crate::os::{process, signals, trace};
use crate::store::launch::Follow;
use crate::store::log;
use crate::store::record::{Durable, Line};

use super::heard::Heard;
use super::input::Input;
use super::last_look::{Before, LastLook};
use super::notices::Notices;
use super::pass::Passes;
use super::{Leftovers, now};

pub(super) use adopted::Adopted;

/// Looks at the process table until what it shows is believed to be nothing: one that forked and ended during a look
/// shows neither itself nor its child.
const LOOKS: u32 = 3;

/// A run that lives.
pub(super) struct Live {
    main: i32,
    record: File,
    boot: BootId,
    leftovers: Leftovers,
    heard: Heard,
    /// Where the program may speak of itself.
    notices: Option<Notices>,
    /// Its control groups, if it has any of its own.
    group: Option<Group>,
    /// What it reads, where the shim has a part in that.
    input: Option<Input>,
    /// The program is not our child: its shim was killed, and the run taken over.
    adopted: Option<Adopted>,
    /// When the end of the main process is not that of the run.
    follow: Option<Follow>,
    trace: bool,
    before: Before,
    /// What the main process showed when it had ended.
    last_look: Option<LastLook>,
    /// The main process has been waited for.
    over: bool,
}

/// What a look at the children showed.
#[derive(PartialEq, Eq)]
enum Children {
    /// Some live.
    Some,
    /// None is left.
    None,
}

impl Live {
    pub(super) fn new(main: i32, record: File, boot: BootId, leftovers: Leftovers, heard: Heard) -> Self {
        Self {
            main,
            record,
            boot,
            leftovers,
            heard,
            notices: None,
            input: None,
            group: None,
            adopted: None,
            follow: None,
            trace: false,
            before: Before::default(),
            last_look: None,
            over: false,
        }
    }

    /// The same for a run with control groups of its own, if it has any, and what was known when it began.
    pub(super) fn placed(self, group: Option<Group>, before: Before) -> Self {
        Self { group, before, ..self }
    }

    /// The same for a program that may put itself into the background, and is traced then as it was before.
    pub(super) fn following(self, follow: Option<Follow>, trace: bool) -> Self {
        Self { follow, trace, ..self }
    }

    /// The same for a program that may speak of itself.
    pub(super) fn listening(self, notices: Option<Notices>) -> Self {
        Self { notices, ..self }
    }

    /// The same for a program that reads something that the shim has a part in.
    pub(super) fn reading(self, input: Option<Input>) -> Self {
        Self { input, ..self }
    }

    /// The same for a program that is not our child.
    pub(super) fn adopting(self, adopted: Adopted) -> Self {
        Self { adopted: Some(adopted), ..self }
    }

    /// Signals to the program are seen by tracing, or no longer.
    pub(super) fn traced(&mut self, main: i32, traced: bool) {
        self.heard.follow(main, traced);
    }

    /// Writes a line about the run, if that takes no room from its end.
    pub(super) fn record(&mut self, line: &Line) -> io::Result<()> {
        line.append_sparing(&mut self.record)
    }

    /// Until the main process has ended, that is on the disk, and what it left is cleared.
    pub(super) fn until_end(&mut self, passes: &mut Passes) -> io::Result<()> {
        loop {
            // Before its end is taken: what it said last is still heard.
            if self.hear() {
                passes.start_anew();
            }
            // Before the first wait as well: the child may have ended before its signal could be waited for.
            let children = self.children(passes)?;
            self.look_at_adopted(passes)?;
            if self.over {
                passes.stop_watching();
                let cleared = self.clear(passes, children);
                self.group.iter().for_each(Group::remove);
                return cleared;
            }
            match self.arrival()? {
                Arrival::Child | Arrival::Other => {}
                Arrival::Alarm => {
                    self.input.iter().for_each(Input::look);
                    passes.start();
                }
                Arrival::Sent { signal: signals::BELL, sender } if passes.rung(sender) => {}
                Arrival::Sent { signal, sender } => self.pass_on(signal, sender),
            }
        }
    }

    /// Takes note of a signal that was sent to the shim and gives it to the process.
    fn pass_on(&mut self, signal: i32, sender: Option<(i32, u32)>) {
        self.heard.at_shim(&mut self.record, signal, sender);
        // Gone already: its end is what is recorded next.
        drop(self.give(signal));
    }

    /// Takes what the program said. True: a pass should see it now.
    fn hear(&mut self) -> bool {
        self.notices.as_mut().is_some_and(|notices| notices.hear(&mut self.record, &self.boot))
    }

    /// Waits for all children that have changed.
    fn children(&mut self, passes: &mut Passes) -> io::Result<Children> {
        loop {
            if !self.over && self.last_look.is_none() {
                let ended = children::has_ended(self.main);
                if ended.is_some() {
                    self.hear(); // its last words came before its end
                }
                self.last_look = ended.map(|status| LastLook::at(self.main, status, &self.before));
            }
            match children::poll_children()? {
                Waited::Quiet => return Ok(Children::Some),
                Waited::Childless => return Ok(Children::None),
                Waited::Ended { pid, status, usage } if pid == self.main && !self.over => {
                    self.main_ended(status, usage, passes);
                }
                Waited::Ended { pid, status, .. } => passes.ended(pid, status),
                Waited::Stopped { pid, stop } => {
                    if let Some(seen) = trace::resume(self.main, pid, stop) {
                        self.heard.at_process(&mut self.record, seen);
                    }
                }
            }
        }
    }

    /// The main process has ended; and so has the run, unless what it left is to be followed.
    fn main_ended(&mut self, status: WaitStatus, usage: Usage, passes: &mut Passes) {
        if self.followed(status, passes) {
            self.last_look = None; // that was at another process
            return;
        }
        self.over = true;
        // A disk that refuses it leaves the end unexplained; it is told and cleared up after all the same.
        drop(self.end(status, usage, passes));
    }

    /// The end is on the disk when this returns well.
    fn end(&mut self, status: WaitStatus, usage: Usage, passes: &Passes) -> io::Result<()> {
        self.input.iter_mut().for_each(Input::drain);
        let at = now(&self.boot)?;
        let more_signals = self.heard.finish(&mut self.record, Some(status), at.boot_ms, passes);
        let (oom, memory_peak_bytes) = self.group.as_ref().map_or((None, None), Group::evidence);
        let left = self.left_named(passes);
        let mut end = Box::new(End {
            status,
            at,
            user_ms: usage.user_ms,
            system_ms: usage.system_ms,
            max_rss_kib: usage.max_rss_kib,
            leftover: left.is_some(),
            left,
            log_bytes: log::end_of_output(),
            limits: None,
            oom,
            memory_peak_bytes,
            core: None,
        });
        if let Some(last_look) = self.last_look.take() {
            last_look.fill(&mut end);
        }
        Line::End { end, more_signals }.append(&mut self.record, Durable::Yes)
    }

    /// Processes of the run that live: descendants of the shim, less the pass that it runs.
    fn left(&self, passes: &Passes) -> Vec<Identity> {
        if let Some(adopted) = &self.adopted {
            return adopted.left(self.main);
        }
        for _ in 0..LOOKS {
            if children::is_childless() {
                break;
            }
            let left = self.look(passes);
            if !left.is_empty() {
                return left;
            }
        }
        Vec::new()
    }

    fn look(&self, passes: &Passes) -> Vec<Identity> {
        // A table that cannot be read leaves them to the next pass, which finds them by lock and environment.
        let Ok(table) = process::table() else { return Vec::new() };
        let me = nix::unistd::getpid().as_raw();
        let roots: BTreeSet<i32> = table
            .iter()
            .filter(|process| process.parent == me && !passes.has(process.pid) && process.pid != self.main)
            .filter(|process| !process::is_of_another(process.pid, passes.name()))
            .map(|process| process.pid)
            .collect();
        let boot = &self.boot;
        let living = process::tree(&table, &roots);
        living.iter().map(|p| Identity { pid: p.pid, started: p.started, boot: boot.clone(), unique: None }).collect()
    }

    /// The same, counted and some of them named.
    fn left_named(&self, passes: &Passes) -> Option<Left> {
        let left = self.left(passes);
        let named = left.iter().take(Left::NAMED).filter_map(|identity| process::look(identity.pid).ok().flatten());
        let some = named.map(|process| Ancestor { pid: process.pid, comm: process.comm }).collect();
        (!left.is_empty()).then_some(Left { count: left.len(), some })
    }

    /// What the main process left is asked to end, then killed, until nothing of it lives.
    fn clear(&mut self, passes: &mut Passes, mut children: Children) -> io::Result<()> {
        if self.adopted.is_some() {
            return self.clear_adopted(passes);
        }
        let Leftovers::Kill(grace) = self.leftovers else { return Ok(()) };
        let mut left = self.left(passes);
        if children == Children::None || left.is_empty() {
            return Ok(());
        }
        self.send(&left, libc::SIGTERM);
        let kill_at = now(&self.boot)?.plus(grace);
        passes.alarm(Some(kill_at.boot_ms));
        while children == Children::Some && !left.is_empty() {
            match signals::wait()? {
                Arrival::Sent { signal: signals::BELL, .. } => passes.hear(),
                Arrival::Child | Arrival::Other | Arrival::Alarm | Arrival::Sent { .. } => {}
            }
            children = self.children(passes)?;
            left = self.left(passes);
            if now(&self.boot)?.has_reached(&kill_at) {
                self.group.iter().for_each(|group| group.kill(&left));
                self.send(&left, libc::SIGKILL);
                passes.alarm(Some(now(&self.boot)?.boot_ms + 100)); // a fork may have slipped through
            }
        }
        passes.alarm(None);
        Ok(())
    }

    fn send(&self, left: &[Identity], signal: i32) {
        for identity in left {
            // Gone already, or not ours to signal (a setuid program): the loop sees which.
            drop(process::send(identity, &self.boot, signal));
        }
    }
}
