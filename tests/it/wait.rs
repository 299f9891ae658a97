//! `wait`: blocks without polling and gives the true code.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::home::{Home, number};
use crate::procs::{signal, until};

#[test]
fn wait_gives_the_code_of_the_program() {
    let home = Home::new();
    for (name, line, code) in [
        ("zero", "exit 0", 0),
        ("three", "exit 3", 3),
        ("chosen", "exit 137", 137),
        ("killed", "kill -KILL $$; sleep 1", 137),
        ("termed", "kill -TERM $$; sleep 1", 143),
    ] {
        home.up(name, &["--restart", "never", "--target", "exit"], &format!("sleep 0.2; {line}"));
        home.run(&["wait", name]).expect(code);
    }
}

#[test]
fn waiting_for_what_ended_already_answers_at_once() {
    let home = Home::new();
    home.up("job", &["--target", "exit", "--restart", "never"], "exit 5");
    home.reaches("job", "dead");
    home.run(&["wait", "job"]).expect(5);
}

#[test]
fn wait_runs_out_of_time_with_124() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    home.run(&["wait", "bot", "--timeout", "300ms"]).expect(124);
    assert_eq!(home.state("bot"), "running");
}

#[test]
fn wait_for_several_is_0_only_when_all_completed() {
    let home = Home::new();
    for (name, line) in [("a", "sleep 0.2"), ("b", "sleep 0.1"), ("c", "exit 3")] {
        home.up(name, &["--target", "exit", "--restart", "never", "--group", name], line);
    }
    home.run(&["wait", "a", "b"]).expect(0);
    home.run(&["wait", "a", "c"]).expect(1);
    home.run(&["wait", "--group", "c"]);
}

#[test]
fn wait_any_returns_with_the_first() {
    let home = Home::new();
    home.up("slow", &["--target", "exit"], "exec sleep 1000");
    home.up("quick", &["--target", "exit"], "sleep 0.2");
    home.run(&["wait", "--any", "slow", "quick"]).expect(0);
    assert_eq!(home.state("slow"), "running");
}

#[test]
fn a_waiter_uses_no_cpu_and_wakes_at_the_end() {
    let home = Home::new();
    home.up("bot", &["--restart", "never"], "exec sleep 1000");
    let mut waiter = home.command(&["wait", "bot"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(waiter.id()).unwrap();
    // Asleep in the kernel, and still so after a pass: no loop of its own.
    until("the waiter sleeps", || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") S "));
    let switches = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = switches();
    home.run(&["status"]).expect(0);
    home.run(&["status"]).expect(0);
    assert!(switches() - before <= 3, "it polls");
    signal(home.pid("bot"), Signal::SIGKILL);
    assert_eq!(waiter.wait().unwrap().code(), Some(137));
    assert_eq!(number(&home.status("bot")["run"]), 1);
}

#[test]
fn waiting_for_nobody_is_an_error() {
    let home = Home::new();
    home.run(&["wait", "nobody"]).expect(4);
    home.ok(&["register", "new", "--", "true"]);
    home.run(&["wait", "new"]).expect(3);
}
