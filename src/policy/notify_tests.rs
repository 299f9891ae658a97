//! Which event a sink wants.

use proptest::prelude::*;

use super::*;
use crate::model::event::Severity;
use crate::model::sample::{any_sink, event};

#[test]
fn a_sink_gets_what_it_asked_for_and_nothing_else() {
    let plain = any_sink();
    let only_trips = Sink { events: vec!["tripped".into()], ..any_sink() };
    let all = Sink { events: vec!["*".into()], ..any_sink() };
    let critical = Sink { min_severity: Severity::Critical, ..any_sink() };
    let btc = Sink { processes: vec!["btc-*".into(), "x?".into()], ..any_sink() };
    let trading = Sink { groups: vec!["trading".into()], ..any_sink() };
    let about_alerts = Sink { events: vec!["*".into(), "alert_failed".into()], ..any_sink() };
    let of = |name: &str, kind| event(name, 1, kind, 0);
    let in_group = Event { group: Some("trading".into()), ..of("a", EventKind::Failed) };
    let cases = [
        ("without filters, warnings come", &plain, of("a", EventKind::Premature), true),
        ("without filters, info does not", &plain, of("a", EventKind::Started), false),
        ("without filters, recoveries come", &plain, of("a", EventKind::Recovered), true),
        ("a higher threshold hides warnings", &critical, of("a", EventKind::Premature), false),
        ("a higher threshold lets critical through", &critical, of("a", EventKind::Tripped), true),
        ("a list is all that counts", &only_trips, of("a", EventKind::Premature), false),
        ("a list of kinds excludes recoveries it does not name", &only_trips, of("a", EventKind::Recovered), false),
        ("a named kind comes", &only_trips, of("a", EventKind::Tripped), true),
        ("the star means every kind", &all, of("a", EventKind::Started), true),
        ("the star does not mean alerts about alerts", &all, of("a", EventKind::AlertFailed), false),
        ("alerts about alerts come by name", &about_alerts, of("a", EventKind::AlertFailed), true),
        ("a glob fits", &btc, of("btc-bot", EventKind::Failed), true),
        ("a question mark fits one character", &btc, of("x1", EventKind::Failed), true),
        ("another name does not fit", &btc, of("eth-bot", EventKind::Failed), false),
        ("a group fits", &trading, in_group, true),
        ("no group is no member", &trading, of("a", EventKind::Failed), false),
    ];
    for (claim, sink, event, want) in cases {
        assert_eq!(wants(sink, &event), want, "{claim}");
    }
}

#[test]
fn a_process_that_names_its_sinks_is_told_to_those_alone_whatever_their_globs() {
    let named = Event { notify: vec!["ops".into()], ..event("a", 1, EventKind::Failed, 0) };
    let narrow = Sink { processes: vec!["btc-*".into()], ..any_sink() };
    let other = Sink { name: "other".into(), ..any_sink() };
    assert!(wants(&narrow, &named));
    assert!(!wants(&other, &named));
}

#[test]
fn a_commit_is_one_message_about_the_worst_of_it() {
    let commit =
        [EventKind::Exited, EventKind::Premature, EventKind::Tripped, EventKind::Signal].map(|k| event("a", 1, k, 0));
    assert_eq!(choose(&any_sink(), &commit).map(|e| e.kind), Some(EventKind::Tripped));
    let no_trips = Sink { events: vec!["exited".into(), "premature".into()], ..any_sink() };
    assert_eq!(choose(&no_trips, &commit).map(|e| e.kind), Some(EventKind::Premature));
    assert_eq!(choose(&any_sink(), &commit[..1]), None, "an exit alone is info");
}

proptest! {
    #[test]
    fn a_star_fits_everything_and_a_name_fits_itself(name in "[a-z0-9._-]{0,20}") {
        prop_assert!(matches("*", &name));
        prop_assert!(matches(&name, &name));
        let suffixed = format!("{name}*");
        let framed = format!("*{name}*");
        prop_assert!(matches(&suffixed, &name));
        prop_assert!(matches(&framed, &name));
        let longer = format!("{name}?");
        prop_assert!(!matches(&longer, &name));
    }

    #[test]
    fn globs_agree_with_the_textbook(glob in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        fn slow(glob: &[u8], text: &[u8]) -> bool {
            match (glob.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => slow(rest, text) || (!text.is_empty() && slow(glob, &text[1..])),
                (Some((b'?', rest)), Some((_, more))) => slow(rest, more),
                (Some((one, rest)), Some((other, more))) => one == other && slow(rest, more),
                (_, _) => false,
            }
        }
        prop_assert_eq!(matches(&glob, &text), slow(glob.as_bytes(), text.as_bytes()));
    }
}
