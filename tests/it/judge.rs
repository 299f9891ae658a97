//! Verdict, restart, backoff, breaker and limits, through the real program.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, finish, number};
use crate::procs::{alive, eventually, kill_together, now_ms, signal, until};

/// Runs one line to its end, without restarts; what is said of the end.
fn end_of(options: &[&str], line: &str) -> Value {
    let home = Home::new();
    let mut all = vec!["--restart", "never"];
    all.extend(options);
    home.up("x", &all, line);
    eventually("it ended", || {
        let last = home.status("x")["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

#[test]
fn verdicts_follow_the_contract() {
    let cases = [
        ("a service that exits 0 died early", &["--target", "forever"][..], "exit 0", "premature"),
        ("a job that exits 0 is done", &["--target", "exit"], "exit 0", "completed"),
        ("a job that exits 3 failed", &["--target", "exit"], "exit 3", "failed"),
        ("a success code counts as 0", &["--target", "exit", "--success-codes", "0,3"], "exit 3", "completed"),
        ("code 0 before its time is premature", &["--target", "8h"], "exit 0", "premature"),
        ("any code before its time is premature", &["--target", "8h"], "exit 3", "premature"),
        ("code 0 after its time is completed", &["--target", "300ms"], "sleep 0.5", "completed"),
        (
            "code 0 at 80 % of its time is completed",
            &["--target", "1s", "--tolerance", "0.2"],
            "sleep 0.4",
            "completed",
        ),
        (
            "d33 another code after its time is failed, not premature",
            &["--target", "300ms"],
            "sleep 0.5; exit 3",
            "failed",
        ),
    ];
    for (claim, options, line, verdict) in cases {
        let last = end_of(options, line);
        assert_eq!(last["verdict"], verdict, "{claim}: {last}");
    }
}

#[test]
fn d20_a_code_of_143_that_the_program_chose_is_not_a_sigterm() {
    let chosen = end_of(&[], "exit 143");
    assert_eq!((&chosen["cause"]["kind"], &chosen["cause"]["code"]), (&"exited".into(), &143.into()));
    let killed = end_of(&[], "kill -TERM $$; sleep 10");
    assert_eq!((&killed["cause"]["kind"], &killed["cause"]["signal"]), (&"signaled".into(), &"SIGTERM".into()));
    let chosen = end_of(&[], "exit 137");
    assert_eq!((&chosen["cause"]["kind"], &chosen["cause"]["code"]), (&"exited".into(), &137.into()));
    let killed = end_of(&[], "kill -KILL $$; sleep 10");
    assert_eq!((&killed["cause"]["kind"], &killed["cause"]["signal"]), (&"signaled".into(), &"SIGKILL".into()));
}

#[test]
fn d32_a_job_that_is_done_is_not_run_again() {
    let home = Home::new();
    home.ok(&["register", "job", "--target", "exit", "--start", "--", "echo x >> out; exit 0"]);
    home.reaches("job", "completed");
    home.run(&["healthcheck"]).expect(0);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.lines("out").len(), 1);
}

#[test]
fn d33_a_job_that_reached_its_target_stays_completed_when_its_shim_is_killed_with_it() {
    let home = Home::new();
    home.up("job", &["--target", "200ms", "--stop-at-target"], "echo x >> out; exec sleep 1000");
    home.reaches("job", "completed");
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.lines("out").len(), 1);
    assert_eq!(home.status("job")["last_exit"]["verdict"], "completed");
}

#[test]
fn restart_policies_do_what_they_say() {
    let cases = [
        ("`premature` leaves a failed job", "premature", "exit", "exit 3", "dead"),
        ("`never` means never", "never", "forever", "exit 3", "dead"),
        ("`on-failure` brings a failed job back", "on-failure", "exit", "exit 3", "waiting"),
        ("`on-failure` leaves a completed one", "on-failure", "exit", "exit 0", "completed"),
        ("`always` brings a completed one back", "always", "exit", "exit 0", "waiting"),
        ("`premature` brings a service back", "premature", "forever", "exit 0", "waiting"),
    ];
    for (claim, policy, target, line, state) in cases {
        let home = Home::new();
        home.up("x", &["--restart", policy, "--target", target, "--backoff", "1h", "--backoff-max", "1h"], line);
        home.reaches("x", state);
        assert_eq!(home.status("x")["next_action_at"].is_string(), state == "waiting", "{claim}");
    }
}

#[test]
fn a_healthy_run_is_followed_at_once() {
    let home = Home::new();
    home.up(
        "x",
        &["--healthy-after", "100ms", "--backoff", "1h", "--backoff-max", "1h"],
        "echo $$ >> pids; exec sleep 1000",
    );
    let first = home.pid("x");
    let begun = now_ms();
    until("it was healthy", || now_ms() > begun + 300);
    signal(first, Signal::SIGKILL);
    home.has_lines("pids", 2);
    eventually("its new run is up", || (home.status("x")["run"] == 2).then_some(()));
    until("its failure is forgotten", || home.status("x")["consecutive_failures"] == 0);
}

#[test]
fn the_second_start_after_a_failure_waits_for_its_backoff_without_any_trigger() {
    let home = Home::new();
    home.up("x", &["--backoff", "500ms", "--max-failures", "0"], "echo $$ >> pids; exit 1");
    home.has_lines("pids", 3);
    assert!(number(&home.status("x")["consecutive_failures"]) >= 2);
}

#[test]
fn d31_d40_the_third_failure_in_a_row_trips_the_breaker_and_that_is_told() {
    let home = Home::new();
    home.listen("");
    home.up("x", &["--backoff", "0s", "--max-failures", "3"], "echo $$ >> pids; exit 1");
    home.reaches("x", "tripped");
    assert_eq!(home.lines("pids").len(), 3);
    assert_eq!(home.status("x")["breaker"]["state"], "open");
    assert_eq!(home.hears("x", "tripped")["severity"], "critical");
    home.run(&["healthcheck"]).expect(1);
    assert_eq!(home.lines("pids").len(), 3);
}

#[test]
fn start_closes_a_tripped_breaker_and_reset_does_without_starting() {
    let home = Home::new();
    home.up(
        "x",
        &["--backoff", "0s", "--max-failures", "2"],
        "echo $$ >> pids; [ -e good ] || exit 1; exec sleep 1000",
    );
    home.reaches("x", "tripped");
    home.ok(&["reset", "x"]);
    let status = home.status("x");
    assert_eq!(status["breaker"]["state"], "closed", "{status}");
    assert_eq!(status["consecutive_failures"], 0);
    assert_eq!(home.lines("pids").len(), 2);
    std::fs::write(home.path("good"), "").unwrap();
    home.ok(&["start", "x"]);
    home.reaches("x", "running");
}

#[test]
fn a_tripped_process_is_tried_once_after_its_cooldown() {
    let home = Home::new();
    let line = "echo $$ >> pids; [ -e good ] || exit 1; exec sleep 1000";
    home.up("x", &["--backoff", "0s", "--max-failures", "2", "--breaker-cooldown", "1s"], line);
    home.reaches("x", "tripped");
    std::fs::write(home.path("good"), "").unwrap();
    home.reaches("x", "running");
    assert_eq!(home.lines("pids").len(), 3);
}

#[test]
fn a_code_that_no_restart_can_mend_is_not_restarted() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s"], "echo $$ >> pids; exit 78");
    home.reaches("x", "dead");
    assert_eq!(home.lines("pids").len(), 1);
}

#[test]
fn a_run_beyond_its_time_limit_is_ended_and_never_completed() {
    let home = Home::new();
    let options = ["--target", "exit", "--restart", "never", "--time-limit", "300ms", "--grace", "300ms"];
    home.up("x", &options, "trap '' TERM; while :; do sleep 0.05; done");
    home.reaches("x", "dead");
    let last = home.status("x")["last_exit"].clone();
    assert_eq!((&last["cause"]["kind"], &last["verdict"]), (&"time_limit".into(), &"failed".into()), "{last}");
}

#[test]
fn stop_at_target_ends_it_as_completed() {
    let home = Home::new();
    home.up("x", &["--target", "300ms", "--stop-at-target"], "exec sleep 1000");
    home.reaches("x", "completed");
    until("its status is written", || home.sentinel("x", "status").exists());
    assert_eq!(home.lines_of_sentinel("x", "status")[0], "SUCCESS");
}

#[test]
fn sentinel_files_tell_scripts_what_happened() {
    let home = Home::new();
    let line =
        "echo '{\"answer\":42}' > \"$GUARDIAN_RESULT_FILE\"; touch up; while [ ! -e go ]; do sleep 0.02; done; exit 3";
    home.ok(&["register", "x", "--target", "exit", "--start", "--", line]);
    until("it is up", || home.path("up").exists());
    assert_eq!(home.lines_of_sentinel("x", "pid"), [home.pid("x").to_string()]);
    assert!(!home.sentinel("x", "status").exists());
    std::fs::write(home.path("go"), "").unwrap();
    home.reaches("x", "dead");
    until("its status is written", || home.sentinel("x", "status").exists());
    assert_eq!(home.lines_of_sentinel("x", "status")[0], "FAILED");
    assert_eq!(home.lines_of_sentinel("x", "result"), ["{\"answer\":42}"]);
    std::fs::remove_file(home.path("go")).unwrap();
    home.ok(&["start", "x"]);
    assert!(!home.sentinel("x", "status").exists());
}

#[test]
fn d30_after_a_reboot_what_was_up_comes_back_and_is_told_as_a_reboot() {
    let home = Home::new();
    home.listen("");
    home.up("bot", &[], "echo $$ >> pids; exec sleep 1000");
    home.up("rest", &[], "exec sleep 1000");
    home.ok(&["stop", "rest"]);
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    // Another boot, as far as a process can see one: another boot id.
    std::fs::write(home.path("boot_id"), "11111111-2222-4333-8444-555555555555\n").unwrap();
    let pass = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && exec \"$2\" healthcheck";
    let mut command = Command::new("unshare");
    command.env_clear().envs(home.env()).args(["--mount", "--propagation", "private", "/bin/sh", "-c", pass, "sh"]);
    command.arg(home.path("boot_id")).arg(home.program());
    finish(command);
    home.has_lines("pids", 2);
    let told =
        eventually("the reboot is told", || home.told().into_iter().find(|told| told["cause"]["kind"] == "reboot"));
    assert_eq!(told["process"], "bot");
    assert!(home.told().iter().all(|told| told["process"] != "rest"));
}

#[test]
fn d22_history_is_kept_over_restarts() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s", "--max-failures", "3"], "exit 7");
    until("its end is in the history", || home.kinds("x").contains(&"tripped".to_owned()));
    let kinds = home.kinds("x");
    assert_eq!(kinds.iter().filter(|kind| *kind == "restarted").count(), 2, "{kinds:?}");
    assert_eq!(kinds.first().map(String::as_str), Some("registered"), "{kinds:?}");
    assert_eq!(home.status("x")["restarts"], 2);
    for run in ["1", "2", "3"] {
        assert!(home.ok(&["why", "x", "--run", run]).contains('7'), "run {run}");
    }
}

#[test]
fn d41_the_code_of_a_pass_says_whether_all_is_as_desired() {
    let home = Home::new();
    home.up("x", &[], "exec sleep 1000");
    assert_eq!(home.run(&["healthcheck", "--quiet"]).expect(0).stdout, "");
    // Somebody else is at a job that is as it should be: nothing that cron need mail.
    home.up("job", &["--target", "exit"], "while [ ! -e go ]; do sleep 0.05; done");
    let program = home.program().display();
    let line = format!(
        "touch go; until '{program}' status job | grep -q completed; do sleep 0.1; done; exec '{program}' healthcheck --quiet"
    );
    let mut beside = home.other_command(Path::new("flock"));
    beside.arg(home.state_dir().join("process/job/lock")).args(["/bin/sh", "-c", &line]);
    assert_eq!(finish(beside).expect(0).stdout, "");
    home.up("y", &["--restart", "never"], "exit 1");
    home.reaches("y", "dead");
    home.run(&["healthcheck"]).expect(1);
    home.run(&["status"]).expect(1);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s"], "echo $$ >> pids; exec sleep 1000");
    let (shim, bot) = (home.shim_pid("bot"), home.pid("bot"));
    kill_together(&[shim, bot]);
    let before = home.status("bot");
    home.run(&["healthcheck", "--dry-run"]);
    assert_eq!(home.status("bot")["run"], before["run"]);
    assert_eq!(home.lines("pids").len(), 1);
    home.run(&["healthcheck"]);
    home.has_lines("pids", 2);
}

#[test]
fn d37_a_restart_that_failed_is_not_told_as_restarted() {
    let home = Home::new();
    home.listen("events = [\"*\"]");
    let tool = home.script("tool", "#!/bin/sh\nexec sleep 1000\n");
    home.ok(&["register", "x", "--backoff", "0s", "--start", "--", tool.to_str().unwrap(), "go"]);
    let pid = home.pid("x");
    std::fs::remove_file(&tool).unwrap();
    signal(pid, Signal::SIGKILL);
    until("it ended", || !alive(pid));
    eventually("the failed start is known", || {
        (home.status("x")["last_exit"]["cause"]["kind"] == "spawn_failed").then_some(())
    });
    home.reaches("x", "dead");
    let events = home.events("x");
    assert!(events.iter().all(|event| event["kind"] != "restarted"), "{events:?}");
}
