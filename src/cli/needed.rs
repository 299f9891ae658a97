//! What is needed is brought up first: started where it is not there, and waited for until it is.
//!
//! A service is waited for as long as its own `ready_timeout` lets it, a job that long to complete. What needs something
//! that does not come is not started now; it is wanted up, waits, and is started by itself as soon as that is there.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::spec::{Spec, Target};
use crate::model::units::format_duration;
use crate::policy::classify::Standing;
use crate::policy::decide::Look;
use crate::policy::dependencies::Graph;
use crate::policy::needs::{Need, Presence};
use crate::policy::operator::start_later;
use crate::registry::Registry;
use crate::supervise::{Held, Outcome, needs, now};

use super::Call;
use super::common::Fresh;
use super::plan::{in_order, needs_first};
use super::ready::{Until, changes, follow};
use super::start::{Started, already, begin};

/// What becomes of one that was asked for and whose needs do not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Else {
    /// It waits, and is started as soon as they are there.
    Waits,
    /// It is left as it is.
    Stays,
}

/// What came of it.
pub(super) struct Brought {
    /// For each that was asked for, in that order.
    pub(super) asked: Vec<Result<Started, Error>>,
    /// What was started because one of these needs it: which one, and what came of it.
    pub(super) needed: Vec<(Name, Result<Started, Error>)>,
}

/// Does `up` for each of `names`, after what they need is there; what of that is not is started.
pub(super) fn bring_up(
    call: &Call,
    fresh: &Fresh,
    names: &[Name],
    otherwise: Else,
    up: impl Fn(&Name) -> Result<Started, Error> + Sync,
) -> Result<Brought, Error> {
    let registry = fresh.get(call)?;
    let graph = registry.graph();
    let mut all = names.to_vec();
    all.extend(graph.closure(names.iter().cloned()).into_iter().filter(|name| !names.contains(name)));
    let all = graph.order(&all);
    let bringing = Bringing { call, fresh, registry: &registry, graph: &graph, otherwise, failed: Mutex::default() };
    let outcomes = in_order(&all, &needs_first(&graph, &all), |name| {
        let needed_by = all.iter().find(|other| graph.needs(other).contains(name));
        let asked = names.contains(name);
        let outcome = match bringing.blocked(name) {
            Some(error) if otherwise == Else::Waits => bringing.wait(name, error).map(Some),
            Some(error) => Err(error),
            None if asked => up(name).map(Some),
            None => bringing.need(name),
        };
        if let Some(by) = needed_by {
            bringing.until_there(name, by, outcome.as_ref());
        }
        outcome
    });
    let mut brought = Brought { asked: Vec::new(), needed: Vec::new() };
    let mut asked: BTreeMap<&Name, Result<Started, Error>> = BTreeMap::new();
    for (name, outcome) in all.iter().zip(outcomes) {
        match outcome.transpose() {
            Some(outcome) if names.contains(name) => drop(asked.insert(name, outcome)),
            Some(outcome) => brought.needed.push((name.clone(), outcome)),
            None => {}
        }
    }
    brought.asked = names.iter().filter_map(|name| asked.remove(name)).collect();
    Ok(brought)
}

/// Processes that are brought up together.
struct Bringing<'a> {
    call: &'a Call,
    fresh: &'a Fresh,
    registry: &'a Registry,
    graph: &'a Graph<'a>,
    otherwise: Else,
    /// What is needed and does not come, with the reason.
    failed: Mutex<BTreeMap<Name, Error>>,
}

impl Bringing<'_> {
    /// Why `name` cannot be started, if something that it needs does not come.
    fn blocked(&self, name: &Name) -> Option<Error> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (need, error) = self.graph.needs(name).iter().find_map(|need| failed.get_key_value(need))?;
        let code = if error.code == Code::Timeout { Code::Timeout } else { Code::No };
        let done = if self.otherwise == Else::Waits { "started" } else { "restarted" };
        let message = format!("`{name}` was not {done}: it depends on `{need}`: {}", error.message);
        Some(Error::new(code, "dependency", message).hint(format!("guardian status {need} {name}")).about(name))
    }

    /// One that cannot be started now waits. Its needs may have come meanwhile: then it is started after all.
    fn wait(&self, name: &Name, error: Error) -> Result<Started, Error> {
        if !self.registry.processes.contains_key(name) {
            return Err(error);
        }
        let hint = format!("it waits and is started as soon as that is there; guardian stop {name} calls it off");
        self.fresh.with(self.call, name, |held| {
            if matches!(held.consider()?.standing, Some(Standing::Running | Standing::Unsupervised)) {
                self.call.out.warn(&format!("`{name}` runs, but {}", error.message));
                return already(held, Until::Begun);
            }
            if held.state.open().is_some() {
                return Err(error); // its end is still to be judged
            }
            let now = now()?;
            let look = Look { name, spec: held.spec, state: &held.state, now: &now };
            let decision = start_later(look, error.message.clone()).into_owned();
            let mut outcome = Outcome::default();
            held.carry_out(decision, &mut outcome)?;
            outcome.errors.extend(held.advance()?.errors);
            for failed in &outcome.errors {
                self.call.out.warn(&failed.message);
            }
            Err(error.hint(hint))
        })
    }

    /// One that was not asked for is started, unless it is there.
    fn need(&self, name: &Name) -> Result<Option<Started>, Error> {
        match self.look(name)?.presence {
            Presence::There => Ok(None),
            Presence::Coming(_) | Presence::Gone(_) | Presence::Absent(_) => {
                let started = self.fresh.with(self.call, name, |held| begin(self.call, held, Until::Begun))?;
                started.follow(self.call, Until::Begun).map(Some)
            }
        }
    }

    /// How `name` stands now.
    fn look(&self, name: &Name) -> Result<Need, Error> {
        let Some(entry) = self.registry.processes.get(name) else { return Err(self.unknown(name)) };
        let alone = Spec { depends_on: vec![name.clone()], ..entry.spec.clone() };
        let need = needs(&self.call.ctx, self.registry, &alone, &now()?).pop();
        need.ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &Name) -> Error {
        let written = self.registry.invalid.iter().any(|invalid| invalid == name.as_str());
        let what = if written { "its entry in the registry is not valid" } else { "it is not registered" };
        Error::new(Code::No, "dependency", what).hint("guardian config check").about(name)
    }

    /// Waits until `name`, which `by` needs, is there; if it does not come, those that need it learn of that.
    fn until_there(&self, name: &Name, by: &Name, outcome: Result<&Option<Started>, &Error>) {
        let there = match outcome {
            Err(error) => Err(error.clone()),
            Ok(None) => Ok(()),
            Ok(Some(started)) => self.follow(name, by, started),
        };
        if let Err(error) = there {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), error);
        }
    }

    fn follow(&self, name: &Name, by: &Name, started: &Started) -> Result<(), Error> {
        let Some(entry) = self.registry.processes.get(name) else { return Err(self.unknown(name)) };
        let spec = &entry.spec;
        if spec.target != Target::Exit && spec.ready.is_none() {
            return Ok(());
        }
        if !self.call.out.is_json() && !self.call.out.is_quiet() {
            let what = if spec.target == Target::Exit { "complete" } else { "be ready" };
            self.call.out.complain(&format!("{by}: waits for {name} to {what} …"));
        }
        if spec.target != Target::Exit {
            return follow(self.call, name, spec, started.run, Until::Ready(None)).map(drop);
        }
        let until = now()?.plus(spec.ready_timeout);
        let watch = changes(self.call, name)?;
        loop {
            match self.look(name)? {
                Need { presence: Presence::There, .. } => return Ok(()),
                Need { presence: Presence::Coming(_), .. } => {}
                Need { presence: Presence::Gone(why) | Presence::Absent(why), .. } => {
                    let message = format!("run {} of it did not complete{why}", started.run);
                    return Err(Error::new(Code::No, "dependency", message).about(name));
                }
            }
            let now = now()?;
            if now.has_reached(&until) {
                let message = format!("it has not completed within {}", format_duration(spec.ready_timeout));
                return Err(Error::new(Code::Timeout, "timeout", message).about(name));
            }
            let pause = until.since(&now).min(super::ready::LOOK);
            let changed = watch.wait(Some(pause));
            changed.map_err(|error| Error::io("watch", &self.call.ctx.paths.process(name), &error).about(name))?;
        }
    }
}

/// Whether what is done to `names` has an order: one of them needs something.
pub(super) fn is_ordered(registry: &Registry, names: &[Name]) -> bool {
    let needs = |name: &Name| registry.processes.get(name).is_some_and(|entry| !entry.spec.depends_on.is_empty());
    names.iter().any(needs)
}

/// Whether another run than `before` is up: guardian restarted it meanwhile, because of what it depends on.
pub(super) fn is_another_run(held: &Held<'_>, before: u64) -> bool {
    held.state.open().is_some_and(|open| open.run > before && open.stopping.is_none())
}
