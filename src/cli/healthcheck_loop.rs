//! `healthcheck --loop`: the trigger in the foreground, also as process 1 of a container.
//!
//! It waits for signals, and for nothing else: for its alarm it starts a pass, a process of its own like cron's, so that one that
//! fails, hangs or is killed ends nothing; for its children, and for whoever is left to it as process 1, it takes their ends. It
//! looks at no process itself. TERM, INT and QUIT end it, and with it all that runs; see [`super::wind_down`].

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::error::{Code, Error};
use crate::model::ending::WaitStatus;
use crate::model::units::{format_duration, parse_duration};
use crate::os::children::{self, Waited};
use crate::os::signals::{self, Alarm, Arrival};
use crate::os::{clock, lock, spawn};
use crate::store::atomic;

use super::Call;
use super::common::registry;
use super::healthcheck::Healthcheck;

/// A pass that runs for so long is stuck: it is killed, and another one looks.
const LONGEST_PASS_MS: u64 = 600_000;
/// As process 1, what still runs when all is stopped (alerts that go out) has this time.
const LINGER_MS: u64 = 2_000;
/// Beyond `stop_timeout`: what even KILL does not end is left. A machine that is busy needs some of it.
const SLACK_MS: u64 = 8_000;
/// How often the stopping is begun again after it was killed.
const RETRIES: u32 = 3;

/// Runs until it is told to end.
pub(super) fn run(call: &Call, command: &Healthcheck, every: &str) -> Result<u8, Error> {
    let period = duration(every)?;
    if period < Duration::from_secs(1) {
        let message = format!("`--loop {every}`: a period is at least 1s");
        return Err(Error::new(Code::Usage, "bad_duration", message).hint("`--loop 1m` is usual"));
    }
    let stop_ms = command.stop_timeout.as_deref().map(duration).transpose()?.map(millis);
    signals::block_all().map_err(system)?;
    signals::keep_for_wait();
    atomic::make_dir(&call.ctx.paths.state)?;
    let mut keeper = Loop {
        call,
        names: &command.names,
        exe: CString::new(call.ctx.exe.as_os_str().as_bytes()).map_err(|error| system(error.into()))?,
        environment: environment(call)?,
        period_ms: millis(period),
        stop_ms,
        leaves_running: command.keep_running,
        is_init: nix::unistd::getpid().as_raw() == 1,
        told: false,
        alarm: Alarm::default(),
        began: clock::boot_ms().map_err(system)?,
        pass: None,
        kept: None,
        closed: None,
        ending: None,
    };
    keeper.warn(period);
    keeper.keep()
}

fn duration(text: &str) -> Result<Duration, Error> {
    parse_duration(text).map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) // durations are below 100 years
}

fn system(error: io::Error) -> Error {
    Error::new(Code::System, "loop", format!("the loop cannot go on: {error}"))
}

/// What passes get: this process's own environment.
fn environment(call: &Call) -> Result<Vec<CString>, Error> {
    let pairs = call.ctx.environment.iter().map(|(name, value)| {
        let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
        CString::new(pair).map_err(|error| system(error.into()))
    });
    pairs.collect()
}

/// A pass that runs.
struct Pass {
    pid: i32,
    began: u64,
}

/// How far the end is.
enum Ending {
    /// What runs is being stopped by this child.
    Stopping { pid: i32, retries: u32 },
    /// It is stopped, with this code; children of ours still run.
    Lingering(u8),
    /// Nothing is left to do.
    Over(u8),
}

/// The loop. Times are milliseconds on the boot clock.
struct Loop<'a> {
    call: &'a Call,
    names: &'a [String],
    exe: CString,
    environment: Vec<CString>,
    period_ms: u64,
    stop_ms: Option<u64>,
    leaves_running: bool,
    /// Whether its end is that of all.
    is_init: bool,
    /// Whether a pass has said how all is; later ones only say what is not well.
    told: bool,
    alarm: Alarm,
    began: u64,
    pass: Option<Pass>,
    /// Held: this loop is the one that stops what runs when it ends.
    kept: Option<lock::Held>,
    /// Held: nothing is started.
    closed: Option<lock::Held>,
    ending: Option<Ending>,
}

impl Loop<'_> {
    /// Says what is to come, and what does not fit.
    fn warn(&mut self, period: Duration) {
        self.take_over();
        let out = &self.call.out;
        let end = match (self.leaves_running, &self.kept) {
            (true, _) => "what runs goes on after it",
            (false, Some(_)) => "TERM or Ctrl-C stops all that runs, and the next start brings it back",
            (false, None) => "another loop runs in this home: TERM or Ctrl-C ends this one alone",
        };
        out.say(&format!("a pass every {}; {end}", format_duration(period)));
        // Whatever is wrong with the registry each pass says.
        let Ok(loaded) = registry(self.call) else { return };
        let every = loaded.registry.healthcheck.every;
        if every < period {
            let (every, period) = (format_duration(every), format_duration(period));
            out.warn(&format!(
                "`[healthcheck] every` is {every} and the loop's period {period}: `status` will call its passes overdue"
            ));
        }
    }

    /// Becomes the one loop of this home that stops what runs, unless another one is.
    fn take_over(&mut self) {
        if self.kept.is_none() && !self.leaves_running {
            // Where the lock cannot be had now it is tried again with the next pass.
            self.kept = lock::try_take(&self.call.ctx.paths.loop_lock()).ok().flatten();
        }
    }

    fn keep(&mut self) -> Result<u8, Error> {
        self.tick()?;
        loop {
            match signals::wait().map_err(system)? {
                Arrival::Child => self.reap()?,
                Arrival::Alarm => {
                    self.reap()?;
                    self.tick()?;
                }
                Arrival::Sent { signal: libc::SIGTERM | libc::SIGINT | libc::SIGQUIT, .. } => self.end()?,
                Arrival::Sent { signal: libc::SIGHUP, .. } if self.ending.is_none() => self.look()?,
                Arrival::Sent { .. } | Arrival::Other => {}
            }
            if let Some(Ending::Over(code)) = self.ending {
                return Ok(code);
            }
        }
    }

    /// The alarm: a pass, or the time that the end may take is over.
    fn tick(&mut self) -> Result<(), Error> {
        match &mut self.ending {
            None => {
                self.take_over();
                self.look()?;
                let now = clock::boot_ms().map_err(system)?;
                // On the grid of the first pass: neither a late alarm nor a suspended machine moves it.
                let periods = now.saturating_sub(self.began) / self.period_ms + 1;
                self.alarm.set(Some(self.began + periods * self.period_ms)).map_err(system)
            }
            Some(Ending::Stopping { pid, .. }) => {
                drop(children::signal_child(*pid, libc::SIGKILL)); // it has not been waited for: its pid is its own
                self.call.out.complain("error: not all is stopped in its time");
                self.ending = Some(Ending::Over(Code::No as u8));
                Ok(())
            }
            Some(Ending::Lingering(code)) => {
                self.ending = Some(Ending::Over(*code));
                Ok(())
            }
            Some(Ending::Over(_)) => Ok(()),
        }
    }

    /// Starts a pass, unless one runs. One that is stuck is killed: the next one comes in its time.
    fn look(&mut self) -> Result<(), Error> {
        let now = clock::boot_ms().map_err(system)?;
        if let Some(pass) = &self.pass {
            if now.saturating_sub(pass.began) > LONGEST_PASS_MS {
                drop(children::signal_child(pass.pid, libc::SIGKILL));
            }
            return Ok(());
        }
        let quiet = self.told || self.call.out.is_quiet();
        match self.spawn(&[], quiet && !self.call.out.is_json()) {
            Ok(pid) => self.pass = Some(Pass { pid, began: now }),
            Err(error) => self.call.out.complain(&format!("error: no pass could be started: {error}")),
        }
        self.told = true;
        Ok(())
    }

    /// This program again, as `healthcheck` with `more`.
    fn spawn(&self, more: &[String], quiet: bool) -> io::Result<i32> {
        let mut argv = vec!["guardian".to_owned(), "healthcheck".to_owned()];
        argv.extend(more.iter().cloned());
        argv.extend(quiet.then(|| "--quiet".to_owned()));
        argv.extend(self.call.out.is_json().then(|| "--json".to_owned()));
        argv.extend(self.names.iter().cloned());
        let mut argv = argv.into_iter().map(CString::new).collect::<Result<Vec<CString>, _>>()?;
        if let Some(home) = &self.call.ctx.paths.home {
            argv.push(CString::new("--home")?);
            argv.push(CString::new(home.as_os_str().as_bytes())?);
        }
        spawn::pass(&self.exe, &argv, &self.environment, None)
    }

    /// Somebody wants the end: of all that runs, or of this loop alone. A second time: at once.
    fn end(&mut self) -> Result<(), Error> {
        match &self.ending {
            None if self.leaves_running || self.kept.is_none() => self.ending = Some(Ending::Over(0)),
            None => {
                // For as long as we live: nothing is started any more. Who asks holds it for a moment.
                match lock::wait(&self.call.ctx.paths.ending_lock()) {
                    Ok(held) => self.closed = Some(held),
                    Err(error) => drop(self.call.out.fail(&error)), // all is stopped nevertheless
                }
                self.alarm.set(None).map_err(system)?;
                self.stop(self.stop_ms, 0)?;
            }
            Some(Ending::Stopping { pid, retries }) => {
                let (pid, retries) = (*pid, *retries);
                drop(children::signal_child(pid, libc::SIGKILL));
                self.stop(Some(0), retries)?;
            }
            Some(Ending::Lingering(code)) => self.ending = Some(Ending::Over(*code)),
            Some(Ending::Over(_)) => {}
        }
        Ok(())
    }

    /// Begins to stop what runs, within `ms` if that is given.
    fn stop(&mut self, ms: Option<u64>, retries: u32) -> Result<(), Error> {
        let within = ms.map_or("graces".to_owned(), |ms| ms.to_string());
        let pid = self.spawn(&[format!("--wind-down={within}")], self.call.out.is_quiet()).map_err(system)?;
        self.ending = Some(Ending::Stopping { pid, retries });
        let Some(ms) = ms else { return Ok(()) };
        let now = clock::boot_ms().map_err(system)?;
        // What even KILL does not end is given up by the child itself, later than here.
        self.alarm.set(Some(now.saturating_add(ms).saturating_add(SLACK_MS))).map_err(system)
    }

    /// Takes the ends of all children that have ended: ours, and those that were left to us.
    fn reap(&mut self) -> Result<(), Error> {
        loop {
            match children::poll_children().map_err(system)? {
                Waited::Ended { pid, status, .. } => self.ended(pid, status)?,
                Waited::Stopped { .. } => {}
                Waited::Quiet => return Ok(()),
                Waited::Childless => {
                    if let Some(Ending::Lingering(code)) = self.ending {
                        self.ending = Some(Ending::Over(code));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn ended(&mut self, pid: i32, status: WaitStatus) -> Result<(), Error> {
        if self.pass.as_ref().is_some_and(|pass| pass.pid == pid) {
            self.pass = None;
            match status {
                // It has told what was wrong itself.
                WaitStatus::Code(0..=126) => {}
                WaitStatus::Code(code) => self.lost(&format!("could not be executed (code {code})")),
                WaitStatus::Signal(signal, _) => self.lost(&format!("was ended by {signal}")),
            }
        }
        match (&self.ending, status) {
            (Some(Ending::Stopping { pid: stopping, retries }), WaitStatus::Signal(..))
                if *stopping == pid && *retries < RETRIES =>
            {
                let retries = retries + 1;
                self.stop(self.stop_ms, retries)
            }
            (Some(Ending::Stopping { pid: stopping, .. }), status) if *stopping == pid => {
                let code = match status {
                    WaitStatus::Code(code) => u8::try_from(code).unwrap_or(Code::No as u8), // codes fit
                    WaitStatus::Signal(..) => Code::No as u8,
                };
                self.stopped(code)
            }
            (_, _) => Ok(()),
        }
    }

    fn lost(&self, how: &str) {
        self.call.out.complain(&format!("error: a pass {how}; the next one comes in its time"));
    }

    /// All is stopped. As process 1 our end is that of whoever still tells of it.
    fn stopped(&mut self, code: u8) -> Result<(), Error> {
        if !self.is_init {
            self.ending = Some(Ending::Over(code));
            return Ok(());
        }
        self.ending = Some(Ending::Lingering(code));
        let now = clock::boot_ms().map_err(system)?;
        self.alarm.set(Some(now + LINGER_MS)).map_err(system)
    }
}
