//! Which secrets a process has, so that nothing of them is stored or sent: see [`crate::policy::secrets`].
//!
//! Read only where something that a program may have said is about to be kept. Its log is its user's own and stays as it is.

use std::cell::LazyCell;
use std::path::Path;

use crate::context::Context;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::watch_state::WatchState;
use crate::policy::environment::{Environment, compose, unbound};
use crate::policy::masked;
use crate::policy::secrets::Mask;
use crate::store::{env_file, environment};

/// What is masked for `name`; without a `spec`, for what has only guardian's own environment. `None`: its secrets
/// cannot be read, so that nobody can say what may be shown.
#[must_use]
pub fn mask(ctx: &Context, name: &Name, spec: Option<&Spec>) -> Option<Mask> {
    let Some(spec) = spec else { return Some(of(&[&ctx.environment])) };
    let snapshot = environment::load(&ctx.paths, name).ok()?;
    let base = snapshot.map_or_else(|| unbound(&ctx.environment), |snapshot| snapshot.variables);
    let file = match &spec.env_file {
        Some(path) => env_file::read(Path::new(path), None).ok()?,
        None => Vec::new(),
    };
    let all = compose(spec, &base, &file, &ctx.environment, &[]);
    // A sink's secrets are in guardian's own.
    Some(of(&[&all, &ctx.environment]))
}

fn of(environments: &[&Environment]) -> Mask {
    let pairs: Vec<_> = environments
        .iter()
        .flat_map(|all| all.iter().map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy())))
        .collect();
    Mask::of(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
}

/// Masks what is about to be committed of a process.
pub fn state(ctx: &Context, name: &Name, spec: &Spec, state: &mut State) {
    with(ctx, name, Some(spec), |mask| masked::state(state, mask));
}

/// Masks what is about to be committed of a watch.
pub fn watch(ctx: &Context, name: &Name, state: &mut WatchState) {
    with(ctx, name, None, |mask| masked::watch(state, mask));
}

/// One text about a process, without its secrets.
#[must_use]
pub fn text(ctx: &Context, name: &Name, spec: Option<&Spec>, text: &str) -> String {
    let mut masked = text.to_owned();
    with(ctx, name, spec, |mask| masked = mask(text));
    masked
}

/// Calls `act` with what masks a text; nothing is read where it masks none. Where the values cannot be read only forms are known.
fn with(ctx: &Context, name: &Name, spec: Option<&Spec>, act: impl FnOnce(&masked::Masking<'_>)) {
    let known = LazyCell::new(|| mask(ctx, name, spec).unwrap_or_default());
    act(&|text| known.text(text));
}
