//! What follows from a look at something watched: told once, its action run within limits, its recovery told.
//!
//! The state is committed before an action is run, so one that is cut short was run as far as anybody can tell, and counts.

use std::time::Duration;

use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::units::{format_duration, human_duration};
use crate::model::watch::WatchSpec;
use crate::model::watch_state::{Action, Breaker, Condition, Incident, WatchState};

use super::watch_judge::{Finding, Judged};

/// Longest time that a breaker stays open, however often it trips.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(6 * 3600);
/// A look counts as due this much before its time, so that a pass which is a moment early does not skip one.
const EARLY: Duration = Duration::from_secs(5);

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Which watch.
    pub name: &'a Name,
    /// What the registry says of it.
    pub spec: &'a WatchSpec,
    /// What is remembered of it.
    pub state: &'a WatchState,
    /// When it was looked at.
    pub now: &'a Stamp,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// To be committed.
    pub state: WatchState,
    /// Whether the action is to be run after that.
    pub act: bool,
}

/// Whether it is time for a look.
#[must_use]
pub fn is_due(spec: &WatchSpec, state: &WatchState, now: &Stamp) -> bool {
    let early = EARLY.min(spec.every / 10);
    state.looked.as_ref().is_none_or(|looked| looked.boot != now.boot || now.since(looked) + early >= spec.every)
}

/// Decides about one look.
#[must_use]
pub fn decide(look: Look<'_>, judged: &Judged) -> Decision {
    let mut next = Draft { look, state: look.state.clone(), act: false };
    let now = look.now;
    next.cut_short();
    next.state.looked = Some(now.clone());
    next.state.value.clone_from(&judged.value);
    next.state.age_s = judged.age.map(|age| age.as_secs());
    next.state.seen.clone_from(&judged.seen);
    next.state.acted.retain(|at| now.since(at) < look.spec.window);
    if next.state.acted.is_empty() {
        next.state.trips = 0;
    }
    match &judged.finding {
        Finding::Ok => next.well(),
        Finding::Bad(reason) => next.amiss(Condition::Bad, reason),
        Finding::Unknown(reason) => next.amiss(Condition::Unknown, reason),
    }
    Decision { state: next.state, act: next.act }
}

/// A decision while it is being made.
struct Draft<'a> {
    look: Look<'a>,
    state: WatchState,
    act: bool,
}

impl Draft<'_> {
    /// An action of which nobody wrote down how it ended was killed with whoever ran it.
    fn cut_short(&mut self) {
        let Some(action) = self.state.action.as_mut().filter(|action| action.succeeded.is_none()) else { return };
        if action.outcome.is_empty() {
            CUT_SHORT.clone_into(&mut action.outcome);
        }
        for event in self.state.pending.iter_mut().filter(|event| event.action == RUNNING) {
            CUT_SHORT.clone_into(&mut event.action);
        }
    }

    fn becomes(&mut self, condition: Condition) {
        if self.state.condition != condition {
            self.state.condition = condition;
            self.state.since = self.look.now.clone();
        }
    }

    fn well(&mut self) {
        self.state.failures = 0;
        self.state.reason.clear();
        self.state.last_ok = Some(self.look.now.clone());
        self.state.breaker = Breaker::Closed;
        self.becomes(Condition::Ok);
        if let Some(incident) = self.state.incident.take() {
            let down = human_duration(self.look.now.since(&incident.since));
            let actions = match incident.actions {
                0 => String::new(),
                1 => ", its action was run once".to_owned(),
                times => format!(", its action was run {times} times"),
            };
            let event = self.event(EventKind::Recovered, Severity::Info, 1);
            self.tell(Event { detail: format!("well again after {down}{actions}"), ..event });
        }
    }

    fn amiss(&mut self, condition: Condition, reason: &str) {
        self.state.failures = self.state.failures.saturating_add(1);
        reason.clone_into(&mut self.state.reason);
        if self.state.failures < self.look.spec.after {
            return;
        }
        self.becomes(condition);
        if self.state.incident.is_none() {
            self.state.incidents += 1;
        }
        let since = self.look.now.clone();
        let begun = Incident { since, told_bad: false, told_unknown: false, actions: 0, since_action: 0, trips: 0 };
        let mut incident = self.state.incident.take().unwrap_or(begun);
        let tell = match condition {
            // What is bad and then cannot be told is the same trouble.
            Condition::Unknown => !incident.told_bad && !std::mem::replace(&mut incident.told_unknown, true),
            Condition::Bad => !std::mem::replace(&mut incident.told_bad, true),
            Condition::Ok => false,
        };
        if condition == Condition::Bad {
            self.repair(&mut incident);
        }
        if tell {
            let nth = if incident.told_bad && incident.told_unknown { 2 } else { 1 };
            let event = self.event(EventKind::Failed, self.look.spec.severity, nth);
            let detail = match condition {
                Condition::Unknown => format!("it cannot be told: {reason}"),
                Condition::Bad | Condition::Ok => reason.to_owned(),
            };
            let action = self.says(&incident);
            self.tell(Event { detail, action, failures: Some(self.state.failures), ..event });
        }
        self.state.incident = Some(incident);
    }

    /// What is done about it, in words.
    fn says(&self, incident: &Incident) -> String {
        match (&self.look.spec.action, &self.state.breaker) {
            (None, _) => "guardian only looks at it; it has no action".to_owned(),
            (Some(_), _) if self.act => RUNNING.to_owned(),
            (Some(_), Breaker::Open { until }) => {
                format!("no action before {}: the breaker is open", until.wall)
            }
            (Some(_), Breaker::Closed | Breaker::HalfOpen) if incident.told_bad => String::new(),
            (Some(_), Breaker::Closed | Breaker::HalfOpen) => "no action while it cannot be told".to_owned(),
        }
    }

    /// Runs the action, unless one was just run or the breaker is against it.
    fn repair(&mut self, incident: &mut Incident) {
        let spec = self.look.spec;
        if spec.action.is_none() {
            return;
        }
        if incident.actions > 0 {
            incident.since_action = incident.since_action.saturating_add(1);
            if incident.since_action < spec.after {
                return; // it has its time to help
            }
        }
        let now = self.look.now;
        let recent = u32::try_from(self.state.acted.len()).unwrap_or(u32::MAX);
        match &self.state.breaker {
            Breaker::Open { until } if !now.has_reached(until) => return,
            Breaker::Open { .. } => {
                self.state.breaker = Breaker::HalfOpen;
                let event = self.event(EventKind::HalfOpen, Severity::Info, incident.trips);
                self.tell(event);
            }
            Breaker::HalfOpen => return self.trip(incident, "the action after the cooldown did not help either"),
            Breaker::Closed if spec.max_failures > 0 && recent >= spec.max_failures => {
                let times = if recent == 1 { "1 action".to_owned() } else { format!("{recent} actions") };
                let why = format!("{times} within {} did not keep it well", format_duration(spec.window));
                return self.trip(incident, &why);
            }
            Breaker::Closed => {}
        }
        incident.actions = incident.actions.saturating_add(1);
        incident.since_action = 0;
        self.state.acted.push(now.clone());
        self.state.action = Some(Action { at: now.clone(), succeeded: None, outcome: String::new() });
        self.act = true;
    }

    fn trip(&mut self, incident: &mut Incident, why: &str) {
        let factor = 1_u32.checked_shl(self.state.trips).unwrap_or(u32::MAX); // beyond 2^31 the cap decides
        let cooldown = self.look.spec.breaker_cooldown.saturating_mul(factor).min(LONGEST_COOLDOWN);
        self.state.trips = self.state.trips.saturating_add(1);
        incident.trips = incident.trips.saturating_add(1);
        self.state.breaker = Breaker::Open { until: self.look.now.plus(cooldown) };
        let failures = u32::try_from(self.state.acted.len()).ok();
        let event = self.event(EventKind::Tripped, Severity::Critical, incident.trips);
        let action = format!("breaker open, no action for {}: {why}", format_duration(cooldown));
        self.tell(Event { action, failures, detail: self.state.reason.clone(), ..event });
    }

    fn event(&self, kind: EventKind, severity: Severity, nth: u32) -> Event {
        event(self.look, &self.state, kind, severity, nth)
    }

    fn tell(&mut self, event: Event) {
        tell(&mut self.state, event);
    }
}

/// What is known of an action whose pass was killed.
const CUT_SHORT: &str = "its action was begun, and whoever ran it was killed";
/// Stands for the outcome of an action that is about to be run.
const RUNNING: &str = "its action is being run";

/// An event about a watch; the `nth` of its kind in the incident.
fn event(look: Look<'_>, state: &WatchState, kind: EventKind, severity: Severity, nth: u32) -> Event {
    let Look { name, spec, now, .. } = look;
    let nth = if nth > 1 { format!(".{nth}") } else { String::new() };
    let id = format!("{name}.{}.w{}.{}{nth}", state.epoch, state.incidents, kind.word());
    Event {
        group: spec.group.clone(),
        notify: spec.notify.clone(),
        watch: Some(spec.subject.word().to_owned()),
        ..Event::new(id, now.wall, name, kind, severity)
    }
}

/// The event goes into the commit; one that is already in there is not doubled.
fn tell(state: &mut WatchState, event: Event) {
    if !state.pending.iter().any(|earlier| earlier.id == event.id) {
        state.pending.push(event);
    }
}

/// The state once the action has ended: what became of it is told, and put into what is told with it.
#[must_use]
pub fn acted(look: Look<'_>, succeeded: bool, outcome: String) -> WatchState {
    let mut state = look.state.clone();
    let nth = state.incident.as_ref().map_or(1, |incident| incident.actions);
    let severity = if succeeded { Severity::Info } else { Severity::Warning };
    let event = event(look, &state, EventKind::Acted, severity, nth);
    for event in state.pending.iter_mut().filter(|event| event.action == RUNNING) {
        event.action.clone_from(&outcome);
    }
    let detail = state.reason.clone();
    tell(&mut state, Event { action: outcome.clone(), detail, ..event });
    if let Some(action) = &mut state.action {
        action.succeeded = Some(succeeded);
        action.outcome = outcome;
    }
    state
}

/// The operator closes the breaker and forgets actions; nothing is run.
#[must_use]
pub fn reset(state: &WatchState) -> WatchState {
    let mut state = WatchState { breaker: Breaker::Closed, trips: 0, acted: Vec::new(), ..state.clone() };
    if let Some(incident) = &mut state.incident {
        incident.since_action = 0;
    }
    state
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
