//! `wait`: blocks until runs have ended, and gives their true code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use regex_lite::Regex;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::ending::EndedRun;
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::time::Stamp;
use crate::model::units::parse_duration;
use crate::os::watch::{Ends, FileWatch};
use crate::policy::classify::Standing;
use crate::registry::Entry;
use crate::store::log::Log;
use crate::store::registry_file::Loaded;
use crate::store::{record, state};
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

use super::Call;
use super::common::{Which, registry};
use super::logs::{pattern, search};
use super::ready::changing;
use super::wait_ready::for_ready;
use super::wait_tell::{progress, tell};

/// Pauses between looks where the kernel cannot tell. Between the end of a process and its record lie two system calls, so
/// the first are short; what it left behind may take as long as its grace, so they grow.
#[derive(Debug)]
pub(super) struct Pause(Duration);

/// Longest of them: whoever waits returns within 20 ms.
const LONGEST: Duration = Duration::from_millis(12);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(1))
    }
}

impl Pause {
    /// The next one.
    pub(super) fn next(&mut self) -> Duration {
        let next = self.0;
        self.0 = self.0.mul_f64(1.25).min(LONGEST);
        next
    }
}

/// Blocks until processes have ended, and gives the code of the process
///
/// Waits for the end of the run that is open now; a run that has ended already is answered at once.
/// Exit code: that of the process, or 128 + the signal that ended it; of several: 0 if all completed, else 1.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian wait tests --timeout 30m")]
pub(super) struct Wait {
    #[command(flatten)]
    which: Which,
    /// Return when the first one has ended
    #[arg(long)]
    any: bool,
    /// What to wait for: `exit`, `ready`, or `output:RE`, a line that matches this regular expression
    #[arg(long, value_name = "WHAT", default_value = "exit")]
    until: String,
    /// At most this long; then exit code 124
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    timeout: Option<String>,
}

pub(super) fn run(call: &Call, command: &Wait) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let names = command.which.resolve(&loaded, call)?;
    let limit = command.timeout.as_deref().map(parse_duration).transpose();
    let limit = limit.map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))?;
    let until = limit.map(|limit| now().map(|now| now.plus(limit))).transpose()?;
    match command.until.split_once(':') {
        Some(("output", "")) => Err(Error::new(Code::Usage, "bad_until", "`output:` names nothing to wait for")
            .hint("write `output:RE`, such as `output:^ready`; `output:.` is any line that is not empty")),
        Some(("output", text)) => for_output(call, command, &loaded, &names, &pattern(text)?, until.as_ref()),
        None if command.until == "exit" => for_ends(call, command, &loaded, &names, until.as_ref()),
        None if command.until == "ready" => for_ready(call, command.any, &loaded, &names, limit),
        Some(_) | None => {
            let message = format!("cannot wait until {:?}", command.until);
            Err(Error::new(Code::Usage, "bad_until", message).hint("write `exit`, `ready` or `output:RE`"))
        }
    }
}

fn left(until: Option<&Stamp>) -> Result<Option<Duration>, Error> {
    let Some(until) = until else { return Ok(None) };
    let now = now()?;
    if now.has_reached(until) {
        return Err(Error::new(Code::Timeout, "timeout", "time ran out before what was waited for came")
            .hint("what runs goes on running: wait again, or look with `guardian status`"));
    }
    Ok(Some(until.since(&now)))
}

/// How one process stands with regard to the run that is waited for.
pub(super) enum Seen {
    /// The run has ended.
    Ended(Box<EndedRun>, Word),
    /// It lives; its end is watched.
    Watched,
    /// What comes before it goes on, such as a preflight: that ends with its shim, or changes a file.
    Begins,
    /// Something is about to change that cannot be watched.
    Soon,
}

fn for_ends(call: &Call, command: &Wait, loaded: &Loaded, names: &[Name], until: Option<&Stamp>) -> Result<u8, Error> {
    let mut runs: Vec<(Name, Option<u64>)> = Vec::new();
    for name in names {
        runs.push((name.clone(), awaited(call, loaded, name)?));
    }
    let mut ended: Vec<(Name, EndedRun, Word)> = Vec::new();
    let mut pause = Pause::default();
    let mut watch = None;
    loop {
        let mut ends = Ends::default();
        let (mut soon, mut begins) = (false, false);
        let mut open = Vec::new();
        for (name, run) in runs {
            match look(call, &entry(loaded, &name)?.spec, &name, run, &mut ends)? {
                Seen::Ended(last, word) => {
                    ended.push((name, *last, word));
                    progress(call, names, &ended);
                }
                seen @ (Seen::Watched | Seen::Begins | Seen::Soon) => {
                    soon |= matches!(seen, Seen::Soon);
                    begins |= matches!(seen, Seen::Begins);
                    open.push((name, run));
                }
            }
        }
        runs = open;
        if runs.is_empty() || (command.any && !ended.is_empty()) {
            return Ok(tell(call, names, &ended, &left_names(&runs)));
        }
        let left = match left(until) {
            Ok(left) => left,
            Err(error) => {
                tell(call, names, &ended, &left_names(&runs));
                return Err(error);
            }
        };
        let limit = match soon {
            true => {
                let moment = pause.next();
                Some(left.map_or(moment, |left| left.min(moment)))
            }
            false => {
                pause = Pause::default();
                left
            }
        };
        let waited = match &watch {
            _ if !begins => ends.wait(limit),
            Some(watch) => ends.wait_or(watch, limit),
            None => match files_of(call, &left_names(&runs)) {
                // What changed before it was watched is seen by one more look.
                Ok(made) => {
                    watch = Some(made);
                    continue;
                }
                // The kernel has no watch left, so it is looked.
                Err(_) => ends.wait(Some(left.map_or(LONGEST, |left| left.min(LONGEST)))),
            },
        };
        waited.map_err(|error| Error::new(Code::System, "wait", format!("cannot wait: {error}")))?;
    }
}

/// The files that change when a run of one of these comes further.
fn files_of(call: &Call, names: &[Name]) -> std::io::Result<FileWatch> {
    let files: Vec<PathBuf> = names.iter().flat_map(|name| changing(call, name)).collect();
    FileWatch::all(&files)
}

fn left_names(runs: &[(Name, Option<u64>)]) -> Vec<Name> {
    runs.iter().map(|(name, _)| name.clone()).collect()
}

/// The run whose end is waited for; `None`: none is open, the last one has ended.
fn awaited(call: &Call, loaded: &Loaded, name: &Name) -> Result<Option<u64>, Error> {
    let state = state_of(call, name)?;
    let Entry { spec, .. } = entry(loaded, name)?;
    let now = now()?;
    let decision = consider(&call.ctx, name, spec, &state, &now);
    if decision.state.last.is_none() && decision.state.open().is_none() {
        let message = format!("process `{name}` has never run");
        return Err(Error::new(Code::NotRunning, "not_running", message)
            .hint(format!("guardian start {name}"))
            .about(name));
    }
    Ok(state.open().map(|open| open.run))
}

/// What is remembered of `name`.
pub(super) fn state_of(call: &Call, name: &Name) -> Result<State, Error> {
    match state::load(&call.ctx.paths, name)? {
        Some(state) => Ok(state),
        None => Ok(State::new(&now()?)),
    }
}

fn entry<'a>(loaded: &'a Loaded, name: &Name) -> Result<&'a Entry, Error> {
    loaded.registry.processes.get(name).ok_or_else(|| Error::not_registered(name, None))
}

/// How `name` stands; `run`: the one that is waited for, `None`: the last one.
pub(super) fn look(call: &Call, spec: &Spec, name: &Name, run: Option<u64>, ends: &mut Ends) -> Result<Seen, Error> {
    let state = state_of(call, name)?;
    let now = now()?;
    let decision = consider(&call.ctx, name, spec, &state, &now);
    let word = Word::of(&decision);
    if let Some(last) = decision.state.last.as_ref().filter(|last| run.is_none_or(|run| last.run >= run)) {
        return Ok(Seen::Ended(Box::new(last.clone()), word));
    }
    let record = |run| match record::read(&call.ctx.paths, name, run).0 {
        Recorded::Read(record) => Some(record),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    let (who, seen) = match (state.open(), &decision.standing) {
        (Some(open), Some(Standing::Running | Standing::Unsupervised)) => {
            (record(open.run).and_then(|record| record.main), Seen::Watched)
        }
        (Some(open), Some(Standing::Starting)) => (record(open.run).and_then(|record| record.shim), Seen::Begins),
        (_, _) => (None, Seen::Soon),
    };
    let watched = match who {
        Some(who) => ends.add(&who).map_err(|error| {
            Error::new(Code::System, "wait", format!("cannot watch pid {}: {error}", who.pid)).about(name)
        })?,
        None => false,
    };
    Ok(if watched { seen } else { Seen::Soon })
}

/// A process whose output is waited for, and where to look on from.
struct Writer<'a> {
    name: &'a Name,
    log: Log,
    path: PathBuf,
    from: u64,
}

/// Until a line of what the open run of each writes matches; with `--any`, of the first.
fn for_output(
    call: &Call,
    command: &Wait,
    loaded: &Loaded,
    names: &[Name],
    wanted: &Regex,
    until: Option<&Stamp>,
) -> Result<u8, Error> {
    let mut writers = Vec::new();
    for name in names {
        let path = call.ctx.paths.log(name);
        let from = state_of(call, name)?.open().map_or(0, |open| open.log_offset);
        writers.push(Writer { name, log: Log::at(&path), path, from });
    }
    // One that never began has no directory yet: it is looked at again after a while.
    let files =
        names.iter().flat_map(|name| changing(call, name)).filter(|file| file.parent().is_some_and(Path::is_dir));
    let files: Vec<PathBuf> = writers.iter().map(|writer| writer.path.clone()).chain(files).collect();
    let watch =
        FileWatch::all(&files).map_err(|error| Error::io("watch", &call.ctx.paths.state.join("log"), &error))?;
    let mut found = Vec::new();
    loop {
        let mut ends = Ends::default();
        let mut soon = false;
        let mut open = Vec::new();
        for mut writer in writers {
            let name = writer.name;
            // Whether it lives is asked before its output is read: what a dying one wrote last is still found.
            let seen = look(
                call,
                &entry(loaded, name)?.spec,
                name,
                state_of(call, name)?.open().map(|open| open.run),
                &mut ends,
            )?;
            let fail = |error: std::io::Error| Error::io("read", &writer.path, &error).about(name);
            let (line, next) = search(&writer.log, writer.from, wanted).map_err(fail)?;
            match (line, seen) {
                (Some(line), _) => {
                    call.out.say(&line);
                    found.push(json!({"name": name, "line": line}));
                    continue;
                }
                (None, Seen::Ended(_, word)) if !word.is_alive() => return Err(never_wrote(name, word)),
                (None, Seen::Soon) => soon = true,
                (None, Seen::Ended(..) | Seen::Watched | Seen::Begins) => {} // what it waits for changes a file
            }
            writer.from = next;
            open.push(writer);
        }
        writers = open;
        if writers.is_empty() || (command.any && !found.is_empty()) {
            break;
        }
        let left = left(until)?;
        let limit = if soon { Some(left.map_or(LIVES, |left| left.min(LIVES))) } else { left };
        ends.wait_or(&watch, limit)
            .map_err(|error| Error::new(Code::System, "wait", format!("cannot wait: {error}")))?;
    }
    call.out.json(&json!({"schema": SCHEMA, "matched": found}));
    Ok(0)
}

fn never_wrote(name: &Name, word: Word) -> Error {
    let message = format!("`{name}` is {} and never wrote what was waited for", word.word());
    Error::new(Code::No, "no_match", message).hint(format!("guardian why {name}")).about(name)
}

/// While output of a process is waited for whose end cannot be watched, whether it lives is asked this often.
const LIVES: Duration = Duration::from_millis(500);
