//! A decision while it is being made, and the steps that several decisions share.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::ending::StopReason;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::state::{Began, Incident, OpenRun, Phase, State, Stopping};
use crate::model::time::{Stamp, Wall};

use super::classify::{Standing, target_at};
use super::decide::{Act, Decision, Look};
use super::needs::{Need, ties};
use super::{history, progress, schedule};

/// A decision while it is being made.
pub(super) struct Draft<'a> {
    pub(super) look: Look<'a>,
    /// A start that is due now is put off by this.
    pub(super) later: Duration,
    /// The end is part of a shutdown, and says nothing about the process.
    pub(super) ends_all: bool,
    /// What it depends on, as that stands now.
    pub(super) needs: &'a [Need],
    /// What a start that is due waits for.
    pub(super) waits: Option<String>,
    pub(super) state: Cow<'a, State>,
    pub(super) act: Act,
    pub(super) deadline: Option<Stamp>,
    pub(super) actions: Vec<&'static str>,
    pub(super) standing: Option<Standing>,
    pub(super) ready: Option<bool>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(look: Look<'a>) -> Self {
        Self {
            look,
            later: Duration::ZERO,
            ends_all: false,
            needs: &[],
            waits: None,
            state: Cow::Borrowed(look.state),
            act: Act::None,
            deadline: None,
            actions: Vec::new(),
            standing: None,
            ready: None,
        }
    }

    pub(super) fn done(self) -> Decision<'a> {
        let changed = matches!(&self.state, Cow::Owned(state) if state != self.look.state);
        let Self { state, act, deadline, actions, standing, ready, waits, .. } = self;
        Decision { state, changed, act, deadline, actions, standing, ready, waits }
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
        match began {
            Began::Operator => {}
            Began::Schedule { .. } => self.actions.push("started"),
            Began::Restart | Began::Trial => {
                self.edit().restarts += 1;
                self.edit().tally.restarts += 1;
                let now = self.look.now.clone();
                self.edit().restarted_at.push(now);
                self.actions.push("restarted");
            }
        }
        let (run, since) = (self.state.run, self.look.now.clone());
        let slow_after_ms = history::slow_after_ms(self.look.spec, &self.state);
        let against = ties(self.needs);
        self.edit().phase = Phase::Open(OpenRun { slow_after_ms, against, ..OpenRun::new(run, since, began) });
        self.act = Act::Launch;
    }

    /// The event that a run began, for whoever learns of it: the launcher at once, the end of the run again, under one id.
    pub(super) fn began(&self, open: &OpenRun, pid: Option<i32>, at: Wall) -> Event {
        let (kind, action) = match open.began {
            Began::Operator => (EventKind::Started, String::new()),
            Began::Schedule { occurrence } => (EventKind::Started, schedule::words(occurrence, open.since.wall)),
            Began::Restart | Began::Trial => (EventKind::Restarted, String::new()),
        };
        Event { pid, at, action, ..self.event(kind, Severity::Info, Some(open.run)) }
    }

    pub(super) fn healthy(&mut self, open: &mut OpenRun, began: &Stamp) {
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
        self.edit().starts.clear();
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
        open.stopping = Some(Stopping { reason, since: self.look.now.clone(), by: None, because: String::new() });
        self.act = Act::Ask;
        self.actions.push("killed");
        self.at(self.look.now.plus(self.look.spec.grace));
        let event = self.event(EventKind::Killed, Severity::Info, Some(open.run));
        self.tell(Event { action: reason.action().to_owned(), ..event });
    }

    pub(super) fn limits(&mut self, open: &mut OpenRun, began: &Stamp) {
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
