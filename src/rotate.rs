//! When a pass sees to the size of a log: cron's, of each log that was written since the last one; a shim's, of its own.
//!
//! A log that fills before cron looks again is left to the shim: it is nudged, and its passes name the moment at which
//! the log will be full. Between two passes a log may be larger than its limit. Rotates without the lock of the process,
//! under that of the log.

use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::model::evidence::{Evidence, Lock, Recorded};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::time::{Identity, Stamp, Wall};
use crate::os::{process, signals};
use crate::policy::rotation::{Limits, full_in};
use crate::store::log_index::{self, Growth};
use crate::store::rotation::{Why, rotate};

/// Bytes that one pass moves for one log, and about as many for all: half a second's work or so. The next goes on.
const MOST: u64 = 256 << 20;

/// A log that is full, or will be soon.
#[derive(Debug)]
pub struct Full {
    name: Name,
    limits: Limits,
    seen: Growth,
    /// The shim that can look more often.
    shim: Option<Identity>,
}

/// Notes for `logs --since` how long the log of an open run is, and whether it needs rotation, now or soon.
///
/// # Errors
/// Log, index or note cannot be used.
pub fn look(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    evidence: Option<&Evidence>,
    (last, now): (Option<Wall>, Wall),
) -> Result<Option<Full>, Error> {
    let limits = Limits::of(spec);
    let seen = log_index::note(&ctx.paths, name, last, now, limits)?;
    let Some(Evidence { shim_lock, record: Recorded::Read(record), .. }) = evidence else { return Ok(None) };
    // While a preflight runs its shim reads the end of the log.
    let (Some(limits), Some(seen), Some(_)) = (limits, seen, &record.main) else { return Ok(None) };
    let shim = record.shim.clone().filter(|_| *shim_lock == Lock::Held);
    Ok(Some(Full { name: name.clone(), limits, seen, shim }))
}

/// Rotates what is full, and has shims look after what fills faster than every `every`.
pub fn all(ctx: &Context, full: &[Full], every: Duration, now: &Stamp) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut left = MOST;
    for Full { name, limits, seen, shim } in full {
        match keep(ctx, name, *limits, seen, every, &mut left) {
            Ok(None) => {}
            Ok(Some(_)) => {
                // Gone meanwhile: there is nobody to look after it, and nothing that writes.
                shim.iter().for_each(|shim| drop(process::send(shim, &now.boot, signals::NUDGE)));
            }
            Err(error) => errors.push(error.about(name)),
        }
    }
    errors
}

/// The same for one log, by a pass for its shim. Returns when it will be full, if that is before cron looks again.
///
/// # Errors
/// A file cannot be used, or the disk is full; nothing of the log is lost.
pub fn one(ctx: &Context, name: &Name, spec: &Spec, every: Duration, now: &Stamp) -> Result<Option<Stamp>, Error> {
    let Some(limits) = Limits::of(spec) else { return Ok(None) };
    let Some(seen) = log_index::look(&ctx.paths, name, now.wall, limits)? else { return Ok(None) };
    Ok(keep(ctx, name, limits, &seen, every, &mut MOST.clone())?.map(|after| now.plus(after)))
}

fn keep(
    ctx: &Context,
    name: &Name,
    limits: Limits,
    seen: &Growth,
    every: Duration,
    left: &mut u64,
) -> Result<Option<Duration>, Error> {
    let mut live = seen.live;
    let why = if seen.old { Why::Old } else { Why::Full };
    if seen.due && *left > 0 {
        let Some(rotated) = rotate(&ctx.paths.log(name), limits, why, seen.now.at, *left)? else { return Ok(None) };
        *left = left.saturating_sub(rotated.moved);
        live = rotated.live;
    }
    Ok(seen.earlier.and_then(|earlier| full_in(live, limits, earlier, seen.now, every)))
}
