//! What a session of an agent left running past guardian: the strays that carry its marks, however young. Changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Code, Error};
use crate::os::process;
use crate::strays::Scan;
use crate::supervise::now;

/// Pid and command line of each stray of this session of `agent`. `guarded` gives the main processes of runs; it is asked only
/// where there is a stray.
///
/// # Errors
/// The process table or a clock cannot be read; those of `guarded`.
pub fn left(
    agent: &str,
    session: &str,
    guarded: impl FnOnce() -> Result<BTreeSet<i32>, Error>,
) -> Result<Vec<(i32, String)>, Error> {
    let fail = |error| Error::new(Code::System, "io", format!("the process table cannot be read: {error}"));
    let scan = Scan::new(&now()?).map_err(fail)?;
    let of_it = |guarded: &BTreeSet<i32>| {
        let mut strays = scan.strays(guarded, Duration::ZERO);
        strays.retain(|stray| stray.is_of(agent, session));
        strays
    };
    if of_it(&BTreeSet::new()).is_empty() {
        return Ok(Vec::new());
    }
    let described = of_it(&guarded()?).into_iter().map(|stray| {
        let sender = process::describe(stray.pid, None);
        (stray.pid, sender.cmdline.or(sender.comm).unwrap_or_default())
    });
    Ok(described.collect())
}
