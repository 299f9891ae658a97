//! A shim that is killed: its program is taken over by a new one, its end is known all the same, and nothing is doubled.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish, number};
use crate::procs::{alive, eventually, kill_together, parent, signal, until};

/// Writes the name of each signal that it gets as a line, and ends with code 9 at the file named next.
const LISTENER: &str = "\
import os, signal, sys, time
names = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2']
def heard(number, _): open(sys.argv[1], 'a').write(signal.Signals(number).name + '\\n')
for name in names: signal.signal(getattr(signal, 'SIG' + name), heard)
open(sys.argv[1], 'a').write('up\\n')
while not os.path.exists(sys.argv[2]): time.sleep(0.01)
os._exit(9)
";

/// Kills the shim of `name` and has a pass take the program over; pids of the program and of its new shim.
fn taken_over(home: &Home, name: &str) -> (i32, i32) {
    let (shim, program) = (home.shim_pid(name), home.pid(name));
    kill_together(&[shim]);
    // A pass leaves alone what somebody else has the lock of: the command that has just started it, say.
    let status = eventually("it is taken over", || {
        home.run(&["healthcheck"]);
        let status = home.status(name);
        (status["state"] == "running").then_some(status)
    });
    assert_eq!(number(&status["pid"]), program, "{status}");
    let new = number(&status["shim_pid"]);
    assert_ne!(new, shim);
    (program, new)
}

fn last_exit(home: &Home, name: &str) -> Value {
    eventually("an end is known", || {
        let last = home.status(name)["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

/// Live shims of this home.
fn shims(home: &Home) -> Vec<i32> {
    let is =
        |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "guardian-shim\n");
    home.processes().into_iter().filter(is).collect()
}

fn make(home: &Home, file: &str) {
    std::fs::write(home.path(file), "").unwrap();
}

/// A line for the shell that ends with `rest` when there is a file `end`.
fn until_told(rest: &str) -> String {
    format!("echo $$ >> pids; while ! [ -e end ]; do sleep 0.01; done; {rest}")
}

#[test]
fn a_program_whose_shim_was_killed_gets_a_new_one_and_its_true_end_is_recorded() {
    let cases =
        [("exit 3", "exited", "code", Value::from(3)), ("kill -KILL $$", "signaled", "signal", "SIGKILL".into())];
    for (rest, kind, key, value) in cases {
        let home = Home::new();
        home.up("bot", &["--restart", "never"], &until_told(rest));
        let (program, shim) = taken_over(&home, "bot");
        assert_eq!(parent(shim), 1);
        make(&home, "end");
        let last = last_exit(&home, "bot");
        assert!(!alive(program));
        assert_eq!((&last["cause"]["kind"], &last["cause"][key]), (&kind.into(), &value), "{last}");
        assert!(last["ran_s"].is_number(), "{last}");
        until("the new shim ends, too", || !alive(shim));
        let why = home.ok(&["why", "bot"]);
        assert!(why.contains("a new one took it over"), "{why}");
        let why = home.json(&["why", "bot"]);
        assert!(why["taken_over_at"].is_string(), "{why}");
        assert_eq!(why["max_rss_bytes"], Value::Null, "what is not known is not 0: {why}");
    }
}

#[test]
fn the_death_of_a_program_that_was_taken_over_is_pushed_and_followed_by_the_next_run() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s"], "echo $$ >> pids; exec sleep 1000");
    let (program, _) = taken_over(&home, "bot");
    signal(program, Signal::SIGKILL);
    home.has_lines("pids", 2);
    eventually("its new run is known", || (home.status("bot")["run"] == 2).then_some(()));
    assert_eq!(home.kinds("bot").iter().filter(|kind| *kind == "unsupervised").count(), 1);
}

#[test]
fn every_signal_to_a_shim_is_recorded_and_given_to_the_program_before_and_after_a_takeover() {
    let home = Home::new();
    let script = home.script("listener.py", LISTENER);
    let files = [home.path("heard-signals"), home.path("end")];
    let files = files.each_ref().map(|path| path.to_str().unwrap());
    let program = [PYTHON, script.to_str().unwrap(), files[0], files[1]];
    home.ok(&[&["register", "bot", "--restart", "never", "--start", "--"][..], &program].concat());
    home.has_lines("heard-signals", 1);
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];
    let mut heard = 1;
    for shim in [|home: &Home| home.shim_pid("bot"), |home: &Home| taken_over(home, "bot").1] {
        let shim = shim(&home);
        for number in signals {
            signal(shim, number);
            heard += 1;
            assert_eq!(home.has_lines("heard-signals", heard)[heard - 1], number.as_str());
        }
        assert!(alive(shim));
    }
    make(&home, "end");
    assert_eq!(last_exit(&home, "bot")["cause"]["code"], 9);
    let why = home.json(&["why", "bot"]);
    assert_eq!(why["signals_seen"], 12);
    until("its end is in the history", || home.kinds("bot").contains(&"exited".to_owned()));
    let recorded: Vec<Value> = home.events("bot").into_iter().filter(|event| event["kind"] == "signal").collect();
    for (event, want) in recorded.iter().zip(signals.iter().chain(&signals)) {
        let record = &event["signals"][0];
        assert_eq!(record["signal"], want.as_str());
        assert_eq!(number(&record["sender"]["pid"]), i32::try_from(std::process::id()).unwrap());
    }
    assert_eq!(recorded.len(), 12);
}

#[test]
fn limits_are_exact_again_after_a_takeover_without_any_other_trigger() {
    let home = Home::new();
    home.up("bot", &["--time-limit", "1s", "--restart", "never"], "exec sleep 1000");
    taken_over(&home, "bot");
    assert_eq!(last_exit(&home, "bot")["cause"]["kind"], "time_limit");
}

#[test]
fn what_a_program_that_was_taken_over_leaves_is_named_and_ended() {
    let home = Home::new();
    let line = until_told("setsid sleep 1001 & echo $! > left; exit 3");
    home.up("bot", &["--restart", "never", "--grace", "1s"], &line);
    taken_over(&home, "bot");
    make(&home, "end");
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    assert_eq!(last_exit(&home, "bot")["cause"]["code"], 3);
    assert!(!alive(left), "it was ended before the run was over");
    assert!(home.ok(&["why", "bot"]).contains(&format!("1 other process lived on: {left} (")));
}

#[test]
fn a_traced_program_is_traced_again_with_all_its_threads_and_used_what_it_used() {
    let home = Home::new();
    let line = "import sys, threading, time\n\
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n\
        open(sys.argv[1], 'a').write('up\\n')\ntime.sleep(1000)\n";
    let script = home.script("threads.py", line);
    let up = home.path("up");
    let program = [PYTHON, script.to_str().unwrap(), up.to_str().unwrap()];
    let register = ["register", "bot", "--restart", "never", "--trace-signals", "--start", "--"];
    home.ok(&[&register[..], &program].concat());
    home.has_lines("up", 1);
    let (program, _) = taken_over(&home, "bot");
    let mut kill = home.other_command("/bin/sh".as_ref());
    kill.args(["-c", &format!("echo $$ > killer; kill -TERM {program}")]);
    finish(kill).expect(0);
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["kind"], &last["cause"]["signal"]), (&"signaled".into(), &"SIGTERM".into()), "{last}");
    assert_eq!(last["signals"][0]["sender"]["pid"].to_string(), home.lines("killer")[0], "{last}");
    assert!(home.json(&["why", "bot"])["max_rss_bytes"].is_number(), "a tracer learns what it used");
}

#[test]
fn a_shim_that_is_killed_again_and_again_is_replaced_each_time_and_told_once() {
    let home = Home::new();
    home.up("bot", &["--restart", "never"], &until_told("exit 3"));
    let program = home.pid("bot");
    for _ in 0..4 {
        assert_eq!(taken_over(&home, "bot").0, program);
        // A shim that is about to execute a pass counts for a moment; a second one would stay.
        until("there is one shim", || shims(&home).len() == 1);
    }
    make(&home, "end");
    assert_eq!(last_exit(&home, "bot")["cause"]["code"], 3);
    assert_eq!(home.lines("pids").len(), 1);
    assert_eq!(home.kinds("bot").iter().filter(|kind| *kind == "unsupervised").count(), 1);
    assert!(home.ok(&["why", "bot"]).contains("its shim was killed 4 times"));
}

#[test]
fn passes_and_commands_at_once_make_one_new_shim() {
    let home = Home::new();
    home.up("bot", &[], "echo $$ >> pids; exec sleep 1000");
    for _ in 0..5 {
        kill_together(&[home.shim_pid("bot")]);
        let arguments = [&["healthcheck"][..], &["start", "bot"], &["healthcheck", "bot"], &["start", "bot"]];
        let many: Vec<_> = arguments.iter().map(|arguments| home.command(arguments).spawn().unwrap()).collect();
        for mut one in many {
            one.wait().unwrap();
        }
        assert_eq!(home.state("bot"), "running");
        // A shim that is about to execute a pass counts for a moment; a second one would stay.
        until("there is one shim", || shims(&home).len() == 1);
    }
    assert_eq!(home.lines("pids").len(), 1);
}

#[test]
fn start_takes_over_what_runs_and_starts_nothing() {
    let home = Home::new();
    home.up("bot", &[], "echo $$ >> pids; exec sleep 1000");
    let program = home.pid("bot");
    kill_together(&[home.shim_pid("bot")]);
    assert!(home.ok(&["start", "bot"]).contains("already running"));
    assert_eq!((home.state("bot").as_str(), home.pid("bot")), ("running", program));
    assert_eq!(home.lines("pids").len(), 1);
}

#[test]
fn stop_restart_and_deregister_of_a_program_without_its_shim_know_how_it_ended() {
    for command in [&["stop", "bot"][..], &["restart", "bot"], &["deregister", "bot", "--stop"]] {
        let home = Home::new();
        let line = "trap 'exit 6' TERM; echo $$ >> pids; while :; do sleep 0.01; done";
        home.up("bot", &["--grace", "20s"], line);
        home.has_lines("pids", 1);
        kill_together(&[home.shim_pid("bot")]);
        home.ok(command);
        if command[0] == "deregister" {
            home.ok(&["register", "bot", "--", "exit 0"]);
        }
        let why = home.json(&["why", "bot", "--run", "1"]);
        assert_eq!((&why["verdict"], &why["cause"]["code"]), (&"stopped".into(), &6.into()), "{command:?}: {why}");
        assert_eq!(home.lines("pids").len(), if command[0] == "restart" { 2 } else { 1 }, "{command:?}");
    }
}

#[test]
fn a_program_that_ends_before_anybody_takes_it_over_is_not_guessed_at() {
    let home = Home::new();
    home.up("bot", &["--restart", "never"], "exec sleep 1000");
    let (shim, program) = (home.shim_pid("bot"), home.pid("bot"));
    kill_together(&[shim, program]);
    until("nobody has it any more", || !std::path::Path::new(&format!("/proc/{program}")).exists());
    home.run(&["healthcheck"]);
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["kind"], &last["at"]), (&"shim_killed".into(), &Value::Null), "{last}");
    assert_eq!(home.json(&["why", "bot"])["taken_over_at"], Value::Null);
}

#[test]
fn a_plain_user_has_the_same() {
    let home = Home::of_user();
    home.up("bot", &["--restart", "never"], &until_told("exit 3"));
    let (_, shim) = taken_over(&home, "bot");
    make(&home, "end");
    assert_eq!(last_exit(&home, "bot")["cause"]["code"], 3);
    until("the new shim ends, too", || !alive(shim));
}

#[test]
fn no_pattern_that_means_the_program_matches_a_shim_that_took_over_or_a_pass() {
    let home = Home::new();
    // A sink that waits keeps the pass of an end alive, to be looked at.
    home.listen("");
    let ear = format!("while ! [ -e {0} ]; do sleep 0.01; done; cat >/dev/null", home.path("go").display());
    let registry = home.registry().replace("tr -d", &format!("{ear}; tr -d"));
    home.write_registry(registry);
    home.up("distinct-name", &["--restart", "never"], &until_told("exit 3 # distinct-line"));
    make(&home, "go");
    let (_, shim) = taken_over(&home, "distinct-name");
    std::fs::remove_file(home.path("go")).unwrap();
    let shows = |pid: i32| crate::procs::cmdline(pid);
    assert_eq!(shows(shim), "guardian-shim");
    make(&home, "end");
    let pass = eventually("its end is pushed", || {
        home.processes().into_iter().map(shows).find(|line| line.starts_with("guardian healthcheck "))
    });
    make(&home, "go");
    assert_eq!(pass, "guardian healthcheck --push 1");
}

#[test]
fn a_program_that_lives_on_in_its_other_threads_is_alive_and_taken_over() {
    let home = Home::new();
    let line = "import ctypes, os, platform, sys, threading, time\n\
        def live():\n    open(sys.argv[1], 'a').write('up\\n')\n\
        \x20   while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n    os._exit(8)\n\
        threading.Thread(target=live).start()\n\
        ctypes.CDLL(None).syscall({'x86_64': 60}.get(platform.machine(), 93), 0)\n";
    let script = home.script("threads.py", line);
    let [up, end] = [home.path("up"), home.path("end")];
    let program = [PYTHON, script.to_str().unwrap(), up.to_str().unwrap(), end.to_str().unwrap()];
    home.ok(&[&["register", "bot", "--restart", "never", "--start", "--"][..], &program].concat());
    home.has_lines("up", 1);
    let pid = home.pid("bot");
    until("its first thread has ended", || !alive(pid));
    assert_eq!(taken_over(&home, "bot").0, pid);
    make(&home, "end");
    assert_eq!(last_exit(&home, "bot")["cause"]["code"], 8);
}

#[test]
fn what_ran_out_of_memory_after_a_takeover_is_told_as_such() {
    let home = Home::new();
    let hog = home.script(
        "hog.py",
        "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\n\
        kept = []\nwhile True: kept.append(bytearray(1 << 20))\n",
    );
    let end = home.path("end");
    let options = ["register", "hog", "--memory", "64M", "--restart", "never", "--start", "--", PYTHON];
    home.ok(&[&options[..], &[hog.to_str().unwrap(), end.to_str().unwrap()]].concat());
    taken_over(&home, "hog");
    make(&home, "end");
    let last = last_exit(&home, "hog");
    assert_eq!(last["cause"]["kind"], "oom_killed", "{last}");
    assert_eq!(last["cause"]["limit_bytes"], 64 << 20, "{last}");
}

#[test]
fn a_program_below_another_that_lost_its_shim_is_none_of_the_others() {
    let home = Home::new();
    let guardian = home.program().display().to_string();
    home.ok(&["register", "inner", "--", "while :; do sleep 0.1; done"]);
    home.up("outer", &["--grace", "300ms"], &format!("{guardian} start inner; while :; do sleep 0.1; done"));
    home.reaches("inner", "running");
    let (inner, _) = taken_over(&home, "inner");
    assert_eq!(parent(inner), home.shim_pid("outer"), "it came to the shim above");
    home.ok(&["stop", "outer"]);
    assert_eq!((home.state("inner").as_str(), home.pid("inner")), ("running", inner), "stopped with it");
}
