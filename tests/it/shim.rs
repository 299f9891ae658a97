//! The shim: what it records, and what is left when it is killed.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish, number};
use crate::procs::{alive, eventually, kill_together, parent, signal, until};

/// Catches SIGTERM and exits 0, as many bots do; touches the file named first when it listens.
pub(crate) const POLITE_BOT: &str = "import signal, sys, time\n\
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n\
    open(sys.argv[1], 'a').write('up\\n')\n\
    while True: time.sleep(0.05)\n";

/// Sends a signal from a process of its own, whose pid is returned.
fn sent_by_somebody(home: &Home, pid: i32, signal: &str) -> i32 {
    let line = format!("echo $$ > killer; kill -{signal} {pid}");
    finish({
        let mut command = home.other_command("/bin/sh".as_ref());
        command.args(["-c", &line]);
        command
    })
    .expect(0);
    home.lines("killer")[0].parse().unwrap()
}

fn last_exit(home: &Home, name: &str) -> Value {
    eventually("an end is known", || {
        let last = home.status(name)["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn d19_a_signal_to_the_shim_is_forwarded_and_recorded_with_its_sender() {
    let home = Home::new();
    let bot = home.script("bot.py", POLITE_BOT);
    let up = home.path("up");
    let command = [PYTHON, bot.to_str().unwrap(), up.to_str().unwrap()];
    home.ok(&[&["register", "bot", "--restart", "never", "--start", "--"][..], &command].concat());
    home.has_lines("up", 1);
    let (shim, pid) = (home.shim_pid("bot"), home.pid("bot"));
    let killer = sent_by_somebody(&home, shim, "TERM");
    let last = last_exit(&home, "bot");
    assert!(!alive(pid));
    until("the shim ends, too", || !alive(shim));
    assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &0.into()), "{last}");
    assert_eq!(last["signals"][0]["signal"], "SIGTERM", "{last}");
    assert_eq!(number(&last["signals"][0]["sender"]["pid"]), killer, "{last}");
}

#[test]
fn d20_a_traced_signal_straight_to_the_program_is_recorded_with_its_sender() {
    let home = Home::new();
    let bot = home.script("bot.py", POLITE_BOT);
    let up = home.path("up");
    let command = [PYTHON, bot.to_str().unwrap(), up.to_str().unwrap()];
    let register = ["register", "bot", "--target", "8h", "--restart", "never", "--trace-signals", "--start", "--"];
    home.ok(&[&register[..], &command].concat());
    home.has_lines("up", 1);
    let killer = sent_by_somebody(&home, home.pid("bot"), "TERM");
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["code"], &last["verdict"]), (&0.into(), &"premature".into()), "{last}");
    assert_eq!(last["signals"][0]["signal"], "SIGTERM", "{last}");
    assert_eq!(number(&last["signals"][0]["sender"]["pid"]), killer, "{last}");
    let why = home.ok(&["why", "bot"]);
    for expected in ["SIGTERM", &killer.to_string(), "premature", "8h"] {
        assert!(why.contains(expected), "no {expected} in {why}");
    }
}

#[test]
fn when_the_shim_is_killed_the_program_lives_on_with_its_pid_shown_and_is_not_doubled() {
    let home = Home::new();
    home.up("bot", &[], "echo $$ >> pids; exec sleep 1000");
    let (shim, bot) = (home.shim_pid("bot"), home.pid("bot"));
    kill_together(&[shim]);
    assert!(alive(bot));
    let status = home.status("bot");
    assert_eq!((&status["state"], number(&status["pid"])), (&"unsupervised".into(), bot));
    assert_eq!(status["shim_pid"], Value::Null);
    home.run(&["healthcheck"]);
    home.ok(&["start", "bot"]);
    home.run(&["healthcheck"]);
    assert_eq!(home.lines("pids").len(), 1);
    assert!(alive(bot));
}

#[test]
fn d25_a_program_without_its_shim_is_still_stopped_whole() {
    let home = Home::new();
    home.up("bot", &[], "sleep 1000 & echo $! > child; sleep 1000; true");
    let child: i32 = home.has_lines("child", 1)[0].parse().unwrap();
    let bot = home.pid("bot");
    kill_together(&[home.shim_pid("bot")]);
    home.ok(&["stop", "bot"]);
    assert!(!alive(bot) && !alive(child));
}

#[test]
fn d19_d21_shim_and_program_killed_together_are_found_by_the_next_pass_and_not_guessed_at() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s"], "echo $$ >> pids; exec sleep 1000");
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    assert_ne!(home.state("bot"), "running");
    home.run(&["healthcheck"]);
    home.has_lines("pids", 2);
    let last = home.status("bot")["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "shim_killed", "{last}");
    assert_eq!(last["cause"].get("code"), None, "{last}");
}

#[test]
fn what_died_after_its_shim_is_found_and_restarted() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s"], "echo $$ >> pids; exec sleep 1000");
    let bot = home.pid("bot");
    kill_together(&[home.shim_pid("bot")]);
    home.run(&["healthcheck"]);
    kill_together(&[bot]);
    home.run(&["healthcheck"]);
    home.has_lines("pids", 2);
    home.reaches("bot", "running");
}

#[test]
fn killing_the_shim_costs_no_output() {
    let home = Home::new();
    home.up("bot", &[], "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done");
    until("it writes", || home.ok(&["logs", "bot"]).contains("line 3\n"));
    let bot = home.pid("bot");
    kill_together(&[home.shim_pid("bot")]);
    let written = home.ok(&["logs", "bot"]).lines().count();
    until("it writes on", || home.ok(&["logs", "bot"]).lines().count() > written + 3);
    assert!(alive(bot));
    home.ok(&["stop", "bot"]);
    let log = fs::read_to_string(home.state_dir().join("log/bot.log")).unwrap();
    let expected: Vec<String> = (1..=log.lines().count()).map(|number| format!("line {number}")).collect();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn d36_a_zombie_is_not_alive() {
    let home = Home::new();
    home.up("seed", &[], "exec sleep 1000"); // so that the registry exists
    // A parent that adopts like init, but never reaps.
    let script = home.script(
        "adopter.py",
        "import ctypes, json, os, signal, subprocess, sys, time\n\
         assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0\n\
         g = sys.argv[1]\n\
         subprocess.run([g, 'register', 'z', '--restart', 'never', '--start', '--', 'exec sleep 1000'], check=True, stdout=2)\n\
         see = lambda: json.loads(subprocess.run([g, 'status', '--json', 'z'], stdout=-1).stdout)['processes'][0]\n\
         first = see()\n\
         for pid in (first['shim_pid'], first['pid']): os.kill(pid, signal.SIGSTOP)\n\
         for pid in (first['shim_pid'], first['pid']): os.kill(pid, signal.SIGKILL)\n\
         state = lambda pid: open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0]\n\
         while state(first['pid']) != 'Z': time.sleep(0.005)\n\
         print(json.dumps([state(first['pid']), see()['state']]))\n",
    );
    let mut command = home.other_command(PYTHON.as_ref());
    command.arg(script).arg(home.program());
    let seen: [String; 2] = serde_json::from_str(finish(command).expect(0).stdout.trim()).unwrap();
    assert_eq!(seen[0], "Z");
    assert_ne!(seen[1], "running");
}

#[test]
fn the_push_starts_the_next_run_without_any_other_trigger() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s"], "echo $$ >> pids; exec sleep 1000");
    for run in 2..=3 {
        signal(home.pid("bot"), Signal::SIGKILL);
        home.has_lines("pids", run);
        eventually("its new run is known", || (home.status("bot")["run"] == run).then_some(()));
    }
    assert_eq!(parent(home.shim_pid("bot")), 1);
}

/// The library that gives a program another clock.
pub(crate) fn faketime() -> String {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|triple| format!("/usr/lib/{triple}/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| fs::exists(path).unwrap())
        .expect("libfaketime: scripts/test installs it")
}

#[test]
fn d23_time_lived_does_not_follow_the_wall_clock() {
    let home = Home::new();
    home.up("bot", &["--target", "1h", "--restart", "never"], "exec sleep 1000");
    // A pass under a clock that is a day ahead neither completes it nor ends it.
    let library = faketime();
    let mut pass = home.command(&["healthcheck"]);
    pass.env("LD_PRELOAD", library).env("FAKETIME", "+1d").env("DONT_FAKE_MONOTONIC", "1");
    finish(pass).expect(0);
    assert_eq!(home.state("bot"), "running");
    signal(home.pid("bot"), Signal::SIGKILL);
    let last = last_exit(&home, "bot");
    assert_eq!(last["verdict"], "premature");
    assert!(last["ran_s"].as_f64().unwrap() < 60.0, "{last}");
}

#[test]
fn a_shim_that_is_killed_while_it_clears_up_leaves_nothing_beside_the_next_run() {
    let home = Home::new();
    let line = "(trap '' TERM; echo $BASHPID >>left; while :; do sleep 0.1; done) & while ! test -s left; do sleep 0.01; done; exit 3";
    home.ok(&["register", "x", "--backoff", "0s", "--grace", "20s", "--start", "--", "bash", "-c", line]);
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    let record = home.state_dir().join("process/x/run/1.rec");
    until("its end is recorded", || fs::read_to_string(&record).unwrap().contains("\"end\":"));
    let shims: Vec<i32> = home.processes().into_iter().filter(|pid| !home.managed().contains(pid)).collect();
    kill_together(&shims);
    assert!(alive(left), "its grace is not over");
    home.run(&["healthcheck"]);
    let second = home.has_lines("left", 2);
    assert!(!alive(left), "a second run has begun: {second:?}");
    let certificate = home.json(&["why", "x", "--run", "1"]);
    assert_eq!(certificate["cause"], serde_json::json!({"kind": "exited", "code": 3}), "{certificate}");
}
