//! From what is so to what is done: the whole behaviour of guardian for one process.
//!
//! [`decide`] returns the next state, the events that follow and one act. The driver commits state
//! and events together and only then acts, so doing it again after a crash is doing it once.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::event::{Event, EventKind, Severity};
use crate::model::evidence::{Evidence, Recorded};
use crate::model::name::Name;
use crate::model::spec::{OnBoot, Restart, Spec, Target};
use crate::model::state::{Began, Desired, OpenRun, Phase, State};
use crate::model::time::Stamp;

use super::classify::{Standing, standing};
use super::draft::Draft;
use super::needs::{self, Need};
use super::settle::{LEFT_DOWN, settle};
use super::{history, liveness, progress, readiness, schedule};

/// The one thing to do after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    None,
    /// Start the run that the committed state has open.
    Launch,
    /// Send the stop signal to the run's whole tree.
    Ask,
    /// Kill the run's whole tree.
    Kill,
    /// Start a new shim for the program that lives without one.
    TakeOver,
}

/// What follows from one look at one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    /// The state to commit; borrowed where nothing changes, as it does not on nearly every look.
    pub state: Cow<'a, State>,
    /// Whether it differs from the one that was looked at.
    pub changed: bool,
    /// The one thing to do after the commit.
    pub act: Act,
    /// When something would next become true by itself.
    pub deadline: Option<Stamp>,
    /// What is done, in the contract's words, for `healthcheck --json`.
    pub actions: Vec<&'static str>,
    /// What is so of the open run, for `status`; `None`: there is none.
    pub standing: Option<Standing>,
    /// Whether the open run is ready; `None`: not known, or none is open.
    pub ready: Option<bool>,
    /// What a start that is due waits for, to follow `waits for`; `None`: for nothing but its time.
    pub waits: Option<String>,
}

impl Decision<'_> {
    /// The same with a state of its own.
    #[must_use]
    pub fn into_owned(self) -> Decision<'static> {
        let Self { state, changed, act, deadline, actions, standing, ready, waits } = self;
        Decision { state: Cow::Owned(state.into_owned()), changed, act, deadline, actions, standing, ready, waits }
    }
}

/// A process as one look takes it.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What the registry says.
    pub spec: &'a Spec,
    /// What was remembered.
    pub state: &'a State,
    /// The time.
    pub now: &'a Stamp,
}

/// Decides what follows from `evidence`, which was observed of the open run (`None`: none is open). Pure and idempotent: deciding again on the returned state, with nothing new observed, changes nothing.
#[must_use]
pub fn decide<'a>(look: Look<'a>, evidence: Option<&Evidence>) -> Decision<'a> {
    decide_later(look, evidence, Duration::ZERO)
}

/// The same, with a start that would follow now put off by `later`; see [`super::stagger`].
#[must_use]
pub fn decide_later<'a>(look: Look<'a>, evidence: Option<&Evidence>, later: Duration) -> Decision<'a> {
    decide_needing(look, evidence, later, &[])
}

/// The same for a process that depends on `needs`, as they stand now; see [`super::needs`].
#[must_use]
pub fn decide_needing<'a>(
    look: Look<'a>,
    evidence: Option<&Evidence>,
    later: Duration,
    needs: &'a [Need],
) -> Decision<'a> {
    let mut next = Draft { later, needs, ..Draft::new(look) };
    match (&look.state.phase, evidence) {
        (Phase::Open(open), Some(evidence)) => {
            let standing = standing(look.spec, open, evidence);
            next.standing = Some(standing.clone());
            match standing {
                Standing::Ended(found) => {
                    next.ends_all = evidence.ends_all;
                    settle(&mut next, open, *found, evidence.tail.as_deref());
                }
                Standing::NeverBegan if look.state.desired == Desired::Up && !look.state.foreground => {
                    next.act = Act::Launch
                }
                Standing::NeverBegan => next.edit().phase = Phase::Stopped,
                Standing::Starting => next.ready = Some(false),
                Standing::Running => running(&mut next, open, evidence),
                Standing::Unsupervised => unsupervised(&mut next, open, evidence),
                Standing::Remnants => remnants(&mut next, open),
                Standing::Closing | Standing::Uncertain(_) => {}
            }
        }
        (Phase::Waiting { until } | Phase::Tripped { until, .. }, _) if stays_down(look, until) => {
            next.edit().phase = Phase::Dead;
            if let Some(last) = &mut next.edit().last {
                last.action = LEFT_DOWN.to_owned();
            }
        }
        (Phase::Waiting { until }, _) => match (look.state.desired, look.now.has_reached(until)) {
            (Desired::Up, true) if next.may_launch() => {
                let began = schedule::reason(&mut next);
                next.launch(began);
            }
            (Desired::Up, true) => next.hold_back(),
            (Desired::Up, false) => next.at(until.clone()),
            (Desired::Down, _) => next.edit().phase = Phase::Stopped,
        },
        (Phase::Tripped { until, .. }, _) => match (look.state.desired, look.now.has_reached(until)) {
            (Desired::Up, true) if next.may_launch() => {
                next.launch(Began::Trial);
                next.actions.push("half_open");
                let event = next.event(EventKind::HalfOpen, Severity::Info, Some(next.state.run));
                next.tell(Event { action: "the breaker lets one run try".to_owned(), ..event });
            }
            (Desired::Up, true) => next.hold_back(),
            (Desired::Up, false) => next.at(until.clone()),
            (Desired::Down, _) => next.edit().phase = Phase::Stopped,
        },
        (Phase::Dead, _) if comes_back_with_the_machine(look) => next.launch_or_hold_back(Began::Restart),
        (Phase::Open(_), None) | (Phase::New | Phase::Completed | Phase::Stopped | Phase::Dead, _) => {}
    }
    if !look.state.foreground {
        schedule::keep(&mut next);
    }
    next.done()
}

/// Whether a start that was due when the machine went down is not made up for.
fn stays_down(look: Look<'_>, until: &Stamp) -> bool {
    look.state.desired == Desired::Up
        && look.spec.on_boot == OnBoot::Never
        && look.spec.schedule.is_none()
        && until.boot != look.now.boot
}

/// Whether a process that policy had given up is tried again because the machine came up anew: a new boot may have
/// mended what was wrong. A job that failed has had its turn; one with a schedule has its next time.
fn comes_back_with_the_machine(look: Look<'_>) -> bool {
    let earlier_boot = look.state.last.as_ref().is_some_and(|last| last.began.boot != look.now.boot);
    let wanted = look.state.desired == Desired::Up && look.spec.target != Target::Exit && look.spec.schedule.is_none();
    wanted
        && !look.state.foreground
        && earlier_boot
        && look.spec.on_boot == OnBoot::Start
        && look.spec.restart != Restart::Never
}

/// The event that the open run began as process `pid`; `None`: no run is open.
///
/// It is dated by when the run was opened: by the time that it is told, the run may have ended, and no history says that it
/// ended before it began.
#[must_use]
pub fn began(look: Look<'_>, pid: i32) -> Option<Event> {
    let open = look.state.open()?;
    Some(Draft::new(look).began(open, Some(pid), open.since.wall))
}

/// A run that lives: its start is told once, its health noted, its limits kept.
fn running(next: &mut Draft<'_>, open: &OpenRun, evidence: &Evidence) {
    let Recorded::Read(record) = &evidence.record else { return };
    let Some(began) = record.began.clone() else { return };
    let mut open = open.clone();
    next.limits(&mut open, &began);
    readiness::keep(next, &mut open, record, &began);
    progress::keep(next, &mut open, record, evidence);
    liveness::keep(next, &mut open, record, evidence);
    needs::keep(next, &mut open);
    next.healthy(&mut open, &began);
    history::keep(next, &mut open, &began);
    if Some(&open) != next.look.state.open() {
        next.edit().phase = Phase::Open(open);
    }
}

/// A run whose shim is gone: told once, limits kept, and taken over by a new shim where the platform has the means.
fn unsupervised(next: &mut Draft<'_>, open: &OpenRun, evidence: &Evidence) {
    running(next, open, evidence);
    if next.act == Act::None {
        next.act = Act::TakeOver;
    }
    if open.unsupervised {
        return;
    }
    if let Phase::Open(open) = &mut next.edit().phase {
        open.unsupervised = true;
    }
    let event = next.event(EventKind::Unsupervised, Severity::Warning, Some(open.run));
    next.tell(Event {
        action: "it lives on; a new shim takes it over where the kernel allows that, and nothing is started beside it"
            .to_owned(),
        detail: "its shim is gone: who sent it signals until the takeover is not known".to_owned(),
        ..event
    });
}

/// Shim and main process are gone together; what they left is cleared before anything is started.
fn remnants(next: &mut Draft<'_>, open: &OpenRun) {
    let asked = open.stopping.as_ref().map(|stopping| stopping.since.plus(next.look.spec.grace));
    if asked.is_none_or(|until| next.look.now.has_reached(&until)) {
        next.act = Act::Kill;
        next.actions.push("killed");
    }
}
