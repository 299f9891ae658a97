//! What `start` and `wait` wait for after a run was launched: that its preflight is through, that it is ready.
//!
//! No lock is held meanwhile. Everything is read from record and state, whose directories are watched, so nothing polls
//! but for time itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Code, Error};
use crate::model::ending::{Cause, EndedRun};
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::time::Stamp;
use crate::model::units::format_duration;
use crate::os::watch::FileWatch;
use crate::policy::classify::Standing;
use crate::store::{record, state};
use crate::supervise::{consider, now};
use crate::view::status::State as Word;
use crate::view::words::cause_sentence;

use super::Call;

/// Longest pause between two looks: a shim that is killed changes no file.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The program was executed.
    Begun,
    /// It is ready. At most this long; `None`: until guardian's own `ready_timeout` decides.
    Ready(Option<Duration>),
}

/// How a run does.
enum Seen {
    /// Its program has begun as this pid.
    Begun(Option<i32>),
    /// It is ready, as this pid.
    Ready(Option<i32>),
    /// Its preflight runs, or it is just being started.
    Starting,
    /// It is over.
    Ended(Box<EndedRun>),
    /// Its shim was killed, and what is left of it is for the next pass to end.
    Cut,
    /// It lives, but its shim is gone: nobody sees whether it gets ready.
    Alone,
    /// Another run has taken its place, or nothing is known of it.
    Lost,
}

/// Waits for run `run` of `name`; its pid.
pub(super) fn follow(call: &Call, name: &Name, spec: &Spec, run: u64, until: Until) -> Result<Option<i32>, Error> {
    let paths = &call.ctx.paths;
    let began = now()?;
    let limit = match until {
        Until::Begun | Until::Ready(None) => None,
        Until::Ready(Some(limit)) => Some((limit, began.plus(limit))),
    };
    let watch = changes(call, name)?;
    loop {
        let now = now()?;
        let state = match state::load(paths, name)? {
            Some(state) => state,
            None => State::new(&now),
        };
        let (seen, deadline) = look(call, name, spec, &state, run, &now);
        match (seen, until) {
            (Seen::Begun(pid), Until::Begun) | (Seen::Ready(pid), _) => return Ok(pid),
            (Seen::Ended(last), _) => return Err(ended(name, &last, until)),
            (Seen::Cut, _) => {
                let message = format!("the shim of `{name}` was killed, and with it run {run}");
                return Err(Error::new(Code::No, "shim_killed", message)
                    .hint(format!("the next pass clears up and restarts it; at once: guardian healthcheck {name}"))
                    .about(name));
            }
            (Seen::Alone, _) => {
                let message = format!("`{name}` runs, but its shim is gone: whether it gets ready is not known");
                return Err(Error::new(Code::No, "not_ready", message)
                    .hint(format!("guardian restart {name}"))
                    .about(name));
            }
            (Seen::Lost, _) => {
                let message = format!("run {run} of `{name}` is over, and another has taken its place");
                return Err(Error::new(Code::No, "not_ready", message)
                    .hint(format!("guardian events {name}"))
                    .about(name));
            }
            (Seen::Starting, _) | (Seen::Begun(_), Until::Ready(_)) => {}
        }
        if let Some((limit, _)) = limit.as_ref().filter(|(_, at)| now.has_reached(at)) {
            return Err(late(name, *limit));
        }
        let next = [limit.as_ref().map(|(_, at)| at.since(&now)), deadline.map(|at| at.since(&now))];
        let pause = next.into_iter().flatten().fold(LOOK, Duration::min).max(Duration::from_millis(1));
        watch.wait(Some(pause)).map_err(|error| Error::io("watch", &paths.process(name), &error).about(name))?;
    }
}

/// Watches what changes when a run of `name` comes further.
pub(super) fn changes(call: &Call, name: &Name) -> Result<FileWatch, Error> {
    FileWatch::all(&changing(call, name))
        .map_err(|error| Error::io("watch", &call.ctx.paths.process(name), &error).about(name))
}

/// Files in whose directories something changes when a run of `name` comes further.
pub(super) fn changing(call: &Call, name: &Name) -> [PathBuf; 2] {
    [call.ctx.paths.process_state(name), record::tree_path(&call.ctx.paths, name, 0)]
}

fn look(call: &Call, name: &Name, spec: &Spec, state: &State, run: u64, now: &Stamp) -> (Seen, Option<Stamp>) {
    let decision = consider(&call.ctx, name, spec, state, now);
    if let Some(last) = decision.state.last.as_ref().filter(|last| last.run >= run) {
        let seen = if last.run == run { Seen::Ended(Box::new(last.clone())) } else { Seen::Lost };
        return (seen, None);
    }
    if state.open().is_none_or(|open| open.run != run) {
        return (Seen::Lost, None);
    }
    let pid = || match record::read(&call.ctx.paths, name, run).0 {
        Recorded::Read(record) => record.main.map(|main| main.pid),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    let seen = match (&decision.standing, decision.ready) {
        (Some(Standing::Running | Standing::Unsupervised), Some(true)) => Seen::Ready(pid()),
        (Some(Standing::Running | Standing::Uncertain(_)), _) => Seen::Begun(pid()),
        (Some(Standing::Unsupervised), _) => Seen::Alone,
        (Some(Standing::Remnants), _) => Seen::Cut,
        (None | Some(Standing::Starting | Standing::NeverBegan | Standing::Closing | Standing::Ended(_)), _) => {
            Seen::Starting
        }
    };
    (seen, decision.deadline)
}

/// A run that came to its end before what was waited for.
fn ended(name: &Name, last: &EndedRun, until: Until) -> Error {
    let cause = cause_sentence(&last.cause, &last.signals);
    let (kind, message, hint) = match (&last.cause, until) {
        (Cause::PreflightFailed { what, .. }, _) => {
            let hint = format!("mend what it checks, or change `preflight`; its output: guardian logs {name}");
            ("preflight_failed", format!("process `{name}` was not started: its preflight failed: {what}"), hint)
        }
        (Cause::SpawnFailed { .. }, _) => {
            ("spawn_failed", format!("process `{name}` cannot start: {cause}"), format!("guardian why {name}"))
        }
        (Cause::NotReady { after_s }, _) => {
            let after = format_duration(Duration::from_secs(*after_s));
            let hint = format!("look at its output, or give it longer with `ready_timeout`: guardian logs {name}");
            ("not_ready", format!("`{name}` was not ready within {after}, so guardian ended run {}", last.run), hint)
        }
        (_, Until::Begun) => {
            ("ended", format!("run {} of `{name}` ended: {cause}", last.run), format!("guardian why {name}"))
        }
        (_, Until::Ready(_)) => (
            "not_ready",
            format!("run {} of `{name}` ended before it was ready: {cause}", last.run),
            format!("guardian why {name}"),
        ),
    };
    Error::new(Code::No, kind, message).hint(hint).about(name)
}

/// Time ran out before it was ready.
pub(super) fn late(name: &Name, limit: Duration) -> Error {
    let message = format!("`{name}` was not ready within {}", format_duration(limit));
    Error::new(Code::Timeout, "timeout", message)
        .hint(format!(
            "it goes on: wait again with `guardian wait {name} --until ready`, or look with `guardian status`"
        ))
        .about(name)
}

/// Whether a process is ready, and what it waits for otherwise.
pub(super) struct Prospect {
    /// It is.
    pub(super) ready: bool,
    /// What is so of its open run.
    pub(super) standing: Option<Standing>,
    /// When something would next become true by itself.
    pub(super) deadline: Option<Stamp>,
}

/// Whether `name` is ready now; an error when nothing is on its way to be.
pub(super) fn prospect(call: &Call, name: &Name, spec: &Spec, state: &State) -> Result<Prospect, Error> {
    let now = now()?;
    let decision = consider(&call.ctx, name, spec, state, &now);
    let word = Word::of(&decision);
    let ready = match word {
        Word::Running | Word::Hung | Word::Unsupervised => decision.ready == Some(true),
        Word::Starting | Word::Waiting => false,
        Word::New | Word::Completed | Word::Stopped | Word::Dead | Word::Tripped => {
            let message = format!("`{name}` is {}, so it does not get ready", word.word());
            let hint = if word == Word::New { "guardian start" } else { "guardian why" };
            return Err(Error::new(Code::No, "not_ready", message).hint(format!("{hint} {name}")).about(name));
        }
    };
    Ok(Prospect { ready, standing: decision.standing, deadline: decision.deadline })
}
