//! Metadata of runs and the death certificate, through the real program.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON, finish, number};
use crate::procs::{alive, eventually, signal, until};

/// A value that may be seen by the process alone.
const CANARY: &str = "canary-5ecret-value";

/// The metadata of a run once nothing is missing that `complete` asks for.
#[track_caller]
fn metadata(home: &Home, name: &str, run: u64, complete: fn(&Value) -> bool) -> Value {
    let path = home.state_dir().join(format!("process/{name}/run/{run}.meta"));
    eventually(&format!("metadata of run {run} of `{name}` is complete"), || {
        let found: Value = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        complete(&found).then_some(found)
    })
}

fn is_hashed(found: &Value) -> bool {
    found["program"]["sha256"].is_string()
}

fn is_whole(found: &Value) -> bool {
    is_hashed(found) && found["git"]["dirty"].is_boolean()
}

fn git(home: &Home, dir: &Path, arguments: &[&str]) -> String {
    let mut command: Command = home.other_command(Path::new("git"));
    command.args(["-C", dir.to_str().unwrap(), "-c", "user.name=t", "-c", "user.email=t@example.org"]).args(arguments);
    finish(command).expect(0).stdout.trim().to_owned()
}

/// A repository with one commit of one file, `bot`, which is older than anything that is started then.
fn repository(home: &Home, script: &str) -> std::path::PathBuf {
    let dir = home.path("repo");
    fs::create_dir(&dir).unwrap();
    git(home, &dir, &["init", "-q"]);
    home.script("repo/bot", script);
    git(home, &dir, &["add", "bot"]);
    git(home, &dir, &["commit", "-qm", "one"]);
    aged();
    dir
}

/// Lets a file that was just written become older than what is started next: the clock of files is a coarse one.
fn aged() {
    let begun = crate::procs::now_ms();
    until("files have an age", || crate::procs::now_ms() > begun + 30);
}

/// Waits until that run has ended, whatever came after it.
#[track_caller]
fn ended(home: &Home, name: &str, run: u64) {
    until(&format!("run {run} of `{name}` has ended"), || {
        let events = home.events(name);
        events.iter().any(|event| event["run"] == run && !event["verdict"].is_null())
    });
}

#[track_caller]
fn why(home: &Home, name: &str, run: u64) -> Value {
    home.json(&["why", name, "--run", &run.to_string()])
}

#[test]
fn a_run_has_its_commit_program_hash_limits_and_who_asked_for_it_taken_down() {
    let mut home = Home::new();
    let dir = repository(&home, "#!/bin/sh\nexec sleep 1000\n");
    home.set_env("CLAUDECODE", "1");
    home.set_env("CLAUDE_CODE_SESSION_ID", "f567-b");
    home.set_env("CLAUDE_CODE_MESSAGING_TOKEN", CANARY);
    home.ok(&["register", "x", "--cwd", dir.to_str().unwrap(), "--target", "8h", "--start", "--", "./bot", "go"]);
    let found = metadata(&home, "x", 1, is_whole);
    assert_eq!(found["git"]["commit"], git(&home, &dir, &["rev-parse", "HEAD"]));
    assert_eq!(found["git"]["dirty"], false);
    let mut sum = Command::new("sha256sum");
    sum.arg(dir.join("bot"));
    assert!(finish(sum).stdout.starts_with(found["program"]["sha256"].as_str().unwrap()), "{found}");
    assert_eq!(found["asked"]["by"], "command");
    assert_eq!(found["asked"]["agents"], serde_json::json!([{"name": "claude-code", "session": "f567-b"}]));
    assert_eq!(found["asked"]["caller"]["parents"][0]["pid"], std::process::id());
    assert_eq!(found["target"], "8h");
    assert!(found["rlimits"]["nofile"][0].is_u64() && found["boot"].is_string() && found["kernel"].is_string());
    assert!(!found.to_string().contains(CANARY));
}

#[test]
fn changed_files_of_a_repository_are_dirt_and_what_cannot_be_told_is_null() {
    let home = Home::new();
    let dir = repository(&home, "#!/bin/sh\nexec sleep 1000\n");
    home.script("repo/bot", "#!/bin/sh\n# mine\nexec sleep 1000\n");
    aged();
    home.ok(&["register", "x", "--cwd", dir.to_str().unwrap(), "--start", "--", "./bot"]);
    assert_eq!(metadata(&home, "x", 1, is_whole)["git"]["dirty"], true);
    // No repository, and a program that is not there.
    home.run(&["register", "y", "--cwd", "/", "--start", "--", "/nonexistent/program", "go"]).expect(1);
    let found = metadata(&home, "y", 1, |found| found["cwd"] == "/");
    assert!(found["git"].is_null() && found["program"].is_null(), "{found}");
}

#[test]
fn what_differs_from_the_last_run_that_was_well_is_named_and_told() {
    let home = Home::new();
    home.listen("");
    let dir = repository(&home, "#!/bin/sh\nexec sleep 1000\n");
    let options = ["--cwd", dir.to_str().unwrap(), "--healthy-after", "50ms", "--restart", "never"];
    home.ok(&[&["register", "x"], &options[..], &["--start", "--", "./bot"]].concat());
    let commit = git(&home, &dir, &["rev-parse", "HEAD"]);
    metadata(&home, "x", 1, is_whole);
    until("it was healthy", || home.status("x")["uptime_s"].as_f64().is_some_and(|up| up >= 1.0));
    signal(home.pid("x"), Signal::SIGKILL);
    ended(&home, "x", 1);
    // It ends when all that is told of its start was gathered, which a busy machine takes its time for.
    let go = home.path("go");
    home.script("repo/bot", &format!("#!/bin/sh\nwhile [ ! -e {} ]; do sleep 0.05; done\nexit 3\n", go.display()));
    git(&home, &dir, &["commit", "-qam", "two"]);
    aged();
    home.ok(&[&["register", "x", "--replace", "--env", "MODE=paper"], &options[..], &["--", "./bot"]].concat());
    home.ok(&["start", "x"]);
    metadata(&home, "x", 2, is_whole);
    fs::write(&go, "").unwrap();
    ended(&home, "x", 2);
    let why = why(&home, "x", 2);
    assert_eq!(why["last_good_run"], 1, "{why}");
    let lines: Vec<&str> = why["differs"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines[0].starts_with(&format!("git commit {} → ", &commit[..8])), "{lines:?}");
    for expected in [" (sha256), modified ", "env added MODE"] {
        assert!(lines.iter().any(|line| line.contains(expected)), "no `{expected}` in {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.contains("paper")), "{lines:?}");
    let text = home.ok(&["why", "x"]);
    assert!(text.contains("from run 1, which was well"), "{text}");
    let told = eventually("the second end is told", || {
        home.told().into_iter().find(|told| told["run"] == 2 && told["kind"] == "premature")
    });
    assert!(told["differs"].as_str().unwrap().starts_with("git commit "), "{told}");
    assert!(told["text"].as_str().unwrap().contains("\nDiffers: git commit "), "{told}");
}

#[test]
fn an_earlier_run_is_told_of_as_richly_as_the_last_one() {
    let home = Home::new();
    home.up("x", &["--target", "8h", "--backoff", "0s"], "echo up >> up; sleep 1000 & wait");
    home.has_lines("up", 1);
    let mut first = Value::Null;
    for run in 1..=2 {
        let killer = format!("kill -TERM {}; exit 0", home.shim_pid("x"));
        let mut command = home.other_command(Path::new("/bin/sh"));
        command.args(["-c", &killer]);
        finish(command).expect(0);
        ended(&home, "x", run);
        home.has_lines("up", usize::try_from(run).unwrap() + 1);
        until("the end of the run is judged", || home.status("x")["last_exit"]["run"] == run);
        if run == 1 {
            first = home.json(&["why", "x"]);
        }
    }
    let later = why(&home, "x", 1);
    assert_eq!(first["signals"][0]["signal"], "SIGTERM", "{first}");
    for (key, value) in first.as_object().unwrap() {
        let about_now = ["state", "next", "next_action_at"].contains(&key.as_str());
        assert!(about_now || later[key] == *value, "{key}: {value} then, {} later", later[key]);
    }
    assert!(!later["began_at"].is_null() && !later["cpu_s"].is_null());
    // Without its history the record still says how it ended, and the verdict is not guessed.
    for file in ["events.jsonl", "events.jsonl.1"] {
        drop(fs::remove_file(home.state_dir().join("process/x").join(file)));
    }
    let bare = why(&home, "x", 1);
    assert_eq!((&bare["verdict"], &bare["cause"]), (&Value::Null, &first["cause"]));
    assert_eq!((&bare["began_at"], &bare["ended_at"]), (&first["began_at"], &first["ended_at"]));
}

#[test]
fn a_restart_is_said_to_be_guardians_and_the_same_end_again_is_noticed() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s", "--max-failures", "2"], "echo \"Error: no $$\"; exit 3");
    home.reaches("x", "tripped");
    let why = why(&home, "x", 2);
    assert_eq!((&why["started_by"]["by"], &why["started_by"]["why"]), (&"guardian".into(), &"restart".into()), "{why}");
    assert_eq!(why["same_as_run"], 1);
    assert!(why["next_action_at"].is_string(), "{why}");
    assert!(home.ok(&["why", "x"]).contains("ended in the same way"));
}

#[test]
fn values_of_variables_are_nowhere_but_where_the_process_gets_them_from() {
    let mut home = Home::new();
    home.set_env("INHERITED", CANARY);
    fs::write(home.path("env"), format!("FROM_FILE={CANARY}\n")).unwrap();
    let file = home.path("env");
    let given = format!("GIVEN={CANARY}");
    let options = ["register", "x", "--env", &given, "--env-file", file.to_str().unwrap(), "--pass-env", "INHERITED"];
    home.ok(&[&options[..], &["--restart", "never", "--start", "--", "exit 3"]].concat());
    ended(&home, "x", 1);
    let found = metadata(&home, "x", 1, is_hashed);
    for name in ["INHERITED", "FROM_FILE", "GIVEN"] {
        assert!(found["environment"].as_array().unwrap().contains(&name.into()), "{name}");
    }
    let mut shown = found.to_string();
    for arguments in [&["why", "x"][..], &["why", "x", "--json"], &["events", "x"], &["events", "x", "--json"]] {
        shown += &home.ok(arguments);
    }
    assert!(!shown.contains(CANARY), "{shown}");
    let run = home.state_dir().join("process/x/run");
    for entry in fs::read_dir(run).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY));
    }
}

#[test]
fn json_stays_below_two_kib_with_a_huge_command_and_many_signals() {
    let home = Home::new();
    let long = "\"é\\".repeat(30_000);
    let line = format!("trap 'echo got' HUP; echo up >> up; : '{long}'; while :; do sleep 0.05; done");
    home.ok(&["register", "x", "--restart", "never", "--start", "--", &line]);
    home.has_lines("up", 1);
    let shim = home.shim_pid("x");
    for round in 0..70 {
        let killer = format!("kill -HUP {shim}; : '{long}{round}'");
        let mut command = home.other_command(Path::new("/bin/sh"));
        command.args(["-c", &killer]);
        finish(command).expect(0);
    }
    signal(home.pid("x"), Signal::SIGKILL);
    ended(&home, "x", 1);
    let text = home.ok(&["--json", "why", "x"]);
    assert!(text.len() <= 2048, "{}: {text}", text.len());
    let why: Value = serde_json::from_str(&text).unwrap();
    assert!(why["signals_seen"].as_u64().is_some_and(|seen| seen >= 10), "{why}");
    let screen = home.ok(&["why", "x"]);
    assert!(screen.lines().count() <= 24 && screen.lines().all(|line| line.chars().count() <= 100), "{screen}");
}

#[test]
fn a_failed_start_says_what_was_tried_and_how_to_mend_it() {
    let home = Home::new();
    let tool = home.path("tool");
    fs::write(&tool, "#!/nonexistent/interpreter\n").unwrap();
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    home.run(&["register", "x", "--start", "--", tool.to_str().unwrap(), "go"]).expect(1);
    let why = home.json(&["why", "x"]);
    assert_eq!(why["cause"]["kind"], "spawn_failed", "{why}");
    assert!(why["cause"]["what"].as_str().unwrap().contains("tool"), "{why}");
    assert!(why["mend"].as_str().unwrap().contains("first line of the script"), "{why}");
    assert!(home.ok(&["why", "x"]).contains("mend "));
}

#[test]
fn an_exception_of_pythons_at_the_end_of_the_output_explains_code_1() {
    let home = Home::new();
    let program = "def f():\n    raise ValueError('no such market: 7')\nf()\n";
    home.ok(&["register", "x", "--restart", "never", "--start", "--", PYTHON, "-c", program]);
    ended(&home, "x", 1);
    let text = home.ok(&["why", "x"]);
    assert!(text.contains("exception of Python's: ValueError: no such market: 7"), "{text}");
}

#[test]
fn what_is_found_out_in_the_background_is_nobodys_leftover_and_is_gone_soon() {
    let home = Home::new();
    let dir = repository(&home, "#!/bin/sh\nexec sleep 1000\n");
    let guardian = home.program().to_str().unwrap();
    let line = format!(
        "GUARDIAN_HOME={} {guardian} register inner --cwd {} --start -- ./bot && {guardian} --version",
        home.root().display(),
        dir.display()
    );
    home.up("outer", &["--target", "exit"], &line);
    home.reaches("outer", "completed");
    metadata(&home, "inner", 1, is_whole);
    let why = home.json(&["why", "outer"]);
    assert_eq!((&why["leftover"], &why["left"]), (&false.into(), &Value::Null), "{why}");
    until("nothing works in the background", || {
        home.processes().iter().all(|pid| !crate::procs::cmdline(*pid).contains("complete-metadata"))
    });
    assert!(alive(home.pid("inner")));
}

#[test]
fn a_run_that_lives_has_no_certificate_yet() {
    let home = Home::new();
    home.up("x", &[], "exec sleep 1000");
    for arguments in [&["why", "x"][..], &["why", "x", "--run", "1"]] {
        let output = home.run(arguments).expect(1);
        assert!(output.stderr.contains("has") && output.stderr.contains("running"), "{output:?}");
        assert!(output.stderr.contains("hint: guardian status x"), "{output:?}");
    }
    home.run(&["why", "x", "--run", "7"]).expect(1).complains("hint: guardian events x");
    let pid = number(&home.status("x")["pid"]);
    assert!(alive(pid));
}
