//! `reset`: the breaker is closed and failures are forgotten; nothing is started.

use clap::Parser;
use serde_json::json;

use crate::error::Error;
use crate::model::event::SCHEMA;
use crate::policy::decide::Look;
use crate::policy::operator::reset;
use crate::registry::Entry;
use crate::supervise::{Held, Outcome, now};

use super::common::{Which, complain_of, registry};
use super::{Call, watch};

/// Closes the circuit breaker and forgets failures; starts nothing
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian reset btc-bot && guardian start btc-bot")]
pub(super) struct Reset {
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(call: &Call, command: &Reset) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let (which, watches) = watch::split_which(&command.which, &loaded)?;
    let names = which.map_or(Ok(Vec::new()), |which| which.resolve(&loaded, call))?;
    for name in &names {
        let Entry { spec, .. } =
            loaded.registry.processes.get(name).ok_or_else(|| Error::not_registered(name, None))?;
        let mut held = Held::take(&call.ctx, name, spec, &loaded.registry)?;
        let now = now()?;
        let decision = reset(Look { name, spec, state: &held.state, now: &now }).into_owned();
        held.carry_out(decision, &mut Outcome::default())?;
        call.out.say(&format!("{name}: reset"));
    }
    for name in &watches {
        watch::reset(call, &loaded.registry, name)?;
        call.out.say(&format!("{name}: reset"));
    }
    let names: Vec<_> = names.into_iter().chain(watches).collect();
    call.out.json(&json!({"schema": SCHEMA, "reset": names}));
    Ok(complain_of(&loaded, call))
}
