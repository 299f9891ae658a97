//! A process that runs already comes under guardian: watched, its end recorded, started again; and what cannot be taken is refused.

use std::fs;

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON, finish, number};
use crate::procs::{alive, eventually, now_ms, parent, signal, until};
use crate::senders::last_exit;
use crate::strays::{Session, strays};

#[test]
fn an_adopted_process_is_watched_its_end_is_recorded_and_the_next_run_begins_as_the_first_did() {
    let mut home = Home::new();
    home.set_env("COLOUR", "green");
    let session = Session::new(&home);
    let bot =
        "import os, sys, time; open('runs', 'a').write(f'{os.getpid()} {os.getcwd()} {os.environ[\"COLOUR\"]}\\n')
while not os.path.exists('end'): time.sleep(0.01)
os._exit(9)";
    let script = home.script("bot.py", bot);
    let written = now_ms();
    until("the script is older than its process", || now_ms() > written + 100);
    let pid = session.leave(&home, &format!("/usr/bin/python3 {}", script.display()));
    home.has_lines("runs", 1);
    let adopted = home.json(&["adopt", "bot", "--pid", &pid.to_string(), "--restart", "on-failure", "--backoff", "0s"]);
    assert_eq!((number(&adopted["pid"]), &adopted["watched"]), (pid, &true.into()), "{adopted}");
    assert_eq!(adopted["output"], home.path("out").to_str().unwrap());
    let status = home.status("bot");
    assert_eq!((&status["state"], number(&status["pid"])), (&"running".into(), pid), "{status}");
    assert_eq!(parent(home.shim_pid("bot")), 1);
    assert!(strays(&home, &session, "0s").is_empty(), "it is none any more");
    assert_eq!(home.kinds("bot"), ["started"], "no shim was lost");
    let meta = home.state_dir().join("process/bot/run/1.meta");
    let known = |part: &str| -> serde_json::Value {
        let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(&meta).unwrap()).unwrap();
        meta.pointer(part).unwrap_or_else(|| panic!("no {part} in {meta}")).clone()
    };
    until("what it was started with is known", || known("/input/sha256").is_string());
    assert_eq!(known("/input/path"), script.to_str().unwrap());
    assert_eq!(known("/program/path"), std::fs::read_link(format!("/proc/{pid}/exe")).unwrap().to_str().unwrap());
    assert_eq!(known("/command/argv"), serde_json::json!(["/usr/bin/python3", script]));
    assert_eq!(known("/cwd"), std::fs::canonicalize(home.path("")).unwrap().to_str().unwrap());
    assert!(known("/environment").as_array().unwrap().contains(&"COLOUR".into()));
    assert!(known("/rlimits/nofile/0").is_number() && known("/uid") == 0 && known("/git").is_null());
    assert!(known("/asked").is_null(), "who adopted it did not start it");
    std::fs::write(home.path("end"), "").unwrap();
    let last = last_exit(&home, "bot");
    assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &9.into()), "{last}");
    assert!(!alive(pid));
    let why = home.ok(&["why", "bot", "--run", "1"]);
    assert!(why.contains("it ran already when guardian adopted it") && !why.contains("was killed"), "{why}");
    let runs = home.has_lines("runs", 2);
    let words = |line: &str| line.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&runs[1]), words(&runs[0]), "directory and environment are the same");
    let environ = |pid: &str| std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let second = runs[1].split(' ').next().unwrap();
    let marked = environ(second).split(|byte| *byte == 0).any(|variable| variable.starts_with(b"CODEX_THREAD_ID="));
    assert!(!marked, "the agent's session is not passed on");
}

#[test]
fn an_adopted_process_is_stopped_and_outlives_its_shim_as_any_other() {
    let home = Home::new();
    let session = Session::new(&home);
    let pid = session.leave(&home, "sleep 1000");
    home.ok(&["adopt", "bot", "--pid", &pid.to_string(), "--target", "8h"]);
    let shim = home.shim_pid("bot");
    signal(shim, Signal::SIGKILL);
    until("its shim is gone", || !alive(shim));
    eventually("it gets another one", || {
        home.run(&["healthcheck"]);
        (home.state("bot") == "running" && home.shim_pid("bot") != shim).then_some(())
    });
    assert_eq!(home.pid("bot"), pid);
    home.ok(&["stop", "bot"]);
    assert!(!alive(pid));
    assert_eq!(home.state("bot"), "stopped");
    home.ok(&["start", "bot"]);
    assert_ne!(home.pid("bot"), pid);
}

#[test]
fn what_cannot_be_adopted_is_refused_by_its_name_and_left_as_it_is() {
    let home = Home::new();
    let session = Session::new(&home);
    home.up("bot", &[], "sleep 1000 & echo $! >child; wait");
    let child = home.has_lines("child", 1)[0].clone();
    let adopt = |name: &str, pid: &str, code: i32, says: &str| {
        home.run(&["adopt", name, "--pid", pid]).expect(code).complains(says);
    };
    adopt("other", &home.pid("bot").to_string(), 5, "guarded already, as `bot`");
    adopt("other", &child, 5, "guarded already, as `bot`");
    adopt("other", &home.shim_pid("bot").to_string(), 5, "guardian's own");
    adopt("other", "1", 5, "is init");
    adopt("other", &i32::MAX.to_string(), 3, "there is no process");
    let threads = "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); time.sleep(1000)";
    let process = session.leave(&home, &format!("{PYTHON} -c '{threads}'"));
    let task = format!("/proc/{process}/task");
    let thread = || -> Option<i32> {
        let ids = fs::read_dir(&task).ok()?.filter_map(|id| id.ok()?.file_name().to_str()?.parse().ok());
        ids.into_iter().find(|id| *id != process)
    };
    until("it has a thread", || thread().is_some());
    adopt("other", &thread().unwrap().to_string(), 5, &format!("is a thread of process {process}"));
    let pid = process.to_string();
    adopt("bot", &pid, 5, "another spec");
    assert!(!home.registry().contains("other"), "nothing was registered");
    let second = Home::new();
    second.run(&["adopt", "x", "--pid", &home.pid("bot").to_string()]).expect(5).complains("another home");
    let user = Home::of_user();
    let refused = user.run(&["adopt", "x", "--pid", &pid]);
    // Mounted with `hidepid`, `/proc` does not show him that there is one.
    let says = [(5, "belongs to uid 0"), (3, "there is no process")];
    assert!(says.iter().any(|(code, said)| refused.code == *code && refused.stderr.contains(said)), "{refused:?}");
    finish(home.command(&["adopt", "bot2", "--pid", &pid, "--", "sleep", "2000"])).expect(0);
    assert!(home.registry().contains("\"2000\""), "a command that is given counts");
}

#[test]
fn who_adopts_cannot_be_adopted_and_saying_it_twice_is_saying_it_once() {
    let home = Home::new();
    let session = Session::new(&home);
    let me = std::process::id().to_string();
    home.run(&["adopt", "me", "--pid", &me]).expect(5).complains("gives this very command");
    let pid = session.leave(&home, "sleep 1000").to_string();
    home.ok(&["adopt", "bot", "--pid", &pid]);
    assert!(home.ok(&["adopt", "bot", "--pid", &pid]).contains("guarded already"));
    home.run(&["adopt", "other", "--pid", &pid]).expect(5).complains("guarded already, as `bot`");
    assert!(!home.registry().contains("other") && !home.registry().contains("me]"));
}

#[test]
fn one_process_that_many_adopt_at_once_under_different_names_has_one_of_them() {
    let home = Home::new();
    let session = Session::new(&home);
    let pid = session.leave(&home, "sleep 1000").to_string();
    let callers: Vec<_> =
        (0..6).map(|number| home.command(&["adopt", &format!("n{number}"), "--pid", &pid]).spawn().unwrap()).collect();
    let codes: Vec<_> = callers.into_iter().map(|mut caller| caller.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(home.registry().matches("[process.").count(), 1, "{}", home.registry());
}
