//! What is not told, and the reason that is recorded.

use super::*;
use crate::model::incident::{Flapping, Insist};
use crate::model::sample::{any_sink, at, event, note};

fn entry(event: Event) -> Entry {
    Entry::new(note(event), "ops", at(0))
}

fn failure(failures: u32) -> Event {
    Event { failures: Some(failures), ..event("bot", 1, EventKind::Premature, 10) }
}

fn held(event: Event, sink: &Sink, books: &[(Name, Book)], also: &[Entry]) -> Option<String> {
    let pending = [entry(event)].into_iter().chain(also.iter().cloned()).collect();
    let (told, held) = hold(pending, &[], std::slice::from_ref(sink), books, &[]);
    assert_eq!(told.len() + held.len(), 1 + also.len(), "nothing is lost");
    held.into_iter().next().map(|(_, reason)| reason)
}

#[test]
fn failures_before_the_nth_in_a_row_are_held_back_and_nothing_else() {
    let sink = Sink { insist: Insist { after: 3, ..Insist::default() }, ..any_sink() };
    let cases = [
        ("the first of three", failure(1), true),
        ("the second of three", failure(2), true),
        ("the third", failure(3), false),
        ("the tenth", failure(10), false),
        ("a critical one", Event { severity: Severity::Critical, ..failure(1) }, false),
        ("one that is given up", Event { leaves: Some(Leaves::GivenUp), ..failure(1) }, false),
        ("one of a watch, which counts itself", Event { watch: Some("http".into()), ..failure(1) }, false),
        ("what is not counted", Event { failures: None, ..failure(1) }, false),
        ("a recovery", event("bot", 1, EventKind::Recovered, 10), false),
    ];
    for (claim, event, want) in cases {
        assert_eq!(held(event, &sink, &[], &[]).is_some(), want, "{claim}");
    }
    assert_eq!(held(failure(1), &any_sink(), &[], &[]), None, "without `after`");
}

#[test]
fn while_it_flaps_changes_are_held_back_from_who_was_told_so() {
    let flapping = event("bot", 1, EventKind::Flapping, 5);
    let book = Flapping { told: note(flapping.clone()), since: at(5), changes: 6 };
    let books = [("bot".parse().unwrap(), Book { flapping: Some(book), ..Book::default() })];
    let told = [entry(flapping)];
    let cases = [
        ("a failure", failure(1), true),
        ("a recovery", event("bot", 1, EventKind::Recovered, 10), true),
        ("a failure from before", event("bot", 1, EventKind::Premature, 4), false),
        ("what is critical", event("bot", 1, EventKind::Tripped, 10), false),
        ("that it is calm", event("bot", 1, EventKind::FlappingOver, 10), false),
        ("another process", event("other", 1, EventKind::Premature, 10), false),
    ];
    for (claim, event, want) in cases {
        assert_eq!(held(event, &any_sink(), &books, &told).is_some(), want, "{claim}");
    }
    assert_eq!(held(failure(1), &any_sink(), &books, &[]), None, "who was not told that it flaps");
    assert_eq!(held(failure(1), &any_sink(), &books, &told).unwrap(), "flapping: 6 changes in 1h 00m");
}
