//! The pass: look at every process, do what follows, then deliver what is to be told.
//!
//! Started by cron for all names, by a shim for its own. All triggers run this very code, and any
//! number of passes at once is harmless: each process is changed under its own lock, and what a
//! pass finds taken it leaves to whoever has it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::forget;
use crate::inspect::{By, inspect, is_asked_for};
use crate::launch::{main_to_note, note_main};
use crate::liveness::{Round, is_due};
use crate::model::ending::Verdict;
use crate::model::evidence::{Evidence, Life, Lock, Recorded};
use crate::model::liveness::Probed;
use crate::model::name::Name;
use crate::model::progress::Inspection;
use crate::model::spec::Spec;
use crate::model::state::{Phase, State};
use crate::model::time::{Stamp, Wall};
use crate::os::process;
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Decision, Look, decide_needing};
use crate::policy::stagger;
use crate::registry::Registry;
use crate::rotate;
use crate::store::{journal, state};
use crate::supervise::{Held, Outcome, needs, now, observe};
use crate::view::status::State as Word;

mod deliver;
pub mod guarded;
mod last;
mod probes;

pub use deliver::deliver;
pub use last::{LastPass, OVERDUE, last, note};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Passes that must be missed before one makes up for the time without them, a few at a time.
const UNWATCHED: u32 = 5;
/// The least time that counts as such.
const LONG: Duration = Duration::from_secs(300);

/// Whether a pass changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does what follows.
    Act,
    /// It says what it would do.
    DryRun,
}

/// What a pass found and did about one process.
#[derive(Debug)]
pub struct Checked {
    /// Its name.
    pub name: Name,
    /// Where it stands now.
    pub state: Word,
    /// Verdict on the last run that ended.
    pub verdict: Option<Verdict>,
    /// What was done, in the contract's words.
    pub actions: Vec<&'static str>,
    /// Whether it was as desired when the pass came.
    pub as_desired: bool,
    /// When something would next become true.
    pub deadline: Option<Stamp>,
}

/// What a pass found and did.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each process.
    pub checked: Vec<Checked>,
    /// Notifications queued.
    pub queued: usize,
    /// What failed; the rest was done.
    pub errors: Vec<Error>,
    /// It looked at every process.
    whole: bool,
    /// How long what is to be told waits for other processes that fail now.
    gather: Duration,
    /// When the pass before this one ran.
    last: Option<Wall>,
    /// That was on another day, in UTC.
    first_today: bool,
    /// That was long ago.
    unwatched: bool,
    /// Logs that are full, or soon will be.
    full: Vec<rotate::Full>,
    /// Starts that made up for a time in which nobody looked.
    caught_up: usize,
}

impl Report {
    /// When the pass before this one ran; `None`: never, or it cannot be told.
    #[must_use]
    pub fn before(&self) -> Option<Wall> {
        self.last
    }
}

/// Checks `names` one after the other.
#[must_use]
pub fn pass(ctx: &Context, registry: &Registry, names: &[Name], mode: Mode) -> Report {
    let mut report = Report { whole: names.len() == registry.processes.len(), ..Report::default() };
    match last(&ctx.paths) {
        Ok(before) => {
            report.last = before.map(|before| before.at);
            let long = registry.healthcheck.every.saturating_mul(UNWATCHED).max(LONG);
            if let (Some(last), Ok(now)) = (report.last, now()) {
                report.unwatched = last.until(now.wall) > long;
                report.first_today = last.0.div_euclid(DAY_MS) != now.wall.0.div_euclid(DAY_MS);
            }
        }
        Err(error) => report.errors.push(error),
    }
    if report.whole && mode == Mode::Act {
        report.errors.extend(forget::finish(ctx));
    }
    let graph = registry.graph();
    let ordered = (!graph.is_empty()).then(|| graph.order(names));
    let mut late = Vec::new();
    for name in ordered.as_deref().unwrap_or(names) {
        match check(ctx, registry, name, mode, &mut late, &mut report) {
            Ok(Some(checked)) => report.checked.push(checked),
            Ok(None) => {}
            Err(error) => report.errors.push(error.about(name)),
        }
    }
    probes::ask_late(ctx, registry, late, &mut report);
    // Last: nothing that is down waits for it.
    if let (false, Ok(now)) = (report.full.is_empty(), now()) {
        report.errors.extend(rotate::all(ctx, &report.full, registry.healthcheck.every, &now));
    }
    report
}

/// Checks one process. First without its lock: most of the time nothing follows.
fn check<'a>(
    ctx: &Context,
    registry: &'a Registry,
    name: &'a Name,
    mode: Mode,
    late: &mut Vec<(Duration, &'a Name, &'a Spec)>,
    report: &mut Report,
) -> Result<Option<Checked>, Error> {
    let Some(entry) = registry.processes.get(name) else { return Ok(None) };
    let now = now()?;
    let state = match state::load(&ctx.paths, name)? {
        Some(state) => state,
        None if entry.spec.schedule.is_some() => State::new(&now), // its times count from now on
        None => return Ok(Some(Checked::new(name, Word::New, None, Outcome::default(), true))),
    };
    let mut evidence = observe(ctx, name, &state, &now);
    let inspection = match mode {
        Mode::Act => noted(report, inspect(ctx, name, &entry.spec, &state, evidence.as_ref(), By::Cron)),
        Mode::DryRun => None,
    };
    if let Some(evidence) = &mut evidence {
        evidence.inspection.clone_from(&inspection);
    }
    if mode == Mode::Act {
        late.extend(is_due(&entry.spec, &state, evidence.as_ref(), By::Cron).map(|since| (since, name, &entry.spec)));
    }
    let needs = needs(ctx, registry, &entry.spec, &now);
    let look = Look { name, spec: &entry.spec, state: &state, now: &now };
    let first = decide_needing(look, evidence.as_ref(), Duration::ZERO, &needs);
    if mode == Mode::Act {
        wake_shim(evidence.as_ref(), &now);
    }
    if mode == Mode::Act && report.first_today {
        report.errors.extend(journal::prune(&ctx.paths, name, now.wall).err());
    }
    if mode == Mode::Act && state.open().is_some() {
        match rotate::look(ctx, name, &entry.spec, evidence.as_ref(), (report.last, now.wall)) {
            Ok(full) => report.full.extend(full),
            Err(error) => report.errors.push(error.about(name)),
        }
    }
    let as_desired = is_as_desired(&state, &first);
    let quiet = !first.changed
        && first.act == Act::None
        && state.pending.is_empty()
        && main_to_note(ctx, name, &entry.spec, &state)?.is_none();
    if quiet && mode == Mode::Act && forget::is_due(&entry.spec, &state, now.wall) {
        let forgotten = forget::forget(ctx, registry, name, &entry.spec, now.wall)?;
        let outcome = Outcome { actions: if forgotten { vec!["forgotten"] } else { Vec::new() }, ..Outcome::default() };
        return Ok(Some(Checked::new(name, Word::of(&first), None, outcome, true)));
    }
    if quiet || mode == Mode::DryRun {
        let word = Word::of(&first);
        let verdict = first.state.last.as_ref().map(|last| last.verdict);
        let outcome = Outcome { actions: first.actions, deadline: first.deadline, ..Outcome::default() };
        return Ok(Some(Checked::new(name, word, verdict, outcome, as_desired)));
    }
    let mut later = Duration::ZERO;
    if first.act == Act::Launch && stagger::is_catch_up(&state, &now, report.unwatched) {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        later = stagger::delay(report.caught_up, processors);
        report.caught_up += 1;
    }
    let Some(mut held) = Held::try_take(ctx, name, &entry.spec, registry)? else {
        let outcome = Outcome { actions: vec!["busy"], ..Outcome::default() };
        return Ok(Some(Checked::new(name, Word::of(&first), None, outcome, as_desired)));
    };
    held.inspection = inspection;
    held.later = later;
    held.with_others = true;
    Ok(Some(advance(&mut held, as_desired, report)?))
}

/// A shim that lives although its process is gone without a recorded end was stopped (SIGSTOP): it is sent on, and
/// then records the end and pushes it. One that is just about to record it takes no notice.
fn wake_shim(evidence: Option<&Evidence>, now: &Stamp) {
    let Some(Evidence { shim_lock: Lock::Held, record: Recorded::Read(record), .. }) = evidence else { return };
    let (Some(shim), Some(main), None) = (&record.shim, &record.main, &record.end) else { return };
    // Unknown is not ended.
    let gone = match record.taken_over.is_empty() {
        true => matches!(process::has_ended(main.pid), Ok(true)), // not waited for by its shim: its pid is still its own
        false => process::life(main, &now.boot) == Life::Gone,
    };
    if gone {
        // Gone meanwhile: the next look sees it.
        drop(process::send(shim, &now.boot, libc::SIGCONT));
    }
}

/// Does what follows for one process that is held, and reports it.
fn advance(held: &mut Held<'_>, as_desired: bool, report: &mut Report) -> Result<Checked, Error> {
    let mut outcome = held.advance()?;
    report.errors.append(&mut outcome.errors);
    report.queued += outcome.queued;
    report.gather = report.gather.max(held.gathers(&now()?));
    if let Some(pid) = main_to_note(held.ctx, held.name, held.spec, &held.state)? {
        note_main(held.ctx, held.name, pid)?;
    }
    let after = held.consider()?;
    let verdict = held.state.last.as_ref().map(|last| last.verdict);
    Ok(Checked::new(held.name, Word::of(&after), verdict, outcome, as_desired))
}

/// A pass for one name on behalf of the shim of `run`: waits for the process's lock, so that a death is
/// never left to somebody who looked before it. Returns when something would next become true, unless
/// another run has begun, whose own shim waits for that.
///
/// # Errors
/// Lock or state cannot be used.
pub fn push(
    ctx: &Context,
    registry: &Registry,
    name: &Name,
    run: u64,
    report: &mut Report,
) -> Result<Option<Stamp>, Error> {
    let Some(entry) = registry.processes.get(name) else { return Ok(None) };
    let mut asking = probes::begin(ctx, name, &entry.spec, run, report);
    let mut deadline = None;
    loop {
        // Whatever else becomes due while it is waited for is done at its time.
        let probed = asking.as_mut().and_then(|round| probes::wait(round, ctx, name, deadline.as_ref(), report));
        deadline = push_once(ctx, registry, (name, &entry.spec), run, probed, report)?;
        if !asking.as_ref().is_some_and(Round::is_open) {
            return Ok(deadline);
        }
    }
}

fn push_once(
    ctx: &Context,
    registry: &Registry,
    (name, spec): (&Name, &Spec),
    run: u64,
    probed: Option<Probed>,
    report: &mut Report,
) -> Result<Option<Stamp>, Error> {
    let inspection = noted(report, look(ctx, name, spec));
    let mut held = Held::take(ctx, name, spec, registry)?;
    (held.inspection, held.probed) = (inspection, probed);
    held.with_others = true;
    if stagger::is_catch_up(&held.state, &now()?, false) {
        held.later = stagger::delay_alone(name, run); // the machine slept: others wake up with this one
    }
    let checked = advance(&mut held, true, report)?;
    let mine = held.state.run == run;
    let deadline = checked.deadline.clone().filter(|_| mine);
    report.checked.push(checked);
    let fills = mine && held.state.open().is_some();
    drop(held); // a restart need not wait for a log
    let full = rotate::one(ctx, name, spec, registry.healthcheck.every, &now()?).unwrap_or_else(|error| {
        report.errors.push(error.about(name));
        None
    });
    Ok(deadline.into_iter().chain(full.filter(|_| fills)).min_by_key(|at| at.boot_ms))
}

/// A look that failed is reported, and keeps nothing else from being done.
fn noted(report: &mut Report, look: Result<Option<Inspection>, Error>) -> Option<Inspection> {
    look.unwrap_or_else(|error| {
        report.errors.push(error);
        None
    })
}

/// A look at the signs of progress of `name`, before its lock is taken: a `hang_probe` may need its time.
fn look(ctx: &Context, name: &Name, spec: &Spec) -> Result<Option<Inspection>, Error> {
    if !is_asked_for(spec) {
        return Ok(None);
    }
    let now = now()?;
    let Some(state) = state::load(&ctx.paths, name)? else { return Ok(None) };
    let evidence = observe(ctx, name, &state, &now);
    inspect(ctx, name, spec, &state, evidence.as_ref(), By::Shim)
}

impl Checked {
    fn new(name: &Name, state: Word, verdict: Option<Verdict>, outcome: Outcome, as_desired: bool) -> Self {
        Self { name: name.clone(), state, verdict, actions: outcome.actions, as_desired, deadline: outcome.deadline }
    }
}

/// Whether a process is as the operator asked for: down when down was asked for, else up or done.
#[must_use]
pub fn is_as_desired(state: &State, decision: &Decision) -> bool {
    match (&state.phase, &decision.standing) {
        (Phase::Open(open), Some(Standing::Running | Standing::Starting)) => {
            let asked = open.stopping.as_ref();
            !open.is_hung() && asked.is_none_or(|stopping| stopping.reason == crate::model::ending::StopReason::Target)
        }
        // It has ended just now, and as it should.
        (Phase::Open(_), Some(Standing::Ended(_))) => {
            matches!(decision.state.phase, Phase::Completed | Phase::Stopped)
        }
        (Phase::Open(_), _) => false,
        (Phase::New | Phase::Completed | Phase::Stopped, _) => true,
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, _) => false,
    }
}

/// Names that are to be looked at: the ones asked for, else all of the registry.
///
/// # Errors
/// One that was asked for is not registered.
pub fn names(registry: &Registry, asked: &[Name]) -> Result<Vec<Name>, Error> {
    if asked.is_empty() {
        return Ok(registry.processes.keys().cloned().collect());
    }
    for name in asked {
        if !registry.processes.contains_key(name) {
            return Err(unknown(registry, name));
        }
    }
    let unique: BTreeMap<&Name, ()> = asked.iter().map(|name| (name, ())).collect();
    Ok(unique.into_keys().cloned().collect())
}

/// The error for a name that is not registered, with the one that was probably meant.
#[must_use]
pub fn unknown(registry: &Registry, name: &Name) -> Error {
    let similar = registry
        .processes
        .keys()
        .map(|known| (strsim::damerau_levenshtein(known.as_str(), name.as_str()), known))
        .min()
        // Of short names nearly all are alike.
        .filter(|(distance, _)| *distance <= 2 && distance * 2 < name.as_str().len());
    Error::not_registered(name, similar.map(|(_, known)| known))
}
