//! `wait`: blocks without polling and gives the true code.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON, number};
use crate::procs::{now_ms, signal, until};

#[test]
fn wait_gives_the_code_of_the_program() {
    let home = Home::new();
    for (name, line, code) in [
        ("zero", "exit 0", 0),
        ("three", "exit 3", 3),
        ("chosen", "exit 137", 137),
        ("killed", "kill -KILL $$; sleep 1", 137),
        ("termed", "kill -TERM $$; sleep 1", 143),
    ] {
        home.up(name, &["--restart", "never", "--target", "exit"], &format!("sleep 0.2; {line}"));
        home.run(&["wait", name]).expect(code);
    }
}

#[test]
fn waiting_for_what_ended_already_answers_at_once() {
    let home = Home::new();
    home.up("job", &["--target", "exit", "--restart", "never"], "exit 5");
    home.reaches("job", "dead");
    home.run(&["wait", "job"]).expect(5);
}

#[test]
fn wait_runs_out_of_time_with_124() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    home.run(&["wait", "bot", "--timeout", "300ms"]).expect(124);
    assert_eq!(home.state("bot"), "running");
}

#[test]
fn wait_for_several_is_0_only_when_all_completed() {
    let home = Home::new();
    for (name, line) in [("a", "sleep 0.2"), ("b", "sleep 0.1"), ("c", "exit 3")] {
        home.up(name, &["--target", "exit", "--restart", "never", "--group", name], line);
    }
    home.run(&["wait", "a", "b"]).expect(0);
    home.run(&["wait", "a", "c"]).expect(1);
    home.run(&["wait", "--group", "c"]);
}

#[test]
fn wait_any_returns_with_the_first() {
    let home = Home::new();
    home.up("slow", &["--target", "exit"], "exec sleep 1000");
    home.up("quick", &["--target", "exit"], "sleep 0.2");
    home.run(&["wait", "--any", "slow", "quick"]).expect(0);
    assert_eq!(home.state("slow"), "running");
}

#[test]
fn a_waiter_uses_no_cpu_and_wakes_at_the_end() {
    let home = Home::new();
    home.up("bot", &["--restart", "never"], "exec sleep 1000");
    let mut waiter = home.command(&["wait", "bot"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(waiter.id()).unwrap();
    // Asleep in the kernel, and still so after a pass: no loop of its own.
    until("the waiter sleeps", || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") S "));
    let switches = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = switches();
    home.run(&["status"]).expect(0);
    home.run(&["status"]).expect(0);
    assert!(switches() - before <= 3, "it polls");
    signal(home.pid("bot"), Signal::SIGKILL);
    assert_eq!(waiter.wait().unwrap().code(), Some(137));
    assert_eq!(number(&home.status("bot")["run"]), 1);
}

#[test]
fn waiting_for_nobody_is_an_error() {
    let home = Home::new();
    home.run(&["wait", "nobody"]).expect(4);
    home.ok(&["register", "new", "--", "true"]);
    home.run(&["wait", "new"]).expect(3);
}

#[test]
fn the_aggregate_of_ten_test_suites_fits_into_4_kb_and_has_the_last_lines_of_each() {
    let home = Home::new();
    let names: Vec<String> = (0..10).map(|number| format!("suite-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let line = format!("seq 1 500; printf '\\033[31mlast words of {number}\\033[0m\\n'; exit {}", number % 2);
        home.up(name, &["--target", "exit", "--restart", "never", "--group", "tests"], &line);
    }
    let output = home.run(&["--json", "wait", "--group", "tests"]).expect(1);
    assert!(output.stdout.len() <= 4096, "{}", output.stdout.len());
    let all: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((all["passed"].as_array().unwrap().len(), all["failed"].as_array().unwrap().len()), (5, 5));
    for row in all["ended"].as_array().unwrap() {
        let number = row["name"].as_str().unwrap().trim_start_matches("suite-");
        let last = row["tail"].as_array().unwrap().last().unwrap();
        assert_eq!(*last, format!("last words of {number}"), "{row}");
    }
}

#[test]
fn it_fits_with_the_longest_names_and_long_lines_too_and_still_has_a_last_line_of_each() {
    let home = Home::new();
    for number in 0..10 {
        let name = format!("{}-{number}", "n".repeat(62));
        let line = format!("printf 'said by {number} %03000d\\n' 0; exit 3");
        home.up(&name, &["--target", "exit", "--restart", "never", "--group", "tests"], &line);
    }
    let output = home.run(&["--json", "wait", "--group", "tests"]).expect(1);
    assert!(output.stdout.len() <= 4096, "{}", output.stdout.len());
    let all: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    for (number, row) in all["ended"].as_array().unwrap().iter().enumerate() {
        let last = row["tail"].as_array().unwrap().last().unwrap().as_str().unwrap();
        assert!(last.starts_with(&format!("said by {number} 0")), "{row}");
    }
}

#[test]
fn a_line_of_any_of_several_is_waited_for_and_the_end_of_one_that_never_wrote_it_is_told_at_once() {
    let home = Home::new();
    home.up("mute", &["--target", "exit"], "exec sleep 1000");
    home.up("loud", &["--target", "exit"], "sleep 0.2; echo READY; exec sleep 1000");
    let found = home.run(&["wait", "mute", "loud", "--any", "--until", "output:^READY$", "--timeout", "20s"]).expect(0);
    assert_eq!(found.stdout, "READY\n");
    home.up("short", &["--target", "exit"], "sleep 0.2");
    home.run(&["wait", "short", "--until", "output:never", "--timeout", "20s"]).expect(1).complains("never wrote");
}

#[test]
fn a_hundred_are_waited_for_without_cpu() {
    let home = Home::new();
    let mut registry = String::new();
    for number in 0..100 {
        registry += &format!("[process.p{number}]\ncommand = [\"sleep\", \"1000\"]\n");
    }
    home.write_registry(registry);
    home.ok(&["start", "--all"]);
    let mut waiter = home.command(&["wait", "--all"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(waiter.id()).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let used = || -> u64 {
        let stat = stat();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let polls = || std::fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("poll"));
    until("it waits", || stat().contains(") S ") && (polls() || !std::path::Path::new("/proc/self/wchan").exists()));
    let before = used();
    for _ in 0..5 {
        home.run(&["status", "-q"]).expect(0);
    }
    assert_eq!(used(), before, "it uses CPU");
    signal(pid, Signal::SIGKILL);
    waiter.wait().unwrap();
}

#[test]
fn a_waiter_gets_the_true_code_although_the_shim_is_killed_meanwhile() {
    let home = Home::new();
    let go = home.path("go");
    home.up("job", &["--target", "exit"], &format!("while ! test -e {}; do sleep 0.05; done; exit 7", go.display()));
    let waiter = home.command(&["wait", "job"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let shim = home.shim_pid("job");
    signal(shim, Signal::SIGKILL);
    until("it has a new shim", || {
        home.run(&["healthcheck"]);
        home.status("job")["shim_pid"].as_i64().is_some_and(|pid| pid != i64::from(shim))
    });
    std::fs::write(&go, "").unwrap();
    let code = waiter.wait_with_output().unwrap().status.code();
    // Not the child of the new shim: where the kernel gives no status, nobody knows the code, and it is not called 0.
    assert!(code == Some(7) || code == Some(1), "{code:?}");
}

/// Says READY=1 once the file that it is given is there.
const LATE: &str = "import os, socket, sys, time
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
name = os.environ['NOTIFY_SOCKET']
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', '\\0' + name[1:] if name[0] == '@' else name)
time.sleep(1000)
";

/// How often a process has gone to sleep.
fn sleeps(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn whoever_waits_for_several_to_get_ready_or_to_write_sleeps_until_one_of_them_comes_further() {
    let home = Home::new();
    let late = home.script("late.py", LATE);
    for name in ["a", "b", "c"] {
        let line = format!("exec {PYTHON} {} {}", late.display(), home.path(name).display());
        home.up(name, &["--ready", "notify", "--ready-timeout", "1h"], &line);
    }
    let waits = [
        vec!["wait", "a", "--until", "ready"],
        vec!["wait", "a", "b", "c", "--until", "ready"],
        vec!["wait", "a", "b", "c", "--any", "--until", "output:never"],
    ];
    let mut waiters = waits.map(|wait| home.command(&wait).stdout(Stdio::null()).spawn().unwrap());
    for waiter in &waiters {
        let mut last = (0, now_ms());
        until("it sleeps for a second without waking", || {
            let sleeps = sleeps(waiter.id());
            if sleeps != last.0 {
                last = (sleeps, now_ms());
            }
            now_ms() - last.1 > 1000
        });
    }
    ["a", "b"].iter().for_each(|name| std::fs::write(home.path(name), "").unwrap());
    assert!(waiters[0].wait().unwrap().success());
    until("b is ready", || home.status("b")["ready"] == true);
    assert_eq!(waiters[1].try_wait().unwrap(), None, "one is missing");
    // A shim that is killed changes no file; what is ready under the next one is seen.
    signal(home.shim_pid("c"), Signal::SIGKILL);
    home.reaches("c", "unsupervised");
    home.run(&["healthcheck"]);
    std::fs::write(home.path("c"), "").unwrap();
    until("c is ready", || home.status("c")["ready"] == true);
    assert!(waiters[1].wait().unwrap().success());
    home.ok(&["stop", "a"]);
    assert_eq!(waiters[2].wait().unwrap().code(), Some(1), "it never wrote");
}

#[test]
fn while_a_preflight_runs_nobody_polls_and_the_end_is_heard_of() {
    let home = Home::new();
    let preflight = "while [ ! -e go ]; do sleep 0.05; done";
    home.ok(&["register", "job", "--target", "exit", "--restart", "never", "--preflight", preflight, "--", "exit 7"]);
    let mut start = home.command(&["start", "job"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the preflight runs", || home.state("job") == "starting");
    let mut waiter = home.command(&["wait", "job"]).stdout(Stdio::null()).spawn().unwrap();
    // Asleep, and not woken again: counted by the kernel.
    let switches = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", waiter.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    };
    let mut least = u64::MAX;
    until("it sleeps", || {
        let before = switches();
        std::thread::sleep(std::time::Duration::from_millis(500));
        least = least.min(if before > 0 { switches() - before } else { u64::MAX });
        least <= 5
    });
    std::fs::write(home.path("go"), "").unwrap();
    assert_eq!(waiter.wait().unwrap().code(), Some(7), "its end is heard of");
    start.wait().unwrap();
}
