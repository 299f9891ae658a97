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
    let kernel = SignalRecord { signal: Signal(1), at: at(0).wall, to: Arrived::Process, sender: None };
    let cases = [
        (Cause::Exited { code: 0 }, vec![from_node(15)], "exit 0 after SIGTERM from node, pid 99"),
        (Cause::Exited { code: 137 }, vec![], "exit 137"),
        (killed.clone(), vec![], "SIGKILL from an unknown sender"),
        (killed.clone(), vec![from_node(15)], "SIGKILL from an unknown sender"),
        (Cause::Signaled { signal: Signal(15), core_dumped: false }, vec![from_node(15)], "SIGTERM from node, pid 99"),
        (Cause::Exited { code: 0 }, vec![from_node(15), kernel], "exit 0 after SIGHUP from the kernel"),
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
