//! Which processes of a run live: what `stop` ends and a pass clears.
//!
//! Going by descent, control group, marks in the environment and the inherited lock, so that whoever misses one
//! is found by another. Changes nothing.

use std::collections::BTreeSet;
use std::io;

use crate::context::Context;
use crate::model::evidence::{Life, Lock, Placed, Recorded};
use crate::model::name::Name;
use crate::model::time::Identity;
use crate::os::{cgroup, children, clock, descent, process};
use crate::store::record;

/// Every living process of a run: what descends from its shim or main process, what carries its marks in the
/// environment and, when the shim is gone, what inherited its lock. Never the shim itself, a pass, or this very process.
///
/// # Errors
/// The process table cannot be read.
pub fn living(ctx: &Context, name: &Name, run: u64) -> io::Result<Vec<Identity>> {
    let (recorded, shim_lock) = record::read(&ctx.paths, name, run);
    let (shim, main, placed, taken_over) = match recorded {
        Recorded::Read(record) => (record.shim, record.main, record.placed, !record.taken_over.is_empty()),
        Recorded::Missing | Recorded::Unreadable(_) => (None, None, None, false),
    };
    let boot = clock::boot_id()?;
    let living = |identity: &Option<Identity>| {
        identity.as_ref().filter(|identity| process::life(identity, &boot) == Life::Alive).map(|identity| identity.pid)
    };
    let shim = living(&shim);
    let mut roots: BTreeSet<i32> = living(&main).into_iter().collect();
    // Who is in its control group, whatever it closed, cleared or left behind.
    let inside = cgroup::members(&group_of(ctx, name, run, placed));
    // A shim that lives adopts every orphan: all are below it then. One that took the run over came too late for that.
    let adopts = children::ADOPTS && shim_lock == Lock::Held && shim.is_some() && !taken_over;
    let table = if adopts {
        descent::around(roots.iter().copied().chain(shim).chain(inside.iter().copied()))?
    } else {
        process::table()?
    };
    let orphans = table.iter().filter(|p| {
        let below = shim.is_some() && Some(p.parent) == shim;
        below && !process::is_pass(p.pid) && !process::is_of_another(p.pid, name.as_str())
    });
    roots.extend(orphans.map(|p| p.pid));
    let heartbeat = ctx.paths.sentinel(name, "heartbeat");
    let marks = [format!("GUARDIAN_HEARTBEAT_FILE={}", heartbeat.display()), format!("GUARDIAN_RUN={run}")];
    if !adopts {
        roots.extend(process::marked(&table, &marks).iter().map(|p| p.pid));
    }
    if !adopts && record::tree_lock(&ctx.paths, name, run) == Lock::Held {
        // Orphans that nobody adopted, perhaps without any mark: the lock that they inherited gives them away.
        let holders = process::lock_holders(&table, &record::tree_path(&ctx.paths, name, run))?;
        roots.extend(holders.iter().map(|p| p.pid));
    }
    roots.extend(process::without_other_runs(&table, &inside, shim));
    let me = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let tree = process::tree(&table, &roots).into_iter().filter(|p| p.pid != me);
    Ok(tree.map(|p| Identity { pid: p.pid, started: p.started, boot: boot.clone(), unique: None }).collect())
}

/// Whether the shim of a run, which adopts every orphan, has seen its end and that nothing of it lived on: then nobody
/// need be looked for among all processes, which would cost more the more runs there are.
#[must_use]
pub fn has_cleared(ctx: &Context, name: &Name, run: u64) -> bool {
    let (Recorded::Read(record), Lock::Free) = record::read(&ctx.paths, name, run) else { return false };
    let alone = record.taken_over.is_empty() && record.end.is_some_and(|end| !end.leftover);
    children::ADOPTS && alone && record::tree_lock(&ctx.paths, name, run) == Lock::Free
}

/// The control group of a run: the one on record, else the one that it would have.
fn group_of(ctx: &Context, name: &Name, run: u64, placed: Option<Placed>) -> String {
    let recorded = placed.and_then(|placed| placed.cgroup);
    recorded.unwrap_or_else(|| cgroup::of_run(&ctx.paths.state, name.as_str(), run))
}

/// The same, going by the record.
fn recorded_group(ctx: &Context, name: &Name, run: u64) -> String {
    let placed = match record::read(&ctx.paths, name, run).0 {
        Recorded::Read(record) => record.placed,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    group_of(ctx, name, run, placed)
}

/// Kills the control group of a run as a whole, if nobody but `living` is in it.
pub fn kill_group(ctx: &Context, name: &Name, run: u64, living: &[Identity]) {
    cgroup::kill(&recorded_group(ctx, name, run), living);
}

/// Removes the control groups of a run that is over, as far as nobody lives in them.
pub fn remove_group(ctx: &Context, name: &Name, run: u64) {
    cgroup::remove(&recorded_group(ctx, name, run));
}
