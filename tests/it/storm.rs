//! Storms: many processes that fail at once are one message, restarted one after the other, and their end is told once.

use std::collections::BTreeSet;
use std::fs;

use guardian::model::event::Event;
use guardian::model::storm::Line;
use guardian::model::time::{Stamp, Wall};
use guardian::store::paths::Paths;
use guardian::store::storm;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{cmdline, eventually, kill_together, now_ms, signal};
use nix::sys::signal::Signal;

/// How many processes a storm of these tests has.
const MANY: usize = 12;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|nth| format!("bot-{nth:02}")).collect()
}

/// So many sleepers, up.
fn sleepers(home: &Home, count: usize) -> Vec<String> {
    let names = names(count);
    for name in &names {
        home.up(name, &["--group", "crawl"], "echo no route to market; exec sleep 1000");
    }
    names
}

fn kill_all(home: &Home, names: &[String]) {
    let pids: Vec<i32> = names.iter().map(|name| home.pid(name)).collect();
    kill_together(&pids);
}

fn paths(home: &Home) -> Paths {
    Paths { home: Some(home.root()), registry: home.registry_path(), state: home.state_dir() }
}

/// Makes all failures on record a minute older.
pub(crate) fn a_minute_passes(home: &Home) {
    let paths = paths(home);
    let older = |at: &mut Stamp| {
        at.boot_ms = at.boot_ms.saturating_sub(61_000);
        at.wall = Wall(at.wall.0 - 61_000);
    };
    let _held = storm::lock(&paths).unwrap();
    let mut lines = storm::load(&paths).unwrap();
    for line in &mut lines {
        match line {
            Line::Failed(failure) => older(&mut failure.at),
            Line::Began(began) => older(&mut began.at),
            Line::Over(over) => older(&mut over.at),
            Line::Told { .. } => {}
        }
    }
    storm::clear(&paths).unwrap();
    storm::append(&paths, &lines, &guardian::os::clock::now().unwrap()).unwrap();
}

fn of_kind(told: &[Value], kind: &str) -> Vec<Value> {
    told.iter().filter(|told| told["kind"] == kind).cloned().collect()
}

/// Receipts by which a sink is done with each bad end: the id, and whether it was told as part of a storm.
pub(crate) fn receipts(home: &Home) -> Vec<(String, bool)> {
    let text = fs::read_to_string(home.state_dir().join("outbox/delivered.jsonl")).unwrap_or_default();
    let receipts = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a receipt is JSON"));
    receipts.map(|it| (it["id"].as_str().unwrap().to_owned(), it["part_of"].is_string())).collect()
}

#[test]
fn twelve_processes_that_die_at_once_are_one_message_and_come_back_one_after_the_other() {
    let home = Home::new();
    home.listen("");
    let names = sleepers(&home, MANY);
    kill_all(&home, &names);
    let storm = eventually("the storm is told", || of_kind(&home.told(), "storm").pop());
    assert_eq!((&storm["severity"], &storm["storm"]["up"]), (&"critical".into(), &MANY.into()));
    let facts = &storm["storm"];
    assert_eq!((&facts["failed"], &facts["cause"]), (&MANY.into(), &"SIGKILL".into()), "{facts}");
    assert_eq!(facts["names"].as_array().unwrap().len(), 10);
    assert!(storm["text"].as_str().unwrap().contains("and 2 more"), "{}", storm["text"]);
    assert!(facts["in_common"].to_string().contains("group crawl"), "{facts}");
    for name in &names {
        home.reaches(name, "running");
    }

    // While it goes on `status` says so, and nothing more is told.
    let status = home.json(&["status"]);
    assert_eq!((&status["storm"]["failed"], &status["storm"]["id"]), (&MANY.into(), &facts["id"]));
    assert!(home.run(&["status"]).stdout.contains("a storm goes on: 12 of 12 processes failed"));
    home.run(&["healthcheck"]);
    let told = home.told();
    assert_eq!(of_kind(&told, "storm").len(), 1);
    let alone = of_kind(&told, "premature").len() + of_kind(&told, "failed").len();
    // Five make a storm: what was told before the fifth was known may have gone out alone.
    assert!(alone < 5, "{alone} were told alone, before it was a storm: {told:?}");

    // Every death is in the history; every one was told alone or is part of the storm, by name.
    let receipts = receipts(&home);
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for name in &names {
        let events = home.events(name);
        let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert!(kinds.contains(&"exited") && kinds.contains(&"premature"), "{name}: {kinds:?}");
        let begun = events.iter().any(|event| event["kind"] == "storm");
        let settled =
            receipts.iter().any(|(id, _)| id.starts_with(&format!("{name}.")) && id.ends_with(".1.premature"));
        assert!(settled || begun, "{name} in {receipts:?}");
        let restarted = events.iter().find(|event| event["kind"] == "restarted").expect("it was restarted");
        let exited = events.iter().find(|event| event["kind"] == "exited").expect("its end is told");
        let at = |event: &Value| serde_json::from_value::<Event>(event.clone()).unwrap().at.0;
        starts.push(at(restarted));
        ends.push(at(exited));
    }
    // One is the storm itself, four may have been told before it was one.
    assert!(receipts.iter().filter(|(_, part)| *part).count() >= MANY - 5, "{receipts:?}");
    starts.sort();
    // The fifth makes it a storm: from there on each has a turn of its own. A busy machine is late, and never early.
    let first = ends.iter().min().unwrap();
    for (start, turn) in starts[4..].iter().zip(1..) {
        assert!(start - first >= 250 * turn - 20, "paced: {starts:?} after {ends:?}");
    }

    a_minute_passes(&home);
    home.run(&["healthcheck"]).expect(0);
    home.run(&["healthcheck"]).expect(0);
    let over = of_kind(&home.told(), "storm_over");
    assert_eq!((over.len(), &over[0]["storm"]["down"]), (1, &Value::Array(vec![])), "{over:?}");
    let named: BTreeSet<&str> =
        over[0]["storm"]["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    assert_eq!(named, names.iter().map(String::as_str).collect());
    assert!(over[0]["title"].as_str().unwrap().contains("all of 12 processes are back"), "{}", over[0]["title"]);
    assert_eq!(home.json(&["status"])["storm"], Value::Null);
}

#[test]
fn a_pass_that_finds_all_dead_tells_one_storm_with_the_breaker_that_opened_in_it() {
    let home = Home::new();
    home.listen("");
    let names = sleepers(&home, 5);
    home.up("brittle", &["--max-failures", "1", "--healthy-after", "200ms"], "exec sleep 1000");
    let state = home.state_dir().join("process/brittle/state.json");
    eventually("it is healthy", || fs::read_to_string(&state).unwrap().contains("\"healthy\":true").then_some(()));
    let all: Vec<String> = names.iter().cloned().chain(["brittle".to_owned()]).collect();
    let shims: Vec<i32> = all.iter().map(|name| home.shim_pid(name)).collect();
    let pids: Vec<i32> = all.iter().map(|name| home.pid(name)).chain(shims).collect();
    kill_together(&pids);
    home.run(&["healthcheck"]).expect(1);
    let told = home.told();
    assert_eq!((told.len(), &told[0]["kind"]), (1, &"storm".into()), "{told:?}");
    assert_eq!(told[0]["storm"]["failed"], 6);
    assert!(told[0]["folded"].to_string().contains("\"tripped\""), "{}", told[0]["folded"]);
    assert_eq!(home.state("brittle"), "tripped");
    for name in &names {
        home.reaches(name, "running"); // nobody but the pass knew, so each has somebody who waits for its turn
    }
    a_minute_passes(&home);
    home.run(&["healthcheck"]);
    let over = of_kind(&home.told(), "storm_over").remove(0);
    assert_eq!(over["storm"]["down"], Value::from(vec!["brittle"]));
    // What was not back then is told when it is.
    home.ok(&["start", "brittle"]);
    home.hears("brittle", "recovered");
    assert_eq!(home.told().len(), 3);
}

#[test]
fn passes_that_are_killed_in_a_storm_lose_no_death() {
    let home = Home::new();
    home.listen("");
    let names = sleepers(&home, 8);
    let pids: Vec<i32> = names.iter().map(|name| home.pid(name)).collect();
    kill_together(&pids);
    let mut killed = 0;
    let until = now_ms() + 1500;
    while now_ms() < until && killed < 12 {
        for pid in home.processes() {
            if cmdline(pid).contains("--push") && pid % 2 == 0 {
                signal(pid, Signal::SIGKILL);
                killed += 1;
            }
        }
    }
    assert!(killed > 0, "no pass was seen");
    home.run(&["healthcheck"]);
    for name in &names {
        eventually(&format!("{name} is back"), || {
            home.run(&["healthcheck"]);
            (home.state(name) == "running").then_some(())
        });
    }
    a_minute_passes(&home);
    home.run(&["healthcheck"]);
    let ids: BTreeSet<String> = receipts(&home).into_iter().map(|(id, _)| id).collect();
    for name in &names {
        let events = home.events(name);
        let bad: Vec<&Value> = events.iter().filter(|event| event["kind"] == "premature").collect();
        assert!(!bad.is_empty(), "{name}: {events:?}");
        for event in bad {
            let id = event["id"].as_str().unwrap();
            let storm = id.replace(".premature", ".storm");
            assert!(ids.contains(id) || ids.contains(&storm), "{id} was told by nobody: {ids:?}");
        }
    }
}

#[test]
fn with_storm_0_nothing_is_noted_and_every_restart_is_at_once() {
    let home = Home::new();
    home.write_registry("[healthcheck]\nstorm = 0\n");
    home.listen("");
    let names = sleepers(&home, 6);
    kill_all(&home, &names);
    for name in &names {
        home.reaches(name, "running");
        let last = home.status(name)["last_exit"].clone();
        assert!(!last["action"].as_str().unwrap().contains("storm"), "{last}");
    }
    assert!(!home.state_dir().join("storm").exists());
    home.run(&["config", "check"]).expect(0);
    home.write_registry("[healthcheck]\nstorm = -1\n");
    let told = home.run(&["config", "check"]).expect(78);
    assert!(told.stdout.contains("`storm`") && told.stdout.contains("2:9"), "{told:?}");
}
