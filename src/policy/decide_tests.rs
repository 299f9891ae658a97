//! The behaviour of guardian for one process, as tables.

use std::time::Duration;

use crate::model::ending::{Cause, StopReason, Verdict, WaitStatus};
use crate::model::event::{EventKind, Severity};
use crate::model::evidence::{End, Evidence, Life, Lock, Recorded, RunRecord, SpawnFailure, SpawnStep};
use crate::model::name::Name;
use crate::model::signal::Signal;
use crate::model::spec::{Command, Leftover, OnBoot, Restart, Spec, Target};
use crate::model::state::{Desired, Phase, State};
use crate::model::time::{BootId, Identity, Stamp, Wall};

use super::classify::{Standing, standing};
use super::decide::{Act, Decision, Look, decide};
use super::operator::{reset, start, stop};

const HOUR: u64 = 3_600_000;

pub(super) fn at(ms: u64) -> Stamp {
    Stamp { wall: Wall(1_000_000_000_000 + i64::try_from(ms).unwrap()), boot_ms: ms, boot: BootId::new("b1").unwrap() }
}

pub(super) fn rebooted(ms: u64) -> Stamp {
    Stamp { boot_ms: 5_000, boot: BootId::new("b2").unwrap(), ..at(ms) }
}

pub(super) fn spec(target: Target) -> Spec {
    Spec { target, ..Spec::with_command(Command::Shell("x".to_owned())) }
}

pub(super) fn eight_hours() -> Spec {
    spec(Target::For(Duration::from_secs(8 * 3600)))
}

pub(super) fn name() -> Name {
    "bot".parse().unwrap()
}

pub(super) fn identity(pid: i32) -> Identity {
    Identity { pid, started: 7, boot: BootId::new("b1").unwrap(), unique: None }
}

/// A state with a run that the operator started at 0.
pub(super) fn started(spec: &Spec) -> State {
    let (name, now) = (name(), at(0));
    let state = State::new(&now);
    start(Look { name: &name, spec, state: &state, now: &now }).into_owned().state.into_owned()
}

pub(super) fn record(end: Option<(u64, WaitStatus)>) -> RunRecord {
    let end = end.map(|(ms, status)| End {
        status,
        at: at(ms),
        user_ms: Some(1),
        system_ms: Some(1),
        max_rss_kib: Some(1),
        leftover: false,
        left: None,
        limits: None,
        oom: None,
        memory_peak_bytes: None,
        core: None,
        log_bytes: Some(0),
    });
    RunRecord { shim: Some(identity(10)), main: Some(identity(11)), began: Some(at(0)), end, ..RunRecord::default() }
}

pub(super) fn evidence(now: Stamp, shim_lock: Lock, main: Life, tree_lock: Lock, record: RunRecord) -> Evidence {
    Evidence {
        now,
        shim_lock,
        tree_lock,
        main,
        record: Recorded::Read(Box::new(record)),
        inspection: None,
        probed: None,
        tail: None,
        init_began: None,
        ends_all: false,
    }
}

pub(super) fn ended(ms: u64, status: WaitStatus) -> Evidence {
    evidence(at(ms), Lock::Free, Life::Gone, Lock::Free, record(Some((ms, status))))
}

pub(super) fn look(spec: &Spec, state: &State, evidence: Option<&Evidence>, now: &Stamp) -> Decision<'static> {
    decide(Look { name: &name(), spec, state, now }, evidence).into_owned()
}

pub(super) fn after(spec: &Spec, ms: u64, status: WaitStatus) -> Decision<'static> {
    let state = started(spec);
    look(spec, &state, Some(&ended(ms, status)), &at(ms))
}

const TERM: WaitStatus = WaitStatus::Signal(Signal(15), false);

#[test]
fn the_verdict_follows_target_time_and_code() {
    let [forever, exit, hours] = [spec(Target::Forever), spec(Target::Exit), eight_hours()];
    let cases = [
        ("a service that exits 0 is premature", &forever, 9 * HOUR, WaitStatus::Code(0), Verdict::Premature),
        ("a job that exits 0 is completed", &exit, 5, WaitStatus::Code(0), Verdict::Completed),
        ("a job that exits 1 failed", &exit, 5, WaitStatus::Code(1), Verdict::Failed),
        ("a job that was killed failed", &exit, 5, TERM, Verdict::Failed),
        (
            "a bot that exits 0 after an hour of eight is premature",
            &hours,
            HOUR,
            WaitStatus::Code(0),
            Verdict::Premature,
        ),
        ("whatever the code", &hours, HOUR, WaitStatus::Code(137), Verdict::Premature),
        ("79.99 % is premature", &hours, 8 * HOUR * 7999 / 10_000, WaitStatus::Code(0), Verdict::Premature),
        ("80 % is enough", &hours, 8 * HOUR * 8 / 10, WaitStatus::Code(0), Verdict::Completed),
        ("after its time, but not well", &hours, 8 * HOUR, WaitStatus::Code(3), Verdict::Failed),
        ("killed after its time", &hours, 8 * HOUR, TERM, Verdict::Failed),
    ];
    for (claim, spec, ms, status, want) in cases {
        assert_eq!(after(spec, ms, status).state.last.as_ref().unwrap().verdict, want, "{claim}");
    }
}

#[test]
fn policy_decides_what_follows_an_end() {
    let ok = WaitStatus::Code(0);
    let bad = WaitStatus::Code(1);
    let cases = [
        ("premature, by default: again", Restart::Premature, Target::Forever, 5000, ok, Act::Launch),
        ("a failed job, by default: not again", Restart::Premature, Target::Exit, 5000, bad, Act::None),
        ("a failed job with on-failure: again", Restart::OnFailure, Target::Exit, 5000, bad, Act::Launch),
        ("a completed job with on-failure: not again", Restart::OnFailure, Target::Exit, 5000, ok, Act::None),
        ("a completed job with always: again", Restart::Always, Target::Exit, 5000, ok, Act::Launch),
        ("never means never", Restart::Never, Target::Forever, 5000, TERM, Act::None),
        (
            "code 127 is never followed by a restart",
            Restart::Always,
            Target::Forever,
            5000,
            WaitStatus::Code(127),
            Act::None,
        ),
    ];
    for (claim, restart, target, ms, status, want) in cases {
        let spec = Spec { restart, ..spec(target) };
        assert_eq!(after(&spec, ms, status).act, want, "{claim}");
    }
}

#[test]
fn a_run_that_died_at_once_waits_about_a_second_and_says_when() {
    let decision = after(&spec(Target::Forever), 10, WaitStatus::Code(1));
    let Phase::Waiting { until } = &decision.state.phase else { panic!("{:?}", decision.state.phase) };
    assert!((910..=1110).contains(&until.boot_ms), "{until:?}");
    assert_eq!(decision.deadline.as_ref(), Some(until));
    let (spec, state) = (spec(Target::Forever), decision.state.into_owned());
    assert_eq!(look(&spec, &state, None, &at(500)).act, Act::None, "not yet");
    assert_eq!(look(&spec, &state, None, &at(1200)).act, Act::Launch, "now");
}

/// Three runs in a row that each die after `lived` milliseconds, each pass coming at once.
pub(super) fn third_death(spec: &Spec, lived: u64) -> Decision<'static> {
    let mut state = started(spec);
    let mut clock = 0;
    for _ in 0..3 {
        clock += lived;
        let mut record = record(Some((clock, WaitStatus::Code(1))));
        record.began = Some(at(clock - lived));
        let evidence = evidence(at(clock), Lock::Free, Life::Gone, Lock::Free, record);
        let mut decision = look(spec, &state, Some(&evidence), &at(clock));
        if let Phase::Waiting { until } = &decision.state.phase {
            clock = until.boot_ms;
            decision = look(spec, &decision.state, None, &at(clock));
        }
        if decision.act == Act::None {
            return decision;
        }
        state = decision.state.into_owned();
    }
    look(spec, &state, None, &at(clock))
}

#[test]
fn the_third_failure_in_a_row_trips_the_breaker_and_is_critical() {
    let decision = third_death(&spec(Target::Forever), 3000);
    assert!(matches!(decision.state.phase, Phase::Tripped { .. }), "{:?}", decision.state.phase);
    let tripped = decision.state.pending.iter().find(|event| event.kind == EventKind::Tripped).unwrap();
    assert_eq!((tripped.severity, tripped.failures), (Severity::Critical, Some(3)));
}

#[test]
fn runs_that_stay_up_long_enough_never_trip_it() {
    let decision = third_death(&spec(Target::Forever), 301_000);
    assert!(!matches!(decision.state.phase, Phase::Tripped { .. }));
    assert_eq!(decision.state.failures, 1);
}

#[test]
fn a_tripped_breaker_starts_nothing_until_its_time_then_one_trial_that_may_not_fail() {
    let spec = spec(Target::Forever);
    let tripped = third_death(&spec, 3000).state.into_owned();
    let Phase::Tripped { until, .. } = tripped.phase.clone() else { panic!() };
    let before = Stamp { boot_ms: until.boot_ms - 1, ..until.clone() };
    assert_eq!(look(&spec, &tripped, None, &before).act, Act::None);
    let trial = look(&spec, &tripped, None, &until);
    assert_eq!(trial.act, Act::Launch);
    let mut record = record(Some((until.boot_ms + 4000, WaitStatus::Code(1))));
    record.began = Some(until.clone());
    let now = until.plus(Duration::from_secs(4));
    let dead = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record);
    let again = look(&spec, &trial.state, Some(&dead), &now);
    let Phase::Tripped { until: second, .. } = &again.state.phase else { panic!("{:?}", again.state.phase) };
    assert_eq!(second.since(&now), Duration::from_secs(1800), "the cooldown doubles");
    let reset = reset(Look { name: &name(), spec: &spec, state: &again.state, now: &now }).into_owned();
    assert_eq!((reset.act, &reset.state.phase), (Act::None, &Phase::Dead), "reset starts nothing");
}

#[test]
fn an_operators_stop_is_no_incident_and_nothing_follows() {
    let spec = eight_hours();
    let state = started(&spec);
    let asked =
        stop(Look { name: &name(), spec: &spec, state: &state, now: &at(5000) }, None, Desired::Down).into_owned();
    assert_eq!(asked.act, Act::Ask);
    let decision = look(&spec, &asked.state, Some(&ended(5100, TERM)), &at(5100));
    assert_eq!((&decision.state.phase, decision.act), (&Phase::Stopped, Act::None));
    assert_eq!(decision.state.last.as_ref().unwrap().verdict, Verdict::Stopped);
    assert!(decision.state.pending.iter().all(|event| event.severity == Severity::Info));
    assert_eq!(decision.state.desired, Desired::Down);
}

#[test]
fn a_death_before_the_stop_was_asked_for_keeps_its_own_verdict() {
    let spec = eight_hours();
    let state = started(&spec);
    let asked =
        stop(Look { name: &name(), spec: &spec, state: &state, now: &at(5000) }, None, Desired::Down).into_owned();
    let decision = look(&spec, &asked.state, Some(&ended(4000, WaitStatus::Code(1))), &at(5100));
    assert_eq!(decision.state.last.as_ref().unwrap().verdict, Verdict::Premature);
    assert_eq!(decision.state.phase, Phase::Stopped, "but it stays down, as asked");
}

#[test]
fn a_time_limit_asks_then_kills_and_is_never_completed_even_if_the_program_exits_0() {
    let spec = Spec { time_limit: Some(Duration::from_secs(60)), ..spec(Target::Exit) };
    let state = started(&spec);
    let alive = |ms| evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record(None));
    let before = look(&spec, &state, Some(&alive(59_000)), &at(59_000));
    assert_eq!((before.act, before.deadline), (Act::None, Some(at(60_000))));
    let asked = look(&spec, &state, Some(&alive(60_000)), &at(60_000));
    assert_eq!((asked.act, asked.deadline.clone()), (Act::Ask, Some(at(70_000))));
    assert_eq!(look(&spec, &asked.state, Some(&alive(61_000)), &at(61_000)).act, Act::None, "asked once");
    assert_eq!(look(&spec, &asked.state, Some(&alive(70_000)), &at(70_000)).act, Act::Kill);
    let last =
        look(&spec, &asked.state, Some(&ended(60_500, WaitStatus::Code(0))), &at(60_500)).state.last.clone().unwrap();
    assert_eq!((last.cause, last.verdict), (Cause::TimeLimit { limit_s: 60 }, Verdict::Failed));
}

#[test]
fn a_run_that_is_stopped_at_its_target_is_completed() {
    let spec = Spec { stop_at_target: true, ..eight_hours() };
    let state = started(&spec);
    let alive = evidence(at(8 * HOUR), Lock::Held, Life::Unknown, Lock::Unknown, record(None));
    let asked = look(&spec, &state, Some(&alive), &at(8 * HOUR));
    assert_eq!(asked.state.open().unwrap().stopping.as_ref().unwrap().reason, StopReason::Target);
    let over = look(&spec, &asked.state, Some(&ended(8 * HOUR + 5, TERM)), &at(8 * HOUR + 5));
    assert_eq!(over.state.phase, Phase::Completed);
}

#[test]
fn a_reboot_is_told_as_a_reboot_blames_nobody_and_brings_back_what_was_up() {
    let spec = eight_hours();
    let state = started(&spec);
    let now = rebooted(HOUR);
    let evidence = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(None));
    let decision = look(&spec, &state, Some(&evidence), &now);
    let last = decision.state.last.as_ref().unwrap();
    assert_eq!((&last.cause, last.ran_ms), (&Cause::Reboot, None), "how long it lived is not known");
    assert_eq!((decision.act, decision.state.failures), (Act::Launch, 0));
    let job = Spec { target: Target::Exit, ..spec.clone() };
    assert_eq!(look(&job, &state, Some(&evidence), &now).act, Act::Launch, "an interrupted job too");
    let never = Spec { on_boot: OnBoot::Never, ..spec };
    assert_eq!(look(&never, &state, Some(&evidence), &now).act, Act::None);
}

#[test]
fn an_end_that_was_recorded_before_the_reboot_keeps_its_cause() {
    let spec = eight_hours();
    let now = rebooted(HOUR);
    let evidence = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(Some((5000, WaitStatus::Code(3)))));
    let last = look(&spec, &started(&spec), Some(&evidence), &now).state.last.clone().unwrap();
    assert_eq!((last.cause, last.ran_ms), (Cause::Exited { code: 3 }, Some(5000)));
    let never = Spec { on_boot: OnBoot::Never, ..spec };
    assert_eq!(look(&never, &started(&never), Some(&evidence), &now).state.phase, Phase::Dead, "and it stays down");
}

#[test]
fn nothing_is_called_dead_or_alive_without_evidence() {
    let keep = Spec { leftover: Leftover::Keep, ..eight_hours() };
    let kill = eight_hours();
    let state = started(&kill);
    let open = state.open().unwrap();
    let (held, free, dark) = (Lock::Held, Lock::Free, Lock::Unknown);
    let cases = [
        ("the shim lives: running", &kill, held, Life::Unknown, dark, None, "Running"),
        ("the end is recorded, the shim still clears up", &kill, held, Life::Unknown, dark, Some(TERM), "Closing"),
        ("the shim is gone, the program lives", &kill, free, Life::Alive, held, None, "Unsupervised"),
        ("even if it closed the inherited lock", &kill, free, Life::Alive, free, None, "Unsupervised"),
        ("both are gone, a child lives", &kill, free, Life::Gone, held, None, "Remnants"),
        ("the same, and leftovers may live", &keep, free, Life::Gone, held, None, "Ended"),
        ("the shim was killed while it cleared up", &kill, free, Life::Gone, held, Some(TERM), "Remnants"),
        ("the same, and leftovers may live", &keep, free, Life::Gone, held, Some(TERM), "Ended"),
        ("all are gone", &kill, free, Life::Gone, free, None, "Ended"),
        ("a lock that cannot be asked", &kill, dark, Life::Gone, free, None, "Uncertain"),
        ("a process that cannot be asked", &kill, free, Life::Unknown, free, None, "Uncertain"),
        ("children that cannot be asked", &kill, free, Life::Gone, dark, None, "Uncertain"),
    ];
    for (claim, spec, shim, main, tree, status, want) in cases {
        let record = record(status.map(|status| (1000, status)));
        let word = format!("{:?}", standing(spec, open, &evidence(at(2000), shim, main, tree, record)));
        assert!(word.starts_with(want), "{claim}: {word}");
    }
    let unreadable = Evidence {
        record: Recorded::Unreadable("line 1".to_owned()),
        ..evidence(at(2000), Lock::Free, Life::Gone, Lock::Free, record(None))
    };
    let Standing::Ended(found) = standing(&kill, open, &unreadable) else { panic!() };
    assert!(matches!(found.cause, Cause::Unknown { .. }), "{:?}", found.cause);
}

#[test]
fn a_committed_start_that_nobody_carried_out_is_carried_out_under_the_same_number() {
    let spec = eight_hours();
    let state = started(&spec);
    let nothing =
        Evidence { record: Recorded::Missing, ..evidence(at(9), Lock::Free, Life::Gone, Lock::Free, record(None)) };
    let decision = look(&spec, &state, Some(&nothing), &at(9));
    assert_eq!((decision.act, decision.state.run, decision.changed), (Act::Launch, 1, false));
}

#[test]
fn a_program_that_does_not_exist_is_not_tried_again_but_a_directory_may_come_back() {
    let spec = Spec { cwd: Some("/nowhere".to_owned()), ..eight_hours() };
    for (step, names, again) in [
        (SpawnStep::Exec, "/bin/sh", false),
        (SpawnStep::Cwd, "/nowhere", true),
        (SpawnStep::EnvFile, "env_file", true),
    ] {
        let failure = SpawnFailure { errno: libc::ENOENT, step, at: at(1) };
        let record = RunRecord { shim: Some(identity(10)), spawn_failure: Some(failure), ..RunRecord::default() };
        let evidence = evidence(at(1), Lock::Free, Life::Gone, Lock::Free, record);
        let decision = look(&spec, &started(&spec), Some(&evidence), &at(1));
        let last = decision.state.last.as_ref().unwrap();
        assert!(matches!(&last.cause, Cause::SpawnFailed { what, .. } if what.contains(names)), "{:?}", last.cause);
        assert_eq!(decision.state.phase == Phase::Dead, !again, "{step:?}");
        assert_eq!(matches!(decision.state.phase, Phase::Waiting { .. }), again, "{step:?}");
    }
}

#[test]
fn a_recovery_is_told_once_when_it_has_been_up_long_enough() {
    let spec = spec(Target::Forever);
    let dead = after(&spec, 5000, WaitStatus::Code(1));
    assert!(dead.state.incident.is_some());
    let mut up = record(None);
    up.began = Some(at(5000));
    let seen = |ms| evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, up.clone());
    let early = look(&spec, &dead.state, Some(&seen(100_000)), &at(100_000));
    assert!(!early.changed, "not yet");
    let late = look(&spec, &dead.state, Some(&seen(305_000)), &at(305_000));
    let kinds: Vec<EventKind> = late.state.pending.iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Recovered).count(), 1);
    assert!(!look(&spec, &late.state, Some(&seen(400_000)), &at(400_000)).changed, "and not twice");
}

#[test]
fn a_new_boot_tries_again_what_policy_had_given_up_unless_the_last_state_counts() {
    let spec = Spec { cwd: Some("/nowhere".to_owned()), ..eight_hours() };
    let dead = after(&spec, 5000, WaitStatus::Code(127)).state.into_owned();
    assert_eq!((&dead.phase, look(&spec, &dead, None, &at(9000)).act), (&Phase::Dead, Act::None), "not in this boot");
    assert_eq!(look(&spec, &dead, None, &rebooted(HOUR)).act, Act::Launch);
    for on_boot in [OnBoot::Laststate, OnBoot::Never] {
        assert_eq!(look(&Spec { on_boot, ..spec.clone() }, &dead, None, &rebooted(HOUR)).act, Act::None, "{on_boot:?}");
    }
}

#[test]
fn what_exec_ran_is_told_as_ever_and_is_not_restarted_here_not_even_by_a_new_boot() {
    let spec = Spec { backoff: Duration::ZERO, ..eight_hours() };
    let state = State { foreground: true, ..started(&spec) };
    let dead = look(&spec, &state, Some(&ended(5000, WaitStatus::Code(1))), &at(5000));
    assert_eq!((&dead.state.phase, dead.act), (&Phase::Dead, Act::None));
    assert!(dead.state.pending.iter().any(|event| event.kind == EventKind::Premature));
    assert_eq!(look(&spec, &dead.state, None, &rebooted(HOUR)).act, Act::None);
}
