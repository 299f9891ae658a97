//! What nobody should do and somebody will: odd callers, programs that call guardian themselves, shims that are stopped,
//! files that are lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON, finish};
use crate::procs::{alive, kill_together, signal, until};

/// Orphaned from its parents, without any mark in its environment, deaf to TERM; appends its pid to `FILE`.
fn unmarked(file: &str) -> String {
    format!("setsid env -i /bin/sh -c 'trap \"\" TERM; echo $$ >>{file}; while :; do sleep 0.1; done' &")
}

#[test]
fn a_caller_that_ignores_the_ends_of_children_costs_no_end() {
    let home = Home::new();
    home.listen("");
    let caller =
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])";
    let mut start = home.other_command(Path::new(PYTHON));
    start.args(["-c", caller]).arg(home.program());
    start.args(["register", "job", "--target", "exit", "--start", "--", "exit 7"]);
    finish(start).expect(0);
    assert_eq!(home.reaches("job", "dead")["last_exit"]["cause"]["code"], 7);
    home.hears("job", "failed");
}

#[test]
fn a_program_may_restart_itself() {
    let home = Home::new();
    let line = format!(
        "echo $GUARDIAN_RUN >>runs; [ $GUARDIAN_RUN = 1 ] && {} restart self; while :; do sleep 0.1; done",
        home.program().display()
    );
    home.up("self", &[], &line);
    assert_eq!(home.has_lines("runs", 2), ["1", "2"]);
    home.reaches("self", "running");
}

#[test]
fn a_restart_that_is_killed_between_its_halves_leaves_nothing_down() {
    let home = Home::new();
    home.up("p", &[], "echo $$ >>pids; trap 'touch asked' TERM; while :; do sleep 0.05; done");
    home.has_lines("pids", 1);
    let mut restart = home.command(&["restart", "p"]).stdout(Stdio::null()).spawn().unwrap();
    until("it was asked to end", || home.path("asked").exists());
    restart.kill().unwrap();
    restart.wait().unwrap();
    signal(home.pid("p"), Signal::SIGKILL);
    home.has_lines("pids", 2);
    assert_eq!(home.reaches("p", "running")["desired"], "up");
    assert_eq!(home.status("p")["last_exit"]["verdict"], "stopped", "and nobody is alarmed");
}

#[test]
fn a_process_that_starts_another_does_not_take_it_along() {
    let home = Home::new();
    let guardian = home.program().display();
    home.ok(&["register", "inner", "--", "while :; do sleep 0.1; done"]);
    home.up("outer", &["--grace", "300ms"], &format!("{guardian} start inner; while :; do sleep 0.1; done"));
    let inner = home.reaches("inner", "running")["pid"].clone();
    home.ok(&["stop", "outer"]);
    assert_eq!(home.status("inner")["pid"], inner, "stopped with it");
    home.ok(&["stop", "inner"]);
    home.up("brief", &["--grace", "300ms", "--target", "exit"], &format!("{guardian} start inner"));
    home.reaches("brief", "completed");
    assert_eq!(home.status("inner")["run"], 2, "taken for what `brief` left");
}

#[test]
fn a_death_is_told_although_its_restart_cannot_even_be_tried() {
    let home = Home::new();
    home.listen("");
    home.up("p", &["--backoff", "0s"], "while :; do sleep 0.1; done");
    let log = home.state_dir().join("log/p.log");
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    signal(home.pid("p"), Signal::SIGKILL);
    let told = home.hears("p", "premature");
    assert!(told["action"].as_str().unwrap().contains("could not be tried"), "{told}");
    fs::remove_dir(&log).unwrap();
    home.run(&["healthcheck"]);
    home.reaches("p", "running");
}

#[test]
fn passes_at_once_complain_of_nothing() {
    let home = Home::new();
    home.up("p", &[], "while :; do sleep 0.1; done");
    for _ in 0..8 {
        let command = || home.command(&["healthcheck", "--quiet"]).stderr(Stdio::piped()).spawn().unwrap();
        let passes: Vec<_> = (0..8).map(|_| command()).collect();
        for pass in passes {
            let output = pass.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn stop_wakes_a_shim_that_somebody_put_to_sleep() {
    let home = Home::new();
    home.up("p", &["--grace", "300ms"], "while :; do sleep 0.1; done");
    let (shim, main) = (home.shim_pid("p"), home.pid("p"));
    signal(shim, Signal::SIGSTOP);
    signal(main, Signal::SIGKILL);
    home.ok(&["stop", "p"]);
    until("the shim has recorded the end and is gone", || !alive(shim));
}

#[test]
fn orphans_without_any_mark_are_known_by_the_lock_they_inherited() {
    let home = Home::new();
    home.up("p", &["--grace", "300ms"], &format!("{} while :; do sleep 0.1; done", unmarked("orphans")));
    let first: i32 = home.has_lines("orphans", 1)[0].parse().unwrap();
    kill_together(&[home.shim_pid("p"), home.pid("p")]);
    home.run(&["healthcheck"]);
    home.reaches("p", "running");
    assert!(!alive(first), "a pass started a second copy beside what the first had left");
    let second: i32 = home.has_lines("orphans", 2)[1].parse().unwrap();
    kill_together(&[home.shim_pid("p"), home.pid("p")]);
    home.ok(&["stop", "p"]);
    assert!(!alive(second), "stop came back before it was gone");
}

#[test]
fn a_start_beside_what_a_run_left_starts_one_and_not_two() {
    let home = Home::new();
    let orphan = "setsid sh -c 'trap \"\" TERM; echo $$ >>orphans; while :; do sleep 0.1; done' &";
    home.up("p", &["--backoff", "0s"], &format!("{orphan} echo $$ >>pids; while :; do sleep 0.1; done"));
    home.has_lines("orphans", 1);
    kill_together(&[home.shim_pid("p"), home.pid("p")]);
    home.ok(&["start", "p"]);
    home.ok(&["start", "p"]);
    let copies: Vec<i32> = home.has_lines("pids", 2).iter().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(copies.into_iter().filter(|pid| alive(*pid)).collect::<Vec<_>>(), [home.pid("p")]);
    assert_eq!(home.status("p")["run"], 2);
}

#[test]
fn a_lost_state_starts_nothing_a_second_time_and_no_number_again() {
    let home = Home::new();
    home.up("p", &[], "echo $$ >>pids; while :; do sleep 0.1; done");
    home.ok(&["restart", "p"]);
    let second = home.has_lines("pids", 2)[1].clone();
    let state = home.state_dir().join("process/p/state.json");
    fs::remove_file(&state).unwrap();
    let said = home.ok(&["start", "p"]);
    assert!(said.contains("already running as run 2"), "{said}");
    assert_eq!(home.pid("p").to_string(), second);
    home.ok(&["stop", "p"]);
    fs::remove_file(&state).unwrap();
    assert!(home.ok(&["start", "p"]).contains("run 3"));
    home.has_lines("pids", 3);
}

#[test]
fn one_that_may_not_be_killed_shields_none_of_the_others() {
    let home = Home::of_user();
    let root = home.path("root-python");
    fs::copy(fs::canonicalize(PYTHON).unwrap(), &root).unwrap();
    fs::set_permissions(&root, PermissionsExt::from_mode(0o4755)).unwrap();
    let line = format!(
        "PYTHONHOME=/usr {} -c 'import os, time; os.setuid(0); print(os.getpid(), flush=True, file=open(1, \"w\")); time.sleep(60)' & \
         sleep 60 & echo $! >>mine; while :; do sleep 0.1; done",
        root.display()
    );
    let mut command =
        home.command(&["register", "p", "--grace", "100ms", "--cwd", home.path("home").to_str().unwrap()]);
    command.args(["--start", "--", &line]);
    finish(command).expect(0);
    let mine: i32 = home.has_lines("home/mine", 1)[0].parse().unwrap();
    let roots: i32 = crate::procs::eventually("root's process says its pid", || {
        home.ok(&["logs", "p"]).lines().next().and_then(|line| line.trim().parse().ok())
    });
    home.run(&["stop", "p"]).complains("cannot be");
    let shielded = alive(mine);
    signal(roots, Signal::SIGKILL);
    assert!(!shielded);
}

#[test]
fn signals_on_a_full_disk_take_no_room_from_the_end() {
    let home = Home::new();
    fs::create_dir(home.root()).unwrap();
    let disk = SmallDisk::mount(home.root());
    home.up("p", &[], "trap '' USR2; echo up; while :; do sleep 0.1; done");
    until("its trap is set", || home.ok(&["logs", "p"]).contains("up"));
    let (shim, main) = (home.shim_pid("p"), home.pid("p"));
    let full = fs::write(home.root().join("fill"), vec![0; 2 << 20]).is_err();
    for _ in 0..60 {
        signal(shim, Signal::SIGUSR2);
        until("the shim took it", || !has_pending(shim));
    }
    signal(main, Signal::SIGKILL);
    until("the shim is done with it", || !alive(main));
    fs::remove_file(home.root().join("fill")).unwrap();
    home.run(&["healthcheck"]);
    let last = home.reaches("p", "running")["last_exit"].clone();
    home.run(&["stop", "p"]);
    drop(disk);
    assert!(full);
    assert_eq!(last["cause"]["kind"], "signaled", "{last}");
    assert!(last["signals"].as_array().is_some_and(|signals| !signals.is_empty()), "{last}");
}

/// A file system of 1 MiB, for as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "none"]).arg(&at);
        assert!(mount.status().unwrap().success(), "needs root: run scripts/test");
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Whether a signal waits to be taken by this process.
fn has_pending(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let waits = |line: &str| line.split_whitespace().nth(1).is_some_and(|set| set.bytes().any(|byte| byte != b'0'));
    status.lines().any(|line| line.starts_with("ShdPnd:") && waits(line))
}
