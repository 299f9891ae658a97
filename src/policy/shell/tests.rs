//! Commands and what they leave running: the corpus, what is said instead, and that no text does harm.

use proptest::prelude::*;

use super::*;

/// `verdict TAB command`, `⏎` for a new line.
const CORPUS: &str = include_str!("../../../tests/it/hook_corpus.txt");

#[test]
fn every_row_of_the_corpus_is_judged_as_it_says() {
    let (mut hits, mut misses, mut false_alarms) = (0, Vec::new(), Vec::new());
    for line in CORPUS.lines() {
        let (verdict, command) = line.split_once('\t').unwrap();
        let found = read(&command.replace('⏎', "\n"));
        match (verdict, &found) {
            ("deny", Ok(launches)) if !launches.is_empty() => hits += 1,
            ("deny", _) => misses.push(format!("{command}: {found:?}")),
            ("pass", Ok(launches)) if launches.is_empty() => {}
            _ => false_alarms.push(format!("{command}: {found:?}")),
        }
    }
    let rows = CORPUS.lines().count();
    let share = |wrong: usize| 100.0 * f64::from(hits) / f64::from(hits + i32::try_from(wrong).unwrap());
    println!("{rows} commands: precision {:.1} %, recall {:.1} %", share(false_alarms.len()), share(misses.len()));
    assert!(misses.is_empty() && false_alarms.is_empty(), "missed: {misses:#?}\nfalse alarms: {false_alarms:#?}");
    assert!(rows >= 200);
}
