//! A run whose shim was killed: what is done about it, and what is said of its end.

use crate::model::ending::{Ancestor, Cause, WaitStatus};
use crate::model::event::EventKind;
use crate::model::evidence::{Gone, Left, Life, Lock, RunRecord, TakenOver};
use crate::model::spec::{Spec, Target};

use super::classify::Standing;
use super::decide::Act;
use super::decide_tests::{at, evidence, look, record, spec, started};

#[test]
fn a_run_without_its_shim_is_told_once_and_taken_over_until_that_is_done() {
    let spec = spec(Target::Forever);
    let state = started(&spec);
    let alone = evidence(at(5), Lock::Free, Life::Alive, Lock::Held, record(None));
    let first = look(&spec, &state, Some(&alone), &at(5));
    assert_eq!((first.act, first.standing.as_ref()), (Act::TakeOver, Some(&Standing::Unsupervised)));
    assert!(first.state.pending.iter().any(|event| event.kind == EventKind::Unsupervised));
    let again = look(&spec, &first.state, Some(&alone), &at(6));
    assert_eq!((again.act, again.changed), (Act::TakeOver, false), "told already, not done yet");
    let held = evidence(at(7), Lock::Held, Life::Unknown, Lock::Unknown, record(None));
    let after = look(&spec, &first.state, Some(&held), &at(7));
    assert_eq!((after.act, after.standing), (Act::None, Some(Standing::Running)));
}

#[test]
fn a_limit_that_is_reached_goes_before_a_takeover() {
    let spec = Spec { time_limit: Some(std::time::Duration::from_millis(3)), ..spec(Target::Forever) };
    let alone = evidence(at(5), Lock::Free, Life::Alive, Lock::Held, record(None));
    assert_eq!(look(&spec, &started(&spec), Some(&alone), &at(5)).act, Act::Ask);
}

#[test]
fn nothing_is_taken_over_that_has_ended_or_may_have() {
    let spec = spec(Target::Forever);
    let state = started(&spec);
    for (life, tree) in [(Life::Gone, Lock::Held), (Life::Gone, Lock::Free), (Life::Unknown, Lock::Held)] {
        let seen = evidence(at(5), Lock::Free, life, tree, record(None));
        assert_ne!(look(&spec, &state, Some(&seen), &at(5)).act, Act::TakeOver, "{life:?} {tree:?}");
    }
    let ended = evidence(at(5), Lock::Free, Life::Alive, Lock::Held, record(Some((4, WaitStatus::Code(0)))));
    assert_ne!(look(&spec, &state, Some(&ended), &at(5)).act, Act::TakeOver);
}

#[test]
fn an_end_that_the_kernel_does_not_explain_is_known_in_time_and_guessed_in_nothing() {
    let spec = spec(Target::Forever);
    let some = vec![Ancestor { pid: 12, comm: "sleep".to_owned() }];
    let gone = Gone { at: at(4_000), left: Some(Left { count: 6, some }), log_bytes: None };
    let taken_over = vec![TakenOver { at: at(1_000), untraced: None }];
    let seen = RunRecord { gone: Some(gone), taken_over, ..record(None) };
    let closing = evidence(at(4_500), Lock::Held, Life::Unknown, Lock::Unknown, seen.clone());
    assert_eq!(look(&spec, &started(&spec), Some(&closing), &at(4_500)).standing, Some(Standing::Closing));
    let over = evidence(at(5_000), Lock::Free, Life::Gone, Lock::Free, seen);
    let decision = look(&spec, &started(&spec), Some(&over), &at(5_000));
    let last = decision.state.last.as_ref().unwrap();
    assert_eq!((&last.cause, last.status, last.ran_ms), (&Cause::ShimKilled, None, Some(4_000)));
    assert_eq!((last.ended, &last.taken_over[..]), (Some(at(4_000).wall), &[at(1_000).wall][..]));
    let exited = decision.state.pending.iter().find(|event| event.kind == EventKind::Exited).unwrap();
    assert_eq!(exited.detail, "6 other processes lived on: 12 (sleep), …");
}
