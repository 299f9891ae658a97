//! What a command that starts or stops processes says and does about those that depend on them.

use std::collections::BTreeMap;

use crate::dependants::look_again;
use crate::error::Error;
use crate::model::name::Name;
use crate::model::spec::OnDependencyEnd;
use crate::registry::Registry;
use crate::store::state;
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

use super::Call;

/// Warns of running processes that depend on one of `names`, which were stopped, and are not among them.
pub(super) fn warn_of_dependants(call: &Call, registry: &Registry, names: &[Name]) -> Result<(), Error> {
    let graph = registry.graph();
    if graph.is_empty() {
        return Ok(());
    }
    for name in names {
        for dependant in graph.needed_by(name).filter(|dependant| !names.contains(dependant)) {
            let Some(entry) = registry.processes.get(dependant) else { continue };
            let Some(state) = state::load(&call.ctx.paths, dependant)? else { continue };
            let now = now()?;
            if !Word::of(&consider(&call.ctx, dependant, &entry.spec, &state, &now)).is_alive() {
                continue;
            }
            let what = match entry.spec.on_dependency_end {
                OnDependencyEnd::Ignore => "runs on",
                OnDependencyEnd::Stop => "is stopped as well",
                OnDependencyEnd::Restart => "runs on, and is restarted when that one is back",
            };
            call.out.warn(&format!("`{dependant}` depends on `{name}`: it {what}"));
        }
    }
    Ok(())
}

/// Those that depend on `names` are looked at again, now that these have come or gone.
pub(super) fn settle_dependants(call: &Call, registry: &Registry, names: &[Name]) {
    for error in look_again(&call.ctx, registry, names) {
        call.out.warn(&error.message);
    }
}

/// The number of the last run of each.
pub(super) fn runs(call: &Call, names: &[Name]) -> Result<BTreeMap<Name, u64>, Error> {
    let run = |name: &Name| Ok((name.clone(), state::load(&call.ctx.paths, name)?.map_or(0, |state| state.run)));
    names.iter().map(run).collect()
}
