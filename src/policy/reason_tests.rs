//! Each wait, in words.

use super::*;
use crate::model::sample::{any_sink, at, event, note};
use crate::model::schedule::Zone;
use crate::model::silence::Whom;
use crate::model::timing::Timing;
use crate::policy::quiet;

fn entry(kind: EventKind, secs: u64) -> Entry {
    Entry::new(note(event("a", 1, kind, secs)), "ops", at(secs))
}

fn receipt(kind: EventKind, how: Settled, reason: Option<&str>) -> Receipt {
    let entry = entry(kind, 0);
    let (id, sink, group) = ("other".to_owned(), entry.sink.clone(), entry.group());
    let reason = reason.map(str::to_owned);
    Receipt { schema: 1, id, sink, group, at: at(0), how, part_of: None, refused: Vec::new(), reason }
}

fn sink(timing: Timing) -> Sink {
    Sink { timing: Timing { zone: Zone::Named("Europe/Berlin".into()), ..timing }, ..any_sink() }
}

#[test]
fn each_wait_says_what_it_is_for_and_until_when() {
    let plain = || sink(Timing::default());
    let quiet = sink(Timing { quiet: vec![quiet::parse("12:00-13:00").unwrap()], ..Timing::default() });
    let digest = sink(Timing { digest: Some("0 8 * * *".into()), ..Timing::default() });
    let window = sink(Timing { group_window: Duration::from_secs(600), ..Timing::default() });
    let failed = Entry {
        attempts: 2,
        not_before: Some(at(600)),
        last_error: Some("connecting: refused".into()),
        ..entry(EventKind::Premature, 0)
    };
    let asked = Entry { asked: Some(at(1200)), ..failed.clone() };
    let silence = Silence { whom: Whom::All, from: at(0), for_ms: 7_200_000, reason: String::new(), by: "ann".into() };
    let premature = || entry(EventKind::Premature, 0);
    let cases = [
        (plain(), premature(), &[][..], &[][..], "due with the next pass"),
        (plain(), premature(), &[receipt(EventKind::Premature, Settled::Sent, None)], &[], "cooldown until 12:21"),
        (plain(), premature(), &[], std::slice::from_ref(&silence), "silenced until 14:06"),
        (plain(), failed, &[], &[], "retry 3 at 12:16: connecting: refused"),
        (plain(), asked, &[], &[], "its service asked for a pause until 12:26"),
        (quiet.clone(), premature(), &[], &[], "quiet hours until 13:00"),
        (quiet, entry(EventKind::Tripped, 0), &[], &[], "due with the next pass"),
        (digest, premature(), &[], &[], "digest at Thu 19 Nov 08:00"),
        (window, premature(), &[], &[], "others may follow: group window until 12:16"),
    ];
    for (sink, entry, ledger, silences, want) in cases {
        let pending = [entry];
        let world = World { pending: &pending, ledger, sinks: &[sink], silences, storms: &[] };
        assert_eq!(reason(&pending[0], world, &at(1)), want);
    }
    let pending = [premature()];
    let nobody = World { pending: &pending, ledger: &[], sinks: &[], silences: &[], storms: &[] };
    assert_eq!(reason(&pending[0], nobody, &at(1)), "its sink is not in the registry");
    let session = Entry { sink: "auto:btc-bot".to_owned(), ..premature() };
    assert_eq!(reason(&session, nobody, &at(1)), "due with the next pass");
    let failed = Entry { not_before: Some(at(60_000)), last_error: Some("gone".to_owned()), attempts: 1, ..session };
    assert!(reason(&failed, nobody, &at(1)).starts_with("retry 2 at "), "{}", reason(&failed, nobody, &at(1)));
}

#[test]
fn what_was_not_told_is_counted_with_the_newest_reason_for_a_day() {
    let ledger = [
        receipt(EventKind::Premature, Settled::Suppressed, Some("failure 1")),
        receipt(EventKind::Premature, Settled::Suppressed, Some("silenced")),
        receipt(EventKind::Premature, Settled::Sent, None),
    ];
    let rows = hushed(&ledger, &at(1));
    assert_eq!((rows.len(), rows[0].count, rows[0].reason.as_str()), (1, 2, "silenced"));
    assert_eq!(hushed(&ledger, &at(86_400)), []);
}
