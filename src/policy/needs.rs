//! What a process depends on, as it stands now: whether it may be started, and what the end of a dependency does to it.
//!
//! A dependency is *there* when it is up and ready, or, with target `exit`, when it has completed. A start that is due and
//! not asked for by an operator waits until all are there; nothing is remembered of that but that it is due, so what it
//! waits for is always told as it is now. Nothing here knows how the others were looked at.

use std::collections::BTreeMap;

use crate::model::ending::StopReason;
use crate::model::name::Name;
use crate::model::spec::{OnDependencyEnd, Spec, Target};
use crate::model::state::{OpenRun, Phase, Tie};

use super::classify::Standing;
use super::decide::Decision;
use super::draft::Draft;

/// Whether something that is needed is there. What follows `waits for NAME` stands in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is up and ready, or a job that has completed.
    There,
    /// It is not, and is on its way, or its end is not judged yet.
    Coming(&'static str),
    /// It has ended and does not come back by itself.
    Gone(&'static str),
    /// It is not, and nothing says that it ever was: an entry that is missing must end nobody.
    Absent(&'static str),
}

/// One thing that a process needs, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which process.
    pub name: Name,
    /// Whether it is there.
    pub presence: Presence,
    /// Which run of it that is; `None`: it has none, or that cannot be told.
    pub tie: Option<Tie>,
}

impl Need {
    /// What is so of `name`, going by what would be decided about it now.
    #[must_use]
    pub fn of(name: &Name, spec: &Spec, decision: &Decision<'_>) -> Self {
        let state = &decision.state;
        let tie = (state.run > 0).then(|| Tie { epoch: state.epoch.clone(), run: state.run });
        Self { name: name.clone(), presence: presence(spec, decision), tie }
    }

    /// One of which nothing can be told, for this reason.
    #[must_use]
    pub fn absent(name: &Name, why: &'static str) -> Self {
        Self { name: name.clone(), presence: Presence::Absent(why), tie: None }
    }

    /// What is waited for, to follow `waits for`; `None`: it is there.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        match self.presence {
            Presence::There => None,
            Presence::Coming(why) | Presence::Gone(why) | Presence::Absent(why) => {
                Some(format!("`{}`{why}", self.name))
            }
        }
    }
}

fn presence(spec: &Spec, decision: &Decision<'_>) -> Presence {
    let job = spec.target == Target::Exit;
    match (&decision.state.phase, &decision.standing) {
        (Phase::Completed, _) if job => Presence::There,
        (Phase::Completed, _) => Presence::Gone(", which has completed"),
        (Phase::Stopped, _) => Presence::Gone(", which is stopped"),
        (Phase::Dead, _) => Presence::Gone(", which is dead"),
        (Phase::Tripped { .. }, _) => Presence::Gone(", which is tripped"),
        (Phase::New, _) => Presence::Absent(", which was never started"),
        (Phase::Waiting { .. }, _) => Presence::Coming(" to be started again"),
        (Phase::Open(open), Some(Standing::Running | Standing::Unsupervised)) if open.stopping.is_some() => {
            Presence::Coming(", which is being ended")
        }
        (
            Phase::Open(_),
            Some(Standing::Starting | Standing::NeverBegan | Standing::Running | Standing::Unsupervised),
        ) if job => Presence::Coming(" to complete"),
        (Phase::Open(open), Some(Standing::Running | Standing::Unsupervised)) => {
            let ready = spec.ready.is_none() || open.ready || decision.ready == Some(true);
            if ready { Presence::There } else { Presence::Coming(" to be ready") }
        }
        (Phase::Open(_), Some(Standing::Starting | Standing::NeverBegan)) => Presence::Coming(" to be started"),
        (Phase::Open(_), None | Some(Standing::Ended(_) | Standing::Closing | Standing::Remnants)) => {
            Presence::Coming(" to be started again")
        }
        (Phase::Open(_), Some(Standing::Uncertain(_))) => Presence::Coming(", of which nothing certain is known now"),
    }
}

/// What is waited for, to follow `waits for`; `None`: all are there.
#[must_use]
pub fn missing(needs: &[Need]) -> Option<String> {
    let all: Vec<String> = needs.iter().filter_map(Need::missing).collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// The runs of `needs` that a run which begins now is started against; `None`: it needs nothing.
#[must_use]
pub fn ties(needs: &[Need]) -> Option<Box<BTreeMap<Name, Tie>>> {
    let ties: BTreeMap<Name, Tie> =
        needs.iter().filter_map(|need| Some((need.name.clone(), need.tie.clone()?))).collect();
    (!ties.is_empty()).then(|| Box::new(ties))
}

/// A run that lives: ended where `on_dependency_end` says so, once for each end or return of a dependency.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun) {
    if open.stopping.is_some() {
        return;
    }
    let because = match next.look.spec.on_dependency_end {
        OnDependencyEnd::Ignore => None,
        OnDependencyEnd::Stop => next.needs.iter().find_map(|need| match need.presence {
            Presence::Gone(why) => Some(format!("because it depends on `{}`{why}", need.name)),
            Presence::There | Presence::Coming(_) | Presence::Absent(_) => None,
        }),
        OnDependencyEnd::Restart => came_back(next.needs, open),
    };
    let Some(because) = because else { return };
    next.end(open, StopReason::Dependency);
    if let Some(stopping) = &mut open.stopping {
        stopping.because.clone_from(&because);
    }
    for event in next.edit().pending.iter_mut().filter(|event| event.action == StopReason::Dependency.action()) {
        event.action = format!("{}, {because}", event.action);
    }
}

/// Whether one of `needs` is there as another run than the one that `open` was started against. One that it was started
/// without, because the registry was another one then, counts from now on.
fn came_back(needs: &[Need], open: &mut OpenRun) -> Option<String> {
    for need in needs.iter().filter(|need| need.presence == Presence::There) {
        let Some(tie) = &need.tie else { continue };
        let against = open.against.get_or_insert_default();
        match against.get(&need.name) {
            None => {
                against.insert(need.name.clone(), tie.clone());
            }
            Some(before) if before == tie => {}
            Some(_) => {
                return Some(format!("because `{}`, which it depends on, came back as run {}", need.name, tie.run));
            }
        }
    }
    None
}

#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
