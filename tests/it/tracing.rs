//! Programs under `--trace-signals`: they do the same work as without, and who signals them is told.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish, plain_user};
use crate::procs::{alive, kill_together, signal, until};
use crate::senders::{compiled, kernel_keeps_a_record, last_exit};

const WORK_C: &str = include_str!("tracing/work.c");

/// Output of the last run of `name`, once its end is known.
fn output(home: &Home, name: &str) -> (Value, String) {
    (last_exit(home, name), fs::read_to_string(home.state_dir().join(format!("log/{name}.log"))).unwrap())
}

/// Runs `command` with and without tracing; ends both with SIGTERM once they say `ready`.
#[track_caller]
fn works_the_same(home: &Home, command: &[&str]) {
    let mut told = Vec::new();
    for (name, options) in [("traced", &["--trace-signals"][..]), ("plain", &[])] {
        let register = [&["register", name, "--restart", "never"], options, &["--start", "--"], command].concat();
        home.ok(&register);
        let log = home.state_dir().join(format!("log/{name}.log"));
        until("its work is done", || fs::read_to_string(&log).unwrap().ends_with("ready\n"));
        let mut killer = home.other_command("/bin/sh".as_ref());
        killer.args(["-c", &format!("kill -TERM {}; exec sleep 1000", home.pid(name))]);
        let mut killer = killer.spawn().unwrap();
        let (last, text) = output(home, name);
        assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &3.into()), "{last}\n{text}");
        if name == "traced" {
            let term = last["signals"].as_array().unwrap().last().unwrap();
            assert_eq!((&term["signal"], &term["to"]), (&"SIGTERM".into(), &"process".into()), "{last}");
            assert_eq!(term["sender"]["pid"], killer.id(), "{last}");
        }
        killer.kill().unwrap();
        killer.wait().unwrap();
        told.push(text);
    }
    assert_eq!(told[0], told[1]);
}

/// The source file, where every program can read it.
fn source(home: &Home, name: &str, text: &str) -> String {
    home.script(name, text).to_str().unwrap().to_owned()
}

#[test]
fn a_python_program_works_the_same_when_it_is_traced() {
    let home = Home::new();
    works_the_same(&home, &[PYTHON, &source(&home, "work.py", include_str!("tracing/work.py"))]);
}

#[test]
fn a_bash_program_with_job_control_works_the_same_when_it_is_traced() {
    let home = Home::new();
    // bash itself says who was killed, with a pid in it.
    let line = format!("exec bash {} 2>/dev/null", source(&home, "work.sh", include_str!("tracing/work.sh")));
    works_the_same(&home, &[&line]);
}

#[test]
fn a_node_program_works_the_same_when_it_is_traced() {
    let home = Home::new();
    works_the_same(&home, &["node", &source(&home, "work.js", include_str!("tracing/work.js"))]);
}

#[test]
fn a_go_program_works_the_same_when_it_is_traced() {
    let home = Home::new();
    let (file, program) = (source(&home, "work.go", include_str!("tracing/work.go")), home.path("work"));
    let mut go = home.other_command("go".as_ref());
    go.env("GOCACHE", home.path("cache")).args(["build", "-o"]).arg(&program).arg(file);
    finish(go).expect(0);
    works_the_same(&home, &[program.to_str().unwrap(), "itself"]); // one word would be a line for the shell
}

#[test]
fn threads_children_queued_values_and_programs_that_threads_execute_are_not_disturbed() {
    let home = Home::new();
    let want = "threads ok\nchildren 195 6 7\nvalues 55 10\nrestarted 1 interrupted -1\nstopped 1 continued 1 code 3\n\
                clone 15\nexecuted by a thread, pid kept\nthe leader is gone\n";
    for (name, options) in [("dynamic", &[][..]), ("static", &["-static"])] {
        let program = compiled(&home, &format!("{name}-work"), WORK_C, options);
        home.up(name, &["--trace-signals", "--restart", "never"], &format!("exec {}", program.display()));
        let (last, text) = output(&home, name);
        assert_eq!(text, want, "{name}");
        assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &7.into()), "{last}");
        let told: Vec<&Value> = last["signals"].as_array().unwrap().iter().map(|record| &record["signal"]).collect();
        assert_eq!(told, ["SIGUSR2", "SIGUSR2"], "those from its children to it; its own and theirs are not: {last}");
    }
}

#[test]
fn an_abort_is_from_the_program_itself_in_whichever_thread_it_happens() {
    let home = Home::new();
    let source = "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
                  static void *end(void *x) { abort(); return x; }\n\
                  int main(int c, char **v) { pthread_t t; (void)v; if (c > 1) pthread_create(&t, 0, end, 0); else abort(); for (;;) pause(); }\n";
    let program = compiled(&home, "aborts", source, &[]);
    for (name, words) in [("leader", ""), ("thread", " x")] {
        home.up(name, &["--trace-signals", "--restart", "never"], &format!("exec {}{words}", program.display()));
        let last = last_exit(&home, name);
        assert_eq!(last["cause"]["signal"], "SIGABRT", "{last}");
        assert_eq!(last["signals"][0]["sender"]["itself"], true, "{last}");
        assert!(home.ok(&["why", name]).contains("SIGABRT from itself"));
    }
}

#[test]
fn a_fault_is_from_the_kernel_and_from_nobody_else() {
    let home = Home::new();
    let source = "#include <pthread.h>\nstatic void *end(void *x) { *(volatile int *)8 = 1; return x; }\n\
                  int main(void) { pthread_t t; pthread_create(&t, 0, end, 0); pthread_join(t, 0); }\n";
    let program = compiled(&home, "faults", source, &[]);
    home.up("bot", &["--trace-signals", "--restart", "never"], &format!("exec {}", program.display()));
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["signal"], &last["signals"][0]["sender"]), (&"SIGSEGV".into(), &Value::Null), "{last}");
    assert!(home.ok(&["why", "bot"]).contains("SIGSEGV from the kernel"));
}

#[test]
fn a_stopped_program_stays_stopped_and_goes_on_when_it_is_continued() {
    let home = Home::new();
    home.up("bot", &["--trace-signals"], "i=0; while :; do i=$((i+1)); echo $i >> beats; sleep 0.01; done");
    home.has_lines("beats", 3);
    let pid = home.pid("bot");
    let state =
        || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().rsplit_once(") ").unwrap().1[..1].to_owned();
    signal(pid, Signal::SIGSTOP);
    until("it is stopped", || matches!(state().as_str(), "T" | "t"));
    let beats = home.lines("beats").len();
    home.run(&["healthcheck"]);
    assert!(matches!(state().as_str(), "T" | "t"));
    assert_eq!(home.lines("beats").len(), beats);
    signal(pid, Signal::SIGCONT);
    home.has_lines("beats", beats + 3);
}

#[test]
fn a_traced_program_runs_on_untraced_when_its_shim_is_killed() {
    let home = Home::new();
    home.up("bot", &["--trace-signals"], "i=0; while :; do i=$((i+1)); echo $i >> beats; sleep 0.01; done");
    home.has_lines("beats", 3);
    let pid = home.pid("bot");
    kill_together(&[home.shim_pid("bot")]);
    let beats = home.lines("beats").len();
    home.has_lines("beats", beats + 5);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(alive(pid) && status.contains("TracerPid:\t0\n"), "{status}");
}

#[test]
fn of_a_storm_of_signals_the_first_and_the_last_are_kept() {
    let home = Home::new();
    let line = "trap : RTMIN+5; trap 'exit 4' TERM; echo up > up; while :; do sleep 0.01; done";
    home.up("bot", &["--trace-signals", "--restart", "never"], &format!("exec bash -c \"{line}\""));
    home.has_lines("up", 1);
    // A standard signal overtakes real-time ones that wait.
    let storm = format!(
        "i=0; while [ $i -lt 300 ]; do kill -RTMIN+5 {0}; i=$((i+1)); done; \
         while ! grep -q 'ShdPnd:.0000000000000000' /proc/{0}/status; do sleep 0.01; done; kill -TERM {0}",
        home.pid("bot")
    );
    let mut killer = home.other_command("/bin/bash".as_ref());
    killer.args(["-c", &storm]);
    finish(killer).expect(0);
    let last = last_exit(&home, "bot");
    let newest = last["signals"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["cause"]["code"], &newest["signal"]), (&4.into(), &"SIGTERM".into()), "{last}");
    assert_eq!(home.json(&["why", "bot"])["signals_seen"], 301);
    until("its end is in the history", || home.kinds("bot").contains(&"exited".to_owned()));
    let kept = home.kinds("bot").iter().filter(|kind| *kind == "signal").count();
    assert_eq!(kept, 64, "the first 32 and the last 32");
}

#[test]
fn a_signal_from_another_user_names_that_user_and_a_sigkill_that_cannot_be_known_says_why() {
    let home = Home::of_user();
    let user = plain_user();
    let options = ["--trace-signals", "--restart", "never"];
    home.up("bot", &options, "trap 'exit 4' TERM; while :; do sleep 0.01; done");
    let mut killer = Command::new("/bin/sh"); // root
    killer.args(["-c", &format!("kill -TERM {}", home.pid("bot"))]);
    finish(killer).expect(0);
    let last = last_exit(&home, "bot");
    assert_eq!((&last["signals"][0]["sender"]["uid"], &last["cause"]["code"]), (&0.into(), &4.into()), "{last}");

    home.up("own", &options, "trap 'exit 4' TERM; while :; do sleep 0.01; done");
    let mut killer = home.other_command("/bin/sh".as_ref());
    killer.args(["-c", &format!("kill -TERM {}", home.pid("own"))]);
    finish(killer).expect(0);
    assert_eq!(last_exit(&home, "own")["signals"][0]["sender"]["uid"], user.uid.as_raw());

    home.up("third", &options, "exec sleep 1000");
    signal(home.pid("third"), Signal::SIGKILL);
    let last = last_exit(&home, "third");
    assert_eq!((&last["cause"]["signal"], &last["signals"]), (&"SIGKILL".into(), &Value::Array(Vec::new())), "{last}");
    assert_eq!(home.json(&["why", "third"])["sender_unknown"], "not_root");
}

/// Runs a command whose whole offspring is refused `ptrace`, as some containers do it.
const WITHOUT_PTRACE: &str = "import ctypes, os, platform, struct, sys\n\
    number = {'x86_64': 101, 'aarch64': 117}[platform.machine()]\n\
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]\n\
    code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))\n\
    program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(steps), ctypes.addressof(code)))\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    assert libc.prctl(38, 1, 0, 0, 0) == 0\n\
    assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()\n\
    os.execv(sys.argv[1], sys.argv[1:])\n";

#[test]
fn tracing_that_is_refused_is_said_at_the_start_and_by_why_and_the_program_runs() {
    let home = Home::new();
    let mut command = home.other_command(PYTHON.as_ref());
    command.args(["-c", WITHOUT_PTRACE]).arg(home.program());
    command.args(["register", "bot", "--trace-signals", "--restart", "never", "--start", "--", "exec sleep 1000"]);
    finish(command).expect(0).complains("cannot be traced");
    signal(home.pid("bot"), Signal::SIGKILL);
    last_exit(&home, "bot");
    let why = home.ok(&["why", "bot"]);
    assert!(why.contains("refused"), "{why}");
    assert!(home.json(&["why", "bot"])["untraced"].is_string());
    assert_eq!(home.json(&["why", "bot"])["sender_unknown"].is_null(), kernel_keeps_a_record());
}
