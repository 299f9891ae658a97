//! What a pass does about rotated parts of all logs, once nothing more urgent is left: those that are too old go, others are compressed,
//! and the oldest go where all logs together take more than `[logs] total`.
//!
//! The file that a program writes to is never touched here. Done when something was rotated, and once an hour; else it costs a pass
//! one look at a directory. What goes for want of room is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::context::Context;
use crate::error::Error;
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::policy::rotation::over_budget;
use crate::registry::Registry;
use crate::store::rotation;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Clocks and file systems round differently.
const ROUNDING_MS: i64 = 1000;
/// Bytes that one pass compresses, or little more: a second's work or so. The next goes on.
const MOST: u64 = 64 << 20;

/// What was done about rotated parts.
#[derive(Debug, Default)]
pub struct Tidied {
    /// Parts that were compressed.
    pub compressed: usize,
    /// Parts that went by age.
    pub aged: usize,
    /// Parts that went for want of room, of each process.
    pub dropped: BTreeMap<Name, usize>,
    /// Bytes that these took.
    pub freed: u64,
    /// Bytes that all logs take now.
    pub bytes: u64,
    /// Bytes that they may take.
    pub total: Option<u64>,
    /// What failed; the rest was done.
    pub errors: Vec<Error>,
}

impl Tidied {
    /// Whether all logs take more than they may, and nothing is left that could go.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.total.is_some_and(|total| self.bytes > total)
    }
}

/// Whether it is time: something was rotated since the pass before, or that was in another hour.
#[must_use]
pub fn is_due(ctx: &Context, registry: &Registry, last: Option<Wall>, now: Wall) -> bool {
    let Some(last) = last else { return true };
    let another_hour = last.0.div_euclid(HOUR_MS) != now.0.div_euclid(HOUR_MS);
    match fs::metadata(rotation::dir(&ctx.paths)).and_then(|dir| dir.modified()) {
        Ok(changed) => another_hour || wall(changed).is_none_or(|changed| changed.0 + ROUNDING_MS >= last.0),
        Err(_) => another_hour && registry.logs.total.is_some(), // nothing was ever rotated
    }
}

fn wall(at: SystemTime) -> Option<Wall> {
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok().map(Wall)
}

/// Does it.
///
/// # Errors
/// A directory cannot be read.
pub fn tidy(ctx: &Context, registry: &Registry, now: Wall) -> Result<Tidied, Error> {
    let mut tidied = Tidied { total: registry.logs.total, ..Tidied::default() };
    let (segments, _) = rotation::segments(&ctx.paths)?;
    let names: BTreeSet<&Name> = segments.iter().map(|segment| &segment.name).collect();
    let mut left = MOST;
    for name in names {
        let Some(entry) = registry.processes.get(name) else { continue };
        let of_it = segments.iter().filter(|segment| segment.name == *name);
        if let Some(limit) = entry.spec.log_keep_for {
            let old = of_it.filter(|segment| segment.at.until(now) > limit).map(|segment| segment.number).max();
            let gone = old.map_or(Ok(None), |old| rotation::drop_until(&ctx.paths.log(name), old));
            note(&mut tidied.errors, name, gone, |gone| tidied.aged += gone.parts);
        }
        if !entry.spec.log_plain && left > 0 {
            let packed = rotation::compress(&ctx.paths.log(name), left);
            note(&mut tidied.errors, name, packed, |packed| {
                tidied.compressed += packed.parts;
                left = left.saturating_sub(packed.bytes);
            });
        }
    }
    let (segments, live) = rotation::segments(&ctx.paths)?;
    tidied.bytes = live + segments.iter().map(|segment| segment.bytes).sum::<u64>();
    let Some(total) = tidied.total else { return Ok(tidied) };
    for (name, until) in over_budget(&segments, live, total) {
        let gone = rotation::drop_until(&ctx.paths.log(&name), until);
        note(&mut tidied.errors, &name.clone(), gone, |gone| {
            tidied.freed += gone.bytes;
            tidied.bytes = tidied.bytes.saturating_sub(gone.bytes);
            tidied.dropped.insert(name, gone.parts);
        });
    }
    Ok(tidied)
}

/// Counts what was done; a failure is reported and keeps nothing else from being done.
fn note<T>(errors: &mut Vec<Error>, name: &Name, outcome: Result<Option<T>, Error>, count: impl FnOnce(T)) {
    match outcome {
        Ok(Some(done)) => count(done),
        Ok(None) => {}
        Err(error) => errors.push(error.about(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_budget_means_more_than_allowed_and_without_a_budget_nothing_is() {
        let tidied = |bytes, total| Tidied { bytes, total, ..Tidied::default() };
        assert!(tidied(11, Some(10)).is_over());
        assert!(!tidied(10, Some(10)).is_over() && !tidied(u64::MAX, None).is_over());
    }
}
