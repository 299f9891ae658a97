//! `prune`: what deregistered processes left goes; nothing that is registered, lives or lies elsewhere does.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{signal, until};

/// Every file below the state directory whose path has this in it.
fn traces(home: &Home, of: &str) -> Vec<PathBuf> {
    let mut left = vec![home.state_dir()];
    let mut found = Vec::new();
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                left.push(path.clone());
            }
            if path.strip_prefix(home.state_dir()).unwrap().to_str().unwrap().contains(of) {
                found.push(path);
            }
        }
    }
    found
}

/// A job that has run, and is not registered any more.
fn gone(home: &Home, name: &str) {
    home.up(name, &["--target", "exit"], "echo some output");
    home.reaches(name, "completed");
    home.ok(&["deregister", name]);
}

fn removed(pruned: &Value) -> Vec<String> {
    let listed = pruned["processes"]["listed"].as_array().unwrap();
    listed.iter().map(|gone| gone["name"].as_str().unwrap().to_owned()).collect()
}

fn age(path: &Path, days: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(days * 86_400);
    file.set_times(fs::FileTimes::new().set_modified(then)).unwrap();
}

#[test]
fn all_that_a_deregistered_process_left_goes_and_a_registered_one_keeps_everything() {
    let home = Home::new();
    home.up("stays", &[], "echo here; exec sleep 1000");
    gone(&home, "left");
    gone(&home, "left.too");
    let before = traces(&home, "stays");
    let dry = home.json(&["prune", "--dry-run"]);
    assert_eq!(removed(&dry), ["left", "left.too"]);
    assert!(dry["removed"]["bytes"].as_u64().unwrap() > 0 && dry["dry_run"] == true, "{dry}");
    assert!(!traces(&home, "left").is_empty(), "a dry run removes nothing");
    let said = home.ok(&["prune"]);
    assert!(said.contains("left.too: ") && said.contains("2 processes"), "{said}");
    assert!(traces(&home, "left").is_empty(), "{:?}", traces(&home, "left"));
    assert_eq!(traces(&home, "stays"), before);
    assert_eq!(home.state("stays"), "running");
    assert_eq!(removed(&home.json(&["prune"])), [""; 0], "twice is once");
}

#[test]
fn only_what_is_named_goes_and_only_what_is_older() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        gone(&home, name);
    }
    assert_eq!(removed(&home.json(&["prune", "--older-than", "1d"])), [""; 0]);
    for file in traces(&home, "b").into_iter().filter(|path| path.is_file()) {
        age(&file, 40);
    }
    assert_eq!(removed(&home.json(&["prune", "--older-than", "30d"])), ["b"]);
    assert_eq!(removed(&home.json(&["prune", "c", "nobody"])), ["c"]);
    assert_eq!(removed(&home.json(&["prune"])), ["a"]);
}

#[test]
fn what_lives_without_an_entry_is_kept_and_that_is_said() {
    let home = Home::new();
    home.up("x", &[], "exec sleep 1000");
    let pid = home.pid("x");
    let registry = home.registry();
    home.write_registry("");
    let pruned = home.json(&["prune"]);
    assert_eq!(removed(&pruned), [""; 0]);
    assert_eq!(pruned["kept"]["listed"][0]["name"], "x", "{pruned}");
    home.write_registry(registry);
    assert_eq!(home.pid("x"), pid);
}

#[test]
fn nothing_goes_while_its_lock_is_held() {
    let home = Home::new();
    gone(&home, "x");
    let lock = home.state_dir().join("process/x/lock");
    let file = fs::File::options().write(true).open(lock).unwrap();
    file.lock().unwrap();
    let pruned = home.json(&["prune"]);
    assert_eq!((removed(&pruned).len(), &pruned["kept"]["count"]), (0, &Value::from(1)), "{pruned}");
    drop(file);
    assert_eq!(removed(&home.json(&["prune"])), ["x"]);
}

#[test]
fn a_registry_that_does_not_say_what_is_registered_lets_nothing_go() {
    let home = Home::new();
    gone(&home, "x");
    home.write_registry("[process.x");
    home.run(&["prune"]).expect(78);
    fs::remove_file(home.registry_path()).unwrap();
    home.run(&["prune"]).expect(5).complains("nobody can tell what was deregistered");
    home.write_registry("[process.x]\nnonsense = 1\n");
    home.run(&["prune"]).expect(0);
    assert!(!traces(&home, "process/x").is_empty(), "an entry that is not valid is one");
}

#[test]
fn links_are_not_followed() {
    let home = Home::new();
    gone(&home, "left");
    gone(&home, "y");
    let outside = home.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "kept").unwrap();
    symlink(outside.join("precious"), home.state_dir().join("process/left/run/7.rec")).unwrap();
    symlink(outside.join("precious"), home.state_dir().join("sentinel/left.result")).unwrap();
    fs::remove_dir_all(home.state_dir().join("process/y/run")).unwrap();
    symlink(&outside, home.state_dir().join("process/y/run")).unwrap();
    home.run(&["prune"]).expect(5).complains("is a symbolic link");
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "kept");
    assert!(traces(&home, "left").is_empty(), "the links themselves went");
}

#[test]
fn runs_beyond_retention_go_and_those_that_certificates_are_asked_of_stay() {
    let home = Home::new();
    home.ok(&["register", "x", "--target", "exit", "--restart", "never", "--", "exit 0"]);
    for _ in 0..4 {
        home.ok(&["start", "x"]);
        home.reaches("x", "completed");
    }
    let run = |file: &str| home.state_dir().join("process/x/run").join(file);
    for number in 1..=4 {
        age(&run(&format!("{number}.rec")), 40);
    }
    assert_eq!(home.json(&["prune"])["runs"], 0);
    assert_eq!(home.json(&["prune", "--older-than", "50d"])["runs"], 0);
    assert_eq!(home.json(&["prune", "--older-than", "30d"])["runs"], 3);
    assert!(!run("3.rec").exists() && !run("1.tree").exists());
    assert_eq!(home.json(&["why", "x"])["run"], 4);
}

#[test]
fn alerts_that_were_given_up_go_after_their_time_and_others_stay() {
    let home = Home::new();
    home.write_registry("[sinks.nowhere]\ntype = 'command'\ncommand = ['/bin/false']\n");
    home.up("x", &["--restart", "never"], "exit 3");
    home.reaches("x", "dead");
    let outbox = home.state_dir().join("outbox");
    let waiting = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&outbox).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
    };
    until("an alert waits", || !waiting().is_empty());
    let entry = waiting().remove(0);
    fs::create_dir_all(outbox.join("dead")).unwrap();
    let dead = outbox.join("dead").join(entry.file_name().unwrap());
    fs::rename(&entry, &dead).unwrap();
    assert_eq!(home.json(&["prune"])["alerts"], 0);
    assert_eq!(home.json(&["prune", "y", "--older-than", "0s"])["alerts"], 0);
    assert_eq!(home.json(&["prune", "--older-than", "0s"])["alerts"], 1);
    assert!(!dead.exists());
}

#[test]
fn killed_at_any_moment_it_goes_on_the_next_time_and_touches_nothing_else() {
    let home = Home::new();
    home.up("stays", &[], "exec sleep 1000");
    let mut whole = false;
    for nth in 1..60 {
        gone(&home, "left");
        let mut prune = Command::new("strace");
        prune
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("inject=unlink,unlinkat,rmdir:signal=KILL:when={nth}"));
        prune.arg(home.program()).arg("prune").env_clear().envs(home.env()).process_group(0);
        let status = prune.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        home.run(&["prune"]).expect(0);
        assert!(traces(&home, "left").is_empty(), "killed at removal {nth}: {:?}", traces(&home, "left"));
        whole = status.success();
        if whole {
            break;
        }
    }
    assert!(whole, "the last one was not killed");
    assert_eq!(home.state("stays"), "running");
    signal(home.pid("stays"), Signal::SIGTERM);
}

#[test]
fn a_name_that_was_pruned_begins_anew() {
    let home = Home::new();
    gone(&home, "x");
    home.ok(&["prune"]);
    home.up("x", &["--target", "exit"], "echo again");
    home.reaches("x", "completed");
    assert_eq!(home.json(&["why", "x"])["run"], 1);
    assert_eq!(home.ok(&["logs", "x"]), "again\n");
}

#[test]
fn a_key_of_run_once_never_runs_twice_whatever_was_pruned() {
    let home = Home::new();
    let count = home.path("count");
    let line = format!("echo ran >>{}; exit 3", count.display());
    let once = ["run", "--name", "x", "--once", "key", "--restart", "never", "--", &line];
    home.run(&once).expect(3);
    home.ok(&["deregister", "x"]);
    assert_eq!(removed(&home.json(&["prune"])), ["x"]);
    home.run(&once).expect(3);
    assert_eq!(home.lines("count").len(), 1);
}

#[test]
fn control_groups_that_a_deregistered_process_left_go_and_those_of_others_stay() {
    let home = Home::new();
    home.ok(&["register", "stays", "--", "true"]);
    gone(&home, "left");
    let groups = |name: &str| guardian::os::cgroup::of_run(&home.state_dir(), name, 7);
    let place = |group: &str| {
        let tops = ["", "unified", "memory"].map(|top| Path::new("/sys/fs/cgroup").join(top));
        tops.map(|top| top.join(group.trim_start_matches('/')))
    };
    let make = |group: &str| place(group).into_iter().filter(|group| fs::create_dir(group).is_ok()).count();
    let made = [make(&groups("left")), make(&groups("stays"))];
    let there = |name: &str| place(&groups(name)).iter().filter(|group| group.is_dir()).count();
    assert_eq!([there("left"), there("stays")], made, "none where control groups cannot be made");
    let pruned = home.json(&["prune"]);
    assert_eq!(pruned["groups"], usize::from(made[0] > 0), "{pruned}");
    assert_eq!([there("left"), there("stays")], [0, made[1]]);
    place(&groups("stays")).iter().for_each(|group| drop(fs::remove_dir(group)));
}
