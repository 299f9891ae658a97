//! Words, numbers and times as they read.

use proptest::prelude::*;

use super::*;
use crate::model::ending::Arrived;
use crate::model::sample::{at, btc_bot};
use crate::model::signal::Signal;

fn from_node(signal: i32) -> SignalRecord {
    SignalRecord { signal: Signal(signal), ..btc_bot().event.signals[0].clone() }
}

#[test]
fn causes_are_said_with_signal_and_sender_and_never_guessed() {
    let killed = Cause::Signaled { signal: Signal(9), core_dumped: false };
    let kernel =
        SignalRecord { signal: Signal(1), at: at(0).wall, to: Arrived::Process, sender: None, survived: false };
    let cases = [
        (Cause::Exited { code: 0 }, vec![from_node(15)], "exit 0 after SIGTERM from node, pid 99"),
        (Cause::Exited { code: 137 }, vec![], "exit 137"),
        (killed.clone(), vec![], "SIGKILL from an unknown sender"),
        (killed.clone(), vec![from_node(15)], "SIGKILL from an unknown sender"),
        (Cause::Signaled { signal: Signal(15), core_dumped: false }, vec![from_node(15)], "SIGTERM from node, pid 99"),
        (Cause::Exited { code: 0 }, vec![from_node(15), kernel], "exit 0 after SIGHUP from the kernel"),
        (
            Cause::Signaled { signal: Signal(11), core_dumped: false },
            vec![SignalRecord { sender: None, ..from_node(11) }],
            "SIGSEGV from the kernel, for a fault in it",
        ),
        (
            Cause::SpawnFailed { errno: 2, what: "program `x`".to_owned(), step: Some(SpawnStep::Exec) },
            vec![],
            "cannot start: program `x`: no such file or directory",
        ),
        (Cause::TimeLimit { limit_s: 3600 }, vec![], "time limit of 1h"),
        (Cause::Reboot, vec![from_node(15)], "reboot"),
    ];
    for (cause, signals, want) in cases {
        assert_eq!(cause_phrase(&cause, &signals), want);
    }
    assert_eq!(cause_sentence(&killed, &[]), "it was ended by SIGKILL; nothing shows who sent it");
    assert_eq!(
        cause_sentence(&Cause::Exited { code: 0 }, &[from_node(15)]),
        "it exited with code 0, after SIGTERM from node (pid 99, user 1000), command `node gateway.js`, \
         started by bash 42 < systemd 1"
    );
}

#[test]
fn guardian_itself_the_program_itself_and_who_is_out_of_sight_are_called_that() {
    let node = from_node(15).sender.unwrap();
    let stop = Sender { guardian: Some(Part::Stop), ..node.clone() };
    assert_eq!(
        sender_sentence(&stop),
        "guardian's own `stop` (pid 99, user 1000), command `node gateway.js`, asked for by bash 42 < systemd 1"
    );
    assert_eq!(sender_phrase(&Sender { guardian: Some(Part::Pass), ..node.clone() }), "guardian's own pass, pid 99");
    assert_eq!(sender_phrase(&Sender { itself: true, ..node }), "itself");
    assert_eq!(sender_phrase(&Sender::gone(0, Some(0), None)), "a process outside of this container");
    assert_eq!(sender_sentence(&Sender::gone(7, None, Some("kill".to_owned()))), "kill (pid 7, user not known)");
    assert_eq!(sender_sentence(&Sender::gone(7, Some(5), None)), "pid 7 (user 5), gone before it could be named");
}

#[test]
fn a_life_is_told_against_its_target_and_unknown_stays_unknown() {
    assert_eq!(lived_of_target(Some(3.2), Some(28_800)), "3s of 8h");
    assert_eq!(lived_of_target(Some(3700.0), None), "1h 01m");
    assert_eq!(lived_of_target(None, Some(60)), "an unknown time of 1m");
    assert_eq!(lived_of_target(Some(f64::NAN), None), "an unknown time");
    assert_eq!(percent_of_target(Some(14_400.0), Some(28_800)), Some(50));
    assert_eq!(percent_of_target(Some(1.0), Some(0)), None);
}

#[test]
fn escape_sequences_go_as_a_whole_and_nothing_moves_the_cursor() {
    let cases = [
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
        ("a\r\nBcc: evil@x", "aBcc: evil@x"),
        ("tab\there", "tab here"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("Grüße ✓", "Grüße ✓"),
    ];
    for (text, want) in cases {
        assert_eq!(strip_control(text), want, "{text:?}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_stripped_holds_a_control_character(text in any::<String>()) {
        prop_assert!(!strip_control(&text).chars().any(char::is_control));
    }

    #[test]
    fn a_cut_text_is_as_short_as_asked(text in any::<String>(), max in 1..50_usize) {
        prop_assert!(cut(&text, max).chars().count() <= max);
    }
}

#[test]
fn who_sent_a_signal_that_the_program_caught_and_raised_again_is_named_and_one_it_lived_on_after_never_ended_it() {
    let term = Cause::Signaled { signal: Signal(15), core_dumped: false };
    let raised = |after_ms: i64| {
        let sender = from_node(15).sender.map(|sender| Sender { itself: true, ..sender });
        SignalRecord { at: crate::model::time::Wall(from_node(15).at.0 + after_ms), sender, ..from_node(15) }
    };
    let cases = [
        (term.clone(), vec![from_node(15), raised(200)], "SIGTERM from itself, after SIGTERM from node, pid 99"),
        (term.clone(), vec![from_node(15), raised(61_000)], "SIGTERM from itself"),
        (term.clone(), vec![raised(0)], "SIGTERM from itself"),
        (
            term.clone(),
            vec![SignalRecord { survived: true, ..from_node(15) }],
            "SIGTERM from an unknown sender; earlier SIGTERM from node, pid 99",
        ),
        (Cause::Exited { code: 0 }, vec![SignalRecord { survived: true, ..from_node(15) }], "exit 0"),
    ];
    for (cause, signals, want) in cases {
        assert_eq!(cause_phrase(&cause, &signals), want);
    }
    let signals = [from_node(15), raised(200)];
    assert_eq!(signal_before(&term, &signals), Some(&signals[0]));
    assert!(cause_sentence(&term, &signals).contains("from itself, after SIGTERM from node (pid 99, user 1000)"));
}

#[test]
fn a_process_that_took_a_name_of_guardians_is_not_called_guardian() {
    let named = |comm: &str| sender_phrase(&Sender::gone(7, None, Some(comm.to_owned())));
    assert_eq!(named("guardian"), "a process named `guardian`, pid 7");
    assert_eq!(named(" guardian-shim\n"), "a process named `guardian-shim`, pid 7");
    assert_eq!(named(" "), "a process with a blank name, pid 7");
}

#[test]
fn a_stop_whose_signal_nobody_saw_is_not_from_an_unknown_sender() {
    let term = Cause::Signaled { signal: Signal(15), core_dumped: false };
    let stop = from_node(15).sender.map(|sender| Sender { guardian: Some(Part::Stop), ..sender });
    assert_eq!(end_phrase(&term, &[], stop.as_ref()), "SIGTERM, asked for by guardian's own `stop`, pid 99");
    assert_eq!(end_phrase(&term, &[], None), "SIGTERM from an unknown sender");
    assert_eq!(end_phrase(&term, &[from_node(15)], stop.as_ref()), "SIGTERM from node, pid 99");
}
