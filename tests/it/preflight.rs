//! The preflight: what must succeed before a start, and what is left when it does not.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, finish};
use crate::procs::{alive, descendants, eventually, now_ms, signal, until};

impl Home {
    fn register_preflight(&self, lines: &[&str], options: &[&str], line: &str) {
        let cwd = self.path("");
        let mut all = vec!["register", "x", "--cwd", cwd.to_str().unwrap()];
        all.extend(options);
        for line in lines {
            all.extend(["--preflight", line]);
        }
        all.extend(["--", line]);
        self.ok(&all);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.state_dir().join("log/x.log")).unwrap()
    }
}

fn last_exit(home: &Home) -> Value {
    eventually("an end is known", || {
        let last = home.status("x")["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn its_lines_run_in_order_in_the_programs_place_and_the_program_follows() {
    let home = Home::new();
    let lines = ["echo one $GUARDIAN_NAME $MODE >>ran", "echo two; echo two >>ran; pwd >>ran"];
    home.register_preflight(&lines, &["--env", "MODE=paper"], "echo program >>ran; exec sleep 60");
    let said = home.ok(&["start", "x"]);
    let ran = home.has_lines("ran", 4);
    let cwd = home.path("").canonicalize().unwrap();
    assert_eq!(ran, ["one x paper", "two", cwd.to_str().unwrap().trim_end_matches('/'), "program"]);
    let pid = home.pid("x");
    assert!(said.contains(&format!("(pid {pid})")), "{said}");
    until("the pid is left for scripts", || home.sentinel("x", "pid").exists());
    assert_eq!(home.lines_of_sentinel("x", "pid"), [pid.to_string()]);
    until("the start is told", || home.kinds("x").contains(&"started".to_owned()));
    let log = home.log();
    assert!(log.contains("guardian: preflight 2 of 2: echo two") && log.contains("\ntwo\n"), "{log}");
}

#[test]
fn a_failing_line_keeps_the_program_from_running_and_start_says_which_and_what_it_said() {
    let home = Home::new();
    let lines = ["echo one", "echo no such module >&2; exit 7", "touch third"];
    home.register_preflight(&lines, &["--restart", "never"], "touch ran; exec sleep 60");
    home.run(&["start", "x"]).expect(1).complains("no such module").complains("preflight");
    let last = last_exit(&home);
    let cause = &last["cause"];
    assert_eq!((&cause["kind"], &cause["code"]), (&"preflight_failed".into(), &7.into()), "{last}");
    assert!(cause["what"].as_str().unwrap().contains("(2 of 3): exit 7: no such module"), "{last}");
    assert_eq!((&last["verdict"], home.state("x").as_str()), (&"premature".into(), "dead"), "{last}");
    home.run(&["wait", "x"]).expect(7);
    assert!(home.log().contains("no such module"));
    assert!(!home.path("ran").exists() && !home.path("third").exists());
    home.run(&["restart", "x"]).expect(1).complains("no such module");
}

#[test]
fn a_failing_preflight_counts_as_a_failure_for_backoff_and_breaker_and_a_job_has_failed() {
    let home = Home::new();
    home.register_preflight(&["exit 3"], &["--backoff", "0s", "--max-failures", "3"], "touch ran");
    home.run(&["start", "x"]).expect(1);
    let status = home.reaches("x", "tripped");
    assert_eq!((&status["consecutive_failures"], &status["run"]), (&3.into(), &3.into()), "{status}");
    let home = Home::new();
    home.register_preflight(&["exit 3"], &["--target", "exit"], "touch ran");
    home.run(&["start", "x"]).expect(1);
    assert_eq!(last_exit(&home)["verdict"], "failed");
    assert!(!home.path("ran").exists());
}

#[test]
fn what_it_waits_for_may_come_and_then_the_restart_succeeds() {
    let home = Home::new();
    home.register_preflight(&["test -e db"], &["--backoff", "200ms", "--max-failures", "0"], "exec sleep 60");
    home.run(&["start", "x"]).expect(1);
    std::fs::write(home.path("db"), "").unwrap();
    let status = home.reaches("x", "running");
    assert!(status["run"].as_u64().unwrap() >= 2, "{status}");
    until("the restart is told", || home.kinds("x").contains(&"restarted".to_owned()));
}

#[test]
fn one_that_hangs_is_killed_when_its_time_is_over_with_all_that_it_started() {
    let home = Home::new();
    home.register_preflight(&["echo waiting for the db; sleep 4711 & wait"], &["--restart", "never"], "touch ran");
    let output = home.run(&["start", "x"]).expect(1);
    assert!(output.stderr.contains("not done after 30s: waiting for the db"), "{}", output.stderr);
    let last = last_exit(&home);
    assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"preflight_failed".into(), &Value::Null), "{last}");
    until("nothing of it is left", || home.managed().is_empty());
    home.run(&["wait", "x"]).expect(1);
}

#[test]
fn one_that_is_killed_failed_with_that_signal() {
    let home = Home::new();
    home.register_preflight(&["kill -KILL $$"], &["--restart", "never"], "touch ran");
    home.run(&["start", "x"]).expect(1).complains("SIGKILL");
    assert!(!home.path("ran").exists());
}

#[test]
fn a_slow_one_stalls_neither_a_pass_nor_a_stop() {
    let home = Home::new();
    home.register_preflight(&["test ! -e slow || sleep 60"], &["--backoff", "0s"], "echo x >>ran; exec sleep 60");
    home.up("y", &["--backoff", "0s"], "exec sleep 60");
    home.ok(&["start", "x"]);
    home.has_lines("ran", 1);
    std::fs::write(home.path("slow"), "").unwrap();
    // Both go down together with their shims: only a pass can bring them back.
    let pids = ["x", "y"].map(|name| [home.shim_pid(name), home.pid(name)]);
    crate::procs::kill_together(&pids.concat());
    let began = now_ms();
    home.run(&["healthcheck"]);
    assert!(now_ms() - began < 30_000, "the pass took {} ms", now_ms() - began);
    assert_eq!((home.state("x").as_str(), home.state("y").as_str()), ("starting", "running"));
    let shim = eventually("its preflight runs", || {
        home.processes().into_iter().find(|pid| !descendants(*pid).is_empty() && *pid != home.shim_pid("y"))
    });
    home.ok(&["stop", "x"]);
    assert!(now_ms() - began < 50_000, "the stop took {} ms", now_ms() - began);
    until("its shim goes", || !alive(shim));
    assert_eq!((home.state("x").as_str(), home.lines("ran").len()), ("stopped", 1));
}

#[test]
fn a_shim_that_is_killed_in_it_leaves_nothing_doubled() {
    let home = Home::new();
    home.register_preflight(&["echo p >>tried; sleep 0.5"], &["--backoff", "0s"], "echo x >>ran; exec sleep 60");
    let start = home.command(&["start", "x"]);
    let start = std::thread::spawn(move || finish(start));
    home.has_lines("tried", 1);
    let record = home.state_dir().join("process/x/run/1.rec");
    let text = std::fs::read_to_string(record).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    signal(i32::try_from(line["shim"]["who"]["pid"].as_i64().unwrap()).unwrap(), Signal::SIGKILL);
    start.join().unwrap();
    home.run(&["healthcheck"]);
    until("it is up again", || {
        home.run(&["healthcheck"]);
        home.state("x") == "running"
    });
    assert_eq!(home.has_lines("ran", 1).len(), 1);
    assert_eq!(home.managed(), [home.pid("x")]);
    let why = home.json(&["why", "x", "--run", "1"]);
    assert_eq!(why["cause"]["kind"], "shim_killed", "{why}");
}

#[test]
fn a_preflight_whose_shim_is_killed_is_never_called_the_program_and_does_not_outlive_it() {
    let home = Home::new();
    home.register_preflight(&["echo $$ >>tried; exec sleep 1000"], &["--backoff", "0s"], "touch ran");
    let start = home.command(&["start", "x"]);
    let start = std::thread::spawn(move || finish(start));
    let line: i32 = home.has_lines("tried", 1)[0].parse().unwrap();
    signal(crate::procs::parent(line), Signal::SIGKILL);
    start.join().unwrap().expect(1).complains("shim");
    assert_ne!(home.state("x"), "running");
    home.run(&["healthcheck"]);
    until("it is killed", || !alive(line));
    until("it is tried again", || {
        home.run(&["healthcheck"]);
        home.lines("tried").len() == 2
    });
    assert_eq!(home.json(&["why", "x", "--run", "1"])["cause"]["kind"], "shim_killed");
    home.ok(&["stop", "x"]);
    assert!(home.managed().is_empty() && !home.path("ran").exists());
}
