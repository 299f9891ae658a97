//! Watches: looks at what guardian did not start, and does what follows.
//!
//! A pass does this after its own processes are served. Many looks are taken at once and without any lock, each
//! within its time; one that hangs for good is walked away from, and then it cannot be told. What follows is decided and
//! committed under the watch's own lock before its action is run, and waits for no other watch.

mod line;
mod look;
mod openclaw;
mod sqlite;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::healthcheck::Mode;
use crate::masking;
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::units::format_duration;
use crate::model::watch::WatchSpec;
use crate::model::watch_state::{Breaker, WatchState};
use crate::policy::watch::{self as policy, Look, acted, decide, is_due};
use crate::policy::watch_judge::{Evidence, judge};
use crate::publish::publish;
use crate::registry::{Registry, WatchEntry};
use crate::store::record::Durable;
use crate::store::watch;
use crate::supervise::now;

use look::Around;

/// So many watches are served at once: two hundred that hang for ten seconds each are done with within a minute.
const AT_ONCE: usize = 64;
/// A look that takes this much longer than its time is walked away from.
const SLACK: Duration = Duration::from_secs(3);

/// What a pass found and did about one watch.
#[derive(Debug)]
pub struct Checked {
    /// Its name.
    pub name: Name,
    /// What is remembered of it now.
    pub state: WatchState,
    /// What was done: `acted`, `tripped`, `busy`.
    pub actions: Vec<&'static str>,
}

/// What a pass found and did about watches.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each watch that could be asked.
    pub checked: Vec<Checked>,
    /// Notifications queued.
    pub queued: usize,
    /// What failed; the rest was done.
    pub errors: Vec<Error>,
}

/// Whether a look is taken before it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Not before `every` is over.
    Due,
    /// Now: somebody named it.
    Now,
}

/// One look, with the time at which it began and ended.
struct Seen {
    evidence: Evidence,
    began: Stamp,
    ended: Stamp,
}

/// Looks at `names`, and does what follows.
#[must_use]
pub fn pass(ctx: &Context, registry: &Registry, names: &[Name], when: When, mode: Mode) -> Report {
    let mut report = Report::default();
    let mut due = Vec::new();
    for (name, entry) in names.iter().filter_map(|name| registry.watches.get_key_value(name)) {
        match remembered(ctx, name, &entry.spec).and_then(|state| Ok((state, now()?))) {
            Ok((state, now)) if when == When::Now || !state.pending.is_empty() || is_due(&entry.spec, &state, &now) => {
                due.push((name, entry));
            }
            Ok((state, _)) => report.checked.push(Checked { name: name.clone(), state, actions: Vec::new() }),
            Err(error) => report.errors.push(error.about(name)),
        }
    }
    let variable = |name: &str| ctx.environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let openclaw = variable("OPENCLAW_STATE_DIR").or_else(|| variable("CLAWDBOT_STATE_DIR")).map(PathBuf::from);
    let around = Arc::new(Around { home: ctx.home.clone(), openclaw });
    let count = due.len();
    let todo = Mutex::new(due.into_iter());
    let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
    let serve = || {
        let mut outcomes = Vec::new();
        while let Some((name, entry)) = next() {
            // Judged as soon as it is seen: one that hangs keeps no other waiting.
            let seen = look_at(name, &entry.spec, &around);
            outcomes.push((name, seen.and_then(|seen| settle(ctx, registry, name, entry, seen, mode))));
        }
        outcomes
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let servers: Vec<_> = (0..AT_ONCE.min(count)).map(|_| scope.spawn(serve)).collect();
        let ended = servers.into_iter().map(|server| server.join());
        ended.flat_map(|outcomes| outcomes.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for (name, outcome) in outcomes {
        match outcome {
            Ok((checked, queued, error)) => {
                report.checked.push(checked);
                report.queued += queued;
                report.errors.extend(error.map(|error| error.about(name)));
            }
            Err(error) => report.errors.push(error.about(name)),
        }
    }
    report.checked.sort_by(|a, b| a.name.cmp(&b.name));
    report
}

/// What is remembered of a watch; of another kind under the same name, nothing.
///
/// # Errors
/// It cannot be read.
pub fn remembered(ctx: &Context, name: &Name, spec: &WatchSpec) -> Result<WatchState, Error> {
    let kind = spec.subject.word();
    match watch::load(&ctx.paths, name)? {
        Some(state) if state.kind == kind => Ok(state),
        Some(_) | None => Ok(WatchState::new(kind, &now()?)),
    }
}

/// The operator closes the breaker of a watch and forgets its actions; nothing is run.
///
/// # Errors
/// Its state cannot be read or written.
pub fn reset(ctx: &Context, name: &Name, spec: &WatchSpec) -> Result<(), Error> {
    let _held = watch::lock(&ctx.paths, name)?;
    let state = remembered(ctx, name, spec)?;
    watch::commit(&ctx.paths, name, &policy::reset(&state))
}

/// Looks at one, in a thread that is walked away from if it does not come back in time: it has seen nothing then.
fn look_at(name: &Name, spec: &WatchSpec, around: &Arc<Around>) -> Result<Seen, Error> {
    let began = now()?;
    let (tell, told) = mpsc::sync_channel(1);
    let (of, its, around) = (name.clone(), spec.clone(), Arc::clone(around));
    let looking = thread::Builder::new().spawn(move || {
        // Nobody waits any more when it comes too late.
        drop(tell.send(look::look(&of, &its, &around)));
    });
    let evidence = match looking {
        Err(error) => Evidence::Unreadable(format!("no thread can be made to look at it: {error}")),
        Ok(_) => told.recv_timeout(spec.timeout + SLACK).unwrap_or_else(|_| {
            Evidence::Unreadable(format!("looking at it took longer than {}", format_duration(spec.timeout)))
        }),
    };
    Ok(Seen { evidence, began, ended: now()? })
}

/// What came of one watch: what is to be reported, notifications queued, what failed without undoing the rest.
type Settled = (Checked, usize, Option<Error>);

/// Decides about a look, commits, acts and tells.
fn settle(
    ctx: &Context,
    registry: &Registry,
    name: &Name,
    entry: &WatchEntry,
    seen: Seen,
    mode: Mode,
) -> Result<Settled, Error> {
    let spec = &entry.spec;
    let pass = registry.healthcheck.every;
    let held = match mode {
        Mode::DryRun => None,
        Mode::Act => match watch::try_lock(&ctx.paths, name)? {
            Some(held) => Some(held),
            None => return Ok((as_is(ctx, name, spec, vec!["busy"])?, 0, None)),
        },
    };
    let state = remembered(ctx, name, spec)?;
    if state.looked.as_ref().is_some_and(|looked| looked.boot == seen.began.boot && looked.boot_ms > seen.began.boot_ms)
    {
        return Ok((as_is(ctx, name, spec, Vec::new())?, 0, None)); // somebody else looked meanwhile
    }
    let now = &seen.ended;
    let judged = judge(&spec.subject, &seen.evidence, state.seen.as_ref(), now, pass);
    let decision = decide(Look { name, spec, state: &state, now }, &judged);
    let tripped = matches!(decision.state.breaker, Breaker::Open { .. }) && decision.state.trips > state.trips;
    let mut actions: Vec<&'static str> = tripped.then_some("tripped").into_iter().collect();
    actions.extend(decision.act.then_some("acted"));
    let mut next = decision.state;
    if held.is_none() {
        return Ok((Checked { name: name.clone(), state: next, actions }, 0, None));
    }
    masking::watch(ctx, name, &mut next);
    match next.pending.is_empty() && !decision.act {
        true => watch::note(&ctx.paths, name, &next)?,
        false => watch::commit(&ctx.paths, name, &next)?,
    }
    if let Some(line) = spec.action.as_deref().filter(|_| decision.act) {
        let (succeeded, outcome) = run(name, spec, line, &next.reason);
        next = acted(Look { name, spec, state: &next, now }, succeeded, outcome);
        masking::watch(ctx, name, &mut next);
        watch::commit(&ctx.paths, name, &next)?;
    }
    let (queued, error) = tell(ctx, registry, name, &mut next);
    Ok((Checked { name: name.clone(), state: next, actions }, queued, error))
}

/// What is remembered, where nothing follows.
fn as_is(ctx: &Context, name: &Name, spec: &WatchSpec, actions: Vec<&'static str>) -> Result<Checked, Error> {
    Ok(Checked { name: name.clone(), state: remembered(ctx, name, spec)?, actions })
}

/// Runs the action; whether it succeeded, and what came of it.
fn run(name: &Name, spec: &WatchSpec, line: &str, reason: &str) -> (bool, String) {
    let variables = [("GUARDIAN_WATCH", name.as_str()), ("GUARDIAN_REASON", reason)];
    match line::shell(line, &variables, spec.action_timeout) {
        Ok(ran) => {
            let said = if ran.last_line.is_empty() { String::new() } else { format!(": {}", ran.last_line) };
            let how = if ran.timed_out { format!("{}, and was killed", ran.how) } else { ran.how.clone() };
            match ran.code {
                Some(0) if !ran.timed_out => (true, format!("its action was run{said}")),
                Some(_) | None => (false, format!("its action failed: it {how}{said}")),
            }
        }
        Err(error) => (false, format!("its action could not be run: {error}")),
    }
}

/// Journal and outbox get what was committed; then the state lets go of it. What fails is kept for the next pass.
fn tell(ctx: &Context, registry: &Registry, name: &Name, state: &mut WatchState) -> (usize, Option<Error>) {
    if state.pending.is_empty() {
        return (0, None);
    }
    let published = now().and_then(|now| {
        let queued = publish(ctx, name, None, &state.pending, &registry.sinks, &now, Durable::Yes)?;
        let rest = WatchState { pending: Vec::new(), ..state.clone() };
        watch::note(&ctx.paths, name, &rest)?;
        *state = rest;
        Ok(queued)
    });
    match published {
        Ok(queued) => (queued, None),
        Err(error) => (0, Some(error)),
    }
}
