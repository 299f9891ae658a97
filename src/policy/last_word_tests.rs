//! Through whom a last word goes, what it says, and that it ends.

use super::*;
use crate::model::delivery::SCHEMA;
use crate::model::sample::{self, any_sink, at, note};

fn entry(name: &str, run: u64, sink: &str, secs: u64) -> Entry {
    Entry::new(note(sample::event(name, run, EventKind::Premature, secs)), sink, at(secs))
}

fn dead(name: &str, run: u64, sink: &str, secs: u64) -> Entry {
    Entry {
        attempts: 1,
        first_failed: Some(at(secs)),
        last_error: Some("535 no".to_owned()),
        ..entry(name, run, sink, secs)
    }
}

fn reached(sink: &str, secs: u64) -> Receipt {
    let entry = entry("x", secs, sink, secs);
    let (id, group) = (entry.id().to_owned(), entry.group());
    Receipt {
        schema: SCHEMA,
        id,
        sink: entry.sink,
        group,
        at: at(secs),
        how: Settled::Sent,
        part_of: None,
        refused: vec![],
        reason: None,
    }
}

fn named(name: &str) -> Sink {
    Sink { name: name.to_owned(), ..any_sink() }
}

fn guardian() -> Name {
    "guardian".parse().unwrap()
}

#[test]
fn it_goes_through_a_sink_that_works() {
    let given_up = [dead("a", 1, "ops", 50)];
    let failing = |sink| Entry { last_error: Some("refused".to_owned()), ..entry("a", 2, sink, 60) };
    let only_done = Sink { events: vec!["completed".to_owned()], ..named("done") };
    let of_others = Sink { processes: vec!["b*".to_owned()], ..named("aaa") };
    let lost = [given_up[0].clone(), dead("a", 1, "chat", 55)];
    let cases = [
        ("the only sink there is has nobody to speak for it", vec![named("ops")], &given_up[..], vec![], vec![], None),
        (
            "any other, by name, where nothing is known of them",
            vec![named("z"), named("ops"), named("m")],
            &given_up,
            vec![],
            vec![],
            Some("m"),
        ),
        (
            "the one that something reached last",
            vec![named("m"), named("z")],
            &given_up,
            vec![],
            vec![reached("m", 1), reached("z", 2)],
            Some("z"),
        ),
        (
            "one that fails now is passed over",
            vec![named("m"), named("z")],
            &given_up,
            vec![failing("m")],
            vec![reached("m", 9)],
            Some("z"),
        ),
        ("one that only wants to hear of success is not bothered", vec![only_done], &given_up, vec![], vec![], None),
        (
            "who wants what was given up goes before who does not",
            vec![of_others, named("m")],
            &given_up,
            vec![],
            vec![reached("aaa", 9)],
            Some("m"),
        ),
        (
            "one that lost something since is passed over",
            vec![named("chat"), named("z")],
            &lost,
            vec![],
            vec![reached("chat", 54)],
            Some("z"),
        ),
        (
            "one that was reached since is not",
            vec![named("chat"), named("z")],
            &lost,
            vec![],
            vec![reached("chat", 56)],
            Some("chat"),
        ),
        ("where all fail nobody is told for now", vec![named("m")], &given_up, vec![failing("m")], vec![], None),
    ];
    for (claim, sinks, dead, pending, ledger, want) in cases {
        let known = Known { pending: &pending, dead, ledger: &ledger, sinks: &sinks, words: &[] };
        let word = due(known, at(100).wall).into_iter().find(|word| word.about == "ops");
        assert_eq!(word.as_ref().map(|word| word.to.as_str()), want, "{claim}");
    }
}

#[test]
fn it_is_bounded_and_says_who_could_not_be_told_of_what_since_when_and_why() {
    let mut given_up: Vec<Entry> = (0..500).map(|nth| dead(&format!("p{nth}"), 1, "ops", nth)).collect();
    given_up[0].notification.event.severity = Severity::Critical;
    given_up[499].last_error = Some("535 authentication failed ".repeat(100));
    let sinks = [named("ops"), named("z")];
    let known = Known { pending: &[], dead: &given_up, ledger: &[], sinks: &sinks, words: &[] };
    let words = due(known, at(900).wall);
    assert_eq!((words.len(), words[0].tells.len()), (1, 500), "one for all of them");
    let told = notification(&words[0], known, &guardian(), at(900).wall).unwrap().event;
    assert_eq!((told.kind, told.severity), (EventKind::AlertFailed, Severity::Critical));
    let begin = "ops (file) could not be told of 500 alerts about p0, p1, p10 and 497 more since 2026-11-18T11:06:40.000Z: 535 a";
    assert!(
        told.detail.starts_with(begin) && told.detail.ends_with("; they are kept: guardian alerts"),
        "{}",
        told.detail
    );
    assert!(told.detail.len() < 400);
    let one = Known { dead: &given_up[3..4], ..known };
    let told = notification(&due(one, at(900).wall)[0], one, &guardian(), at(900).wall).unwrap().event;
    assert_eq!(
        told.detail,
        "ops (file) could not be told of 1 alert about p3 since 2026-11-18T11:06:43.000Z: 535 no; it is kept: guardian alerts"
    );
}

#[test]
fn it_is_said_once_and_a_last_word_has_no_last_word() {
    let given_up = [dead("a", 1, "ops", 50)];
    let sinks = [named("ops"), named("z")];
    let known = Known { pending: &[], dead: &given_up, ledger: &[], sinks: &sinks, words: &[] };
    let words = due(known, at(100).wall);
    assert_eq!(due(Known { words: &words, ..known }, at(200).wall), []);
    let more = [given_up[0].clone(), dead("b", 1, "ops", 150)];
    let next = due(Known { words: &words, dead: &more, ..known }, at(200).wall);
    assert_eq!(next[0].tells, ["b.abc.1.premature"], "what is given up later is told of by itself");
    let failed = notification(&words[0], known, &guardian(), at(100).wall).unwrap();
    let lost = Entry { last_error: Some("404".to_owned()), ..Entry::new(failed, "z", at(101)) };
    let both = [given_up[0].clone(), lost];
    let third = [named("ops"), named("z"), named("third")];
    assert_eq!(due(Known { words: &words, dead: &both, sinks: &third, ..known }, at(300).wall), []);
}

#[test]
fn it_is_remembered_until_nothing_of_it_is_kept() {
    let given_up = [dead("a", 1, "ops", 50)];
    let word = |queued| Word {
        id: "i".into(),
        about: "ops".into(),
        to: "z".into(),
        tells: vec![given_up[0].id().to_owned()],
        queued,
    };
    assert_eq!(kept(vec![word(true)], &given_up).len(), 1);
    assert_eq!(kept(vec![word(true)], &[]), []);
    assert_eq!(kept(vec![word(false)], &[]).len(), 1, "it is not queued yet");
    assert_eq!(
        notification(
            &word(false),
            Known { pending: &[], dead: &[], ledger: &[], sinks: &[], words: &[] },
            &guardian(),
            at(1).wall
        ),
        None
    );
}
