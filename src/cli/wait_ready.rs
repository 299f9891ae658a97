//! `wait --until ready`: until processes are ready, whatever restarts come between.
//!
//! What can change one is watched: state and record by their directories, and the shim by its end, for one that is killed
//! changes no file. So nothing polls: only a moment that the decision names is waited for by the clock.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::state::State;
use crate::model::time::{Identity, Stamp};
use crate::os::watch::{Ends, FileWatch};
use crate::policy::classify::Standing;
use crate::store::record;
use crate::supervise::now;

use super::Call;
use super::ready::{Prospect, changing, late, prospect};
use super::wait::{Pause, state_of};

/// Until each of `names` is ready; with `any`, until the first is.
pub(super) fn for_ready(
    call: &Call,
    any: bool,
    loaded: &crate::store::registry_file::Loaded,
    names: &[Name],
    limit: Option<Duration>,
) -> Result<u8, Error> {
    let until = limit.map(|limit| now().map(|now| (limit, now.plus(limit)))).transpose()?;
    let files: Vec<PathBuf> = names.iter().flat_map(|name| changing(call, name)).collect();
    let watch =
        FileWatch::all(&files).map_err(|error| Error::io("watch", &call.ctx.paths.state.join("process"), &error))?;
    let mut left: Vec<&Name> = names.iter().collect();
    let mut ready = Vec::new();
    let mut pause = Pause::default();
    loop {
        let now = now()?;
        let mut ends = Ends::default();
        let mut soon = false;
        let mut next = until.as_ref().map(|(_, at)| at.clone());
        let mut waiting = Vec::new();
        for name in left {
            let Some(entry) = loaded.registry.processes.get(name) else {
                return Err(Error::not_registered(name, None));
            };
            let state = state_of(call, name)?;
            let prospect = prospect(call, name, &entry.spec, &state)?;
            if prospect.ready {
                ready.push(name);
                continue;
            }
            soon |= !watched(call, name, &state, &prospect, &mut ends)?;
            // One that has come is somebody else's to act upon, which changes a file.
            let moment = prospect.deadline.filter(|at| !now.has_reached(at));
            next = [next, moment].into_iter().flatten().min_by_key(|at| at.since(&now));
            waiting.push(name);
        }
        left = waiting;
        let done = left.is_empty() || (any && !ready.is_empty());
        let Some(first) = left.first().filter(|_| !done) else { break };
        if let Some((limit, _)) = until.as_ref().filter(|(_, at)| now.has_reached(at)) {
            return Err(late(first, *limit));
        }
        let rest = next.map(|at: Stamp| at.since(&now));
        let rest = match soon {
            true => Some(pause.next().min(rest.unwrap_or(Duration::MAX))),
            false => {
                pause = Pause::default();
                rest
            }
        };
        ends.wait_or(&watch, rest)
            .map_err(|error| Error::new(Code::System, "wait", format!("cannot wait: {error}")))?;
    }
    call.out.json(&json!({"schema": SCHEMA, "ready": ready}));
    for name in ready {
        call.out.say(&format!("{name}: ready"));
    }
    Ok(0)
}

/// Watches the end of who would see that it gets ready. False: that has ended meanwhile, and it is looked at again soon.
fn watched(call: &Call, name: &Name, state: &State, prospect: &Prospect, ends: &mut Ends) -> Result<bool, Error> {
    let Some(open) = state.open() else { return Ok(true) };
    let (shim, main) = match record::read(&call.ctx.paths, name, open.run).0 {
        Recorded::Read(record) => (record.shim, record.main),
        Recorded::Missing | Recorded::Unreadable(_) => (None, None),
    };
    let who: Option<Identity> = match &prospect.standing {
        Some(Standing::Running | Standing::Starting | Standing::Closing) => shim,
        Some(Standing::Unsupervised) => main,
        // Nobody's end tells of these: a pass, or a command, goes on with them.
        None | Some(Standing::NeverBegan | Standing::Remnants | Standing::Uncertain(_) | Standing::Ended(_)) => None,
    };
    let Some(who) = who else { return Ok(true) };
    ends.add(&who)
        .map_err(|error| Error::new(Code::System, "wait", format!("cannot watch pid {}: {error}", who.pid)).about(name))
}
