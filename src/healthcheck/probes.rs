//! The questions that a pass puts (`probe`), and what follows from the answers: each under the lock of its process.

use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::liveness::{Round, late_round};
use crate::model::liveness::Probed;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::registry::Registry;
use crate::supervise::Held;

use super::{Report, advance};

/// The question to `run` of `name`, on behalf of its shim, if it is due. One that cannot be put keeps nothing else back.
pub(super) fn begin(ctx: &Context, name: &Name, spec: &Spec, run: u64, report: &mut Report) -> Option<Round> {
    Round::begin(ctx, name, spec, run).unwrap_or_else(|error| {
        report.errors.push(error.about(name));
        None
    })
}

/// The answer, or nothing when `until` has come first.
pub(super) fn wait(
    round: &mut Round,
    ctx: &Context,
    name: &Name,
    until: Option<&Stamp>,
    report: &mut Report,
) -> Option<Probed> {
    round.wait(ctx, name, until).unwrap_or_else(|error| {
        report.errors.push(error.about(name));
        None
    })
}

/// Asks those whose shim does not, after all processes have been served.
pub(super) fn ask_late(ctx: &Context, registry: &Registry, late: Vec<(Duration, &Name, &Spec)>, report: &mut Report) {
    if late.is_empty() {
        return;
    }
    let asked = late_round(ctx, late, |name, spec, probed| {
        let done = probed.and_then(|probed| match probed {
            Some(probed) => answered(ctx, registry, (name, spec), probed, report),
            None => Ok(()),
        });
        report.errors.extend(done.map_err(|error| error.about(name)).err());
    });
    report.errors.extend(asked.err());
}

/// What follows from one answer, unless somebody else has the process right now: the next pass asks again then.
fn answered(
    ctx: &Context,
    registry: &Registry,
    (name, spec): (&Name, &Spec),
    probed: Probed,
    report: &mut Report,
) -> Result<(), Error> {
    let Some(mut held) = Held::try_take(ctx, name, spec, registry)? else { return Ok(()) };
    held.probed = Some(probed);
    let mut after = advance(&mut held, true, report)?;
    if let Some(checked) = report.checked.iter_mut().find(|checked| checked.name == *name) {
        checked.actions.append(&mut after.actions);
        (checked.state, checked.verdict) = (after.state, after.verdict);
    }
    Ok(())
}
