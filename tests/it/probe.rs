//! Liveness: programs that are asked again and again whether they live, and programs that must say so themselves.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, number};
use crate::procs::{alive, all, cmdline, eventually, kill_together, now_ms, signal, until};

/// Asked four times a second, half a second for the answer.
const OFTEN: [&str; 4] = ["--probe-every", "250ms", "--probe-timeout", "500ms"];

impl Home {
    /// Starts `x`, asked often.
    fn probed(&self, probe: &str, options: &[&str], line: &str) {
        let cwd = self.path("");
        let mut all = vec!["--probe", probe, "--cwd", cwd.to_str().unwrap()];
        let other = OFTEN.chunks(2).filter(|pair| !options.contains(&pair[0]));
        all.extend(other.flatten());
        all.extend(options);
        self.up("x", &all, line);
    }

    /// The first event of this kind of `x`.
    fn told_of(&self, kind: &str) -> Value {
        eventually(&format!("`{kind}` in the history"), || {
            self.events("x").into_iter().find(|event| event["kind"] == kind)
        })
    }

    fn is_asked(&self, failures: u64) -> Value {
        eventually(&format!("it failed {failures} times in a row"), || {
            let probe = self.status("x")["probe"].clone();
            (probe["failures"].as_u64().is_some_and(|found| found >= failures)).then_some(probe)
        })
    }
}

fn port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Waits out a time in which something must not happen.
fn pass(ms: u64) {
    let begun = now_ms();
    until("a while has passed", || now_ms() > begun + ms);
}

/// Answers GETs with the status in the file `status`, each after the pause in `pause`, a byte at a time if `drip` is there.
const SERVER: &str = "import http.server, os, sys, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(open('status').read()))
        self.end_headers()
        while os.path.exists('drip'):
            self.wfile.write(b'x'); self.wfile.flush(); time.sleep(0.05)
    def log_message(self, *a): pass
s = http.server.HTTPServer(('127.0.0.1', 0), H)
open('port', 'w').write(str(s.server_port))
s.serve_forever()
";

#[test]
fn each_kind_of_probe_that_fails_so_many_times_in_a_row_makes_it_hung_and_says_why() {
    let (listener, closed) = port();
    drop(listener);
    let http = format!("http:http://127.0.0.1:{closed}/health");
    let cases = [
        (format!("tcp:{closed}"), "connection refused"),
        (http, "connection refused"),
        ("file:/nonexistent/x".to_owned(), "no such file or directory"),
        ("cmd:echo first; echo out of luck >&2; exit 7".to_owned(), "exit code 7: out of luck"),
        ("cmd:kill -9 $$".to_owned(), "SIGKILL"),
    ];
    for (probe, why) in cases {
        let home = Home::new();
        home.listen("events = [\"hung\"]");
        home.probed(&probe, &["--on-hang", "alert"], "exec sleep 1000");
        home.reaches("x", "hung");
        let want = format!("probe `{probe}` failed 3 times in a row: {why}");
        let hung = home.told_of("hung");
        let detail = hung["detail"].as_str().unwrap();
        assert!(detail.starts_with(&want) && detail.contains("sleeps"), "{detail}");
        let status = home.status("x");
        assert_eq!(status["hang"]["silence"], "probe", "{status}");
        assert!(status["probe"]["failures"].as_u64().unwrap() >= 3, "{status}");
        assert!(home.run(&["status", "x"]).expect(1).stdout.contains(&want), "{probe}");
        assert!(home.hears("x", "hung")["text"].as_str().unwrap().contains(why), "{probe}");
        assert_eq!(home.status("x")["run"], 1, "{probe}: only told");
    }
}

#[test]
fn a_program_that_answers_its_probe_is_left_alone_and_one_failure_or_two_are_only_shown() {
    let home = Home::new();
    fs::write(home.path("alive"), "").unwrap();
    let file = home.path("alive");
    home.probed(&format!("file:{}", file.display()), &["--probe-failures", "1000"], "exec sleep 1000");
    let probe = eventually("it was asked", || {
        let probe = home.status("x")["probe"].clone();
        (!probe.is_null()).then_some(probe)
    });
    assert_eq!((&probe["failures"], &probe["most"], &probe["why"]), (&0.into(), &1000.into(), &Value::Null), "{probe}");
    fs::remove_file(&file).unwrap();
    home.is_asked(2);
    let shown = home.run(&["status", "x"]).expect(0).stdout;
    assert!(shown.contains("probe failing ") && shown.contains(" of 1000: no such file"), "{shown}");
    assert_eq!(home.state("x"), "running");
    fs::write(&file, "").unwrap();
    until("a success ends the row", || home.status("x")["probe"]["failures"] == 0);
    assert!(!home.kinds("x").contains(&"hung".to_owned()));
}

#[test]
fn a_process_that_fails_its_probe_is_ended_restarted_and_explained_by_why() {
    let home = Home::new();
    home.probed("cmd:test $GUARDIAN_RUN != 1", &[], "echo working; exec sleep 1000");
    let first = home.pid("x");
    until("its next run is up", || home.status("x")["run"] == 2);
    assert!(!alive(first));
    let last = home.status("x")["last_exit"].clone();
    assert_eq!((&last["cause"]["kind"], &last["cause"]["silence"]), (&"hung".into(), &"probe".into()), "{last}");
    assert_eq!(last["verdict"], "premature");
    let json = home.json(&["why", "x", "--run", "1"]);
    assert!(
        json["blocked_on"]
            .as_str()
            .unwrap()
            .starts_with("probe `cmd:test $GUARDIAN_RUN != 1` failed 3 times in a row: exit code 1; "),
        "{json}"
    );
    let text = home.ok(&["why", "x", "--run", "1"]);
    assert!(text.contains("probe failed for ") && text.contains("sleeps"), "{text}");
    until("it is well now", || home.status("x")["probe"]["failures"] == 0);
}

#[test]
fn with_on_hang_kill_a_process_that_fails_its_probe_is_ended_for_good() {
    let home = Home::new();
    home.probed("cmd:false", &["--on-hang", "kill", "--restart", "always"], "exec sleep 1000");
    home.reaches("x", "dead");
    assert_eq!(home.status("x")["last_exit"]["cause"]["kind"], "hung");
    assert_eq!(home.status("x")["run"], 1);
}

#[test]
fn with_on_hang_alert_it_lives_its_recovery_is_told_and_another_hang_again() {
    let home = Home::new();
    home.listen("events = [\"hung\", \"recovered\"]\ncooldown = \"0s\"");
    home.probed("cmd:test -e well", &["--on-hang", "alert"], "exec sleep 1000");
    let pid = home.pid("x");
    home.reaches("x", "hung");
    home.hears("x", "hung");
    fs::write(home.path("well"), "").unwrap();
    home.reaches("x", "running");
    let recovered = home.hears("x", "recovered");
    assert!(recovered["text"].as_str().unwrap().contains("answers its probe again"), "{recovered}");
    assert_eq!(home.pid("x"), pid);
    fs::remove_file(home.path("well")).unwrap();
    home.reaches("x", "hung");
    until("it is told again", || home.told().iter().filter(|told| told["kind"] == "hung").count() == 2);
}

#[test]
fn a_server_is_asked_over_http_and_a_wrong_status_or_an_answer_drop_by_drop_is_a_failure() {
    let home = Home::new();
    fs::write(home.path("status"), "200").unwrap();
    let script = home.script("server.py", SERVER);
    let line = format!("cd {}; exec {PYTHON} {}", home.path("").display(), script.display());
    home.up("server", &[], &line);
    let port = home.has_lines("port", 1)[0].clone();
    home.probed(&format!("http:http://127.0.0.1:{port}/"), &["--on-hang", "alert"], "exec sleep 1000");
    until("it answers", || home.status("x")["probe"]["failures"] == 0);
    fs::write(home.path("status"), "503").unwrap();
    assert_eq!(home.is_asked(1)["why"], "status 503");
    home.reaches("x", "hung");
    fs::write(home.path("status"), "200").unwrap();
    home.reaches("x", "running");
    fs::write(home.path("drip"), "").unwrap();
    assert_eq!(home.is_asked(1)["why"], "no answer within 500ms");
    home.reaches("x", "hung");
    fs::remove_file(home.path("drip")).unwrap();
    home.reaches("x", "running");
}

#[test]
fn a_server_that_is_stopped_takes_connections_but_does_not_answer_in_time() {
    let home = Home::new();
    fs::write(home.path("status"), "200").unwrap();
    let script = home.script("server.py", SERVER);
    // Its own probe finds its port as the program does.
    let probe = format!(
        "cmd:exec {PYTHON} -c \"import urllib.request as r; r.urlopen('http://127.0.0.1:'+open('port').read())\""
    );
    home.probed(
        &probe,
        &["--probe-timeout", "2s", "--on-hang", "alert"],
        &format!("exec {PYTHON} {}", script.display()),
    );
    until("it answers", || home.status("x")["probe"]["failures"] == 0);
    signal(home.pid("x"), Signal::SIGSTOP);
    home.reaches("x", "hung");
    let detail = home.told_of("hung")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("no answer within 2s") && detail.contains("is stopped (SIGSTOP)"), "{detail}");
    signal(home.pid("x"), Signal::SIGCONT);
    home.reaches("x", "running");
}

#[test]
fn a_line_that_hangs_or_whose_children_hold_its_output_is_over_in_its_time_and_leaves_nothing() {
    let home = Home::new();
    home.probed("cmd:sleep 4711 & sleep 4712", &["--on-hang", "alert"], "exec sleep 1000");
    let hung = home.told_of("hung");
    assert!(hung["detail"].as_str().unwrap().contains("no answer within 500ms"), "{hung}");
    let lives = |what: &str| all().into_iter().any(|pid| cmdline(pid) == what && alive(pid));
    home.ok(&["stop", "x"]);
    until("nothing is left of it", || !lives("sleep 4711") && !lives("sleep 4712"));
    home.ok(&[
        "register",
        "x",
        "--replace",
        "--probe",
        "cmd:sleep 4713 & exit 0",
        "--probe-every",
        "250ms",
        "--start",
        "--",
        "exec sleep 1000",
    ]);
    until("it succeeds although its child holds its output", || home.status("x")["probe"]["failures"] == 0);
    home.ok(&["stop", "x"]);
    until("nothing is left of it", || !lives("sleep 4713"));
}

#[test]
fn other_deadlines_are_kept_while_a_probe_hangs() {
    let home = Home::new();
    let options = ["--probe-timeout", "20s", "--probe-every", "250ms", "--time-limit", "2s", "--restart", "never"];
    let mut all = vec!["--probe", "cmd:sleep 1000"];
    all.extend(options);
    home.up("x", &all, "exec sleep 1000");
    home.reaches("x", "dead");
    let last = home.status("x")["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "time_limit", "{last}");
    let lived = last["ran_s"].as_f64().unwrap();
    assert!((2.0..15.0).contains(&lived), "{lived}");
}

#[test]
fn probing_begins_when_the_run_is_ready() {
    let home = Home::new();
    home.probed("cmd:echo $(date +%s%N) >> asked; true", &["--ready", "cmd:test -e go"], "exec sleep 1000");
    pass(800);
    assert!(home.lines("asked").is_empty(), "it was asked before it was ready");
    fs::write(home.path("go"), "").unwrap();
    home.has_lines("asked", 2);
    assert_eq!(home.state("x"), "running");
}

#[test]
fn a_probe_costs_one_pass_in_each_period_and_nothing_ticks_between() {
    let home = Home::new();
    home.probed("cmd:echo >> asked", &["--probe-every", "1s"], "exec sleep 1000");
    let begun = now_ms();
    pass(4500);
    let asked = home.lines("asked").len();
    let most = usize::try_from((now_ms() - begun) / 1000).unwrap() + 1;
    assert!((3..=most).contains(&asked), "asked {asked} times");
}

#[test]
fn without_its_shim_a_process_is_asked_by_the_pass_of_cron() {
    let home = Home::new();
    home.probed(
        "cmd:false",
        &["--on-hang", "alert", "--probe-failures", "1", "--probe-every", "1s"],
        "exec sleep 1000",
    );
    signal(home.shim_pid("x"), Signal::SIGKILL);
    let begun = now_ms();
    until("it is due", || now_ms() > begun + 1100);
    let report = home.json(&["healthcheck"]);
    let actions = report["processes"][0]["actions"].as_array().unwrap().clone();
    assert!(actions.contains(&"probed".into()) && actions.contains(&"hung".into()), "{report}");
}

#[test]
fn fifty_probes_that_hang_and_no_shim_hold_up_a_pass_for_a_bounded_time_and_nobody_else() {
    let home = Home::new();
    let mut registry = String::from(
        "[defaults]\nprobe_timeout = \"2s\"\nprobe_every = \"5s\"\nprobe_failures = 1\non_hang = \"alert\"\n",
    );
    for index in 0..50 {
        registry.push_str(&format!("[process.a{index:02}]\nshell = \"exec sleep 1000\"\nprobe = \"cmd:sleep 1000\"\n"));
    }
    registry.push_str("[process.z]\nshell = \"exec sleep 1000\"\n");
    home.write_registry(registry);
    home.ok(&["start", "--all"]);
    let begun = now_ms();
    let rows = home.json(&["status"])["processes"].as_array().unwrap().clone();
    let pids = |key: &str| rows.iter().map(|row| number(&row[key])).collect::<Vec<_>>();
    let shims = pids("shim_pid");
    // Shims that stand still ask nobody; z and its shim are gone together.
    shims[..50].iter().for_each(|shim| signal(*shim, Signal::SIGSTOP));
    kill_together(&[shims[50], pids("pid")[50]]);
    until("all are late", || now_ms() > begun + 13_000);
    let before = now_ms();
    let report = home.json(&["healthcheck"]);
    let took = now_ms() - before;
    assert!(took < 12_000, "ten seconds for all probes together, and what the rest takes: {took} ms");
    let rows = report["processes"].as_array().unwrap();
    // Where the start took long the first ones may have been asked already, by their shims.
    let asked = rows.iter().filter(|row| row["actions"].to_string().contains("probed")).count();
    assert!(asked >= 40, "{report}");
    let at = |name: &str, kind: &str| {
        let event = home.events(name).into_iter().find(|event| event["kind"] == kind).unwrap();
        event["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert!(at("z", "restarted") < at("a00", "hung"), "the others are served first");
}

#[test]
fn a_pass_that_is_killed_while_it_asks_loses_one_answer_only_and_a_restart_by_hand_begins_anew() {
    let home = Home::new();
    let line = "cmd:echo >> asked; test $(wc -l < asked) = 2 && kill -9 $PPID; false";
    home.probed(line, &["--probe-failures", "1000"], "exec sleep 1000");
    home.has_lines("asked", 2);
    assert_eq!(home.status("x")["probe"]["failures"], 1, "the answer that nobody wrote down");
    home.is_asked(3);
    home.ok(&["restart", "x"]);
    let fresh = home.status("x");
    assert_eq!(fresh["run"], 2);
    assert!(fresh["probe"].is_null() || fresh["probe"]["failures"].as_u64().unwrap() < 3, "{fresh}");
    home.is_asked(3);
}

#[test]
fn a_shim_that_stood_still_has_missed_no_probe() {
    let home = Home::new();
    home.probed("cmd:false", &["--probe-failures", "1000"], "exec sleep 1000");
    let before = home.is_asked(1)["failures"].as_u64().unwrap();
    let shim = home.shim_pid("x");
    signal(shim, Signal::SIGSTOP);
    pass(3000);
    signal(shim, Signal::SIGCONT);
    let after = home.status("x")["probe"]["failures"].as_u64().unwrap();
    assert!(after <= before + 3, "{before} failures became {after} in a time in which nobody asked");
}

#[test]
fn a_probe_that_is_taken_out_of_the_registry_is_asked_no_more_and_its_hang_is_over() {
    let home = Home::new();
    home.probed("cmd:false", &["--on-hang", "alert"], "exec sleep 1000");
    home.reaches("x", "hung");
    let without: String =
        home.registry().lines().filter(|line| !line.starts_with("probe")).map(|line| format!("{line}\n")).collect();
    home.write_registry(without);
    home.run(&["healthcheck"]).expect(1);
    home.reaches("x", "running");
    home.told_of("recovered");
}

#[test]
fn what_cannot_show_that_a_process_lives_is_refused_with_line_column_and_what_to_write_instead() {
    let home = Home::new();
    for (probe, instead) in
        [("notify", "watchdog"), ("output:x", "output_stale"), ("delay:5s", "probe_every"), ("tcp:0", "tcp:")]
    {
        home.write_registry(format!("[process.x]\nshell = \"true\"\nprobe = \"{probe}\"\n"));
        let checked = home.run(&["config", "check"]).expect(78);
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains("3:9") && said.contains(instead), "{probe}: {said}");
    }
    home.write_registry("[process.x]\nshell = \"true\"\nprobe_failures = 0\n");
    home.run(&["config", "check"]).expect(78);
    home.write_registry("[process.x]\nshell = \"true\"\nprobe_every = \"0s\"\n");
    home.run(&["config", "check"]).expect(78);
}
