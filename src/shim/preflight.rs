//! The preflight: lines for the shell that must succeed before the program is started.
//!
//! They run one after the other in the program's place: its directory, environment, mask and log, with its lock
//! inherited, so that whoever ends the run finds them. All together have a limited time. What one writes goes straight
//! into the log between two marks of ours; its last line is read back from there. Nothing here starts the program.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::time::Duration;

use crate::model::ending::WaitStatus;
use crate::model::evidence::{PreflightFailure, SpawnStep};
use crate::model::time::{BootId, Identity, Stamp};
use crate::model::units::format_duration;
use crate::os::children::{self, Waited};
use crate::os::program::{self, Input, Program};
use crate::os::signals::{self, Arrival};
use crate::os::{descriptor, process};
use crate::policy::secrets::Mask;
use crate::store::log;
use crate::store::record::{Durable, Line};

use super::heard::Heard;
use super::now;
use super::pass::Passes;

/// Time that all lines have together.
const LIMIT: Duration = Duration::from_secs(30);
/// After KILL, how long what is left is waited for.
const AFTER_KILL: Duration = Duration::from_secs(5);
/// Characters of a line, and of what it wrote last, that are repeated.
const SHOWN: usize = 160;
/// Bytes at the end of what a line wrote in which its last line is looked for.
const TAIL: u64 = 2048;

/// What the lines came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preflight {
    /// All succeeded: the program may be started.
    Clear,
    /// One did not, and that is recorded.
    Failed,
}

/// How one line ended.
enum Ended {
    By(WaitStatus),
    TimeUp,
    /// It could not be started.
    Never(SpawnStep, i32),
}

/// The preflight of one run.
pub(super) struct Lines<'a> {
    /// The program that is started after it.
    pub(super) program: &'a Program<'a>,
    /// The lines.
    pub(super) lines: &'a [&'a CStr],
    /// The boot.
    pub(super) boot: &'a BootId,
}

impl Lines<'_> {
    /// Runs them. Their failure is in the record, on the disk, when this returns.
    #[inline(never)] // nothing of it stays on the stack of a shim that waits
    pub(super) fn run(&self, record: &mut File, passes: &mut Passes) -> io::Result<Preflight> {
        let until = now(self.boot)?.plus(LIMIT);
        passes.alarm(Some(until.boot_ms));
        for (index, line) in self.lines.iter().enumerate() {
            let shown = crate::view::words::cut(&line.to_string_lossy(), SHOWN);
            let which = format!("preflight {} of {}", index + 1, self.lines.len());
            mark(&format!("{which}: {shown}"));
            let from = log::end_of_output();
            let ended = self.one(line, &until, record)?;
            let (code, how) = match ended {
                Ended::By(WaitStatus::Code(0)) => continue,
                Ended::By(WaitStatus::Code(code)) => (Some(code), format!("exit {code}")),
                Ended::By(WaitStatus::Signal(signal, _)) => (None, format!("ended by {signal}")),
                Ended::TimeUp => (None, format!("not done after {}", format_duration(LIMIT))),
                Ended::Never(step, errno) => (None, cannot(step, errno)),
            };
            let last = from.and_then(|from| last_line(from, self.program.environment));
            let last = last.map(|last| format!(": {last}")).unwrap_or_default(); // it wrote nothing
            mark(&format!("{which}: {how}; the program is not started"));
            let shown = Mask::default().text(&line.to_string_lossy());
            let shown = crate::view::words::cut(&shown, SHOWN);
            let what = format!("`{shown}` ({} of {}): {how}{last}", index + 1, self.lines.len());
            let failure = PreflightFailure { code, what, at: now(self.boot)? };
            // A disk that refuses the line leaves the end of this run unexplained.
            drop(Line::PreflightFailed { failure }.append(record, Durable::Yes));
            self.clear(passes)?;
            passes.alarm(None);
            return Ok(Preflight::Failed);
        }
        mark("preflight passed");
        passes.alarm(None);
        Line::Preflight { log_bytes: log::end_of_output() }.append(record, Durable::No)?;
        Ok(Preflight::Clear)
    }

    /// Runs one line to its end, or to the end of its time.
    fn one(&self, line: &CStr, until: &Stamp, record: &mut File) -> io::Result<Ended> {
        let shell = Program {
            cwd: self.program.cwd,
            user: self.program.user,
            candidates: &[c"/bin/sh"],
            argv: &[c"sh", c"-c", line],
            environment: self.program.environment,
            umask: self.program.umask,
            trace: false,
            entrance: self.program.entrance,
            input: Input::Plain,
        };
        let pid = match program::program(&shell, || {}, |_, _| {}, || {}) {
            Ok((pid, _)) => pid,
            Err((step, errno)) => return Ok(Ended::Never(step, errno)),
        };
        let mut heard = Heard::new(pid, false);
        loop {
            // Before the first wait as well: it may have ended before its signal could be waited for.
            while let Waited::Ended { pid: ended, status, .. } = children::poll_children()? {
                if ended == pid {
                    return Ok(Ended::By(status));
                }
            }
            if now(self.boot)?.has_reached(until) {
                return Ok(Ended::TimeUp);
            }
            match signals::wait()? {
                Arrival::Child | Arrival::Alarm | Arrival::Other => {}
                Arrival::Sent { signal: signals::BELL, .. } => {} // no pass runs yet
                Arrival::Sent { signal, sender } => {
                    heard.at_shim(record, signal, sender);
                    drop(children::signal_child(pid, signal)); // gone already: its end is seen next
                }
            }
        }
    }

    /// Whatever the lines left is killed: nothing of a run that does not begin may live on.
    fn clear(&self, passes: &mut Passes) -> io::Result<()> {
        let give_up = now(self.boot)?.plus(AFTER_KILL);
        while !children::is_childless() && !now(self.boot)?.has_reached(&give_up) {
            let table = process::table()?;
            let me = nix::unistd::getpid().as_raw();
            let roots = table.iter().filter(|process| process.parent == me).map(|process| process.pid).collect();
            for process in process::tree(&table, &roots) {
                let (pid, started) = (process.pid, process.started);
                let identity = Identity { pid, started, boot: self.boot.clone(), unique: None };
                drop(process::send(&identity, self.boot, libc::SIGKILL)); // gone, or not ours: the loop sees which
            }
            passes.alarm(Some(now(self.boot)?.boot_ms + 50)); // a fork may have slipped through
            signals::wait()?;
            while let Waited::Ended { .. } = children::poll_children()? {}
        }
        Ok(())
    }
}

fn cannot(step: SpawnStep, errno: i32) -> String {
    let error = io::Error::from_raw_os_error(errno);
    match step {
        SpawnStep::Fork => format!("no process could be made: {error}"),
        SpawnStep::Isolate => format!("its control group cannot be entered: {error}"),
        SpawnStep::User => format!("it cannot run as its user: {error}"),
        SpawnStep::Cwd => format!("its working directory cannot be entered: {error}"),
        SpawnStep::Exec => format!("`/bin/sh` cannot be executed: {error}"),
        // The launcher reads that, and begins no shim.
        SpawnStep::EnvFile | SpawnStep::Shim => format!("it was not begun: {error}"),
    }
}

/// A line of ours in the log, told apart from those of programs by its beginning.
fn mark(text: &str) {
    descriptor::write_output(format!("guardian: {}\n", crate::view::words::strip_control(text)).as_bytes());
}

/// The last line that was written to the log from `from` on, without secrets; `None`: there is none.
fn last_line(from: u64, environment: &[&CStr]) -> Option<String> {
    let tail = log::tail_of_output(from, TAIL)?;
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().map(crate::view::words::strip_control).rfind(|line| !line.trim().is_empty())?;
    let pairs: Vec<String> = environment.iter().map(|pair| pair.to_string_lossy().into_owned()).collect();
    let mask = Mask::of(pairs.iter().filter_map(|pair| pair.split_once('=')));
    Some(crate::view::words::cut(mask.text(line.trim()).as_str(), SHOWN))
}
