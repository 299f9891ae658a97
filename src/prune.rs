//! `prune`: what nobody needs any more goes. Files of processes that were deregistered, run records beyond retention, alerts
//! that were given up long ago, control groups that nobody lives in.
//!
//! Of a process nothing goes but under its lock, and that it is not registered is looked up again under the lock of the registry:
//! no `register` or `start` comes between. What cannot be told (the registry is not readable, a lock cannot be asked) is kept.
//! May be cut off anywhere: what tells that there is something goes last, so the next one goes on.

mod runs;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::forget;
use crate::model::evidence::{Life, Lock};
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::os::{cgroup, lock};
use crate::registry::Registry;
use crate::store::leftovers::{self, Amount};
use crate::store::registry_file::{self, Loaded, Source, Version};
use crate::store::{atomic, outbox, record, state, watch};
use crate::supervise::{now, observe};

/// Alerts that were given up are kept for so long, unless something else is asked for.
pub const DEAD_ALERTS: Duration = Duration::from_secs(30 * 86_400);
/// guardian's own history lies under this name.
const OWN: &str = "guardian";

/// What is to go.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Only what belongs to these; empty: all.
    pub names: Vec<Name>,
    /// Only what is older than this; `None`: of deregistered processes all, of others what is beyond retention.
    pub older_than: Option<Duration>,
    /// Nothing is removed, all is counted.
    pub dry_run: bool,
}

/// What went, or would.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Processes that are not registered, with what lay there of each.
    pub processes: Vec<(Name, Amount)>,
    /// Runs of registered processes, and their files.
    pub runs: usize,
    /// Files of these runs.
    pub run_files: Amount,
    /// Alerts that were given up.
    pub alerts: usize,
    /// Their files.
    pub alert_files: Amount,
    /// Control groups.
    pub groups: usize,
    /// What stays although it was asked for, and why.
    pub kept: Vec<(Name, String)>,
    /// What failed; the rest was done.
    pub errors: Vec<Error>,
}

impl Pruned {
    /// All files together.
    #[must_use]
    pub fn amount(&self) -> Amount {
        let all = self.processes.iter().map(|(_, amount)| *amount);
        all.fold(self.run_files.and(self.alert_files), Amount::and)
    }
}

/// Removes what `wish` asks for.
///
/// # Errors
/// The registry does not say what is registered; the state directory cannot be read; a name that was asked for is registered.
pub fn prune(ctx: &Context, wish: &Wish) -> Result<Pruned, Error> {
    let version = registry_file::version(&ctx.paths)?;
    let registry = known(ctx)?;
    let now = now()?;
    let mut job = Job { ctx, wish, version, registry, now, pruned: Pruned::default() };
    let mut names = leftovers::names(&ctx.paths)?;
    names.extend(cgroup::names(&ctx.paths.state));
    let asked = |name: &Name| wish.names.is_empty() || wish.names.contains(name);
    for name in names.iter().filter(|name| asked(name)) {
        let outcome = match is_registered(&job.registry, name) {
            true => job.runs(name),
            false => job.process(name),
        };
        job.pruned.errors.extend(outcome.err().map(|error| error.about(name)));
    }
    let outcome = job.alerts();
    job.pruned.errors.extend(outcome.err());
    Ok(job.pruned)
}

/// The registry, if it says of every name whether it is registered.
fn known(ctx: &Context) -> Result<Registry, Error> {
    let loaded: Loaded = registry_file::load(&ctx.paths, ctx.home.as_deref())?;
    let path = ctx.paths.registry.display();
    match loaded.source {
        Source::File => Ok(loaded.registry),
        Source::LastGood | Source::Unknown => Err(loaded.error(&ctx.paths).unwrap_or_else(|| {
            Error::new(Code::Config, "registry_invalid", format!("registry `{path}` cannot be read as a whole"))
        })),
        Source::Missing => {
            let message = format!("there is no registry `{path}`: nobody can tell what was deregistered");
            Err(Error::new(Code::Refused, "no_registry", message).hint(
                "check --home and GUARDIAN_HOME; if nothing is to be registered, make it an empty file of mode 0600",
            ))
        }
    }
}

/// Whether the registry has it, be it valid or not.
fn is_registered(registry: &Registry, name: &Name) -> bool {
    name.as_str() == OWN
        || registry.processes.contains_key(name)
        || registry.watches.contains_key(name)
        || registry.invalid.iter().any(|invalid| invalid == name.as_str())
}

struct Job<'a> {
    ctx: &'a Context,
    wish: &'a Wish,
    version: Option<Version>,
    registry: Registry,
    now: Stamp,
    pruned: Pruned,
}

impl Job<'_> {
    /// All of one that is not registered.
    fn process(&mut self, name: &Name) -> Result<(), Error> {
        let paths = &self.ctx.paths;
        let files = leftovers::of(paths, name)?;
        let (amount, last) = leftovers::measure(&files);
        if runs::is_younger(last, self.wish.older_than) {
            return Ok(());
        }
        if self.wish.dry_run {
            match self.lives(name)? {
                Some(why) => self.pruned.kept.push((name.clone(), why)),
                None => self.gone(name, amount),
            }
            return Ok(());
        }
        if let Some(state) = state::load(paths, name)? {
            forget::keep_ends(self.ctx, name, &state)?;
        }
        let was_watch = paths.watch(name).exists();
        let watch = if was_watch { watch::try_lock(paths, name)? } else { None };
        let held = state::try_lock(paths, name)?;
        if held.is_none() || was_watch != watch.is_some() {
            self.pruned.kept.push((name.clone(), "somebody is changing it right now".to_owned()));
            return Ok(());
        }
        atomic::make_dir(&paths.state)?;
        let _nobody_registers = lock::wait(&paths.registry_lock())?;
        if registry_file::version(paths)? != self.version {
            self.version = registry_file::version(paths)?;
            self.registry = known(self.ctx)?;
        }
        if is_registered(&self.registry, name) {
            self.pruned.kept.push((name.clone(), "it was registered meanwhile".to_owned()));
            return Ok(());
        }
        if let Some(why) = self.lives(name)? {
            self.pruned.kept.push((name.clone(), why));
            return Ok(());
        }
        let removed = leftovers::remove(&leftovers::of(paths, name)?)?;
        leftovers::remove_dirs(paths, name);
        self.gone(name, removed);
        Ok(())
    }

    fn gone(&mut self, name: &Name, amount: Amount) {
        let groups = cgroup::of_name(&self.ctx.paths.state, name.as_str());
        self.pruned.groups += groups.len();
        if !self.wish.dry_run {
            groups.iter().for_each(|group| cgroup::remove(group));
        }
        if amount.files > 0 {
            self.pruned.processes.push((name.clone(), amount));
        }
    }

    /// Why nothing of it may go, if it lives or nobody can tell.
    fn lives(&self, name: &Name) -> Result<Option<String>, Error> {
        let paths = &self.ctx.paths;
        for run in record::runs(paths, name)? {
            let shim = lock::ask(&paths.process_run(name, &format!("{run}.rec")));
            for lock in [shim, record::tree_lock(paths, name, run)] {
                match lock {
                    Lock::Free => {}
                    Lock::Held => return Ok(Some(format!("run {run} lives, and is not in the registry"))),
                    Lock::Unknown => return Ok(Some(format!("nobody can tell whether run {run} lives"))),
                }
            }
        }
        let Some(state) = state::load(paths, name)? else { return Ok(None) };
        Ok(match observe(self.ctx, name, &state, &self.now).map(|evidence| evidence.main) {
            None | Some(Life::Gone) => None,
            Some(Life::Alive) => Some("its program lives, and is not in the registry".to_owned()),
            Some(Life::Unknown) => Some("nobody can tell whether its program lives".to_owned()),
        })
    }

    /// Alerts that were given up long ago.
    fn alerts(&mut self) -> Result<(), Error> {
        let paths = &self.ctx.paths;
        if !paths.outbox().is_dir() {
            return Ok(());
        }
        let _held = lock::wait(&outbox::lock(paths))?;
        let age = self.wish.older_than.unwrap_or(DEAD_ALERTS);
        let dead = outbox::list(paths, outbox::Part::Dead)?;
        let asked: BTreeSet<&Name> = self.wish.names.iter().collect();
        for entry in &dead.entries {
            let process = &entry.notification.event.process;
            let old = self.now.since(&entry.queued) >= age;
            if !old || !(asked.is_empty() || asked.contains(process)) {
                continue;
            }
            let file = outbox::dead_file(paths, entry);
            let files = std::slice::from_ref(&file);
            let amount = if self.wish.dry_run { leftovers::measure(files).0 } else { leftovers::remove(files)? };
            self.pruned.alerts += 1;
            self.pruned.alert_files = self.pruned.alert_files.and(amount);
        }
        let unreadable = |why| Error::new(Code::System, "outbox_damaged", why);
        self.pruned.errors.extend(dead.unreadable.into_iter().map(unreadable));
        Ok(())
    }
}
