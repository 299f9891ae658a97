//! Where runs live: groups of their own, the limits kept there, what they prove of an end, and who is still found in them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, number};
use crate::procs::{alive, eventually, kill_together, signal, until};

/// Where control groups may be mounted that runs are put into.
const MOUNTS: [&str; 5] =
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu"];

/// The group of a running process, from the root of its hierarchy.
#[track_caller]
fn group_of(home: &Home, name: &str) -> String {
    let isolation = home.status(name)["isolation"].clone();
    isolation["cgroup"].as_str().unwrap_or_else(|| panic!("no control group: {isolation}; needs root")).to_owned()
}

/// Where a group lies, in each hierarchy that has it.
fn places(group: &str) -> Vec<PathBuf> {
    let places = MOUNTS.iter().map(|mount| Path::new(mount).join(group.trim_start_matches('/')));
    places.filter(|place| place.join("cgroup.procs").exists()).collect()
}

fn members(place: &Path) -> Vec<i32> {
    let text = fs::read_to_string(place.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Whether a process is in a group, in any hierarchy.
fn is_in(pid: i32, group: &str) -> bool {
    places(group).iter().any(|place| members(place).contains(&pid))
}

#[track_caller]
fn last_exit(home: &Home, name: &str) -> Value {
    eventually("an end is known", || {
        let last = home.status(name)["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn a_run_has_a_group_of_its_own_that_its_shim_is_not_in_and_that_is_gone_after_the_end() {
    let home = Home::new();
    home.up("bot", &[], "sleep 1000 & wait");
    let status = home.status("bot");
    assert_eq!(status["isolation"]["level"], "cgroup");
    assert!(status["isolation"]["why"].is_null(), "{status}");
    let group = group_of(&home, "bot");
    let (shim, bot) = (home.shim_pid("bot"), home.pid("bot"));
    for place in places(&group) {
        until("its child is in it as well", || members(&place).len() == 2);
        assert!(members(&place).contains(&bot) && !members(&place).contains(&shim), "{}", place.display());
    }
    assert!(!places(&group).is_empty());
    home.ok(&["stop", "bot"]);
    assert_eq!(places(&group), Vec::<PathBuf>::new());
}

#[test]
fn start_tells_the_isolation_in_json_and_says_nothing_of_the_best() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "exec sleep 1000"]);
    let said = home.run(&["start", "bot"]).expect(0);
    assert!(said.stdout.lines().count() == 1 && said.stderr.is_empty(), "{said:?}");
    let again = home.json(&["start", "bot"]);
    assert_eq!(again["processes"][0]["isolation"]["level"], "cgroup", "{again}");
}

#[test]
fn more_tasks_than_allowed_are_refused_to_the_program() {
    let home = Home::new();
    let script = home.script(
        "many.py",
        "import os, sys, time\nmade = 0\ntry:\n    for _ in range(40):\n        if os.fork() == 0:\n            time.sleep(1000)\n        made += 1\nexcept BlockingIOError:\n    pass\nopen(sys.argv[1], 'w').write(f'{made}\\n')\ntime.sleep(1000)\n",
    );
    let line = format!("exec {PYTHON} {} {}", script.display(), home.path("made").display());
    home.up("bomb", &["--tasks", "8"], &line);
    assert_eq!(home.has_lines("made", 1), ["7"]);
    assert!(alive(home.shim_pid("bomb")));
    home.ok(&["stop", "bomb", "--grace", "0s"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
}

/// A program that takes 400 MiB, if it gets them.
fn hog(home: &Home) -> String {
    let script = home.script(
        "hog.py",
        "import time\nall = []\nfor _ in range(100):\n    all.append(b'x' * (4 << 20))\ntime.sleep(1000)\n",
    );
    format!("exec {PYTHON} {}", script.display())
}

#[test]
fn a_program_over_its_memory_is_killed_by_the_kernel_alone_and_the_limit_is_the_cause() {
    let home = Home::new();
    home.up("hog", &["--memory", "64M", "--backoff", "0s", "--max-failures", "0"], &hog(&home));
    let last = last_exit(&home, "hog");
    assert_eq!(last["cause"]["kind"], "oom_killed", "{last}");
    assert_eq!(last["cause"]["limit_bytes"], 64 << 20, "{last}");
    assert_eq!(last["verdict"], "premature");
    until("it is started again", || home.status("hog")["run"].as_i64() > Some(1));
    let shown = home.run(&["why", "hog", "--run", "1"]).expect(0).stdout;
    assert!(shown.contains("limit of 64M"), "{shown}");
    home.ok(&["stop", "hog", "--grace", "0s"]);
}

#[test]
fn a_child_that_ran_out_of_memory_does_not_speak_for_a_program_that_ended_by_itself() {
    let home = Home::new();
    let line = format!("({}); exit 5", hog(&home));
    home.up("parent", &["--memory", "64M", "--restart", "never"], &line);
    home.reaches("parent", "dead");
    let last = last_exit(&home, "parent");
    assert_eq!((&last["cause"]["kind"], &last["cause"]["code"]), (&"exited".into(), &5.into()), "{last}");
    let shown = home.run(&["why", "parent"]).expect(0).stdout;
    assert!(shown.contains("1 process of it was killed"), "{shown}");
}

#[test]
fn a_busy_loop_gets_the_share_of_a_processor_that_it_is_allowed() {
    let home = Home::new();
    // CPU time over two seconds of its own, in per cent of one processor.
    let script = home.script(
        "busy.py",
        "import sys, time\nbegan, used = time.monotonic(), time.process_time()\nwhile time.monotonic() - began < 2: pass\nopen(sys.argv[1], 'w').write(f'{(time.process_time() - used) * 50:.0f}\\n')\ntime.sleep(1000)\n",
    );
    let line = format!("exec {PYTHON} {} {}", script.display(), home.path("share").display());
    home.up("busy", &["--cpu", "0.2"], &line);
    let share: i32 = home.has_lines("share", 1)[0].parse().unwrap();
    assert!(share <= 40, "{share} % of a processor");
    home.ok(&["stop", "busy", "--grace", "0s"]);
}

#[test]
fn with_isolation_session_no_group_is_touched() {
    let home = Home::new();
    home.up("bot", &["--isolation", "session"], "exec sleep 1000");
    let status = home.status("bot");
    assert_eq!(status["isolation"]["level"], "session");
    let group = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert_eq!([group(home.pid("bot")), group(home.shim_pid("bot"))], [own.clone(), own]);
}

#[test]
fn limits_that_nobody_keeps_are_said_at_the_start() {
    let home = Home::new();
    home.ok(&[
        "register",
        "bot",
        "--isolation",
        "session",
        "--tasks",
        "5",
        "--cpu",
        "1",
        "--memory",
        "1G",
        "--",
        "exec sleep 1000",
    ]);
    home.run(&["start", "bot"])
        .expect(0)
        .complains("`cpu` is not kept")
        .complains("`tasks` is not kept")
        .complains("`memory` is watched by");
}

#[test]
fn a_plain_user_gets_a_session_with_the_reason_or_with_scope_a_failed_start() {
    let home = Home::of_user();
    home.up("bot", &[], "exec sleep 1000");
    let isolation = home.status("bot")["isolation"].clone();
    assert_eq!(isolation["level"], "session", "{isolation}");
    assert!(isolation["why"].as_str().unwrap().contains("permission denied"), "{isolation}");
    home.ok(&["register", "strict", "--isolation", "scope", "--restart", "never", "--", "touch ran; exec sleep 1000"]);
    home.run(&["start", "strict"]).expect(1).complains("no control group of its own").complains("hint:");
    assert_eq!(home.status("strict")["last_exit"]["cause"]["kind"], "spawn_failed");
    assert!(!home.path("home/ran").exists());
}

#[test]
fn one_that_cleared_everything_and_lost_its_shim_is_still_found_by_its_group() {
    let home = Home::new();
    // Double fork, no environment, no descriptor: neither descent nor mark nor lock is left.
    let script = home.script(
        "hide.py",
        "import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    os.closerange(0, 256)\n    os.execve('/bin/sleep', ['sleep', '1000'], {})\nos.wait()\ntime.sleep(1000)\n",
    );
    home.up("hider", &[], &format!("exec {PYTHON} {}", script.display()));
    let group = group_of(&home, "hider");
    let main = home.pid("hider");
    let hidden = eventually("it hides", || {
        let inside: Vec<i32> = places(&group).iter().flat_map(|place| members(place)).collect();
        let bare = |pid: &i32| *pid != main && fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| e.is_empty());
        inside
            .into_iter()
            .find(|pid| bare(pid) && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|e| !e.ends_with("python3")))
    });
    signal(home.shim_pid("hider"), Signal::SIGKILL);
    home.reaches("hider", "unsupervised");
    home.ok(&["stop", "hider"]);
    until("it is gone", || !alive(hidden));
    assert_eq!(places(&group), Vec::<PathBuf>::new());
}

#[test]
fn the_next_start_and_the_next_pass_clear_the_groups_of_runs_that_are_over() {
    let home = Home::new();
    home.up("bot", &["--restart", "never"], "exec sleep 1000");
    let group = group_of(&home, "bot");
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    assert!(!places(&group).is_empty());
    home.run(&["healthcheck"]);
    assert_eq!(home.state("bot"), "dead");
    assert_eq!(places(&group), Vec::<PathBuf>::new());

    // What a start that was cut short left is used, what runs before the last one left is removed.
    let at = |run| Path::new("/sys/fs/cgroup/memory").join(earlier(&group, run));
    [2, 3].iter().for_each(|run| fs::create_dir(at(*run)).unwrap());
    home.ok(&["start", "bot"]);
    home.ok(&["restart", "bot"]);
    assert!(is_in(home.pid("bot"), &format!("/{}", earlier(&group, 3))) && !at(2).exists());
    fs::create_dir(at(1)).unwrap();
    home.ok(&["healthcheck"]);
    assert!(!at(1).exists() && at(3).exists());
    home.ok(&["stop", "bot"]);
    assert!(!at(3).exists());
}

fn earlier(group: &str, run: u64) -> String {
    format!("{}.{run}", group.trim_start_matches('/').rsplit_once('.').unwrap().0)
}

#[test]
fn a_process_that_a_managed_one_starts_with_guardian_has_a_group_of_its_own_and_outlives_it() {
    let home = Home::new();
    home.ok(&["register", "child", "--", "exec sleep 1000"]);
    home.up("parent", &[], &format!("{} start child; sleep 1000", home.program().display()));
    home.reaches("child", "running");
    let (parent, child) = (group_of(&home, "parent"), group_of(&home, "child"));
    assert!(parent != child && is_in(home.pid("child"), &child) && !is_in(home.shim_pid("child"), &parent));
    home.ok(&["stop", "parent", "--grace", "0s"]);
    assert_eq!(home.state("child"), "running");
    assert_eq!(number(&home.status("child")["run"]), 1);
}

#[test]
fn a_group_that_something_kept_lived_on_in_is_gone_when_that_was_stopped() {
    let home = Home::new();
    home.up("bot", &["--leftover", "keep", "--restart", "never"], "setsid sleep 1000 & exec sleep 1000");
    let group = group_of(&home, "bot");
    until("both live", || places(&group).iter().all(|place| members(place).len() == 2));
    signal(home.pid("bot"), Signal::SIGKILL);
    home.reaches("bot", "dead");
    assert!(!places(&group).is_empty());
    home.ok(&["stop", "bot"]);
    assert_eq!(places(&group), Vec::<PathBuf>::new());
}
