//! `metrics`: looks at guardian and at all processes as `status` does, for Prometheus; changes nothing.
//!
//! One that cannot be read is counted and left out, and keeps none of the others from being shown. After a pass the text goes
//! into the directory that `[healthcheck] textfile` names, see [`crate::store::textfile`].

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::alert::desk;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::healthcheck::{LastPass, OVERDUE, is_as_desired, last};
use crate::model::evidence::{Evidence, Recorded};
use crate::model::name::Name;
use crate::model::spec::{Spec, Target};
use crate::model::state::{Desired, State};
use crate::model::time::{Stamp, Wall};
use crate::model::units::format_duration;
use crate::os::usage::{METERED, Meter};
use crate::os::user;
use crate::policy::breaker::Breaker;
use crate::policy::decide::{Look, decide_needing};
use crate::store::log::Log;
use crate::store::paths::Paths;
use crate::store::registry_file::Loaded;
use crate::store::{incident, present, state, textfile};
use crate::storm;
use crate::supervise::{needs, now, observe};
use crate::view::exposition::{Labels, text};
use crate::view::metrics::{Process, Snapshot, families};
use crate::view::status::State as Word;
use crate::watches;

/// What is known now, and what could not be read.
///
/// # Errors
/// A clock or the process table cannot be read.
pub fn collect(ctx: &Context, loaded: &Loaded) -> Result<(Snapshot, Vec<Error>), Error> {
    let (now, mut errors) = (now()?, Vec::new());
    let registry = &loaded.registry;
    let meter = (registry.processes.len() <= METERED).then(Meter::new).transpose();
    let meter = meter
        .map_err(|error| Error::new(Code::System, "processes", format!("cannot read the process table: {error}")))?;
    let (beats, rotated) = (present::heartbeats(&ctx.paths), present::rotated(&ctx.paths));
    let around = Around { meter: meter.as_ref(), now: &now, beats: &beats, rotated: &rotated };
    let mut processes = Vec::with_capacity(registry.processes.len());
    for (name, entry) in &registry.processes {
        match process(ctx, loaded, (name, &entry.spec), &around) {
            Ok(process) => processes.push(process),
            Err(error) => errors.push(error),
        }
    }
    let mut watches = Vec::with_capacity(registry.watches.len());
    for (name, entry) in &registry.watches {
        match watches::remembered(ctx, name, &entry.spec) {
            Ok(state) => watches.push((name.to_string(), state.condition)),
            Err(error) => errors.push(error),
        }
    }
    let last = kept(last(&ctx.paths), &mut errors);
    let every = registry.healthcheck.every;
    let wanted = processes.iter().any(|process| process.desired == Desired::Up);
    let overdue = |last: &Option<LastPass>| {
        wanted && last.as_ref().is_none_or(|last| last.at.until(now.wall) > every.saturating_mul(OVERDUE))
    };
    let snapshot = Snapshot {
        version: env!("CARGO_PKG_VERSION"),
        overdue: last.as_ref().map(overdue),
        last_pass: last.flatten().map(|last| (last.at, Duration::from_millis(last.duration_ms))),
        every,
        alerts: kept(desk::backlog(&ctx.paths, &registry.sinks, &now), &mut errors),
        incidents: incidents(&ctx.paths, &mut errors),
        storm: kept(storm::current(ctx, &now), &mut errors).map(|storm| storm.is_some()),
        processes,
        watches,
        registered: registry.processes.len(),
        problems: loaded.problems.len(),
        errors: errors.len(),
    };
    Ok((snapshot, errors))
}

/// What every sample carries: whose guardian it is, so that several on one host are told apart.
#[must_use]
pub fn whose(ctx: &Context) -> Vec<(&'static str, String)> {
    let home = ctx.paths.home.as_ref().map(|home| ("home", home.display().to_string()));
    [("user", user::name())].into_iter().chain(home).collect()
}

/// Puts what is known now into `dir`, for node_exporter's textfile collector. Returns what could not be read.
///
/// # Errors
/// It cannot be collected, or not be written there.
pub fn publish(ctx: &Context, loaded: &Loaded, dir: &Path) -> Result<Vec<Error>, Error> {
    let (snapshot, errors) = collect(ctx, loaded)?;
    let whose = whose(ctx);
    let labels: Labels<'_> = whose.iter().map(|(name, value)| (*name, value.as_str())).collect();
    textfile::write(&ctx.paths, dir, &text(&families(&snapshot), &labels))?;
    Ok(errors)
}

fn kept<T>(read: Result<T, Error>, errors: &mut Vec<Error>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

fn incidents(paths: &Paths, errors: &mut Vec<Error>) -> Option<(usize, usize)> {
    let (books, unreadable) = kept(incident::all(paths), errors)?;
    let known = unreadable.is_empty();
    errors.extend(unreadable.into_iter().map(|why| Error::new(Code::System, "incident_damaged", why)));
    let open: Vec<_> = books.into_iter().filter_map(|(_, book)| book.open).collect();
    known.then(|| (open.len(), open.iter().filter(|incident| incident.ack.is_none()).count()))
}

/// What is the same for all processes.
struct Around<'a> {
    meter: Option<&'a Meter>,
    now: &'a Stamp,
    /// Names of those that have a heartbeat file.
    beats: &'a BTreeSet<String>,
    /// Names of those whose log was ever rotated.
    rotated: &'a BTreeSet<String>,
}

fn process(
    ctx: &Context,
    loaded: &Loaded,
    (name, spec): (&Name, &Spec),
    around: &Around<'_>,
) -> Result<Process, Error> {
    let now = around.now;
    let state = match state::load(&ctx.paths, name)? {
        Some(state) => state,
        None => State::new(now),
    };
    let evidence = observe(ctx, name, &state, now);
    let needs = needs(ctx, &loaded.registry, spec, now);
    let decision = decide_needing(Look { name, spec, state: &state, now }, evidence.as_ref(), Duration::ZERO, &needs);
    let word = Word::of(&decision);
    let (began, main) = living(evidence.as_ref().filter(|_| word.is_alive()));
    let known = &decision.state;
    Ok(Process {
        name: name.to_string(),
        group: spec.group.clone().unwrap_or_default(),
        target: match spec.target {
            Target::Forever => "forever".to_owned(),
            Target::Exit => "exit".to_owned(),
            Target::For(target) => format_duration(target),
        },
        state: word,
        desired: known.desired,
        as_desired: is_as_desired(&state, &decision),
        ready: decision.ready,
        starts: state.run, // a run that is only due has not begun
        tally: state.tally,
        failures: known.failures,
        breaker_open: Breaker::of(known) == Breaker::Open,
        target_s: spec.target_s(),
        last: known.last.clone(),
        usage: main.zip(around.meter).and_then(|(main, meter)| meter.read(main)),
        log: log(&ctx.paths, name, around.rotated.contains(name.as_str())),
        heartbeat: began
            .as_ref()
            .filter(|_| around.beats.contains(name.as_str()))
            .and_then(|began| heartbeat(&ctx.paths, name, began.wall)),
        up: began.map(|began| (began.wall, now.since(&began))),
    })
}

/// When the run that lives began, and its main process.
fn living(evidence: Option<&Evidence>) -> (Option<Stamp>, Option<i32>) {
    match evidence.map(|evidence| &evidence.record) {
        Some(Recorded::Read(record)) => (record.began.clone(), record.main.as_ref().map(|main| main.pid)),
        Some(Recorded::Missing | Recorded::Unreadable(_)) | None => (None, None),
    }
}

fn written(file: &Metadata) -> Option<Wall> {
    let since = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Wall(i64::try_from(since.as_millis()).ok()?))
}

fn log(paths: &Paths, name: &Name, rotated: bool) -> Option<(u64, Option<Wall>)> {
    let path = paths.log(name);
    let file = fs::metadata(&path).ok()?;
    let end = if rotated { Log::at(&path).extent().ok().flatten()?.end } else { file.len() };
    Some((end, written(&file)))
}

/// The last heartbeat of the run that began then; an older one was an earlier run's.
fn heartbeat(paths: &Paths, name: &Name, began: Wall) -> Option<Wall> {
    written(&fs::metadata(paths.sentinel(name, "heartbeat")).ok()?).filter(|at| *at >= began)
}
