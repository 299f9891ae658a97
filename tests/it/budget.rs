//! The mutation budget: who starts the same name in a loop is slowed and told why, and never refused.

use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, now_ms, signal};

fn result(home: &Home, arguments: &[&str]) -> Value {
    home.json(arguments)["processes"][0].clone()
}

/// Starts `name`, a job that fails, and waits until guardian has judged that.
fn fail_once(home: &Home, name: &str) -> Value {
    let started = result(home, &["start", name]);
    home.reaches(name, "dead");
    started
}

#[test]
fn the_sixth_start_after_a_failure_waits_a_second_and_says_why() {
    let home = Home::new();
    home.ok(&["register", "job", "--target", "exit", "--", "exit 7"]);
    // The first start follows no failure, so it does not count.
    for nth in 0..6 {
        assert_eq!(fail_once(&home, "job")["slowed_s"], Value::Null, "start {nth}");
    }
    let began = now_ms();
    let slowed = fail_once(&home, "job");
    assert!(now_ms() - began >= 1000, "it did not wait");
    assert_eq!((&slowed["slowed_s"], &slowed["result"], &slowed["run"]), (&1.into(), &"started".into(), &7.into()));
    assert_eq!(slowed["why"], "job was started 6 times within 10m; this start waits 1s; its last run: failed, exit 7");
    let told = home.run(&["start", "job"]).expect(0);
    told.complains("note: job was started 7 times within 10m; this start waits 2s").complains("hint: guardian why job");
    home.reaches("job", "dead");
    home.ok(&["reset", "job"]);
    assert_eq!(fail_once(&home, "job")["slowed_s"], Value::Null);
}

#[test]
fn every_restart_counts_and_so_does_every_start_of_an_agent() {
    let mut home = Home::new();
    home.up("service", &[], "exec sleep 1000");
    for nth in 0..5 {
        assert_eq!(result(&home, &["restart", "service"])["slowed_s"], Value::Null, "restart {nth}");
    }
    assert_eq!(result(&home, &["restart", "service"])["slowed_s"], 1);
    // Somebody who stops it and starts it again is free to do so.
    home.up("other", &[], "exec sleep 1000");
    for _ in 0..6 {
        home.ok(&["stop", "other"]);
        assert_eq!(result(&home, &["start", "other"])["slowed_s"], Value::Null);
    }
    home.set_env("CLAUDECODE", "1");
    for nth in 0..6 {
        home.ok(&["stop", "other"]);
        let want = if nth < 5 { Value::Null } else { 1.into() };
        assert_eq!(result(&home, &["start", "other"])["slowed_s"], want, "start {nth}");
    }
    // What runs already is no start.
    assert_eq!(result(&home, &["start", "other"])["slowed_s"], Value::Null);
}

#[test]
fn a_run_that_was_well_is_forgiven() {
    let home = Home::new();
    home.up("service", &["--healthy-after", "100ms"], "exec sleep 1000");
    for _ in 0..8 {
        assert_eq!(result(&home, &["restart", "service"])["slowed_s"], Value::Null);
        let state = home.state_dir().join("process/service/state.json");
        eventually("it is healthy", || {
            std::fs::read_to_string(&state).unwrap().contains("\"healthy\":true").then_some(())
        });
    }
}

#[test]
fn a_start_that_is_broken_off_while_it_waits_has_changed_nothing_and_holds_nothing() {
    let home = Home::new();
    home.ok(&["register", "job", "--target", "exit", "--", "exit 7"]);
    // So often that the next one waits for 4 s, which is long enough to be broken off.
    for _ in 0..8 {
        fail_once(&home, "job");
    }
    let mut waiting = home.command(&["start", "job"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let state = home.state_dir().join("process/job/state.json");
    let starts = |text: String| serde_json::from_str::<Value>(&text).unwrap()["starts"].as_array().unwrap().len();
    eventually("it is counted", || (starts(std::fs::read_to_string(&state).unwrap()) == 8).then_some(()));
    home.run(&["reset", "job"]).expect(0); // it holds no lock
    signal(i32::try_from(waiting.id()).unwrap(), nix::sys::signal::Signal::SIGTERM);
    waiting.wait().unwrap();
    assert_eq!((home.state("job"), home.status("job")["run"].clone()), ("dead".to_owned(), 8.into()));
}
