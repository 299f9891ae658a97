//! Where a run is put: the best level that may be reached, written down before the program is made.

use std::fs::File;

use crate::model::evidence::{Level, Placed, SpawnStep};
use crate::model::spec::Isolation;
use crate::model::time::BootId;
use crate::os::cgroup::{self, Entrance, Group, Wanted};
use crate::os::program::{self, Program, Spawned};
use crate::store::record::{Durable, Line};

use super::introduce;

/// Puts this shim and its run where `wanted` says, and starts the program there; `meanwhile` as in [`program::program`].
pub(super) fn start(
    mut program: Program<'_>,
    wanted: &Wanted,
    record: &mut File,
    boot: &BootId,
    mut meanwhile: impl FnMut(),
) -> (Spawned, Option<Group>) {
    let made = cgroup::place(wanted);
    note(record, made.placed.clone());
    if wanted.isolation == Isolation::Scope && made.placed.level == Level::Session {
        return (Err((SpawnStep::Isolate, libc::EOPNOTSUPP)), None);
    }
    program.entrance = made.entrance;
    let mut group = made.group;
    let mut spawned = program::program(&program, || introduce(record, boot), &mut meanwhile);
    if spawned.is_err()
        && let Some(group) = group.take()
    {
        group.remove();
    }
    if let (Err((SpawnStep::Isolate, errno)), Isolation::Auto) = (spawned, wanted.isolation) {
        // It was made and cannot be entered: the program is started all the same, and that is said.
        let why = std::io::Error::from_raw_os_error(errno);
        note(record, cgroup::outside(wanted, &why));
        program.entrance = Entrance::default();
        spawned = program::program(&program, || introduce(record, boot), &mut meanwhile);
    }
    (spawned, group)
}

/// Without the line the run is the same; `status` does not show where it is.
fn note(record: &mut File, placed: Placed) {
    drop(Line::Placed { placed }.append(record, Durable::No));
}
