//! Storms, over made-up failures.

use super::*;
use crate::model::ending::Verdict;
use crate::model::sample::{at, event};
use crate::model::storm::Over;

pub(crate) fn failure(name: &str, run: u64, secs: u64) -> Failure {
    Failure {
        at: at(secs),
        process: name.parse().unwrap(),
        epoch: "abc".to_owned(),
        run,
        verdict: Verdict::Premature,
        cause: "exit 1".to_owned(),
        message: "exit 1".to_owned(),
        sender: None,
        group: None,
        last_line: None,
        slot_ms: None,
    }
}

fn failed(name: &str, run: u64, secs: u64) -> Line {
    Line::Failed(failure(name, run, secs))
}

fn began(name: &str, run: u64, secs: u64) -> Line {
    let storm = format!("{name}.abc.{run}.storm");
    Line::Began(Began { storm, at: at(secs), process: name.parse().unwrap(), run, up: Some(12) })
}

/// The storm of a, b and c, at seconds 1 to 3; `rest` came after.
pub(crate) fn storm_of_three(rest: &[Line]) -> Storm {
    let mut lines = vec![failed("a", 1, 1), failed("b", 1, 2), failed("c", 1, 3), began("c", 1, 3)];
    lines.extend(rest.iter().cloned());
    storms(&lines).remove(0)
}

pub(crate) fn over(secs: u64, down: &[&str]) -> Line {
    let down = down.iter().map(|name| name.parse().unwrap()).collect();
    Line::Over(Over { storm: "c.abc.1.storm".to_owned(), at: at(secs), down })
}

#[test]
fn a_storm_is_enough_processes_that_are_a_large_part_of_all() {
    let cases = [
        ("fewer than the threshold", 4, 5, 4, false),
        ("the threshold, and all there are", 5, 5, 5, true),
        ("the threshold, and a quarter", 5, 5, 20, true),
        ("the threshold, but less than a quarter", 5, 5, 21, false),
        ("four times the threshold, of however many", 20, 5, 100_000, true),
        ("zero is off", 1000, 0, 1000, false),
        ("one is one", 1, 1, 4, true),
    ];
    for (claim, failed, threshold, up, want) in cases {
        assert_eq!(is_storm(failed, threshold, || up), want, "{claim}");
    }
}

#[test]
fn different_processes_count_and_only_those_of_the_last_minute() {
    let lines = [failed("a", 1, 0), failed("b", 1, 30), failed("b", 2, 31), failed("c", 1, 59)];
    let lately = |secs| failed_lately(&lines, &at(secs), WINDOW);
    assert_eq!([lately(59), lately(60), lately(91), lately(200)], [3, 2, 1, 0]);
    assert!(is_crowd(&lines, &at(31)) && !is_crowd(&lines[..1], &at(1)) && !is_crowd(&lines, &at(75)));
    let other_boot = Stamp { boot: crate::model::time::BootId::new("other").unwrap(), ..at(59) };
    assert_eq!(failed_lately(&lines, &other_boot, WINDOW), 0);
}

#[test]
fn while_others_fail_just_now_what_is_told_of_them_waits() {
    let lines = [failed("a", 1, 1), failed("b", 1, 4)];
    let cases = [
        ("one alone", &lines[..1], 1, None),
        ("a second, a moment ago", &lines[..], 5, Some(at(4).plus(GATHER))),
        ("nobody for a while", &lines[..], 6, None),
        ("nothing", &[], 1, None),
    ];
    for (claim, lines, secs, want) in cases {
        assert_eq!(gathers_until(lines, &at(secs)), want, "{claim}");
    }
    let storm = [failed("a", 1, 1), failed("b", 1, 2), failed("c", 1, 3), began("c", 1, 3)];
    assert_eq!(gathers_until(&storm, &at(4)), None, "the storm tells it");
    let of = |name: &str, queued| is_of_crowd(&event(name, 1, EventKind::Premature, 12), &at(queued), &lines, &at(20));
    assert_eq!([of("a", 12), of("a", 10), of("c", 12)], [true, false, false], "not for ever, and nobody else's");
}

#[test]
fn it_goes_on_until_a_minute_is_quiet() {
    let storm = storm_of_three(&[failed("d", 1, 50), failed("a", 2, 100)]);
    assert_eq!(storm.failures.len(), 5);
    assert!(is_on(&storm, &at(159)) && !is_on(&storm, &at(160)));
    // What fails after that is no part of it, whether or not somebody said that it is over.
    for lines in [vec![failed("a", 2, 63)], vec![over(63, &[]), failed("a", 2, 64)]] {
        let storm = storm_of_three(&lines);
        assert_eq!((storm.failures.len(), storm.later.len()), (3, 1), "{lines:?}");
        assert!(!is_on(&storm, &at(70)));
    }
    let twice = storm_of_three(&[failed("a", 1, 5), began("c", 1, 5)]);
    assert_eq!(twice.failures.len(), 3, "what was written down twice counts once");
}

#[test]
fn restarts_take_turns_four_a_second_and_one_that_fails_again_waits_longer() {
    let now = at(10);
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(next_slot(taken.iter().copied(), &now));
    }
    assert_eq!(taken.iter().map(|slot| slot - now.boot_ms).collect::<Vec<_>>(), [250, 500, 750, 1000]);
    assert_eq!(next_slot(taken.into_iter(), &at(20)), at(20).boot_ms + 250, "turns that are over are nobody's");

    let name: Name = "a".parse().unwrap();
    let again = |times: u64| {
        let more: Vec<Line> = (0..times).map(|nth| failed("a", nth + 2, 4)).collect();
        wait(&storm_of_three(&more), &name, &at(4)).as_millis()
    };
    assert_eq!([again(0), again(1), again(2), again(7), again(90)], [250, 500, 1000, 30_000, 30_000]);
    let turn = Failure { slot_ms: Some(at(9).boot_ms), ..failure("d", 1, 4) };
    let storm = storm_of_three(&[Line::Failed(turn)]);
    assert_eq!(wait(&storm, &"d".parse().unwrap(), &at(4)), Duration::from_secs(5));
}

#[test]
fn it_speaks_for_the_bad_ends_in_it_and_for_recoveries_of_what_was_back() {
    let (on, done) = (storm_of_three(&[]), storm_of_three(&[over(70, &["b"]), failed("c", 3, 400)]));
    let cases = [
        ("a bad end in it", &on, event("a", 1, EventKind::Premature, 1), true),
        ("the breaker that it opened", &on, event("a", 1, EventKind::Tripped, 1), true),
        ("a later end, not noted", &on, event("a", 2, EventKind::Premature, 9), false),
        ("a process that is not in it", &on, event("x", 1, EventKind::Premature, 1), false),
        ("another kind of trouble", &on, event("a", 1, EventKind::Hung, 1), false),
        ("a recovery while it goes on", &on, event("a", 2, EventKind::Recovered, 9), true),
        ("a recovery of what was back", &done, event("a", 2, EventKind::Recovered, 300), true),
        ("a recovery of what was still down", &done, event("b", 2, EventKind::Recovered, 300), false),
        ("a recovery from a later end", &done, event("c", 4, EventKind::Recovered, 500), false),
    ];
    for (claim, storm, event, want) in cases {
        assert_eq!(speaks_for(storm, &event), want, "{claim}");
    }
}

#[test]
fn the_facts_name_what_failed_and_what_they_share() {
    let more: Vec<Line> = (0..9)
        .map(|nth| {
            let group = Some("crawl".to_owned());
            Line::Failed(Failure { cause: "SIGKILL".into(), group, ..failure(&format!("x{nth}"), 1, 4) })
        })
        .collect();
    let facts = facts(&storm_of_three(&more));
    assert_eq!((facts.failed, facts.ends, facts.names.len(), facts.up), (12, 12, 10, Some(12)));
    assert_eq!((facts.cause.as_str(), facts.of_that_cause), ("SIGKILL", 9));
    assert_eq!(facts.in_common, ["group crawl (9 of 12)"]);
    assert_eq!((facts.first_at, facts.last_at), (at(1).wall, at(4).wall));
    let all = [more, vec![over(70, &["a"])]].concat();
    let facts = super::facts(&storm_of_three(&all));
    assert_eq!((facts.names.len(), facts.down), (12, Some(vec!["a".to_owned()])));
}

#[test]
fn the_record_is_bounded_in_age_and_number_and_keeps_what_a_storm_was() {
    let lines: Vec<Line> = vec![failed("a", 1, 0), began("a", 1, 0), failed("b", 1, 100), failed("c", 1, 200)];
    let age = Duration::from_secs(150);
    assert_eq!(kept(lines.clone(), &at(200), age, 9), lines[2..]);
    let few = kept(lines.clone(), &at(200), Duration::from_secs(900), 1);
    assert_eq!(few, [lines[1].clone(), lines[3].clone()]);
}
