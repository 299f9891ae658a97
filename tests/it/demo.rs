//! `demo`: the tour tells the truth, is short, and leaves nothing.

use std::fs;

use crate::home::Home;
use crate::procs::{carrying, until};

#[test]
fn the_demo_murders_a_bot_shows_the_certificate_and_leaves_nothing() {
    let mut home = Home::new();
    let temporary = home.path("tmp");
    fs::create_dir(&temporary).unwrap();
    home.set_env("TMPDIR", temporary.to_str().unwrap());
    let mark = home.path("demo").to_str().unwrap().to_owned();
    home.set_env("DEMO_MARK", &mark);
    let shown = home.ok(&["demo"]);
    for expected in ["SIGTERM", "premature", "8h", "restart"] {
        assert!(shown.contains(expected), "no `{expected}` in:\n{shown}");
    }
    until("no process is left", || carrying(&format!("DEMO_MARK={mark}")).is_empty());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!home.root().exists(), "it touched the user's own home");
}

#[test]
fn the_demo_works_for_a_user_who_is_not_root() {
    let home = Home::of_user();
    home.run(&["demo"]).expect(0);
}

#[test]
fn completions_and_man_page_are_printed() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.ok(&["completions", shell]).contains("GUARDIAN_COMPLETE"), "{shell}");
    }
    let man = home.ok(&["man"]);
    assert!(man.starts_with(".ie") || man.contains(".TH guardian"), "{man}");
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::new();
    for command in [
        "register",
        "deregister",
        "start",
        "stop",
        "restart",
        "status",
        "healthcheck",
        "logs",
        "events",
        "why",
        "wait",
        "reset",
        "init",
        "config",
        "demo",
        "install",
        "uninstall",
        "completions",
        "man",
        "alerts",
    ] {
        let help = home.ok(&[command, "--help"]);
        assert!(help.contains("xample"), "`guardian {command} --help` has no example");
    }
}
