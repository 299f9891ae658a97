//! The watcher: a child of the shim that looks until the program is ready, writes that into the run's record, and ends.
//!
//! So no pass ever waits for a probe, and nothing of it is left once the program is ready. It judges nothing: what
//! follows, also when it sees nothing in time, is up to the pass that its shim starts.

pub(crate) mod look;
mod output;

use std::io;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::launch;
use crate::model::evidence::{Life, Ready, Recorded, RunRecord};
use crate::model::name::Name;
use crate::model::probe::Probe;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::os::process;
use crate::store::record::{self, Durable, Line};
use crate::store::{environment, state};
use crate::supervise::now;

use look::Shell;
use output::Output;

/// First and longest pause between two looks that cost little.
const CHEAP: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// First and longest pause between two looks that start a program.
const DEAR: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Looks go on for so long after the time is over: the one who judges may be late.
const SLACK: Duration = Duration::from_secs(1);

/// Something that is looked at again and again.
enum Watched {
    Output(Output),
    Tcp { host: String, port: u16 },
    Http { agent: Box<ureq::Agent>, url: String, status: Option<u16> },
    File { path: String },
    Shell(Shell),
}

/// Looks until the program of run `run` of `name` is ready, is gone, or its time is over.
///
/// # Errors
/// The record cannot be read or written; what is to be looked at cannot be.
pub fn until_ready(ctx: &Context, name: &Name, spec: &Spec, run: u64) -> Result<(), Error> {
    let record = read(ctx, name, run)?;
    let (Some(began), Some(probe)) = (&record.began, &spec.ready) else { return Ok(()) };
    let Some(mut watched) = watched(ctx, name, spec, probe, &record)? else { return Ok(()) };
    let until = began.plus(spec.ready_timeout + SLACK);
    let (mut pause, longest) = if matches!(watched, Watched::Shell(_)) { DEAR } else { CHEAP };
    loop {
        let seen = watched.look(began).map_err(|error| cannot_look(name, probe, &error))?;
        let now = now()?;
        if seen {
            return note(ctx, name, run, Ready { at: now, by: probe.to_string() });
        }
        if now.has_reached(&until) || is_over(ctx, name, run, &record, &now)? {
            return Ok(());
        }
        watched.pause(pause).map_err(|error| cannot_look(name, probe, &error))?;
        pause = (pause * 2).min(longest);
    }
}

/// Whether the run has ended. Its main process may have gone into the background (`follow`), which is no end.
fn is_over(ctx: &Context, name: &Name, run: u64, first: &RunRecord, now: &Stamp) -> Result<bool, Error> {
    if first.main.as_ref().is_some_and(|main| process::life(main, &now.boot) != Life::Gone) {
        return Ok(false);
    }
    let record = read(ctx, name, run)?;
    Ok(record.end.is_some() || record.gone.is_some())
}

fn cannot_look(name: &Name, probe: &Probe, error: &io::Error) -> Error {
    let message = format!("cannot look whether `{name}` is ready ({probe}): {error}");
    Error::new(Code::System, "io", message).about(name)
}

fn read(ctx: &Context, name: &Name, run: u64) -> Result<RunRecord, Error> {
    match record::read(&ctx.paths, name, run).0 {
        Recorded::Read(record) => Ok(*record),
        Recorded::Missing => Err(Error::new(Code::System, "io", format!("run {run} has no record")).about(name)),
        Recorded::Unreadable(why) => {
            let message = format!("the record of run {run} cannot be read: {why}");
            Err(Error::new(Code::System, "io", message).about(name))
        }
    }
}

fn note(ctx: &Context, name: &Name, run: u64, ready: Ready) -> Result<(), Error> {
    let mut file = record::reopen(&ctx.paths, name, run)?;
    Line::Ready { ready }.append(&mut file, Durable::No).map_err(|error| {
        Error::new(Code::System, "io", format!("cannot write down that `{name}` is ready: {error}")).about(name)
    })
}

/// What `probe` looks at; `None`: nobody need look.
fn watched(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    probe: &Probe,
    record: &RunRecord,
) -> Result<Option<Watched>, Error> {
    Ok(Some(match probe {
        Probe::Notify | Probe::Delay(_) => return Ok(None),
        Probe::Output(pattern) => {
            let from = record.program_log.or(record.log_began).unwrap_or(0); // not known: all of it is searched
            let output = Output::new(&ctx.paths.log(name), from, pattern);
            Watched::Output(output.map_err(|error| cannot_look(name, probe, &error))?)
        }
        Probe::Tcp { host, port } => Watched::Tcp { host: host.clone(), port: *port },
        Probe::Http { url, status } => Watched::Http {
            agent: Box::new(look::agent(look::CONNECT, look::ANSWER)),
            url: url.clone(),
            status: *status,
        },
        Probe::File(path) => Watched::File { path: path.clone() },
        Probe::Command(line) => {
            let snapshot = environment::load(&ctx.paths, name)?;
            let state = state::load(&ctx.paths, name)?;
            let Some(open) = state.as_ref().and_then(|state| state.open()) else { return Ok(None) };
            let environment = launch::program_environment(ctx, name, spec, open, snapshot.as_ref())?;
            Watched::Shell(Shell {
                line: line.clone(),
                cwd: launch::working_directory(ctx, spec),
                environment,
                user: launch::runs_as(spec)?,
            })
        }
    }))
}

impl Watched {
    /// One look, which takes a limited time.
    fn look(&mut self, began: &Stamp) -> io::Result<bool> {
        match self {
            Self::Output(output) => output.look(),
            Self::Tcp { host, port } => Ok(look::listens(host, *port)),
            Self::Http { agent, url, status } => Ok(look::answers(agent, url, *status)),
            Self::File { path } => Ok(look::is_new(path, began.wall)),
            Self::Shell(shell) => shell.succeeds(),
        }
    }

    /// Until another look is worth it.
    fn pause(&self, pause: Duration) -> io::Result<()> {
        match self {
            Self::Output(output) => output.wait(),
            Self::Tcp { .. } | Self::Http { .. } | Self::File { .. } | Self::Shell(_) => {
                std::thread::sleep(pause);
                Ok(())
            }
        }
    }
}
