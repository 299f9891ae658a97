//! The breaker, what is never restarted, and the same failure again, through the real program.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, until};

/// A line that notes each run, fails until a file `good` is there, and lives from then on.
const UNTIL_GOOD: &str = "echo $$ >> pids; [ -e good ] || exit 1; exec sleep 1000";

fn good(home: &Home) {
    std::fs::write(home.path("good"), "").unwrap();
}

#[test]
fn the_breaker_goes_from_closed_to_open_to_half_open_to_closed_and_the_recovery_is_told() {
    let home = Home::new();
    home.listen("");
    let options = ["--backoff", "0s", "--max-failures", "2", "--breaker-cooldown", "2s", "--healthy-after", "3s"];
    home.up("x", &options, UNTIL_GOOD);
    let tripped = home.reaches("x", "tripped");
    assert_eq!((&tripped["breaker"]["state"], &tripped["breaker"]["failures"]), (&"open".into(), &2.into()));
    assert_eq!(tripped["breaker"]["until"], tripped["next_action_at"]);
    good(&home);
    let trial = home.reaches("x", "running");
    assert_eq!((&trial["breaker"]["state"], &trial["breaker"]["until"]), (&"half_open".into(), &Value::Null));
    eventually("the breaker closes", || (home.status("x")["breaker"]["state"] == "closed").then_some(()));
    assert_eq!(home.status("x")["breaker"]["failures"], 0);
    assert_eq!(home.hears("x", "recovered")["severity"], "info");
    let kinds = home.kinds("x");
    let order: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| ["tripped", "half_open", "recovered"].contains(kind)).collect();
    assert_eq!(order, ["tripped", "half_open", "recovered"]);
    // However soon a run ended: it began first.
    let first: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| *kind != "alert_delivered").take(8).collect();
    let bad_end = ["exited", "premature"];
    assert_eq!(first, [&["registered", "started"][..], &bad_end, &["restarted"], &bad_end, &["tripped"]].concat());
}

#[test]
fn a_trial_that_completes_closes_the_breaker_and_the_recovery_is_told() {
    let home = Home::new();
    home.listen("");
    let options =
        ["--target", "exit", "--restart", "on-failure", "--backoff", "0s", "--max-failures", "2", "--breaker-cooldown"];
    let options: Vec<&str> = options.into_iter().chain(["1s"]).collect();
    home.up("job", &options, "echo $$ >> pids; [ -e good ]");
    home.reaches("job", "tripped");
    good(&home);
    let done = home.reaches("job", "completed");
    assert_eq!((&done["breaker"]["state"], &done["breaker"]["failures"]), (&"closed".into(), &0.into()));
    home.hears("job", "recovered");
}

#[test]
fn a_trial_that_fails_opens_the_breaker_again_for_twice_as_long() {
    let home = Home::new();
    let options = ["--backoff", "0s", "--max-failures", "1", "--breaker-cooldown", "1s"];
    home.up("x", &options, "echo $$ >> pids; exit 1");
    home.has_lines("pids", 3);
    let tripped: Vec<String> = eventually("the breaker opened three times", || {
        let events = home.events("x");
        let opened = events.iter().filter(|event| event["kind"] == "tripped");
        let opened: Vec<String> = opened.map(|event| event["action"].as_str().unwrap().to_owned()).collect();
        (opened.len() >= 3).then_some(opened)
    });
    assert!(tripped[0].contains("no restart for 1s: a failure"), "{tripped:?}");
    assert!(tripped[1].contains("no restart for 2s: the trial run failed as well"), "{tripped:?}");
    assert!(tripped[2].contains("no restart for 4s: the trial run failed as well"), "{tripped:?}");
}

#[test]
fn passes_and_the_shim_at_once_let_one_run_try_and_not_two() {
    let home = Home::new();
    let options = ["--backoff", "0s", "--max-failures", "2", "--breaker-cooldown", "1s", "--healthy-after", "1h"];
    home.up("x", &options, UNTIL_GOOD);
    home.reaches("x", "tripped");
    good(&home);
    // Passes as fast as they go, several at a time, across the moment at which the trial is due.
    until("the trial is there, whoever began it", || {
        let passes: Vec<_> = (0..4)
            .map(|_| {
                let mut pass = home.command(&["healthcheck", "--quiet"]);
                pass.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut pass in passes {
            pass.wait().unwrap();
        }
        home.state("x") == "running"
    });
    home.run(&["healthcheck"]);
    assert_eq!(home.lines("pids").len(), 3, "two failures and one trial");
    assert_eq!(home.kinds("x").iter().filter(|kind| *kind == "half_open").count(), 1);
    assert_eq!(home.status("x")["run"], 3);
}

#[test]
fn restarts_within_a_window_open_the_breaker_even_if_each_run_was_healthy() {
    let home = Home::new();
    let options = ["--healthy-after", "1ms", "--max-restarts", "3", "--window", "1h"];
    home.up("x", &options, "echo $$ >> pids; sleep 0.05");
    home.reaches("x", "tripped");
    assert_eq!(home.lines("pids").len(), 4, "one start and three restarts");
    assert!(home.ok(&["why", "x"]).contains("3 restarts within 1h 00m"));
}

#[test]
fn never_restart_takes_codes_signals_and_causes_and_why_names_the_rule() {
    let cases = [
        ("exit 7", "exit code 7 is in `never_restart`"),
        ("kill -SEGV $$; sleep 9", "SIGSEGV is in `never_restart`"),
        ("exec sleep 1000", "`time_limit` is in `never_restart`"),
        ("exit 125", "with exit code 125 the program itself asks for that"),
    ];
    for (line, rule) in cases {
        let home = Home::new();
        home.listen("");
        let options = ["--backoff", "0s", "--never-restart", "2,7,SIGSEGV,time_limit", "--time-limit", "2s"];
        home.up("x", &options, &format!("echo $$ >> pids; {line}"));
        home.reaches("x", "dead");
        assert_eq!(home.lines("pids").len(), 1, "{line}");
        let why = home.ok(&["why", "x"]);
        assert!(why.contains(rule), "{line}: {why}");
        assert_eq!(home.hears("x", "premature")["severity"], "critical", "{line}");
    }
}

#[test]
fn exit_code_125_is_like_any_other_where_it_is_a_success_code() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s", "--success-codes", "0,125"], UNTIL_GOOD.replace("exit 1", "exit 125").as_str());
    home.has_lines("pids", 2);
}

#[test]
fn what_had_been_given_up_is_lifted_by_start_and_by_reset() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s"], UNTIL_GOOD.replace("exit 1", "exit 125").as_str());
    home.reaches("x", "dead");
    home.ok(&["reset", "x"]);
    assert_eq!((home.lines("pids").len(), &home.status("x")["consecutive_failures"]), (1, &0.into()));
    good(&home);
    home.ok(&["start", "x"]);
    home.reaches("x", "running");
}

#[test]
fn never_restart_is_kept_in_the_registry_as_it_was_said() {
    let home = Home::new();
    home.ok(&["register", "x", "--never-restart", "2,78,KILL,oom_killed", "--never-restart", "hung", "--", "true"]);
    let line = home.registry().lines().find(|line| line.starts_with("never_restart")).unwrap().to_owned();
    assert_eq!(line, "never_restart = [2, 78, \"KILL\", \"oom_killed\", \"hung\"]");
    assert!(home.ok(&["config", "show", "x"]).contains("[2, 78, \"SIGKILL\", \"oom_killed\", \"hung\"]"));
    // Saying it again is not an error.
    home.ok(&["register", "x", "--never-restart", "2,78,KILL,oom_killed", "--never-restart", "hung", "--", "true"]);
    home.run(&["register", "y", "--never-restart", "2,oomkilled", "--", "true"]).expect(2).complains("`oom_killed`");
}

#[test]
fn a_bad_word_in_never_restart_is_named_with_its_place_and_what_was_meant() {
    let home = Home::new();
    home.write_registry("[process.x]\nshell = \"true\"\nnever_restart = [2, \"SIGSEVG\", 300]\n");
    let checked = home.run(&["config", "check"]).expect(78);
    let all = checked.stdout + &checked.stderr;
    for want in ["3:21", "SIGSEVG", "did you mean `SIGSEGV`?", "time_limit", "3:32", "300"] {
        assert!(all.contains(want), "no {want} in {all}");
    }
}

/// A program that fails with a traceback of Python's, with other numbers and another place each time.
fn failing(home: &Home) -> std::path::PathBuf {
    let text = "#!/usr/bin/python3\nimport os, sys\nprint('order', os.getpid(), id(sys))\n\
                raise ValueError(f'no feed at 0x{id(sys):x} in /tmp/tmp{os.getpid()} (try {os.getpid()})')\n";
    home.script("failing", text)
}

fn line(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn the_same_failure_again_is_said_in_events_alerts_and_why() {
    let home = Home::new();
    home.listen("");
    home.up("x", &["--backoff", "0s", "--max-failures", "4"], &line(&failing(&home)));
    home.reaches("x", "tripped");
    let want = "the same failure as the last 3 times: ValueError: no feed at 0x";
    let told = home.hears("x", "tripped");
    assert!(told["alike"].as_str().unwrap().starts_with(want), "{told}");
    assert!(told["text"].as_str().unwrap().contains(want), "{told}");
    assert!(home.ok(&["why", "x"]).contains(want), "{}", home.ok(&["why", "x"]));
    let why = home.json(&["why", "x"]);
    assert_eq!(why["alike"]["times"], 4, "{why}");
    assert!(why["alike"]["sentence"].as_str().unwrap().starts_with(want), "{why}");
    assert!(home.ok(&["events", "x"]).contains(want));
}

#[test]
fn a_different_failure_is_said_to_be_different_and_a_start_keeps_what_came_before() {
    let home = Home::new();
    let program = failing(&home);
    home.up("x", &["--restart", "never"], &line(&program));
    home.reaches("x", "dead");
    assert!(home.json(&["why", "x"])["alike"].is_null(), "the first is like no other");
    home.ok(&["start", "x"]);
    until("the second run ended", || home.status("x")["last_exit"]["run"] == 2 && home.state("x") == "dead");
    assert!(home.ok(&["why", "x"]).contains("the same failure as the last time: ValueError"));
    home.script("failing", "#!/bin/sh\necho 'database gone' >&2\nexit 1\n");
    home.ok(&["start", "x"]);
    until("the third run ended", || home.status("x")["last_exit"]["run"] == 3 && home.state("x") == "dead");
    let why = home.ok(&["why", "x"]);
    assert!(why.contains("a different failure than the last time, when it was: ValueError"), "{why}");
}
