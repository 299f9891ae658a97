//! `NAME.pid` of a program that puts itself into the background, or began after its preflight: its shim knows of the
//! main process, a pass writes the file.

use crate::context::Context;
use crate::error::Error;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::{Follow, Spec};
use crate::model::state::State;
use crate::store::{atomic, record};

/// The pid that `NAME.pid` should have and has not; `None`: it is right, or no run is open.
///
/// # Errors
/// The file is there and cannot be read.
pub fn main_to_note(ctx: &Context, name: &Name, spec: &Spec, state: &State) -> Result<Option<i32>, Error> {
    let late = spec.follow == Follow::Fork || !spec.preflight.is_empty();
    let Some(open) = state.open().filter(|_| late) else { return Ok(None) };
    let Recorded::Read(record) = record::read(&ctx.paths, name, open.run).0 else { return Ok(None) };
    let Some(main) =
        record.main.filter(|_| (!record.followed.is_empty() || !spec.preflight.is_empty()) && record.end.is_none())
    else {
        return Ok(None);
    };
    let noted = atomic::read_if_there(&ctx.paths.sentinel(name, "pid"))?;
    Ok((noted.as_deref() != Some(text(main.pid).as_bytes())).then_some(main.pid))
}

/// Writes the pid of the main process where scripts look for it. The lock of `name` is held by the caller.
///
/// # Errors
/// It cannot be written.
pub fn note_main(ctx: &Context, name: &Name, pid: i32) -> Result<(), Error> {
    // Not synced: after a power cut no process has this pid.
    atomic::replace_volatile(&ctx.paths.sentinel(name, "pid"), text(pid).as_bytes())
}

fn text(pid: i32) -> String {
    format!("{pid}\n")
}
