//! Whole trees: programs that put themselves into the background, and what lives on when the main process has ended.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, number};
use crate::procs::{alive, eventually, kill_together, parent, session, signal, until};

/// Forks as daemons do, `argv[1]` times, each time leaving the child behind; the last one writes its pid into `argv[2]`, and
/// ends with code `argv[4]` when there is a file `argv[3]`.
const DAEMON: &str = "\
import os, sys, time
for number in range(int(sys.argv[1])):
    if os.fork(): os._exit(0)
    if number == 0: os.setsid()
open(sys.argv[2], 'a').write(f'{os.getpid()}\\n')
while not os.path.exists(sys.argv[3]): time.sleep(0.01)
os._exit(int(sys.argv[4]))
";

/// Starts the daemon with options; its pid once it is what `status` shows.
fn daemon(home: &Home, options: &[&str], forks: &str, code: &str) -> i32 {
    let script = home.script("daemon.py", DAEMON);
    let (out, end) = (home.path("daemon"), home.path("end"));
    let mut arguments = vec!["register", "d", "--follow", "fork", "--restart", "never"];
    arguments.extend(options);
    arguments.extend(["--start", "--", PYTHON, script.to_str().unwrap()]);
    arguments.extend([forks, out.to_str().unwrap(), end.to_str().unwrap(), code]);
    home.ok(&arguments);
    let pid = home.has_lines("daemon", 1)[0].parse().unwrap();
    until("the daemon is the main process", || home.status("d")["pid"] == pid);
    pid
}

fn last_exit(home: &Home, name: &str) -> Value {
    eventually("an end is known", || {
        let last = home.status(name)["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn a_program_that_puts_itself_into_the_background_is_followed_to_its_true_end() {
    for forks in ["1", "2"] {
        let home = Home::new();
        let pid = daemon(&home, &[], forks, "7");
        assert_eq!(parent(pid), home.shim_pid("d"));
        assert_eq!(home.state("d"), "running");
        until("the pid file follows", || home.lines_of_sentinel("d", "pid") == [pid.to_string()]);
        std::fs::write(home.path("end"), "").unwrap();
        let last = last_exit(&home, "d");
        assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &7.into()), "{last}");
        assert_eq!(home.status("d")["run"], 1);
    }
}

#[test]
fn a_daemon_that_is_followed_is_traced_as_the_program_was() {
    let home = Home::new();
    let pid = daemon(&home, &["--trace-signals"], "2", "0");
    signal(pid, Signal::SIGTERM);
    let last = last_exit(&home, "d");
    assert_eq!(last["signals"][0]["signal"], "SIGTERM", "{last}");
    assert_eq!(number(&last["signals"][0]["sender"]["pid"]), i32::try_from(std::process::id()).unwrap(), "{last}");
}

#[test]
fn a_daemon_whose_shim_was_killed_is_followed_by_the_new_one() {
    let home = Home::new();
    let pid = daemon(&home, &[], "2", "5");
    kill_together(&[home.shim_pid("d")]);
    home.run(&["healthcheck"]);
    assert_eq!((home.state("d").as_str(), home.pid("d")), ("running", pid));
    std::fs::write(home.path("end"), "").unwrap();
    assert_eq!(last_exit(&home, "d")["cause"]["code"], 5);
}

#[test]
fn a_fork_under_a_shim_that_took_over_is_followed_as_well() {
    let home = Home::new();
    let line = "while ! [ -e go ]; do sleep 0.01; done; setsid sh -c 'echo $$ >> left; while ! [ -e end ]; do sleep 0.01; done; exit 4' & while ! [ -e left ]; do sleep 0.01; done";
    home.up("d", &["--follow", "fork", "--restart", "never"], line);
    kill_together(&[home.shim_pid("d")]);
    home.run(&["healthcheck"]);
    std::fs::write(home.path("go"), "").unwrap();
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    until("it is the main process", || home.status("d")["pid"] == left);
    std::fs::write(home.path("end"), "").unwrap();
    assert_eq!(last_exit(&home, "d")["cause"]["code"], 4);
}

#[test]
fn of_several_that_are_left_the_leader_of_a_session_is_followed() {
    let home = Home::new();
    let line =
        "sleep 1001 & setsid sh -c 'echo $$ >> left; exec sleep 1002' & while ! [ -e left ]; do sleep 0.01; done";
    home.up("d", &["--follow", "fork"], line);
    let leader: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    until("the leader is the main process", || home.status("d")["pid"] == leader);
    assert_eq!(session(leader), leader);
    home.ok(&["stop", "d"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
}

#[test]
fn an_end_that_is_no_fork_is_an_end() {
    let cases = [("nothing is left", "exit 0", 0), ("it did not end well", "setsid sleep 1000 & exit 3", 3)];
    for (claim, line, code) in cases {
        let home = Home::new();
        home.up("d", &["--follow", "fork", "--restart", "never", "--grace", "1s"], line);
        assert_eq!(last_exit(&home, "d")["cause"]["code"], code, "{claim}");
    }
}

#[test]
fn what_lives_on_when_the_main_process_has_ended_is_told_and_named() {
    let home = Home::new();
    home.listen("events = [\"*\"]");
    let line = "setsid sleep 1000 & echo $! > left; exit 3";
    home.up("job", &["--target", "exit", "--restart", "never", "--grace", "1s"], line);
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    let told = home.hears("job", "failed");
    let sentence = format!("1 other process lived on: {left} (");
    assert!(told["text"].as_str().unwrap().contains(&sentence), "{told}");
    assert!(home.ok(&["why", "job"]).contains(&sentence));
    let why = home.json(&["why", "job"]);
    assert_eq!((&why["left"]["count"], number(&why["left"]["some"][0]["pid"])), (&1.into(), left));
    assert!(home.ok(&["events", "job"]).contains(&sentence));
    until("it is ended", || !alive(left));
}

#[test]
fn stop_ends_what_an_ended_run_left_and_kept() {
    for command in [&["stop", "job"][..], &["deregister", "job", "--stop"]] {
        let home = Home::new();
        let line = "setsid sleep 1000 & echo $! > left; exit 0";
        home.ok(&["register", "job", "--target", "exit", "--leftover", "keep", "--start", "--", line]);
        let status = home.reaches("job", "completed");
        assert_eq!(status["leftover"], true);
        let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
        home.ok(&["register", "job", "--target", "exit", "--leftover", "keep", "--", line]);
        assert!(alive(left));
        home.ok(command);
        assert!(!alive(left), "{command:?}");
    }
}

#[test]
fn deregister_without_stop_leaves_alone_what_was_kept() {
    let home = Home::new();
    let line = "setsid sleep 1000 & echo $! > left; exit 0";
    home.ok(&["register", "job", "--target", "exit", "--leftover", "keep", "--start", "--", line]);
    home.reaches("job", "completed");
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    home.ok(&["deregister", "job"]);
    assert!(alive(left));
    signal(left, Signal::SIGKILL);
}
