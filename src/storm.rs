//! Storms, as passes share them: a failure is noted for the others, the storm is told once, its end is told once.
//!
//! What is on disk is the truth: each step is a line, and whoever finds one missing adds it. The lock of
//! the record is held for a moment, after that of a process. Judges nothing: that is [`policy`].

use crate::context::Context;
use crate::error::Error;
use crate::model::event::{Event, Notification};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::spec::Spec;
use crate::model::state::Desired;
use crate::model::storm::{Began, Facts, Failure, Line, Over, Storm};
use crate::model::time::Stamp;
use crate::policy::{notify, storm as policy};
use crate::registry::{Entry, Registry};
use crate::store::record::Durable;
use crate::store::{journal, outbox, state, storm as record};
use crate::supervise::consider;
use crate::view::status::State as Word;

/// What a failure means in the light of the others.
#[derive(Debug)]
pub struct Noted {
    /// The storm that it belongs to.
    pub storm: Option<Storm>,
    /// Whether others failed shortly before.
    pub crowd: bool,
}

/// Notes a failure for the other passes, unless it is noted already, and says what it is part of. `last_line` is asked for only
/// where it did not fail alone.
///
/// # Errors
/// The record of failures cannot be used; the failure is then judged alone.
pub fn note(
    ctx: &Context,
    registry: &Registry,
    mut failure: Failure,
    last_line: impl FnOnce() -> Option<String>,
) -> Result<Noted, Error> {
    let _held = record::lock(&ctx.paths)?;
    let mut lines = record::load(&ctx.paths)?;
    let now = failure.at.clone();
    let known = lines.iter().any(|line| matches!(line, Line::Failed(other) if other.is(&failure)));
    if !known {
        let mut added = Vec::new();
        lines.push(Line::Failed(failure.clone()));
        if policy::is_crowd(&lines, &now) {
            failure.last_line = last_line();
        }
        let mut storms = policy::storms(&lines);
        let on = storms.pop().filter(|storm| policy::is_on(storm, &now));
        let began = match &on {
            Some(_) => None,
            None => begins(ctx, registry, &lines, &failure),
        };
        if on.is_some() || began.is_some() {
            let taken = lines.iter().filter_map(|line| match line {
                Line::Failed(earlier) if earlier.at.boot == now.boot => earlier.slot_ms,
                Line::Failed(_) | Line::Began(_) | Line::Over(_) | Line::Told { .. } => None,
            });
            failure.slot_ms = Some(policy::next_slot(taken, &now));
        }
        added.push(Line::Failed(failure.clone()));
        added.extend(began.map(Line::Began));
        record::append(&ctx.paths, &added, &now)?;
        lines.pop();
        lines.extend(added);
    }
    let crowd = policy::is_crowd(&lines, &now);
    let of = |storm: &Storm| storm.failures.iter().any(|other| other.is(&failure));
    Ok(Noted { storm: policy::storms(&lines).into_iter().rev().find(of), crowd })
}

/// Whether this failure is the one that makes a storm of those before.
fn begins(ctx: &Context, registry: &Registry, lines: &[Line], failure: &Failure) -> Option<Began> {
    let threshold = usize::try_from(registry.healthcheck.storm).unwrap_or(usize::MAX);
    let failed = policy::failed_lately(lines, &failure.at, policy::WINDOW);
    let mut counted = None;
    let storm = policy::is_storm(failed, threshold, || *counted.insert(up(ctx, registry)));
    storm.then(|| Began {
        storm: format!("{}.{}.{}.storm", failure.process, failure.epoch, failure.run),
        at: failure.at.clone(),
        process: failure.process.clone(),
        run: failure.run,
        up: counted,
    })
}

/// Processes that are to be up. One whose state cannot be read counts: that makes a storm less likely, and an alert more.
fn up(ctx: &Context, registry: &Registry) -> usize {
    let wanted = |name: &&Name| match state::load(&ctx.paths, name) {
        Ok(Some(state)) => state.desired == Desired::Up,
        Ok(None) => false,
        Err(_) => true,
    };
    registry.processes.keys().filter(wanted).count()
}

/// Makes sure that each sink which is to hear of `events` hears of their storm. Returns how many messages were queued.
///
/// # Errors
/// The outbox cannot be written; the caller keeps the events and tells them again later.
pub fn tell(
    ctx: &Context,
    storm: &Storm,
    spec: &Spec,
    events: &[Event],
    sinks: &[Sink],
    now: &Stamp,
) -> Result<usize, Error> {
    let of_it: Vec<Event> = events.iter().filter(|event| policy::speaks_for(storm, event)).cloned().collect();
    let hears: Vec<&Sink> = sinks.iter().filter(|sink| notify::choose(sink, &of_it).is_some()).collect();
    if hears.is_empty() {
        return Ok(0);
    }
    let _telling = record::telling(&ctx.paths)?;
    let own = of_it.iter().find(|event| event.id == storm.id()).cloned();
    let event = own.unwrap_or_else(|| policy::event(storm, Some(spec), storm.began.at.wall));
    put(ctx, &event, hears.into_iter(), now)
}

fn put<'s>(ctx: &Context, event: &Event, sinks: impl Iterator<Item = &'s Sink>, now: &Stamp) -> Result<usize, Error> {
    let notification = Notification {
        event: event.clone(),
        host: ctx.host.clone(),
        log_tail: Vec::new(),
        differs: String::new(),
        of_late: None,
    };
    let mut queued = 0;
    for sink in sinks {
        if outbox::put(&ctx.paths, &notification, &sink.name, now)? == outbox::Put::Queued {
            queued += 1;
        }
    }
    Ok(queued)
}

/// The storm that goes on, if one does.
///
/// # Errors
/// The record of failures cannot be read.
pub fn current(ctx: &Context, now: &Stamp) -> Result<Option<Facts>, Error> {
    let last = policy::storms(&record::load(&ctx.paths)?).pop();
    Ok(last.filter(|storm| policy::is_on(storm, now)).map(|storm| policy::facts(&storm)))
}

/// Until when the alerts of processes that fail just now wait for others that do.
///
/// # Errors
/// The record cannot be read.
pub fn gathers_until(ctx: &Context, now: &Stamp) -> Result<Option<Stamp>, Error> {
    Ok(policy::gathers_until(&record::load(&ctx.paths)?, now))
}

/// Tells the end of a storm that is over, and lets go of what is of no more use. Nearly always there is nothing, which
/// costs one look for a file. Returns how many messages were queued.
///
/// # Errors
/// Record or outbox cannot be used; the next pass tries again.
pub fn close(ctx: &Context, registry: &Registry, now: &Stamp) -> Result<usize, Error> {
    let seen = record::load(&ctx.paths)?;
    let Some(newest) = seen.iter().rev().find_map(policy::line_at) else { return Ok(0) };
    let open = |lines: &[Line]| policy::storms(lines).pop().filter(|storm| !storm.told && !policy::is_on(storm, now));
    if open(&seen).is_none() {
        if now.since(newest) >= record::KEPT {
            let _held = record::lock(&ctx.paths)?;
            if record::load(&ctx.paths)? == seen {
                record::clear(&ctx.paths)?;
            }
        }
        return Ok(0);
    }
    let _telling = record::telling(&ctx.paths)?;
    let _held = record::lock(&ctx.paths)?;
    let Some(mut storm) = open(&record::load(&ctx.paths)?) else { return Ok(0) };
    if storm.over.is_none() {
        let over = Over { storm: storm.id().to_owned(), at: now.clone(), down: down(ctx, registry, &storm, now) };
        record::append(&ctx.paths, &[Line::Over(over.clone())], now)?;
        storm.over = Some(over);
    }
    let process = storm.began.process.clone();
    let spec = registry.processes.get(&process).map(|entry| &entry.spec);
    let at = storm.over.as_ref().map_or(now.wall, |over| over.at.wall);
    let event = policy::event(&storm, spec, at);
    if journal::is_there(&ctx.paths, &process) {
        journal::append(&ctx.paths, &process, std::slice::from_ref(&event), Durable::Yes)?;
    }
    let mut hears = Vec::new();
    for sink in &registry.sinks {
        if outbox::is_known(&ctx.paths, storm.id(), &sink.name)? {
            hears.push(sink);
        }
    }
    let queued = put(ctx, &event, hears.into_iter(), now)?;
    record::append(&ctx.paths, &[Line::Told { storm: storm.id().to_owned() }], now)?;
    Ok(queued)
}

/// The processes of a storm that are not back: neither up nor done, nor is that what the operator wants.
fn down(ctx: &Context, registry: &Registry, storm: &Storm, now: &Stamp) -> Vec<Name> {
    let mut down: Vec<Name> = Vec::new();
    for failure in &storm.failures {
        let name = &failure.process;
        let Some(Entry { spec, .. }) = registry.processes.get(name).filter(|_| !down.contains(name)) else { continue };
        let back = match state::load(&ctx.paths, name) {
            Ok(Some(state)) => match Word::of(&consider(ctx, name, spec, &state, now)) {
                Word::Running | Word::Unsupervised | Word::Completed | Word::Stopped | Word::New => true,
                Word::Starting | Word::Hung | Word::Waiting | Word::Dead | Word::Tripped => false,
            },
            Ok(None) => true, // registered anew
            Err(_) => false,
        };
        if !back {
            down.push(name.clone());
        }
    }
    down
}
