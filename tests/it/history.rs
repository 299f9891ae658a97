//! How long runs usually take, through the real program.

use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, until};

/// A job that is done at once, or lives on while a file `slow` is there.
const JOB: &str = "while [ -e slow ]; do sleep 0.05; done; sleep 0.2";

/// Runs it to its end so many times.
fn completes(home: &Home, times: usize) {
    for _ in 0..times {
        home.ok(&["start", "job"]);
        home.reaches("job", "completed");
    }
}

fn register(home: &Home, options: &[&str]) {
    let mut all = vec!["register", "job"];
    all.extend(options);
    all.extend(["--", JOB]);
    home.ok(&all);
}

#[test]
fn status_shows_what_is_usual_and_when_a_running_job_is_expected_to_be_done() {
    let home = Home::new();
    // A second long: then either a whole second has passed when it is asked for, or its end is still ahead.
    home.ok(&["register", "job", "--target", "exit", "--", "while [ -e slow ]; do sleep 0.05; done; sleep 1"]);
    assert!(home.status("job")["usual"].is_null());
    completes(&home, 3);
    let status = home.status("job");
    assert_eq!(status["usual"]["runs"], 3, "{status}");
    for key in ["median_s", "spread_s", "longest_s"] {
        assert!(status["usual"][key].is_f64(), "{key}: {status}");
    }
    assert!(status["usual"]["median_s"].as_f64().unwrap() >= 1.0, "{status}");
    assert!(status["eta_at"].is_null(), "nothing runs: {status}");
    std::fs::write(home.path("slow"), "").unwrap();
    home.ok(&["start", "job"]);
    let status = home.status("job");
    assert!(status["eta_at"].is_string() || status["uptime_s"] != 0, "{status}");
    assert!(home.run(&["status", "job"]).stdout.contains("usually"));
    std::fs::remove_file(home.path("slow")).unwrap();
    home.reaches("job", "completed");
}

#[test]
fn a_job_that_takes_twice_as_long_as_ever_is_told_once_by_its_shim_alone() {
    let home = Home::new();
    home.listen("events = [\"slow\"]");
    register(&home, &["--target", "exit"]);
    completes(&home, 3);
    std::fs::write(home.path("slow"), "").unwrap();
    home.ok(&["start", "job"]);
    // No pass is run here: the deadline is the shim's.
    let told = home.hears("job", "slow");
    assert_eq!((&told["severity"], &told["run"]), (&"info".into(), &4.into()));
    assert!(told["text"].as_str().unwrap().contains("twice as slow as ever (usually "), "{told}");
    let shown = home.run(&["status", "job"]).stdout;
    assert!(shown.contains("twice as slow as ever (usually ") && shown.contains("; now "), "{shown}");
    assert!(home.status("job")["eta_at"].is_null());
    home.run(&["healthcheck"]);
    home.run(&["healthcheck"]);
    std::fs::remove_file(home.path("slow")).unwrap();
    home.reaches("job", "completed");
    assert_eq!(home.kinds("job").iter().filter(|kind| *kind == "slow").count(), 1);
}

#[test]
fn a_slow_job_is_told_at_its_moment_without_any_pass() {
    let home = Home::new();
    register(&home, &["--target", "exit"]);
    completes(&home, 3);
    let longest = home.status("job")["usual"]["longest_s"].as_f64().unwrap();
    std::fs::write(home.path("slow"), "").unwrap();
    home.ok(&["start", "job"]);
    let began = milliseconds(&home.status("job")["started_at"]);
    let slow = eventually("it is called slow", || home.events("job").into_iter().find(|event| event["kind"] == "slow"));
    let lived = (milliseconds(&slow["at"]) - began).rem_euclid(86_400_000.0); // over midnight, too
    let late = lived - longest * 2_000.0;
    // Never early; how late depends on how busy the machine is.
    assert!((-2.0..5_000.0).contains(&late), "{late} ms late");
    std::fs::remove_file(home.path("slow")).unwrap();
    home.reaches("job", "completed");
}

/// Milliseconds of the day of a time in RFC 3339.
fn milliseconds(at: &Value) -> f64 {
    let text = at.as_str().unwrap();
    let [hours, minutes] = [&text[11..13], &text[14..16]].map(|part| part.parse::<f64>().unwrap());
    let seconds: f64 = text[17..].trim_end_matches('Z').parse().unwrap();
    ((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0
}

#[test]
fn why_says_how_long_a_run_that_failed_usually_takes() {
    let home = Home::new();
    register(&home, &["--target", "exit"]);
    completes(&home, 2);
    home.ok(&["register", "job", "--replace", "--target", "exit", "--", "exit 3"]);
    home.ok(&["start", "job"]);
    home.reaches("job", "dead");
    let why = home.ok(&["why", "job"]);
    assert!(why.lines().next().unwrap().contains(", usually "), "{why}");
    assert!(home.json(&["why", "job"])["usual_s"].as_f64().unwrap() >= 0.2);
    assert_eq!(home.status("job")["usual"]["runs"], 2, "a failed run is not usual");
}

#[test]
fn a_service_has_no_history_and_a_duration_has() {
    let home = Home::new();
    home.up("service", &["--backoff", "0s", "--healthy-after", "1ms"], "echo x >> runs; sleep 0.1");
    home.has_lines("runs", 4);
    assert!(home.status("service")["usual"].is_null());
    register(&home, &["--target", "200ms"]);
    completes(&home, 1);
    until("it is remembered", || home.status("job")["usual"]["runs"] == 1);
}
