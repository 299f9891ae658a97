//! A look at the signs of progress of a run that is due for one; where it seems hung, at what it is blocked on.
//!
//! Takes no lock, so that a slow `hang_probe` keeps nobody from the process. Judges nothing: what was seen goes into
//! the evidence, and `policy::progress` decides.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::blocked;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::launch;
use crate::living::living;
use crate::model::evidence::{Evidence, Lock, Recorded, RunRecord};
use crate::model::name::Name;
use crate::model::progress::{Inspection, Sample, Silence, Stuck, Trace};
use crate::model::spec::Spec;
use crate::model::state::{OpenRun, State};
use crate::model::time::{Identity, Wall};
use crate::os::{clock, counters, user};
use crate::policy::progress::{due, is_watched, look, silence};
use crate::store::log::Log;
use crate::store::{environment, hang, notify};

/// Time that a `hang_probe` has.
const PROBE: Duration = Duration::from_secs(10);
/// How often its end is looked for.
const PAUSE: Duration = Duration::from_millis(10);
/// How late a look is when cron's pass takes it: until then it is the shim's.
const LATE: Duration = Duration::from_secs(5);

/// Who asks for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A pass for the shim, which waited for this moment.
    Shim,
    /// A pass over many processes: it looks only where no shim does.
    Cron,
}

/// Whether looks at runs of this process may be due at all.
#[must_use]
pub fn is_asked_for(spec: &Spec) -> bool {
    is_watched(spec) || spec.memory.is_some()
}

/// A look at the open run of `name`, if one is due. `evidence` is what was observed of it.
///
/// # Errors
/// The process table or a clock cannot be read.
pub fn inspect(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    state: &State,
    evidence: Option<&Evidence>,
    by: By,
) -> Result<Option<Inspection>, Error> {
    if !is_asked_for(spec) {
        return Ok(None); // the common case costs nothing
    }
    let (Some(open), Some(Evidence { now, shim_lock, record: Recorded::Read(record), .. })) = (state.open(), evidence)
    else {
        return Ok(None);
    };
    let Some(late) = due(spec, open, record, now) else { return Ok(None) };
    if by == By::Cron && *shim_lock == Lock::Held && late < LATE {
        return Ok(None);
    }
    let fail = |error: io::Error| {
        Error::new(Code::System, "look", format!("cannot look at its processes: {error}")).about(name)
    };
    let processes = living(ctx, name, open.run).map_err(fail)?;
    let mut sample = sample(ctx, name, spec, record, &processes).map_err(fail)?;
    if spec.watchdog.is_some() || spec.heartbeat.is_some() {
        hear(ctx, name, open.run, *shim_lock, &mut sample);
    }
    let watch = look(spec, record, open.watch.as_deref(), sample, now);
    let hung = silence(spec, &watch).is_some() && !open.is_hung();
    let mut inspection = Inspection { run: open.run, sample, stuck: None, probe: None };
    if let Some(line) = spec.hang_probe.as_deref().filter(|_| silence(spec, &watch).is_some()) {
        inspection.probe = probe(ctx, name, spec, open, line);
    }
    if hung && inspection.probe != Some(true) {
        inspection.stuck = Some(blocked::look(&processes, record.shim.as_ref().map(|shim| shim.pid)));
    }
    Ok(Some(inspection))
}

/// What a run is blocked on is kept when its hang is called, before anything is done to it: of what was seen by a look
/// and with a `probe` that failed, whichever called it.
///
/// # Errors
/// The snapshot cannot be written.
pub(crate) fn keep(
    ctx: &Context,
    name: &Name,
    [looked, probed]: [Option<(u64, &Stuck)>; 2],
    [before, after]: [&State; 2],
) -> Result<(), Error> {
    let hang = |state: &State| state.open().and_then(OpenRun::hang).map(|hang| hang.silence);
    let seen = match (hang(before), hang(after)) {
        (None, Some(Silence::Probe)) => probed,
        (None, Some(_)) => looked,
        (Some(_), _) | (None, None) => None,
    };
    seen.map_or(Ok(()), |(run, stuck)| hang::keep(&ctx.paths, name, run, &stuck.snapshot))
}

/// All processes of the run, added up.
fn sample(ctx: &Context, name: &Name, spec: &Spec, record: &RunRecord, processes: &[Identity]) -> io::Result<Sample> {
    let with_io = spec.hang_after.is_some();
    let shim = record.shim.as_ref().map(|shim| shim.pid);
    let mut members = DefaultHasher::new();
    let mut sample = Sample {
        awake_ms: clock::awake_ms()?,
        wall: clock::wall()?,
        output: output(&ctx.paths.log(name)),
        heartbeat: trace(&ctx.paths.sentinel(name, "heartbeat")),
        watchdog: Trace::None,
        cpu_ms: Some(0),
        io_bytes: Some(0),
        members: 0,
        processes: 0,
        memory_bytes: Some(0),
        debugged: false,
    };
    let add = |sum: Option<u64>, more: Option<u64>| Some(sum?.saturating_add(more?));
    for identity in processes {
        // One that cannot be asked makes the sums unknown; one that is gone meanwhile is no member.
        let Ok(found) = counters::counters(identity.pid, with_io) else {
            (sample.cpu_ms, sample.io_bytes, sample.memory_bytes) = (None, None, None);
            continue;
        };
        let Some(found) = found else { continue };
        (identity.pid, identity.started).hash(&mut members);
        sample.processes += 1;
        sample.cpu_ms = add(sample.cpu_ms, Some(found.cpu_ms));
        sample.io_bytes = add(sample.io_bytes, found.io_bytes);
        sample.memory_bytes = add(sample.memory_bytes, Some(found.memory_bytes));
        sample.debugged |= found.state == 't' && counters::tracer(identity.pid) != shim;
    }
    sample.members = members.finish();
    if with_io {
        let pids: Vec<i32> = processes.iter().map(|identity| identity.pid).collect();
        sample.io_bytes = add(sample.io_bytes, counters::traffic(&pids));
    }
    // What processes share was counted for each: before that is held against them, it is counted in parts.
    if spec.memory.is_some_and(|limit| sample.memory_bytes.is_some_and(|used| used > limit)) {
        let parts = processes.iter().map(|identity| counters::proportional_bytes(identity.pid));
        sample.memory_bytes = parts.sum::<Option<u64>>().or(sample.memory_bytes);
    }
    Ok(sample)
}

/// Signs of life that come through the socket of the run. Without its shim nobody hears them: then they are unknown.
fn hear(ctx: &Context, name: &Name, run: u64, shim: Lock, sample: &mut Sample) {
    sample.watchdog = trace(&notify::path(&ctx.paths, name, run));
    if shim != Lock::Held && sample.watchdog != Trace::None {
        (sample.watchdog, sample.heartbeat) = (Trace::Unknown, Trace::Unknown);
    }
}

/// A file as a sign of progress.
fn trace(path: &Path) -> Trace {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Trace::None,
        Err(_) => return Trace::Unknown,
    };
    let at = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    match at.and_then(|at| i64::try_from(at.as_millis()).ok()) {
        Some(at) => Trace::Seen { bytes: metadata.len(), at: Wall(at) },
        None => Trace::Unknown,
    }
}

/// The log as a sign of progress: a rotation makes the file smaller, and is none.
fn output(path: &Path) -> Trace {
    match (trace(path), Log::at(path).end()) {
        (Trace::Seen { at, .. }, Ok(bytes)) => Trace::Seen { bytes, at },
        (Trace::Seen { .. }, Err(_)) => Trace::Unknown,
        (none @ (Trace::None | Trace::Unknown), _) => none,
    }
}

/// Whether `hang_probe` succeeds, in the surroundings of the program. No answer in time is a failure; `None`: it could
/// not be asked.
fn probe(ctx: &Context, name: &Name, spec: &Spec, open: &OpenRun, line: &str) -> Option<bool> {
    let snapshot = environment::load(&ctx.paths, name).ok()?;
    let environment = launch::program_environment(ctx, name, spec, open, snapshot.as_ref()).ok()?;
    let mut command = Command::new("/bin/sh");
    launch::runs_as(spec).ok()?.iter().for_each(|ids| user::run_as(&mut command, ids));
    let mut child = command
        .args(["-c", line])
        .env_clear()
        .envs(environment)
        .current_dir(launch::working_directory(ctx, spec))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let until = clock::awake_ms().ok()? + u64::try_from(PROBE.as_millis()).ok()?;
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status.success());
        }
        if clock::awake_ms().ok()? >= until {
            // It has not been waited for: its group is still its own. Gone already: waiting tells.
            let group = i32::try_from(child.id()).ok()?;
            let _gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
            child.wait().ok()?;
            return Some(false);
        }
        std::thread::sleep(PAUSE);
    }
}
