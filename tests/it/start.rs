//! `start`: what it makes survives the one who asked, and its answer is the truth.

use std::fs;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;

use crate::home::{Home, finish};
use crate::procs::{alive, cmdline, eventually, group, parent, session, signal, until, within};

#[test]
fn the_parent_is_init_before_start_returns() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    assert_eq!(parent(home.shim_pid("bot")), 1);
    assert_eq!(parent(home.pid("bot")), home.shim_pid("bot"));
}

#[test]
fn shim_and_program_have_a_session_and_group_of_their_own_each() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let (shim, program) = (home.shim_pid("bot"), home.pid("bot"));
    let caller = i32::try_from(std::process::id()).unwrap();
    assert_eq!((session(program), group(program)), (program, program));
    assert_ne!(session(shim), session(program));
    assert_ne!(session(shim), session(caller));
    assert_ne!(group(shim), group(program));
}

#[test]
fn nothing_that_the_caller_had_open_is_inherited() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "exec sleep 1000"]);
    let marker = fs::File::create(home.path("marker")).unwrap();
    fcntl(&marker, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    home.ok(&["start", "bot"]);
    let inside = home.root();
    for pid in [home.shim_pid("bot"), home.pid("bot")] {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let Ok(to) = fs::read_link(entry.unwrap().path()) else { continue };
            assert_ne!(to, home.path("marker"), "{pid} holds fd {}", marker.as_raw_fd());
            let own = to.starts_with(&inside) || to == fs::canonicalize("/dev/null").unwrap();
            assert!(own || to.to_str().unwrap().starts_with("anon_inode:") || pid == home.shim_pid("bot"), "{to:?}");
        }
    }
    let program = home.pid("bot");
    assert_eq!(fs::read_link(format!("/proc/{program}/fd/0")).unwrap().to_str(), Some("/dev/null"));
    assert!(fs::read_link(format!("/proc/{program}/fd/1")).unwrap().ends_with("log/bot.log"));
}

#[test]
fn d09_thirty_parallel_starts_give_one_process() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "echo $$ >> pids; exec sleep 1000"]);
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| home.ok(&["start", "bot"]));
        }
    });
    let pids = home.has_lines("pids", 1);
    assert_eq!(pids, [home.pid("bot").to_string()]);
}

#[test]
fn d09_a_pass_beside_a_start_does_not_double_it() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "echo $$ >> pids; exec sleep 1000"]);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| home.ok(&["start", "bot"]));
            scope.spawn(|| home.run(&["healthcheck"]));
        }
    });
    home.ok(&["healthcheck"]);
    assert_eq!(home.has_lines("pids", 1).len(), 1);
}

#[test]
fn starting_what_runs_says_so_and_changes_nothing() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let before = home.status("bot");
    let said = home.ok(&["start", "bot"]);
    assert!(said.contains("already"), "{said}");
    let after = home.status("bot");
    assert_eq!((&before["pid"], &before["run"]), (&after["pid"], &after["run"]));
}

#[test]
fn d11_a_job_that_is_done_at_once_started_well() {
    let home = Home::new();
    home.ok(&["register", "job", "--target", "exit", "--start", "--", "/bin/true"]);
    home.reaches("job", "completed");
}

#[test]
fn d11_a_program_that_does_not_exist_is_a_failed_start_that_names_it() {
    let home = Home::new();
    let output = home.run(&["register", "bot", "--start", "--", "/no/such/program", "x"]).expect(1);
    assert!(output.stderr.contains("`/no/such/program` does not exist (errno 2)"), "{}", output.stderr);
    let last = home.status("bot")["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "spawn_failed", "{last}");
    assert_eq!(last["cause"]["errno"], 2);
}

#[test]
fn an_env_file_that_cannot_be_read_is_a_failed_start_that_is_told_and_tried_again() {
    let home = Home::new();
    let file = home.path("env");
    fs::write(&file, "A=1\n").unwrap();
    home.listen("");
    home.up(
        "bot",
        &["--env-file", file.to_str().unwrap(), "--max-failures", "99", "--backoff", "100ms"],
        "exec sleep 600",
    );
    fs::remove_file(&file).unwrap();
    signal(home.pid("bot"), Signal::SIGKILL);
    let told = eventually("the failed start is told", || {
        home.told().into_iter().find(|told| told["cause"]["kind"] == "spawn_failed")
    });
    assert!(told["cause"]["what"].as_str().unwrap().contains("env_file"), "{told}");
    assert_ne!(home.run(&["status", "bot"]).code, 0, "it is not as desired");
    fs::write(&file, "A=1\nno variable\n").unwrap();
    home.run(&["start", "bot"]).expect(1).complains("line 2 is not `NAME=value`");
    fs::write(&file, "A=1\n").unwrap();
    home.reaches("bot", "running"); // nobody asks for it, and no cron is here
}

#[test]
fn d12_a_bare_environment_finds_directory_and_path_of_register() {
    let home = Home::new();
    let dir = home.path("work");
    fs::create_dir(&dir).unwrap();
    let tool = home.path("tools");
    fs::create_dir(&tool).unwrap();
    home.script("tools/my-tool", "#!/bin/sh\npwd > where\nexec sleep 1000\n");
    let mut register = home.command(&["register", "bot", "--", "my-tool", "x"]);
    register.current_dir(&dir).env("PATH", format!("{}:/usr/bin:/bin", tool.display()));
    finish(register).expect(0);
    let mut start = home.command(&["start", "bot"]);
    start.env_clear().env("GUARDIAN_HOME", home.root()).env("PATH", "/usr/bin:/bin").current_dir("/");
    finish(start).expect(0);
    let place = eventually("the program says where it is", || fs::read_to_string(dir.join("where")).ok());
    assert_eq!(place.trim(), dir.to_str().unwrap());
}

#[test]
fn d13_the_recorded_pid_is_the_programs_own() {
    let home = Home::new();
    home.ok(&["register", "bot", "--start", "--", "/bin/sleep", "1000"]);
    assert_eq!(cmdline(home.pid("bot")), "/bin/sleep 1000");
    let pid = fs::read_to_string(home.sentinel("bot", "pid")).unwrap();
    assert_eq!(pid, format!("{}\n", home.pid("bot")));
}

#[test]
fn d14_the_shims_command_line_says_nothing_that_a_pattern_for_the_program_matches() {
    let home = Home::new();
    home.up("btc-bot", &[], "exec sleep 4711");
    let shim = cmdline(home.shim_pid("btc-bot"));
    for pattern in ["btc", "bot", "sleep", "4711", "guardian-it"] {
        assert!(!shim.contains(pattern), "`pkill -f {pattern}` would hit `{shim}`");
    }
}

#[test]
fn d16_the_program_that_runs_is_the_one_of_its_start() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let run = home.status("bot")["run"].clone();
    home.ok(&["register", "bot", "--replace", "--", "exec sleep 2000"]);
    home.ok(&["healthcheck"]);
    assert_eq!(cmdline(home.pid("bot")), "sleep 1000");
    assert_eq!(home.status("bot")["run"], run);
    home.ok(&["restart", "bot"]);
    eventually("the new one runs", || (cmdline(home.pid("bot")) == "sleep 2000").then_some(()));
}

#[test]
fn groups_and_all_start_what_they_name() {
    let home = Home::new();
    for (name, group) in [("a", "one"), ("b", "one"), ("c", "two")] {
        home.ok(&["register", name, "--group", group, "--", "exec sleep 1000"]);
    }
    home.ok(&["start", "--group", "one"]);
    assert_eq!((home.state("a"), home.state("b"), home.state("c")), ("running".into(), "running".into(), "new".into()));
    home.ok(&["start", "--all"]);
    assert_eq!(home.state("c"), "running");
    home.ok(&["stop", "--all"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
}

#[test]
fn it_outlives_the_group_session_and_tree_of_the_one_who_asked() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "exec sleep 1000"]);
    let line = format!("{} start bot; echo $$ > agent; exec sleep 1000", home.program().display());
    let mut agent = home.other_command("/usr/bin/setsid".as_ref());
    let mut agent = agent.args(["/bin/sh", "-c", &line]).spawn().unwrap();
    let pid: i32 = home.has_lines("agent", 1)[0].parse().unwrap();
    let mut doomed = crate::procs::descendants(pid);
    doomed.push(pid);
    doomed.extend(crate::procs::all().into_iter().filter(|other| alive(*other) && is_in(*other, pid)));
    let bot = home.pid("bot");
    assert!(!doomed.contains(&bot) && !doomed.contains(&home.shim_pid("bot")), "{doomed:?}");
    doomed.iter().for_each(|pid| crate::procs::signal(*pid, nix::sys::signal::Signal::SIGKILL));
    agent.wait().unwrap();
    assert!(alive(bot));
    home.ok(&["status", "bot"]);
}

fn is_in(pid: i32, session_or_group: i32) -> bool {
    // A process that ends between the look at it and this is in nothing.
    std::panic::catch_unwind(|| session(pid) == session_or_group || group(pid) == session_or_group).unwrap_or(false)
}

#[test]
fn d02_a_home_anywhere_works_and_one_that_is_not_absolute_is_refused() {
    let home = Home::new();
    let place = home.path("a place/with ünicode & 100%");
    let place = place.to_str().unwrap();
    home.ok(&["--home", place, "register", "x", "--start", "--", "exec sleep 1000"]);
    let status = home.json(&["--home", place, "status", "x"]);
    let pid = crate::home::number(&status["processes"][0]["pid"]);
    assert!(alive(pid));
    home.ok(&["--home", place, "stop", "x"]);
    assert!(!alive(pid));
    home.run(&["--home", "relative", "status"]).expect(2);
}

#[test]
fn a_user_who_is_not_root_has_the_same() {
    let home = Home::of_user();
    home.up("bot", &["--backoff", "0s"], "id -u > who; exec sleep 1000");
    assert_eq!(home.has_lines("who", 1), [home.user().unwrap().uid.to_string()]);
    let first = home.pid("bot");
    crate::procs::signal(first, nix::sys::signal::Signal::SIGKILL);
    within(Duration::from_secs(10), "it is back", || {
        let status = home.status("bot");
        (status["run"] == 2 && status["state"] == "running").then_some(())
    });
    home.ok(&["stop", "bot"]);
    until("nothing is left", || home.processes().is_empty());
}

#[test]
fn a_start_at_the_moment_when_a_restart_is_due_takes_its_number_and_skips_none() {
    let home = Home::new();
    home.up("x", &["--backoff", "500ms"], "test -e again || { touch again; exit 1; }; exec sleep 60");
    let waiting = home.reaches("x", "waiting");
    assert_eq!(waiting["run"], 1);
    // Nobody is left who would restart it.
    let shims: Vec<i32> = home.processes();
    crate::procs::kill_together(&shims);
    let due: chrono::DateTime<chrono::Utc> = waiting["next_action_at"].as_str().unwrap().parse().unwrap();
    until("it is due", || guardian::os::clock::wall().unwrap().0 > due.timestamp_millis() + 20);
    home.ok(&["start", "x"]);
    assert_eq!((home.status("x")["run"].clone(), home.state("x")), (2.into(), "running".to_owned()));
}
