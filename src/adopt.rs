//! A process that runs already comes under guardian: who it is, whether it may be taken, and the run that it becomes.
//!
//! The record of the run is written first, the state that names it after that, and only then a shim is started that
//! watches it, as for a run whose shim was killed. So whoever is killed on the way leaves either nothing or a run that the
//! next pass takes over. The process itself is asked nothing and notices nothing.

use std::io;
use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::launch::{log_end, note_main};
use crate::metadata;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::state::{Began, Desired, OpenRun, Phase, State};
use crate::model::time::{Identity, Stamp};
use crate::os::{orphan, others, own, process, stranger};
use crate::policy::environment::{Environment, unbound};
use crate::registry::Registry;
use crate::store::environment::Snapshot;
use crate::store::record::{self, Durable, Line};
use crate::store::state;
use crate::strays::{environment, guarded};
use crate::supervise::{Held, Outcome, now};

/// Mask of a process that does not show its own.
const UMASK: u32 = 0o022;

/// A process that may be taken under guard.
#[derive(Debug)]
pub struct Adoptee {
    /// Who it is.
    pub identity: Identity,
    /// When it began, as far as that can be told; else now.
    pub began: Stamp,
    /// What its standard output goes to; `None`: it cannot be told.
    pub output: Option<PathBuf>,
    /// Its environment as it was when it was executed.
    environment: Environment,
    umask: u32,
}

fn refused(kind: &'static str, message: String, hint: &str) -> Error {
    Error::new(Code::Refused, kind, message).hint(hint)
}

fn unreadable(pid: i32, what: &str, error: &io::Error) -> Error {
    Error::new(Code::System, "io", format!("cannot read the {what} of process {pid}: {error}"))
}

impl Adoptee {
    /// Looks at `pid`.
    ///
    /// # Errors
    /// 3: there is no such process. 5: it is not yours, the kernel's, guardian's own, init, or guarded already.
    pub fn look(ctx: &Context, registry: &Registry, pid: i32) -> Result<Self, Error> {
        if !orphan::CAN_WATCH {
            let message = "this system gives no way to watch a process that is nobody's child of guardian's".to_owned();
            return Err(refused("cannot_watch", message, "stop it, and start it with `guardian register … --start`"));
        }
        let now = now()?;
        let gone = || {
            Error::new(Code::NotRunning, "no_such_process", format!("there is no process {pid}"))
                .hint("`guardian strays` lists what agents left running")
        };
        let ask = |error: io::Error| unreadable(pid, "state", &error);
        if let Some(process) = stranger::process_of(pid).filter(|process| *process != pid) {
            let hint = format!("adopt that: --pid {process}");
            return Err(refused("a_thread", format!("{pid} is a thread of process {process}"), &hint));
        }
        let seen = process::look(pid).map_err(ask)?.filter(|seen| !seen.zombie).ok_or_else(gone)?;
        if stranger::is_of_the_kernel(pid, seen.parent) {
            let message = format!("process {pid} ({}) is a thread of the kernel", seen.comm);
            return Err(refused("kernel_thread", message, "nobody started it, and nobody can start it again"));
        }
        if pid == 1 {
            return Err(refused("init", "process 1 is init".to_owned(), "it is what everything else stands below"));
        }
        own_user(pid)?;
        if own::part(pid).is_some() {
            let hint = "adopt the program itself: `guardian status` names what is guarded";
            return Err(refused("guardian_itself", format!("process {pid} is guardian's own"), hint));
        }
        if process::caller().parents.iter().any(|above| above.pid == pid) {
            let message = format!("process {pid} ({}) is what gives this very command", seen.comm);
            return Err(refused("caller", message, "it would be given again at each restart: adopt what you started"));
        }
        unguarded(ctx, registry, pid, &now)?;
        let variables = stranger::environment(pid).map_err(|error| unreadable(pid, "environment", &error))?;
        let environment = environment(variables.ok_or_else(gone)?);
        let umask = stranger::umask(pid).unwrap_or(UMASK);
        let output = stranger::output(pid);
        // Asked last: what was read before is its own if it is still the same.
        let identity = process::identify(pid, &now.boot).map_err(ask)?.ok_or_else(gone)?;
        if identity.started != seen.started {
            return Err(gone());
        }
        let began = others::began(&seen, &now).map_or_else(|| now.clone(), |began| earlier(&now, began));
        Ok(Self { identity, began, output, environment, umask })
    }

    /// Its arguments.
    ///
    /// # Errors
    /// They cannot be a command: not UTF-8, none, or overwritten by the program itself.
    pub fn command(&self) -> Result<Vec<String>, Error> {
        let pid = self.identity.pid;
        let hint = "give the command that starts it after `--`";
        let fail = |why: &str| Error::new(Code::Usage, "no_command", format!("process {pid} {why}")).hint(hint);
        let mut words = process::arguments(pid).ok_or_else(|| fail("does not show its command line"))?;
        words.truncate(words.iter().rposition(|word| !word.is_empty()).map_or(0, |last| last + 1));
        let words: Result<Vec<String>, _> = words.into_iter().map(String::from_utf8).collect();
        let words = words.map_err(|_| fail("has a command line that is not UTF-8"))?;
        match words.first() {
            None => Err(fail("shows no command line")),
            Some(first) if words.len() == 1 && first.contains([' ', ':']) => {
                Err(fail(&format!("has overwritten its command line: {first:?}")))
            }
            Some(_) => Ok(words),
        }
    }

    /// Its working directory.
    ///
    /// # Errors
    /// It cannot be told, was removed, or cannot be written into a registry.
    pub fn cwd(&self) -> Result<String, Error> {
        let pid = self.identity.pid;
        let cwd =
            stranger::cwd(pid).map_err(|error| unreadable(pid, "working directory", &error).hint("give --cwd"))?;
        let text = cwd.into_os_string().into_string().ok().filter(|cwd| !cwd.ends_with(" (deleted)"));
        text.ok_or_else(|| {
            let message = format!("the working directory of process {pid} was removed, or is not UTF-8");
            Error::new(Code::Usage, "bad_cwd", message).hint("give --cwd")
        })
    }

    /// What `register` takes down of an environment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { variables: unbound(&self.environment), umask: self.umask }
    }

    /// Makes it the run that is open, under a shim of its own. True: it is watched; false: it has ended meanwhile, which
    /// the next pass judges.
    ///
    /// # Errors
    /// 5: another run is open. 74: something of guardian's own cannot be written; the process is as it was.
    pub fn take(&self, held: &mut Held<'_>, outcome: &mut Outcome) -> Result<bool, Error> {
        let (name, paths) = (held.name, &held.ctx.paths);
        if held.state.open().is_some() {
            let message = format!("`{name}` has a run of its own already");
            return Err(refused("running", message, "stop that first, or adopt under another name").about(name));
        }
        let now = now()?;
        let run = held.state.run + 1;
        let (mut file, tree) = record::create(paths, name, run)?;
        let main = Line::Main { who: self.identity.clone(), at: self.began.clone() };
        for (line, durable) in [(Line::Adopted { at: now.clone() }, Durable::No), (main, Durable::Yes)] {
            line.append(&mut file, durable)
                .map_err(|error| Error::new(Code::System, "io", format!("cannot write the record: {error}")))?;
        }
        drop((file, tree));
        let open = OpenRun {
            log_offset: log_end(paths, name)?,
            unsupervised: true, // no shim was lost: there is nothing to tell
            ..OpenRun::new(run, self.began.clone(), Began::Operator)
        };
        let mut state = State { desired: Desired::Up, run, phase: Phase::Open(open), ..held.state.clone() };
        state.pending.push(self.event(held, &state, &now));
        state::commit(paths, name, &state)?;
        held.state = state;
        held.supervise(outcome)?;
        outcome.errors.extend(note_main(held.ctx, name, self.identity.pid).err());
        if let Some(open) = held.state.open() {
            metadata::adopted(held.ctx, name, held.spec, open, self.found());
        }
        held.publish(outcome);
        Ok(process::life(&self.identity, &now.boot) == crate::model::evidence::Life::Alive)
    }

    fn found(&self) -> metadata::Found {
        let variables = self.environment.keys().map(|name| name.to_string_lossy().into_owned());
        metadata::Found {
            pid: self.identity.pid,
            argv: self.command().ok(),
            variables: variables.collect(),
            umask: self.umask,
        }
    }

    fn event(&self, held: &Held<'_>, state: &State, now: &Stamp) -> Event {
        let (name, kind, run) = (held.name, EventKind::Started, state.run);
        let id = format!("{name}.{}.{run}.{}", state.epoch, kind.word());
        Event {
            run: Some(run),
            group: held.spec.group.clone(),
            target_s: held.spec.target_s(),
            notify: held.spec.notify.clone(),
            pid: Some(self.identity.pid),
            by: Some(process::caller()),
            action: format!("adopted: it ran since {}", self.began.wall),
            ..Event::new(id, now.wall, name, kind, Severity::Info)
        }
    }
}

/// The moment of `now` at which the wall clock showed `wall`.
fn earlier(now: &Stamp, wall: crate::model::time::Wall) -> Stamp {
    let ago = u64::try_from(wall.until(now.wall).as_millis()).unwrap_or(u64::MAX);
    Stamp { wall, boot_ms: now.boot_ms.saturating_sub(ago), boot: now.boot.clone() }
}

/// Its next run would be of another user than this one.
fn own_user(pid: i32) -> Result<(), Error> {
    let me = nix::unistd::geteuid().as_raw();
    let whose = match process::user(pid) {
        Some(uid) if uid == me => return Ok(()),
        Some(uid) => format!("belongs to uid {uid}, you are uid {me}"),
        None => "does not show whose it is".to_owned(),
    };
    Err(refused("not_yours", format!("process {pid} {whose}"), "only its own user can adopt it"))
}

/// Refuses what stands in or below a run.
fn unguarded(ctx: &Context, registry: &Registry, pid: i32, now: &Stamp) -> Result<(), Error> {
    let mains = guarded(ctx, registry, now)?;
    let sender = process::describe(pid, None);
    let above: Vec<i32> = std::iter::once(pid).chain(sender.parents.iter().map(|parent| parent.pid)).collect();
    let marked = || name_in_environment(pid).filter(|name| mains.values().any(|main| main == name));
    let already = |name: &Name| {
        let message = format!("process {pid} is guarded already, as `{name}`");
        refused("guarded", message, &format!("guardian status {name}")).about(name)
    };
    if let Some(name) = above.iter().find_map(|pid| mains.get(pid)).cloned().or_else(marked) {
        return Err(already(&name));
    }
    let shim = above.iter().any(|pid| own::part(*pid) == Some(crate::model::ending::Part::Shim));
    if shim {
        let hint = "its home is in GUARDIAN_HOME of its environment";
        return Err(refused("guarded", format!("process {pid} is guarded already, by guardian of another home"), hint));
    }
    Ok(())
}

/// The run that it was begun by, going by its environment.
fn name_in_environment(pid: i32) -> Option<Name> {
    let variables = stranger::environment(pid).ok()??;
    let value = variables.iter().find_map(|variable| variable.strip_prefix(b"GUARDIAN_NAME="))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}
