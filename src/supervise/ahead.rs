//! What goes ahead of a start: the entry of a process in the registry and its environment, where both are new.
//!
//! They are on their way to the disk together with the state, so that a job that is registered and started in one go
//! waits for the disk once. They are put in their places before the state is, and so before anything is started.

use crate::context::Context;
use crate::error::Error;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::time::Wall;
use crate::os::{lock, process};
use crate::policy::decide::Act;
use crate::registry::Registry;
use crate::registry::edit::Change;
use crate::store::atomic::{self, Beside};
use crate::store::record::Durable;
use crate::store::registry_file::Staged;
use crate::store::{journal, state};

use super::{Held, now};

/// What must be in its place before a run begins.
#[derive(Debug)]
pub struct Ahead {
    /// Its entry in the registry, with the right to change that.
    pub registry: Staged,
    /// Its environment, where another is taken down.
    pub environment: Option<Beside>,
    /// What becomes of the entry: the history of a new one begins with that.
    pub change: Change,
    /// That beginning, found out while the disk is waited for.
    told: Option<Event>,
}

impl Ahead {
    /// All of it is on its way.
    #[must_use]
    pub fn new(registry: Staged, environment: Option<Beside>, change: Change) -> Self {
        Self { registry, environment, change, told: None }
    }
}

/// That a process was registered, as its history tells it.
#[must_use]
pub fn registered(name: &Name, state: &State, group: Option<&str>, at: Wall) -> Event {
    let kind = EventKind::Registered;
    let id = format!("{name}.{}.{}.{}.{}", state.epoch, state.run, kind.word(), at.0);
    let (group, by) = (group.map(str::to_owned), Some(process::caller()));
    Event { group, by, ..Event::new(id, at, name, kind, Severity::Info) }
}

impl<'a> Held<'a> {
    /// As [`Self::take`], with a lock that is held already. `ahead` is put in its place before anything is committed; in any
    /// case by [`Self::land`], which the caller calls when it is done.
    ///
    /// # Errors
    /// The state cannot be used. What goes ahead is in its place then, too.
    pub fn going_on(
        ctx: &'a Context,
        name: &'a Name,
        spec: &'a Spec,
        registry: &'a Registry,
        lock: lock::Held,
        mut ahead: Ahead,
    ) -> Result<Self, Error> {
        match Self::with(ctx, name, spec, registry, lock) {
            Ok(held) => {
                if ahead.change == Change::Added {
                    ahead.told = Some(registered(name, &held.state, spec.group.as_deref(), now()?.wall));
                }
                Ok(Self { ahead: Some(ahead), ..held })
            }
            Err(error) => {
                let dir = ahead.registry.put()?;
                dir.as_deref().map_or(Ok(()), atomic::sync_dir)?;
                Err(error)
            }
        }
    }

    /// Puts what goes ahead in its place. A power cut may undo that until [`Self::settle`].
    ///
    /// # Errors
    /// It cannot be written.
    pub fn land(&mut self) -> Result<(), Error> {
        let Some(mut ahead) = self.ahead.take() else { return Ok(()) };
        self.unsettled = ahead.registry.put()?;
        drop(ahead.registry); // others may change it again
        ahead.environment.map_or(Ok(()), Beside::put)?;
        let told = |event| journal::append(&self.ctx.paths, self.name, &[event], Durable::No);
        ahead.told.map_or(Ok(()), told)
    }

    /// Makes what went ahead outlast a power cut.
    ///
    /// # Errors
    /// A directory cannot be synced.
    pub fn settle(&mut self) -> Result<(), Error> {
        self.unsettled.take().map_or(Ok(()), |dir| atomic::sync_dir(&dir))
    }

    /// Commits `state`, behind what goes ahead. Before a launch a power cut may still undo it; see [`state::commit_unsettled`].
    pub(super) fn commit(&mut self, state: &State, act: Act) -> Result<(), Error> {
        let (paths, name) = (&self.ctx.paths, self.name);
        // All of it is on its way to the disk at once.
        let beside = state::beside(paths, name, state)?;
        self.land()?;
        beside.put().map_err(|error| error.about(name))?;
        match act {
            Act::Launch => Ok(()),
            Act::None | Act::Ask | Act::Kill | Act::TakeOver => {
                state::settle(paths, name)?;
                self.settle()
            }
        }
    }
}
