//! The guard is guarded: a pass tells of passes that did not run, of processes that are well, and how all stands.
//!
//! Ids are derived from what is told, so that any number of passes tell it once.

use std::time::Duration;

use crate::alert::ping::{self, Wells};
use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::event::{Event, EventKind, Notification};
use crate::model::name::Name;
use crate::model::spec::Target;
use crate::model::time::Wall;
use crate::os::{clock, process};
use crate::policy::heartbeat::{self, Standing};
use crate::policy::lapse;
use crate::policy::notify;
use crate::policy::overdue::{self, Awake};
use crate::registry::Registry;
use crate::store::{self, journal, lapses, outbox};
use crate::supervise::now;
use crate::view::status::State as Word;

use super::{Report, last};

/// This moment, on a clock that stands while the machine sleeps.
///
/// # Errors
/// A clock cannot be read.
pub fn awake() -> Result<Awake, Error> {
    let read = || -> std::io::Result<Awake> { Ok(Awake { boot: clock::boot_id()?, ms: clock::awake_ms()? }) };
    read().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
}

/// Tells the sinks, once, that passes which were due did not run. `is_pass`: one runs now; else a shim asks. Returns that in a sentence,
/// where it is so.
///
/// # Errors
/// The note of the last pass, a clock or the outbox cannot be used.
pub fn overdue(
    ctx: &Context,
    registry: &Registry,
    report: &mut Report,
    is_pass: bool,
) -> Result<Option<String>, Error> {
    let before = last(&ctx.paths)?;
    let Some((before, awake_then)) = before.as_ref().and_then(|last| Some((last, last.awake.as_ref()?))) else {
        if is_pass {
            report.errors.extend(lapses::note(&ctx.paths, None, now()?.wall).err());
        }
        return Ok(None);
    };
    let (wall, every) = (now()?.wall, registry.healthcheck.every);
    let awake = awake()?;
    let (then, now) = ((before.at, awake_then), (wall, &awake));
    let gap = overdue::gap(then, now, every).filter(|_| was_there(then, now, every));
    if is_pass && let Some(lapse) = lapse::lapse(then, now, every, gap.as_ref()) {
        report.errors.extend(lapses::note(&ctx.paths, Some(lapse), wall).err());
    }
    let Some(gap) = gap else { return Ok(None) };
    let event = overdue::event(&gap, &guardian()?, wall, is_pass);
    for sink in registry.sinks.iter().filter(|sink| notify::hears_of_guardian(sink, &event)) {
        report.queued += usize::from(put(ctx, &event, &sink.name)?);
    }
    Ok(Some(overdue::sentence(&gap, wall, is_pass)))
}

/// Whether there was anybody to run passes. A container that was not there missed nothing: time counts from when its process 1
/// began.
fn was_there(then: (Wall, &Awake), now: (Wall, &Awake), every: Duration) -> bool {
    let boot = &now.1.boot;
    let age = process::init_began(boot).zip(clock::boot_ms().ok()).map(|(began, now)| now.saturating_sub(began));
    let began = age.map_or(0, |age| now.1.ms.saturating_sub(age));
    let later = Awake { boot: boot.clone(), ms: began };
    began <= then.1.ms || then.1.boot != *boot || overdue::gap((then.0, &later), now, every).is_some()
}

/// Tells the sinks that ask for it how all stands, when their time has come.
///
/// # Errors
/// What was told, a history or the outbox cannot be used.
pub fn beat(ctx: &Context, registry: &Registry, report: &mut Report) -> Result<(), Error> {
    if registry.sinks.iter().all(|sink| sink.heartbeat.is_none()) {
        return Ok(());
    }
    let wall = now()?.wall;
    let before = store::heartbeat::load(&ctx.paths).unwrap_or_else(|error| {
        report.errors.push(error);
        heartbeat::Told::new()
    });
    let mut told = before.clone();
    let due = heartbeat::due(&registry.sinks, &mut told, wall);
    for (sink, at, since) in due {
        let restarts = restarts(ctx, registry, since)?;
        let event = heartbeat::event(&guardian()?, sink, at, since, &standing(report), restarts);
        report.queued += usize::from(put(ctx, &event, &sink.name)?);
    }
    if told != before {
        store::heartbeat::save(&ctx.paths, &told)?;
    }
    Ok(())
}

fn standing(report: &Report) -> Standing {
    let not_well = report.checked.iter().filter(|checked| !checked.as_desired);
    Standing {
        up: report.checked.iter().filter(|checked| checked.state.is_alive()).count(),
        not_well: not_well.map(|checked| (checked.name.clone(), checked.state.word().to_owned())).collect(),
    }
}

fn restarts(ctx: &Context, registry: &Registry, since: Wall) -> Result<usize, Error> {
    let mut count = 0;
    for name in registry.processes.keys().filter(|name| journal::is_there(&ctx.paths, name)) {
        let events = journal::read(&ctx.paths, name)?.events;
        count += events.iter().filter(|event| event.kind == EventKind::Restarted && event.at > since).count();
    }
    Ok(count)
}

fn put(ctx: &Context, event: &Event, sink: &str) -> Result<bool, Error> {
    let notification = Notification {
        event: event.clone(),
        host: ctx.host.clone(),
        log_tail: Vec::new(),
        differs: String::new(),
        of_late: None,
    };
    Ok(outbox::put(&ctx.paths, &notification, sink, &now()?)? == outbox::Put::Queued)
}

fn guardian() -> Result<Name, Error> {
    Ok("guardian".parse()?)
}

/// Tells the switches of processes that are to live on, and are well, that they are.
#[must_use]
pub fn well(registry: &Registry, report: &Report) -> Wells {
    let well = report.checked.iter().filter(|checked| checked.as_desired && checked.state == Word::Running);
    let told = well.filter_map(|checked| {
        let spec = &registry.processes.get(&checked.name)?.spec;
        let lives_on = match spec.target {
            Target::Forever | Target::For(_) => true,
            Target::Exit => false, // its end is what counts
        };
        let source = spec.ping_url.clone().filter(|_| lives_on)?;
        Some((checked.name.clone(), source, format!("{} is running", checked.name)))
    });
    ping::well(told.collect())
}
