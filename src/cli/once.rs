//! `run --once KEY`: which run a key stands for. Marked before it is started, so that a crash neither runs it twice nor
//! loses it.

use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::policy::classify::Standing;
use crate::store::once::{Ended, Marker, load, lock, save};
use crate::store::{record, state};
use crate::supervise::{Held, now};
use crate::view::status::State as Word;

use super::Call;
use super::common::{Fresh, registry};
use super::run::{Job, Mark, start};

/// What a key stands for.
pub(super) enum Known {
    /// This run: of now, or of an earlier call.
    Job(Job),
    /// One that is forgotten.
    Gone(Box<Marker>),
}

/// The run of `key`. `place` registers and starts it, if it was never asked for.
pub(super) fn job(call: &Call, key: &str, place: impl FnOnce(Mark<'_>) -> Result<Job, Error>) -> Result<Known, Error> {
    let paths = &call.ctx.paths;
    let _held = lock(paths, key)?;
    let mark = |held: &mut Held<'_>| mark(call, key, held);
    let Some(marker) = load(paths, key)? else {
        let job = place(&mark)?;
        settle(call, key, &job)?;
        return Ok(Known::Job(job));
    };
    match state::load(paths, &marker.name)? {
        // Other runs came since: how that one ended its record says, as long as it is kept.
        Some(state) if state.epoch == marker.epoch && state.run > marker.run => {
            let ended = match record::read(paths, &marker.name, marker.run).0 {
                Recorded::Read(record) => {
                    let code = record.end.map(|end| u8::try_from(end.status.code()).unwrap_or(1)); // 0 to 255
                    code.map(|code| Ended { code, verdict: format!("ended with {code}") })
                }
                Recorded::Missing | Recorded::Unreadable(_) => None,
            };
            Ok(Known::Gone(Box::new(Marker { ended: marker.ended.clone().or(ended), ..marker })))
        }
        Some(state) if state.epoch == marker.epoch && state.run >= marker.run => {
            if !call.out.is_json() && !call.out.is_quiet() {
                let (name, run, at) = (&marker.name, marker.run, marker.at);
                call.out.complain(&format!("`{key}` was run already, at {at}, as run {run} of `{name}`"));
            }
            bring_about(call, &marker)?;
            Ok(Known::Job(Job { name: marker.name, run: marker.run, result: "already_ran", spec: None }))
        }
        // Cut off between marker and start.
        Some(state) if state.epoch == marker.epoch => {
            let job = start(call, &marker.name, &Fresh::default(), &mark)?;
            settle(call, key, &job)?;
            Ok(Known::Job(job))
        }
        Some(_) | None => Ok(Known::Gone(Box::new(marker))),
    }
}

/// A start that was committed and cut off before the program began is made now, as the next pass would.
fn bring_about(call: &Call, marker: &Marker) -> Result<(), Error> {
    if !registry(call)?.registry.processes.contains_key(&marker.name) {
        return Ok(()); // deregistered: what it did is all that is wanted
    }
    Fresh::default().with(call, &marker.name, |held| {
        let never_began = matches!(held.consider()?.standing, Some(Standing::NeverBegan));
        if never_began && held.state.run == marker.run {
            for error in held.advance()?.errors {
                call.out.warn(&error.message);
            }
        }
        Ok(())
    })
}

/// Writes down which run `key` stands for: the one that is about to begin, or the one that runs.
fn mark(call: &Call, key: &str, held: &mut Held<'_>) -> Result<(), Error> {
    // A key must not stand for what nobody knows of.
    held.land()?;
    held.settle()?;
    // A state of its own first: without one nobody could tell a start that was cut off from a process that is forgotten.
    if state::load(&call.ctx.paths, held.name)?.is_none() {
        state::commit(&call.ctx.paths, held.name, &held.state)?;
    }
    let runs = Word::of(&held.consider()?).is_alive();
    let run = if runs { held.state.run } else { held.state.run + 1 };
    let (name, epoch) = (held.name.clone(), held.state.epoch.clone());
    save(
        &call.ctx.paths,
        &Marker { schema: SCHEMA, key: key.to_owned(), name, epoch, run, at: now()?.wall, ended: None },
    )
}

/// The run that did begin is the one, should another have come between.
fn settle(call: &Call, key: &str, job: &Job) -> Result<(), Error> {
    match load(&call.ctx.paths, key)? {
        Some(marker) if marker.run != job.run => save(&call.ctx.paths, &Marker { run: job.run, ..marker }),
        Some(_) | None => Ok(()),
    }
}

/// The process of a key is forgotten: what is known of its end is told.
pub(super) fn tell_gone(call: &Call, marker: &Marker) -> Result<u8, Error> {
    let Marker { key, name, run, at, .. } = marker;
    let Some(ended) = &marker.ended else {
        let message = format!(
            "`{key}` was run already, at {at}, as run {run} of `{name}`, and how that ended is not known any more"
        );
        return Err(Error::new(Code::No, "once_forgotten", message)
            .hint("to run it once more give another key")
            .about(name));
    };
    call.out.json(&json!({"schema": SCHEMA, "name": name, "run": run, "pid": null, "result": "already_ran",
                          "state": "ended", "exit_code": ended.code, "verdict": ended.verdict}));
    call.out.say(&format!("`{key}` was run already, at {at}, as run {run} of `{name}`: {}", ended.verdict));
    Ok(ended.code)
}
