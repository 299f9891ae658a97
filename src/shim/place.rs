//! Where a run is put: the best level that may be reached, written down before the program is made.

use std::fs::File;

use crate::model::evidence::{Level, Placed, SpawnStep};
use crate::model::spec::Isolation;
use crate::model::time::BootId;
use crate::os::cgroup::{self, Entrance, Group, Made, Wanted};
use crate::os::program::{self, Program, Spawned};
use crate::store::record::{Durable, Line};

use super::{introduce, wrecked};

/// Takes this shim where `wanted` says and makes the groups of its run, which is written down.
pub(super) fn find(wanted: &Wanted, record: &mut File) -> ((Level, Option<Group>), Entrance) {
    let Made { placed, group, entrance } = cgroup::place(wanted);
    let level = placed.level;
    note(record, placed);
    ((level, group), entrance)
}

/// Starts the program in the place that was found; `meanwhile` as in [`program::program`].
pub(super) fn start(
    program: Program<'_>,
    wanted: &Wanted,
    (level, mut group): (Level, Option<Group>),
    record: &mut File,
    boot: &BootId,
    mut meanwhile: impl FnMut(),
) -> (Spawned, Option<Group>) {
    if wanted.isolation == Isolation::Scope && level == Level::Session {
        return (Err((SpawnStep::Isolate, libc::EOPNOTSUPP)), None);
    }
    let mut spawned = program::program(
        &program,
        || introduce(record, boot),
        |step, errno| wrecked(record, boot, step, errno),
        &mut meanwhile,
    );
    if spawned.is_err()
        && let Some(group) = group.take()
    {
        group.remove();
    }
    if let (Err((SpawnStep::Isolate, errno)), Isolation::Auto) = (spawned, wanted.isolation) {
        // It was made and cannot be entered: the program is started all the same, and that is said.
        let why = std::io::Error::from_raw_os_error(errno);
        note(record, cgroup::outside(wanted, &why));
        let program = Program { entrance: &Entrance::default(), ..program };
        spawned = program::program(
            &program,
            || introduce(record, boot),
            |step, errno| wrecked(record, boot, step, errno),
            &mut meanwhile,
        );
    }
    (spawned, group)
}

/// Without the line the run is the same; `status` does not show where it is.
fn note(record: &mut File, placed: Placed) {
    drop(Line::Placed { placed }.append(record, Durable::No));
}
