//! The breaker: every transition of the machine, its limits, and the process that goes through it.

use std::time::Duration;

use super::*;
use crate::model::ending::WaitStatus;
use crate::model::event::EventKind;
use crate::model::evidence::{Evidence, Life, Lock};
use crate::model::signal::Signal;
use crate::model::spec::Target;
use crate::policy::decide::{Act, Look, decide_later};
use crate::policy::decide_tests::{at, ended, evidence, look, name, record, spec, started, third_death};
use crate::policy::operator::{reset, start};

#[test]
fn every_transition_of_the_machine() {
    use Breaker::{Closed, HalfOpen, Open};
    use Happening::{CooledDown, Failed, Lifted, TooOften, Well};
    let cases = [
        ("a failure is followed by a restart", Closed, Failed, Closed),
        ("one too many opens it", Closed, TooOften, Open),
        ("a run that is well changes nothing", Closed, Well, Closed),
        ("nothing cools down that is closed", Closed, CooledDown, Closed),
        ("a start changes nothing", Closed, Lifted, Closed),
        ("nothing runs that could fail", Open, Failed, Open),
        ("nor too often", Open, TooOften, Open),
        ("nor be well", Open, Well, Open),
        ("after its cooldown one run tries", Open, CooledDown, HalfOpen),
        ("the operator closes it", Open, Lifted, Closed),
        ("a trial that fails opens it again", HalfOpen, Failed, Open),
        ("whatever the limits say", HalfOpen, TooOften, Open),
        ("a trial that is well closes it", HalfOpen, Well, Closed),
        ("there is never a second trial beside the first", HalfOpen, CooledDown, HalfOpen),
        ("the operator closes it in the trial too", HalfOpen, Lifted, Closed),
    ];
    for (claim, from, what, to) in cases {
        assert_eq!(from.after(what), to, "{claim}");
    }
}

#[test]
fn limits_count_failures_in_a_row_and_restarts_in_a_window() {
    let minutes = |many: &[u64]| many.iter().map(|minute| at(minute * 60_000)).collect::<Vec<_>>();
    let cases = [
        ("two of three", (3, 2), (0, vec![]), None),
        ("three of three", (3, 3), (0, vec![]), Some("3 failures in a row")),
        ("one of one", (1, 1), (0, vec![]), Some("a failure")),
        ("no limit of failures", (0, 900), (0, vec![]), None),
        ("two restarts of three", (0, 1), (3, minutes(&[50, 55])), None),
        ("three restarts of three", (0, 1), (3, minutes(&[10, 50, 55])), Some("3 restarts within 1h 00m")),
        ("one of them before the window", (0, 1), (3, minutes(&[0, 50, 55])), None),
        ("no limit of restarts", (0, 1), (0, minutes(&[50, 51, 52, 53])), None),
    ];
    for (claim, (max_failures, failures), (max_restarts, restarted_at), want) in cases {
        let window = Duration::from_secs(3600);
        let spec = Spec { max_failures, max_restarts, window, ..spec(Target::Forever) };
        let state = State { failures, restarted_at, ..State::new(&at(0)) };
        assert_eq!(limit_reached(&spec, &state, &at(3_600_000)).as_deref(), want, "{claim}");
    }
}

#[test]
fn the_cooldown_doubles_each_time_up_to_six_hours() {
    let spec = spec(Target::Forever);
    let minutes: Vec<u64> = [0, 1, 2, 3, 4, 5, 31, 32, 4_000].map(|trips| cooldown(&spec, trips).as_secs() / 60).into();
    assert_eq!(minutes, [15, 30, 60, 120, 240, 360, 360, 360, 360]);
}

#[test]
fn ends_that_no_restart_can_mend_are_named_with_their_rule() {
    let segv = Cause::Signaled { signal: Signal(libc::SIGSEGV), core_dumped: true };
    let oom = Cause::OomKilled { limit_bytes: None };
    let missing = Cause::SpawnFailed { errno: libc::ENOENT, what: "program `x`".to_owned(), step: None };
    let exited = |code| Cause::Exited { code };
    let listed = |ends: &[&str]| ends.iter().map(|end| end.parse().unwrap()).collect::<Vec<Never>>();
    let usual = ["2", "78", "126", "127"];
    let cases = [
        ("a code", &usual[..], exited(78), Some("exit code 78 is in `never_restart`")),
        ("another code", &usual, exited(1), None),
        ("a program that is missing counts as 127", &usual, missing.clone(), Some("`not found` (127) is in")),
        ("unless that is not listed", &["2"], missing, None),
        ("a signal", &["SIGSEGV"], segv.clone(), Some("SIGSEGV is in `never_restart`")),
        ("another signal", &["KILL"], segv.clone(), None),
        ("a code of 139 is no signal", &["SIGSEGV"], exited(139), None),
        ("a cause", &["oom_killed"], oom.clone(), Some("`oom_killed` is in `never_restart`")),
        ("a kill for want of memory is no SIGKILL of somebody's", &["KILL"], oom, None),
        ("any signal", &["signaled"], segv, Some("`signaled` is in")),
        ("a hang", &["7", "hung"], Cause::Hung { silent_s: 9, silence: None }, Some("`hung` is in")),
        ("125 is always one", &[], exited(125), Some("with exit code 125 the program itself asks for that")),
    ];
    for (claim, ends, cause, want) in cases {
        let spec = Spec { never_restart: listed(ends), ..spec(Target::Forever) };
        let got = never(&spec, &cause);
        assert_eq!(got.is_some(), want.is_some(), "{claim}: {got:?}");
        assert!(got.is_none_or(|got| got.starts_with("not restarted: ") && got.contains(want.unwrap())), "{claim}");
    }
    let fine = Spec { success_codes: vec![0, 125, 78], ..spec(Target::Forever) };
    assert_eq!((never(&fine, &exited(125)), never(&fine, &exited(78))), (None, None), "a success is no reason");
}

/// The trial of a tripped breaker, and when it began.
fn trial(spec: &Spec) -> (State, Stamp) {
    let tripped = third_death(spec, 3000).state.into_owned();
    let Phase::Tripped { until, .. } = tripped.phase.clone() else { panic!("{:?}", tripped.phase) };
    let trial = look(spec, &tripped, None, &until);
    assert_eq!((trial.act, Breaker::of(&trial.state)), (Act::Launch, Breaker::HalfOpen));
    let mut state = trial.state.into_owned();
    state.pending.clear();
    (state, until)
}

/// The end of a run that began at `began`, after so many seconds.
fn death(began: &Stamp, secs: u64, status: WaitStatus) -> Evidence {
    let end = began.plus(Duration::from_secs(secs));
    let mut record = record(Some((end.boot_ms, status)));
    record.began = Some(began.clone());
    evidence(end, Lock::Free, Life::Gone, Lock::Free, record)
}

#[test]
fn a_trial_is_one_run_however_often_it_is_looked_at() {
    let spec = spec(Target::Forever);
    let (state, began) = trial(&spec);
    let mut record = record(None);
    record.began = Some(began.clone());
    let alive = evidence(began.plus(Duration::from_secs(9)), Lock::Held, Life::Unknown, Lock::Unknown, record);
    let again = look(&spec, &state, Some(&alive), &alive.now);
    assert_eq!((again.act, again.state.run, Breaker::of(&again.state)), (Act::None, state.run, Breaker::HalfOpen));
}

#[test]
fn a_trial_that_lives_for_healthy_after_closes_it_and_the_recovery_is_told() {
    let spec = spec(Target::Forever);
    let (state, began) = trial(&spec);
    let mut record = record(None);
    record.began = Some(began.clone());
    let alive = evidence(began.plus(spec.healthy_after), Lock::Held, Life::Unknown, Lock::Unknown, record);
    let well = look(&spec, &state, Some(&alive), &alive.now);
    assert_eq!((Breaker::of(&well.state), well.state.failures, well.state.trips), (Breaker::Closed, 0, 0));
    assert!(well.state.pending.iter().any(|event| event.kind == EventKind::Recovered));
    // From there on it is a run like any other.
    let dead = death(&began, 86_400, WaitStatus::Code(1));
    let next = look(&spec, &well.state, Some(&dead), &dead.now);
    assert_eq!((next.act, next.state.failures), (Act::Launch, 1));
}

#[test]
fn a_trial_that_was_well_and_that_nobody_looked_at_closed_it_too() {
    let spec = spec(Target::Forever);
    let (state, began) = trial(&spec);
    let dead = death(&began, 86_400, WaitStatus::Code(1));
    let next = look(&spec, &state, Some(&dead), &dead.now);
    assert_eq!((next.act, next.state.failures, next.state.trips), (Act::Launch, 1, 0));
}

#[test]
fn a_trial_that_completes_closes_it_and_the_recovery_is_told() {
    let spec = Spec { restart: crate::model::spec::Restart::OnFailure, ..spec(Target::Exit) };
    let (state, began) = trial(&spec);
    let done = death(&began, 4, WaitStatus::Code(0));
    let next = look(&spec, &state, Some(&done), &done.now);
    assert_eq!((&next.state.phase, next.state.failures), (&Phase::Completed, 0));
    assert!(next.state.pending.iter().any(|event| event.kind == EventKind::Recovered));
}

#[test]
fn a_reboot_in_a_trial_blames_nobody_and_it_tries_again() {
    let spec = spec(Target::Forever);
    let (state, began) = trial(&spec);
    let now = crate::policy::decide_tests::rebooted(began.boot_ms + 9_000);
    let seen = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(None));
    let next = look(&spec, &state, Some(&seen), &now);
    assert_eq!((next.act, Breaker::of(&next.state)), (Act::Launch, Breaker::HalfOpen));
    let (later, bot) = (Duration::from_secs(3), name());
    let put_off = decide_later(Look { name: &bot, spec: &spec, state: &state, now: &now }, Some(&seen), later);
    assert_eq!((put_off.act, Breaker::of(&put_off.state)), (Act::None, Breaker::Open), "it is still one that tries");
}

#[test]
fn start_and_reset_lift_the_breaker_and_what_had_been_given_up() {
    let spec = spec(Target::Forever);
    let (tripped, now) = (third_death(&spec, 3000).state.into_owned(), at(60_000));
    let dead = look(&spec, &started(&spec), Some(&ended(9, WaitStatus::Code(125))), &at(9)).state.into_owned();
    assert_eq!((Breaker::of(&tripped), &dead.phase), (Breaker::Open, &Phase::Dead));
    for state in [&tripped, &dead] {
        let look = Look { name: &name(), spec: &spec, state, now: &now };
        let started = start(look);
        assert_eq!(
            (started.act, Breaker::of(&started.state), started.state.failures),
            (Act::Launch, Breaker::Closed, 0)
        );
        let reset = reset(look);
        assert_eq!((reset.act, Breaker::of(&reset.state), reset.state.failures), (Act::None, Breaker::Closed, 0));
        assert_eq!((reset.state.trips, &reset.state.failure), (0, &None));
    }
}

#[test]
fn a_trial_that_is_reset_goes_on_as_any_other_run_and_its_failure_is_the_first() {
    let spec = spec(Target::Forever);
    let (state, began) = trial(&spec);
    let reset = reset(Look { name: &name(), spec: &spec, state: &state, now: &began }).into_owned();
    assert_eq!((reset.act, Breaker::of(&reset.state), reset.state.run), (Act::None, Breaker::Closed, state.run));
    let dead = death(&began, 4, WaitStatus::Code(1));
    let next = look(&spec, &reset.state, Some(&dead), &dead.now);
    assert_eq!((Breaker::of(&next.state), next.state.failures, next.state.trips), (Breaker::Closed, 1, 0));
}

#[test]
fn the_same_failure_again_is_said_in_what_is_told_of_it() {
    let spec = spec(Target::Forever);
    let tail = |text: &str| Some(vec![text.to_owned()]);
    let dies = |state: &State, text: &str| {
        let seen = Evidence { tail: tail(text), ..ended(9, WaitStatus::Code(1)) };
        look(&spec, state, Some(&seen), &at(9)).state.into_owned()
    };
    let told = |state: &State, kind: EventKind| {
        state.pending.iter().rev().find(|event| event.kind == kind).map(|event| event.alike.clone())
    };
    let again = |state: &State| start(Look { name: &name(), spec: &spec, state, now: &at(9) }).state.into_owned();
    let first = dies(&started(&spec), "ValueError: 1");
    assert_eq!(told(&first, EventKind::Premature).as_deref(), Some(""));
    let second = dies(&again(&first), "ValueError: 2");
    let want = "the same failure as the last time: ValueError: 2";
    assert_eq!(told(&second, EventKind::Premature).as_deref(), Some(want));
    let third = dies(&again(&second), "KeyError: 2");
    let want = "a different failure than the last time, when it was: ValueError: 2";
    assert_eq!(told(&third, EventKind::Premature).as_deref(), Some(want));
}
