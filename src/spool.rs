//! Starts and stops for callers that cannot start anything which survives, or reach what runs: left in a spool by them, done by a pass.
//!
//! A sandbox with process ids of its own ends all that was started in it, and one with a read-only home cannot keep a
//! state. What is asked for there is left as a file; a pass outside gives the very same command with the
//! requester's directory and environment. A request is answered after it was done: killed in between, it is done again,
//! unless its process has begun a run since.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::alert::program::{finish, said};
use crate::context::Context;
use crate::error::{Code, Error};
use crate::healthcheck::last;
use crate::model::name::Name;
use crate::model::request::{Answer, Request, SCHEMA, VERBS};
use crate::model::state::{Began, State};
use crate::model::time::Stamp;
use crate::os::surroundings::{self, INITIAL_PIDS};
use crate::os::{lock, process, sandbox};
use crate::policy::agents;
use crate::policy::environment::unbound;
use crate::registry::Registry;
use crate::store::atomic;
use crate::store::spool::{IN_PROJECT, Spool, Waiting};
use crate::store::state;
use crate::supervise::now;

/// Set for what a request runs: whatever stands above it is not who asked.
pub const CARRIED_OUT: &str = "GUARDIAN_REQUEST";

/// The note of the last pass tells where passes run no longer than this.
const FRESH: Duration = Duration::from_secs(600);
/// A request that is older is not done any more: nobody expects it now.
const OLD: Duration = Duration::from_secs(24 * 3600);
/// Directories of processes that a pass looks for projects in.
const PROJECTS: usize = 64;
/// Commands that end what runs, which whoever started it since does not want ended.
const ENDS: [&str; 3] = ["stop", "restart", "deregister"];
/// Time for one command.
const LIMIT: Duration = Duration::from_secs(30);

/// Why nothing that is started here would survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Process ids are other ones than those of passes.
    Namespace,
    /// The state cannot be written.
    ReadOnly(PathBuf),
}

impl Why {
    /// The reason, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Namespace => {
                "this is a sandbox with process ids of its own: what is started in it ends with it".into()
            }
            Self::ReadOnly(path) => format!("`{}` cannot be written from here", path.display()),
        }
    }
}

/// Whether what is started here would not survive; `None`: nothing says so. Not knowing is no reason.
#[must_use]
pub fn sandboxed(ctx: &Context) -> Option<Why> {
    if is_foreign(ctx) {
        return Some(Why::Namespace);
    }
    sandbox::unwritable(&ctx.paths.state).map(Why::ReadOnly)
}

/// Whether process ids here are other ones than those of the passes, which ran lately.
fn is_foreign(ctx: &Context) -> bool {
    let Some(here) = surroundings::pid_namespace().filter(|here| *here != INITIAL_PIDS) else { return false };
    let (Ok(Some(last)), Ok(now)) = (last(&ctx.paths), now()) else { return false };
    last.at.until(now.wall) < FRESH && last.pid_namespace.is_some_and(|there| there != here)
}

/// Where the project of `cwd` begins: the nearest directory above that is a repository or has requests already; else
/// itself.
fn project(cwd: &Path) -> PathBuf {
    let me = nix::unistd::geteuid().as_raw();
    let mine = |path: PathBuf| path.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == me);
    let begins = |path: &&Path| path.join(".git").exists() || mine(path.join(".guardian"));
    cwd.ancestors().find(begins).unwrap_or(cwd).to_owned()
}

/// The spool that `GUARDIAN_SPOOL` names.
fn named(ctx: &Context) -> Option<PathBuf> {
    ctx.environment.get(OsStr::new("GUARDIAN_SPOOL")).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Leaves the command `verb` with `arguments`, about `name`, for a pass. Returns the file.
///
/// # Errors
/// There is no place for it that nobody else can write; what was given is not UTF-8.
pub fn leave(ctx: &Context, name: &Name, verb: &str, arguments: Vec<String>) -> Result<PathBuf, Error> {
    let cwd = std::env::current_dir()
        .map_err(|error| Error::new(Code::System, "no_cwd", format!("cannot tell the working directory: {error}")))?;
    let path = named(ctx).unwrap_or_else(|| project(&cwd).join(IN_PROJECT));
    let hint =
        "name a directory that is yours alone and can be written here: GUARDIAN_SPOOL, and `spool` in `[healthcheck]`";
    let spool = Spool::make(&path).map_err(|error| if error.hint.is_empty() { error.hint(hint) } else { error })?;
    if path.ends_with(IN_PROJECT) {
        keep_out_of_the_repository(&path);
    }
    let text = |value: OsString| value.into_string().ok();
    // What is not UTF-8 cannot stand in a request; a process that needs such a variable gets it by `env_file`.
    let variables = unbound(&ctx.environment).into_iter();
    let environment = variables.filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let marks = agents::variables().filter_map(|name| {
        let value = ctx.environment.get(OsStr::new(name))?.to_str()?;
        Some((name.to_owned(), value.to_owned()))
    });
    let cwd = cwd.into_os_string().into_string().map_err(|_| {
        Error::new(Code::Usage, "bad_cwd", "the working directory is not UTF-8, so a request cannot hold it")
    })?;
    spool.leave(&Request {
        schema: SCHEMA,
        name: name.clone(),
        verb: verb.to_owned(),
        arguments,
        cwd,
        environment,
        session: marks.collect(),
        umask: process::umask(),
        uid: nix::unistd::geteuid().as_raw(),
        registry: ctx.paths.registry.to_string_lossy().into_owned(),
        at: now()?.wall,
    })
}

/// A request holds an environment, which is nobody's to commit.
fn keep_out_of_the_repository(spool: &Path) {
    if let Some(dir) = spool.parent() {
        // Where it cannot be written, the request is still its owner's alone.
        drop(
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(dir.join(".gitignore"))
                .and_then(|mut file| std::io::Write::write_all(&mut file, b"*\n")),
        );
    }
}

/// What was done for others.
#[derive(Debug, Default)]
pub struct Served {
    /// What came of each request, in words.
    pub answers: Vec<(Name, bool, String)>,
    /// Spools that are not trusted, files that are no requests, answers that could not be written.
    pub errors: Vec<Error>,
}

/// Spools that may hold requests for this registry.
fn spools(ctx: &Context, registry: &Registry) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = registry.healthcheck.spool.iter().map(PathBuf::from).chain(named(ctx)).collect();
    let cwds = registry.processes.values().filter_map(|entry| entry.spec.cwd.as_deref());
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for cwd in cwds {
        if seen.len() >= PROJECTS {
            break;
        }
        if seen.insert(cwd) {
            found.insert(project(Path::new(cwd)).join(IN_PROJECT));
        }
    }
    found
}

/// Does what is asked for in the spools that the registry knows. Nothing is done from within a sandbox.
#[must_use]
pub fn serve(ctx: &Context, registry: &Registry) -> Served {
    let mut served = Served::default();
    if is_foreign(ctx) {
        return served;
    }
    let mut held = None;
    for path in spools(ctx, registry) {
        match in_one(ctx, &path, &mut held, &mut served) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => served.errors.push(error),
        }
    }
    served
}

/// Serves one spool; false: somebody else serves. Their lock is taken once something waits, and before that is read.
fn in_one(ctx: &Context, path: &Path, held: &mut Option<lock::Held>, served: &mut Served) -> Result<bool, Error> {
    let Some(spool) = Spool::open(path)? else { return Ok(true) };
    if spool.is_empty()? {
        return Ok(true);
    }
    if held.is_none() {
        atomic::make_dir(&ctx.paths.state)?; // this may be the first that is ever done
        *held = lock::try_take(&ctx.paths.state.join("spool.lock"))?;
    }
    if held.is_none() {
        return Ok(false);
    }
    for waiting in spool.waiting()? {
        let answered = one(ctx, &spool, path, waiting, served);
        served.errors.extend(answered.err());
    }
    Ok(true)
}

fn one(ctx: &Context, spool: &Spool, path: &Path, waiting: Waiting, served: &mut Served) -> Result<(), Error> {
    let now = now()?;
    let Waiting { file, request } = waiting;
    let (request, outcome) = match request {
        // Somebody else's passes look after it.
        Ok(request) if Path::new(&request.registry) != ctx.paths.registry => return Ok(()),
        Ok(request) => {
            // What an earlier request began is meant by a later one.
            let begun = served.answers.iter().any(|(name, done, _)| *done && *name == request.name);
            let outcome = valid(&request, &now).and_then(|()| carry_out(ctx, &request, begun));
            (Some(request), outcome)
        }
        Err(why) => (None, Err(why)),
    };
    let (done, reason) = match outcome {
        Ok(said) => (true, said),
        Err(why) => (false, why),
    };
    match &request {
        Some(request) => served.answers.push((request.name.clone(), done, reason.clone())),
        None => {
            let message = format!("request `{}` was refused: {reason}", path.join(&file).display());
            served.errors.push(Error::new(Code::Refused, "request_refused", message));
        }
    }
    let request =
        request.map(|request| Request { environment: Default::default(), session: Default::default(), ..request });
    spool.answer(&file, &Answer { request, done, reason, at: now.wall })
}

/// Why a request is not done, whatever it asks for.
fn valid(request: &Request, now: &Stamp) -> Result<(), String> {
    let me = nix::unistd::geteuid().as_raw();
    if request.schema != SCHEMA {
        return Err(format!("it is of schema {}, this guardian knows {SCHEMA}", request.schema));
    }
    if !VERBS.contains(&request.verb.as_str()) {
        return Err(format!("`{}` is not among the commands that can be asked for", request.verb));
    }
    if request.uid != me {
        return Err(format!("uid {} asked, this is uid {me}", request.uid));
    }
    if request.at.until(now.wall) > OLD {
        return Err("it is older than a day".to_owned());
    }
    if !Path::new(&request.cwd).is_dir() {
        return Err(format!("its directory `{}` is not there", request.cwd));
    }
    Ok(())
}

/// Gives the command; what it said. `begun`: an earlier request about the same process was done just now.
fn carry_out(ctx: &Context, request: &Request, begun: bool) -> Result<String, String> {
    let state = state::load(&ctx.paths, &request.name).map_err(|error| error.message)?;
    let mut arguments = request.arguments.clone();
    if ENDS.contains(&request.verb.as_str()) {
        // Only guardian's own restarts may have come between.
        if !begun && state.as_ref().is_some_and(|state| was_started_since(state, request)) {
            return Ok("it was started since that was asked for".to_owned());
        }
    } else if state.as_ref().is_some_and(|state| has_begun_since(state, request)) {
        if request.verb != "register" {
            return Ok("a run has begun since it was asked for".to_owned());
        }
        // It may be another one's: what was to be registered is said again, which changes nothing, and nothing is started.
        let own = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
        let start = arguments.iter().take(own).position(|word| word == "--start");
        start.map(|start| arguments.remove(start));
    }
    // The mask is set by a shell, because nothing else sets it for one child alone.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask \"$0\" && exec \"$@\"", &format!("{:o}", request.umask)]);
    command.arg(&ctx.exe).arg(&request.verb).args(&arguments).current_dir(&request.cwd);
    command.env_clear().envs(&request.environment).envs(&request.session).env(CARRIED_OUT, "1");
    command.envs(ctx.paths.home.iter().map(|home| ("GUARDIAN_HOME", home)));
    let ran = finish(command, "", LIMIT).map_err(|error| format!("guardian cannot be run: {error}"))?;
    match ran.failure(&[format!("guardian {}", request.verb)], LIMIT) {
        None => Ok(said(&ran.stdout)),
        // What was asked for is that it begins: how a short job ended is its own affair.
        Some(why) => match state::load(&ctx.paths, &request.name) {
            Ok(Some(state)) if has_begun_since(&state, request) => Ok(why),
            Ok(_) | Err(_) => Err(why),
        },
    }
}

fn was_started_since(state: &State, request: &Request) -> bool {
    state.open().is_some_and(|open| open.began == Began::Operator && open.since.wall >= request.at)
}

fn has_begun_since(state: &State, request: &Request) -> bool {
    let open = state.open().map(|open| open.since.wall);
    let last = state.last.as_ref().map(|last| last.began.wall);
    open.into_iter().chain(last).any(|began| began >= request.at)
}
