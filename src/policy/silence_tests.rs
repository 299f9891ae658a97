//! What is kept, told and settled while a process is silenced.

use super::*;
use crate::model::incident::About;
use crate::model::sample::{any_sink, at, event, note, sink};
use crate::model::sink::SinkKind;

fn entry(name: &str, run: u64, kind: EventKind, secs: u64) -> Entry {
    Entry::new(note(event(name, run, kind, secs)), "ops", at(secs))
}

fn silence(whom: Whom, secs: u64) -> Silence {
    Silence { whom, from: at(0), for_ms: secs * 1000, reason: "deploy".into(), by: "ann".into() }
}

fn receipt(entry: &Entry, how: Settled) -> Receipt {
    let (id, sink, group) = (entry.id().to_owned(), entry.sink.clone(), entry.group());
    Receipt { schema: 1, id, sink, group, at: at(0), how, part_of: None, refused: Vec::new(), reason: None }
}

fn ids(entries: &[Entry]) -> Vec<String> {
    let id = |entry: &Entry| {
        let event = &entry.notification.event;
        format!("{}{}", event.kind.word(), event.run.unwrap())
    };
    entries.iter().map(id).collect()
}

/// told / kept / suppressed, for the silence of `a` for a thousand seconds.
fn ask(pending: &[Entry], ledger: &[Receipt], secs: u64) -> [String; 3] {
    let silences = [silence(Whom::Process("a".parse().unwrap()), 1000)];
    let parted = part(pending.to_vec(), ledger, &[any_sink()], &silences, &at(secs));
    let suppressed: Vec<Entry> = parted.suppressed.into_iter().map(|(entry, _)| entry).collect();
    [&parted.told, &parted.kept, &suppressed].map(|entries| ids(entries).join(" "))
}

#[test]
fn of_a_silenced_process_the_newest_trouble_waits_and_the_rest_is_settled_with_a_reason() {
    use EventKind::{Completed, Flapping, HalfOpen, Premature, Recovered, Started, Test, Tripped};
    let one = |run, kind| entry("a", run, kind, run);
    let told = [receipt(&entry("a", 0, Premature, 0), Settled::Sent)];
    let hushed = [receipt(&entry("a", 0, Premature, 0), Settled::Suppressed)];
    let cases = [
        (
            "the newest trouble alone",
            vec![one(1, Premature), one(2, Premature)],
            &[][..],
            ["", "premature2", "premature1"],
        ),
        (
            "the worst where the newest is none",
            vec![one(1, Tripped), one(2, HalfOpen)],
            &[],
            ["", "tripped1", "half_open2"],
        ),
        ("what only informs", vec![one(1, Started), one(2, Completed)], &[], ["", "", "started1 completed2"]),
        (
            "trouble and its recovery",
            vec![one(1, Premature), one(2, Recovered)],
            &[],
            ["", "", "premature1 recovered2"],
        ),
        (
            "recovery from what was told",
            vec![one(1, Premature), one(2, Recovered)],
            &told,
            ["", "recovered2", "premature1"],
        ),
        ("recovery from what was not told either", vec![one(2, Recovered)], &hushed, ["", "", "recovered2"]),
        ("trouble after that", vec![one(2, Recovered), one(3, Flapping)], &told, ["", "recovered2 flapping3", ""]),
        ("a test", vec![one(1, Test)], &[], ["test1", "", ""]),
        ("another process", vec![entry("b", 1, Premature, 1)], &[], ["premature1", "", ""]),
    ];
    for (claim, pending, ledger, want) in cases {
        assert_eq!(ask(&pending, ledger, 999), want.map(str::to_owned), "{claim}");
        assert_eq!(ask(&pending, ledger, 1000)[0].split_whitespace().count(), pending.len(), "{claim}: it is over");
    }
}

#[test]
fn a_reason_says_until_when_who_and_why() {
    let silences = [silence(Whom::All, 1000)];
    let parted = part(vec![entry("a", 1, EventKind::Started, 1)], &[], &[any_sink()], &silences, &at(5));
    assert_eq!(parted.suppressed[0].1, "silenced until 11:23 UTC by ann: deploy; it asks for nothing");
    assert_eq!(parted.next, None, "nothing waits");
}

#[test]
fn what_was_kept_says_so_when_it_is_told_and_not_twice() {
    let silences = [silence(Whom::All, 1000)];
    let kept = part(vec![entry("a", 1, EventKind::Premature, 1)], &[], &[any_sink()], &silences, &at(5)).kept.remove(0);
    let zone = Zone::Named("Europe/Berlin".into());
    let told = noted(&kept, &zone, &at(1001));
    assert_eq!(told.event.detail, "still so; it was silenced until 12:23 by ann: deploy");
    let early = noted(&kept, &zone, &at(100));
    assert!(early.event.detail.contains("until 12:08"), "ended before its time: {}", early.event.detail);
    assert_eq!(part(vec![kept.clone()], &[], &[any_sink()], &silences, &at(9)).kept, [kept], "nothing to write anew");
}

#[test]
fn a_silence_ends_by_the_clock_that_cannot_be_set_and_after_a_reboot_by_the_other() {
    let silence = silence(Whom::All, 3600);
    let next = |secs: u64| Stamp { boot: crate::model::time::BootId::new("next").unwrap(), boot_ms: 5, ..at(secs) };
    let set = Stamp { wall: crate::model::time::Wall(0), ..at(10) };
    assert!(silence.rest(&set).is_some(), "a wall clock that is set back within a boot");
    assert!(silence.rest(&next(3599)).is_some());
    assert!(silence.rest(&next(3600)).is_none());
    let before = Stamp { wall: crate::model::time::Wall(at(0).wall.0 - 1), ..next(0) };
    assert!(silence.rest(&before).is_none(), "better a message too many");
}

#[test]
fn the_silence_that_lasts_longest_counts_and_a_group_covers_its_own() {
    let (name, group) = ("a".parse().unwrap(), Whom::Group("g".into()));
    let all = [silence(Whom::All, 100), silence(group, 200), silence(Whom::Process("a".parse().unwrap()), 50)];
    assert_eq!(over(&all, &name, Some("g"), &at(1)).unwrap().for_ms, 200_000);
    assert_eq!(over(&all, &name, None, &at(1)).unwrap().for_ms, 100_000);
    assert_eq!(over(&all, &name, None, &at(100)), None);
}

#[test]
fn a_storm_is_silenced_with_everything_and_not_with_the_process_whose_name_it_bears() {
    let storm = [entry("a", 1, EventKind::Storm, 1), entry("a", 2, EventKind::StormOver, 2)];
    assert_eq!(ask(&storm, &[], 3)[0], "storm1 storm_over2");
    let all = [silence(Whom::All, 1000)];
    let parted = part(storm.to_vec(), &[], &[any_sink()], &all, &at(3));
    assert_eq!((parted.told.len(), parted.kept.len(), parted.suppressed.len()), (0, 0, 2));
    let told = [receipt(&entry("a", 0, EventKind::Storm, 0), Settled::Sent)];
    let parted = part(storm.to_vec(), &told, &[any_sink()], &all, &at(3));
    assert_eq!(ids(&parted.kept), ["storm_over2"]);
}

#[test]
fn a_service_is_kept_informed_of_what_it_keeps() {
    let kind = SinkKind::Alertmanager(crate::model::channel::Alertmanager {
        url: crate::model::sink::SecretSource::Env("X".into()),
        token: None,
        peers: Vec::new(),
    });
    let mut refresh = entry("a", 1, EventKind::Premature, 1);
    let about = About {
        id: "i".into(),
        since: at(0).wall,
        times: 1,
        first: Severity::Warning,
        severity: Severity::Warning,
        why: Why::Refresh(1),
    };
    refresh.notification.event.incident = Some(Box::new(about));
    let parted = part(vec![refresh], &[], &[sink("ops", kind)], &[silence(Whom::All, 9)], &at(1));
    assert_eq!(parted.told.len(), 1);
}
