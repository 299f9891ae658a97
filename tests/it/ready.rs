//! Readiness: when a run counts as up, and what happens when it does not get there.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish};
use crate::procs::{alive, cmdline, descendants, eventually, now_ms, signal, until};

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Serves HTTP: 503 to the first GETs, 200 from the fourth on.
const SERVER: &str = "import http.server, sys\n\
    class H(http.server.BaseHTTPRequestHandler):\n\
    \x20   seen = 0\n\
    \x20   def do_GET(self):\n\
    \x20       H.seen += 1\n\
    \x20       self.send_response(200 if H.seen > 3 else 503)\n\
    \x20       self.end_headers()\n\
    http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()\n";

/// Says each of its arguments to the service manager, one after the other, then sleeps; as the reference client does.
const SAYS: &str = "import os, socket, sys, time\n\
    name = os.environ['NOTIFY_SOCKET']\n\
    name = '\\0' + name[1:] if name[0] == '@' else name\n\
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
    for said in sys.argv[1:]:\n\
    \x20   time.sleep(0.2)\n\
    \x20   s.sendto(said.encode(), name)\n\
    time.sleep(60)\n";

impl Home {
    fn register_ready(&self, probe: &str, options: &[&str], line: &str) {
        let cwd = self.path("");
        let mut all = vec!["register", "x", "--ready", probe, "--cwd", cwd.to_str().unwrap()];
        all.extend(options);
        all.extend(["--", line]);
        self.ok(&all);
    }
}

/// The events of this kind, once there is one.
fn told(home: &Home, kind: &str) -> Vec<Value> {
    eventually(&format!("`{kind}` is told"), || {
        let events: Vec<Value> = home.events("x").into_iter().filter(|event| event["kind"] == kind).collect();
        (!events.is_empty()).then_some(events)
    })
}

/// The end of run 1.
fn end_of_first(home: &Home) -> Value {
    let ends = told(home, "exited");
    ends.into_iter().find(|event| event["run"] == 1).expect("the first run ended")
}

#[test]
fn a_program_is_starting_until_its_probe_shows_it_ready_and_that_is_told_once() {
    let [tcp, http] = [free_port(), free_port()];
    let home = Home::new();
    let server = home.script("server.py", SERVER);
    let server = |port| format!("sleep 0.3; exec {PYTHON} {} {port}", server.display());
    let file = home.path("made");
    let cases = [
        (format!("tcp:{tcp}"), server(tcp)),
        (format!("http:http://127.0.0.1:{http}/x 200"), server(http)),
        ("output:^listening on [0-9]+$".to_owned(), "sleep 0.3; echo listening on 7; exec sleep 60".to_owned()),
        (format!("file:{}", file.display()), format!("sleep 0.3; touch {}; exec sleep 60", file.display())),
        ("cmd:test -e here".to_owned(), "sleep 0.3; touch here; exec sleep 60".to_owned()),
        ("delay:300ms".to_owned(), "exec sleep 60".to_owned()),
        ("notify".to_owned(), "sleep 0.3; systemd-notify --ready; exec sleep 60".to_owned()),
    ];
    for (probe, line) in cases {
        let home = Home::new();
        home.register_ready(&probe, &[], &line);
        home.ok(&["start", "x"]);
        let first = home.status("x");
        assert_eq!((&first["state"], &first["ready"]), (&"starting".into(), &false.into()), "{probe}: {first}");
        assert_eq!(home.run(&["healthcheck"]).code, 0, "{probe}: starting within its time is as desired");
        let said = home.ok(&["start", "x", "--wait-ready=20s"]);
        assert!(said.contains("ready"), "{probe}: {said}");
        let up = home.status("x");
        assert_eq!((&up["state"], &up["ready"]), (&"running".into(), &true.into()), "{probe}: {up}");
        let ready = told(&home, "ready");
        assert_eq!((ready.len(), &ready[0]["detail"]), (1, &probe.as_str().into()), "{probe}");
        let after = ready[0]["ran_s"].as_f64().unwrap();
        assert!(after >= 0.29, "{probe}: {after}");
    }
}

#[test]
fn the_readiness_of_a_fast_server_is_known_at_once_and_nobody_looks_any_more() {
    let home = Home::new();
    let port = free_port();
    let listen = format!(
        "import socket, time; s = socket.create_server(('127.0.0.1', {port})); open('at', 'w').write(str(time.time())); time.sleep(60)"
    );
    let script = home.script("listen.py", &listen);
    home.register_ready(&format!("tcp:{port}"), &[], &format!("exec {PYTHON} {}", script.display()));
    home.ok(&["start", "x", "--wait-ready"]);
    let listened: f64 = home.lines("at")[0].parse().unwrap();
    let ready = &told(&home, "ready")[0];
    let at: chrono::DateTime<chrono::Utc> = ready["at"].as_str().unwrap().parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
    let late = at.timestamp_millis() as f64 / 1000.0 - listened;
    assert!(late < 0.25, "known {late} s after it listened");
    let shim = home.shim_pid("x");
    until("only the program is left below the shim", || descendants(shim) == [home.pid("x")]);
}

#[test]
fn a_program_that_is_not_ready_in_time_is_ended_as_not_ready_and_restarted_as_a_failure() {
    let home = Home::new();
    home.register_ready(
        "file:/nonexistent/x",
        &["--ready-timeout", "400ms", "--backoff", "0s", "--max-failures", "2"],
        "exec sleep 60",
    );
    let began = now_ms();
    home.run(&["start", "x", "--wait-ready"]).expect(1).complains("not ready within 1s");
    assert!(now_ms() - began < 10_000);
    let end = end_of_first(&home);
    assert_eq!((&end["cause"]["kind"], &end["verdict"]), (&"not_ready".into(), &"premature".into()), "{end}");
    let status = home.reaches("x", "tripped");
    assert_eq!(status["consecutive_failures"], 2, "{status}");
    assert!(!home.kinds("x").contains(&"ready".to_owned()));
}

#[test]
fn a_job_that_is_not_ready_in_time_has_failed_even_when_it_exits_0_at_the_stop_signal() {
    let home = Home::new();
    home.register_ready(
        "cmd:false",
        &["--ready-timeout", "300ms", "--target", "exit"],
        "trap 'exit 0' TERM; while :; do sleep 0.05; done",
    );
    home.run(&["start", "x", "--wait-ready"]).expect(1);
    let end = end_of_first(&home);
    assert_eq!((&end["cause"]["kind"], &end["verdict"]), (&"not_ready".into(), &"failed".into()), "{end}");
    home.run(&["wait", "x"]).expect(143);
}

#[test]
fn waiting_for_readiness_has_its_own_time_limit_and_leaves_the_program_alone() {
    let home = Home::new();
    home.register_ready("cmd:false", &[], "exec sleep 60");
    home.run(&["start", "x", "--wait-ready=200ms"]).expect(124).complains("not ready within 200ms");
    home.run(&["wait", "x", "--until", "ready", "--timeout", "200ms"]).expect(124);
    assert_eq!(home.state("x"), "starting");
    home.ok(&["stop", "x"]);
    home.run(&["wait", "x", "--until", "ready"]).expect(1).complains("is stopped");
}

#[test]
fn a_program_that_dies_before_it_is_ready_is_told_as_what_it_died_of() {
    let home = Home::new();
    home.register_ready("cmd:false", &["--restart", "never"], "sleep 0.2; exit 9");
    home.run(&["start", "x", "--wait-ready"]).expect(1).complains("before it was ready");
    let end = end_of_first(&home);
    assert_eq!((&end["cause"]["kind"], &end["cause"]["code"]), (&"exited".into(), &9.into()), "{end}");
}

#[test]
fn waiting_until_ready_goes_on_over_restarts() {
    let home = Home::new();
    home.register_ready(
        "output:up",
        &["--backoff", "0s"],
        "test -e tried && echo up && exec sleep 60; touch tried; exit 1",
    );
    home.ok(&["start", "x"]);
    assert!(home.ok(&["wait", "x", "--until", "ready", "--timeout", "20s"]).contains("x: ready"));
    assert_eq!(home.status("x")["run"], 2);
}

#[test]
fn what_an_earlier_run_left_shows_nothing_of_this_one() {
    let home = Home::new();
    std::fs::write(home.path("old"), "").unwrap();
    // Files are stamped to the tick: the run must begin after it.
    let written = now_ms();
    until("a tick has passed", || now_ms() > written + 200);
    home.register_ready(&format!("file:{}", home.path("old").display()), &[], "exec sleep 60");
    home.run(&["start", "x", "--wait-ready=500ms"]).expect(124);
    home.ok(&["stop", "x"]);
    home.ok(&[
        "register",
        "x",
        "--replace",
        "--ready",
        "output:^up$",
        "--",
        "test -e said || echo up; touch said; exec sleep 60",
    ]);
    home.ok(&["start", "x", "--wait-ready=20s"]);
    home.ok(&["stop", "x"]);
    home.run(&["start", "x", "--wait-ready=500ms"]).expect(124);
}

#[test]
fn when_the_one_who_looks_is_killed_another_looks() {
    let home = Home::new();
    home.register_ready("cmd:test -e here", &[], "exec sleep 60");
    home.ok(&["start", "x"]);
    let shim = home.shim_pid("x");
    let watcher = eventually("somebody looks", || {
        descendants(shim).into_iter().find(|pid| cmdline(*pid).contains("--until-ready"))
    });
    signal(watcher, Signal::SIGKILL);
    until("it is gone", || !alive(watcher));
    std::fs::write(home.path("here"), "").unwrap();
    home.ok(&["start", "x", "--wait-ready=20s"]);
}

#[test]
fn a_run_whose_shim_was_killed_is_never_called_not_ready() {
    let home = Home::new();
    home.register_ready("notify", &["--ready-timeout", "4s"], "exec sleep 60");
    home.ok(&["start", "x"]);
    let pid = home.pid("x");
    signal(home.shim_pid("x"), Signal::SIGKILL);
    until("its shim is missed", || home.state("x") == "unsupervised");
    let since = now_ms();
    until("its time is over", || now_ms() > since + 4100);
    home.run(&["healthcheck"]);
    assert!(alive(pid));
    until("a new shim has it", || home.state("x") == "running");
    home.run(&["healthcheck"]);
    assert!(alive(pid));
    assert_eq!(home.status("x")["ready"], Value::Null);
}

#[test]
fn what_a_program_says_of_itself_is_heard_and_kept() {
    let home = Home::new();
    let says = home.script("says.py", SAYS);
    let words = "'STATUS=loading 1 of 2' 'STATUS=serving\nREADY=1\nMAINPID=1' WATCHDOG=1 'READY=1' 'STOPPING=1'";
    home.register_ready("notify", &["--heartbeat", "1h"], &format!("exec {PYTHON} {} {words}", says.display()));
    home.ok(&["start", "x"]);
    until("its first words are shown", || home.status("x")["says"] == "loading 1 of 2");
    home.ok(&["start", "x", "--wait-ready=20s"]);
    assert_eq!(home.status("x")["says"], "serving");
    until("its sign of life is a heartbeat", || home.sentinel("x", "heartbeat").exists());
    let record = home.state_dir().join("process/x/run/1.rec");
    until("all is written down", || std::fs::read_to_string(&record).unwrap().contains("stopping"));
    let text = std::fs::read_to_string(&record).unwrap();
    assert_eq!(text.matches("\"by\":\"notify\"").count(), 1, "{text}");
    assert_eq!(told(&home, "ready").len(), 1);
}

#[test]
fn a_program_that_asks_for_more_time_gets_it() {
    let home = Home::new();
    let says = home.script("says.py", SAYS);
    let words = "EXTEND_TIMEOUT_USEC=20000000 STATUS=a STATUS=b STATUS=c READY=1";
    let line = format!("exec {PYTHON} {} {words}", says.display());
    home.register_ready("notify", &["--ready-timeout", "600ms"], &line);
    home.ok(&["start", "x", "--wait-ready"]);
    assert!(told(&home, "ready")[0]["ran_s"].as_f64().unwrap() > 0.6);
}

#[test]
fn nobody_else_can_say_that_a_program_is_ready() {
    let home = Home::new();
    home.register_ready("notify", &[], "env >environment; exec sleep 60");
    home.ok(&["start", "x"]);
    let lines = home.has_lines("environment", 5);
    let socket = lines.iter().find_map(|line| line.strip_prefix("NOTIFY_SOCKET=")).expect("it has a socket").to_owned();
    assert!(lines.iter().all(|line| !line.starts_with("WATCHDOG_USEC=")));
    let says = home.script("says.py", SAYS);
    let mut foreign = home.other_command(Path::new(PYTHON));
    foreign.args([says.to_str().unwrap(), "READY=1"]).env("NOTIFY_SOCKET", &socket);
    let mut foreign = foreign.spawn().unwrap();
    home.run(&["start", "x", "--wait-ready=1s"]).expect(124);
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}

#[test]
fn a_program_without_readiness_is_ready_as_soon_as_it_runs() {
    let home = Home::new();
    home.up("x", &[], "exec sleep 60");
    assert_eq!((home.state("x"), &home.status("x")["ready"]), ("running".to_owned(), &true.into()));
    home.ok(&["start", "x", "--wait-ready"]);
    home.run(&["start", "x", "--wait-ready=5"]).expect(2);
    assert!(!home.kinds("x").contains(&"ready".to_owned()));
    let mut env = home.other_command("/bin/sh".as_ref());
    env.args(["-c", &format!("tr '\\0' '\\n' </proc/{}/environ", home.pid("x"))]);
    assert!(!finish(env).stdout.contains("NOTIFY_SOCKET="));
}
