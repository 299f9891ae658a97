//! `complete-metadata`: what takes too long for a start is found out behind it. Started by guardian, typed by nobody.

use clap::Parser;

use crate::error::Error;
use crate::healthcheck::{Report, deliver};
use crate::metadata;
use crate::model::sink::SecretSource;
use crate::policy::pings;
use crate::store::outbox::{self, Part};

use super::Call;
use super::common::registry;

/// Completes the metadata of the runs that standard input names, and tells their switches that they began
#[derive(Debug, Parser)]
pub(super) struct CompleteMetadata {}

pub(super) fn run(call: &Call, command: &CompleteMetadata) -> Result<u8, Error> {
    let CompleteMetadata {} = command;
    metadata::complete(&call.ctx)?;
    tell_switches(call)?;
    Ok(0)
}

/// The dead-man's switch of a run that has just begun hears of it now, and not from the next pass. Where a secret comes from a variable this
/// process has it not, so all is left to that pass.
fn tell_switches(call: &Call) -> Result<(), Error> {
    let pending = outbox::list(&call.ctx.paths, Part::Pending)?.entries;
    if !pending.iter().any(|entry| pings::is_name(&entry.sink)) {
        return Ok(());
    }
    let registry = registry(call)?.registry;
    let mut secrets = registry.sinks.iter().flat_map(|sink| sink.kind.secrets());
    if !secrets.any(|source| matches!(source, SecretSource::Env(_))) {
        deliver(&call.ctx, &registry, &mut Report::default())?;
    }
    Ok(())
}
