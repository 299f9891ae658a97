//! Who is told when: cooldown, folding, retries, each over a made-up clock.

use proptest::prelude::*;

use super::*;
use crate::model::delivery::SCHEMA;
use crate::model::sample::{any_sink, at, event, note};
use crate::model::time::BootId;

fn entry(name: &str, run: u64, kind: EventKind, secs: u64) -> Entry {
    Entry::new(note(event(name, run, kind, secs)), "ops", at(secs))
}

fn receipt(entry: &Entry, secs: u64) -> Receipt {
    let (id, sink, group) = (entry.id().to_owned(), entry.sink.clone(), entry.group());
    Receipt {
        schema: SCHEMA,
        id,
        sink,
        group,
        at: at(secs),
        how: Settled::Sent,
        part_of: None,
        refused: Vec::new(),
        reason: None,
    }
}

fn ask(pending: &[Entry], ledger: &[Receipt], secs: u64) -> Plan {
    plan(pending, ledger, &[any_sink()], &[], &at(secs))
}

/// `lead+folded` for each message.
fn messages(plan: &Plan) -> Vec<String> {
    let id =
        |entry: &Entry| format!("{}{}", entry.notification.event.kind.word(), entry.notification.event.run.unwrap());
    plan.send
        .iter()
        .map(|batch| [vec![id(&batch.lead)], batch.folded.iter().map(id).collect()].concat().join("+"))
        .collect()
}

#[test]
fn the_first_of_its_kind_goes_at_once() {
    let plan = ask(&[entry("a", 1, EventKind::Premature, 0)], &[], 0);
    assert_eq!(messages(&plan), ["premature1"]);
    assert_eq!(plan.waiting, 0);
}

#[test]
fn within_the_cooldown_further_ones_wait_and_then_go_as_one() {
    let told = receipt(&entry("a", 1, EventKind::Premature, 0), 1);
    let held = [entry("a", 2, EventKind::Premature, 60), entry("a", 3, EventKind::Premature, 120)];
    let early = ask(&held, std::slice::from_ref(&told), 200);
    assert_eq!((messages(&early), early.waiting), (vec![], 2));
    assert_eq!(early.next, Some(at(901)));
    let due = ask(&held, &[told], 901);
    assert_eq!(messages(&due), ["premature3+premature2"]);
}

#[test]
fn what_is_news_is_not_held() {
    let told = receipt(&entry("a", 1, EventKind::Premature, 0), 1);
    let worse = entry("a", 4, EventKind::Tripped, 60);
    let elsewhere = entry("b", 1, EventKind::Premature, 60);
    let mut another_cause = entry("a", 2, EventKind::Premature, 60);
    another_cause.notification.event.cause = Some(crate::model::ending::Cause::Reboot);
    let plan = ask(&[worse, elsewhere, another_cause], &[told], 61);
    assert_eq!(messages(&plan), ["premature2", "tripped4", "premature1"], "the worst process first, each in order");
}

#[test]
fn what_is_held_goes_along_with_newer_news_of_its_process() {
    let told = receipt(&entry("a", 1, EventKind::Premature, 0), 1);
    let pending = [
        entry("a", 2, EventKind::Premature, 60),
        entry("a", 3, EventKind::Tripped, 90),
        entry("a", 4, EventKind::Premature, 120),
        entry("b", 1, EventKind::Tripped, 130),
    ];
    let plan = ask(&pending, &[told], 130);
    assert_eq!(messages(&plan), ["tripped3+premature2", "tripped1"]);
    assert_eq!(plan.waiting, 1, "what is newer than the news waits on");
}

#[test]
fn a_recovery_is_never_held_and_takes_what_waits_with_it() {
    let told = [receipt(&entry("a", 1, EventKind::Premature, 0), 1)];
    let pending = [
        entry("a", 2, EventKind::Premature, 60),
        entry("a", 3, EventKind::Tripped, 90),
        entry("a", 4, EventKind::Recovered, 100),
        entry("a", 5, EventKind::Premature, 200),
    ];
    let plan = ask(&pending, &told, 210);
    assert_eq!(messages(&plan), ["recovered4+premature2+tripped3"], "the later failure is held by the cooldown");
    assert_eq!(plan.send[0].answers.as_deref(), Some("a.abc.1.premature"));
    assert_eq!(plan.waiting, 1);
}

#[test]
fn a_recovery_from_what_was_never_told_is_moot() {
    let recovered = [entry("a", 4, EventKind::Recovered, 100)];
    let other = receipt(&entry("b", 1, EventKind::Premature, 0), 1);
    assert_eq!(ask(&recovered, &[other], 101).moot.len(), 1);
    let told = receipt(&entry("a", 1, EventKind::Premature, 0), 1);
    let answered = receipt(&entry("a", 2, EventKind::Recovered, 5), 6);
    assert_eq!(ask(&recovered, &[told.clone(), answered], 101).moot.len(), 1, "its incident was closed before");
    assert_eq!(messages(&ask(&recovered, &[told], 101)), ["recovered4"]);
}

#[test]
fn a_sink_for_recoveries_alone_gets_them() {
    let sink = Sink { events: vec!["recovered".into()], ..any_sink() };
    let plan = plan(&[entry("a", 4, EventKind::Recovered, 100)], &[], &[sink], &[], &at(101));
    assert_eq!(messages(&plan), ["recovered4"]);
}

#[test]
fn tests_are_neither_held_nor_folded() {
    let told = receipt(&entry("a", 1, EventKind::Test, 0), 1);
    let plan = ask(&[entry("a", 2, EventKind::Test, 2), entry("a", 3, EventKind::Test, 3)], &[told], 4);
    assert_eq!(messages(&plan).len(), 2);
}

#[test]
fn what_has_a_receipt_is_never_sent_again() {
    let sent = entry("a", 1, EventKind::Premature, 0);
    let plan = ask(std::slice::from_ref(&sent), &[receipt(&sent, 1)], 5000);
    assert_eq!((plan.send.len(), plan.done.len()), (0, 1));
}

#[test]
fn a_failed_try_waits_and_takes_newer_ones_of_its_group_along() {
    let failed = Entry { attempts: 1, not_before: Some(at(30)), ..entry("a", 1, EventKind::Premature, 0) };
    let newer = entry("a", 2, EventKind::Premature, 10);
    let early = ask(&[failed.clone(), newer.clone()], &[], 20);
    assert_eq!((early.send.len(), early.waiting), (0, 2));
    assert_eq!(messages(&ask(&[failed, newer], &[], 30)), ["premature2+premature1"]);
}

#[test]
fn no_later_message_of_a_process_overtakes_one_that_waits_for_its_retry() {
    let failed = |run, kind, secs| Entry { attempts: 1, not_before: Some(at(500)), ..entry("a", run, kind, secs) };
    let (premature, recovered) = (failed(1, EventKind::Premature, 0), failed(2, EventKind::Recovered, 40));
    let fresh = |run, kind, secs| entry("a", run, kind, secs);
    let cases = [
        (
            "news takes along what waits",
            vec![premature.clone(), fresh(2, EventKind::Tripped, 20)],
            100,
            vec!["tripped2+premature1"],
            0,
        ),
        (
            "the first news does, not the last",
            vec![premature.clone(), fresh(2, EventKind::Hung, 20), fresh(2, EventKind::Tripped, 30)],
            100,
            vec!["hung2+premature1", "tripped2"],
            0,
        ),
        ("more of the same waits with it", vec![premature.clone(), fresh(2, EventKind::Premature, 20)], 100, vec![], 2),
        (
            "a recovery waits with what it answers",
            vec![premature.clone(), fresh(2, EventKind::Recovered, 20)],
            100,
            vec![],
            2,
        ),
        (
            "trouble after a recovery that waits takes it along",
            vec![recovered, fresh(3, EventKind::Tripped, 50)],
            100,
            vec!["tripped3+recovered2"],
            0,
        ),
        (
            "what is older than what waits goes",
            vec![failed(2, EventKind::Tripped, 40), fresh(1, EventKind::Premature, 20)],
            100,
            vec!["premature1"],
            1,
        ),
        (
            "another process is not concerned",
            vec![premature.clone(), entry("b", 1, EventKind::Tripped, 20)],
            100,
            vec!["tripped1"],
            1,
        ),
        (
            "when both are due each goes, as it happened",
            vec![premature.clone(), failed(2, EventKind::Tripped, 20)],
            500,
            vec!["premature1", "tripped2"],
            0,
        ),
        (
            "of one kind, the older one goes with what came between",
            vec![premature, failed(2, EventKind::Tripped, 20), fresh(3, EventKind::Premature, 30)],
            500,
            vec!["tripped2+premature1", "premature3"],
            0,
        ),
    ];
    for (claim, pending, secs, want, waiting) in cases {
        // A sink that was told of trouble, so that no recovery is moot.
        let told = receipt(&entry("a", 0, EventKind::Failed, 0), 0);
        let plan = ask(&pending, &[told], secs);
        assert_eq!(
            (messages(&plan), plan.waiting),
            (want.iter().map(|&it| it.to_owned()).collect(), waiting),
            "{claim}"
        );
    }
}

#[test]
fn after_a_reboot_what_waited_is_due() {
    let failed = Entry { attempts: 1, not_before: Some(at(3000)), ..entry("a", 1, EventKind::Premature, 0) };
    let now = Stamp { boot: BootId::new("next").unwrap(), boot_ms: 5, ..at(100) };
    assert_eq!(plan(&[failed], &[], &[any_sink()], &[], &now).send.len(), 1);
}

#[test]
fn a_wall_clock_set_back_across_a_reboot_holds_nothing_for_ever() {
    let told = receipt(&entry("a", 1, EventKind::Premature, 0), 100_000);
    let now = Stamp { boot: BootId::new("next").unwrap(), boot_ms: 5, ..at(100) };
    assert_eq!(plan(&[entry("a", 2, EventKind::Premature, 0)], &[told], &[any_sink()], &[], &now).send.len(), 1);
}

#[test]
fn a_sink_that_left_the_registry_keeps_its_entries_for_a_day() {
    let orphan = [entry("a", 1, EventKind::Premature, 0)];
    let soon = plan(&orphan, &[], &[], &[], &at(3600));
    assert_eq!((soon.waiting, soon.hopeless.len()), (1, 0));
    let late = plan(&orphan, &[], &[], &[], &at(86_400));
    assert_eq!(late.hopeless[0].last_error.as_deref(), Some("the registry has no sink `ops`"));
}

fn alone(lead: Entry) -> Batch {
    Batch { lead, folded: Vec::new(), answers: None }
}

fn fate(entry: Entry, outcome: &Outcome, secs: u64) -> Fate {
    after_failure(&alone(entry), outcome, &at(secs)).remove(0)
}

#[test]
fn a_reboot_that_ends_many_processes_is_one_message() {
    let names: Vec<String> = (0..300).map(|nth| format!("p{nth}")).collect();
    let mut pending: Vec<Entry> = names.iter().map(|name| entry(name, 1, EventKind::Premature, 10)).collect();
    pending.push(entry("worst", 1, EventKind::Premature, 5));
    pending.push(entry("worst", 2, EventKind::Tripped, 20));
    let storm = ask(&pending, &[], 30);
    assert_eq!(storm.send.len(), 1);
    assert_eq!((storm.send[0].lead.id(), storm.send[0].folded.len()), ("worst.abc.2.tripped", 301));
    let told: Vec<Receipt> =
        storm.send[0].folded.iter().map(|entry| Receipt { how: Settled::Folded, ..receipt(entry, 30) }).collect();
    let back = ask(&[entry("p7", 2, EventKind::Recovered, 60)], &told, 60);
    assert_eq!(messages(&back), ["recovered2"], "who was told within a storm is told of the recovery");
    let few = ask(&pending[..5], &[], 30);
    assert_eq!(few.send.len(), 5);
}

#[test]
fn what_failed_together_is_tried_again_together() {
    let tried = Entry { attempts: 4, ..entry("a", 1, EventKind::Premature, 0) };
    let batch = Batch { lead: entry("b", 2, EventKind::Premature, 9), folded: vec![tried], answers: None };
    let fates = after_failure(&batch, &Outcome::failed("451"), &at(10));
    let untils: Vec<_> = fates
        .iter()
        .map(|fate| match fate {
            Fate::Later(entry) => entry.not_before.clone().unwrap(),
            Fate::Hopeless(entry) => panic!("{entry:?}"),
        })
        .collect();
    assert_eq!(untils[0], untils[1]);
    assert!(untils[0].since(&at(10)) > Duration::from_secs(400), "the fifth try, for both");
}

#[test]
fn a_try_that_failed_is_repeated_later_and_never_before_the_sink_allows() {
    let entry = entry("a", 1, EventKind::Premature, 0);
    let asked =
        Outcome::Failed { error: "busy".into(), after: Some(Duration::from_secs(600)), reached: vec!["x".into()] };
    let Fate::Later(next) = fate(entry, &asked, 10) else { panic!("given up") };
    assert_eq!((next.attempts, next.not_before, next.last_error.as_deref()), (1, Some(at(610)), Some("busy")));
    assert_eq!(next.reached, ["x"]);
}

#[test]
fn a_sink_that_asked_to_be_left_alone_is_left_alone_by_all_but_not_for_longer_than_an_hour() {
    let asks = |secs| Outcome::failed_until("429", Some(Duration::from_secs(secs)));
    let Fate::Later(told) = fate(entry("a", 1, EventKind::Premature, 0), &asks(600), 10) else { panic!("given up") };
    let pending = [told, entry("b", 1, EventKind::Tripped, 20)];
    let early = ask(&pending, &[], 609);
    assert_eq!((messages(&early), early.waiting, early.next), (vec![], 2, Some(at(610))));
    assert_eq!(messages(&ask(&pending, &[], 610)), ["tripped1", "premature1"]);
    let Fate::Later(told) = fate(entry("a", 1, EventKind::Premature, 0), &asks(80_000), 0) else { panic!("given up") };
    let pending = [told, entry("b", 1, EventKind::Tripped, 20)];
    assert_eq!(messages(&ask(&pending, &[], 3600)), ["tripped1"], "the first one waits on");
}

#[test]
fn for_good_means_at_once_and_a_day_of_failures_means_enough() {
    let entry = entry("a", 1, EventKind::Premature, 0);
    assert!(matches!(fate(entry.clone(), &Outcome::refused("550"), 1), Fate::Hopeless(_)));
    let tried = Entry { first_failed: Some(at(0)), attempts: 20, ..entry };
    let failed = Outcome::failed("451");
    assert!(matches!(fate(tried.clone(), &failed, 86_399), Fate::Later(_)));
    assert!(matches!(fate(tried, &failed, 86_400), Fate::Hopeless(_)));
}

#[test]
fn what_a_long_cooldown_held_is_not_given_up_at_its_first_failure() {
    let held = entry("a", 1, EventKind::Premature, 0);
    assert!(matches!(fate(held, &Outcome::failed("451"), 200_000), Fate::Later(_)));
}

proptest! {
    #[test]
    fn retries_double_from_half_a_minute_to_an_hour_within_ten_percent(attempts in 1..u32::MAX, id in "[a-z.]{1,20}") {
        let plain = 30_000_u128 << (attempts - 1).min(20);
        let plain = plain.min(3_600_000);
        let got = retry_after(attempts, &id).as_millis();
        prop_assert!(got >= plain * 9 / 10 && got <= plain * 11 / 10, "{} of {}", got, plain);
    }

    #[test]
    fn nothing_is_ever_dropped(
        rows in prop::collection::vec((0..3_u8, 0..6_usize, 0..2000_u64, prop::option::of(0..3000_u64), any::<bool>()), 0..30),
        now in 0..4000_u64,
    ) {
        let kinds = [EventKind::Premature, EventKind::Tripped, EventKind::Recovered, EventKind::Failed, EventKind::Test, EventKind::Started];
        let (mut pending, mut ledger) = (Vec::new(), Vec::new());
        for (nth, (name, kind, secs, not_before, told)) in rows.into_iter().enumerate() {
            let name = ["a", "b", "c"][usize::from(name)];
            let run = u64::try_from(nth).unwrap();
            let one = Entry { not_before: not_before.map(at), ..entry(name, run, kinds[kind], secs) };
            if told { ledger.push(receipt(&one, secs)); }
            if !told || nth % 5 == 0 { pending.push(one); }
        }
        let plan = ask(&pending, &ledger, now);
        let mut seen: Vec<&str> = plan.send.iter().flat_map(|b| b.folded.iter().chain([&b.lead])).map(Entry::id).collect();
        seen.extend(plan.done.iter().chain(&plan.moot).chain(&plan.hopeless).map(Entry::id));
        prop_assert_eq!(seen.len() + plan.waiting, pending.len());
        prop_assert_eq!(plan.waiting > 0, plan.next.is_some());
        for waits in pending.iter().filter(|entry| !seen.contains(&entry.id())) {
            let (waits, newer) = (&waits.notification.event, |batch: &&Batch| batch.lead.notification.event.kind != EventKind::Test);
            for lead in plan.send.iter().filter(newer).map(|batch| &batch.lead.notification.event) {
                prop_assert!(lead.process != waits.process || lead.at < waits.at || waits.kind == EventKind::Test, "{} overtakes {}", lead.id, waits.id);
            }
        }
        let unique: std::collections::BTreeSet<_> = seen.iter().collect();
        prop_assert_eq!(unique.len(), seen.len(), "each once");
    }
}
