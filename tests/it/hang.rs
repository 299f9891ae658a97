//! What is done about programs that live without progress; memory limits by watching. Which programs are hung and which
//! are not is `hang_corpus`.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON};
use crate::procs::{alive, carrying, eventually, now_ms, signal, until};

/// The first event of this kind.
fn event(home: &Home, name: &str, kind: &str) -> Value {
    eventually(&format!("`{kind}` of `{name}` in the history"), || {
        home.events(name).into_iter().find(|event| event["kind"] == kind)
    })
}

/// A line that runs Python code.
fn python(home: &Home, name: &str, code: &str) -> String {
    let script = home.script(&format!("{name}.py"), code);
    format!("exec {PYTHON} -u {}", script.display())
}

#[test]
fn a_hung_process_is_ended_restarted_and_told_and_why_says_on_what_it_was_blocked() {
    let home = Home::new();
    home.listen("events = [\"hung\"]");
    home.up("x", &["--hang-after", "1s"], "echo working; exec sleep 1000");
    let first = home.pid("x");
    eventually("its next run is up", || (home.status("x")["run"] == 2).then_some(()));
    assert!(!alive(first));
    let last = home.status("x")["last_exit"].clone();
    assert_eq!((&last["verdict"], &last["cause"]["kind"]), (&"premature".into(), &"hung".into()));
    assert!(last["cause"]["silent_s"].as_u64().is_some_and(|silent| (1..10).contains(&silent)), "{last}");
    let told = home.hears("x", "hung");
    assert_eq!((&told["severity"], &told["run"]), (&"warning".into(), &1.into()));
    let why = home.json(&["why", "x", "--run", "1"]);
    assert!(why["blocked_on"].as_str().unwrap().contains("sleeps"), "{why}");
    let text = home.ok(&["why", "x", "--run", "1"]);
    assert!(text.contains("sleeps") && text.contains("1.hang"), "{text}");
}

#[test]
fn a_hung_process_that_ignores_the_stop_signal_or_stands_still_is_killed() {
    let home = Home::new();
    let options = ["--hang-after", "1s", "--grace", "500ms", "--restart", "never"];
    home.up("deaf", &options, "trap '' TERM; while :; do sleep 1000; done");
    home.up("still", &options, "kill -STOP $$; exec sleep 1000");
    for name in ["deaf", "still"] {
        home.reaches(name, "dead");
        assert_eq!(home.status(name)["last_exit"]["cause"]["kind"], "hung", "{name}");
    }
    until("nothing of them lives", || home.managed().is_empty());
}

#[test]
fn with_on_hang_kill_it_is_ended_for_good() {
    let home = Home::new();
    home.up("x", &["--hang-after", "1s", "--on-hang", "kill", "--restart", "always"], "exec sleep 1000");
    home.reaches("x", "dead");
    let status = home.status("x");
    assert_eq!((&status["run"], &status["last_exit"]["cause"]["kind"]), (&1.into(), &"hung".into()));
    assert!(status["last_exit"]["action"].as_str().unwrap().contains("on_hang"), "{status}");
}

#[test]
fn with_on_hang_alert_it_lives_is_shown_as_hung_and_its_recovery_is_told() {
    let home = Home::new();
    home.listen("events = [\"hung\", \"recovered\"]\ncooldown = \"0s\"");
    home.up(
        "x",
        &["--hang-after", "1s", "--on-hang", "alert"],
        "while :; do while ! test -e go; do sleep 1000; done; echo x; sleep 0.2; done",
    );
    let pid = home.pid("x");
    home.reaches("x", "hung");
    home.hears("x", "hung");
    home.run(&["status", "x"]).expect(1).stdout.contains("sleeps").then_some(()).expect("it is said why");
    fs::write(home.path("go"), "").unwrap();
    for sleeper in carrying("GUARDIAN_NAME=x").into_iter().filter(|sleeper| *sleeper != pid && alive(*sleeper)) {
        if home.managed().contains(&sleeper) {
            signal(sleeper, Signal::SIGKILL);
        }
    }
    home.reaches("x", "running");
    home.hears("x", "recovered");
    assert_eq!((home.pid("x"), home.status("x")["restarts"].as_i64()), (pid, Some(0)));
    assert_eq!(home.kinds("x").iter().filter(|kind| *kind == "hung").count(), 1);
}

#[test]
fn a_probe_that_succeeds_keeps_a_silent_process_alive_until_it_fails() {
    let home = Home::new();
    let options =
        ["--hang-after", "1s", "--on-hang", "kill", "--hang-probe", "echo $GUARDIAN_NAME >> probes; test ! -e ill"];
    home.up("x", &options, "exec sleep 1000");
    let asked = home.has_lines("probes", 2);
    assert_eq!(asked[0], "x");
    assert_eq!(home.state("x"), "running");
    fs::write(home.path("ill"), "").unwrap();
    home.reaches("x", "dead");
    assert_eq!(home.status("x")["last_exit"]["cause"]["kind"], "hung");
}

#[test]
fn a_heartbeat_that_stops_is_a_hang_however_busy_the_program_is() {
    let home = Home::new();
    let beat = format!("{} beat --progress 3/10 --message warming", home.program().display());
    home.up(
        "x",
        &["--heartbeat", "2s", "--restart", "never"],
        &format!("{beat}; while :; do echo busy; sleep 0.1; done"),
    );
    let heartbeat = eventually("its heartbeat is shown", || {
        let heartbeat = home.status("x")["heartbeat"].clone();
        (!heartbeat.is_null()).then_some(heartbeat)
    });
    assert_eq!((&heartbeat["source"], &heartbeat["message"]), (&"file".into(), &"warming".into()));
    assert_eq!((&heartbeat["progress"]["done"], &heartbeat["progress"]["total"]), (&3.into(), &10.into()));
    home.reaches("x", "dead");
    let last = home.status("x")["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "hung");
    assert!(event(&home, "x", "hung")["detail"].as_str().unwrap().starts_with("no heartbeat for "));
    let lived = last["ran_s"].as_f64().unwrap();
    assert!((2.0..8.0).contains(&lived), "{lived}");
}

#[test]
fn a_program_that_beats_in_time_lives_on_and_one_that_never_beats_has_the_time_from_its_start() {
    let home = Home::new();
    home.up(
        "beats",
        &["--heartbeat", "2s", "--on-hang", "kill"],
        "while :; do touch $GUARDIAN_HEARTBEAT_FILE; sleep 0.2; done",
    );
    home.up("never", &["--heartbeat", "2s", "--on-hang", "kill"], "while :; do sleep 0.2; done");
    home.reaches("never", "dead");
    assert_eq!(home.state("beats"), "running");
}

#[test]
fn output_that_stops_is_a_hang_where_that_is_asked_for() {
    let home = Home::new();
    home.up("x", &["--output-stale", "1500ms", "--on-hang", "kill"], "echo a; sleep 1; echo b; while :; do :; done");
    home.reaches("x", "dead");
    assert!(event(&home, "x", "hung")["detail"].as_str().unwrap().starts_with("no output for "));
    let lived = home.status("x")["last_exit"]["ran_s"].as_f64().unwrap();
    assert!((2.4..8.0).contains(&lived), "counted from the last line, which came after a second: {lived}");
}

#[test]
fn beats_say_whom_they_are_for() {
    let home = Home::new();
    home.ok(&["register", "x", "--", "true"]);
    home.ok(&["beat", "x", "--message", "by hand"]);
    assert_eq!(home.status("x")["heartbeat"]["message"], "by hand");
    home.ok(&["beat", "x"]);
    assert_eq!(home.status("x")["heartbeat"]["message"], "by hand", "what was said stays");
    home.run(&["beat", "nobody"]).expect(4);
    home.run(&["beat"]).expect(2).complains("guardian beat NAME");
    home.run(&["beat", "x", "--progress", "11/10"]).expect(2);
    home.run(&["beat", "x", "--progress", "ten"]).expect(2);
}

#[test]
fn a_process_whose_shim_was_killed_is_still_looked_at() {
    let home = Home::new();
    home.up("x", &["--hang-after", "1s", "--on-hang", "alert"], "exec sleep 1000");
    signal(home.shim_pid("x"), Signal::SIGKILL);
    eventually("a pass calls the hang", || {
        home.run(&["healthcheck"]);
        home.kinds("x").contains(&"hung".to_owned()).then_some(())
    });
    let state = home.state("x");
    assert!(["hung", "unsupervised"].contains(&state.as_str()), "{state}");
}

#[test]
fn memory_of_the_whole_tree_ends_a_run_where_no_control_group_keeps_the_limit() {
    let home = Home::new();
    let hog = python(&home, "hog", "import os, time\nos.fork()\nx = b'x' * (60 << 20)\ntime.sleep(1000)");
    home.up("hog", &["--memory", "100M", "--isolation", "session", "--restart", "never"], &hog);
    let frugal = python(&home, "frugal", "import os, time\nx = b'x' * (60 << 20)\nos.fork()\ntime.sleep(1000)");
    home.up("frugal", &["--memory", "100M", "--isolation", "session"], &frugal);
    home.reaches("hog", "dead");
    let cause = home.status("hog")["last_exit"]["cause"].clone();
    assert_eq!((&cause["kind"], &cause["limit_bytes"]), (&"memory_limit".into(), &(100 << 20).into()));
    let begun = now_ms();
    until("the frugal one was looked at", || now_ms() > begun + 2500);
    assert_eq!(home.state("frugal"), "running", "what two processes share is counted once");
}

#[test]
fn a_traced_program_that_is_stopped_is_hung_and_not_taken_for_one_in_a_debugger() {
    let home = Home::new();
    home.up("x", &["--hang-after", "1s", "--on-hang", "alert", "--trace-signals"], "exec sleep 1000");
    signal(home.pid("x"), Signal::SIGSTOP);
    home.reaches("x", "hung");
    let hung = event(&home, "x", "hung");
    assert!(hung["detail"].as_str().unwrap().contains("is stopped (SIGSTOP)"), "{hung}");
}

#[test]
fn a_program_in_a_debugger_is_left_alone() {
    let home = Home::new();
    home.up("x", &["--hang-after", "1s", "--on-hang", "kill"], "exec sleep 1000");
    let debugger = home.script("debugger.py", "import ctypes, os, sys, time\npid = int(sys.argv[1])\nassert ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0\nos.waitpid(pid, 0)\nprint('held', flush=True)\ntime.sleep(1000)");
    let pid = home.pid("x").to_string();
    home.up("debugger", &[], &format!("exec {PYTHON} {} {pid}", debugger.display()));
    until("it is held", || home.ok(&["logs", "debugger"]).contains("held"));
    let begun = now_ms();
    until("it stood still for twice its limit", || now_ms() > begun + 2500);
    assert_eq!(home.state("x"), "running");
    home.ok(&["stop", "debugger"]);
    home.reaches("x", "dead");
}
