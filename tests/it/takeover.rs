//! A shim that is killed: its program is taken over by a new one, its end is known all the same, and nothing is doubled.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, number};
use crate::procs::{alive, eventually, kill_together, parent, signal, until};

/// Kills the shim of `name` and has a pass take the program over; pids of the program and of its new shim.
fn taken_over(home: &Home, name: &str) -> (i32, i32) {
    let (shim, program) = (home.shim_pid(name), home.pid(name));
    kill_together(&[shim]);
    home.run(&["healthcheck"]);
    let status = home.status(name);
    assert_eq!((&status["state"], number(&status["pid"])), (&"running".into(), program), "{status}");
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

#[test]
fn a_program_whose_shim_was_killed_gets_a_new_one_and_its_true_end_is_recorded() {
    let cases =
        [("exit 3", "exited", "code", Value::from(3)), ("kill -KILL $$", "signaled", "signal", "SIGKILL".into())];
    for (line, kind, key, value) in cases {
        let home = Home::new();
        home.up("bot", &["--restart", "never"], &format!("while ! [ -e end ]; do sleep 0.01; done; {line}"));
        let (program, shim) = taken_over(&home, "bot");
        assert_eq!(parent(shim), 1);
        std::fs::write(home.path("end"), "").unwrap();
        let last = last_exit(&home, "bot");
        assert!(!alive(program));
        assert_eq!((&last["cause"]["kind"], &last["cause"][key]), (&kind.into(), &value), "{last}");
        assert!(last["ran_s"].is_number(), "{last}");
        until("the new shim ends, too", || !alive(shim));
        let why = home.ok(&["why", "bot"]);
        assert!(why.contains("a new one took it over"), "{why}");
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
