//! Probes as tables: a run that began at 0 is asked every 30 s, at the moments that policy itself names.

use std::time::Duration;

use crate::model::ending::{Cause, Verdict, WaitStatus};
use crate::model::event::EventKind;
use crate::model::evidence::{Evidence, Life, Lock, Ready, RunRecord};
use crate::model::liveness::Probed;
use crate::model::probe::Probe;
use crate::model::signal::Signal;
use crate::model::spec::{OnHang, Spec, Target};
use crate::model::state::{Phase, State};

use super::super::decide::{Act, Decision};
use super::super::decide_tests::{at, ended, evidence, look, record, spec, started};
use super::{due, first_look, is_last, sentence};

const EVERY: u64 = 30_000;

fn probed(on_hang: OnHang) -> Spec {
    Spec { probe: Some(Probe::Command("x".to_owned())), on_hang, ..spec(Target::Forever) }
}

fn alive(record: RunRecord, ms: u64, probed: Option<Probed>) -> Evidence {
    Evidence { probed, ..evidence(at(ms), Lock::Held, Life::Unknown, Lock::Unknown, record) }
}

fn answer(ms: u64, outcome: Result<(), &str>) -> Probed {
    let outcome = outcome.map_err(str::to_owned);
    Probed { run: 1, of: "cmd:x".to_owned(), at: at(ms), awake_ms: 1_000_000 + ms, outcome, stuck: None }
}

/// One look at `ms`, with the answer to a question that was put at `asked`.
fn asked(spec: &Spec, state: &State, (put, ms): (u64, u64), outcome: Result<(), &str>) -> Decision<'static> {
    look(spec, state, Some(&alive(record(None), ms, Some(answer(put, outcome)))), &at(ms))
}

/// The answers in a row, each asked for when it was due.
fn row(spec: &Spec, answers: &str) -> (u64, State) {
    let mut state = started(spec);
    let mut ms = 0;
    for answer in answers.chars() {
        ms += EVERY;
        let outcome = if answer == '+' { Ok(()) } else { Err("no") };
        state = asked(spec, &state, (ms, ms), outcome).state.into_owned();
    }
    (ms, state)
}

#[test]
fn three_failures_in_a_row_are_a_hang_and_no_fewer_and_none_with_a_success_between() {
    for (answers, hung) in [("---", true), ("--", false), ("--+--", false), ("+++---", true), ("-+-+-+--", false)] {
        let (_, state) = row(&probed(OnHang::Alert), answers);
        assert_eq!(state.open().unwrap().is_hung(), hung, "{answers}");
    }
    let (_, state) = row(&Spec { probe_failures: 1, ..probed(OnHang::Alert) }, "-");
    assert!(state.open().unwrap().is_hung());
}

#[test]
fn it_is_silent_since_it_answered_last_or_since_the_questions_began() {
    for (answers, silent_s) in [("---", 90), ("+---", 90), ("+-+---", 90)] {
        let (_, state) = row(&probed(OnHang::Alert), answers);
        assert_eq!(state.open().unwrap().hang().unwrap().silent_s, silent_s, "{answers}");
    }
}

#[test]
fn what_follows_is_up_to_on_hang() {
    for (on_hang, act, dead) in
        [(OnHang::Restart, Act::Ask, false), (OnHang::Kill, Act::Ask, true), (OnHang::Alert, Act::None, false)]
    {
        let spec = probed(on_hang);
        let (ms, state) = row(&spec, "--");
        let last = ms + EVERY;
        let decision = asked(&spec, &state, (last, last), Err("connection refused"));
        assert_eq!(decision.act, act, "{on_hang:?}");
        let told = decision.state.pending.iter().find(|event| event.kind == EventKind::Hung).unwrap();
        assert_eq!(told.detail, "probe `cmd:x` failed 3 times in a row: connection refused");
        if act == Act::Ask {
            let over = look(
                &spec,
                &decision.state,
                Some(&ended(last + 5, WaitStatus::Signal(Signal(15), false))),
                &at(last + 5),
            );
            let end = over.state.last.as_ref().unwrap();
            assert!(matches!(end.cause, Cause::Hung { silent_s: 90, .. }), "{:?}", end.cause);
            assert_eq!(end.verdict, Verdict::Premature);
            assert_eq!(matches!(over.state.phase, Phase::Dead), dead, "{on_hang:?}");
        }
    }
}

#[test]
fn with_alert_a_hang_is_told_once_its_recovery_too_and_another_hang_again() {
    let kinds = |answers: &str| {
        let (_, state) = row(&probed(OnHang::Alert), answers);
        state.pending.iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds("------"), [EventKind::Hung]);
    assert_eq!(kinds("----+++"), [EventKind::Hung, EventKind::Recovered]);
    assert_eq!(kinds("---+---+"), [EventKind::Hung, EventKind::Recovered, EventKind::Hung, EventKind::Recovered]);
    assert_eq!(kinds("--+"), [], "what was not told needs no recovery");
}

#[test]
fn an_answer_counts_once_and_only_if_it_was_due_when_it_was_asked_for() {
    let spec = probed(OnHang::Alert);
    let (ms, state) = row(&spec, "-");
    let failures = |decision: &Decision| decision.state.open().unwrap().probing.as_ref().unwrap().failures;
    let again = asked(&spec, &state, (ms, ms), Err("no"));
    assert!(!again.changed, "the same look");
    let twice = asked(&spec, &state, (ms + 10, ms + 5000), Err("no"));
    assert!(!twice.changed && failures(&twice) == 1, "another pass asked for it at the same time");
    let of_another_run = Probed { run: 2, ..answer(2 * EVERY, Err("no")) };
    let other = look(&spec, &state, Some(&alive(record(None), 2 * EVERY, Some(of_another_run))), &at(2 * EVERY));
    assert_eq!(failures(&other), 1);
    let next = asked(&spec, &state, (2 * EVERY, 2 * EVERY + 40), Err("no"));
    assert_eq!((failures(&next), next.deadline.unwrap().boot_ms), (2, 3 * EVERY + 40));
}

#[test]
fn a_time_in_which_nobody_asked_is_no_failure() {
    let spec = probed(OnHang::Alert);
    let (ms, state) = row(&spec, "--");
    let night = ms + 8 * 3_600_000;
    let nobody = look(&spec, &state, Some(&alive(record(None), night, None)), &at(night));
    assert!(!nobody.state.open().unwrap().is_hung() && !nobody.changed);
    assert_eq!(nobody.deadline.unwrap().boot_ms, night + 6000, "whoever asks now may need 5 s");
    let woken = asked(&spec, &state, (night, night), Ok(()));
    assert_eq!(woken.state.open().unwrap().probing.as_ref().unwrap().failures, 0);
}

#[test]
fn questions_begin_one_period_after_the_start_or_after_it_is_ready() {
    let plain = probed(OnHang::Alert);
    assert_eq!(first_look(&plain), Some(Duration::from_secs(30)));
    let open = started(&plain);
    let open = open.open().unwrap();
    assert_eq!(due(&plain, open, &record(None), &at(EVERY - 1)), None);
    assert_eq!(due(&plain, open, &record(None), &at(EVERY + 7)), Some(Duration::from_millis(7)));
    let notify = Spec { ready: Some(Probe::Notify), ..plain.clone() };
    assert_eq!(first_look(&notify), None);
    assert_eq!(due(&notify, open, &record(None), &at(59_000)), None, "it is not ready");
    let ready = RunRecord { ready: Some(Ready { at: at(50_000), by: String::new() }), ..record(None) };
    assert_eq!(due(&notify, open, &ready, &at(79_999)), None);
    assert_eq!(due(&notify, open, &ready, &at(80_000)), Some(Duration::ZERO));
    let none = Spec { probe: None, ..plain };
    assert_eq!(due(&none, open, &record(None), &at(EVERY)), None);
}

#[test]
fn a_run_is_well_only_if_it_answers() {
    let spec = Spec { probe_failures: 1000, ..probed(OnHang::Alert) };
    for (answers, well) in [("----------", false), ("---------+", true), ("+++++++++-", false)] {
        assert_eq!(row(&spec, answers).1.open().unwrap().healthy, well, "{answers}");
    }
}

#[test]
fn another_probe_begins_anew_and_none_ends_the_hang() {
    let spec = probed(OnHang::Alert);
    let (ms, state) = row(&spec, "---");
    let ms = ms + EVERY;
    let none = Spec { probe: None, ..spec.clone() };
    let over = look(&none, &state, Some(&alive(record(None), ms, None)), &at(ms));
    assert!(over.state.open().unwrap().probing.is_none());
    assert_eq!(over.state.pending.last().unwrap().kind, EventKind::Recovered);
    let other = Spec { probe: Some(Probe::Command("y".to_owned())), ..spec };
    let of_y = Probed { of: "cmd:y".to_owned(), ..answer(ms, Err("no")) };
    let next = look(&other, &state, Some(&alive(record(None), ms, Some(of_y))), &at(ms));
    let open = next.state.open().unwrap();
    assert_eq!((open.is_hung(), open.probing.as_ref().unwrap().failures), (false, 1));
    assert_eq!(next.state.pending.last().unwrap().kind, EventKind::Recovered, "what was told of the old one is over");
}

#[test]
fn the_driver_knows_which_failure_is_one_too_many() {
    let spec = probed(OnHang::Alert);
    for (answers, last) in [("", false), ("-", false), ("--", true), ("---", false), ("--+", false)] {
        assert_eq!(is_last(&spec, row(&spec, answers).1.open().unwrap()), last, "{answers}");
    }
    assert_eq!(sentence("tcp:80", 1, "why"), "probe `tcp:80` failed: why");
}
