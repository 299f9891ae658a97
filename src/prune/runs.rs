//! Runs of registered processes: which records go. The open run and the last one that ended always stay.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::model::evidence::Lock;
use crate::model::name::Name;
use crate::os::lock;
use crate::store::leftovers;
use crate::store::{record, state};

use super::Job;

/// Whether it was written within `older_than`; not known is young. Without a limit nothing is.
pub(super) fn is_younger(last: Option<SystemTime>, older_than: Option<Duration>) -> bool {
    let (Some(limit), Some(last)) = (older_than, last) else { return false };
    last.elapsed().map_or(true, |age| age < limit)
}

impl Job<'_> {
    /// What is left of runs that are out of retention: those whose record is gone, and those that are older than asked for.
    pub(super) fn runs(&mut self, name: &Name) -> Result<(), Error> {
        let paths = &self.ctx.paths;
        let Some(state) = state::load(paths, name)? else { return Ok(()) };
        let needed = [state.open().map(|open| open.run), state.last.as_ref().map(|last| last.run), Some(state.run)];
        let oldest_kept = record::oldest_kept(state.run);
        let mut old = Vec::new();
        for (run, files) in record::files(paths, name)? {
            let rec = paths.process_run(name, &format!("{run}.rec"));
            let (_, written) = leftovers::measure(std::slice::from_ref(&rec));
            let aged = self.wish.older_than.is_some() && !is_younger(written, self.wish.older_than);
            if !needed.contains(&Some(run)) && (run < oldest_kept || aged) && lock::ask(&rec) == Lock::Free {
                old.push(files);
            }
        }
        if old.is_empty() {
            return Ok(());
        }
        let held = if self.wish.dry_run { None } else { state::try_lock(paths, name)? };
        if held.is_none() && !self.wish.dry_run {
            self.pruned.kept.push((name.clone(), "somebody is changing it right now".to_owned()));
            return Ok(());
        }
        for files in old {
            let amount = if self.wish.dry_run { leftovers::measure(&files).0 } else { leftovers::remove(&files)? };
            self.pruned.runs += 1;
            self.pruned.run_files = self.pruned.run_files.and(amount);
        }
        Ok(())
    }
}
