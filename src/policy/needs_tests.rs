//! What is there, what waits for it and what its end does, as tables.

use super::super::decide::{Act, Look, decide_needing};
use super::super::decide_tests::{after, at, ended, evidence, look, name, rebooted, record, spec, started};
use super::super::operator::{start_later, stop};
use super::*;
use crate::model::ending::{Verdict, WaitStatus};
use crate::model::event::EventKind;
use crate::model::evidence::{Evidence, Life, Lock, Ready};
use crate::model::probe::Probe;
use crate::model::schedule::Zone;
use crate::model::spec::Restart;
use crate::model::state::{Began, Desired, State};
use std::time::Duration;

fn running(ms: u64) -> Evidence {
    evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record(None))
}

fn need(presence: Presence, run: u64) -> Need {
    Need { name: "db".parse().unwrap(), presence, tie: Some(Tie { epoch: "e".to_owned(), run }) }
}

fn bound(on_dependency_end: OnDependencyEnd) -> Spec {
    Spec { depends_on: vec!["db".parse().unwrap()], on_dependency_end, ..spec(Target::Forever) }
}

/// What follows for `state` when its dependency is so.
fn with(spec: &Spec, state: &State, seen: Option<&Evidence>, ms: u64, need: Need) -> Decision<'static> {
    let (name, now) = (name(), at(ms));
    decide_needing(Look { name: &name, spec, state, now: &now }, seen, Duration::ZERO, &[need]).into_owned()
}

/// A run that was started against run 1 of its dependency.
fn against_first(spec: &Spec) -> State {
    let waiting = State { phase: Phase::Waiting { until: at(0) }, desired: Desired::Up, ..State::new(&at(0)) };
    with(spec, &waiting, None, 0, need(Presence::There, 1)).state.into_owned()
}

#[test]
fn a_service_is_there_when_it_is_up_and_ready_and_a_job_when_it_has_completed() {
    let [service, job] = [spec(Target::Forever), spec(Target::Exit)];
    let probed = Spec { ready: Some(Probe::Notify), ..spec(Target::Forever) };
    let mut ready = record(None);
    ready.ready = Some(Ready { at: at(5), by: "notify".to_owned() });
    let ready = evidence(at(9), Lock::Held, Life::Unknown, Lock::Unknown, ready);
    let alone = evidence(at(9), Lock::Free, Life::Alive, Lock::Held, record(None));
    let phase = |phase| State { phase, ..started(&service) };
    let open = started(&service);
    let (name, now) = (name(), at(5));
    let leaving = stop(Look { name: &name, spec: &service, state: &open, now: &now }, None, Desired::Down);
    let leaving = leaving.state.into_owned();
    let tripped = phase(Phase::Tripped { since: at(0), until: at(900_000) });
    let cases = [
        ("up", &service, &open, Some(running(9)), None),
        ("up, its shim gone", &service, &open, Some(alone), None),
        ("up, not ready", &probed, &open, Some(running(9)), Some("`db` to be ready")),
        ("up and ready", &probed, &open, Some(ready), None),
        ("up, asked to end", &service, &leaving, Some(running(9)), Some("`db`, which is being ended")),
        (
            "ended, to be restarted",
            &service,
            &open,
            Some(ended(9, WaitStatus::Code(1))),
            Some("`db` to be started again"),
        ),
        (
            "in its backoff",
            &service,
            &phase(Phase::Waiting { until: at(99_000) }),
            None,
            Some("`db` to be started again"),
        ),
        ("stopped", &service, &phase(Phase::Stopped), None, Some("`db`, which is stopped")),
        ("dead", &service, &phase(Phase::Dead), None, Some("`db`, which is dead")),
        ("tripped", &service, &tripped, None, Some("`db`, which is tripped")),
        ("never started", &service, &State::new(&at(0)), None, Some("`db`, which was never started")),
        ("a service that has completed", &service, &phase(Phase::Completed), None, Some("`db`, which has completed")),
        ("a job that runs", &job, &open, Some(running(9)), Some("`db` to complete")),
        ("a job that has completed", &job, &phase(Phase::Completed), None, None),
        ("a job that has just ended well", &job, &open, Some(ended(9, WaitStatus::Code(0))), None),
        ("a job that failed", &job, &open, Some(ended(9, WaitStatus::Code(1))), Some("`db`, which is dead")),
    ];
    for (claim, spec, state, seen, want) in cases {
        let decision = look(spec, state, seen.as_ref(), &at(20_000));
        let need = Need::of(&"db".parse().unwrap(), spec, &decision);
        assert_eq!(need.missing().as_deref(), want, "{claim}");
    }
}

#[test]
fn a_start_that_is_due_waits_for_what_it_needs_and_says_for_what() {
    let spec = bound(OnDependencyEnd::Ignore);
    let phase = |phase| State { phase, desired: Desired::Up, ..started(&spec) };
    let waiting = phase(Phase::Waiting { until: at(10) });
    let tripped = phase(Phase::Tripped { since: at(0), until: at(10) });
    for (claim, state) in [("a restart", &waiting), ("the trial of a breaker", &tripped)] {
        let off = with(&spec, state, None, 20, need(Presence::Coming(" to be ready"), 1));
        assert_eq!((off.act, off.changed, off.deadline), (Act::None, false, None), "{claim}");
        assert_eq!(off.waits.as_deref(), Some("`db` to be ready"), "{claim}");
        let early = with(&spec, state, None, 5, need(Presence::Coming(" to be ready"), 1));
        assert_eq!((early.waits, early.deadline), (None, Some(at(10))), "{claim}: first its own time");
        let on = with(&spec, state, None, 20, need(Presence::There, 7));
        let open = on.state.open().unwrap();
        assert_eq!((on.act, open.against.as_ref().unwrap().values().next().unwrap().run), (Act::Launch, 7), "{claim}");
    }
    let unwanted = State { desired: Desired::Down, ..waiting };
    let off = with(&spec, &unwanted, None, 20, need(Presence::Gone(", which is dead"), 1));
    assert_eq!((off.state.phase.clone(), off.waits), (Phase::Stopped, None), "what nobody wants waits for nothing");
}

#[test]
fn an_end_that_is_followed_by_a_restart_waits_without_counting_and_after_a_reboot_as_well() {
    let spec = Spec { backoff: Duration::ZERO, ..bound(OnDependencyEnd::Ignore) };
    let state = started(&spec);
    let gone = need(Presence::Gone(", which is dead"), 1);
    let off = with(&spec, &state, Some(&ended(10, WaitStatus::Code(1))), 10, gone.clone());
    assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Waiting { until: at(10) }));
    assert_eq!((off.state.run, off.state.restarts, off.state.backoffs, off.state.failures), (1, 0, 0, 1));
    assert_eq!(off.state.last.as_ref().unwrap().action, "run 2 waits for `db`, which is dead");
    assert_eq!(off.waits.as_deref(), Some("`db`, which is dead"));
    let (name, now) = (name(), rebooted(99_000));
    let seen = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(None));
    let look = Look { name: &name, spec: &spec, state: &state, now: &now };
    let off = decide_needing(look, Some(&seen), Duration::ZERO, std::slice::from_ref(&gone)).into_owned();
    assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Waiting { until: now.clone() }));
    let dead = State { phase: Phase::Dead, ..after(&spec, 10, WaitStatus::Code(1)).state.into_owned() };
    let look = Look { state: &dead, ..look };
    let off = decide_needing(look, None, Duration::ZERO, std::slice::from_ref(&gone));
    assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Waiting { until: now.clone() }));
    let there = [need(Presence::There, 1)];
    assert_eq!(decide_needing(Look { state: &off.state, ..look }, None, Duration::ZERO, &there).act, Act::Launch);
}

#[test]
fn a_start_that_an_operator_asked_for_and_that_waits_has_a_slate_as_clean_as_one_that_does_not() {
    let spec = bound(OnDependencyEnd::Ignore);
    let state = State { restarts: 9, restarted_at: vec![at(1), at(2)], phase: Phase::Dead, ..started(&spec) };
    let (name, now) = (name(), at(10));
    let look = Look { name: &name, spec: &spec, state: &state, now: &now };
    let waits = start_later(look, "`db` to be ready".to_owned());
    assert_eq!((waits.state.restarts, waits.state.restarted_at.len()), (0, 0));
    assert_eq!(waits.state.phase, Phase::Waiting { until: at(10) });
}

#[test]
fn a_trial_that_a_reboot_cut_short_waits_first_for_its_turn_and_then_for_what_it_needs() {
    let spec = bound(OnDependencyEnd::Ignore);
    let open = OpenRun::new(1, at(0), Began::Trial);
    let state = State { phase: Phase::Open(open), ..started(&spec) };
    let (name, now) = (name(), rebooted(99_000));
    let seen = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(None));
    let look = Look { name: &name, spec: &spec, state: &state, now: &now };
    let gone = need(Presence::Gone(", which is dead"), 1);
    let off = decide_needing(look, Some(&seen), Duration::from_secs(3), std::slice::from_ref(&gone));
    assert_eq!((off.act, off.waits.as_deref()), (Act::None, None), "first its own time");
    assert!(matches!(off.state.phase, Phase::Tripped { .. }));
}

#[test]
fn the_end_of_a_dependency_does_what_the_dependant_says_and_only_where_it_does_not_come_back() {
    let cases = [
        ("ignore", OnDependencyEnd::Ignore, Presence::Gone(", which is dead"), false),
        ("stop: it has ended for good", OnDependencyEnd::Stop, Presence::Gone(", which is stopped"), true),
        ("stop: it is restarted", OnDependencyEnd::Stop, Presence::Coming(" to be started again"), false),
        ("stop: its entry is missing", OnDependencyEnd::Stop, Presence::Absent(", which is not registered"), false),
        ("stop: it is there", OnDependencyEnd::Stop, Presence::There, false),
        ("restart: it has ended", OnDependencyEnd::Restart, Presence::Gone(", which is dead"), false),
        ("restart: it comes back", OnDependencyEnd::Restart, Presence::Coming(" to be ready"), false),
        ("restart: it has come back", OnDependencyEnd::Restart, Presence::There, true),
    ];
    for (claim, mode, presence, ends) in cases {
        let spec = bound(mode);
        let state = against_first(&spec);
        let decision = with(&spec, &state, Some(&running(5)), 5, need(presence, 2));
        assert_eq!(decision.act == Act::Ask, ends, "{claim}");
        let again = with(&spec, &decision.state, Some(&running(6)), 6, need(presence, 2));
        assert!(!again.changed && again.act == Act::None, "{claim}: once is enough");
    }
}

#[test]
fn a_run_that_was_stopped_for_its_dependency_is_stopped_says_so_and_begins_again_when_that_is_there() {
    let spec = Spec { restart: Restart::Never, ..bound(OnDependencyEnd::Stop) };
    let state = against_first(&spec);
    let gone = need(Presence::Gone(", which is stopped"), 1);
    let asked = with(&spec, &state, Some(&running(5)), 5, gone.clone());
    let told: Vec<_> = asked.state.pending.iter().filter(|event| event.kind == EventKind::Killed).collect();
    assert_eq!(told[0].action, "asked to end, because it depends on `db`, which is stopped");
    let off = with(&spec, &asked.state, Some(&ended(9, WaitStatus::Code(0))), 9, gone);
    let last = off.state.last.as_ref().unwrap();
    assert_eq!((last.verdict, off.state.failures), (Verdict::Stopped, 0));
    let want = "stopped because it depends on `db`, which is stopped; run 2 waits for `db`, which is stopped";
    assert_eq!((off.act, last.action.as_str()), (Act::None, want));
    let on = with(&spec, &off.state, None, 99, need(Presence::There, 2));
    assert_eq!((on.act, on.state.open().unwrap().began), (Act::Launch, Began::Restart));
}

#[test]
fn a_dependency_that_came_back_restarts_its_dependant_once_and_one_that_is_new_to_it_counts_from_now_on() {
    let spec = bound(OnDependencyEnd::Restart);
    let state = against_first(&spec);
    assert!(!with(&spec, &state, Some(&running(5)), 5, need(Presence::There, 1)).changed, "the same run");
    let asked = with(&spec, &state, Some(&running(5)), 5, need(Presence::There, 2));
    let on = with(&spec, &asked.state, Some(&ended(9, WaitStatus::Code(0))), 9, need(Presence::There, 2));
    assert_eq!((on.act, on.state.run), (Act::Launch, 2));
    assert_eq!(
        on.state.last.as_ref().unwrap().action,
        "stopped because `db`, which it depends on, came back as run 2; restarting at once as run 2"
    );
    assert!(!with(&spec, &on.state, Some(&running(20)), 20, need(Presence::There, 2)).changed, "not twice");
    let unknown = started(&spec);
    let noted = with(&spec, &unknown, Some(&running(5)), 5, need(Presence::There, 3));
    assert_eq!((noted.act, noted.changed), (Act::None, true));
    assert_eq!(with(&spec, &noted.state, Some(&running(6)), 6, need(Presence::There, 4)).act, Act::Ask);
}

#[test]
fn a_time_of_a_schedule_waits_for_what_it_needs_like_any_other_start() {
    let spec = Spec {
        schedule: Some("* * * * *".to_owned()),
        zone: Zone::Named("UTC".to_owned()),
        target: Target::Exit,
        ..bound(OnDependencyEnd::Ignore)
    };
    let before = State { phase: Phase::Completed, ..started(&spec) };
    let planned = with(&spec, &before, None, 20, need(Presence::There, 7)).state.into_owned();
    let off = with(&spec, &planned, None, 120_000, need(Presence::Coming(" to be ready"), 1));
    assert_eq!((off.act, off.waits.as_deref()), (Act::None, Some("`db` to be ready")));
    let waiting = off.state.into_owned();
    assert!(matches!(waiting.phase, Phase::Waiting { .. }), "{waiting:?}");
    let on = with(&spec, &waiting, None, 120_001, need(Presence::There, 7));
    assert_eq!(on.act, Act::Launch);
    assert!(matches!(on.state.open().unwrap().began, Began::Schedule { .. }));
}
