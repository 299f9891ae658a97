//! What several commands share: the registry with its problems, and which processes are meant.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use crate::error::{Code, Error};
use crate::healthcheck;
use crate::model::name::Name;
use crate::registry::Registry;
use crate::store::journal;
use crate::store::registry_file::{self, Loaded, Version};
use crate::supervise::Held;

use super::{Call, watch};

/// Which processes a command is about.
#[derive(Debug, Clone, Args)]
pub(super) struct Which {
    /// Names of processes
    #[arg(value_name = "NAME", required_unless_present_any = ["group", "all"])]
    pub(super) names: Vec<String>,
    /// All processes of this group
    #[arg(short, long, value_name = "GROUP")]
    pub(super) group: Option<String>,
    /// All processes of the registry
    #[arg(short, long, conflicts_with_all = ["names", "group"])]
    pub(super) all: bool,
}

impl Which {
    /// The names that are meant, each once.
    pub(super) fn resolve(&self, loaded: &Loaded, call: &Call) -> Result<Vec<Name>, Error> {
        let registry = &loaded.registry;
        let mut names = parse(&self.names)?;
        if let Some(group) = &self.group {
            names.extend(members(registry, group)?);
        }
        if self.all {
            names.extend(registry.processes.keys().cloned());
        }
        known(loaded, &names, call)?;
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }
}

/// The processes of `group`; one without any is not known.
pub(super) fn members(registry: &Registry, group: &str) -> Result<Vec<Name>, Error> {
    let entries = registry.processes.iter().filter(|(_, entry)| entry.spec.group.as_deref() == Some(group));
    let members: Vec<Name> = entries.map(|(name, _)| name.clone()).collect();
    if !members.is_empty() {
        return Ok(members);
    }
    let groups = registry.processes.values().filter_map(|entry| entry.spec.group.as_deref());
    let groups: BTreeSet<&str> = groups.collect();
    let hint = match groups.is_empty() {
        true => "no process is in any group: give it one with `--group`, or `group` in the registry".to_owned(),
        false => format!("there are: {}", groups.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Err(Error::new(Code::NotRegistered, "not_registered", format!("no process is in group `{group}`")).hint(hint))
}

/// Texts as names.
pub(super) fn parse(names: &[String]) -> Result<Vec<Name>, Error> {
    names.iter().map(|name| name.parse().map_err(Error::from)).collect()
}

/// Fails on the first name that is not registered, or whose entry is not valid.
pub(super) fn known(loaded: &Loaded, names: &[Name], call: &Call) -> Result<(), Error> {
    for name in names {
        if loaded.registry.processes.contains_key(name) {
            continue;
        }
        if loaded.registry.watches.contains_key(name) {
            return Err(watch::refused(name));
        }
        let unread = loaded.registry.processes.is_empty();
        let invalid = unread || loaded.registry.invalid.iter().any(|invalid| invalid == name.as_str());
        if let Some(error) = loaded.error(&call.ctx.paths).filter(|_| invalid) {
            return Err(error.about(name));
        }
        let error = healthcheck::unknown(&loaded.registry, name);
        return Err(match journal::is_there(&call.ctx.paths, name) {
            true => error
                .hint(format!("it was deregistered; what is left of it: guardian events {name}, guardian logs {name}")),
            false => error,
        });
    }
    Ok(())
}

/// The registry, valid entries only; what is wrong with it is in there too.
pub(super) fn registry(call: &Call) -> Result<Loaded, Error> {
    registry_file::load(&call.ctx.paths, call.ctx.home.as_deref())
}

/// Tells what is wrong with the registry, once the command has done its work. The code is 78 then.
pub(super) fn complain_of(loaded: &Loaded, call: &Call) -> u8 {
    loaded.error(&call.ctx.paths).map_or(0, |error| call.out.fail(&error))
}

/// The registry as it is at each moment, read again only when its file has changed.
#[derive(Default)]
pub(super) struct Fresh(Mutex<Option<(Option<Version>, Arc<Registry>)>>);

impl Fresh {
    /// The registry now.
    pub(super) fn get(&self, call: &Call) -> Result<Arc<Registry>, Error> {
        // The version is taken first: a change while it is read shows as another version next time.
        let version = registry_file::version(&call.ctx.paths)?;
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, registry)) = memo.as_ref().filter(|(seen, _)| *seen == version) {
            return Ok(Arc::clone(registry));
        }
        let fresh = Arc::new(registry(call)?.registry);
        *memo = Some((version, Arc::clone(&fresh)));
        Ok(fresh)
    }

    /// Does `work` with `name` held and its entry as it is under the lock: whoever deregisters it holds the lock too.
    pub(super) fn with<T>(
        &self,
        call: &Call,
        name: &Name,
        work: impl FnOnce(&mut Held<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let registry = self.get(call)?;
            let entry = registry.processes.get(name).ok_or_else(|| healthcheck::unknown(&registry, name))?;
            let mut held = Held::take(&call.ctx, name, &entry.spec, &registry)?;
            if Arc::ptr_eq(&registry, &self.get(call)?) {
                return work(&mut held);
            }
        }
    }
}
