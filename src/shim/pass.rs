//! The passes that a shim starts: at the end of its run, and when a moment has come.
//!
//! A pass answers through a pipe with the next moment at which something would become true, and
//! rings; the shim arms its timer and waits. It needs no opinion of its own.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;

use crate::model::ending::WaitStatus;
use crate::os::children::{self, Waited};
use crate::os::clock;
use crate::os::signals::{self, Alarm, Arrival};
use crate::os::{descriptor, spawn};
use crate::store::launch::PUSH_NAME;

/// Until a pass that gave no answer is tried again, in milliseconds.
const RETRY_MS: u64 = 10_000;
/// Passes in a row without an answer after which the rest is left to cron.
const RETRIES: u32 = 3;

/// Passes whose ring is waited for; one that was killed never rings.
const SILENT: usize = 8;

/// A pass that runs.
struct Running {
    pid: i32,
    answer: File,
    answered: bool,
}

/// Starts passes for one name and hears their answers.
pub(super) struct Passes {
    exe: CString,
    /// `GUARDIAN_PUSH=NAME`.
    named: CString,
    run: CString,
    alarm: Alarm,
    /// Those that have not been waited for. Only the newest may still owe its answer; the others deliver alerts.
    running: Vec<Running>,
    /// Pids of those whose ring has not been heard, newest last.
    silent: Vec<i32>,
    unanswered: u32,
    /// Something has happened that the one that runs may not have seen.
    again: bool,
    /// The last answer named a moment.
    due: bool,
    /// Pids of the last ones, whatever became of them.
    recent: [i32; SILENT],
    started: usize,
    /// The child that looks whether the program is ready.
    watcher: Option<i32>,
    /// Watchers that ended badly.
    watches: u32,
}

impl Passes {
    pub(super) fn new(exe: CString, name: &CStr, run: CString) -> Self {
        let named = [PUSH_NAME.as_bytes(), b"=", name.to_bytes()].concat();
        Self {
            exe,
            named: CString::new(named).unwrap_or_default(), // neither part holds a NUL
            run,
            alarm: Alarm::default(),
            running: Vec::new(),
            silent: Vec::new(),
            unanswered: 0,
            again: false,
            due: false,
            recent: [0; SILENT],
            started: 0,
            watcher: None,
            watches: 0,
        }
    }

    /// The name that they are for.
    pub(super) fn name(&self) -> &str {
        self.named.to_str().ok().and_then(|named| named.split_once('=')).map_or("", |(_, name)| name)
    }

    /// Whether this is a pass or a watcher that runs.
    pub(super) fn has(&self, pid: i32) -> bool {
        self.watcher == Some(pid) || self.running.iter().any(|running| running.pid == pid)
    }

    /// Whether this was the pid of one of the last passes of this shim.
    pub(super) fn was(&self, pid: i32) -> bool {
        pid > 0 && self.recent.contains(&pid)
    }

    /// Whether a pass has yet to say when the next is due.
    fn is_unanswered(&self) -> bool {
        self.running.iter().any(|running| !running.answered)
    }

    /// The next moment, in milliseconds on the boot clock.
    pub(super) fn alarm(&mut self, boot_ms: Option<u64>) {
        self.due = boot_ms.is_some();
        // Without a timer the deadlines are cron's alone, to the minute.
        drop(self.alarm.set(boot_ms));
    }

    /// Starts one, unless the answer of one is still to come: the newest build first, this very one if that is gone.
    /// One that has answered and only delivers alerts holds nothing up, however slow a sink is.
    pub(super) fn start(&mut self) {
        if self.is_unanswered() {
            return;
        }
        self.due = false;
        match self.spawn(&[]) {
            Ok((pid, answer)) => {
                if self.silent.len() >= SILENT {
                    self.silent.remove(0);
                }
                self.silent.push(pid);
                if let Some(place) = self.recent.get_mut(self.started % SILENT) {
                    *place = pid;
                }
                self.started += 1;
                self.running.push(Running { pid, answer, answered: false });
            }
            Err(_) => self.try_again(),
        }
    }

    /// A child of ours that looks until the program is ready; when it ends, a pass sees what it wrote down.
    pub(super) fn watch(&mut self) {
        match self.spawn(&[c"--until-ready"]) {
            Ok((pid, _)) => self.watcher = Some(pid), // it gives no answer
            Err(_) => self.watcher = None,            // nobody looks: the run is ended when its time is over
        }
    }

    /// The run is over: nobody need look whether it is ready.
    pub(super) fn stop_watching(&mut self) {
        if let Some(pid) = self.watcher {
            self.watches = RETRIES;
            drop(children::signal_child(pid, libc::SIGKILL)); // it has not been waited for: its pid is its own
        }
    }

    fn spawn(&self, more: &[&CStr]) -> io::Result<(i32, File)> {
        // Its name stands in no argument: no pattern that means the program matches a pass, either.
        let mut argv = vec![c"guardian", c"healthcheck", c"--push", &self.run];
        argv.extend(more);
        let environment: Vec<CString> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let mut variable = name.into_vec();
                variable.push(b'=');
                variable.extend(value.into_vec());
                CString::new(variable).ok()
            })
            .chain([self.named.clone()])
            .collect();
        let (answer, write) = descriptor::pipe()?;
        descriptor::set_nonblocking(&answer)?;
        spawn::pass(&self.exe, &argv, &environment, Some(&write)).map(|pid| (pid, answer))
    }

    /// The same for something that has just happened: one that runs looked before it, perhaps, and another follows.
    pub(super) fn start_anew(&mut self) {
        self.again = self.is_unanswered();
        self.start();
    }

    /// The bell was rung by `sender`. True when that is a pass of ours, and so nothing to give to the process.
    ///
    /// The pass may be over by now: its end and the timer are lower signals and are heard first when all wait.
    pub(super) fn rung(&mut self, sender: Option<(i32, u32)>) -> bool {
        let ours = match sender {
            Some((pid, _)) => self.silent.extract_if(.., |silent| *silent == pid).count() > 0,
            None => self.silent.pop().is_some(), // who sent it is not known on every platform
        };
        if ours {
            self.hear();
        }
        ours
    }

    /// Reads the answer that is to come, if it is there.
    pub(super) fn hear(&mut self) {
        let Some(running) = self.running.iter_mut().find(|running| !running.answered) else { return };
        let mut bytes = [0; 8];
        if !matches!(running.answer.read(&mut bytes), Ok(8)) {
            return;
        }
        running.answered = true;
        self.unanswered = 0;
        let moment = u64::from_le_bytes(bytes);
        self.alarm((moment > 0).then_some(moment));
        if std::mem::take(&mut self.again) {
            self.start();
        }
    }

    /// The child `pid` has been waited for.
    pub(super) fn ended(&mut self, pid: i32, status: WaitStatus) {
        if !self.has(pid) {
            return;
        }
        if self.watcher == Some(pid) {
            self.watcher = None;
            self.watched(status);
            return;
        }
        self.hear();
        if self.running.extract_if(.., |running| running.pid == pid).any(|running| !running.answered) {
            self.try_again();
        }
    }

    /// The watcher has ended: a pass sees what it saw. One that was killed has seen nothing, and another looks.
    fn watched(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Code(0) => self.start_anew(),
            WaitStatus::Code(_) | WaitStatus::Signal(..) if self.watches < RETRIES => {
                self.watches += 1;
                self.watch();
            }
            WaitStatus::Code(_) | WaitStatus::Signal(..) => {}
        }
    }

    fn try_again(&mut self) {
        self.unanswered += 1;
        let later = clock::boot_ms().ok().filter(|_| self.unanswered < RETRIES);
        self.alarm(later.map(|ms| ms + RETRY_MS));
    }

    /// The run is over and its lock is free: a pass now, whatever ran before.
    pub(super) fn start_last(&mut self) {
        // One that still runs looked before the end; its answer is about a time that has passed.
        self.running.clear();
        self.start();
    }

    /// A pass at each moment that a pass asks for, until none does. What those start is nobody's child.
    pub(super) fn until_done(&mut self) -> io::Result<()> {
        while self.due || self.is_unanswered() {
            match signals::wait()? {
                Arrival::Child => {
                    while let Waited::Ended { pid, status, .. } = children::poll_children()? {
                        self.ended(pid, status);
                    }
                }
                Arrival::Alarm => self.start(),
                // Nobody's answer: what is waited for may be wanted no more.
                Arrival::Sent { signal: signals::BELL, .. } if !self.is_unanswered() => self.start(),
                Arrival::Sent { signal: signals::BELL, .. } => self.hear(),
                Arrival::Other | Arrival::Sent { .. } => {}
            }
        }
        Ok(())
    }
}
