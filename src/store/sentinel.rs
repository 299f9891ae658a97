//! The sentinel files that tell of an end, for scripts: `NAME.status` and, while it runs, `NAME.pid`.

use crate::error::Error;
use crate::model::ending::{EndedRun, Verdict};
use crate::model::name::Name;

use super::atomic;
use super::paths::Paths;

/// Tells of the end of a run: its status is written, its pid goes.
///
/// # Errors
/// A file cannot be written or removed.
pub fn tell_end(paths: &Paths, name: &Name, last: &EndedRun) -> Result<(), Error> {
    let word = match last.verdict {
        Verdict::Completed => "SUCCESS",
        Verdict::Premature | Verdict::Failed | Verdict::Stopped => "FAILED",
    };
    let text = format!("{word}\nverdict {}\ncause {}\nrun {}\n", last.verdict.word(), last.cause.kind(), last.run);
    atomic::replace(&paths.sentinel(name, "status"), text.as_bytes())?;
    atomic::remove_if_there(&paths.sentinel(name, "pid"))
}
