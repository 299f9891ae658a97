//! `stop` and `restart`: nothing is left behind, nothing else is hit, and stopped stays stopped.

use std::fs;

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON, finish};
use crate::procs::{alive, signal, until};

#[test]
fn d24_stop_reaches_every_part_of_a_pipeline() {
    let home = Home::new();
    home.up("pipe", &[], "sleep 4321 | cat | cat");
    until("the pipeline is up", || home.processes().len() >= 4);
    home.ok(&["stop", "pipe"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
}

#[test]
fn d25_stop_returns_when_even_those_who_ignore_term_and_those_in_another_session_are_gone() {
    let home = Home::new();
    home.up(
        "stubborn",
        &["--grace", "300ms"],
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >> pids; while :; do sleep 1; done' & echo $$ >> pids; while :; do sleep 1; done",
    );
    let pids: Vec<i32> = home.has_lines("pids", 2).iter().map(|pid| pid.parse().unwrap()).collect();
    home.ok(&["stop", "stubborn"]);
    assert!(pids.iter().all(|pid| !alive(*pid)), "{pids:?}");
    assert_eq!(home.managed(), Vec::<i32>::new());
}

#[test]
fn stop_gives_the_program_its_grace_and_its_own_signal() {
    let home = Home::new();
    home.up(
        "polite",
        &["--stop-signal", "INT"],
        "trap 'echo asked > out; exit 0' INT; touch ready; while :; do sleep 0.05; done",
    );
    until("it listens", || home.path("ready").exists());
    home.ok(&["stop", "polite"]);
    assert_eq!(home.lines("out"), ["asked"]);
    let last = home.status("polite")["last_exit"].clone();
    assert_eq!((&last["verdict"], &last["cause"]["code"]), (&"stopped".into(), &0.into()));
}

#[test]
fn d26_restart_never_has_two_at_once() {
    let home = Home::new();
    let lock = home.path("lock");
    fs::write(&lock, "").unwrap();
    // Its lock is let go only 200 ms after TERM: who starts early finds it taken.
    let line = format!(
        "exec 9<{}; flock -n 9 || {{ echo twice >> doubled; exit 9; }}; trap 'sleep 0.2; exit 0' TERM; echo $$ >> pids; while :; do sleep 0.05; done",
        lock.display()
    );
    home.up("single", &["--backoff", "0s"], &line);
    for runs in 1..=4 {
        home.has_lines("pids", runs);
        home.ok(&["restart", "single"]);
    }
    assert_eq!(home.has_lines("pids", 5).len(), 5);
    assert_eq!(home.lines("doubled"), Vec::<String>::new());
    assert_eq!(home.status("single")["run"], 5);
}

/// In a pid namespace of its own, where the next pid can be chosen: shim and bot are killed, their pid goes to a stranger.
const STRANGER: &str = "\
import json, os, signal, subprocess, sys
g = sys.argv[1]
run = lambda *a: subprocess.run([g, *a], capture_output=True, text=True)
see = lambda: json.loads(run('status', '--json', 'bot').stdout)['processes'][0]
run('register', 'bot', '--restart', 'never', '--start', '--', 'exec sleep 1000')
first = see()
family = [first['shim_pid'], first['pid']]
for number in (signal.SIGSTOP, signal.SIGKILL):
    for pid in family: os.kill(pid, number)
left = set(family)
while left: left.discard(os.wait()[0])
open('/proc/sys/kernel/ns_last_pid', 'w').write(str(first['pid'] - 1))
stranger = subprocess.Popen(['sleep', '1000'])
seen = {'same_pid': stranger.pid == first['pid'], 'state': see()['state']}
seen['stop'] = run('stop', 'bot').returncode
run('healthcheck')
seen['alive_after_stop'] = stranger.poll() is None
seen['start'] = run('start', 'bot').returncode
second = see()
seen['started'] = second['state'] == 'running' and second['pid'] != first['pid']
seen['alive_after_start'] = stranger.poll() is None
print(json.dumps(seen))
";

#[test]
fn d10_d27_a_pid_that_belongs_to_somebody_else_by_now_is_not_running_not_signalled_and_in_nobodys_way() {
    let home = Home::new();
    let script = home.script("stranger.py", STRANGER);
    let mut command = home.other_command("unshare".as_ref());
    command.args(["--mount", "--pid", "--fork", "--mount-proc", PYTHON]).arg(script).arg(home.program());
    let output = finish(command).expect(0);
    let seen: serde_json::Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    assert_eq!(seen["same_pid"], true);
    assert_ne!(seen["state"], "running");
    assert_eq!((&seen["stop"], &seen["alive_after_stop"]), (&0.into(), &true.into()), "a stranger was signalled");
    assert_eq!((&seen["start"], &seen["started"], &seen["alive_after_start"]), (&0.into(), &true.into(), &true.into()));
}

#[test]
fn d28_stopped_stays_stopped_even_when_stop_was_killed_half_way() {
    let home = Home::new();
    home.up("bot", &["--grace", "30s"], "trap '' TERM; touch ready; while :; do sleep 0.05; done");
    until("it ignores TERM", || home.path("ready").exists());
    let bot = home.pid("bot");
    let mut stop = home.command(&["stop", "bot"]).spawn().unwrap();
    until("the stop is written down", || home.status("bot")["desired"] == "down");
    stop.kill().unwrap();
    stop.wait().unwrap();
    signal(bot, Signal::SIGKILL);
    until("it ended", || !alive(bot));
    home.run(&["healthcheck"]);
    home.reaches("bot", "stopped");
    assert_eq!(home.status("bot")["run"], 1);
}

#[test]
fn d29_after_stop_the_status_says_stopped_and_nothing_red() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    home.ok(&["stop", "bot"]);
    let status = home.status("bot");
    assert_eq!((&status["state"], &status["desired"]), (&"stopped".into(), &"down".into()));
    assert_eq!(status["last_exit"]["verdict"], "stopped");
    assert_eq!(status["pid"], serde_json::Value::Null);
    let said = home.run(&["healthcheck"]).expect(0);
    assert!(!said.stdout.contains("143"), "{}", said.stdout);
    assert_eq!(home.state("bot"), "stopped");
}

#[test]
fn stopping_what_is_stopped_is_done() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "exec sleep 1000"]);
    home.ok(&["stop", "bot"]);
    home.ok(&["stop", "bot"]);
    home.run(&["stop", "nobody"]).expect(4);
}

#[test]
fn what_the_program_left_behind_is_ended_with_it() {
    let home = Home::new();
    let line = "setsid sleep 1000 & echo $! > left; exit 0";
    home.ok(&["register", "job", "--target", "exit", "--grace", "500ms", "--start", "--", line]);
    home.reaches("job", "completed");
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    until("the leftover is gone", || !alive(left));
}

#[test]
fn leftover_keep_leaves_it_alone() {
    let home = Home::new();
    let line = "setsid sleep 1000 & echo $! > left; exit 0";
    home.ok(&["register", "job", "--target", "exit", "--leftover", "keep", "--start", "--", line]);
    home.reaches("job", "completed");
    let left: i32 = home.has_lines("left", 1)[0].parse().unwrap();
    home.run(&["healthcheck"]).expect(0);
    assert!(alive(left));
}

#[test]
fn a_program_that_clears_its_environment_and_daemonises_is_still_reached() {
    let home = Home::new();
    let daemon = home.script(
        "daemon.py",
        "import os, sys, time\nif os.fork(): time.sleep(1000)\nos.setsid()\nif os.fork(): os._exit(0)\n\
         open(sys.argv[1], 'w').write(f'{os.getpid()}\\n')\nos.closerange(3, 100)\n\
         os.execve('/bin/sleep', ['sleep', '1000'], {})\n",
    );
    let out = home.path("daemon.pid");
    home.ok(&["register", "d", "--start", "--", PYTHON, daemon.to_str().unwrap(), out.to_str().unwrap()]);
    let pid: i32 = home.has_lines("daemon.pid", 1)[0].parse().unwrap();
    home.ok(&["stop", "d"]);
    let gone = !alive(pid);
    signal(pid, Signal::SIGKILL);
    assert!(gone, "a daemonised grandchild survived stop");
}

#[test]
fn a_shim_that_waits_for_a_restart_goes_when_the_process_is_stopped() {
    let home = Home::new();
    home.up("bot", &["--backoff", "1h", "--backoff-max", "1h"], "exec sleep 1000");
    let shim = home.shim_pid("bot");
    signal(home.pid("bot"), Signal::SIGKILL);
    home.reaches("bot", "waiting");
    assert!(alive(shim));
    home.ok(&["stop", "bot"]);
    until("its shim goes", || !alive(shim));
    assert_eq!(home.state("bot"), "stopped");
}

#[test]
fn a_shim_that_waits_goes_when_an_operator_starts_the_process_himself_or_closes_the_breaker() {
    let home = Home::new();
    home.up("bot", &["--backoff", "1h", "--backoff-max", "1h"], "exec sleep 1000");
    let shim = home.shim_pid("bot");
    signal(home.pid("bot"), Signal::SIGKILL);
    home.reaches("bot", "waiting");
    home.ok(&["start", "bot"]);
    until("its shim goes", || !alive(shim));
    assert!(alive(home.pid("bot")) && home.state("bot") == "running");
    home.up("bad", &["--max-failures", "1"], "exec sleep 1000");
    let shim = home.shim_pid("bad");
    signal(home.pid("bad"), Signal::SIGKILL);
    home.reaches("bad", "tripped");
    home.ok(&["reset", "bad"]);
    until("its shim goes as well", || !alive(shim));
}
