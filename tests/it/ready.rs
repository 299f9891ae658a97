//! Readiness and preflight: when a run counts as up, what happens when it does not get there, and what stands before a start.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, number};
use crate::procs::{alive, carrying, eventually, now_ms, signal, until};

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Serves HTTP on `port` after `delay` seconds.
fn server(port: u16, delay: f64) -> String {
    format!("sleep {delay}; exec {PYTHON} -m http.server --bind 127.0.0.1 {port}")
}

/// The cause of the end of run 1.
fn cause(home: &Home, name: &str) -> Value {
    eventually("run 1 ended", || {
        let why = home.json(&["why", name, "--run", "1"]);
        (!why["cause"].is_null()).then(|| why["cause"].clone())
    })
}

#[test]
fn a_program_is_starting_until_its_probe_shows_it_ready_and_that_is_told_once() {
    let port = free_port();
    let probes = [
        ("tcp", format!("tcp:{port}"), server(port, 0.3)),
        ("output", "output:listening on [0-9]+".to_owned(), "sleep 0.3; echo listening on 7; exec sleep 60".to_owned()),
        ("cmd", "cmd:test -e here".to_owned(), "sleep 0.3; touch here; exec sleep 60".to_owned()),
        ("delay", "delay:300ms".to_owned(), "exec sleep 60".to_owned()),
    ];
    for (kind, probe, line) in probes {
        let home = Home::new();
        home.ok(&["register", "x", "--ready", &probe, "--cwd", home.path("").to_str().unwrap(), "--", &line]);
        home.ok(&["start", "x"]);
        let first = home.status("x");
        assert_eq!((&first["state"], &first["ready"]), (&"starting".into(), &false.into()), "{kind}: {first}");
        let said = home.ok(&["start", "x", "--wait-ready=20s"]);
        assert!(said.contains("ready"), "{kind}: {said}");
        let up = home.status("x");
        assert_eq!((&up["state"], &up["ready"]), (&"running".into(), &true.into()), "{kind}: {up}");
        let told = eventually("it is told", || {
            let ready: Vec<Value> = home.events("x").into_iter().filter(|event| event["kind"] == "ready").collect();
            (!ready.is_empty()).then_some(ready)
        });
        assert_eq!(told.len(), 1, "{kind}");
        assert!(told[0]["ran_s"].as_f64().unwrap() >= 0.29, "{kind}: {}", told[0]);
    }
}

#[test]
fn a_failing_preflight_keeps_the_program_from_running_and_start_says_which_line_and_what_it_said() {
    let home = Home::new();
    home.ok(&[
        "register",
        "x",
        "--preflight",
        "echo one",
        "--preflight",
        "echo no such module >&2; exit 7",
        "--",
        "touch ran; sleep 60",
    ]);
    let output = home.run(&["start", "x"]).expect(1);
    assert!(output.stderr.contains("no such module"), "{}", output.stderr);
    let cause = cause(&home, "x");
    assert_eq!((&cause["kind"], &cause["code"]), (&"preflight_failed".into(), &7.into()), "{cause}");
    assert!(!home.path("home/ran").exists());
}
