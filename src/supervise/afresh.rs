//! What is remembered of a process whose state is not there.

use crate::context::Context;
use crate::error::Error;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::{Began, Desired, OpenRun, Phase, State};
use crate::policy::classify::Standing;
use crate::store::record;

use super::{consider, now};

/// The state of a process that has none: new, unless there are records of runs. Then the numbers go on where they
/// were, and a run that lives is taken over, so that a lost state starts nothing a second time.
pub(super) fn afresh(ctx: &Context, name: &Name, spec: &Spec) -> Result<State, Error> {
    let now = now()?;
    let mut state = State::new(&now);
    let Some(run) = record::runs(&ctx.paths, name)?.pop() else { return Ok(state) };
    state.run = run;
    let since = now.clone();
    let began = Began::Operator;
    let open = OpenRun::new(run, since, began);
    state.phase = Phase::Open(open);
    state.desired = Desired::Up;
    let standing = consider(ctx, name, spec, &state, &now).standing;
    if matches!(standing, None | Some(Standing::Ended(_) | Standing::NeverBegan)) {
        state.phase = Phase::Stopped;
        state.desired = Desired::Down;
    }
    Ok(state)
}
