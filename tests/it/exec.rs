//! `exec`: a process in the foreground, under somebody else's restarts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::home::{Home, Output, finish};
use crate::procs::{alive, descendants, eventually, signal, until};

fn spawn(home: &Home, arguments: &[&str]) -> Child {
    home.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Output {
    use std::os::unix::process::ExitStatusExt;
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

#[test]
fn the_code_is_that_of_the_process_or_128_and_its_signal() {
    let home = Home::new();
    for (name, target, line, code) in [
        ("well", "exit", "echo out; exit 0", 0),
        ("three", "exit", "exit 3", 3),
        ("killed", "exit", "kill -9 $$", 137),
        ("chosen", "exit", "exit 143", 143),
        ("missing", "exit", "exec /no/such/program", 127),
        ("service", "forever", "exit 0", 0),
        ("early", "8h", "exit 0", 1),
    ] {
        home.ok(&["register", name, "--target", target, "--", line]);
        let output = home.run(&["exec", name]).expect(code);
        assert_eq!(output.stdout.contains("out\n"), name == "well", "{name}: {output:?}");
    }
    assert_eq!(home.status("early")["last_exit"]["verdict"], "premature");
    assert_eq!(home.json(&["exec", "three"])["exit_code"], 3);
    home.run(&["exec", "nobody"]).expect(4);
}

#[test]
fn guardian_tells_its_end_and_leaves_the_restart_to_whoever_ran_it() {
    let home = Home::new();
    home.listen("");
    home.ok(&["register", "bot", "--backoff", "0s", "--", "echo boom; exit 7"]);
    home.run(&["exec", "bot"]).expect(7).complains("premature");
    // All is told when it returns: with it the container may go.
    let told = home.told();
    assert!(told.iter().any(|told| told["kind"] == "premature" && told["process"] == "bot"), "{told:?}");
    assert!(home.ok(&["why", "bot"]).contains("whoever runs `guardian exec`"), "{}", home.ok(&["why", "bot"]));
    home.run(&["healthcheck"]);
    let status = home.status("bot");
    assert_eq!((status["state"].as_str(), status["run"].as_u64()), (Some("dead"), Some(1)), "{status}");
    home.run(&["exec", "bot"]).expect(7);
    assert_eq!(home.status("bot")["run"], 2);
}

#[test]
fn what_is_started_plainly_after_that_is_guardians_again() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "test -e go && sleep 600; touch go; exit 7"]);
    home.run(&["exec", "bot"]).expect(7);
    std::fs::remove_file(home.path("go")).unwrap();
    home.ok(&["start", "bot"]);
    eventually("guardian restarts it", || (home.status("bot")["run"] == 3).then_some(()));
    home.reaches("bot", "running");
}

#[test]
fn term_from_its_caller_stops_it_with_its_own_stop_signal_and_nobody_is_alarmed() {
    let home = Home::new();
    home.listen("");
    let line = "trap 'echo int >>got; exit 0' INT; trap '' TERM; echo up >>got; while :; do sleep 0.05; done";
    home.ok(&["register", "bot", "--stop-signal", "INT", "--", line]);
    let child = spawn(&home, &["exec", "bot"]);
    home.has_lines("got", 1);
    signal(pid(&child), Signal::SIGTERM);
    end(child).expect(0).complains("stopped");
    assert_eq!(home.lines("got"), ["up", "int"]);
    let status = home.status("bot");
    assert_eq!((status["state"].as_str(), status["desired"].as_str()), (Some("stopped"), Some("down")));
    assert!(home.told().is_empty(), "{:?}", home.told());
}

#[test]
fn a_program_that_ignores_it_is_killed_after_its_grace() {
    let home = Home::new();
    home.ok(&[
        "register",
        "bot",
        "--grace",
        "200ms",
        "--",
        "trap '' TERM INT; echo up >>got; while :; do sleep 0.05; done",
    ]);
    for (number, sent) in [Signal::SIGTERM, Signal::SIGINT].into_iter().enumerate() {
        let child = spawn(&home, &["exec", "bot"]);
        home.has_lines("got", number + 1);
        signal(pid(&child), sent);
        end(child).expect(137);
        assert_eq!(home.state("bot"), "stopped");
    }
}

#[test]
fn a_signal_of_anybody_else_reaches_the_program_with_its_true_sender() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "trap 'echo hup >>got' HUP; echo up >>got; while :; do sleep 0.05; done"]);
    let child = spawn(&home, &["exec", "bot"]);
    home.has_lines("got", 1);
    signal(pid(&child), Signal::SIGHUP);
    assert_eq!(home.has_lines("got", 2)[1], "hup");
    let pkill = home.script("agent-of-doom", &format!("#!/bin/sh\nkill -TERM {}\nsleep 1\n", pid(&child)));
    let killed = finish(Command::new(pkill));
    end(child).expect(143).complains("premature");
    killed.expect(0);
    let why = home.ok(&["why", "bot"]);
    assert!(why.contains("SIGTERM") && why.contains("agent-of-doom"), "{why}");
}

/// It has said that it starts no second copy and stays with the one that there is.
fn stays(mut child: Child) -> Child {
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("runs already"), "{said}");
    child
}

#[test]
fn where_it_runs_already_no_second_copy_is_started() {
    let home = Home::new();
    home.up("bot", &[], "echo up >>got; while [ ! -e go ]; do sleep 0.05; done; exit 9");
    home.has_lines("got", 1);
    let children = [spawn(&home, &["exec", "bot"]), spawn(&home, &["exec", "bot"])].map(stays);
    let open = home.state_dir().join("process/bot/state.json");
    until("it is whoever runs exec that restarts it", || {
        std::fs::read_to_string(&open).unwrap().contains("foreground")
    });
    std::fs::write(home.path("go"), "").unwrap();
    for child in children {
        end(child).expect(9);
    }
    assert_eq!((home.lines("got").len(), home.status("bot")["run"].as_u64()), (1, Some(1)));
}

#[test]
fn a_killed_exec_leaves_the_program_and_the_next_one_stays_with_it() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "echo up >>got; while [ ! -e go ]; do sleep 0.05; done; exit 5"]);
    let mut child = spawn(&home, &["exec", "bot"]);
    home.has_lines("got", 1);
    let program = home.pid("bot");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(alive(program));
    let child = stays(spawn(&home, &["exec", "bot"]));
    std::fs::write(home.path("go"), "").unwrap();
    end(child).expect(5);
    assert_eq!(home.lines("got").len(), 1);
}

#[test]
fn as_the_first_process_of_a_container_it_stops_for_whoever_is_outside_and_tells_before_all_goes() {
    let home = Home::new();
    home.listen("");
    let contained = |name: &str| {
        let mut command = home.other_command(Path::new("unshare"));
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(home.program()).args(["exec", name]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    home.ok(&["register", "job", "--target", "exit", "--", "exit 7"]);
    finish(contained("job")).expect(7);
    assert!(home.told().iter().any(|told| told["kind"] == "failed"), "{:?}", home.told());
    home.ok(&["register", "svc", "--", "trap 'exit 0' TERM; echo up >>got; while :; do sleep 0.05; done"]);
    let outside = contained("svc").spawn().unwrap();
    home.has_lines("got", 1);
    let first = descendants(pid(&outside))[0];
    signal(first, Signal::SIGTERM);
    end(outside).expect(0).complains("stopped");
    assert!(home.told().iter().all(|told| told["process"] != "svc"), "{:?}", home.told());
    assert!(home.ok(&["why", "svc"]).contains("outside of this container"));
}
