//! `send`: what it writes a program reads, whoever is gone meanwhile.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::home::{Home, finish};
use crate::procs::{signal, until};

#[test]
fn a_program_reads_what_is_sent_line_by_line_and_sees_no_end() {
    let home = Home::new();
    let ran = home.run(&[
        "run",
        "--name",
        "repl",
        "--yield",
        "0s",
        "--stdin",
        "pipe",
        "--",
        "while read -r line; do echo \"got $line\"; done; echo end",
    ]);
    ran.expect(0);
    home.ok(&["send", "repl", "--", "hello", "-n", "world"]);
    home.ok(&["wait", "repl", "--until", "output:got hello -n world", "--timeout", "20s"]);
    let file = home.path("input");
    std::fs::write(&file, "a\nb\n".repeat(30_000)).unwrap();
    home.ok(&["send", "repl", "--file", file.to_str().unwrap(), "--timeout", "1m"]);
    // A directory that is given with a command is meant from where it is given.
    let mut piped = home.other_command(Path::new("/bin/sh"));
    let program = home.program().display();
    let line = format!(
        "echo piped | env -u GUARDIAN_HOME '{program}' --home g send repl --file - && GUARDIAN_NAME=repl '{program}' beat"
    );
    piped.args(["-c", &line]);
    finish(piped).expect(0);
    assert!(home.sentinel("repl", "heartbeat").exists());
    home.ok(&["wait", "repl", "--until", "output:^got piped$", "--timeout", "20s"]);
    home.ok(&["send", "repl", "last"]);
    home.ok(&["wait", "repl", "--until", "output:^got last$", "--timeout", "20s"]);
    assert_eq!(home.state("repl"), "running");
    assert!(!home.ok(&["logs", "repl", "-n", "3"]).contains("end"));
}

#[test]
fn the_death_of_the_shim_ends_no_input() {
    let home = Home::new();
    home.up("repl", &["--stdin", "pipe"], "while read -r line; do echo \"got $line\"; done");
    let shim = home.shim_pid("repl");
    signal(shim, Signal::SIGKILL);
    until("it has a new shim", || {
        home.run(&["healthcheck"]);
        home.status("repl")["shim_pid"].as_i64().is_some_and(|pid| pid != i64::from(shim))
    });
    home.ok(&["send", "repl", "still here"]);
    home.ok(&["wait", "repl", "--until", "output:got still here", "--timeout", "20s"]);
}

#[test]
fn what_cannot_be_sent_is_refused_with_the_way_out() {
    let home = Home::new();
    home.up("deaf", &["--stdin", "pipe"], "exec sleep 1000");
    home.up("plain", &[], "exec sleep 1000");
    home.ok(&["register", "down", "--stdin", "pipe", "--", "true"]);
    let file = home.path("input");
    std::fs::write(&file, vec![b'x'; 1 << 20]).unwrap();
    let full = home.run(&["send", "deaf", "--timeout", "200ms", "--file", file.to_str().unwrap()]).expect(124);
    full.complains("does not read").complains("of 1048576 bytes");
    home.run(&["send", "plain", "x"]).expect(5).complains("stdin = \"pipe\"");
    home.run(&["send", "down", "x"]).expect(3);
    home.run(&["send", "nobody", "x"]).expect(4);
}

#[test]
fn an_input_ends_when_that_is_sent_and_what_came_before_is_read() {
    let home = Home::new();
    home.up("sort", &["--stdin", "pipe", "--target", "exit", "--restart", "never"], "sort; exit 6");
    home.ok(&["send", "sort", "b"]);
    home.ok(&["send", "sort", "a", "--eof"]);
    home.run(&["wait", "sort", "--timeout", "20s"]).expect(6);
    assert_eq!(home.ok(&["logs", "sort"]), "a\nb\n");
    home.up("stays", &["--stdin", "pipe"], "cat; exec sleep 1000");
    home.ok(&["send", "stays", "--eof"]);
    home.run(&["send", "stays", "x"]).expect(5).complains("its end was sent");
}

#[test]
fn the_shim_after_the_first_one_ends_an_input_too() {
    let home = Home::new();
    home.up("sort", &["--stdin", "pipe", "--target", "exit", "--restart", "never"], "sort; exit 6");
    home.ok(&["send", "sort", "b"]);
    let shim = home.shim_pid("sort");
    signal(shim, Signal::SIGKILL);
    until("it has a new shim", || {
        home.run(&["healthcheck"]);
        home.status("sort")["shim_pid"].as_i64().is_some_and(|pid| pid != i64::from(shim))
    });
    home.ok(&["send", "sort", "a", "--eof"]);
    home.run(&["wait", "sort", "--timeout", "20s"]).expect(6);
    assert_eq!(home.ok(&["logs", "sort"]), "a\nb\n");
}

#[test]
fn an_end_that_is_sent_twice_is_sent_once() {
    let home = Home::new();
    home.up("stays", &["--stdin", "pipe"], "cat; exec sleep 1000");
    home.ok(&["send", "stays", "--eof"]);
    assert!(home.ok(&["send", "stays", "--eof"]).contains("at its end already"));
}

#[test]
fn what_two_send_at_once_is_read_one_after_the_other() {
    let home = Home::new();
    home.up("cat", &["--stdin", "pipe", "--target", "exit", "--restart", "never"], "cat >got");
    let senders: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|letter| {
            let file = home.path(letter);
            std::fs::write(&file, format!("{}\n", letter.repeat(300_000))).unwrap();
            home.command(&["send", "cat", "--timeout", "1m", "--file", file.to_str().unwrap()]).spawn().unwrap()
        })
        .collect();
    for mut sender in senders {
        assert!(sender.wait().unwrap().success());
    }
    home.ok(&["send", "cat", "--eof"]);
    home.run(&["wait", "cat", "--timeout", "20s"]).expect(0);
    let got = home.lines("got");
    assert_eq!(got.len(), 3);
    for line in got {
        assert!(line.len() == 300_000 && line.bytes().all(|byte| byte == line.as_bytes()[0]));
    }
}
