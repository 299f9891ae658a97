//! Programs in a terminal of their own: real ones, typed to as a person would.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::home::Home;
use crate::procs::{alive, signal, until};

fn log_path(home: &Home, name: &str) -> PathBuf {
    PathBuf::from(home.status(name)["output"]["path"].as_str().unwrap())
}

fn log(home: &Home, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(log_path(home, name)).unwrap()).into_owned()
}

/// Waits until the whole log shows `text`.
fn shows(home: &Home, name: &str, text: &str) {
    until(&format!("{name} shows {text:?}"), || log(home, name).contains(text));
}

fn run(home: &Home, name: &str, more: &[&str], command: &[&str]) {
    let begin = ["run", "--name", name, "--yield", "0s", "--pty"];
    home.run(&[&begin[..], more, &["--"], command].concat()).expect(0);
}

#[test]
fn a_program_has_a_controlling_terminal_of_the_size_that_was_asked_for() {
    let home = Home::new();
    let line = "stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all three; stty size </dev/tty; echo $TERM";
    let ran = home.run(&["run", "--pty", "--pty-size", "120x40", "--env", "TERM=vt100", "--", line]).expect(0);
    assert_eq!(ran.stdout, "40 120\nall three\n40 120\nvt100\n", "{}", ran.stderr);
    let ran = home.run(&["run", "--pty", "--", "stty size; ps -o sid= -p $$ | tr -d ' '; echo $$"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "24 80");
    assert_eq!(lines[1], lines[2], "a session of its own");
    home.run(&["run", "--pty", "--pty-size", "big", "--", "true"]).expect(2).complains("80x24");
}

#[test]
fn a_shell_is_used_by_text_and_keys_and_left_by_its_end_of_input() {
    let home = Home::new();
    run(&home, "sh", &["--env", "PS1=ready> "], &["bash", "--norc", "--noprofile", "-i"]);
    shows(&home, "sh", "ready> ");
    home.ok(&["send", "sh", "echo $((40 + 2))"]);
    shows(&home, "sh", "42\n");
    home.ok(&["send", "sh", "sleep 1000"]);
    until("the sleep is in the foreground", || home.status("sh")["waits_for_input"] == false);
    home.ok(&["send", "sh", "--keys", "C-c"]);
    until("the shell waits for input", || home.status("sh")["waits_for_input"] == true);
    home.ok(&["send", "sh", "--keys", "C-p", "C-p", "Enter"]);
    until("the line before is run again", || log(&home, "sh").matches("\r42\n").count() == 2);
    home.ok(&["send", "sh", "exit_code() { return 7; }; exit_codx", "--keys", "BSpace", "e", "Enter"]);
    home.ok(&["send", "sh", "--eof"]);
    home.run(&["wait", "sh", "--timeout", "20s"]).expect(7);
    home.run(&["send", "sh", "x"]).expect(3);
}

#[test]
fn a_python_prompt_answers_and_ends() {
    let home = Home::new();
    run(&home, "py", &["--env", "PYTHON_BASIC_REPL=1"], &["python3", "-q"]);
    shows(&home, "py", ">>> ");
    home.ok(&["send", "py", "print('x' * 3, 6 * 7)"]);
    shows(&home, "py", "xxx 42");
    until("it waits for input", || home.status("py")["waits_for_input"] == true);
    assert!(home.ok(&["status"]).contains("waits for input"));
    home.ok(&["send", "py", "--eof"]);
    home.run(&["wait", "py", "--timeout", "20s"]).expect(0);
}

#[test]
fn what_is_read_without_echo_is_not_in_the_log() {
    let home = Home::new();
    run(&home, "ask", &[], &["bash", "-c", "read -rsp 'password: ' p; echo; echo ${#p} characters"]);
    shows(&home, "ask", "password: ");
    until("it waits for input", || home.status("ask")["waits_for_input"] == true);
    home.ok(&["send", "ask", "swordfish"]);
    home.run(&["wait", "ask", "--timeout", "20s"]).expect(0);
    assert_eq!(log(&home, "ask"), "password: \n9 characters\n");
}

#[test]
fn a_paste_comes_in_its_marks_and_keys_as_a_terminal_sends_them() {
    let home = Home::new();
    run(&home, "hex", &[], &["sh", "-c", "stty raw -echo; echo begun; head -c 18 | od -An -tx1"]);
    shows(&home, "hex", "begun");
    home.ok(&["send", "hex", "--paste", "a\nb"]);
    home.ok(&["send", "hex", "--keys", "Up"]);
    home.run(&["wait", "hex", "--timeout", "20s"]).expect(0);
    let log = log(&home, "hex");
    assert!(log.contains("1b 5b 32 30 30 7e 61 0d 62 1b 5b 32 30 31 7e 1b"), "{log:?}");
    home.run(&["send", "hex", "--keys", "Up"]).expect(3);
    home.up("plain", &["--stdin", "pipe"], "cat");
    home.run(&["send", "plain", "--keys", "Up"]).expect(5).complains("no terminal");
    home.run(&["send", "plain", "--paste", "x"]).expect(5).complains("pty = true");
    home.up("tty", &["--pty"], "cat");
    home.run(&["send", "tty", "--keys", "Upp"]).expect(2).complains("no key \"Upp\"");
}

#[test]
fn all_output_is_in_the_log_up_to_the_last_byte() {
    let home = Home::new();
    for round in 0..5 {
        let ran = home.run(&["run", "--name", "much", "--pty", "--yield", "1m", "--", "seq 20000"]).expect(0);
        let want: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
        assert!(ran.stdout.ends_with("20000\n") || ran.stdout.contains("cut"), "round {round}: {}", ran.stderr);
        assert!(log(&home, "much").ends_with(&want), "round {round}");
        std::fs::write(log_path(&home, "much"), "").unwrap();
    }
}

#[test]
fn a_long_input_is_typed_whole() {
    let home = Home::new();
    run(&home, "count", &[], &["sh", "-c", "stty raw -echo; echo begun; head -c 300000 | wc -c"]);
    shows(&home, "count", "begun");
    let file = home.path("input");
    std::fs::write(&file, vec![b'x'; 300_000]).unwrap();
    home.ok(&["send", "count", "--timeout", "1m", "--file", file.to_str().unwrap()]);
    home.run(&["wait", "count", "--timeout", "1m"]).expect(0);
    shows(&home, "count", "300000");
}

#[test]
fn a_killed_shim_neither_hangs_up_the_terminal_nor_loses_what_is_typed() {
    let home = Home::new();
    run(&home, "sh", &["--env", "PS1=ready> "], &["bash", "--norc", "--noprofile", "-i"]);
    shows(&home, "sh", "ready> ");
    let (pid, shim) = (home.pid("sh"), home.shim_pid("sh"));
    signal(shim, Signal::SIGKILL);
    until("it has a new shim", || {
        home.run(&["healthcheck"]);
        home.status("sh")["shim_pid"].as_i64().is_some_and(|pid| pid != i64::from(shim))
    });
    home.ok(&["send", "sh", "echo $((40 + 2)) $$"]);
    shows(&home, "sh", &format!("42 {pid}\n"));
    home.ok(&["send", "sh", "--keys", "C-d"]);
    home.run(&["wait", "sh", "--timeout", "20s"]);
    assert_eq!(home.status("sh")["last_exit"]["run"], 1);
}

#[test]
fn a_program_that_closed_what_it_was_given_is_hung_up_with_its_shim_and_that_is_told() {
    let home = Home::new();
    let line = "import os, time\nos.closerange(3, 256)\nprint('closed', flush=True)\ntime.sleep(1000)";
    run(&home, "closer", &["--restart", "never"], &["python3", "-c", line]);
    shows(&home, "closer", "closed");
    let pid = home.pid("closer");
    signal(home.shim_pid("closer"), Signal::SIGKILL);
    until("the kernel hangs it up", || !alive(pid));
    until("a pass has seen it", || {
        home.run(&["healthcheck"]);
        home.status("closer")["state"] == "dead"
    });
    assert_eq!(home.status("closer")["last_exit"]["cause"]["kind"], "shim_killed");
}

#[test]
fn readiness_waiting_for_output_and_silence_go_by_the_log_as_ever() {
    let home = Home::new();
    let line = "echo 'server ready'; read x; echo \"got $x\"; read y";
    home.ok(&[
        "register",
        "srv",
        "--pty",
        "--ready",
        "output:^server ready$",
        "--output-stale",
        "2s",
        "--on-hang",
        "kill",
        "--",
        line,
    ]);
    home.ok(&["start", "srv", "--wait-ready"]);
    home.ok(&["send", "srv", "hello"]);
    home.ok(&["wait", "srv", "--until", "output:^got hello$", "--timeout", "20s"]);
    home.run(&["wait", "srv", "--timeout", "30s"]);
    assert_eq!(home.status("srv")["last_exit"]["cause"]["kind"], "hung");
}

#[test]
fn a_stop_ends_it_and_whoever_started_it_may_be_gone() {
    let home = Home::new();
    run(&home, "cat", &[], &["cat"]);
    home.ok(&["send", "cat", "one"]);
    shows(&home, "cat", "one\none\n");
    assert_eq!(home.status("cat")["state"], "running");
    home.ok(&["stop", "cat"]);
    assert_eq!(home.status("cat")["last_exit"]["verdict"], "stopped");
    assert!(home.status("cat").get("waits_for_input").is_none());
}

#[test]
fn a_terminal_is_resized_while_it_is_used_and_the_program_is_told() {
    let home = Home::new();
    let line = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done";
    run(&home, "sh", &["--pty-size", "80x24"], &["bash", "-c", line]);
    shows(&home, "sh", "up\n");
    let sent = home.json(&["send", "sh", "--size", "100x30"]);
    assert_eq!((&sent["size"], &sent["bytes"]), (&"100x30".into(), &0.into()), "{sent}");
    shows(&home, "sh", "30 100\n");
    signal(home.shim_pid("sh"), Signal::SIGKILL);
    until("it has a new shim", || {
        home.run(&["healthcheck"]);
        home.state("sh") == "running"
    });
    assert!(home.ok(&["send", "sh", "--size", "132x43"]).contains("its terminal is 132x43 now"));
    shows(&home, "sh", "43 132\n");
    home.run(&["send", "sh", "--size", "wide"]).expect(2).complains("80x24");
    home.ok(&["run", "--name", "pipe", "--yield", "0s", "--stdin", "pipe", "--", "cat"]);
    home.run(&["send", "pipe", "--size", "80x24"]).expect(5).complains("has no terminal");
    home.ok(&["stop", "sh"]);
    home.run(&["send", "sh", "--size", "80x24"]).expect(3);
}
