//! The outbox on disk, with real files.

use super::*;
use crate::model::delivery::{Receipt, Settled};
use crate::model::event::EventKind;
use crate::model::sample::{at, event, note};
use crate::store::ledger;

fn home() -> (tempfile::TempDir, Paths) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let paths = Paths { home: None, registry: dir.path().join("registry.toml"), state };
    (dir, paths)
}

fn premature(run: u64) -> Notification {
    note(event("a", run, EventKind::Premature, 0))
}

fn receipt(id: &str, sink: &str, secs: u64) -> Receipt {
    let group = Entry::new(premature(1), sink, at(0)).group();
    Receipt {
        schema: SCHEMA,
        id: id.into(),
        sink: sink.into(),
        group,
        at: at(secs),
        part_of: None,
        how: Settled::Sent,
        refused: vec![],
        reason: None,
    }
}

#[test]
fn putting_twice_is_putting_once_whatever_became_of_it() {
    let (_dir, paths) = home();
    let first = premature(1);
    let put = || put(&paths, &first, "ops", &at(0)).unwrap();
    assert_eq!(put(), Put::Queued);
    assert_eq!(put(), Put::Pending);
    let entry = list(&paths, Part::Pending).unwrap().entries.remove(0);
    bury(&paths, &entry).unwrap();
    assert_eq!(put(), Put::Dead);
    assert_eq!(retry_all(&paths).unwrap(), 1);
    assert_eq!(put(), Put::Pending);
    ledger::append(&paths, &[receipt(entry.id(), "ops", 1)]).unwrap();
    remove(&paths, &entry).unwrap();
    assert_eq!(put(), Put::Delivered);
    assert_eq!(super::put(&paths, &first, "other", &at(0)).unwrap(), Put::Queued, "another sink was not told");
}

#[test]
fn an_unreadable_entry_is_reported_kept_and_stops_nothing() {
    let (_dir, paths) = home();
    put(&paths, &premature(1), "ops", &at(0)).unwrap();
    fs::write(paths.outbox().join("torn@ops.json"), "{\"schema\":1,").unwrap();
    let entry = list(&paths, Part::Pending).unwrap().entries.remove(0);
    let newer = serde_json::to_vec(&Entry { schema: SCHEMA + 1, ..entry }).unwrap();
    fs::write(paths.outbox().join("newer@ops.json"), newer).unwrap();
    let listing = list(&paths, Part::Pending).unwrap();
    assert_eq!((listing.entries.len(), listing.unreadable.len()), (1, 2), "{listing:?}");
    assert!(paths.outbox().join("torn@ops.json").exists());
}

#[test]
fn any_sink_name_makes_a_file_name_of_its_own() {
    let long = "ä".repeat(200);
    let names = ["ops", "Ops", "../../evil", "a/b", "a%2fb", ".hidden", "", " ", "a\0b", &long, &format!("{long}x")];
    let safe_names: std::collections::BTreeSet<String> = names.iter().map(|name| safe(name)).collect();
    assert_eq!(safe_names.len(), names.len());
    for name in safe_names {
        assert!(
            name.len() <= 127 && !name.contains('/') && !name.starts_with('.') && name == name.to_lowercase(),
            "{name}"
        );
    }
    assert_eq!(safe("btc-bot.k3x_9.3.premature"), "btc-bot.k3x_9.3.premature");
}

#[test]
fn a_receipt_that_was_cut_off_is_dropped_and_the_next_one_stands_whole() {
    let (_dir, paths) = home();
    atomic::make_dir(&paths.outbox()).unwrap();
    ledger::append(&paths, &[receipt("one", "ops", 1)]).unwrap();
    let file = paths.outbox().join("delivered.jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    assert_eq!(ledger::read(&paths).unwrap().receipts.len(), 1);
    assert_eq!(ledger::read(&paths).unwrap().unreadable, 0);
    ledger::append(&paths, &[receipt("two", "ops", 2)]).unwrap();
    let ledger = ledger::read(&paths).unwrap();
    let ids: Vec<_> = ledger.receipts.iter().map(|receipt| receipt.id.as_str()).collect();
    assert_eq!((ids, ledger.unreadable), (vec!["one", "two"], 1));
    assert!(ledger::holds(&paths, "two", "ops").unwrap());
    assert!(!ledger::holds(&paths, "two", "other").unwrap());
    assert!(!ledger::holds(&paths, "tw", "ops").unwrap());
}

#[test]
fn old_receipts_go_only_when_there_are_many() {
    let (_dir, paths) = home();
    atomic::make_dir(&paths.outbox()).unwrap();
    let day = 86_400;
    let some: Vec<_> =
        (0..20_000).map(|nth| receipt(&format!("r{nth}"), "ops", if nth < 15_000 { 0 } else { 40 * day })).collect();
    let ledger = ledger::Ledger { receipts: some, unreadable: 0 };
    ledger::prune(&paths, &ledger, &at(41 * day)).unwrap();
    assert_eq!(ledger::read(&paths).unwrap().receipts.len(), 10_000);
    let few = ledger::Ledger { receipts: ledger.receipts[..100].to_vec(), unreadable: 0 };
    ledger::prune(&paths, &few, &at(41 * day)).unwrap();
    assert_eq!(ledger::read(&paths).unwrap().receipts.len(), 10_000, "left as it was");
}
