//! The sentinel files that tell scripts how a run ended.

use crate::context::Context;
use crate::error::Error;
use crate::model::ending::{EndedRun, Verdict};
use crate::model::name::Name;
use crate::store::atomic;

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
