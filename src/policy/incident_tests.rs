//! Incidents are opened, noted, closed and counted as they should be.

use super::*;
use crate::model::incident::Ack;
use crate::model::sample::{at, event, note as told};

fn noted(book: Book, events: &[Event], secs: u64) -> Noted {
    note(book, events, |event| told(event.clone()), &at(secs))
}

fn failed(run: u64) -> Event {
    event("bot", run, EventKind::Premature, run)
}

fn acked(mut book: Book) -> Book {
    book.open.as_mut().unwrap().ack = Some(Ack { by: "ann".into(), note: String::new(), at: at(5) });
    book
}

#[test]
fn each_kind_of_event_opens_an_incident_ends_it_or_is_nothing_to_it() {
    let open = noted(Book::default(), &[failed(1)], 0).book;
    for kind in EventKind::ALL {
        let told = event("bot", 2, kind, 9);
        let opened = noted(Book::default(), std::slice::from_ref(&told), 9).book.open.is_some();
        let over = noted(open.clone(), &[told], 9).over.is_some();
        let want = match kind {
            EventKind::Premature | EventKind::Failed | EventKind::Hung | EventKind::Tripped => (true, false),
            EventKind::Recovered | EventKind::Completed | EventKind::Stopped => (false, true),
            EventKind::Registered
            | EventKind::Started
            | EventKind::Restarted
            | EventKind::Ready
            | EventKind::Signal
            | EventKind::Exited
            | EventKind::Killed
            | EventKind::Slow
            | EventKind::HalfOpen
            | EventKind::Unsupervised
            | EventKind::Storm
            | EventKind::StormOver
            | EventKind::Flapping
            | EventKind::FlappingOver
            | EventKind::Acknowledged
            | EventKind::Skipped
            | EventKind::Acted
            | EventKind::AlertDelivered
            | EventKind::AlertFailed
            | EventKind::Overdue
            | EventKind::Heartbeat
            | EventKind::Test => (false, false),
        };
        assert_eq!((opened, over), want, "{}", kind.word());
    }
}

#[test]
fn an_end_that_leaves_it_down_as_asked_ends_the_incident_instead_of_opening_one() {
    let end = Event { leaves: Some(Leaves::Down), ..failed(2) };
    assert_eq!(noted(Book::default(), std::slice::from_ref(&end), 1).book.open, None);
    let open = noted(Book::default(), &[failed(1)], 0).book;
    assert!(noted(open, &[end], 1).over.is_some());
}

#[test]
fn what_goes_on_is_counted_under_the_id_of_its_first_event_and_a_breaker_is_no_failure_of_its_own() {
    let tripped = event("bot", 2, EventKind::Tripped, 2);
    let book = noted(noted(Book::default(), &[failed(1)], 0).book, &[failed(2), tripped], 2).book;
    let incident = book.open.unwrap();
    assert_eq!((incident.id.as_str(), incident.times), ("bot.abc.1.premature", 2));
    assert_eq!((incident.first, incident.severity, incident.worse), (Severity::Warning, Severity::Critical, at(2)));
}

#[test]
fn noting_a_commit_twice_is_noting_it_once() {
    let once = noted(Book::default(), &[failed(1)], 0).book;
    assert_eq!(noted(once.clone(), &[failed(1)], 7).book, once);
}

#[test]
fn an_acknowledgement_stands_until_it_becomes_worse_and_ends_with_the_incident() {
    let book = acked(noted(Book::default(), &[failed(1)], 0).book);
    assert!(noted(book.clone(), &[failed(2)], 9).book.open.unwrap().ack.is_some(), "the same again");
    let worse = event("bot", 2, EventKind::Tripped, 9);
    assert!(noted(book.clone(), &[worse], 9).book.open.unwrap().ack.is_none(), "it became worse");
    let well = event("bot", 2, EventKind::Recovered, 9);
    assert!(noted(noted(book, &[well], 9).book, &[failed(3)], 10).book.open.unwrap().ack.is_none(), "another one");
}

#[test]
fn six_changes_within_an_hour_are_flapping_and_five_or_six_in_two_are_not() {
    let walk = |gap: u64, changes: u64| {
        let mut book = Book::default();
        let mut told = Vec::new();
        for nth in 0..changes {
            let kind = if nth % 2 == 0 { EventKind::Premature } else { EventKind::Recovered };
            let now = nth * gap;
            let noted = noted(book, &[event("bot", nth, kind, now)], now);
            told.extend(noted.events.iter().map(|event| event.detail.clone()));
            book = noted.book;
        }
        told
    };
    assert_eq!(walk(600, 6), ["6 changes in 1h 00m"]);
    assert_eq!(walk(600, 9), ["6 changes in 1h 00m"], "once");
    assert_eq!(walk(600, 5), [""; 0]);
    assert_eq!(walk(1200, 9), [""; 0]);
}
