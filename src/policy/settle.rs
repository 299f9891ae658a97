//! What follows from an end: told, counted, and then restarted, delayed, tripped or left.

use std::time::Duration;

use crate::model::ending::{Cause, EndedRun, StopReason, Verdict};
use crate::model::event::{Event, EventKind, Leaves, Severity};
use crate::model::evidence::Left;
use crate::model::spec::{OnBoot, OnHang, Restart, Spec};
use crate::model::state::{Began, Desired, Incident, OpenRun, Phase};
use crate::model::units::{human_duration, seconds};

use super::breaker::{Breaker, Happening, cooldown, limit_reached, never};
use super::classify::{Found, judge, told_at};
use super::draft::Draft;
use super::needs::missing;
use super::{backoff, history, schedule, signature};

/// Begins what is said of a restart that is about to be tried; once it was, what became of it is said instead.
pub const RESTARTING: &str = "restarting at once";

/// Said of what is not started again because the machine was.
pub(super) const LEFT_DOWN: &str = "not started after a reboot: `on_boot` is `never`";

/// Said of what `guardian exec` runs.
const ELSEWHERE: &str = "not restarted here: whoever runs `guardian exec` does that";

/// What follows an end.
enum Next {
    /// The target is met, nothing follows.
    Complete,
    /// Somebody stopped it.
    StayStopped,
    /// Nothing follows, for this reason.
    GiveUp(String),
    /// The run of the next time, which waits for this end.
    MakeRoom,
    /// Another run, after this delay.
    Restart(Duration),
    /// The breaker opens, for this reason.
    Trip(String),
}

/// The open run is over: it is judged and the process goes on to what follows. `tail`: the last lines that it wrote.
pub(super) fn settle(next: &mut Draft<'_>, open: &OpenRun, found: Found, tail: Option<&[String]>) {
    let mut ended = judge(next.look.spec, open, found, next.look.now);
    let breaker = count(next, open, &ended, tail);
    let what = match follows(next, open, &ended, breaker) {
        Next::Restart(delay) => Next::Restart(delay.max(next.later)),
        what @ (Next::Complete | Next::StayStopped | Next::GiveUp(_) | Next::MakeRoom | Next::Trip(_)) => what,
    };
    next.waits = missing(next.needs).filter(|_| matches!(what, Next::Restart(_)));
    ended.action = because(open, &ended, describe(&what, next, &ended));
    tell_history(next, open, &ended);
    tell_verdict(next, &ended, &what);
    match ended.verdict {
        Verdict::Premature | Verdict::Failed => open_incident(next, &ended),
        Verdict::Completed => next.well(Some(ended.run)),
        Verdict::Stopped => {}
    }
    next.edit().tally.count(ended.verdict);
    apply(next, what, breaker);
    next.edit().last = Some(ended);
}

/// Counts the end as a failure or as a run that was well, and says where the breaker stands after it.
fn count(next: &mut Draft<'_>, open: &OpenRun, ended: &EndedRun, tail: Option<&[String]>) -> Breaker {
    let spec = next.look.spec;
    let mut breaker = Breaker::of(&next.state);
    if was_healthy(spec, open, ended) {
        breaker = breaker.after(Happening::Well);
        next.edit().failures = 0;
        next.edit().backoffs = 0;
        next.edit().trips = 0;
    }
    history::remember(next.edit(), ended, spec);
    match ended.verdict {
        Verdict::Completed => {
            next.edit().failure = None;
            breaker.after(Happening::Well)
        }
        Verdict::Stopped => breaker.after(Happening::Lifted),
        // It says nothing about the process: a trial goes on as one.
        Verdict::Premature | Verdict::Failed if ended.cause == Cause::Reboot || next.ends_all => breaker,
        Verdict::Premature | Verdict::Failed => {
            next.edit().failures = next.state.failures.saturating_add(1);
            next.edit().failure = signature::failure(next.state.failure.as_ref(), ended.run, &ended.cause, tail);
            let limit = limit_reached(spec, &next.state, next.look.now);
            breaker.after(if limit.is_some() { Happening::TooOften } else { Happening::Failed })
        }
    }
}

/// Whether the run stayed up for `healthy_after`: seen while it did, or known from its length.
fn was_healthy(spec: &Spec, open: &OpenRun, ended: &EndedRun) -> bool {
    let hung = matches!(ended.cause, Cause::Hung { .. }); // part of its time it only lived
    open.healthy || (!hung && ended.ran().is_some_and(|ran| ran >= spec.healthy_after))
}

fn follows(next: &Draft<'_>, open: &OpenRun, ended: &EndedRun, breaker: Breaker) -> Next {
    let spec = next.look.spec;
    if schedule::makes_room(next, open.stopping.as_ref().map(|stopping| stopping.reason)) {
        return Next::MakeRoom;
    }
    if next.state.foreground {
        return match ended.verdict {
            Verdict::Completed => Next::Complete,
            Verdict::Stopped => Next::StayStopped,
            Verdict::Premature | Verdict::Failed => Next::GiveUp(ELSEWHERE.to_owned()),
        };
    }
    let shutdown = open.stopping.as_ref().is_some_and(|stopping| stopping.reason == StopReason::Shutdown);
    let wanted = match (spec.restart, ended.verdict) {
        // What comes after it is a boot.
        (restart, Verdict::Stopped) if shutdown && next.state.desired == Desired::Up => {
            return match (restart, spec.on_boot) {
                (Restart::Never, _) => Next::GiveUp("not restarted: `restart` is `never`".to_owned()),
                (_, OnBoot::Never) => Next::GiveUp(LEFT_DOWN.to_owned()),
                (_, OnBoot::Start | OnBoot::Laststate) => Next::Restart(Duration::ZERO),
            };
        }
        // A restart that was cut short between its two halves.
        (_, Verdict::Stopped) if next.state.desired == Desired::Up => return Next::Restart(Duration::ZERO),
        (_, Verdict::Stopped) => return Next::StayStopped,
        (Restart::Never, _) => false,
        (Restart::Premature, verdict) => verdict == Verdict::Premature || ended.cause == Cause::Reboot,
        (Restart::OnFailure, verdict) => verdict != Verdict::Completed,
        (Restart::Always, _) => true,
    };
    let rebooted = ended.cause == Cause::Reboot;
    match ended.verdict {
        Verdict::Completed if !wanted => return Next::Complete,
        Verdict::Completed | Verdict::Premature | Verdict::Failed | Verdict::Stopped => {}
    }
    if next.state.desired == Desired::Down {
        return Next::StayStopped;
    }
    if (rebooted || ended.began.boot != next.look.now.boot) && spec.on_boot == OnBoot::Never {
        return Next::GiveUp(LEFT_DOWN.to_owned());
    }
    if !wanted {
        return Next::GiveUp(format!("not restarted: `restart` is `{}`", restart_word(spec.restart)));
    }
    if matches!(ended.cause, Cause::Hung { .. }) && spec.on_hang == OnHang::Kill {
        return Next::GiveUp("not restarted: it hung, and `on_hang` is `kill`".to_owned());
    }
    if let Some(reason) = never(spec, &ended.cause) {
        return Next::GiveUp(reason);
    }
    if rebooted || next.ends_all {
        return Next::Restart(Duration::ZERO);
    }
    if ended.verdict == Verdict::Completed {
        let short = ended.ran().is_none_or(|ran| ran < spec.backoff);
        return Next::Restart(if short { spec.backoff } else { Duration::ZERO });
    }
    match breaker {
        Breaker::Open => {
            let trial = open.began == Began::Trial && !was_healthy(spec, open, ended);
            let limit = limit_reached(spec, &next.state, next.look.now).filter(|_| !trial);
            Next::Trip(limit.unwrap_or_else(|| "the trial run failed as well".to_owned()))
        }
        Breaker::Closed | Breaker::HalfOpen if was_healthy(spec, open, ended) => Next::Restart(Duration::ZERO),
        Breaker::Closed | Breaker::HalfOpen => {
            let seed = backoff::seed(next.look.name.as_str(), ended.run);
            // An end that nobody recorded was waited for already: it lies between the start and now.
            let ran = ended.ran().unwrap_or_else(|| next.look.now.since(&ended.began));
            Next::Restart(backoff::delay(spec, next.state.failures, next.state.backoffs, ran, seed))
        }
    }
}

fn restart_word(restart: Restart) -> &'static str {
    match restart {
        Restart::Premature => "premature",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
        Restart::Never => "never",
    }
}

fn describe(what: &Next, next: &Draft<'_>, ended: &EndedRun) -> String {
    match what {
        Next::Complete => "nothing follows: the target is met".to_owned(),
        Next::StayStopped => "stays down, as asked".to_owned(),
        Next::GiveUp(reason) => reason.clone(),
        Next::Restart(Duration::ZERO) if let Some(waits) = &next.waits => {
            format!("run {} waits for {waits}", ended.run + 1)
        }
        Next::MakeRoom => "the next run of its schedule follows: `overlap` is `kill`".to_owned(),
        Next::Restart(Duration::ZERO) => format!("{RESTARTING} as run {}", ended.run + 1),
        Next::Restart(delay) => format!("restart as run {} in {}", ended.run + 1, human_duration(*delay)),
        Next::Trip(reason) => {
            format!(
                "breaker open, no restart for {}: {reason}",
                human_duration(cooldown(next.look.spec, next.state.trips))
            )
        }
    }
}

/// What was done, after why guardian ended the run where its cause does not say that.
fn because(open: &OpenRun, ended: &EndedRun, action: String) -> String {
    match &open.stopping {
        Some(stopping) if ended.verdict == Verdict::Stopped && !stopping.because.is_empty() => {
            format!("stopped {}; {action}", stopping.because)
        }
        Some(_) | None => action,
    }
}

/// The facts, for the history: each signal, the start if nobody told it yet, the end.
fn tell_history(next: &mut Draft<'_>, open: &OpenRun, ended: &EndedRun) {
    if ended.pid.is_some() && !matches!(ended.cause, Cause::SpawnFailed { .. }) {
        next.tell(next.began(open, ended.pid, ended.began.wall));
    }
    for (index, signal) in ended.signals.iter().enumerate() {
        let event = next.event(EventKind::Signal, Severity::Info, Some(ended.run));
        next.tell(Event {
            id: format!("{}.{index}", event.id),
            at: signal.at,
            signals: vec![signal.clone()],
            by: signal.sender.clone(),
            pid: ended.pid,
            ..event
        });
    }
    let event = next.event(EventKind::Exited, Severity::Info, Some(ended.run));
    next.tell(Event { at: told_at(ended, next.look.now), ..about(event, ended) });
}

/// The verdict, and the breaker's if it opens.
fn tell_verdict(next: &mut Draft<'_>, ended: &EndedRun, what: &Next) {
    let (kind, severity) = match (ended.verdict, what) {
        (Verdict::Completed, _) => (EventKind::Completed, Severity::Info),
        (Verdict::Stopped, _) => (EventKind::Stopped, Severity::Info),
        (Verdict::Failed, Next::Trip(_)) => (EventKind::Failed, Severity::Critical),
        (Verdict::Failed, _) => (EventKind::Failed, Severity::Warning),
        (Verdict::Premature, Next::Trip(_) | Next::GiveUp(_)) => (EventKind::Premature, Severity::Critical),
        (Verdict::Premature, _) => (EventKind::Premature, Severity::Warning),
    };
    let failures = (next.state.failures > 0).then_some(next.state.failures);
    let failure = next.state.failure.as_ref().filter(|failure| failure.run == ended.run);
    let alike = failure.and_then(signature::sentence).unwrap_or_default();
    let event = about(next.event(kind, severity, Some(ended.run)), ended);
    let next_at = match what {
        Next::Restart(Duration::ZERO) => None,
        Next::Restart(delay) => Some(next.look.now.plus(*delay).wall),
        Next::Trip(_) => Some(next.look.now.plus(cooldown(next.look.spec, next.state.trips)).wall),
        Next::Complete | Next::StayStopped | Next::GiveUp(_) | Next::MakeRoom => None,
    };
    let leaves = match what {
        Next::GiveUp(_) if next.look.spec.schedule.is_none() => Some(Leaves::GivenUp),
        Next::Trip(_) => Some(Leaves::GivenUp),
        Next::StayStopped => Some(Leaves::Down),
        Next::Complete | Next::GiveUp(_) | Next::MakeRoom | Next::Restart(_) => None,
    };
    next.tell(Event { failures, alike: alike.clone(), leaves, next_at, ..event });
    if let Next::Trip(reason) = what {
        let event = about(next.event(EventKind::Tripped, Severity::Critical, Some(ended.run)), ended);
        next.tell(Event { failures, alike, next_at, detail: reason.clone(), ..event });
    }
}

fn about(event: Event, ended: &EndedRun) -> Event {
    Event {
        cause: Some(ended.cause.clone()),
        verdict: Some(ended.verdict),
        ran_s: ended.ran().map(seconds),
        action: ended.action.clone(),
        signals: ended.signals.clone(),
        by: ended.stopped_by.clone(),
        pid: ended.pid,
        detail: ended.left.as_ref().map(Left::sentence).unwrap_or_default(),
        ..event
    }
}

fn open_incident(next: &mut Draft<'_>, ended: &EndedRun) {
    if next.state.desired == Desired::Down {
        return;
    }
    let since = next.look.now.clone();
    let incident = next.edit().incident.get_or_insert(Incident { run: ended.run, since, ends: 0 });
    incident.ends = incident.ends.saturating_add(1);
}

fn apply(next: &mut Draft<'_>, what: Next, breaker: Breaker) {
    let now = next.look.now;
    match what {
        Next::Complete => next.edit().phase = Phase::Completed,
        Next::StayStopped => next.edit().phase = Phase::Stopped,
        Next::GiveUp(_) | Next::MakeRoom => next.edit().phase = Phase::Dead,
        Next::Restart(Duration::ZERO) if next.waits.is_some() => {
            let (since, until) = (now.clone(), now.clone());
            next.edit().phase = match breaker {
                Breaker::HalfOpen => Phase::Tripped { since, until },
                Breaker::Closed | Breaker::Open => Phase::Waiting { until },
            };
        }
        Next::Restart(Duration::ZERO) if breaker == Breaker::HalfOpen => next.launch(Began::Trial),
        Next::Restart(Duration::ZERO) => next.launch(Began::Restart),
        Next::Restart(delay) if breaker == Breaker::HalfOpen => {
            next.waits = None; // first for its time
            let until = now.plus(delay);
            next.at(until.clone());
            next.edit().phase = Phase::Tripped { since: now.clone(), until };
        }
        Next::Restart(delay) => {
            next.waits = None; // first for its time
            let until = now.plus(delay);
            if delay > next.later {
                next.edit().backoffs = next.state.backoffs.saturating_add(1);
            }
            next.at(until.clone());
            next.edit().phase = Phase::Waiting { until };
        }
        Next::Trip(_) => {
            let until = now.plus(cooldown(next.look.spec, next.state.trips));
            next.edit().trips = next.state.trips.saturating_add(1);
            next.actions.push("tripped");
            next.at(until.clone());
            next.edit().phase = Phase::Tripped { since: now.clone(), until };
        }
    }
    let window = next.look.spec.window;
    next.edit().restarted_at.retain(|at| now.since(at) < window);
}
