//! The sentinel files that guardian writes for scripts: the pid of a run that began, the word for one that ended.

use crate::context::Context;
use crate::error::Error;
use crate::model::ending::{EndedRun, Verdict};
use crate::model::name::Name;
use crate::store::atomic;

/// Leaves the pid of the program that began.
///
/// # Errors
/// The file cannot be written.
pub fn leave_pid(ctx: &Context, name: &Name, pid: i32) -> Result<(), Error> {
    atomic::replace_unsynced_dir(&ctx.paths.sentinel(name, "pid"), format!("{pid}\n").as_bytes())
}

/// Leaves how the run ended, and takes its pid away.
///
/// # Errors
/// A file cannot be written or removed.
pub fn leave_status(ctx: &Context, name: &Name, last: &EndedRun) -> Result<(), Error> {
    let word = match last.verdict {
        Verdict::Completed => "SUCCESS",
        Verdict::Premature | Verdict::Failed | Verdict::Stopped => "FAILED",
    };
    let text = format!("{word}\nverdict {}\ncause {}\nrun {}\n", last.verdict.word(), last.cause.kind(), last.run);
    atomic::replace(&ctx.paths.sentinel(name, "status"), text.as_bytes())?;
    atomic::remove_if_there(&ctx.paths.sentinel(name, "pid"))
}
