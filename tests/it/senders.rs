//! Who sent the signal: found in the kernel's own record, told by tracing, or said to be unknown.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish, number};
use crate::procs::{eventually, signal};
use crate::shim::POLITE_BOT;

/// Ends at once after one system call: gone before anybody can look at it.
const QUICK: &str = "#include <signal.h>\n#include <stdlib.h>\n\
    int main(int c, char **v) { return kill(atoi(v[c - 1]), atoi(v[c - 2])); }\n";

/// Compiles a C program into the test's own directory.
pub(crate) fn compiled(home: &Home, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let (path, file) = (home.path(name), home.path(&format!("{name}.c")));
    fs::write(&file, source).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-pthread", "-o"]).arg(&path).arg(&file).args(options);
    finish(gcc).expect(0);
    path
}

/// Runs a program that sends `signal` to `pid` and ends; its pid.
fn sent_quickly(home: &Home, program: &Path, words: &[&str], signal: Signal, pid: i32) -> i32 {
    let mut command = home.other_command(program);
    command.args(words).args([(signal as i32).to_string(), pid.to_string()]);
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    i32::try_from(child.id()).unwrap()
}

/// Whether this machine lets root have a record of signals kept by the kernel.
pub(crate) fn kernel_keeps_a_record() -> bool {
    let tracefs = ["/sys/kernel/tracing/instances", "/sys/kernel/debug/tracing/instances"];
    let initial = fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == 0xEFFF_FFFC);
    let makes = |path: &&str| {
        let own = Path::new(path).join(format!("guardian-it-{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::create_dir(&own).and_then(|()| fs::remove_dir(&own)).is_ok()
    };
    nix::unistd::geteuid().is_root() && initial && tracefs.iter().any(makes)
}

pub(crate) fn last_exit(home: &Home, name: &str) -> Value {
    eventually("an end is known", || {
        let last = home.status(name)["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn a_sigkill_by_a_process_that_was_gone_at_once_is_named_or_said_to_be_unknown() {
    let home = Home::new();
    let quick = compiled(&home, "quick", QUICK, &["-static"]);
    home.up("bot", &["--restart", "never"], "exec sleep 1000");
    let killer = sent_quickly(&home, &quick, &[], Signal::SIGKILL, home.pid("bot"));
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["kind"], &last["cause"]["signal"]), (&"signaled".into(), &"SIGKILL".into()), "{last}");
    let why = home.json(&["why", "bot"]);
    if kernel_keeps_a_record() {
        let record = &last["signals"][0];
        assert_eq!((&record["signal"], &record["to"]), (&"SIGKILL".into(), &"kernel".into()), "{last}");
        assert_eq!((number(&record["sender"]["pid"]), &record["sender"]["comm"]), (killer, &"quick".into()), "{last}");
        let uid = &record["sender"]["uid"];
        assert!(*uid == Value::Null || *uid == 0, "not in the record: null, unless it was still a zombie: {last}");
        assert_eq!(why["sender_unknown"], Value::Null, "{why}");
    } else {
        assert_eq!(last["signals"], Value::Array(Vec::new()), "{last}");
        assert!(why["sender_unknown"].is_string(), "{why}");
        assert!(home.ok(&["why", "bot"]).contains("not known"));
    }
}

#[test]
fn an_untraced_exit_0_after_a_signal_names_it_where_the_kernel_keeps_a_record() {
    let home = Home::new();
    let bot = home.script("bot.py", POLITE_BOT);
    let quick = compiled(&home, "quick", QUICK, &["-static"]);
    let (bot, up) = (bot.to_str().unwrap().to_owned(), home.path("up").to_str().unwrap().to_owned());
    home.ok(&["register", "bot", "--restart", "never", "--start", "--", PYTHON, &bot, &up]);
    home.has_lines("up", 1);
    let killer = sent_quickly(&home, &quick, &[], Signal::SIGTERM, home.pid("bot"));
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &0.into()), "{last}");
    let named = last["signals"].as_array().unwrap().iter().any(|record| record["sender"]["pid"] == killer);
    assert_eq!(named, kernel_keeps_a_record(), "{last}");
}

#[test]
fn guardians_own_stop_is_called_that_and_a_look_alike_is_not() {
    let home = Home::new();
    home.up("bot", &["--trace-signals"], "exec sleep 1000");
    home.ok(&["stop", "bot"]);
    let last = last_exit(&home, "bot");
    assert_eq!(last["signals"][0]["sender"]["guardian"], "stop", "{last}");
    assert!(home.ok(&["why", "bot"]).contains("guardian's own `stop`"));
    home.ok(&["start", "bot"]);
    let run = home.status("bot")["run"].clone();
    home.ok(&["restart", "bot"]);
    let last = last_exit(&home, "bot");
    assert_eq!((&last["run"], &last["signals"][0]["sender"]["guardian"]), (&run, &"restart".into()), "{last}");

    let fake = compiled(&home, "guardian", QUICK, &["-static"]);
    home.up("other", &["--trace-signals", "--restart", "never"], "exec sleep 1000");
    let killer = sent_quickly(&home, &fake, &["stop", "other"], Signal::SIGTERM, home.pid("other"));
    let last = last_exit(&home, "other");
    let sender = &last["signals"][0]["sender"];
    assert_eq!((number(&sender["pid"]), &sender["guardian"]), (killer, &Value::Null), "{last}");
    if kernel_keeps_a_record() {
        assert_eq!(sender["comm"], "guardian", "{last}");
    }
}

#[test]
fn a_pass_that_ends_a_run_at_its_time_limit_is_called_guardians_own() {
    for (options, known) in [(&["--trace-signals"][..], true), (&[], kernel_keeps_a_record())] {
        let home = Home::new();
        // It takes its time, so that the pass may be gone by then.
        let line = "trap 'sleep 0.3; exit 3' TERM; while :; do sleep 0.01; done";
        home.up("bot", &[&["--time-limit", "1s", "--restart", "never"], options].concat(), line);
        let last = last_exit(&home, "bot");
        assert_eq!(last["cause"]["kind"], "time_limit", "{last}");
        let signals = last["signals"].as_array().unwrap();
        let by_a_pass = signals.iter().any(|record| record["sender"]["guardian"] == "pass");
        assert_eq!(by_a_pass, known, "{last}");
    }
}

/// Catches the first SIGTERM; the next one ends it.
const CATCHES_ONE: &str = "import signal, time\n\
    def caught(number, frame):\n    signal.signal(number, signal.SIG_DFL)\n    print('caught', flush=True)\n\
    signal.signal(signal.SIGTERM, caught)\nprint('up', flush=True)\nwhile True: time.sleep(0.05)\n";

#[test]
fn whoever_sent_a_signal_that_was_caught_is_not_named_for_the_one_that_nobody_saw() {
    let home = Home::of_user();
    let bot = home.script("bot.py", CATCHES_ONE);
    home.up(
        "bot",
        &["--restart", "never"],
        &format!("exec {PYTHON} {} >{}", bot.display(), home.path("out").display()),
    );
    home.has_lines("out", 1);
    signal(home.shim_pid("bot"), Signal::SIGTERM);
    home.has_lines("out", 2);
    std::thread::sleep(std::time::Duration::from_millis(2200)); // later than a signal that is passed on can end it
    signal(home.pid("bot"), Signal::SIGTERM);
    let last = last_exit(&home, "bot");
    assert_eq!((&last["signals"][0]["to"], &last["signals"][0]["survived"]), (&"shim".into(), &true.into()), "{last}");
    let why = home.json(&["why", "bot"]);
    assert_eq!(why["sender_unknown"], "not_root", "{why}");
    assert!(home.ok(&["why", "bot"]).contains("cause     SIGTERM from an unknown sender; earlier SIGTERM from "));
}

#[test]
fn a_signal_to_a_thread_is_not_taken_for_an_earlier_one_to_the_process() {
    if !kernel_keeps_a_record() {
        return; // then nobody is named at all
    }
    let home = Home::new();
    let source = "#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n\
        #include <sys/syscall.h>\n\
        static void caught(int s) { signal(s, SIG_DFL); write(1, \"caught\\n\", 7); }\n\
        static void *thread(void *a) { dprintf(1, \"%ld\\n\", syscall(SYS_gettid)); for (;;) pause(); return a; }\n\
        int main(void) { pthread_t t; signal(SIGTERM, caught); pthread_create(&t, 0, thread, 0); for (;;) pause(); }\n";
    let bot = compiled(&home, "bot", source, &[]);
    home.up("bot", &["--restart", "never"], &format!("exec {} >{}", bot.display(), home.path("out").display()));
    let thread: i32 = home.has_lines("out", 1)[0].parse().unwrap();
    let innocent = compiled(&home, "innocent", QUICK, &["-static"]);
    sent_quickly(&home, &innocent, &[], Signal::SIGTERM, home.pid("bot"));
    home.has_lines("out", 2);
    let to_thread =
        QUICK.replace("#include <stdlib.h>", "#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>");
    let to_thread = to_thread.replace("kill(", "syscall(SYS_tkill, ");
    let killer = compiled(&home, "killer", &to_thread, &[]);
    sent_quickly(&home, &killer, &[], Signal::SIGTERM, thread);
    let last = last_exit(&home, "bot");
    assert_eq!(last["cause"]["signal"], "SIGTERM", "{last}");
    let why = home.ok(&["why", "bot"]);
    assert!(why.contains("cause     SIGTERM from an unknown sender; earlier SIGTERM from innocent"), "{why}");
}

#[test]
fn who_sent_a_signal_that_the_program_caught_and_raised_again_is_in_the_cause() {
    let home = Home::new();
    let raises = CATCHES_ONE.replace("print('caught', flush=True)", "import os; os.kill(os.getpid(), number)");
    let bot = home.script("bot.py", &raises);
    home.up(
        "bot",
        &["--trace-signals", "--restart", "never"],
        &format!("exec {PYTHON} {} >{}", bot.display(), home.path("out").display()),
    );
    home.has_lines("out", 1);
    let killer = compiled(&home, "killer", QUICK, &["-static"]);
    let killer = sent_quickly(&home, &killer, &[], Signal::SIGTERM, home.pid("bot"));
    last_exit(&home, "bot");
    let why = home.ok(&["why", "bot"]);
    assert!(
        why.contains("cause     SIGTERM from itself, after SIGTERM from ") && why.contains(&format!("pid {killer}")),
        "{why}"
    );
}
