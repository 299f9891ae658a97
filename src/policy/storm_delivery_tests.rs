//! What of the outbox a storm speaks for.

use super::super::delivery::plan;
use super::super::storm;
use super::super::storm::tests::{over, storm_of_three};
use super::*;
use crate::model::delivery::{SCHEMA, Settled};
use crate::model::sample::{any_sink, at, event, note};

fn entry(name: &str, run: u64, kind: EventKind, secs: u64) -> Entry {
    Entry::new(note(event(name, run, kind, secs)), "ops", at(secs))
}

/// The message of the storm's beginning, or of its end.
fn message(storm: &Storm, secs: u64) -> Entry {
    Entry::new(note(storm::event(storm, None, at(secs).wall)), "ops", at(secs))
}

fn receipt(id: &str) -> Receipt {
    let group = entry("zz", 1, EventKind::Storm, 0).group();
    let how = Settled::Sent;
    Receipt {
        schema: SCHEMA,
        id: id.into(),
        sink: "ops".into(),
        group,
        at: at(5),
        how,
        part_of: None,
        refused: vec![],
        reason: None,
    }
}

fn ask(pending: &[Entry], told: &[Receipt], storm: &Storm, secs: u64) -> Plan {
    plan(pending, told, &[any_sink()], std::slice::from_ref(storm), &at(secs))
}

fn singles() -> Vec<Entry> {
    ["a", "b", "c"].map(|name| entry(name, 1, EventKind::Premature, 3)).to_vec()
}

#[test]
fn its_message_waits_a_moment_and_then_speaks_for_all_that_failed_before() {
    let storm = storm_of_three(&[]);
    let pending = [singles(), vec![message(&storm, 3)]].concat();
    let early = ask(&pending, &[], &storm, 4);
    assert_eq!((early.send.len(), early.waiting, early.next), (0, 4, Some(at(3).plus(GATHER))));
    let plan = ask(&pending, &[], &storm, 5);
    assert_eq!((plan.send.len(), plan.send[0].folded.len(), plan.waiting), (1, 3, 0));
    let lead = &plan.send[0].lead.notification.event;
    assert_eq!((lead.kind, lead.storm.as_ref().unwrap().failed), (EventKind::Storm, 3));
}

#[test]
fn what_fails_later_waits_for_its_end_and_is_told_with_that() {
    let storm = storm_of_three(&[]);
    let told = [receipt(storm.id())];
    let plan = ask(&singles(), &told, &storm, 20);
    assert_eq!((plan.send.len(), plan.part_of.len(), plan.waiting), (0, 0, 3));
    let storm = storm_of_three(&[over(70, &[])]);
    let plan = ask(&[singles(), vec![message(&storm, 70)]].concat(), &told, &storm, 71);
    assert_eq!((plan.send.len(), plan.send[0].folded.len()), (1, 3));
    assert_eq!(plan.send[0].answers.as_deref(), Some(storm.id()));
    let told = [receipt(storm.id()), receipt(&storm.over_id())];
    let late = [entry("a", 2, EventKind::Recovered, 300)];
    let plan = ask(&late, &told, &storm, 301);
    assert_eq!(plan.part_of, [(late[0].clone(), storm.over_id())]);
}

#[test]
fn nothing_waits_for_ever_and_a_sink_that_hears_of_no_storm_is_told_as_ever() {
    let storm = storm_of_three(&[]);
    let early = ask(&singles(), &[], &storm, 4);
    assert_eq!(
        (early.send.len(), early.waiting, early.next),
        (0, 3, Some(at(3).plus(GATHER))),
        "it is about to be queued"
    );
    assert_eq!(ask(&singles(), &[], &storm, 20).send.len(), 3, "no message of the storm is there for this sink");
    let told = [receipt(storm.id())];
    assert_eq!(ask(&singles(), &told, &storm, 3 + 899).waiting, 3);
    assert_eq!(ask(&singles(), &told, &storm, 3 + 900).send.len(), 3, "nobody said that it is over");
    let closed = Storm { told: true, ..storm };
    assert_eq!(ask(&singles(), &told, &closed, 123).send.len(), 3, "its end was told, but not to this sink");
    let other = [entry("a", 4, EventKind::Premature, 20), entry("x", 1, EventKind::Failed, 20)];
    assert_eq!(ask(&other, &told, &closed, 21).send.len(), 2, "ends that are no part of it");
}
