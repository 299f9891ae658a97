//! The end of guardian's loop, and of a container: who ends with it, and what comes after.

use std::time::Duration;

use crate::model::ending::{Cause, Verdict, WaitStatus};
use crate::model::evidence::{Evidence, Life, Lock};
use crate::model::signal::Signal;
use crate::model::spec::{OnBoot, Restart, Spec, Target};
use crate::model::state::{Desired, Phase};

use super::decide::{Act, Look, decide_needing};
use super::decide_tests::{at, ended, evidence, look, name, record, spec, started};
use super::needs::{Need, Presence};
use super::operator::wind_down;

#[test]
fn a_run_that_ends_with_the_loop_is_stopped_stays_desired_and_is_due_when_the_loop_is_back() {
    let spec = spec(Target::Forever);
    let (state, name, now) = (started(&spec), name(), at(5_000));
    let asked = wind_down(Look { name: &name, spec: &spec, state: &state, now: &now }, None);
    assert_eq!((asked.act, asked.state.desired), (Act::Ask, Desired::Up));
    let again = wind_down(Look { name: &name, spec: &spec, state: &asked.state, now: &now }, None);
    assert_eq!((again.act, again.changed), (Act::None, false), "asked once");
    let evidence = ended(6_000, WaitStatus::Signal(Signal(15), false));
    let closed = [Need { name: "guardian".parse().unwrap(), presence: Presence::Coming(" to begin again"), tie: None }];
    let now = at(6_000);
    let over = decide_needing(
        Look { name: &name, spec: &spec, state: &asked.state, now: &now },
        Some(&evidence),
        Duration::ZERO,
        &closed,
    );
    let last = over.state.last.as_ref().unwrap();
    assert_eq!((last.verdict, over.act, over.state.failures), (Verdict::Stopped, Act::None, 0));
    assert!(matches!(over.state.phase, Phase::Waiting { .. }), "{:?}", over.state.phase);
    assert_eq!(look(&spec, &over.state, None, &at(9_000)).act, Act::Launch, "the loop is back");
}

#[test]
fn what_a_boot_leaves_down_the_next_start_of_the_loop_does_too() {
    let base = spec(Target::Forever);
    for spec in [Spec { restart: Restart::Never, ..base.clone() }, Spec { on_boot: OnBoot::Never, ..base }] {
        let (state, name, now) = (started(&spec), name(), at(5_000));
        let asked = wind_down(Look { name: &name, spec: &spec, state: &state, now: &now }, None);
        let over = look(&spec, &asked.state, Some(&ended(6_000, WaitStatus::Code(0))), &at(6_000));
        assert_eq!((&over.state.phase, over.act), (&Phase::Dead, Act::None));
    }
}

#[test]
fn a_run_whose_container_was_started_anew_ended_with_it_and_one_of_the_same_container_did_not() {
    let spec = spec(Target::Forever);
    let state = started(&spec);
    let seen = evidence(at(50_000), Lock::Free, Life::Gone, Lock::Free, record(None));
    for (init_began, cause, failures) in
        [(Some(40_000), Cause::Reboot, 0), (Some(0), Cause::ShimKilled, 1), (None, Cause::ShimKilled, 1)]
    {
        let found = look(&spec, &state, Some(&Evidence { init_began, ..seen.clone() }), &at(50_000));
        let last = found.state.last.as_ref().unwrap();
        assert_eq!((&last.cause, found.state.failures), (&cause, failures), "{init_began:?}");
    }
}

#[test]
fn an_end_that_is_part_of_a_shutdown_counts_for_no_breaker() {
    let spec = Spec { max_failures: 1, ..spec(Target::Forever) };
    let term = ended(9000, WaitStatus::Signal(Signal(15), false));
    let plainly = look(&spec, &started(&spec), Some(&term), &at(9000));
    assert!(matches!(plainly.state.phase, Phase::Tripped { .. }) && plainly.state.failures == 1);
    let evidence = Evidence { ends_all: true, ..term };
    let decision = look(&spec, &started(&spec), Some(&evidence), &at(9000));
    assert_eq!((decision.state.failures, decision.act), (0, Act::Launch));
    assert_eq!(decision.state.last.as_ref().unwrap().verdict, Verdict::Premature);
}
