//! When open incidents are said again, and to whom.

use super::*;
use crate::model::delivery::SCHEMA;
use crate::model::event::EventKind;
use crate::model::incident::{Ack, Insist};
use crate::model::sample::{any_sink, at, event, note};
use crate::policy::incident::note as noted;

/// One failure at 0 s.
fn book() -> Book {
    let failed = event("bot", 1, EventKind::Premature, 0);
    noted(Book::default(), &[failed], |event| note(event.clone()), &at(0)).book
}

fn receipt(sink: &str, kind: EventKind, id: &str, secs: u64, how: Settled) -> Receipt {
    let mut entry = Entry::new(note(event("bot", 1, kind, secs)), sink, at(secs));
    entry.notification.event.id = id.to_owned();
    let (id, group) = (id.to_owned(), entry.group());
    let sink = sink.to_owned();
    Receipt { schema: SCHEMA, id, sink, group, at: at(secs), how, part_of: None, refused: Vec::new(), reason: None }
}

fn told(secs: u64) -> Receipt {
    receipt("ops", EventKind::Premature, "bot.abc.1.premature", secs, Settled::Sent)
}

fn sinks() -> Vec<Sink> {
    let insist = Insist {
        remind: Some(Duration::from_secs(100)),
        escalate_after: Some(Duration::from_secs(250)),
        escalate_to: vec!["phone".to_owned()],
        ..Insist::default()
    };
    vec![Sink { insist, ..any_sink() }, Sink { name: "phone".to_owned(), ..any_sink() }]
}

fn ask(book: &Book, ledger: &[Receipt], pending: &[Entry], secs: u64) -> Due {
    due(&[("bot".parse().unwrap(), book.clone())], ledger, pending, &sinks(), &at(secs))
}

fn ids(due: &Due) -> Vec<(&str, &str)> {
    due.put.iter().map(|(told, sink)| (told.event.id.as_str(), sink.as_str())).collect()
}

#[test]
fn a_reminder_is_due_an_interval_after_what_was_told_last_and_each_has_its_own_number() {
    let first = ("bot.abc.1.premature.reminder.1", "ops");
    assert_eq!(ids(&ask(&book(), &[told(1)], &[], 100)), []);
    assert_eq!(ask(&book(), &[told(1)], &[], 50).next, Some(at(101)));
    let due = ask(&book(), &[told(1)], &[], 101);
    assert_eq!(ids(&due), [first]);
    assert_eq!(*due.put[0].0.event.why(), Why::Reminder(1));
    let second = receipt("ops", EventKind::Premature, first.0, 105, Settled::Sent);
    assert_eq!(ids(&ask(&book(), &[told(1), second.clone()], &[], 204)), []);
    assert_eq!(ids(&ask(&book(), &[told(1), second], &[], 205)), [("bot.abc.1.premature.reminder.2", "ops")]);
}

#[test]
fn nobody_is_reminded_of_what_they_were_not_told_know_or_are_about_to_be_told() {
    let mut known = book();
    known.open.as_mut().unwrap().ack = Some(Ack { by: "ann".into(), note: String::new(), at: at(9) });
    let over = noted(book(), &[event("bot", 2, EventKind::Recovered, 9)], |event| note(event.clone()), &at(9)).book;
    let waits = [Entry::new(note(event("bot", 2, EventKind::Premature, 100)), "ops", at(100))];
    let held = receipt("ops", EventKind::Premature, "x", 1, Settled::Suppressed);
    let cases: [(&str, &Book, Vec<Receipt>, &[Entry]); 5] = [
        ("acknowledged", &known, vec![told(1)], &[]),
        ("over", &over, vec![told(1)], &[]),
        ("something waits", &book(), vec![told(1)], &waits),
        ("held back so far", &book(), vec![held], &[]),
        ("never told", &book(), vec![], &[]),
    ];
    for (claim, book, ledger, pending) in cases {
        assert_eq!(ids(&ask(book, &ledger, pending, 220)), [], "{claim}");
    }
}

#[test]
fn an_incident_that_nobody_acknowledged_in_time_is_told_to_others_once_even_where_its_own_sink_is_down() {
    let id = "bot.abc.1.premature.escalated.warning";
    let quiet = Entry::new(note(event("bot", 1, EventKind::Premature, 0)), "ops", at(0));
    assert_eq!(ids(&ask(&book(), &[], std::slice::from_ref(&quiet), 249)), []);
    let due = ask(&book(), &[], std::slice::from_ref(&quiet), 250);
    assert_eq!(ids(&due), [(id, "phone")]);
    assert_eq!(*due.put[0].0.event.why(), Why::Escalation("ops".to_owned()));
    let done = receipt("phone", EventKind::Premature, id, 251, Settled::Sent);
    assert_eq!(ids(&ask(&book(), &[done], &[quiet], 999)), []);
}

#[test]
fn one_that_became_worse_is_waited_for_and_told_to_others_anew() {
    let worse = event("bot", 2, EventKind::Tripped, 200);
    let book = noted(book(), &[worse], |event| note(event.clone()), &at(200)).book;
    let before = receipt("phone", EventKind::Premature, "bot.abc.1.premature.escalated.warning", 150, Settled::Sent);
    let told = [before, told(0), receipt("ops", EventKind::Tripped, "bot.abc.2.tripped", 400, Settled::Sent)];
    assert_eq!(ids(&ask(&book, &told, &[], 449)), []);
    assert_eq!(ids(&ask(&book, &told, &[], 450)), [("bot.abc.1.premature.escalated.critical", "phone")]);
}

#[test]
fn a_process_is_calm_again_once_an_hour_has_at_most_one_change_and_only_who_was_told_is_told() {
    let mut book = Book::default();
    for nth in 0..6 {
        let kind = if nth % 2 == 0 { EventKind::Premature } else { EventKind::Recovered };
        book = noted(book, &[event("bot", nth, kind, nth)], |event| note(event.clone()), &at(nth)).book;
    }
    let flapping = book.flapping.clone().unwrap().told.event.id;
    let told = [receipt("ops", EventKind::Flapping, &flapping, 6, Settled::Sent)];
    assert_eq!(ask(&book, &told, &[], 3603).next, Some(at(3604)));
    let due = ask(&book, &told, &[], 3604);
    assert_eq!(ids(&due), [(format!("{flapping}_over").as_str(), "ops")]);
    assert_eq!((due.put[0].0.event.kind, due.calm.len()), (EventKind::FlappingOver, 1));
    // It fails for good: what is told is that.
    let failed = event("bot", 9, EventKind::Premature, 3604);
    let book = noted(book, &[failed], |event| note(event.clone()), &at(3604)).book;
    let due = ask(&book, &told, &[], 3700);
    assert_eq!((due.put[0].0.event.kind, due.put[0].0.event.why()), (EventKind::Premature, &Why::Settled));
}

#[test]
fn an_alertmanager_is_sent_what_it_has_again_even_when_somebody_knows() {
    use crate::model::channel::Alertmanager;
    use crate::model::sink::{Secret, SecretSource};
    let url = SecretSource::Inline(Secret::new("http://h".to_owned()));
    let kind = SinkKind::Alertmanager(Alertmanager { url, token: None, peers: Vec::new() });
    let sinks = [Sink { kind, ..any_sink() }];
    let mut book = book();
    book.open.as_mut().unwrap().ack = Some(Ack { by: "ann".into(), note: String::new(), at: at(9) });
    let books = [("bot".parse().unwrap(), book)];
    let refresh = |ledger: &[Receipt]| ids(&due(&books, ledger, &[], &sinks, &at(3700))).len();
    assert_eq!(refresh(&[told(1)]), 1);
    assert_eq!(
        refresh(&[Receipt { how: Settled::Folded, ..told(1) }]),
        0,
        "a storm's message told it: it is unknown there"
    );
}
