//! Readiness by tables: what shows it, what follows in time and too late, who is not judged.

use std::time::Duration;

use crate::model::ending::{Cause, StopReason, Verdict, WaitStatus};
use crate::model::event::EventKind;
use crate::model::evidence::{Evidence, Life, Lock, PreflightFailure, Ready, RunRecord, TakenOver};
use crate::model::signal::Signal;
use crate::model::spec::{Spec, Target};
use crate::model::state::{Phase, State};
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Decision};
use crate::policy::decide_tests::{at, ended, evidence, identity, look, record, spec, started};

fn asking(ready: &str) -> Spec {
    Spec {
        ready: Some(ready.parse().unwrap()),
        ready_timeout: Duration::from_secs(10),
        healthy_after: Duration::from_secs(300),
        ..spec(Target::Forever)
    }
}

fn living(ms: u64, record: RunRecord) -> Evidence {
    evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record)
}

fn seen(ms: u64) -> RunRecord {
    RunRecord { ready: Some(Ready { at: at(ms), by: "x".to_owned() }), ..record(None) }
}

fn looked(spec: &Spec, ms: u64, record: RunRecord) -> Decision<'static> {
    look(spec, &started(spec), Some(&living(ms, record)), &at(ms))
}

fn kinds(decision: &Decision<'_>) -> Vec<EventKind> {
    decision.state.pending.iter().map(|event| event.kind).collect()
}

#[test]
fn what_shows_readiness_and_when_the_next_look_is_due() {
    let [tcp, notify, delay] = ["tcp:80", "notify", "delay:3s"].map(asking);
    let without = Spec { healthy_after: Duration::from_secs(300), ..spec(Target::Forever) };
    let extended = RunRecord { extended: Some(at(25_000)), ..record(None) };
    let shortened = RunRecord { extended: Some(at(2_000)), ..record(None) };
    let cases = [
        ("nothing is asked for: it is ready as soon as it runs", &without, 0, record(None), true, 300_000),
        ("nobody has seen it ready", &tcp, 9_999, record(None), false, 10_000),
        ("somebody has", &tcp, 9_999, seen(400), true, 300_000),
        ("it has not said so", &notify, 1, record(None), false, 10_000),
        ("it asked for more time", &notify, 10_000, extended, false, 25_000),
        ("less time than it has is not taken", &notify, 1, shortened, false, 10_000),
        ("its delay is not over", &delay, 2_999, record(None), false, 3_000),
        ("its delay is over", &delay, 3_000, record(None), true, 300_000),
        ("a delay has no time limit", &asking("delay:1m"), 20_000, record(None), false, 60_000),
    ];
    for (claim, spec, ms, record, ready, due) in cases {
        let decision = looked(spec, ms, record);
        assert_eq!((decision.ready, decision.act), (Some(ready), Act::None), "{claim}");
        assert_eq!(decision.deadline.map(|at| at.boot_ms), Some(due), "{claim}");
    }
}

#[test]
fn readiness_is_told_once_with_the_time_it_took() {
    let spec = asking("tcp:80");
    let first = looked(&spec, 700, seen(650));
    assert_eq!(kinds(&first), [EventKind::Ready]);
    let event = &first.state.pending[0];
    assert_eq!((event.ran_s, event.at, event.detail.as_str()), (Some(0.65), at(650).wall, "tcp:80"));
    let told = State { pending: Vec::new(), ..first.state.into_owned() };
    let again = look(&spec, &told, Some(&living(800, seen(650))), &at(800));
    assert!(!again.changed && again.ready == Some(true));
    let without = looked(&Spec { ready: None, ..spec }, 700, record(None));
    assert!(kinds(&without).is_empty(), "nobody asked");
}

#[test]
fn a_run_that_is_not_ready_in_time_is_asked_to_end_and_its_end_is_not_ready_whatever_the_code() {
    let forever = asking("tcp:80");
    let job = Spec { target: Target::Exit, ..forever.clone() };
    for (spec, verdict) in [(&forever, Verdict::Premature), (&job, Verdict::Failed)] {
        let late = looked(spec, 10_000, record(None));
        assert_eq!((late.act, late.actions.as_slice()), (Act::Ask, &["killed"][..]));
        let state = late.state.into_owned();
        let reason = state.open().and_then(|open| open.stopping.as_ref()).map(|stopping| stopping.reason);
        assert_eq!(reason, Some(StopReason::NotReady { after_s: 10 }));
        // It becomes ready while it is being ended: too late.
        let after = look(spec, &state, Some(&living(10_500, seen(10_400))), &at(10_500));
        assert_eq!((after.act, kinds(&after).contains(&EventKind::Ready)), (Act::None, false));
        for status in [WaitStatus::Code(0), WaitStatus::Signal(Signal(15), false)] {
            let last = look(spec, &state, Some(&ended(11_000, status)), &at(11_000)).state.last.clone().unwrap();
            assert_eq!((&last.cause, last.verdict), (&Cause::NotReady { after_s: 10 }, verdict), "{status:?}");
        }
    }
}

#[test]
fn a_run_without_its_shim_is_not_judged_by_what_nobody_could_see() {
    let spec = asking("notify");
    let alone = evidence(at(60_000), Lock::Free, Life::Alive, Lock::Held, record(None));
    let decision = look(&spec, &started(&spec), Some(&alone), &at(60_000));
    assert_eq!((decision.act, decision.ready), (Act::TakeOver, None));
    let mut taken = record(None);
    taken.taken_over.push(TakenOver { at: at(60_100), untraced: None });
    let decision = looked(&spec, 70_000, taken);
    assert_eq!((decision.act, decision.ready), (Act::None, None), "its new shim heard nothing of what came before");
}

#[test]
fn a_run_that_is_being_stopped_is_not_ended_a_second_time() {
    let spec = asking("tcp:80");
    let (name, now, state) = ("bot".parse().unwrap(), at(9_000), started(&spec));
    let view = crate::policy::decide::Look { name: &name, spec: &spec, state: &state, now: &now };
    let stopping = crate::policy::operator::stop(view, None, crate::model::state::Desired::Down).into_owned().state;
    let decision = look(&spec, &stopping, Some(&living(10_000, record(None))), &at(10_000));
    let reason = decision.state.open().and_then(|open| open.stopping.as_ref()).map(|stopping| stopping.reason);
    assert_eq!(reason, Some(StopReason::Operator));
}

#[test]
fn the_start_after_a_preflight_is_told_when_the_program_has_begun() {
    let spec = Spec { preflight: vec!["true".to_owned()], ..spec(Target::Forever) };
    let preparing = RunRecord { shim: Some(identity(10)), ..RunRecord::default() };
    let before = looked(&spec, 100, preparing);
    assert_eq!((before.standing, before.ready), (Some(Standing::Starting), Some(false)));
    let begun = looked(&spec, 200, record(None));
    assert_eq!(kinds(&begun), [EventKind::Started]);
    assert_eq!(begun.state.pending[0].pid, Some(11));
    let again = look(&spec, &begun.state, Some(&living(300, record(None))), &at(300));
    assert!(!again.changed);
}

#[test]
fn a_failed_preflight_ends_the_run_and_counts_as_a_failure() {
    let failure = PreflightFailure { code: Some(7), what: "`x` (1 of 1): exit 7".to_owned(), at: at(300) };
    let failed = RunRecord { shim: Some(identity(10)), preflight_failure: Some(failure), ..RunRecord::default() };
    for (target, verdict) in [(Target::Forever, Verdict::Premature), (Target::Exit, Verdict::Failed)] {
        let spec = spec(target);
        let clearing = looked(&spec, 300, failed.clone());
        assert_eq!(clearing.standing, Some(Standing::Closing), "its shim clears what it left");
        let over = evidence(at(400), Lock::Free, Life::Gone, Lock::Free, failed.clone());
        let decision = look(&spec, &started(&spec), Some(&over), &at(400));
        let last = decision.state.last.clone().unwrap();
        assert_eq!((last.cause.kind(), last.verdict, last.pid), ("preflight_failed", verdict, None));
        assert_eq!(decision.state.failures, 1);
        assert!(!kinds(&decision).contains(&EventKind::Started), "it never began");
        assert_eq!(matches!(decision.state.phase, Phase::Waiting { .. }), target == Target::Forever);
    }
}
