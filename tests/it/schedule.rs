//! Schedules: started by the pass, at the times of a crontab line, and what becomes of those that it cannot keep.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::home::Home;
use crate::procs::{PATIENCE, alive, within};
use crate::rig_cron::{Cron, Daemon};

const HOUR_MS: i64 = 3_600_000;

/// To the schedule of a process this much time has gone by since it was last looked at. What has no sum was written by an
/// earlier build.
fn time_goes_by(home: &Home, name: &str, ms: i64) {
    let dir = home.state_dir().join("process").join(name);
    let _held = guardian::os::lock::wait(&dir.join("lock")).unwrap();
    let mut state = remembered(home, name);
    state.as_object_mut().unwrap().remove("sum");
    for key in ["handled", "next"] {
        let at = state["schedule"][key].as_i64().expect("it has a schedule");
        state["schedule"][key] = (at - ms).into();
    }
    fs::write(dir.join("state.json"), state.to_string()).unwrap();
}

/// What is remembered of a process.
fn remembered(home: &Home, name: &str) -> Value {
    let path = home.state_dir().join("process").join(name).join("state.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn pass(home: &Home) {
    let output = home.run(&["healthcheck"]);
    assert!(output.code < 2, "{output:?}");
}

/// What the events of one kind say was done.
fn told(home: &Home, name: &str, kind: &str) -> Vec<String> {
    let events = home.events(name);
    let actions = events.iter().filter(|event| event["kind"] == kind).map(|event| event["action"].as_str());
    actions.map(|action| action.unwrap_or_default().to_owned()).collect()
}

fn register(home: &Home, name: &str, options: &[&str], line: &str) -> String {
    let mut arguments = vec!["register", name, "--schedule", "@hourly"];
    arguments.extend(options);
    arguments.extend(["--", line]);
    home.ok(&arguments)
}

/// Waits until it is there in this run, and that is committed.
#[track_caller]
fn stands(home: &Home, name: &str, run: i64, state: &str) {
    within(PATIENCE, &format!("run {run} of `{name}` is {state}"), || {
        let status = home.status(name);
        let phase = &remembered(home, name)["phase"];
        let committed = state == "running" || phase == state || phase.get(state).is_some();
        (status["run"] == run && status["state"] == state && committed).then_some(())
    });
}

#[test]
fn a_registered_schedule_says_when_it_runs_and_a_pass_starts_it_when_its_time_has_come() {
    let home = Home::new();
    let said = register(&home, "job", &[], "echo ran >>$HOME/ran; exit 0");
    assert!(said.contains("next run in "), "{said}");
    pass(&home);
    let status = home.status("job");
    assert_eq!(
        (&status["state"], &status["desired"], &status["target"]),
        (&"new".into(), &"up".into(), &"exit".into())
    );
    assert!(status["next_action_at"].as_str().unwrap().ends_with(":00:00.000Z"), "{status}");
    assert_eq!((&status["schedule"]["line"], &status["schedule"]["paused"]), (&"@hourly".into(), &false.into()));
    assert!(home.ok(&["status"]).contains("next run in "), "people see it too");

    time_goes_by(&home, "job", HOUR_MS);
    let would = home.run(&["healthcheck", "--dry-run", "--json"]).stdout;
    assert!(would.contains("\"started\""), "{would}");
    assert_eq!(home.status("job")["last_exit"], Value::Null, "a dry run starts nothing");
    pass(&home);
    stands(&home, "job", 1, "completed");
    assert_eq!(home.lines("home/ran"), ["ran"]);
    pass(&home);
    assert_eq!(home.status("job")["run"], 1, "its time has come once");
    let started = told(&home, "job", "started");
    assert!(started.len() == 1 && started[0].starts_with("started by its schedule"), "{started:?}");
    let why = home.ok(&["why", "job"]);
    assert!(why.contains("as its schedule says"), "{why}");
}

#[test]
fn a_schedule_that_only_stands_in_the_file_counts_from_the_first_pass() {
    let home = Home::new();
    home.write_registry("[process.job]\nshell = \"true\"\nschedule = \"0 5 * * *\"\ntimezone = \"Europe/Berlin\"\n");
    pass(&home);
    let status = home.status("job");
    assert!(status["next_action_at"].is_string() && status["schedule"]["timezone"] == "Europe/Berlin", "{status}");
    let shown = home.ok(&["status"]);
    assert!(shown.contains("05:00 (Europe/Berlin)"), "{shown}");
}

#[test]
fn what_was_missed_is_run_once_and_the_history_says_how_much_it_was() {
    let home = Home::new();
    register(&home, "job", &[], "echo ran >>$HOME/ran");
    time_goes_by(&home, "job", 7 * HOUR_MS);
    pass(&home);
    stands(&home, "job", 1, "completed");
    pass(&home);
    assert_eq!((home.status("job")["run"].as_i64(), home.lines("home/ran").len()), (Some(1), 1));
    let started = told(&home, "job", "started");
    assert!(started[0].contains("once also for 6 times before that"), "{started:?}");
}

#[test]
fn a_time_that_comes_while_it_runs_is_left_out_and_told_once() {
    let home = Home::new();
    register(&home, "job", &["--start"], "exec sleep 1000");
    time_goes_by(&home, "job", HOUR_MS);
    pass(&home);
    pass(&home);
    assert_eq!(home.status("job")["run"], 1);
    let skipped = told(&home, "job", "skipped");
    assert!(skipped.len() == 1 && skipped[0].contains("was left out: run 1 has not ended"), "{skipped:?}");
}

#[test]
fn with_queue_it_follows_the_run_directly_and_one_at_most_waits() {
    let home = Home::new();
    let line = "while ! test -e $HOME/go; do sleep 0.05; done";
    register(&home, "job", &["--overlap", "queue", "--start"], line);
    for _ in 0..2 {
        time_goes_by(&home, "job", HOUR_MS);
        pass(&home);
    }
    assert!(home.status("job")["schedule"]["queued_at"].is_string());
    assert_eq!(told(&home, "job", "skipped").len(), 1, "for the second there is no room");
    fs::write(home.path("home/go"), "").unwrap();
    stands(&home, "job", 2, "completed"); // without another pass of cron
    assert_eq!(told(&home, "job", "started").len(), 2);
}

#[test]
fn with_kill_the_run_is_ended_that_is_said_and_the_next_one_begins() {
    let home = Home::new();
    register(&home, "job", &["--overlap", "kill", "--start"], "exec sleep 1000");
    let first = home.pid("job");
    time_goes_by(&home, "job", HOUR_MS);
    pass(&home);
    stands(&home, "job", 2, "running");
    assert!(!alive(first));
    let last = home.status("job")["last_exit"].clone();
    assert_eq!((&last["verdict"], &last["cause"]["kind"]), (&"failed".into(), &"overlap".into()), "{last}");
    let killed = told(&home, "job", "killed");
    assert!(killed[0].contains("its schedule starts the next run, and `overlap` is `kill`"), "{killed:?}");
}

#[test]
fn stop_pauses_a_schedule_status_says_so_and_start_resumes_it() {
    let home = Home::new();
    register(&home, "job", &[], "exit 0");
    home.ok(&["stop", "job"]);
    let status = home.status("job");
    assert_eq!((&status["next_action_at"], &status["schedule"]["paused"]), (&Value::Null, &true.into()));
    let shown = home.ok(&["status"]);
    assert!(shown.contains("its schedule is paused: guardian start job resumes it"), "{shown}");
    time_goes_by(&home, "job", 3 * HOUR_MS);
    pass(&home);
    assert_eq!(home.status("job")["run"], Value::Null);
    home.ok(&["start", "job"]);
    stands(&home, "job", 1, "completed");
    pass(&home);
    let status = home.status("job");
    assert_eq!((&status["run"], &status["schedule"]["paused"]), (&1.into(), &false.into()));
    assert!(status["next_action_at"].is_string(), "{status}");

    home.ok(&["deregister", "job", "--stop"]);
    register(&home, "job", &[], "exit 0");
    assert_eq!(home.status("job")["schedule"]["paused"], false, "registering makes it active again");
}

#[test]
fn a_failed_run_is_as_restart_has_it_and_the_next_time_comes_anyway() {
    let home = Home::new();
    register(&home, "job", &[], "exit 3");
    for run in 1..=2 {
        time_goes_by(&home, "job", HOUR_MS);
        pass(&home);
        stands(&home, "job", run, "dead");
    }
}

#[test]
fn an_open_breaker_holds_scheduled_starts_too() {
    let home = Home::new();
    register(&home, "job", &["--restart", "on-failure", "--max-failures", "2", "--backoff", "0s"], "exit 3");
    time_goes_by(&home, "job", HOUR_MS);
    pass(&home);
    stands(&home, "job", 2, "tripped");
    time_goes_by(&home, "job", HOUR_MS);
    pass(&home);
    stands(&home, "job", 2, "tripped");
    assert!(told(&home, "job", "skipped")[0].contains("its breaker is open"));
}

#[test]
fn a_clock_that_is_set_back_runs_no_time_twice_and_one_set_forward_runs_it_once() {
    let home = Home::new();
    register(&home, "job", &[], "exit 0");
    let library = crate::shim::faketime();
    let at = |shift: &str| {
        let mut command = home.command(&["healthcheck", "--json"]);
        command.env("LD_PRELOAD", &library).env("FAKETIME", shift).env("DONT_FAKE_MONOTONIC", "1");
        crate::home::finish(command).stdout
    };
    let forward = at("+3h");
    assert!(forward.contains("\"started\""), "{forward}");
    stands(&home, "job", 1, "completed");
    for shift in ["+0h", "+90m", "+3h"] {
        let quiet = at(shift);
        assert!(!quiet.contains("\"started\""), "{shift}: {quiet}");
    }
    assert!(at("+4h").contains("\"started\""));
    stands(&home, "job", 2, "completed");
    assert!(told(&home, "job", "started")[0].contains("before that"));
}

#[test]
fn a_bad_line_is_refused_with_its_place_and_what_may_stand_there() {
    let home = Home::new();
    let refused = home.run(&["register", "x", "--schedule", "0 25 * * *", "--", "true"]).expect(2);
    assert!(refused.stderr.contains("hour \"25\" cannot be") && refused.stderr.contains("0 to 23"), "{refused:?}");
    home.run(&["register", "x", "--schedule", "0 0 31 2 *", "--", "true"]).expect(2).complains("never comes");
    home.run(&["register", "x", "--schedule", "@daily", "--timezone", "Berlin", "--", "true"])
        .expect(2)
        .complains("did you mean `Europe/Berlin`?");
    home.run(&["register", "x", "--schedule", "@daily", "--target", "forever", "--", "true"])
        .expect(2)
        .complains("`target = \"exit\"`");
    home.write_registry("[process.x]\nshell = \"true\"\nschedule = \"0 5 * 13 *\"\n");
    let output = home.run(&["config", "check"]).expect(78);
    assert!((output.stdout + &output.stderr).contains(":3:19:"));
}

#[test]
fn cron_starts_it_each_minute_with_the_environment_that_register_took_down() {
    let mut home = Home::of_user();
    home.set_env("MARK", "of the shell that registered it");
    let cron = Cron::new(&home, Daemon::Running);
    let line = "date +%M >>$HOME/ran; echo $MARK >>$HOME/marks";
    cron.run(&home, &["register", "job", "--schedule", "* * * * *", "--", line]).expect(0);
    cron.run(&home, &["install", "--cron"]).expect(0);
    within(Duration::from_secs(200), "two minutes have come", || (home.lines("home/marks").len() >= 2).then_some(()));
    cron.run(&home, &["uninstall", "--cron"]).expect(0);
    let ran = home.lines("home/ran");
    assert_ne!(ran[0], ran[1], "each minute once");
    assert_eq!(home.lines("home/marks")[0], "of the shell that registered it");
}
