//! The passes that a shim starts: at the end of its run, and when a moment has come.
//!
//! A pass answers through a pipe with the next moment at which something would become true, and
//! rings; the shim arms its timer and waits. It needs no opinion of its own.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;

use crate::os::clock;
use crate::os::signals::{self, Alarm, Arrival};
use crate::os::spawn::{self, Waited};

/// Until a pass that gave no answer is tried again, in milliseconds.
const RETRY_MS: u64 = 10_000;
/// Passes in a row without an answer after which the rest is left to cron.
const RETRIES: u32 = 3;

/// A pass that runs.
struct Running {
    pid: i32,
    answer: File,
    answered: bool,
}

/// Starts passes for one name and hears their answers.
pub(super) struct Passes {
    exe: CString,
    name: CString,
    run: CString,
    alarm: Alarm,
    running: Option<Running>,
    /// The pid of the last one that was started.
    last: Option<i32>,
    unanswered: u32,
    /// The last answer named a moment.
    due: bool,
}

impl Passes {
    pub(super) fn new(exe: CString, name: CString, run: CString) -> Self {
        Self { exe, name, run, alarm: Alarm::default(), running: None, last: None, unanswered: 0, due: false }
    }

    /// The pid of the pass that runs.
    pub(super) fn running(&self) -> Option<i32> {
        self.running.as_ref().map(|running| running.pid)
    }

    /// The next moment, in milliseconds on the boot clock.
    pub(super) fn alarm(&mut self, boot_ms: Option<u64>) {
        self.due = boot_ms.is_some();
        // Without a timer the deadlines are cron's alone, to the minute.
        drop(self.alarm.set(boot_ms));
    }

    /// Starts one, unless one runs: the newest build first, this very one if that is gone.
    pub(super) fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.due = false;
        let argv = [c"guardian", c"healthcheck", &self.name, c"--push", &self.run];
        let itself = c"/proc/self/exe";
        let environment: Vec<CString> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let mut variable = name.into_vec();
                variable.push(b'=');
                variable.extend(value.into_vec());
                CString::new(variable).ok()
            })
            .collect();
        let started = spawn::pipe().and_then(|(answer, write)| {
            spawn::set_nonblocking(&answer)?;
            let exe: [&CStr; 2] = [&self.exe, itself];
            spawn::pass(&exe, &argv, &environment, &write).map(|pid| (pid, answer))
        });
        match started {
            Ok((pid, answer)) => {
                self.last = Some(pid);
                self.running = Some(Running { pid, answer, answered: false });
            }
            Err(_) => self.try_again(),
        }
    }

    /// The bell was rung by `sender`. True when that is our pass, and so nothing to give to the process.
    ///
    /// The pass may be over by now: its end is a lower signal and is heard first when both wait.
    pub(super) fn rung(&mut self, sender: Option<(i32, u32)>) -> bool {
        let ours = sender.map_or(self.last.is_some(), |(pid, _)| self.last == Some(pid));
        if ours {
            self.hear();
        }
        ours
    }

    /// Reads the answer of the pass that runs, if it is there. True when it was.
    pub(super) fn hear(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        let mut bytes = [0; 8];
        if running.answered || !matches!(running.answer.read(&mut bytes), Ok(8)) {
            return false;
        }
        running.answered = true;
        self.unanswered = 0;
        let moment = u64::from_le_bytes(bytes);
        self.alarm((moment > 0).then_some(moment));
        true
    }

    /// The child `pid` has been waited for.
    pub(super) fn ended(&mut self, pid: i32) {
        if self.running() != Some(pid) {
            return;
        }
        self.hear();
        if self.running.take().is_some_and(|running| !running.answered) {
            self.try_again();
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
        self.running = None;
        self.start();
    }

    /// A pass at each moment that a pass asks for, until none does. What those start is nobody's child.
    pub(super) fn until_done(&mut self) -> io::Result<()> {
        while self.due || self.running.as_ref().is_some_and(|running| !running.answered) {
            match signals::wait()? {
                Arrival::Child => {
                    while let Waited::Ended { pid, .. } = spawn::poll_children()? {
                        self.ended(pid);
                    }
                }
                Arrival::Alarm => self.start(),
                Arrival::Sent { signal: signals::BELL, .. } => drop(self.hear()),
                Arrival::Other | Arrival::Sent { .. } => {}
            }
        }
        Ok(())
    }
}
