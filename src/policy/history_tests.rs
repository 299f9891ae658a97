//! What is usual, and which run is slow.

use super::*;
use crate::model::ending::WaitStatus;
use crate::model::evidence::{Evidence, Life, Lock};
use crate::policy::decide::Look;
use crate::policy::decide_tests::{at, ended, evidence, look, name, record, spec, started};
use crate::policy::operator::start;

fn ms(of: u64) -> Duration {
    Duration::from_millis(of)
}

#[test]
fn what_is_usual_is_the_median_and_how_far_half_of_them_are_from_it() {
    let cases = [
        ("one run", &[500][..], (500, 0, 500)),
        ("two", &[400, 600], (500, 100, 600)),
        ("three, in any order", &[900, 100, 200], (200, 100, 900)),
        ("one odd run moves neither", &[100, 102, 98, 101, 99_000], (101, 1, 99_000)),
        ("all alike", &[7, 7, 7, 7], (7, 0, 7)),
        ("as long as can be", &[u64::MAX, u64::MAX], (u64::MAX, 0, u64::MAX)),
    ];
    for (claim, lengths, (median, spread, longest)) in cases {
        let want = Usual { runs: lengths.len(), median: ms(median), spread: ms(spread), longest: ms(longest) };
        assert_eq!(usual(lengths), Some(want), "{claim}");
    }
    assert_eq!(usual(&[]), None, "nothing is usual without a run");
}

#[test]
fn runs_that_completed_are_remembered_and_no_others() {
    let job = spec(Target::Exit);
    let hour = spec(Target::For(Duration::from_secs(10)));
    let cases = [
        ("a job that is done", &job, 5_000, WaitStatus::Code(0), &[5_000][..]),
        ("a job that failed", &job, 5_000, WaitStatus::Code(1), &[]),
        ("a run that met its target", &hour, 11_000, WaitStatus::Code(0), &[11_000]),
        ("one that ended before its time", &hour, 5_000, WaitStatus::Code(0), &[]),
        ("a service", &spec(Target::Forever), 5_000, WaitStatus::Code(0), &[]),
    ];
    for (claim, spec, length, status, want) in cases {
        let over = look(spec, &started(spec), Some(&ended(length, status)), &at(length));
        assert_eq!(over.state.completed_ms, want, "{claim}");
    }
}

#[test]
fn the_last_twenty_are_remembered() {
    let spec = spec(Target::Exit);
    let mut state = started(&spec);
    state.completed_ms = (0..20).collect();
    let over = look(&spec, &state, Some(&ended(500, WaitStatus::Code(0))), &at(500));
    assert_eq!(over.state.completed_ms.first().zip(over.state.completed_ms.last()), Some((&1, &500)));
}

/// A process that was started after runs of these lengths.
fn with_history(spec: &Spec, completed_ms: &[u64]) -> State {
    let state = State { completed_ms: completed_ms.to_vec(), ..State::new(&at(0)) };
    start(Look { name: &name(), spec, state: &state, now: &at(0) }).into_owned().state.into_owned()
}

fn alive(ms: u64) -> Evidence {
    evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record(None))
}

#[test]
fn a_job_is_slow_once_it_lives_twice_as_long_as_ever_and_that_is_told_once() {
    let spec = Spec { healthy_after: Duration::from_secs(86_400), ..spec(Target::Exit) };
    let state = with_history(&spec, &[240_000, 300_000, 200_000]);
    let before = look(&spec, &state, Some(&alive(599_999)), &at(599_999));
    assert_eq!((before.changed, before.deadline), (false, Some(at(600_000))), "the shim wakes for it");
    let slow = look(&spec, &state, Some(&alive(612_000)), &at(612_000));
    let told: Vec<_> = slow.state.pending.iter().filter(|event| event.kind == EventKind::Slow).collect();
    let want = "twice as slow as ever (usually 4m 00s, at most 5m 00s; now 10m 12s)";
    assert_eq!((told.len(), told[0].severity, told[0].detail.as_str()), (1, Severity::Info, want));
    let again = look(&spec, &slow.state, Some(&alive(700_000)), &at(700_000));
    assert!(!again.changed);
}

#[test]
fn nothing_is_slow_without_enough_to_compare_with() {
    for (claim, target, lengths) in [
        ("two runs are too few", Target::Exit, vec![1_000, 1_000]),
        ("a service is never slow", Target::Forever, vec![1_000; 5]),
    ] {
        let spec = Spec { healthy_after: Duration::from_secs(86_400), ..spec(target) };
        let state = with_history(&spec, &lengths);
        let looked = look(&spec, &state, Some(&alive(9_000)), &at(9_000));
        assert!(looked.state.pending.iter().all(|event| event.kind != EventKind::Slow), "{claim}");
        assert_eq!(looked.deadline, Some(at(86_400_000)), "{claim}: no look for it either");
    }
}

#[test]
fn a_run_is_expected_after_the_usual_time_then_after_the_longest_then_nobody_knows() {
    let usual = usual(&[1_000, 2_000, 6_000]).unwrap();
    let at_of = |now| usual.eta(&at(0), &at(now)).map(|at| at.boot_ms);
    assert_eq!([0, 1_999, 2_000, 5_999, 6_000].map(at_of), [Some(2_000), Some(2_000), Some(6_000), Some(6_000), None]);
}

#[test]
fn a_run_is_compared_in_a_sentence() {
    let usual = usual(&[60_000, 60_000, 90_000]).unwrap();
    let cases = [
        (30_000, "usually takes 1m 00s, at most 1m 30s"),
        (91_000, "slower than ever (usually 1m 00s, at most 1m 30s; now 1m 31s)"),
        (180_000, "twice as slow as ever (usually 1m 00s, at most 1m 30s; now 3m 00s)"),
    ];
    for (lived, want) in cases {
        assert_eq!(usual.sentence(ms(lived)), want);
    }
}
