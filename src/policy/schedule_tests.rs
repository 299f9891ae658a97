//! What a schedule does, as tables: the clock of Berlin, a job that is due on the hour.

use super::super::decide::{Decision, Look, decide, decide_later};
use super::super::decide_tests::{at, ended, evidence, name, rebooted, record};
use super::super::operator::{start, stop};
use super::*;
use crate::model::ending::{Cause, Verdict, WaitStatus};
use crate::model::evidence::{Evidence, Life, Lock};
use crate::model::schedule::Zone;
use crate::model::spec::Command;
use crate::model::spec::{Restart, Target};
use crate::model::time::Stamp;

/// 2001-09-09 01:46:40 UTC is the tests' 0: the hour is full 800 s later.
const FULL: u64 = 800_000;
const HOUR: u64 = 3_600_000;

fn hourly(overlap: Overlap) -> Spec {
    Spec {
        target: Target::Exit,
        schedule: Some("0 * * * *".to_owned()),
        zone: Zone::Named("Europe/Berlin".to_owned()),
        overlap,
        ..Spec::with_command(Command::Shell("x".to_owned()))
    }
}

fn look(spec: &Spec, state: &State, evidence: Option<&Evidence>, now: &Stamp) -> Decision<'static> {
    decide(Look { name: &name(), spec, state, now }, evidence).into_owned()
}

/// Registered at 0, never started.
fn fresh(spec: &Spec) -> State {
    let mut state = State::new(&at(0));
    registered(&mut state, spec, at(0).wall);
    state
}

/// Its run began by its schedule at the first full hour.
fn begun(spec: &Spec) -> State {
    let now = at(FULL);
    look(spec, &fresh(spec), None, &now).state.into_owned()
}

fn runs(ms: u64) -> Evidence {
    evidence(at(ms), Lock::Held, Life::Alive, Lock::Held, record(None))
}

fn kinds(decision: &Decision<'_>) -> Vec<EventKind> {
    decision.state.pending.iter().map(|event| event.kind).collect()
}

fn plan_of(state: &State) -> &Plan {
    state.schedule.as_ref().unwrap()
}

#[test]
fn a_registered_schedule_is_active_and_starts_its_first_run_when_its_time_comes_and_not_before() {
    let spec = hourly(Overlap::Skip);
    let state = fresh(&spec);
    assert_eq!((state.desired, plan_of(&state).next), (Desired::Up, Some(at(FULL).wall)));
    let before = at(FULL - 1);
    let early = look(&spec, &state, None, &before);
    assert!(!early.changed && early.act == Act::None && early.deadline.is_none(), "nobody waits between two runs");
    let now = at(FULL + 20_000);
    let due = look(&spec, &state, None, &now);
    assert_eq!((due.act, due.actions.as_slice()), (Act::Launch, &["started"][..]));
    let open = due.state.open().unwrap();
    assert_eq!(open.began, Began::Schedule { occurrence: Occurrence { at: at(FULL).wall, missed: 0 } });
    assert_eq!((due.state.restarts, plan_of(&due.state).handled), (0, at(FULL).wall));
    let told =
        Draft::new(Look { name: &name(), spec: &spec, state: &due.state, now: &now }).began(open, Some(1), now.wall);
    assert_eq!((told.kind, told.action.as_str()), (EventKind::Started, "started by its schedule"));
}

#[test]
fn one_that_guardian_never_saw_counts_from_the_first_look() {
    let spec = hourly(Overlap::Skip);
    let now = at(FULL + 5);
    let first = look(&spec, &State::new(&now), None, &now);
    assert!(first.changed && first.act == Act::None);
    assert_eq!((first.state.desired, plan_of(&first.state).next), (Desired::Up, Some(at(FULL + HOUR).wall)));
}

#[test]
fn what_was_missed_is_started_once_and_said_however_many_times_it_was() {
    let spec = hourly(Overlap::Skip);
    for (claim, now, missed, words) in [
        ("on time", at(FULL + 59_000), 0, "started by its schedule"),
        ("late", at(FULL + 600_000), 0, "started by its schedule, 10m 00s late"),
        (
            "off for three",
            rebooted(FULL + 3 * HOUR + 600_000),
            3,
            "started by its schedule, 10m 00s late, once also for 3 times before that",
        ),
    ] {
        let due = look(&spec, &fresh(&spec), None, &now);
        let last = at(FULL + u64::from(missed) * HOUR).wall;
        let occurrence = Occurrence { at: last, missed };
        assert_eq!(due.state.open().map(|open| open.began), Some(Began::Schedule { occurrence }), "{claim}");
        assert_eq!(super::words(occurrence, now.wall), words, "{claim}");
        assert_eq!(plan_of(&due.state).next, Some(at(FULL + u64::from(missed + 1) * HOUR).wall), "{claim}");
    }
}

#[test]
fn a_clock_that_is_set_back_runs_nothing_twice_and_one_that_was_wrong_by_a_day_begins_anew() {
    let spec = hourly(Overlap::Skip);
    let done = State { phase: Phase::Completed, ..begun(&spec) };
    let back = |ms: i64| Stamp { wall: Wall(at(FULL).wall.0 - ms), ..at(FULL + 1000) };
    for ms in [1, 5_000, 7_200_000, 86_000_000] {
        let again = look(&spec, &done, None, &back(ms));
        assert!(again.act == Act::None && !again.changed, "{ms} ms back");
    }
    let corrected = back(200 * 86_400_000);
    let anew = look(&spec, &done, None, &corrected);
    assert_eq!((anew.act, plan_of(&anew.state).handled), (Act::None, corrected.wall));
    let forward = Stamp { wall: at(FULL + 5 * HOUR).wall, ..at(FULL + 1000) };
    assert_eq!(look(&spec, &done, None, &forward).act, Act::Launch);
}

#[test]
fn a_time_that_comes_while_a_run_lives_follows_overlap() {
    for (overlap, act, kinds_told, queued) in [
        (Overlap::Skip, Act::None, vec![EventKind::Skipped], false),
        (Overlap::Queue, Act::None, vec![], true),
        (Overlap::Kill, Act::Ask, vec![EventKind::Killed], true),
    ] {
        let spec = Spec { healthy_after: Duration::from_secs(86_400), ..hourly(overlap) };
        let state = begun(&spec);
        let now = at(FULL + HOUR);
        let due = look(&spec, &state, Some(&runs(FULL + HOUR)), &now);
        assert_eq!(
            (due.act, kinds(&due), plan_of(&due.state).queued.is_some()),
            (act, kinds_told, queued),
            "{overlap:?}"
        );
        let again = look(&spec, &due.state, Some(&runs(FULL + HOUR)), &now);
        assert!(!again.changed && again.act == Act::None, "{overlap:?}: told and done once");
        let end = ended(FULL + HOUR + 5000, WaitStatus::Code(0));
        let next = look(&spec, &due.state, Some(&end), &at(FULL + HOUR + 5000));
        assert_eq!(next.act == Act::Launch, queued, "{overlap:?}: what waits follows the end directly");
        assert_eq!(next.state.run, if queued { 2 } else { 1 }, "{overlap:?}");
    }
}

#[test]
fn at_most_one_waits_and_the_rest_is_left_out() {
    let spec = Spec { healthy_after: Duration::from_secs(86_400), ..hourly(Overlap::Queue) };
    let first = look(&spec, &begun(&spec), Some(&runs(FULL + HOUR)), &at(FULL + HOUR));
    let second = look(&spec, &first.state, Some(&runs(FULL + 2 * HOUR)), &at(FULL + 2 * HOUR));
    assert_eq!(kinds(&second), [EventKind::Skipped]);
    assert_eq!(plan_of(&second.state).queued.map(|queued| queued.at), Some(at(FULL + HOUR).wall));
    assert!(second.state.pending[0].action.ends_with("was left out: run 1 has not ended, and one waits for that"));
}

#[test]
fn a_time_that_waits_for_room_and_is_overtaken_by_the_next_is_left_out_and_told() {
    let spec = Spec { healthy_after: Duration::from_secs(86_400), ..hourly(Overlap::Kill) };
    let first = look(&spec, &begun(&spec), Some(&runs(FULL + HOUR)), &at(FULL + HOUR));
    let second = look(&spec, &first.state, Some(&runs(FULL + 2 * HOUR)), &at(FULL + 2 * HOUR));
    assert_eq!(plan_of(&second.state).queued.map(|queued| queued.at), Some(at(FULL + 2 * HOUR).wall));
    let told: Vec<_> = second.state.pending.iter().filter(|event| event.kind == EventKind::Skipped).collect();
    assert!(told.len() == 1 && told[0].action.ends_with("was left out: a later time took its place"), "{told:?}");
}

#[test]
fn a_run_that_makes_room_failed_because_guardian_ended_it_and_no_restart_comes_between() {
    let spec =
        Spec { restart: Restart::OnFailure, healthy_after: Duration::from_secs(86_400), ..hourly(Overlap::Kill) };
    let killed = look(&spec, &begun(&spec), Some(&runs(FULL + HOUR)), &at(FULL + HOUR));
    let end = ended(FULL + HOUR + 10, WaitStatus::Code(0));
    let next = look(&spec, &killed.state, Some(&end), &at(FULL + HOUR + 10));
    let last = next.state.last.as_ref().unwrap();
    assert_eq!(
        (last.verdict, &last.cause, last.action.as_str()),
        (Verdict::Failed, &Cause::Overlap, "the next run of its schedule follows: `overlap` is `kill`")
    );
    assert!(matches!(next.state.open().unwrap().began, Began::Schedule { .. }) && next.state.restarts == 0);
}

#[test]
fn a_failed_run_follows_restart_and_the_next_time_comes_anyway() {
    let failed = |spec: &Spec| {
        let end = ended(FULL + 10, WaitStatus::Code(1));
        look(spec, &begun(spec), Some(&end), &at(FULL + 10))
    };
    let spec = hourly(Overlap::Skip);
    let dead = failed(&spec);
    assert_eq!((dead.act, &dead.state.phase), (Act::None, &Phase::Dead));
    assert_eq!(look(&spec, &dead.state, None, &at(FULL + HOUR)).act, Act::Launch);
    let spec = Spec {
        restart: Restart::OnFailure,
        backoff: Duration::from_secs(7200),
        backoff_max: Duration::from_secs(7200),
        healthy_after: Duration::from_secs(86_400),
        ..spec
    };
    let waiting = failed(&spec);
    let Phase::Waiting { until } = &waiting.state.phase else { panic!("{:?}", waiting.state.phase) };
    let came = look(&spec, &waiting.state, None, &at(FULL + HOUR));
    assert_eq!((came.act, &came.state.phase), (Act::None, &waiting.state.phase), "the delay is kept");
    let later = look(&spec, &came.state, None, until);
    assert!(matches!(later.state.open().unwrap().began, Began::Schedule { .. }), "and the restart is that run");
}

#[test]
fn an_open_breaker_starts_nothing_and_the_time_is_left_out() {
    let spec = hourly(Overlap::Queue);
    let tripped = State { phase: Phase::Tripped { since: at(0), until: at(9 * HOUR) }, ..fresh(&spec) };
    let due = look(&spec, &tripped, None, &at(FULL));
    assert_eq!((due.act, kinds(&due)), (Act::None, vec![EventKind::Skipped]));
    assert!(due.state.pending[0].action.ends_with("its breaker is open"));
}

#[test]
fn stop_pauses_a_schedule_and_start_resumes_it_from_then_on() {
    let spec = hourly(Overlap::Skip);
    let name = name();
    for state in [fresh(&spec), State { phase: Phase::Completed, ..begun(&spec) }, State::new(&at(0))] {
        let now = at(FULL + 1);
        let stopped =
            stop(Look { name: &name, spec: &spec, state: &state, now: &now }, None, Desired::Down).into_owned();
        let later = at(FULL + 3 * HOUR);
        let nothing = look(&spec, &stopped.state, None, &later);
        assert!(nothing.act == Act::None && !nothing.changed && plan_of(&nothing.state).paused);
        let started = start(Look { name: &name, spec: &spec, state: &nothing.state, now: &later });
        assert_eq!(started.act, Act::Launch);
        assert_eq!(
            plan_of(&started.state).next,
            Some(at(FULL + 4 * HOUR).wall),
            "what was due meanwhile is not caught up with"
        );
    }
}

#[test]
fn another_line_or_zone_counts_from_now_and_no_line_is_no_schedule() {
    let spec = hourly(Overlap::Skip);
    let state = fresh(&spec);
    let now = at(FULL + 60_000);
    let other = Spec { schedule: Some("30 * * * *".to_owned()), ..spec.clone() };
    let changed = look(&other, &state, None, &now);
    assert_eq!((changed.act, plan_of(&changed.state).handled), (Act::None, now.wall));
    let zone = Spec { zone: Zone::Named("Asia/Kolkata".to_owned()), ..spec.clone() };
    assert_eq!(plan_of(&look(&zone, &state, None, &now).state).next, Some(at(FULL + HOUR / 2).wall));
    let none = look(&Spec { schedule: None, ..spec }, &state, None, &now);
    assert!(none.act == Act::None && none.state.schedule.is_none());
}

#[test]
fn starts_that_nobody_waited_for_are_put_off_and_begin_by_the_schedule_all_the_same() {
    let spec = hourly(Overlap::Skip);
    let (name, state, now) = (name(), fresh(&spec), rebooted(FULL + 600_000));
    assert!(super::super::stagger::is_catch_up(&state, &now, false));
    assert!(!super::super::stagger::is_catch_up(&state, &at(FULL + 60_000), false));
    let look = Look { name: &name, spec: &spec, state: &state, now: &now };
    let off = decide_later(look, None, Duration::from_secs(3)).into_owned();
    let until = now.plus(Duration::from_secs(3));
    assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Waiting { until: until.clone() }));
    let due = decide(Look { state: &off.state, now: &until, ..look }, None);
    assert!(due.act == Act::Launch && matches!(due.state.open().unwrap().began, Began::Schedule { .. }));
}

/// A pseudo-random number below `most` (an LCG with Knuth's constants).
fn draw(seed: &mut u64, most: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % most
}

#[test]
fn on_a_random_walk_of_clocks_and_ends_no_time_is_started_twice_and_an_open_breaker_starts_none() {
    for walk in 0..150_u64 {
        let mut seed = walk;
        let overlap = [Overlap::Skip, Overlap::Queue, Overlap::Kill][usize::try_from(walk % 3).unwrap()];
        let spec = Spec { restart: Restart::OnFailure, max_failures: 2, ..hourly(overlap) };
        let (mut state, mut boot_ms, mut wall) = (fresh(&spec), 1000, at(0).wall.0);
        let mut begun = std::collections::BTreeSet::new();
        for step in 0..60 {
            let later = draw(&mut seed, HOUR);
            boot_ms += later;
            wall += i64::try_from(later).unwrap();
            if draw(&mut seed, 10) == 0 {
                wall += i64::try_from(draw(&mut seed, 10 * HOUR)).unwrap() - 5 * 3_600_000; // somebody sets the clock
            }
            let now = Stamp { wall: Wall(wall), ..at(boot_ms) };
            let end = record(Some((boot_ms, WaitStatus::Code(i32::from(draw(&mut seed, 3) == 0)))));
            let seen = match draw(&mut seed, 2) {
                0 => evidence(now.clone(), Lock::Held, Life::Alive, Lock::Held, record(None)),
                _ => evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, end),
            };
            let first = look(&spec, &state, state.open().map(|_| &seen), &now);
            if let (Act::Launch, Some(Began::Schedule { occurrence })) =
                (first.act, first.state.open().map(|o| o.began))
            {
                assert!(begun.insert(occurrence.at), "walk {walk}, step {step}: {occurrence:?} twice");
                assert!(!matches!(state.phase, Phase::Tripped { .. }), "walk {walk}, step {step}");
            }
            if first.act != Act::Launch {
                let again = look(&spec, &first.state, first.state.open().map(|_| &seen), &now);
                assert!(!again.changed, "walk {walk}, step {step}: {:?}\n{:?}", first.state, again.state);
            }
            state = first.state.into_owned();
            state.pending.clear();
        }
        assert!(!begun.is_empty(), "walk {walk}");
    }
}
