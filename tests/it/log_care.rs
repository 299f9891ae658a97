//! What becomes of rotated logs: compressed, gone by age, gone for want of room; readers and `--since` go on over all of it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::home::Home;
use crate::procs::until;

fn rotated(home: &Home, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.state_dir().join("log/rotated")).into_iter().flatten().flatten();
    let parts = entries.map(|entry| entry.path());
    let start = format!("{name}.log.");
    let mut parts: Vec<PathBuf> =
        parts.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&start)).collect();
    parts.sort_by_key(|path| {
        path.to_str().unwrap().trim_end_matches(".gz").rsplit('.').next().unwrap().parse::<u32>().unwrap()
    });
    parts
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "gz")
}

fn live(home: &Home, name: &str) -> PathBuf {
    home.state_dir().join(format!("log/{name}.log"))
}

fn write(home: &Home, name: &str, what: &str, count: usize) {
    let text: String = (0..count).map(|nth| format!("{what} {nth:09}\n")).collect();
    OpenOptions::new().append(true).open(live(home, name)).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A pass that looks at rotated parts, whatever the hour: something in their directory has changed.
fn pass(home: &Home) -> Value {
    let touched = home.state_dir().join("log/rotated/touched");
    drop(fs::write(&touched, ""));
    drop(fs::remove_file(&touched));
    home.json(&["healthcheck"])
}

#[test]
fn parts_are_compressed_and_every_reader_and_other_tools_see_the_same_lines() {
    let home = Home::new();
    home.up("x", &["--log-max", "64K", "--log-keep", "1000"], "exec sleep 1000");
    write(&home, "x", "line", 40_000);
    pass(&home);
    pass(&home);
    let parts = rotated(&home, "x");
    assert!(parts.len() > 5 && parts.iter().all(|part| is_packed(part)), "{parts:?}");
    let all: String = (0..40_000).map(|nth| format!("line {nth:09}\n")).collect();
    assert!(home.ok(&["logs", "x", "--run", "1", "--max-bytes", "1G"]) == all, "logs");
    assert_eq!(home.ok(&["logs", "x", "--grep", "000000007$"]), "line 000000007\n");
    assert_eq!(home.ok(&["logs", "x", "-n", "1"]), "line 000039999\n");
    let unpacked = Command::new("gzip").arg("-dc").args(&parts).output().unwrap().stdout;
    assert!(all.as_bytes().starts_with(&unpacked) && unpacked.len() > all.len() / 2, "gzip");
    assert_eq!(home.status("x")["output"]["bytes"], all.len());
}

#[test]
fn they_stay_as_they_are_where_that_is_asked_for() {
    let home = Home::new();
    home.up("x", &["--log-max", "64K", "--log-plain"], "exec sleep 1000");
    write(&home, "x", "line", 20_000);
    pass(&home);
    pass(&home);
    let parts = rotated(&home, "x");
    assert!(!parts.is_empty() && !parts.iter().any(|part| is_packed(part)), "{parts:?}");
}

#[test]
fn since_finds_its_place_in_compressed_parts() {
    let home = Home::new();
    home.up("x", &["--log-max", "64K", "--log-keep", "1000"], "exec sleep 1000");
    write(&home, "x", "early", 10_000);
    pass(&home);
    let between = home.json(&["healthcheck"])["at"].as_str().unwrap().to_owned();
    until("another second", || home.json(&["status"])["at"].as_str().unwrap()[..19] > between[..19]);
    write(&home, "x", "late", 10_000);
    for _ in 0..2 {
        pass(&home);
    }
    assert!(rotated(&home, "x").iter().all(|part| is_packed(part)));
    let since = home.ok(&["logs", "x", "--since", &between, "--max-bytes", "1G"]);
    let late: String = (0..10_000).map(|nth| format!("late {nth:09}\n")).collect();
    assert!(since == late, "{} bytes, beginning {:?}", since.len(), since.get(..40));
    let before = home.ok(&["logs", "x", "--until", &between, "--max-bytes", "1G"]);
    assert!(before.starts_with("early 000000000\n") && !before.contains("late"), "{:?}", before.get(..40));
}

#[test]
fn over_the_total_the_oldest_parts_of_all_go_never_a_live_file_and_that_is_said() {
    let home = Home::new();
    home.write_registry("[logs]\ntotal = '300K'\n[defaults]\nlog_max = '64K'\nlog_plain = true\n");
    for name in ["a", "b"] {
        home.up(name, &[], "exec sleep 1000");
    }
    write(&home, "a", "line", 20_000);
    pass(&home);
    let of_a = rotated(&home, "a").len();
    write(&home, "b", "line", 20_000);
    let said = home.run(&["healthcheck", "--quiet"]).expect(0).stdout;
    assert!(said.contains("rotated parts of") && said.contains("`[logs] total`"), "{said}");
    assert!(rotated(&home, "a").len() < of_a, "the oldest go first");
    assert!(!rotated(&home, "b").is_empty());
    for name in ["a", "b"] {
        assert!(fs::metadata(live(&home, name)).unwrap().len() > 0, "{name}");
        home.run(&["logs", name, "--run", "1", "--max-bytes", "1G"]).expect(0);
    }
    home.run(&["logs", "a", "--run", "1"]).expect(0).complains("are gone by rotation");
    let own = fs::read_to_string(home.state_dir().join("guardian.log")).unwrap();
    assert!(own.contains("all logs together were over 300 KiB"), "{own}");
    let logs = pass(&home)["logs"].clone();
    assert!(logs["bytes"].as_u64().unwrap() <= 300 << 10 && logs["over"] == false, "{logs}");
    home.write_registry(home.registry().replace("300K", "10K"));
    let said = home.run(&["healthcheck"]).expect(0).stdout;
    assert!(rotated(&home, "a").is_empty() || said.contains("warning: logs take"), "{said}");
    let logs = pass(&home)["logs"].clone();
    assert!(logs["over"] == true && logs["total"] == 10 << 10, "{logs}");
    assert!(fs::metadata(live(&home, "a")).unwrap().len() > 0, "what is written to stays");
}

#[test]
fn a_pass_that_finds_nothing_rotated_does_not_look_again() {
    let home = Home::new();
    home.up("x", &["--log-max", "64K"], "exec sleep 1000");
    write(&home, "x", "line", 20_000);
    home.run(&["healthcheck"]).expect(0);
    until("rotation and pass lie apart, and the pass is not the first of its hour", || {
        home.json(&["healthcheck"])["logs"].is_null()
    });
}

#[test]
fn a_log_is_rotated_by_age_and_parts_that_are_too_old_go() {
    let home = Home::new();
    home.up("x", &["--log-every", "2s", "--log-keep-for", "10d"], "exec sleep 1000");
    write(&home, "x", "line", 10);
    home.run(&["healthcheck"]).expect(0);
    assert!(rotated(&home, "x").is_empty(), "it is young");
    until("it is rotated", || {
        home.run(&["healthcheck"]).expect(0);
        !rotated(&home, "x").is_empty()
    });
    assert_eq!(home.ok(&["logs", "x"]).lines().count(), 10);
    write(&home, "x", "more", 10);
    assert_eq!(home.ok(&["logs", "x"]).lines().count(), 20);
    pass(&home);
    let part = rotated(&home, "x").remove(0);
    let file = OpenOptions::new().append(true).open(&part).unwrap();
    let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(11 * 86_400);
    file.set_times(fs::FileTimes::new().set_modified(then)).unwrap();
    assert_eq!(pass(&home)["logs"]["dropped"]["aged"], 1);
    assert!(!part.exists());
    assert!(home.ok(&["logs", "x"]).starts_with("more 000000000\n"));
}
