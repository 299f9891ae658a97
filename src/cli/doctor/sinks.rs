//! Who would hear: the outbox, and each sink with the way to it and its last delivery.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::{desk, reach};
use crate::error::Error;
use crate::model::check::Check;
use crate::model::delivery::Settled;
use crate::model::time::Stamp;
use crate::policy::doctor;
use crate::store::ledger;
use crate::supervise::now;

use super::Found;

/// How long all sinks together are waited for.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn checks(found: &Found<'_>) -> Result<Vec<Check>, Error> {
    let paths = &found.call.ctx.paths;
    let sinks = found.loaded.map_or(&[][..], |loaded| loaded.registry.sinks.as_slice());
    let now = now()?;
    let read = desk::backlog(paths, sinks, &now).and_then(|backlog| Ok((backlog, ledger::read(paths)?)));
    let (backlog, ledger) = match read {
        Ok(read) => read,
        Err(error) => return Ok(vec![Check::red("sinks", error.message, "guardian alerts")]),
    };
    let mut delivered: BTreeMap<&str, &Stamp> = BTreeMap::new();
    for receipt in &ledger.receipts {
        match receipt.how {
            Settled::Sent | Settled::Folded => drop(delivered.insert(&receipt.sink, &receipt.at)),
            Settled::Moot | Settled::Suppressed => {}
        }
    }
    let since = |at: &&Stamp| now.since(at);
    let newest = delivered.values().map(since).min();
    let mut checks = vec![doctor::sinks(sinks.len(), &backlog, newest)];
    for (sink, reached) in sinks.iter().zip(reach::all(sinks, LIMIT)?) {
        let last = delivered.get(sink.name.as_str()).map(since);
        checks.push(doctor::sink(&sink.name, sink.kind.type_name(), reached.as_ref(), last));
    }
    Ok(checks)
}
