//! What a process depends on, looked at now: without any lock, so nobody ever waits for one lock while holding another.

use crate::context::Context;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::policy::needs::Need;
use crate::registry::Registry;
use crate::store::state;

use super::consider;

/// How all that `spec` depends on stands now; nothing is read where it depends on nothing.
#[must_use]
pub fn needs(ctx: &Context, registry: &Registry, spec: &Spec, now: &Stamp) -> Vec<Need> {
    spec.depends_on
        .iter()
        .map(|name| match registry.processes.get(name) {
            Some(entry) => match state::load(&ctx.paths, name) {
                Ok(Some(state)) => Need::of(name, &entry.spec, &consider(ctx, name, &entry.spec, &state, now)),
                Ok(None) => Need::absent(name, ", which was never started"),
                Err(_) => Need::absent(name, ", whose state cannot be read"),
            },
            None if registry.invalid.iter().any(|invalid| invalid == name.as_str()) => {
                Need::absent(name, ", whose entry in the registry is not valid")
            }
            None => Need::absent(name, ", which is not registered"),
        })
        .collect()
}
