//! What `healthcheck --loop` does at its end: stops all that runs, those that need others first, and lets what is desired stay.
//!
//! A process of its own, so that the loop goes on taking its children's ends meanwhile. May be killed and begun again: who was
//! asked to end is not asked twice, and its time counts from when it was.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use crate::healthcheck;
use crate::model::evidence::{Life, Recorded};
use crate::model::name::Name;
use crate::model::state::{Desired, OpenRun, State};
use crate::model::time::Stamp;
use crate::os::process;
use crate::policy::classify::Standing;
use crate::policy::decide::Look;
use crate::policy::dependencies::Graph;
use crate::policy::operator::wind_down;
use crate::store::{record, state};
use crate::supervise::{Held, Outcome, now};

use super::Call;
use super::common::{Fresh, complain_of, parse, registry};
use super::out::worse;
use super::plan::{dependants_first, in_order};
use super::stop::wait;

/// How long the last passes of shims are waited for, all together.
const LAST_PASSES: Duration = Duration::from_secs(5);
/// How often a shim is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// Stops those of `names` (empty: all) that run. `within`: milliseconds for all together; no number: each has its grace.
pub(super) fn run(call: &Call, names: &[String], within: &str) -> Result<u8, Error> {
    let began = now()?;
    let until = within.parse().ok().map(|ms| began.plus(Duration::from_millis(ms)));
    let loaded = registry(call)?;
    let mut names = healthcheck::names(&loaded.registry, &parse(names)?)?;
    let mut failed = Vec::new();
    // One that was never wanted is not there; one that waits for its time may begin until its lock was held.
    names.retain(|name| match state::load(&call.ctx.paths, name) {
        Ok(state) => state.is_some_and(|state| is_concerned(&state)),
        Err(error) => {
            failed.push(error.about(name));
            false
        }
    });
    let graph = loaded.registry.graph();
    let (fresh, after, levels) = (Fresh::default(), dependants_first(&graph, &names), levels(&graph, &names));
    // Those that wait for nobody are all asked before any of them is waited for.
    let first: Vec<Name> = names.iter().filter(|name| after.get(name).is_none_or(Vec::is_empty)).cloned().collect();
    in_order(&first, &BTreeMap::new(), |name| fresh.with(call, name, ask));
    let stopped = in_order(&names, &after, |name| {
        let level = levels.get(name).copied().unwrap_or(1);
        fresh.with(call, name, |held| stop(held, until.as_ref(), level))
    });
    last_passes(call, &names, until)?;
    let ended = stopped.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    failed.extend(stopped.into_iter().filter_map(Result::err));
    let code = failed.iter().fold(0, |code, error| worse(code, call.out.fail(error)));
    call.out.say(&format!("{ended} stopped; what was up comes back at the next start"));
    Ok(worse(code, complain_of(&loaded, call)))
}

fn is_concerned(state: &State) -> bool {
    state.desired == Desired::Up || state.open().is_some()
}

/// How many have to end one after the other, from each of `names` on: those that it needs come after it.
fn levels(graph: &Graph<'_>, names: &[Name]) -> BTreeMap<Name, u32> {
    fn level(graph: &Graph<'_>, name: &Name, known: &mut BTreeMap<Name, u32>) -> u32 {
        if let Some(known) = known.get(name) {
            return *known;
        }
        known.insert(name.clone(), 1); // no valid registry has a circle
        let below = graph.needs(name).iter().map(|need| level(graph, need, known)).max();
        let own = below.map_or(1, |below| below.saturating_add(1));
        known.insert(name.clone(), own);
        own
    }
    let mut known = BTreeMap::new();
    for name in names {
        level(graph, name, &mut known);
    }
    known
}

/// Asks the open run to end, if that was not done yet.
fn ask(held: &mut Held<'_>) -> Result<(), Error> {
    let mut outcome = Outcome::default();
    held.supervise(&mut outcome)?; // so that how it ends is known
    if matches!(held.consider()?.standing, Some(Standing::Ended(_)) | None) {
        return Ok(());
    }
    let now = now()?;
    let look = Look { name: held.name, spec: held.spec, state: &held.state, now: &now };
    let decision = wind_down(look, Some(process::caller())).into_owned();
    held.carry_out(decision, &mut outcome).map(drop)
}

/// Ends it; whether it ran. `until`: when all must be over, of which this and what comes after it have their parts.
fn stop(held: &mut Held<'_>, until: Option<&Stamp>, levels: u32) -> Result<bool, Error> {
    let asked = ask(held);
    if asked.is_err() {
        // A full disk, say: what cannot be written down is asked all the same, or it would be killed in a moment.
        held.signal(held.spec.stop_signal, &mut Outcome::default());
    }
    let began = now()?;
    let since = |open: &OpenRun| open.stopping.as_ref().map_or(began, |stopping| stopping.since.clone());
    let open = held.state.open().map(|open| (open.run, since(open)));
    if let Some((run, since)) = &open {
        let now = now()?;
        let own = held.spec.grace.saturating_sub(now.since(since));
        let most = until.map_or(own, |until| until.since(&now) / levels.max(1));
        wait(held, *run, own.min(most))?;
    }
    asked?;
    held.advance()?;
    held.dismiss();
    Ok(open.is_some())
}

/// Waits for the shims: each has a last pass to make, which would start again what it finds once nobody holds that up any more.
fn last_passes(call: &Call, names: &[Name], until: Option<Stamp>) -> Result<(), Error> {
    let end = now()?.plus(LAST_PASSES);
    let end = until.filter(|until| end.has_reached(until)).unwrap_or(end);
    for name in names {
        let Ok(Some(state)) = state::load(&call.ctx.paths, name) else { continue }; // that was told
        let Recorded::Read(record) = record::read(&call.ctx.paths, name, state.run).0 else { continue };
        let Some(shim) = record.shim else { continue };
        loop {
            let now = now()?;
            if process::life(&shim, &now.boot) == Life::Gone || now.has_reached(&end) {
                break;
            }
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}
