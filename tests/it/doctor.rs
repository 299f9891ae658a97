//! `doctor`: each check red where something is missing, green where it was shown to work.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::home::Home;
use crate::procs::{now_ms, until};

fn checks(home: &Home, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    let output = home.run(&all);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.code, document["checks"].clone())
}

fn check(checks: &Value, name: &str) -> Value {
    let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks}")).clone()
}

#[test]
fn a_bare_home_is_red_where_nobody_looks_and_nobody_hears_and_each_red_names_what_mends_it() {
    let home = Home::new();
    let (code, found) = checks(&home, &[]);
    assert_eq!(code, 1);
    for (name, mend) in [("trigger", "guardian install --cron"), ("sinks", "[sinks.NAME]")] {
        let check = check(&found, name);
        assert!(check["grade"] == "red" && check["mend"].as_str().unwrap().contains(mend), "{check}");
    }
    assert_eq!(check(&found, "disk")["grade"], "green");
    let text = home.run(&["doctor"]).expect(1).stdout;
    assert!(text.contains("MEND THIS") && text.lines().count() == found.as_array().unwrap().len(), "{text}");
}

#[test]
fn a_trial_run_outlives_the_death_of_everything_that_started_it_and_leaves_nothing_behind() {
    let mut home = Home::new();
    let places = home.path("places");
    std::fs::create_dir(&places).unwrap();
    home.set_env("TMPDIR", &places.display().to_string());
    let (_, found) = checks(&home, &[]);
    let isolation = check(&found, "isolation");
    assert!(
        isolation["grade"] != "red" && isolation["said"].as_str().unwrap().contains("outlived its caller"),
        "{isolation}"
    );
    assert_eq!(std::fs::read_dir(&places).unwrap().count(), 0);
    assert_eq!(crate::procs::carrying(&format!("TMPDIR={}", places.display())), Vec::<i32>::new());
}

#[test]
fn a_doctor_that_is_killed_leaves_nothing_behind_either() {
    let mut home = Home::new();
    let places = home.path("places");
    fs::create_dir(&places).unwrap();
    home.set_env("TMPDIR", &places.display().to_string());
    let mut doctor = home.command(&["doctor"]).stdout(Stdio::null()).spawn().unwrap();
    let trial = || fs::read_dir(&places).unwrap().next().map(|entry| entry.unwrap().path());
    until("a trial run lives", || trial().is_some_and(|dir| dir.join("home/state/sentinel/group-kill.pid").exists()));
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    until("all is removed", || trial().is_none());
    until("all is ended", || crate::procs::carrying(&format!("TMPDIR={}", places.display())).is_empty());
}

#[test]
fn a_home_with_passes_and_a_sink_that_delivered_is_well() {
    let home = Home::new();
    home.listen("");
    home.up("dead", &["--restart", "never"], "exit 3");
    home.hears("dead", "premature");
    until("nothing waits", || home.json(&["alerts"])["pending"] == serde_json::json!([]));
    home.run(&["healthcheck"]);
    let (code, found) = checks(&home, &["--agent"]);
    for name in ["registry", "trigger", "sinks", "disk"] {
        assert_eq!(check(&found, name)["grade"], "green", "{found}");
    }
    assert_eq!(code, 0, "{found}");
}

#[test]
fn for_an_agent_a_sink_that_never_delivered_is_not_good_enough_and_a_broken_registry_is_red_and_no_crash() {
    let home = Home::new();
    home.listen("");
    home.run(&["healthcheck"]);
    assert_eq!(check(&checks(&home, &[]).1, "sinks")["grade"], "yellow");
    assert_eq!(check(&checks(&home, &["--agent"]).1, "sinks")["grade"], "red");
    home.write_registry("[process.x]\ncommand = 5\n");
    let (code, found) = checks(&home, &[]);
    let registry = check(&found, "registry");
    assert!(code == 1 && registry["grade"] == "red" && registry["mend"] == "guardian config check", "{registry}");
}

#[test]
fn each_of_four_attacks_is_made_on_the_caller_of_a_trial_run_and_has_a_line_that_names_it() {
    let (_, found) = checks(&Home::new(), &[]);
    for (name, words) in [
        ("group-kill", "the process group of its caller was killed"),
        ("session-kill", "every process in the session of its caller was killed"),
        ("parent-walk", "every process below its caller was killed, from parent to child"),
        ("terminal-close", "the terminal of its caller was closed"),
    ] {
        let check = check(&found, name);
        assert!(check["grade"] == "green", "{check}");
        assert_eq!(check["said"], format!("{words}; the trial run lives"));
    }
}

#[test]
fn a_trial_run_that_does_not_live_is_red_and_leaves_nothing_behind() {
    let mut home = Home::new();
    let places = home.path("places");
    fs::create_dir(&places).unwrap();
    home.set_env("TMPDIR", &places.display().to_string());
    home.script("sleep", "#!/bin/sh\n[ \"$1\" != 120 ] || exit 3\nexec /bin/sleep \"$@\"\n");
    let path = format!("{}:{}", home.path("").display(), home.env()["PATH"]);
    home.set_env("PATH", &path);
    let (code, found) = checks(&home, &[]);
    assert!(code == 1 && check(&found, "isolation")["grade"] == "red", "{found}");
    assert_eq!(fs::read_dir(&places).unwrap().count(), 0);
}

#[test]
fn sinks_are_reached_for_and_told_nothing_and_one_that_hangs_does_not_hold_the_rest_up() {
    let home = Home::new();
    let there = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let web =
        |name: &str, port: u16| format!("[sinks.{name}]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\n");
    let mail = format!(
        "[sinks.mail]\ntype = \"email\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\n",
        port(&silent)
    );
    let slow = "[sinks.slow]\ntype = \"webhook\"\nurl_command = [\"sleep\", \"1000\"]\n";
    let none = "[sinks.none]\ntype = \"command\"\ncommand = [\"no-such-program\"]\n";
    home.write_registry([&web("well", port(&there)), &web("shut", closed), &mail, slow, none].concat());
    let begun = now_ms();
    let (code, found) = checks(&home, &[]);
    assert!(code == 1 && now_ms() - begun < 60_000, "{found}");
    let of = |name: &str| {
        let found =
            found.as_array().unwrap().iter().find(|check| {
                check["name"] == "sink" && check["said"].as_str().unwrap().contains(&format!("`{name}`"))
            });
        found.unwrap_or_else(|| panic!("no sink {name}: {found:?}")).clone()
    };
    for (name, grade, said) in [
        ("well", "green", "takes connections"),
        ("shut", "red", "takes no connection"),
        ("mail", "red", "says nothing"),
        ("slow", "red", "gave no answer"),
        ("none", "red", "`no-such-program` is not there"),
    ] {
        let check = of(name);
        assert!(check["grade"] == grade && check["said"].as_str().unwrap().contains(said), "{check}");
        assert!(grade == "green" || check["mend"] == format!("guardian alerts test {name}"), "{check}");
    }
    // Connected to, and told nothing.
    let (mut stream, _) = there.accept().unwrap();
    let mut heard = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut heard).unwrap();
    assert_eq!(heard, b"");
    home.run(&["doctor", "--quiet"]).expect(1);
}

#[test]
fn quietly_only_what_is_not_well_is_said() {
    let home = Home::new();
    let text = home.run(&["doctor", "--quiet"]).expect(1).stdout;
    assert!(text.contains("trigger") && !text.lines().any(|line| line.contains("  ok  ")), "{text}");
}

#[test]
fn the_crontab_its_daemon_and_passes_are_three_things() {
    let mut home = Home::new();
    let table = home.path("crontab.text");
    let script = format!(
        "#!/bin/sh\ncase $1 in -l) cat {0} 2>/dev/null || {{ echo 'no crontab for me' >&2; exit 1; }};; *) cat >{0};; esac\n",
        table.display()
    );
    home.script("crontab", &script);
    let path = format!("{}:{}", home.path("").display(), home.env()["PATH"]);
    home.set_env("PATH", &path);
    assert_eq!(check(&checks(&home, &[]).1, "cron")["mend"], "guardian install --cron");
    home.ok(&["install", "--cron"]);
    let cron = check(&checks(&home, &[]).1, "cron");
    assert!(cron["grade"] != "green" && cron["said"].as_str().unwrap().contains("has guardian's lines"), "{cron}");
    home.script("crontab", "#!/bin/sh\necho 'You are not allowed to use this program' >&2; exit 1\n");
    let cron = check(&checks(&home, &[]).1, "cron");
    assert!(cron["grade"] == "yellow" && cron["said"].as_str().unwrap().contains("not allowed"), "{cron}");
    home.script("crontab", "#!/bin/sh\nsleep 1000\n");
    let cron = check(&checks(&home, &[]).1, "cron");
    assert!(cron["grade"] == "yellow" && cron["said"].as_str().unwrap().contains("no answer"), "{cron}");
}

#[test]
fn what_is_remembered_must_be_whole_and_of_no_newer_guardian_and_what_removed_processes_left_is_named() {
    let home = Home::new();
    home.up("bot", &["--target", "exit"], "echo hello");
    home.reaches("bot", "completed");
    assert_eq!(check(&checks(&home, &[]).1, "state")["grade"], "green");
    home.ok(&["deregister", "bot"]);
    let removed = check(&checks(&home, &[]).1, "removed");
    assert!(removed["grade"] == "yellow" && removed["mend"] == "guardian prune", "{removed}");
    assert!(removed["said"].as_str().unwrap().ends_with("bot"), "{removed}");
    let state = home.state_dir().join("process/bot/state.json");
    fs::write(&state, r#"{"schema":99}"#).unwrap();
    let newer = check(&checks(&home, &[]).1, "state");
    assert!(newer["grade"] == "red" && newer["said"].as_str().unwrap().contains("newer guardian"), "{newer}");
    fs::write(&state, "{").unwrap();
    let damaged = check(&checks(&home, &[]).1, "state");
    assert!(damaged["grade"] == "red" && damaged["said"].as_str().unwrap().contains("damaged"), "{damaged}");
}

#[test]
fn a_clock_that_was_set_since_the_last_pass_is_noticed() {
    let home = Home::new();
    home.ok(&["healthcheck"]);
    let path = home.state_dir().join("last-pass.json");
    let mut note: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    note["at"] = Value::from(4_070_908_800_000_i64);
    note.as_object_mut().unwrap().remove("sum");
    fs::write(&path, note.to_string()).unwrap();
    let clock = check(&checks(&home, &[]).1, "clock");
    assert!(clock["grade"] == "yellow" && clock["said"].as_str().unwrap().contains("set back"), "{clock}");
}

#[test]
fn logs_that_may_fill_the_disk_are_named() {
    let home = Home::new();
    assert_eq!(check(&checks(&home, &[]).1, "logs")["grade"], "green");
    home.ok(&["register", "bot", "--log-max", "900T", "--", "true"]);
    let logs = check(&checks(&home, &[]).1, "logs");
    assert!(logs["grade"] == "yellow" && logs["mend"].as_str().unwrap().contains("log_max"), "{logs}");
}

#[test]
fn limits_that_processes_ask_for_are_tried_and_what_nobody_keeps_is_said() {
    for (home, grade) in [(Home::new(), "green"), (Home::of_user(), "yellow")] {
        assert_eq!(check(&checks(&home, &[]).1, "limits")["grade"], "green", "nobody asks");
        home.ok(&["register", "bot", "--memory", "64M", "--tasks", "20", "--", "true"]);
        let limits = check(&checks(&home, &[]).1, "limits");
        assert!(limits["grade"] == grade && limits["said"].as_str().unwrap().contains("memory, tasks"), "{limits}");
    }
}
