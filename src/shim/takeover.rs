//! The beginning of a shim that takes a run over: the program lives already and is not its child.
//!
//! It was given the lock of the run's record. Killed at any point it lets go of that again, and the next pass finds the
//! run as it was.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};

use crate::model::evidence::{SpawnStep, TakenOver};
use crate::model::name::Name;
use crate::model::time::Identity;
use crate::os::orphan::{self, Orphan};
use crate::os::spawn::Report;
use crate::os::{children, process};
use crate::store::launch::Launch;
use crate::store::record::Line;

use super::last_look::Before;
use super::live::{Adopted, Live};
use super::pass::Passes;
use super::{notices, now};

/// Watches the program until it has ended and that is recorded, then lets the run go as every shim does.
pub(super) fn take_over(
    told: &Launch<&CStr>,
    mut report: File,
    live: impl FnOnce(i32) -> Live,
    mut passes: Passes,
) -> io::Result<()> {
    children::stop_adopting(); // what a pass of ours starts is nobody's child
    let damaged = || io::Error::other("the launch file is damaged");
    let main: Identity = serde_json::from_slice(told.orphan.to_bytes())?;
    let name: Name = told.name.to_str().ok().and_then(|name| name.parse().ok()).ok_or_else(damaged)?;
    let run = told.run.to_str().ok().and_then(|run| run.parse().ok()).ok_or_else(damaged)?;
    let boot = &main.boot;
    let Some(orphan) = Orphan::open(&main, boot)? else {
        // Ended and gone meanwhile. Whoever started this shim looks again and sees that nobody knows how.
        return report.write_all(&Report::Failed { step: SpawnStep::Fork, errno: libc::ESRCH }.encode());
    };
    let cwd = orphan.cwd();
    let adopted = Adopted::new(orphan, name, run)?;
    let input = adopted.input(told.input);
    let before = Before::now(cwd.unwrap_or_default()); // not known: then no core dump is looked for in it
    let mut live = live(main.pid)
        .placed(adopted.group(), before)
        .adopting(adopted)
        .listening(notices(told, Some(main.pid)))
        .reading(input);
    let who = process::identify(nix::unistd::getpid().as_raw(), boot)?.ok_or_else(damaged)?;
    let traced = (!told.trace.is_empty()).then(|| orphan::seize_all(main.pid));
    let untraced = traced.and_then(|traced| traced.err()).map(|error| error.raw_os_error().unwrap_or(libc::EIO));
    live.traced(main.pid, !told.trace.is_empty() && untraced.is_none());
    let takeover = TakenOver { at: now(boot)?, untraced };
    // A disk without room for this line leaves the run as it was: the room that is left is that of its end.
    live.record(&Line::TakenOver { who, takeover })?;
    // The launcher may be gone: then nobody wants to know.
    drop(report.write_all(&Report::Started { pid: main.pid, untraced }.encode()));
    drop(report);
    if !told.watch.is_empty() {
        passes.watch(); // the one that looked may have gone with the shim
    }
    live.until_end(&mut passes)?;
    drop(live); // with it the lock: the end is on the disk
    passes.start_last();
    passes.until_done()
}
