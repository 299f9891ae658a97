//! Signals that the shim heard of: written down with their sender, within bounds.
//!
//! The first ones go into the record at once. Of more, the last ones are held in memory and written at the end: the one
//! that mattered is the last. At the end the kernel's own record is asked for what neither shim nor tracing could see.

use std::collections::VecDeque;
use std::fs::File;

use crate::model::ending::{Arrived, Part, Sender, SignalRecord, Unseen, WaitStatus};
use crate::model::signal::Signal;
use crate::model::time::Wall;
use crate::os::kernel_trace::{self, Found, Made};
use crate::os::{clock, process, trace};
use crate::store::record::{Durable, Line};

use super::pass::Passes;

/// Signals that are written down at once.
const FIRST: u64 = 32;
/// Signals after those that are held until the end: the last ones.
const LAST: usize = 32;
/// A signal that was passed on this long before the program was ended by the same one may have been caught, and another
/// one have ended it, in milliseconds.
const AT_ONCE_MS: u64 = 2000;
/// Signals that were sent this long before an end by exit code may have to do with it, in milliseconds.
const SHORTLY_MS: u64 = 60_000;

/// What the kernel itself sends and an operator wants to know of, when tracing.
const FROM_THE_KERNEL: [i32; 6] =
    [libc::SIGHUP, libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGXCPU, libc::SIGXFSZ];

/// What the kernel sends a program for what it does, as if the program sent it itself.
const FOR_AN_ACT: [i32; 2] = [libc::SIGXFSZ, libc::SIGPIPE];

/// What was heard in one run.
pub(super) struct Heard {
    main: i32,
    /// When the main process began, in milliseconds on the boot clock.
    began_ms: u64,
    /// From when on this shim has watched it: what came before, an earlier shim has written down.
    since_ms: u64,
    traced: bool,
    count: u64,
    held: VecDeque<SignalRecord>,
    /// Signals whose sender is written down, as bits.
    named: u128,
    /// The last traced signal that was too common to be written down: the program's own, or the kernel's.
    common: Option<(trace::Seen, Wall)>,
    /// The last signal that arrived at the shim, and when on the boot clock.
    passed_on: Option<(i32, u64)>,
    /// Who sent the last one.
    last: Option<Described>,
}

/// A sender that was described.
struct Described {
    sender: Sender,
    /// When its process was started; `None`: it was gone already.
    started: Option<u64>,
    /// When it was described, in milliseconds on the boot clock.
    at_ms: u64,
}

impl Described {
    /// Whether this is who `pid` is now. One that is gone by now was the same, if that is a moment ago.
    fn is(&self, pid: i32, uid: u32, started: Option<u64>, now_ms: u64) -> bool {
        let same = (self.sender.pid, self.sender.uid) == (pid, Some(uid));
        same && match started {
            Some(_) => self.started == started,
            None => now_ms < self.at_ms + 1000,
        }
    }
}

impl Heard {
    pub(super) fn new(main: i32, traced: bool) -> Self {
        let held = VecDeque::new();
        let began_ms = kernel_trace::started_ms(main);
        Self {
            main,
            began_ms,
            since_ms: began_ms,
            traced,
            count: 0,
            held,
            named: 0,
            common: None,
            passed_on: None,
            last: None,
        }
    }

    /// The main process is `main` from now on.
    pub(super) fn follow(&mut self, main: i32, traced: bool) {
        (self.main, self.began_ms, self.traced) = (main, kernel_trace::started_ms(main), traced);
        self.since_ms = clock::boot_ms().unwrap_or(u64::MAX); // without a clock nothing is added
    }

    /// A signal arrived at the shim.
    pub(super) fn at_shim(&mut self, record: &mut File, signal: i32, sender: Option<(i32, u32)>) {
        let to = nix::unistd::getpid().as_raw();
        let sender = sender.map(|(pid, uid)| self.describe(pid, uid, signal, to));
        self.passed_on = clock::boot_ms().ok().map(|at_ms| (signal, at_ms));
        self.note(record, signal, sender, Arrived::Shim);
    }

    /// A signal is about to be delivered to a thread of the process.
    pub(super) fn at_process(&mut self, record: &mut File, seen: trace::Seen) {
        let me = nix::unistd::getpid().as_raw();
        let worth = match seen.sender {
            Some((pid, _)) if pid == me => return, // passed on: written down when it arrived at the shim
            Some((pid, _)) => pid != self.main,
            None => FROM_THE_KERNEL.contains(&seen.signal),
        };
        if !worth {
            self.common = clock::wall().ok().map(|at| (seen, at));
            return;
        }
        let sender = seen.sender.map(|(pid, uid)| self.describe(pid, uid, seen.signal, self.main));
        self.note(record, seen.signal, sender, Arrived::Process);
    }

    /// At once: a sender may be gone in a millisecond. One that sends again and again is described once.
    fn describe(&mut self, pid: i32, uid: u32, signal: i32, to: i32) -> Sender {
        let started = (pid > 0).then(|| process::look(pid).ok().flatten()).flatten().map(|process| process.started);
        let now_ms = clock::boot_ms().unwrap_or(u64::MAX); // without a clock nothing is a moment ago
        if let Some(last) = self.last.as_ref().filter(|last| last.is(pid, uid, started, now_ms)) {
            return last.sender.clone();
        }
        let mut sender = process::describe(pid, Some(uid));
        if sender.comm.is_none() && pid > 0 {
            sender.comm = self.name_in_record(pid, signal, to);
        }
        self.last = Some(Described { sender: sender.clone(), started, at_ms: now_ms });
        sender
    }

    /// The name of a sender that is gone already, from the kernel's own record.
    fn name_in_record(&self, pid: i32, signal: i32, to: i32) -> Option<String> {
        let found = kernel_trace::about(to, self.began_ms, clock::boot_ms().ok()?).ok()?;
        found.signals.into_iter().rfind(|made| made.thread == pid && made.signal == signal)?.comm
    }

    fn note(&mut self, record: &mut File, signal: i32, sender: Option<Sender>, to: Arrived) {
        let Ok(at) = clock::wall() else { return };
        self.keep(record, SignalRecord { signal: Signal(signal), at, to, sender, survived: false });
    }

    fn keep(&mut self, record: &mut File, signal: SignalRecord) {
        self.count += 1;
        self.named |= 1_u128.checked_shl(signal.signal.0.unsigned_abs()).unwrap_or(0); // signals end at 64
        if self.count <= FIRST {
            write(record, signal);
            return;
        }
        if self.held.len() == LAST {
            self.held.pop_front();
        }
        self.held.push_back(signal);
    }

    fn has(&self, signal: i32) -> bool {
        self.named & 1_u128.checked_shl(signal.unsigned_abs()).unwrap_or(0) != 0
    }

    /// Whether the one that ended the run was seen: as it was delivered, or passed on a moment before.
    fn saw(&self, fatal: i32, ended_ms: u64) -> bool {
        let just_passed_on =
            self.passed_on.is_some_and(|(signal, at_ms)| signal == fatal && at_ms + AT_ONCE_MS >= ended_ms);
        just_passed_on || (self.traced && self.has(fatal))
    }

    /// The run ended: what is still to be written down goes into the record. Returns how many signals are not in it.
    pub(super) fn finish(
        &mut self,
        record: &mut File,
        status: Option<WaitStatus>,
        ended_ms: u64,
        passes: &Passes,
    ) -> u64 {
        let fatal = match status {
            Some(WaitStatus::Signal(Signal(signal), _)) => Some(signal),
            Some(WaitStatus::Code(_)) | None => None,
        };
        if let Some((seen, at)) = self.common.take()
            && fatal == Some(seen.signal)
            && !FOR_AN_ACT.contains(&seen.signal)
        {
            let sender = seen.sender.map(|(pid, uid)| Sender { itself: true, ..Sender::gone(pid, Some(uid), None) });
            self.keep(
                record,
                SignalRecord { signal: Signal(seen.signal), at, to: Arrived::Process, sender, survived: false },
            );
        }
        let found = kernel_trace::about(self.main, self.began_ms, ended_ms);
        let unseen = match found {
            Ok(found) => self.add(record, found, fatal, ended_ms, passes),
            Err(why) => Some(why),
        };
        let (unwritten, held) = (self.count.saturating_sub(FIRST), std::mem::take(&mut self.held));
        let lost = unwritten.saturating_sub(u64::try_from(held.len()).unwrap_or(0)); // at most LAST
        for signal in held {
            write(record, signal);
        }
        if let (Some(fatal), Some(why)) = (fatal, unseen)
            && !self.saw(fatal, ended_ms)
        {
            // On a full disk the reason is lost; that the sender is not known stays.
            drop(Line::Unseen { why }.append(record, Durable::No));
        }
        lost
    }

    /// Adds what the kernel's own record has. Returns why it does not name the sender of the fatal signal.
    fn add(
        &mut self,
        record: &mut File,
        found: Found,
        fatal: Option<i32>,
        ended_ms: u64,
        passes: &Passes,
    ) -> Option<Unseen> {
        let me = nix::unistd::getpid().as_raw();
        let complete = found.since_ms <= self.began_ms;
        let last = fatal.and_then(|fatal| found.signals.iter().rposition(|made| made.signal == fatal));
        let offset = wall_offset()?;
        let mut named = false;
        for (index, made) in found.signals.into_iter().enumerate() {
            let ended_it = last == Some(index) && (made.signal == libc::SIGKILL || made.followed);
            let by_a_process = made.by_a_process();
            let passed_on = made.thread == me; // written down when it arrived at the shim
            // What the kernel sends for what a program does looks like the program's own: its limits tell which it was.
            let ambiguous = made.thread == self.main && made.by_kill() && FOR_AN_ACT.contains(&made.signal);
            if passed_on || ambiguous {
                named |= ended_it;
                continue;
            }
            let shortly = made.boot_ms + SHORTLY_MS >= ended_ms && made.boot_ms >= self.since_ms;
            let of_others = by_a_process && made.thread != self.main && shortly;
            // Tracing sees all but SIGKILL; what it has not seen is added only if it ended the run.
            let traced = self.traced && made.signal != libc::SIGKILL;
            let seen_already = traced && (!ended_it || self.has(made.signal));
            // Negative codes but those above are the kernel's, or a program's that wants to look like it.
            let known = by_a_process || made.code > 0;
            if known && (ended_it || of_others) && !seen_already {
                named |= ended_it;
                let at = Wall(offset + i64::try_from(made.boot_ms).ok()?);
                let sender = by_a_process.then(|| self.recorded(&made, passes));
                self.keep(
                    record,
                    SignalRecord { signal: Signal(made.signal), at, to: Arrived::Kernel, sender, survived: false },
                );
            }
        }
        (!named).then_some(if complete { Unseen::NotThere } else { Unseen::Gap })
    }

    fn recorded(&self, made: &Made, passes: &Passes) -> Sender {
        if made.thread == self.main {
            return Sender { itself: true, ..Sender::gone(made.thread, None, made.comm.clone()) };
        }
        let sender = process::describe_recorded(made);
        let guardian = sender.guardian.or(passes.was(sender.pid).then_some(Part::Pass));
        Sender { guardian, ..sender }
    }
}

/// What is to be added to the boot clock to have the wall clock, in milliseconds.
fn wall_offset() -> Option<i64> {
    Some(clock::wall().ok()?.0 - i64::try_from(clock::boot_ms().ok()?).ok()?)
}

fn write(record: &mut File, signal: SignalRecord) {
    // On a full disk the note is lost; the signal is not, and neither is the end.
    drop(Line::Signal { record: Box::new(signal) }.append_sparing(record));
}
