//! What waits for quiet hours, digests and windows, over a made-up clock.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::delivery::Settled;
use crate::model::sample::{any_sink, at, event, note};
use crate::model::schedule::Zone;
use crate::model::silence::{Silence, Whom};
use crate::model::timing::Timing;
use crate::policy::delivery::{Plan, plan};
use crate::policy::quiet;
use crate::policy::silence::part;

/// Seconds from 11:06:40 UTC, 12:06:40 in Berlin, to the hour.
const TO_TEN_AT_NIGHT: u64 = 35_600;
const TO_SEVEN: u64 = 35_600 + 9 * 3600;

fn entry(name: &str, run: u64, kind: EventKind, secs: u64) -> Entry {
    Entry::new(note(event(name, run, kind, secs)), "ops", at(secs))
}

fn told(name: &str) -> Receipt {
    let entry = entry(name, 0, EventKind::Premature, 0);
    let (id, sink, group) = (entry.id().to_owned(), entry.sink.clone(), entry.group());
    Receipt {
        schema: 1,
        id,
        sink,
        group,
        at: at(0),
        how: Settled::Sent,
        part_of: None,
        refused: Vec::new(),
        reason: None,
    }
}

fn timed(timing: Timing) -> Sink {
    Sink { timing: Timing { zone: Zone::Named("Europe/Berlin".into()), ..timing }, ..any_sink() }
}

fn quiet_sink() -> Sink {
    timed(Timing { quiet: vec![quiet::parse("22:00-07:00").unwrap()], ..Timing::default() })
}

fn digest_sink() -> Sink {
    timed(Timing { digest: Some("0 8 * * *".into()), ..Timing::default() })
}

fn ask(sink: &Sink, pending: &[Entry], ledger: &[Receipt], secs: u64) -> Plan {
    plan(pending, ledger, std::slice::from_ref(sink), &[], &at(secs))
}

/// `lead+folded` for each message.
fn messages(plan: &Plan) -> Vec<String> {
    let id = |entry: &Entry| {
        let event = &entry.notification.event;
        format!("{}:{}{}", event.process, event.kind.word(), event.run.unwrap())
    };
    let one = |batch: &Batch| [vec![id(&batch.lead)], batch.folded.iter().map(id).collect()].concat().join("+");
    plan.send.iter().map(one).collect()
}

#[test]
fn in_quiet_hours_only_what_is_critical_is_told_and_then_each_process_once() {
    use EventKind::{Hung, Premature, Recovered, Test, Tripped};
    let night = TO_TEN_AT_NIGHT;
    let pending = [
        entry("a", 1, Premature, night + 10),
        entry("a", 2, Hung, night + 20),
        entry("b", 1, Tripped, night + 30),
        entry("c", 1, Premature, night + 40),
        entry("c", 1, Recovered, night + 50),
        entry("d", 1, Test, night + 60),
    ];
    let asleep = ask(&quiet_sink(), &pending, &[], night + 100);
    assert_eq!(messages(&asleep), ["d:test1", "b:tripped1"]);
    assert_eq!((asleep.waiting, asleep.next), (4, Some(at(TO_SEVEN))));
    let left: Vec<Entry> = pending
        .iter()
        .filter(|entry| !["b", "d"].contains(&entry.notification.event.process.as_str()))
        .cloned()
        .collect();
    let awake = ask(&quiet_sink(), &left, &[], TO_SEVEN);
    assert_eq!(messages(&awake), ["a:hung2+a:premature1", "c:recovered1+c:premature1"]);
}

#[test]
fn what_is_critical_takes_along_what_a_quiet_time_holds_of_its_process() {
    let night = TO_TEN_AT_NIGHT;
    let pending = [entry("a", 1, EventKind::Premature, night + 10), entry("a", 1, EventKind::Tripped, night + 20)];
    assert_eq!(messages(&ask(&quiet_sink(), &pending, &[], night + 30)), ["a:tripped1+a:premature1"]);
}

#[test]
fn a_recovery_waits_for_the_end_of_the_quiet_time_as_well() {
    let recovered = [entry("a", 2, EventKind::Recovered, TO_TEN_AT_NIGHT + 5)];
    let plan = ask(&quiet_sink(), &recovered, &[told("a")], TO_TEN_AT_NIGHT + 6);
    assert_eq!((plan.send.len(), plan.moot.len(), plan.waiting), (0, 0, 1));
    assert_eq!(messages(&ask(&quiet_sink(), &recovered, &[told("a")], TO_SEVEN)), ["a:recovered2"]);
}

#[test]
fn a_digest_tells_all_at_its_hour_whatever_cooled_and_what_is_critical_at_once() {
    use EventKind::{Premature, Recovered, Tripped};
    let eight = TO_SEVEN + 3600;
    let pending = [
        entry("a", 1, Premature, 100),
        entry("b", 1, Premature, 200),
        entry("b", 1, Recovered, 300),
        entry("c", 1, Tripped, 400),
    ];
    let early = ask(&digest_sink(), &pending, &[], 500);
    assert_eq!((messages(&early), early.waiting, early.next), (vec!["c:tripped1".to_owned()], 3, Some(at(eight))));
    let mut cooled = told("a");
    cooled.at = at(eight - 5);
    let due = ask(&digest_sink(), &pending[..3], &[cooled], eight);
    assert_eq!(messages(&due), ["a:premature1+b:premature1+b:recovered1"]);
    assert_eq!(due.waiting, 0);
    let late = [entry("d", 1, Premature, eight + 1)];
    assert_eq!(ask(&digest_sink(), &late, &[], eight + 2).next, Some(at(eight + 86_400)), "the next day");
}

#[test]
fn a_group_window_begins_with_the_first_and_its_end_is_one_message() {
    let sink = timed(Timing { group_window: Duration::from_secs(30), ..Timing::default() });
    let pending = [
        entry("a", 1, EventKind::Premature, 0),
        entry("b", 1, EventKind::Tripped, 20),
        entry("c", 1, EventKind::Premature, 31),
    ];
    let early = ask(&sink, &pending[..2], &[], 29);
    assert_eq!((early.send.len(), early.next), (0, Some(at(30))), "not 30 seconds after each");
    let due = ask(&sink, &pending, &[], 32);
    assert_eq!((messages(&due), due.next), (vec!["b:tripped1+a:premature1".to_owned()], Some(at(61))));
    let retried = [Entry { attempts: 1, ..entry("a", 1, EventKind::Premature, 40) }];
    assert_eq!(messages(&ask(&sink, &retried, &[], 41)).len(), 1, "a try that failed needs no window");
    let rebooted = Stamp { boot: crate::model::time::BootId::new("next").unwrap(), boot_ms: 5, ..at(1) };
    assert_eq!(plan(&pending[..1], &[], &[sink], &[], &rebooted).send.len(), 1, "after a reboot it is over");
}

#[test]
fn a_digest_whose_hour_lies_in_a_quiet_time_comes_at_its_end() {
    let mut sink = quiet_sink();
    sink.timing.digest = Some("0 23 * * *".into());
    let pending = [entry("a", 1, EventKind::Premature, 100)];
    let plan = ask(&sink, &pending, &[], TO_TEN_AT_NIGHT + 3700);
    assert_eq!((plan.send.len(), plan.next), (0, Some(at(TO_SEVEN))));
    assert_eq!(messages(&ask(&sink, &pending, &[], TO_SEVEN)).len(), 1);
}

#[test]
fn a_retry_that_is_later_than_the_quiet_time_counts() {
    let failed = Entry { not_before: Some(at(TO_SEVEN + 60)), attempts: 1, ..entry("a", 1, EventKind::Premature, 0) };
    let plan = ask(&quiet_sink(), &[failed], &[], TO_TEN_AT_NIGHT + 1);
    assert_eq!(plan.next, Some(at(TO_SEVEN + 60)));
}

proptest! {
    #[test]
    fn each_event_is_sent_folded_suppressed_moot_or_waits_and_is_so_once(
        rows in prop::collection::vec((0..3_u8, 0..6_usize, 0..90_000_u64, any::<bool>()), 0..30),
        (how, silenced, now) in (0..4_u8, 0..4_u64, 0..200_000_u64),
    ) {
        use EventKind::{Premature, Recovered, Started, Test, Tripped, Hung};
        let sink = match how {
            0 => quiet_sink(),
            1 => digest_sink(),
            2 => timed(Timing { group_window: Duration::from_secs(300), ..Timing::default() }),
            _ => timed(Timing::default()),
        };
        let (mut pending, mut ledger) = (Vec::new(), Vec::new());
        for (nth, (name, kind, secs, known)) in rows.into_iter().enumerate() {
            let name = ["a", "b", "c"][usize::from(name)];
            pending.push(entry(name, nth as u64, [Premature, Tripped, Recovered, Hung, Test, Started][kind], secs));
            if known { ledger.push(told(name)); }
        }
        let whom = Whom::Process("a".parse().unwrap());
        let silence = Silence { whom, from: at(0), for_ms: silenced * 50_000_000, reason: String::new(), by: "x".into() };
        let parted = part(pending.clone(), &ledger, std::slice::from_ref(&sink), &[silence], &at(now));
        let plan = ask(&sink, &parted.told, &ledger, now);
        prop_assert_eq!(parted.kept.is_empty(), parted.next.is_none());
        prop_assert_eq!(plan.waiting > 0, plan.next.is_some());
        prop_assert!(parted.suppressed.iter().all(|(_, reason)| !reason.is_empty()));
        let sent = plan.send.iter().flat_map(|batch| batch.folded.iter().chain([&batch.lead]));
        let suppressed = parted.suppressed.iter().map(|(entry, _)| entry);
        let seen: Vec<&str> = sent.chain(&plan.moot).chain(&plan.done).chain(&parted.kept).chain(suppressed).map(Entry::id).collect();
        let unique: std::collections::BTreeSet<&&str> = seen.iter().collect();
        prop_assert_eq!(unique.len(), seen.len(), "each once");
        prop_assert_eq!(seen.len() + plan.waiting, pending.len());
    }
}
