//! Starting a run: from a committed state to a program that runs under its shim, or the true reason why not.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::metadata;
use crate::model::evidence::{Life, Lock, Recorded, SpawnFailure, SpawnStep};
use crate::model::name::Name;
use crate::model::sink::{SecretSource, Sink};
use crate::model::spec::{Follow, Leftover, Spec, Target};
use crate::model::state::OpenRun;
use crate::model::time::Stamp;
use crate::os::cgroup::{self, Wanted};
use crate::os::descriptor::anonymous_file;
use crate::os::spawn::{ShimFiles, detach_shim};
use crate::os::{clock, kernel_trace, process};
use crate::policy::environment::{Environment, for_shim};
use crate::policy::liveness;
use crate::policy::progress::first_look;
use crate::policy::readiness::{self, wants_looks};
use crate::store::env_file::Unfit;
use crate::store::environment::{self, Snapshot};
use crate::store::launch::{FOLLOW_FIRST, Launch};
use crate::store::log::{Log, is_a_pipe};
use crate::store::record::{self, Durable, Line};
use crate::store::says;
use crate::store::{atomic, paths::Paths};

mod input;
mod main_pid;
mod notify;
mod surroundings;
mod takeover;

use input::Given;
pub use main_pid::{main_to_note, note_main};
pub use surroundings::{env_file_trouble, program_environment, runs_as, working_directory};
pub use takeover::take_over;

/// What a program finds in PATH when its environment has none (POSIX leaves it to the system).
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What became of a start: what the shim reported, or what is known where it could not.
pub use crate::os::spawn::Report as Launched;

/// Position of the end of the log of `name` now: where the output of the next run begins.
///
/// # Errors
/// The log is there and cannot be asked, or the note of its rotations is damaged.
pub fn log_end(paths: &Paths, name: &Name) -> Result<u64, Error> {
    let path = paths.log(name);
    Log::at(&path).end().map_err(|error| Error::io("look at", &path, &error).about(name))
}

/// Starts the run that the committed state of `name` has open. The lock of `name` is held by the caller.
///
/// # Errors
/// Something of guardian's own is missing or full; nothing was started. That the program cannot be
/// started is no error but [`Launched::Failed`]. What fails beside the start, and undoes nothing of it, goes into `aside`.
pub fn launch(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    open: &OpenRun,
    sinks: &[Sink],
    aside: &mut Vec<Error>,
) -> Result<Launched, Error> {
    let paths = &ctx.paths;
    let snapshot = environment::load(paths, name)?;
    if let Some(Unfit { errno, .. }) = env_file_trouble(spec)? {
        // The program's affair, like its directory: told and tried again, and not an error of every pass from now on.
        let step = SpawnStep::EnvFile;
        let (mut record, _tree) = record::create(paths, name, open.run)?;
        blame(&mut record, step, errno)?;
        return Ok(Launched::Failed { step, errno });
    }
    let mut environment = program_environment(ctx, name, spec, open, snapshot.as_ref())?;
    let socket = notify::socket(spec, &mut environment)?;
    let (mut record, tree) = record::create(paths, name, open.run)?;
    let log = open_log(paths, name)?;
    aside.extend(atomic::remove_if_there(&paths.sentinel(name, "status")).err());
    let told = tell(ctx, name, spec, open, (&environment, &socket), snapshot.as_ref())?;
    let given = input::prepare(paths, name, spec)?;
    let report = start_shim(ctx, spec, sinks, &told, [&log, &record, &tree], &given)?;
    drop(given);
    let launched = match read(report) {
        Some(launched) => {
            if let Launched::Failed { step, errno } = launched {
                blame(&mut record, step, errno)?;
            }
            drop((record, tree));
            launched
        }
        None => {
            drop((record, tree));
            unreported(paths, name, open.run)?
        }
    };
    metadata::begin(ctx, name, spec, open, &told, launched);
    // After the program runs, so that it waits for nothing. Where it cannot be kept the shim says so at the end.
    kernel_trace::keep();
    if let Launched::Started { pid, .. } = launched {
        aside.extend(note_main(ctx, name, pid).err());
    }
    aside.extend(record::forget_oldest(paths, name, open.run).err());
    if let Some(before) = open.run.checked_sub(1) {
        cgroup::remove(&cgroup::of_run(&paths.state, name.as_str(), before)); // its shim did, unless it was killed
    }
    Ok(launched)
}

/// Starts a shim without a program, which runs a pass for `name` at `at` and at each moment that pass asks for.
/// For a restart that is due when the shim of the last run is gone, so that it need not wait for cron.
///
/// # Errors
/// It cannot be started.
pub fn wait_until(ctx: &Context, name: &Name, run: u64, at: &Stamp, sinks: &[Sink], spec: &Spec) -> Result<(), Error> {
    let none = || plain("");
    let told = Launch {
        name: plain(name)?,
        run: plain(run)?,
        exe: text(ctx.exe.as_os_str())?,
        cwd: plain("/")?,
        user: none()?,
        umask: none()?,
        trace: none()?,
        place: plain(Wanted::of(spec, &ctx.paths.state, name.as_str(), run).encode())?,
        leftover_ms: none()?,
        deadline: plain(at.boot_ms)?,
        watch: none()?,
        notify: none()?,
        heartbeat: none()?,
        says: none()?,
        preflight: Vec::new(),
        follow: none()?,
        input: none()?,
        orphan: none()?,
        candidates: Vec::new(),
        argv: Vec::new(),
        environment: Vec::new(),
    };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    let null = null.map_err(|error| system("open /dev/null", &error))?;
    start_shim(ctx, spec, sinks, &told, [&null; 3], &Given::default()).map(drop)
}

/// Starts a shim that is told `told`, with its log, record and tree lock; returns the end of the pipe it reports through.
fn start_shim(
    ctx: &Context,
    spec: &Spec,
    sinks: &[Sink],
    told: &Launch<CString>,
    [log, record, tree]: [&File; 3],
    given: &Given,
) -> Result<File, Error> {
    let mut launch = anonymous_file().map_err(|error| system("make the launch file", &error))?;
    launch.write_all(&told.encode()).map_err(|error| system("write the launch file", &error))?;
    let exe = text(ctx.exe.as_os_str())?;
    let argv = [text(OsStr::new(crate::shim::ARGV0))?];
    let mut environment = for_shim(&ctx.environment, &named(spec, sinks));
    // `--home` counts for the passes of this shim as well.
    environment.extend(ctx.paths.home.iter().map(|home| ("GUARDIAN_HOME".into(), home.clone().into())));
    let environment = variables(&environment)?;
    let birthplace = cgroup::birthplace(spec.isolation);
    let (stdin, more) = (given.stdin.as_ref(), given.more.as_slice());
    let files = ShimFiles { launch: &launch, log, record, tree, stdin, more, birthplace: birthplace.as_ref() };
    detach_shim(&exe, &argv, &environment, &files).map_err(|error| system("start the shim", &error))
}

fn system(what: &str, error: &io::Error) -> Error {
    Error::new(Code::System, "io", format!("cannot {what}: {error}"))
}

fn text(value: &OsStr) -> Result<CString, Error> {
    CString::new(value.as_bytes())
        .map_err(|_| Error::new(Code::Config, "nul", format!("{} holds a NUL byte", value.display())))
}

fn plain(value: impl ToString) -> Result<CString, Error> {
    text(OsStr::new(&value.to_string()))
}

fn trace(spec: &Spec) -> &'static str {
    if spec.trace_signals { "trace" } else { "" }
}

fn leftover_ms(spec: &Spec) -> String {
    match spec.leftover {
        Leftover::Kill => spec.grace.as_millis().to_string(),
        Leftover::Keep => String::new(),
    }
}

/// What the shim is told of following: until when, and which codes are those of a program that went into the background.
fn follow(spec: &Spec, until: Option<Stamp>) -> String {
    match (spec.follow, until) {
        (Follow::Fork, Some(until)) => {
            let codes = spec.success_codes.iter().map(|code| format!(" {code}"));
            format!("{}{}", until.boot_ms, codes.collect::<String>())
        }
        (Follow::Main, _) | (Follow::Fork, None) => String::new(),
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a String>) -> Result<Vec<CString>, Error> {
    values.into_iter().map(|value| text(OsStr::new(value))).collect()
}

fn variables(environment: &Environment) -> Result<Vec<CString>, Error> {
    let pairs = environment.iter().map(|(name, value)| {
        let mut pair = name.clone().into_vec();
        pair.push(b'=');
        pair.extend(value.as_bytes());
        text(&OsString::from_vec(pair))
    });
    pairs.collect()
}

fn open_log(paths: &Paths, name: &Name) -> Result<File, Error> {
    let path = paths.log(name);
    // A pipe in its place would keep whoever opens it, with the lock in hand, until somebody reads.
    if let Ok(found) = fs::metadata(&path)
        && is_a_pipe(&found)
    {
        let message = format!("the log `{}` is a pipe or a socket", path.display());
        return Err(Error::new(Code::System, "log", message).hint("take away what is there").about(name));
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Error::io("open", &path, &error).about(name))
}

/// What the shim is told.
fn tell(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    open: &OpenRun,
    (environment, socket): (&Environment, &str),
    snapshot: Option<&Snapshot>,
) -> Result<Launch<CString>, Error> {
    let argv = spec.command.argv();
    let path = environment.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str);
    let umask = snapshot.map_or(0o022, |snapshot| snapshot.umask);
    let slow = open.slow_after_ms.map(Duration::from_millis);
    let looks = [first_look(spec), readiness::first_look(spec), liveness::first_look(spec)];
    let moments = [Some(spec.healthy_after), spec.time_limit, stop_after(spec), slow];
    let first = moments.into_iter().chain(looks).flatten().min();
    Ok(Launch {
        name: plain(name)?,
        run: plain(open.run)?,
        exe: text(ctx.exe.as_os_str())?,
        cwd: text(working_directory(ctx, spec).as_os_str())?,
        user: plain(runs_as(spec)?.map(|ids| ids.encode()).unwrap_or_default())?,
        umask: plain(format!("{umask:o}"))?,
        trace: plain(trace(spec))?,
        place: plain(Wanted::of(spec, &ctx.paths.state, name.as_str(), open.run).encode())?,
        leftover_ms: plain(leftover_ms(spec))?,
        // Measured from the decision to start, so a hair early: the pass then names the exact moment.
        deadline: plain(first.map(|first| open.since.plus(first).boot_ms.to_string()).unwrap_or_default())?,
        watch: plain(if wants_looks(spec) { "watch" } else { "" })?,
        notify: plain(socket)?,
        heartbeat: text(ctx.paths.sentinel(name, "heartbeat").as_os_str())?,
        says: text(says::path(&ctx.paths, name, open.run).as_os_str())?,
        preflight: texts(&spec.preflight)?,
        follow: plain(follow(spec, Some(open.since.plus(FOLLOW_FIRST))))?,
        input: plain(input::word(spec))?,
        orphan: plain("")?,
        candidates: candidates(argv.first().map_or("", String::as_str), path)?,
        argv: texts(&argv)?,
        environment: variables(environment)?,
    })
}

fn stop_after(spec: &Spec) -> Option<Duration> {
    match spec.target {
        Target::For(target) if spec.stop_at_target => Some(target),
        Target::For(_) | Target::Forever | Target::Exit => None,
    }
}

/// Paths to try, in order: the one that is named, or one for each directory of PATH.
fn candidates(program: &str, path: &OsStr) -> Result<Vec<CString>, Error> {
    if program.contains('/') {
        return Ok(vec![text(OsStr::new(program))?]);
    }
    // An empty element of PATH means the working directory.
    let join = |dir: &[u8]| match dir {
        [] => Path::new(".").join(program),
        dir => Path::new(OsStr::from_bytes(dir)).join(program),
    };
    path.as_bytes().split(|byte| *byte == b':').map(|dir| text(join(dir).as_os_str())).collect()
}

/// Variables of guardian's own environment that this process or a sink names.
fn named<'a>(spec: &'a Spec, sinks: &'a [Sink]) -> Vec<&'a str> {
    let secrets = sinks.iter().flat_map(|sink| sink.kind.secrets()).filter_map(|source| match source {
        SecretSource::Env(name) => Some(name.as_str()),
        SecretSource::Inline(_) | SecretSource::File(_) | SecretSource::Command(_) => None,
    });
    spec.pass_env.iter().map(String::as_str).chain(secrets).collect()
}

/// What the shim reports; `None`: it ended without a word.
fn read(mut report: File) -> Option<Launched> {
    let mut bytes = Vec::new();
    report.read_to_end(&mut bytes).ok().and_then(|_| Launched::decode(&bytes))
}

/// What became of a start whose shim ended without a word: it was killed, and the program may have begun before.
fn unreported(paths: &Paths, name: &Name, run: u64) -> Result<Launched, Error> {
    let boot = clock::boot_id().map_err(|error| system("read the boot id", &error))?;
    let failed = Launched::Failed { step: SpawnStep::Shim, errno: libc::EIO };
    for _ in 0..400 {
        // Until it is executed the child keeps the record's lock, and it may still begin.
        if record::read(paths, name, run).1 != Lock::Held {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (shim, main) = match record::read(paths, name, run).0 {
        Recorded::Read(record) => (record.shim, record.main),
        Recorded::Missing | Recorded::Unreadable(_) => (None, None),
    };
    match (main, shim) {
        (Some(main), _) if process::life(&main, &boot) == Life::Gone => Ok(failed),
        (Some(main), _) => Ok(Launched::Started { pid: main.pid, untraced: None }),
        // It began and was killed before it made a process: the record says as much.
        (None, Some(_)) => Ok(failed),
        (None, None) => {
            blame(&mut record::reopen(paths, name, run)?, SpawnStep::Shim, libc::EIO)?;
            Ok(failed)
        }
    }
}

/// Writes down why the run never began, where the shim could not.
fn blame(record: &mut File, step: SpawnStep, errno: i32) -> Result<(), Error> {
    let mut written = String::new();
    let at = clock::now().map_err(|error| system("read the clock", &error))?;
    // The shim appended through the same open file: its end is where reading would go on.
    let already = record.rewind().and_then(|()| record.read_to_string(&mut written)).is_ok()
        && written.contains("\"spawn_failed\"");
    if already {
        return Ok(());
    }
    let line = Line::SpawnFailed { failure: SpawnFailure { errno, step, at } };
    line.append(record, Durable::Yes).map_err(|error| system("record the failed start", &error))
}
