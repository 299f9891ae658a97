//! Progress and hangs, as tables: a run that began at 0 is looked at, at the moments that policy itself names.

use std::time::Duration;

use crate::model::ending::{Cause, StopReason, Verdict, WaitStatus};
use crate::model::event::EventKind;
use crate::model::evidence::{Level, Life, Lock, Placed, Ready, RunRecord, TakenOver};
use crate::model::probe::Probe;
use crate::model::progress::{Inspection, Sample, Silence, Trace};
use crate::model::signal::Signal;
use crate::model::spec::{OnHang, Spec, Target};
use crate::model::state::{Phase, State};
use crate::model::time::Wall;

use super::super::decide::{Act, Decision};
use super::super::decide_tests::{at, ended, evidence, look as decide_on, record, spec, started};
use super::{due, silence};

const MINUTE: u64 = 60_000;

/// A program as the kernel sees it at each millisecond of its life.
type World = fn(u64) -> Sample;

/// Nothing ever happens.
fn still(_: u64) -> Sample {
    Sample {
        awake_ms: 0,
        wall: at(0).wall,
        output: Trace::Seen { bytes: 0, at: at(0).wall },
        heartbeat: Trace::None,
        watchdog: Trace::None,
        cpu_ms: Some(5),
        io_bytes: Some(800),
        members: 1,
        processes: 1,
        memory_bytes: Some(1 << 20),
        debugged: false,
    }
}

/// A file that was written every `period` milliseconds until `until`.
fn written(ms: u64, period: u64, until: u64) -> Trace {
    let last = ms.min(until) / period;
    Trace::Seen { bytes: last, at: at(last * period).wall }
}

fn ten_minutes() -> Spec {
    Spec { hang_after: Some(Duration::from_secs(600)), ..spec(Target::Forever) }
}

fn alive(record: &RunRecord, ms: u64, inspection: Option<Inspection>) -> crate::model::evidence::Evidence {
    let evidence = evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record.clone());
    crate::model::evidence::Evidence { inspection, ..evidence }
}

/// One look at `ms`; `slept` of these milliseconds the machine was asleep.
fn seen(spec: &Spec, state: &State, sample: Sample, ms: u64, slept: u64) -> Decision<'static> {
    let sample = Sample { awake_ms: 1_000_000 + ms - slept, wall: at(ms).wall, ..sample };
    let inspection = Inspection { run: 1, sample, stuck: None, probe: None };
    decide_on(spec, state, Some(&alive(&record(None), ms, Some(inspection))), &at(ms))
}

/// Lives on until guardian acts, or `until`; when it acted, and the decision.
fn live(spec: &Spec, world: World, until: u64) -> Option<(u64, Decision<'static>)> {
    let mut state = started(spec);
    let mut decision = decide_on(spec, &state, Some(&alive(&record(None), 0, None)), &at(0));
    loop {
        let ms = decision.deadline.as_ref().expect("it is to be looked at again").boot_ms;
        if ms > until {
            return None;
        }
        decision = seen(spec, &state, world(ms), ms, 0);
        state = decision.state.clone().into_owned();
        if decision.act != Act::None || state.open().unwrap().is_hung() {
            return Some((ms, decision));
        }
    }
}

#[test]
fn a_hang_is_called_when_every_sign_is_silent_and_not_before() {
    let worlds: [(&str, World, Option<u64>); 12] = [
        ("sleeps from its first moment", still, Some(600)),
        ("computes silently", |ms| Sample { cpu_ms: Some(ms), ..still(ms) }, None),
        ("computes on a hundredth of a processor", |ms| Sample { cpu_ms: Some(ms / 100), ..still(ms) }, None),
        (
            "wakes ten times a second to look at a timer, as Python and Node do",
            |ms| Sample { cpu_ms: Some(ms * 15 / 10_000), ..still(ms) },
            Some(600),
        ),
        ("reads a file, a byte a minute", |ms| Sample { io_bytes: Some(800 + ms / MINUTE), ..still(ms) }, None),
        (
            "writes a line every nine minutes",
            |ms| Sample { output: written(ms, 9 * MINUTE, u64::MAX), ..still(ms) },
            None,
        ),
        ("gives a heartbeat", |ms| Sample { heartbeat: written(ms, MINUTE, u64::MAX), ..still(ms) }, None),
        ("starts a child now and then", |ms| Sample { members: ms / (5 * MINUTE), ..still(ms) }, None),
        (
            "computes for twenty minutes, then stops",
            |ms| Sample { cpu_ms: Some(ms.min(20 * MINUTE)), ..still(ms) },
            Some(1800),
        ),
        (
            "writes for twenty minutes, then stops",
            |ms| Sample { output: written(ms, MINUTE, 20 * MINUTE), ..still(ms) },
            Some(1800),
        ),
        ("its I/O cannot be read", |ms| Sample { io_bytes: None, ..still(ms) }, None),
        ("a debugger holds it", |ms| Sample { debugged: true, ..still(ms) }, None),
    ];
    for (claim, world, want_s) in worlds {
        let found = live(&ten_minutes(), world, 24 * 60 * MINUTE);
        match (found, want_s) {
            (None, None) => {}
            (Some((ms, decision)), Some(want)) => {
                // I/O of its start counts until the first look; later looks are a minute apart at most.
                assert!((want * 1000..=want * 1000 + 61_000).contains(&ms), "{claim}: {ms}");
                assert_eq!(decision.act, Act::Ask, "{claim}");
            }
            (found, want) => panic!("{claim}: {:?}, not {want:?}", found.map(|(ms, _)| ms)),
        }
    }
}

#[test]
fn one_sign_can_be_made_binding() {
    let busy: World = |ms| Sample { cpu_ms: Some(ms), output: written(ms, 1000, 5000), ..still(ms) };
    let stale = Spec { output_stale: Some(Duration::from_secs(60)), ..spec(Target::Forever) };
    let (ms, decision) = live(&stale, busy, 60 * MINUTE).expect("it is silent from 5 s on, however busy");
    assert!((65_000..65_050).contains(&ms), "{ms}");
    assert_eq!(
        decision.state.open().unwrap().stopping.as_ref().unwrap().reason,
        StopReason::Hung { silent_s: 60, silence: Silence::Output }
    );

    let beats = Spec { heartbeat: Some(Duration::from_secs(60)), ..spec(Target::Forever) };
    let (ms, _) = live(&beats, busy, 60 * MINUTE).expect("a heartbeat that never comes counts from the start");
    assert!((60_000..60_050).contains(&ms), "{ms}");
    let beating: World = |ms| Sample { heartbeat: written(ms, 50_000, 200_000), ..still(ms) };
    let (ms, decision) = live(&beats, beating, 60 * MINUTE).expect("it stops at 200 s");
    assert!((260_000..260_050).contains(&ms), "{ms}");
    assert_eq!(
        decision.state.open().unwrap().watch.as_ref().unwrap().hang.as_ref().unwrap().silence,
        Silence::Heartbeat
    );
}

#[test]
fn a_heartbeat_file_of_an_earlier_run_is_no_sign() {
    let beats = Spec { heartbeat: Some(Duration::from_secs(60)), ..spec(Target::Forever) };
    let old: World = |ms| Sample { heartbeat: Trace::Seen { bytes: 0, at: Wall(at(0).wall.0 - 90_000) }, ..still(ms) };
    let (ms, _) = live(&beats, old, 60 * MINUTE).expect("hung");
    assert!((60_000..60_050).contains(&ms), "{ms}");
}

#[test]
fn looks_come_four_times_in_a_limit_and_never_without_one() {
    assert!(
        decide_on(
            &spec(Target::Forever),
            &started(&spec(Target::Forever)),
            Some(&alive(&record(None), 0, None)),
            &at(0)
        )
        .deadline
        .is_some_and(|at| at.boot_ms == 300_000),
        "only its health is waited for"
    );
    for (limit_s, want) in [(2, 500), (60, 15_000), (600, 60_000), (86_400, 60_000)] {
        let spec = Spec { hang_after: Some(Duration::from_secs(limit_s)), ..spec(Target::Forever) };
        let mut state = started(&spec);
        let first = decide_on(&spec, &state, Some(&alive(&record(None), 0, None)), &at(0));
        assert_eq!(first.deadline.unwrap().boot_ms, want, "{limit_s} s");
        let busy = Sample { cpu_ms: Some(want), ..still(0) };
        let second = seen(&spec, &state, busy, want, 0);
        assert_eq!(second.deadline.clone().unwrap().boot_ms, 2 * want + 1, "{limit_s} s");
        state = second.state.into_owned();
        assert_eq!(due(&spec, state.open().unwrap(), &record(None), &at(2 * want)), None);
        assert!(due(&spec, state.open().unwrap(), &record(None), &at(2 * want + 1)).is_some());
    }
}

#[test]
fn deciding_again_on_the_same_look_changes_nothing() {
    let spec = ten_minutes();
    let once = seen(&spec, &started(&spec), still(0), MINUTE, 0);
    assert!(once.changed);
    let again = seen(&spec, &once.state, still(0), MINUTE, 0);
    assert!(!again.changed && again.deadline == once.deadline);
}

#[test]
fn neither_a_night_asleep_nor_a_time_without_looks_is_silence() {
    let spec = ten_minutes();
    let looked = |until: u64| {
        let mut state = started(&spec);
        for minute in 1..=until {
            state = seen(&spec, &state, still(0), minute * (MINUTE + 1), 0).state.into_owned();
        }
        state
    };
    let state = looked(5);
    let night = 8 * 60 * MINUTE;
    let asleep = seen(&spec, &state, still(0), 6 * (MINUTE + 1) + night, night);
    assert_eq!(asleep.act, Act::None, "the machine slept");
    let stood = seen(&spec, &state, still(0), 6 * (MINUTE + 1) + night, 0);
    assert_eq!(stood.act, Act::None, "nobody looked: a machine that was frozen wakes to this");
    let silent = silence(&spec, stood.state.open().unwrap().watch.as_ref().unwrap());
    assert_eq!(silent, None);
    let mut state = stood.state.into_owned();
    let mut ms = 6 * (MINUTE + 1) + night;
    while !state.open().unwrap().is_hung() {
        ms += MINUTE + 1;
        state = seen(&spec, &state, still(0), ms, 0).state.into_owned();
        assert!(ms < night + 20 * MINUTE, "what it was silent before counts on");
    }
    assert!(ms > night + 9 * MINUTE, "{ms}");
}

#[test]
fn a_wall_clock_that_jumps_makes_no_sign_older_or_newer_than_the_looks_around_it() {
    let spec = Spec { output_stale: Some(Duration::from_secs(60)), ..spec(Target::Forever) };
    let first = seen(&spec, &started(&spec), still(0), 15_000, 0).state.into_owned();
    for far in [-9_000_000_000, 9_000_000_000] {
        let output = Trace::Seen { bytes: 9, at: Wall(at(0).wall.0 + far) };
        let next = seen(&spec, &first, Sample { output, ..still(0) }, 30_000, 0).state.into_owned();
        let sign = next.open().unwrap().watch.as_ref().unwrap().signs.output;
        assert!((1_015_000..=1_030_000).contains(&sign), "{far}: {sign}");
    }
}

#[test]
fn what_follows_is_up_to_on_hang_and_a_hung_run_is_never_completed() {
    for (on_hang, act, phase) in
        [(OnHang::Restart, Act::Ask, "open"), (OnHang::Kill, Act::Ask, "dead"), (OnHang::Alert, Act::None, "open")]
    {
        let spec = Spec { on_hang, ..ten_minutes() };
        let (ms, decision) = live(&spec, still, 60 * MINUTE).expect("hung");
        assert_eq!(decision.act, act, "{on_hang:?}");
        let kinds: Vec<EventKind> = decision.state.pending.iter().map(|event| event.kind).collect();
        assert!(kinds.contains(&EventKind::Hung), "{on_hang:?}");
        assert_eq!(kinds.contains(&EventKind::Killed), act == Act::Ask, "{on_hang:?}");
        if act == Act::Ask {
            let killed =
                decide_on(&spec, &decision.state, Some(&alive(&record(None), ms + 10_000, None)), &at(ms + 10_000));
            assert_eq!(killed.act, Act::Kill, "a hung program often ignores the stop signal");
            let over = decide_on(
                &spec,
                &decision.state,
                Some(&ended(ms + 5, WaitStatus::Signal(Signal(9), false))),
                &at(ms + 5),
            );
            let last = over.state.last.as_ref().unwrap();
            assert!(matches!(last.cause, Cause::Hung { silent_s: 600.., .. }), "{:?}", last.cause);
            assert_eq!(last.verdict, Verdict::Premature);
            assert_eq!(matches!(over.state.phase, Phase::Dead), phase == "dead", "{on_hang:?}");
        }
    }
}

#[test]
fn with_alert_it_is_told_once_and_the_recovery_too_and_another_hang_again() {
    let spec = Spec { on_hang: OnHang::Alert, ..ten_minutes() };
    let (mut ms, decision) = live(&spec, still, 60 * MINUTE).expect("hung");
    let mut state = decision.state.into_owned();
    let told = |state: &mut State, ms: &mut u64, cpu: u64| {
        let before = state.pending.len();
        *ms += MINUTE + 1;
        *state = seen(&spec, state, Sample { cpu_ms: Some(cpu), ..still(0) }, *ms, 0).state.into_owned();
        state.pending.iter().skip(before).map(|event| event.kind).collect::<Vec<_>>()
    };
    assert!(told(&mut state, &mut ms, 5).is_empty(), "told once");
    assert_eq!(told(&mut state, &mut ms, 50_000), [EventKind::Recovered]);
    assert!(!state.open().unwrap().is_hung());
    let again: Vec<EventKind> = (0..12).flat_map(|_| told(&mut state, &mut ms, 50_000)).collect();
    assert_eq!(again, [EventKind::Hung]);
}

#[test]
fn a_probe_that_succeeds_is_progress_and_one_without_an_answer_calls_nothing() {
    let spec = Spec { hang_probe: Some("true".to_owned()), ..ten_minutes() };
    for (probe, hung) in [(Some(true), false), (None, false), (Some(false), true)] {
        let mut state = started(&spec);
        for minute in 1..=11 {
            let ms = minute * (MINUTE + 1);
            let sample = Sample { awake_ms: 1_000_000 + ms, wall: at(ms).wall, ..still(0) };
            let inspection = Inspection { run: 1, sample, stuck: None, probe };
            state =
                decide_on(&spec, &state, Some(&alive(&record(None), ms, Some(inspection))), &at(ms)).state.into_owned();
        }
        assert_eq!(state.open().unwrap().is_hung(), hung, "{probe:?}");
    }
}

#[test]
fn memory_is_watched_where_the_kernel_does_not_and_more_often_near_the_limit() {
    let spec = Spec { memory: Some(1000), ..spec(Target::Forever) };
    for (used, want) in [(0, 10_001), (500, 5_001), (950, 1_001), (1000, 1_001)] {
        let decision = seen(&spec, &started(&spec), Sample { memory_bytes: Some(used), ..still(0) }, 1000, 0);
        assert_eq!((decision.act, decision.deadline.unwrap().boot_ms), (Act::None, 1000 + want), "{used}");
    }
    let over = seen(&spec, &started(&spec), Sample { memory_bytes: Some(1001), ..still(0) }, 1000, 0);
    assert_eq!(over.act, Act::Ask);
    let over = decide_on(&spec, &over.state, Some(&ended(1005, WaitStatus::Signal(Signal(15), false))), &at(1005));
    assert_eq!(over.state.last.as_ref().unwrap().cause, Cause::MemoryLimit { limit_bytes: 1000 });
    let placed = Placed { level: Level::Cgroup, cgroup: None, keeps_memory: true, why: None };
    let kept = RunRecord { placed: Some(placed), ..record(None) };
    assert_eq!(due(&spec, started(&spec).open().unwrap(), &kept, &at(5000)), None);
}

#[test]
fn a_run_that_only_lives_is_not_well_so_one_that_hangs_again_and_again_trips_the_breaker() {
    let spec = ten_minutes();
    let (ms, decision) = live(&spec, still, 60 * MINUTE).expect("hung");
    assert!(!decision.state.open().unwrap().healthy, "it lived ten minutes and was well for less than five");
    let failed = State { failures: 2, ..decision.state.into_owned() };
    let killed = ended(ms + 5, WaitStatus::Signal(Signal(9), false));
    let over = decide_on(&spec, &failed, Some(&killed), &at(ms + 5));
    assert!(matches!(over.state.phase, Phase::Tripped { .. }), "{:?}", over.state.phase);
    let worked: World = |ms| Sample { cpu_ms: Some(ms.min(6 * MINUTE)), ..still(ms) };
    let (_, decision) = live(&spec, worked, 60 * MINUTE).expect("hung");
    assert!(decision.state.open().unwrap().healthy);
}

#[test]
fn a_look_that_is_due_and_was_not_taken_is_tried_again_in_a_moment_and_not_at_once() {
    let spec = ten_minutes();
    let state = started(&spec);
    let none = decide_on(&spec, &state, Some(&alive(&record(None), 90_000, None)), &at(90_000));
    assert_eq!((none.changed, none.deadline), (false, Some(at(91_000))));
}

#[test]
fn a_watchdog_counts_datagrams_that_somebody_hears_from_ready_or_the_start_on() {
    let dog = Spec { watchdog: Some(Duration::from_secs(60)), ..spec(Target::Forever) };
    let busy = |ms: u64| Sample { cpu_ms: Some(ms), heartbeat: written(ms, 1000, u64::MAX), ..still(ms) };
    let hung_at = |spec: &Spec, record: &RunRecord, watchdog: fn(u64) -> Trace| {
        let mut state = started(spec);
        (15_001..600_000).step_by(15_001).find(|ms| {
            let sample = Sample { awake_ms: 1_000_000 + ms, wall: at(*ms).wall, watchdog: watchdog(*ms), ..busy(*ms) };
            let inspection = Inspection { run: 1, sample, stuck: None, probe: None };
            state = decide_on(spec, &state, Some(&alive(record, *ms, Some(inspection))), &at(*ms)).state.into_owned();
            state.open().unwrap().is_hung()
        })
    };
    let never: fn(u64) -> Trace = |_| Trace::Seen { bytes: 9, at: at(0).wall };
    let plain = record(None);
    assert_eq!(hung_at(&dog, &plain, never), Some(4 * 15_001), "however busy it is and whatever it touches");
    assert_eq!(hung_at(&dog, &plain, |ms| written(ms, 50_000, u64::MAX)), None);
    assert_eq!(hung_at(&dog, &plain, |ms| written(ms, 50_000, 200_000)), Some(18 * 15_001), "the last was at 200 s");
    assert_eq!(hung_at(&dog, &plain, |_| Trace::None), None, "it was given no socket");
    assert_eq!(hung_at(&dog, &plain, |_| Trace::Unknown), None, "nobody hears it");
    let notify = Spec { ready: Some(Probe::Notify), ready_timeout: Duration::from_secs(3600), ..dog.clone() };
    assert_eq!(hung_at(&notify, &plain, never), None, "it is not ready");
    let ready = RunRecord { ready: Some(Ready { at: at(100_000), by: String::new() }), ..record(None) };
    assert_eq!(hung_at(&notify, &ready, never), Some(11 * 15_001), "from 100 s on");
    let taken = vec![TakenOver { at: at(40_000), untraced: None }];
    let taken_over = RunRecord { taken_over: taken, ..record(None) };
    assert_eq!(hung_at(&dog, &taken_over, never), Some(7 * 15_001), "nobody heard it before 40 s");
}
