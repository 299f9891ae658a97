//! Those that need a process, looked at again because that one has come, gone or come back.
//!
//! The pass that the shim of the one starts does this for the others, and so does a command that started or stopped it: then
//! nobody waits for cron. One lock at a time: that of the one is free before that of the next is waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::model::name::Name;
use crate::model::state::{Desired, Phase};
use crate::policy::decide::{Act, Look, decide_needing};
use crate::registry::Registry;
use crate::store::state;
use crate::supervise::{Held, Outcome, needs, now, observe};

/// Does what follows for each that needs one of `names`, and for those that need these in turn, as far as something
/// was done. Returns what failed; the rest was done. Nothing is read where nobody needs anything.
#[must_use]
pub fn look_again(ctx: &Context, registry: &Registry, names: &[Name]) -> Vec<Error> {
    let graph = registry.graph();
    let mut errors = Vec::new();
    let mut seen: BTreeSet<&Name> = BTreeSet::new();
    let mut left: Vec<&Name> = names.iter().collect();
    while let Some(name) = left.pop() {
        for dependant in graph.needed_by(name) {
            if !seen.insert(dependant) {
                continue;
            }
            match look(ctx, registry, dependant) {
                Ok(Some(outcome)) => {
                    errors.extend(outcome.errors);
                    left.push(dependant);
                }
                Ok(None) => {}
                Err(error) => errors.push(error.about(dependant)),
            }
        }
    }
    errors
}

/// Looks at one; `None`: nothing followed. First without its lock, as every look of which mostly nothing follows.
fn look(ctx: &Context, registry: &Registry, name: &Name) -> Result<Option<Outcome>, Error> {
    let Some(entry) = registry.processes.get(name) else { return Ok(None) };
    let Some(state) = state::load(&ctx.paths, name)? else { return Ok(None) };
    if state.desired == Desired::Down || matches!(state.phase, Phase::New | Phase::Completed | Phase::Stopped) {
        return Ok(None);
    }
    let now = now()?;
    let needs = needs(ctx, registry, &entry.spec, &now);
    let evidence = observe(ctx, name, &state, &now);
    let seen = Look { name, spec: &entry.spec, state: &state, now: &now };
    let first = decide_needing(seen, evidence.as_ref(), Duration::ZERO, &needs);
    if !first.changed && first.act == Act::None {
        return Ok(None);
    }
    Held::take(ctx, name, &entry.spec, registry)?.advance().map(Some)
}
