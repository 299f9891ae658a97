//! After a pass: what is due goes to the sinks, while no process is held.

use std::time::Duration;

use super::Report;
use crate::alert::drain::{self, Drained};
use crate::alert::due;
use crate::context::Context;
use crate::error::Error;
use crate::incidents;
use crate::policy::strays::is_event_name;
use crate::registry::Registry;
use crate::store::journal;
use crate::store::record::Durable;
use crate::storm;
use crate::supervise::now;

/// Time for all deliveries of one pass together: well within the shortest sensible period of cron.
const DELIVERY: Duration = Duration::from_secs(25);
/// Times that it waits on while still others fail: where many fail, the passes of the first ones would else tell them one by one.
const GATHERINGS: usize = 8;

/// Delivers what is due to the sinks of `registry`; what became of it goes into the history of each process. In a storm it
/// waits a moment for what else fails, holding nothing, so that one message tells it; a storm that is over is told.
///
/// # Errors
/// The outbox cannot be used.
pub fn deliver(ctx: &Context, registry: &Registry, report: &mut Report) -> Result<Drained, Error> {
    if !report.gather.is_zero() {
        std::thread::sleep(std::mem::take(&mut report.gather));
        for _ in 0..GATHERINGS {
            let now = now()?;
            match storm::gathers_until(ctx, &now) {
                Ok(Some(until)) => std::thread::sleep(until.since(&now)),
                Ok(None) => break,
                Err(error) => {
                    report.errors.push(error);
                    break;
                }
            }
        }
    }
    match storm::close(ctx, registry, &now()?) {
        Ok(queued) => report.queued += queued,
        Err(error) => report.errors.push(error),
    }
    let mut said = Vec::new();
    let next = match report.whole && incidents::forget_unregistered(ctx, registry)? {
        true => due::bring(&ctx.paths, &registry.sinks, &now()?, &mut said)?,
        false => None,
    };
    let mut drained = drain::drain(&ctx.paths, &registry.sinks, DELIVERY)?;
    drained.also(next, said);
    let now = now()?;
    for report in &drained.reports {
        let Some(event) = report.event(now.wall) else { continue };
        if is_event_name(&event.process) && !journal::is_there(&ctx.paths, &event.process) {
            continue; // a stray has no history
        }
        // One write to an append-only file: no lock is held while others are told.
        journal::append(&ctx.paths, &event.process.clone(), &[event], Durable::No)?;
    }
    Ok(drained)
}
