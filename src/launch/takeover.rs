//! A new shim for a run whose shim was killed while the program lives.
//!
//! The lock of the run's record decides who that is: it is taken here, without waiting, and passed on. So there is never
//! a second one, whoever is killed on the way, and a shim that was started needs nobody to wait for it.

use std::fs::OpenOptions;

use super::input::{self, Given};
use super::{Launched, follow, leftover_ms, open_log, plain, read, start_shim, system, text, trace};
use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::evidence::{Recorded, RunRecord};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::os::cgroup::Wanted;
use crate::os::orphan;
use crate::policy::readiness::wants_looks;
use crate::store::launch::{FOLLOW_FIRST, FOLLOW_NEXT, Launch};
use crate::store::{notify, record, says};

/// Starts a new shim for the program of `run`, whose shim is gone; it runs a pass at `deadline`. The lock of `name` is
/// held by the caller. True: something has changed, look again. False: it stays as it is, and the next pass tries.
///
/// # Errors
/// Something of guardian's own is missing or full; the program is as it was.
pub fn take_over(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    run: u64,
    deadline: Option<&Stamp>,
    sinks: &[Sink],
) -> Result<bool, Error> {
    if !orphan::CAN_WATCH {
        return Ok(false);
    }
    let paths = &ctx.paths;
    let Some(lock) = record::claim(paths, name, run)? else { return Ok(false) };
    let Recorded::Read(recorded) = record::read(paths, name, run).0 else { return Ok(false) };
    let Some(main) = &recorded.main else { return Ok(false) };
    let identity = serde_json::to_string(main)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("an identity cannot be passed on: {error}")))?;
    let told = Launch {
        name: plain(name)?,
        run: plain(run)?,
        exe: text(ctx.exe.as_os_str())?,
        cwd: plain("/")?,
        user: plain("")?,
        umask: plain("")?,
        trace: plain(trace(spec))?,
        place: plain(Wanted::of(spec, &paths.state, name.as_str(), run).encode())?,
        leftover_ms: plain(leftover_ms(spec))?,
        deadline: plain(deadline.map(|at| at.boot_ms.to_string()).unwrap_or_default())?,
        watch: plain(if wants_looks(spec) { "watch" } else { "" })?,
        // Who was given a socket speaks to it still.
        notify: plain(notify::socket(paths, name, run).unwrap_or_default())?,
        heartbeat: text(paths.sentinel(name, "heartbeat").as_os_str())?,
        says: text(says::path(paths, name, run).as_os_str())?,
        preflight: Vec::new(),
        follow: plain(follow(spec, follow_until(&recorded)))?,
        input: plain(input::word(spec))?,
        orphan: plain(identity)?,
        candidates: Vec::new(),
        argv: Vec::new(),
        environment: Vec::new(),
    };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    let null = null.map_err(|error| system("open /dev/null", &error))?;
    let log = open_log(paths, name)?;
    let report = start_shim(ctx, spec, sinks, &told, [&log, &lock, &null], &Given::default())?;
    let reported = read(report);
    drop(lock); // the shim has it, or nobody
    match reported {
        // It runs under its new shim; or it has ended meanwhile.
        Some(Launched::Started { .. } | Launched::Preparing | Launched::Failed { .. }) => Ok(true),
        None => Err(Error::new(Code::System, "takeover", format!("the new shim of `{name}` ended without a word"))
            .hint("the program lives on; the next pass tries again")
            .about(name)),
    }
}

/// Until when an end of the main process is one that is followed.
fn follow_until(record: &RunRecord) -> Option<Stamp> {
    match (record.followed.last(), &record.began) {
        (Some(followed), _) => Some(followed.at.plus(FOLLOW_NEXT)),
        (None, began) => began.as_ref().map(|began| began.plus(FOLLOW_FIRST)),
    }
}
