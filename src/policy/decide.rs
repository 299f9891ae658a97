//! From what is so to what is done: the whole behaviour of guardian for one process.
//!
//! [`decide`] returns the next state, the events that follow and one act. The driver commits state
//! and events together and only then acts, so doing it again after a crash is doing it once.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::ending::{Sender, StopReason};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::evidence::{Evidence, Recorded};
use crate::model::name::Name;
use crate::model::spec::{OnBoot, Restart, Spec, Target};
use crate::model::state::{Began, Desired, Incident, OpenRun, Phase, State, Stopping};
use crate::model::time::{Stamp, Wall};

use super::classify::{Standing, standing, target_at};
use super::settle::settle;
use super::{progress, readiness};

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
    let mut next = Draft { later, ..Draft::new(look) };
    match (&look.state.phase, evidence) {
        (Phase::Open(open), Some(evidence)) => {
            let standing = standing(look.spec, open, evidence);
            next.standing = Some(standing.clone());
            match standing {
                Standing::Ended(found) => settle(&mut next, open, *found),
                Standing::NeverBegan if look.state.desired == Desired::Up => next.act = Act::Launch,
                Standing::NeverBegan => next.edit().phase = Phase::Stopped,
                Standing::Starting => next.ready = Some(false),
                Standing::Running => running(&mut next, open, evidence),
                Standing::Unsupervised => unsupervised(&mut next, open, evidence),
                Standing::Remnants => remnants(&mut next, open),
                Standing::Closing | Standing::Uncertain(_) => {}
            }
        }
        (Phase::Waiting { until }, _) => match (look.state.desired, look.now.has_reached(until)) {
            (Desired::Up, true) => next.launch_or_put_off(Began::Restart),
            (Desired::Up, false) => next.at(until.clone()),
            (Desired::Down, _) => next.edit().phase = Phase::Stopped,
        },
        (Phase::Tripped { until, .. }, _) => match (look.state.desired, look.now.has_reached(until)) {
            (Desired::Up, true) if !later.is_zero() => next.launch_or_put_off(Began::Trial),
            (Desired::Up, true) => {
                next.launch(Began::Trial);
                next.actions.push("half_open");
                let event = next.event(EventKind::HalfOpen, Severity::Info, Some(next.state.run));
                next.tell(Event { action: "the breaker lets one run try".to_owned(), ..event });
            }
            (Desired::Up, false) => next.at(until.clone()),
            (Desired::Down, _) => next.edit().phase = Phase::Stopped,
        },
        (Phase::Dead, _) if comes_back_with_the_machine(look) => next.launch_or_put_off(Began::Restart),
        (Phase::Open(_), None) | (Phase::New | Phase::Completed | Phase::Stopped | Phase::Dead, _) => {}
    }
    next.done()
}

/// Whether a process that policy had given up is tried again because the machine came up anew: a new boot may have
/// mended what was wrong. A job that failed has had its turn.
fn comes_back_with_the_machine(look: Look<'_>) -> bool {
    let earlier_boot = look.state.last.as_ref().is_some_and(|last| last.began.boot != look.now.boot);
    let wanted = look.state.desired == Desired::Up && look.spec.target != Target::Exit;
    wanted && earlier_boot && look.spec.on_boot == OnBoot::Start && look.spec.restart != Restart::Never
}

/// The event that the open run began as process `pid`; `None`: no run is open.
#[must_use]
pub fn began(look: Look<'_>, pid: i32) -> Option<Event> {
    let open = look.state.open()?;
    Some(Draft::new(look).began(open, Some(pid), look.now.wall))
}

/// The operator starts it: the slate is clean and a run opens.
#[must_use]
pub fn start(look: Look<'_>) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().desired = Desired::Up;
    next.edit().failures = 0;
    next.edit().trips = 0;
    next.edit().backoffs = 0;
    next.edit().restarts = 0;
    next.edit().restarted_at.clear();
    next.launch(Began::Operator);
    next.done()
}

/// The operator stops it. With a run open, the run is asked to end; else only the wish is kept.
///
/// `then` is what is desired after that: `Up` is the first half of a restart, which whoever finds it
/// unfinished completes, so that a restart that is killed half-way leaves nothing down.
#[must_use]
pub fn stop(look: Look<'_>, by: Option<Sender>, then: Desired) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().desired = then;
    next.edit().incident = None; // the operator knows: no recovery is told
    match (&look.state.phase, then) {
        (Phase::Open(open), _) => {
            // Asked before: the run may have ended since, at that stop and not at this one.
            let earlier = open.stopping.clone().filter(|stopping| stopping.reason == StopReason::Operator);
            let since = look.now.clone();
            let stopping = earlier.unwrap_or(Stopping { reason: StopReason::Operator, since, by });
            next.edit().phase = Phase::Open(OpenRun { stopping: Some(stopping), ..open.clone() });
            next.act = Act::Ask;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Down) => {
            next.edit().phase = Phase::Stopped;
        }
        (Phase::Waiting { .. } | Phase::Tripped { .. } | Phase::Dead, Desired::Up) => {}
        (Phase::New | Phase::Completed | Phase::Stopped, _) => {}
    }
    next.done()
}

/// The operator closes the breaker and forgets failures; nothing is started.
#[must_use]
pub fn reset(look: Look<'_>) -> Decision<'_> {
    let mut next = Draft::new(look);
    next.edit().failures = 0;
    next.edit().trips = 0;
    next.edit().backoffs = 0;
    next.edit().restarted_at.clear();
    if matches!(look.state.phase, Phase::Tripped { .. }) {
        next.edit().phase = Phase::Dead;
    }
    next.done()
}

/// A run that lives: its start is told once, its health noted, its limits kept.
fn running(next: &mut Draft<'_>, open: &OpenRun, evidence: &Evidence) {
    let Recorded::Read(record) = &evidence.record else { return };
    let Some(began) = record.began.clone() else { return };
    let mut open = open.clone();
    next.limits(&mut open, &began);
    readiness::keep(next, &mut open, record, &began);
    progress::keep(next, &mut open, record, evidence);
    next.healthy(&mut open, &began);
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

/// A decision while it is being made.
pub(super) struct Draft<'a> {
    pub(super) look: Look<'a>,
    /// A start that is due now is put off by this.
    pub(super) later: Duration,
    pub(super) state: Cow<'a, State>,
    pub(super) act: Act,
    pub(super) deadline: Option<Stamp>,
    pub(super) actions: Vec<&'static str>,
    pub(super) standing: Option<Standing>,
    pub(super) ready: Option<bool>,
}

impl Decision<'_> {
    /// The same with a state of its own.
    #[must_use]
    pub fn into_owned(self) -> Decision<'static> {
        let Self { state, changed, act, deadline, actions, standing, ready } = self;
        Decision { state: Cow::Owned(state.into_owned()), changed, act, deadline, actions, standing, ready }
    }
}

impl<'a> Draft<'a> {
    fn new(look: Look<'a>) -> Self {
        Self {
            look,
            later: Duration::ZERO,
            state: Cow::Borrowed(look.state),
            act: Act::None,
            deadline: None,
            actions: Vec::new(),
            standing: None,
            ready: None,
        }
    }

    fn done(self) -> Decision<'a> {
        let changed = matches!(&self.state, Cow::Owned(state) if state != self.look.state);
        let Self { state, act, deadline, actions, standing, ready, .. } = self;
        Decision { state, changed, act, deadline, actions, standing, ready }
    }

    /// The state, to be changed.
    pub(super) fn edit(&mut self) -> &mut State {
        self.state.to_mut()
    }

    /// The earliest deadline wins.
    pub(super) fn at(&mut self, when: Stamp) {
        if self.deadline.as_ref().is_none_or(|earlier| when.boot_ms < earlier.boot_ms) {
            self.deadline = Some(when);
        }
    }

    /// An event about this process, now, with nothing but the basics.
    pub(super) fn event(&self, kind: EventKind, severity: Severity, run: Option<u64>) -> Event {
        let Look { name, spec, now, .. } = self.look;
        let id = format!("{name}.{}.{}.{}", self.state.epoch, run.unwrap_or(self.state.run), kind.word());
        Event {
            run,
            group: spec.group.clone(),
            target_s: spec.target_s(),
            notify: spec.notify.clone(),
            ..Event::new(id, now.wall, name, kind, severity)
        }
    }

    /// The event goes into the commit; one that is already in there is not doubled.
    pub(super) fn tell(&mut self, event: Event) {
        if !self.state.pending.iter().any(|earlier| earlier.id == event.id) {
            self.edit().pending.push(event);
        }
    }

    /// A new run opens and is launched after the commit.
    pub(super) fn launch(&mut self, began: Began) {
        self.edit().run += 1;
        if began != Began::Operator {
            self.edit().restarts += 1;
            let now = self.look.now.clone();
            self.edit().restarted_at.push(now);
            self.actions.push("restarted");
        }
        let (run, since) = (self.state.run, self.look.now.clone());
        self.edit().phase = Phase::Open(OpenRun::new(run, since, began));
        self.act = Act::Launch;
    }

    /// The event that a run began, for whoever learns of it: the launcher at once, the end of the run again, under one id.
    pub(super) fn began(&self, open: &OpenRun, pid: Option<i32>, at: Wall) -> Event {
        let kind = match open.began {
            Began::Operator => EventKind::Started,
            Began::Restart | Began::Trial => EventKind::Restarted,
        };
        Event { pid, at, ..self.event(kind, Severity::Info, Some(open.run)) }
    }

    fn healthy(&mut self, open: &mut OpenRun, began: &Stamp) {
        let at = began.plus(self.look.spec.healthy_after);
        if open.healthy || open.stopping.is_some() {
            return;
        }
        if !self.look.now.has_reached(&at) {
            self.at(at);
            return;
        }
        if !progress::is_well(self.look.spec, open) {
            return; // each look at its progress asks again
        }
        open.healthy = true;
        self.well(Some(open.run));
    }

    /// The process is well: failures are forgotten, an open incident is over and told so.
    pub(super) fn well(&mut self, run: Option<u64>) {
        self.edit().failures = 0;
        self.edit().trips = 0;
        self.edit().backoffs = 0;
        if let Some(Incident { run: first, since, ends }) = self.edit().incident.take() {
            let down = self.look.now.since(&since);
            let event = self.event(EventKind::Recovered, Severity::Info, run);
            let detail = format!(
                "well again after {}, {ends} bad end{} since run {first}",
                crate::model::units::human_duration(down),
                if ends == 1 { "" } else { "s" }
            );
            self.tell(Event { detail, ..event });
        }
    }

    /// The open run is asked to end, for a reason of guardian's own.
    pub(super) fn end(&mut self, open: &mut OpenRun, reason: StopReason) {
        open.stopping = Some(Stopping { reason, since: self.look.now.clone(), by: None });
        self.act = Act::Ask;
        self.actions.push("killed");
        self.at(self.look.now.plus(self.look.spec.grace));
        let event = self.event(EventKind::Killed, Severity::Info, Some(open.run));
        self.tell(Event { action: reason.action().to_owned(), ..event });
    }

    fn limits(&mut self, open: &mut OpenRun, began: &Stamp) {
        if let Some(stopping) = &open.stopping {
            let kill_at = stopping.since.plus(self.look.spec.grace);
            if self.look.now.has_reached(&kill_at) {
                self.act = Act::Kill;
                self.actions.push("killed");
                self.at(self.look.now.plus(Duration::from_secs(1))); // until nothing of it is left
            } else {
                self.at(kill_at);
            }
            return;
        }
        let limit = self.look.spec.time_limit.map(|limit| (began.plus(limit), StopReason::TimeLimit));
        let target = target_at(self.look.spec, began)
            .filter(|_| self.look.spec.stop_at_target)
            .map(|at| (at, StopReason::Target));
        for (at, reason) in limit.into_iter().chain(target) {
            if !self.look.now.has_reached(&at) {
                self.at(at);
            } else if open.stopping.is_none() {
                self.end(open, reason);
            }
        }
    }
}
