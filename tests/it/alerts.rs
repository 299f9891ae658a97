//! Who is told what: sinks that are programs, files and web servers, cooldown, filters, and silence where it is due.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{PATIENCE, kill_together, signal, until};

#[test]
fn a_command_sink_gets_the_json_and_its_facts_in_the_environment() {
    let home = Home::new();
    let tell = home.script("tell", "#!/bin/sh\ncat > told.json\nenv | grep ^GUARDIAN_ > told.env\ntouch told.done\n");
    let line = format!("cd {}; exec {}", home.path("").display(), tell.display());
    home.write_registry(format!("[sinks.tell]\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {line:?}]\n"));
    home.up("bot", &["--restart", "never", "--target", "8h"], "echo last words; exit 3");
    until("the sink ran", || home.path("told.done").exists());
    let told: Value = serde_json::from_str(&home.lines("told.json").join("\n")).unwrap();
    assert_eq!((&told["schema"], &told["process"], &told["run"]), (&1.into(), &"bot".into(), &1.into()));
    assert_eq!((&told["kind"], &told["verdict"]), (&"premature".into(), &"premature".into()));
    assert_eq!((&told["cause"]["kind"], &told["cause"]["code"]), (&"exited".into(), &3.into()));
    assert_eq!(told["target_s"], 28800);
    assert!(
        told["ran_s"].is_f64() && told["title"].is_string() && told["text"].is_string() && told["host"].is_string()
    );
    assert_eq!(told["log_tail"], Value::from(vec!["last words"]));
    let env = home.lines("told.env");
    for expected in ["GUARDIAN_EVENT=premature", "GUARDIAN_NAME=bot", "GUARDIAN_RUN=1", "GUARDIAN_CAUSE=exited"] {
        assert!(env.contains(&expected.to_owned()), "no {expected} in {env:?}");
    }
    assert!(env.contains(&"GUARDIAN_VERDICT=premature".to_owned()) && env.contains(&"GUARDIAN_EXIT_CODE=3".to_owned()));
}

#[test]
fn a_file_sink_leaves_a_flag_and_a_text_that_grows() {
    let home = Home::new();
    let path = home.path("inbox");
    home.write_registry(format!("[sinks.inbox]\ntype = \"file\"\npath = {path:?}\n"));
    for name in ["a", "b"] {
        home.up(name, &["--restart", "never"], "exit 3");
        until("it is told", || {
            home.lines("inbox").iter().any(|line| line.contains(&format!("`{name}`")) || line.contains(name))
        });
    }
    assert_eq!(home.lines("inbox.flag").len(), 1);
}

/// A web server that answers each POST with the next of `answers`; what it got, headers and body.
fn web_server(answers: &'static [&'static str]) -> (u16, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&lower);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(&stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            if sender.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

#[test]
fn a_webhook_is_tried_again_with_the_same_id() {
    let (port, posts) = web_server(&["500 Oops", "204 No Content"]);
    let home = Home::new();
    home.write_registry(format!(
        "[sinks.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\nheader = {{ X-Team = \"ops\" }}\n"
    ));
    home.up("bot", &["--restart", "never"], "exit 3");
    let (head, first) = posts.recv_timeout(PATIENCE).unwrap();
    until("the failure is noted", || home.json(&["alerts"])["pending"][0]["attempts"] == 1);
    home.run(&["alerts", "retry"]).expect(0);
    let (_, second) = posts.recv_timeout(PATIENCE).unwrap();
    let id = first["id"].as_str().unwrap();
    assert!(
        head.contains("x-team: ops") && head.contains(&format!("idempotency-key: {}", id.to_lowercase())),
        "{head}"
    );
    assert_eq!((&first["id"], &first["process"]), (&second["id"], &"bot".into()));
    assert!(!home.ok(&["alerts", "--json"]).contains("\"pending\":1"));
}

#[test]
fn an_operators_stop_and_restart_tell_nobody() {
    let home = Home::new();
    home.listen("");
    home.up("bot", &[], "exec sleep 1000");
    home.ok(&["restart", "bot"]);
    home.ok(&["stop", "bot"]);
    home.run(&["healthcheck"]).expect(0);
    home.ok(&["start", "bot"]);
    home.ok(&["deregister", "bot", "--stop"]);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.told(), Vec::<Value>::new());
}

#[test]
fn one_incident_is_told_once_however_often_a_pass_looks() {
    let home = Home::new();
    home.listen("");
    home.up("bot", &["--restart", "never"], "exit 3");
    home.hears("bot", "premature");
    for _ in 0..3 {
        home.run(&["healthcheck"]);
        home.run(&["alerts", "retry"]);
    }
    assert_eq!(home.told().len(), 1);
}

#[test]
fn d39_the_cooldown_of_one_process_holds_no_other_back_and_folds_what_it_holds() {
    let home = Home::new();
    home.listen("cooldown = \"2s\"\nevents = [\"premature\"]\n");
    let line = "echo x >> began; [ $(wc -l < began) -gt 5 ] && exec sleep 1000; exit 3";
    home.up("a", &["--backoff", "0s", "--max-failures", "0"], line);
    home.up("b", &["--restart", "never"], "exit 4");
    home.hears("a", "premature");
    home.hears("b", "premature");
    // What was held back comes after the cooldown, in messages that say how many they stand for.
    let titles = || -> Vec<String> {
        let told = home.told().into_iter().filter(|told| told["process"] == "a");
        told.map(|told| told["title"].as_str().unwrap().to_owned()).collect()
    };
    let stands_for = |title: &String| -> usize {
        title.split_once("(+").map_or(1, |(_, more)| more.split_once(' ').unwrap().0.parse::<usize>().unwrap() + 1)
    };
    until("all five deaths are told", || {
        home.run(&["healthcheck"]);
        titles().iter().map(stands_for).sum::<usize>() == 5
    });
    assert!(titles().len() <= 3, "{:?}", titles());
}

#[test]
fn a_sink_gets_only_what_it_asked_for() {
    let home = Home::new();
    home.listen("processes = [\"btc-*\"]\nevents = [\"premature\"]\n");
    home.up("other", &["--restart", "never"], "exit 3");
    home.reaches("other", "dead");
    home.up("btc-job", &["--restart", "never", "--target", "exit"], "exit 3");
    home.reaches("btc-job", "dead");
    home.up("btc-bot", &["--restart", "never"], "exit 3");
    home.hears("btc-bot", "premature");
    assert_eq!(home.told().len(), 1);
}

#[test]
fn d40_a_recovery_is_told_once_it_stayed_up() {
    let home = Home::new();
    home.listen("");
    home.up(
        "bot",
        &["--healthy-after", "400ms", "--backoff", "0s"],
        "[ -e once ] && exec sleep 1000; touch once; exit 1",
    );
    home.hears("bot", "premature");
    home.hears("bot", "recovered");
    assert_eq!(home.told().len(), 2);
}

#[test]
fn a_sink_that_fails_is_reported_and_tried_again() {
    let home = Home::new();
    let line = format!("cd {}; [ -e ok ] && cat > heard.once; test -e ok", home.path("").display());
    home.write_registry(format!("[sinks.ear]\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {line:?}]\n"));
    home.run(&["alerts", "test", "ear"]).expect(1);
    home.run(&["alerts", "test", "nosuch"]).expect(2).complains("ear");
    home.up("bot", &["--restart", "never"], "exit 3");
    home.reaches("bot", "dead");
    until("the failed delivery is listed", || home.ok(&["alerts"]).contains("bot"));
    std::fs::write(home.path("ok"), "").unwrap();
    home.ok(&["alerts", "retry"]);
    assert!(home.path("heard.once").exists());
    home.ok(&["alerts", "test", "ear"]);
}

#[test]
fn a_sink_that_hangs_is_ended_at_its_timeout() {
    let home = Home::new();
    home.write_registry("[sinks.ear]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\ntimeout = \"300ms\"\n");
    home.run(&["alerts", "test", "ear"]).expect(1);
    until("no process of the sink is left", || home.processes().is_empty());
}

#[test]
fn d37_an_alert_says_what_guardian_did() {
    let home = Home::new();
    home.listen("");
    home.up("bot", &["--healthy-after", "100ms"], "exec sleep 1000");
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    home.run(&["healthcheck"]);
    let told = home.hears("bot", "premature");
    assert!(told["action"].as_str().unwrap().contains("restart"), "{told}");
    // Where the pass comes before the kernel is done with the program, its true end is still to be had.
    let cause = &told["cause"];
    assert!(cause["kind"] == "shim_killed" || cause["signal"] == "SIGKILL", "{told}");
    home.ok(&["register", "gone", "--restart", "never", "--start", "--", "sleep", "1000"]);
    signal(home.pid("gone"), Signal::SIGKILL);
    let told = home.hears("gone", "premature");
    assert!(!told["action"].as_str().unwrap().starts_with("restarted"), "{told}");
}
