//! Commands that race each other for one name.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::home::Home;
use crate::procs::{alive, signal, until};

#[test]
fn a_start_that_races_a_deregister_leaves_nothing_that_nobody_knows_of() {
    let home = Home::new();
    for _ in 0..8 {
        home.ok(&["register", "p", "--start", "--", "sleep 997"]);
        let calls: [&[&str]; 4] =
            [&["start", "p"], &["deregister", "p", "--stop"], &["start", "p"], &["healthcheck", "--quiet"]];
        let mut racing: Vec<_> = calls
            .iter()
            .map(|call| home.command(call).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
            .collect();
        for command in &mut racing {
            command.wait().unwrap();
        }
        assert!(!home.registry().contains("process.p"), "{}", home.registry());
        assert_eq!(home.managed(), Vec::<i32>::new(), "lives, and is not registered");
    }
}

#[test]
fn a_shim_that_was_stopped_hides_no_death_longer_than_until_the_next_pass() {
    let home = Home::new();
    home.listen("");
    home.up("bot", &["--healthy-after", "1ms"], "echo up >>ups; exec sleep 1000");
    let (shim, bot) = (home.shim_pid("bot"), home.pid("bot"));
    signal(shim, Signal::SIGSTOP);
    signal(bot, Signal::SIGKILL);
    until("it is dead", || !alive(bot));
    home.run(&["healthcheck", "--quiet"]);
    home.has_lines("ups", 2);
    assert_eq!(home.hears("bot", "premature")["cause"]["signal"], "SIGKILL");
}

#[test]
fn a_program_that_stands_still_hears_the_stop_all_the_same() {
    let home = Home::new();
    home.up(
        "bot",
        &["--grace", "60s"],
        "trap 'echo heard >>heard; exit 0' TERM; touch ready; while :; do sleep 0.05; done",
    );
    until("it can hear", || home.path("ready").exists());
    signal(home.pid("bot"), Signal::SIGSTOP);
    home.ok(&["stop", "bot"]);
    assert_eq!(home.lines("heard").len(), 1);
}
