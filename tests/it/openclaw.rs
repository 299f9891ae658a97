//! The scheduler of OpenClaw, through the real program: by its own command, by its store, by the file of earlier versions.
//!
//! Programs, stores and files are made as OpenClaw makes them; the store is written by another SQLite than guardian's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::home::{Home, PYTHON};
use crate::procs::until;
use crate::watches::{finds, pass, seen, wall_ms};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A guardian that watches an OpenClaw with its state in `claw`.
fn claw() -> Home {
    let home = Home::new();
    for below in ["claw/state", "claw/cron", "bin"] {
        fs::create_dir_all(home.path(below)).unwrap();
    }
    let keys = format!("openclaw = {:?}\nprogram = {:?}", home.path("claw"), home.path("bin/openclaw"));
    home.write_registry(format!("[watch.claw]\nafter = 1\n{keys}\n"));
    home
}

/// One job of five minutes that ran a minute ago, with what differs.
fn job(differs: &Value) -> Value {
    let now = wall_ms();
    let mut job = json!({
        "id": "0b1c", "name": "digest", "enabled": true, "createdAtMs": now - 100 * HOUR, "updatedAtMs": now - 100 * HOUR,
        "schedule": {"kind": "every", "everyMs": 5 * MINUTE}, "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "sum it up"},
        "state": {"nextRunAtMs": now + 4 * MINUTE, "lastRunAtMs": now - MINUTE, "lastStatus": "ok", "lastDurationMs": 900},
    });
    for (key, value) in differs.as_object().unwrap() {
        job[key] = value.clone();
    }
    job
}

/// Its program prints this.
fn prints(home: &Home, text: &str) {
    fs::write(home.path("printed"), text).unwrap();
    let line = "[ \"$*\" = \"cron list --all --json\" ] || exit 9";
    home.script("bin/openclaw", &format!("#!/bin/sh\n{line}\ncat {}\n", home.path("printed").display()));
}

fn lists(home: &Home, jobs: &[Value]) {
    prints(home, &json!({"jobs": jobs, "total": jobs.len()}).to_string());
}

/// Lets Python do something with the store; `then` goes on while the test does.
fn sqlite(home: &Home, statements: &str) -> Command {
    let mut python = Command::new(PYTHON);
    let store = home.path("claw/state/openclaw.sqlite");
    let begin = format!("import sqlite3, sys, os\ndb = sqlite3.connect({store:?}, isolation_level=None)\n");
    python.args(["-c", &(begin + statements)]).stdin(Stdio::piped()).stdout(Stdio::piped());
    python
}

const TABLE: &str = "db.execute('CREATE TABLE cron_jobs(store_key TEXT NOT NULL, job_id TEXT NOT NULL, name TEXT NOT NULL, \
    enabled INTEGER NOT NULL, agent_id TEXT, payload_kind TEXT, job_json TEXT NOT NULL, state_json TEXT NOT NULL, \
    runtime_updated_at_ms INTEGER, PRIMARY KEY(store_key, job_id)) STRICT')\n";

/// A statement that puts a job into the store.
fn insert(job: &Value) -> String {
    let (text, state) = (job.to_string(), job["state"].to_string());
    format!(
        "db.execute('INSERT OR REPLACE INTO cron_jobs VALUES(?,?,?,?,NULL,NULL,?,?,0)', ('main', {}, {}, {}, {text:?}, {state:?}))\n",
        job["id"],
        job["name"],
        i32::from(job["enabled"] == true),
    )
}

fn store(home: &Home, jobs: &[Value]) {
    let statements: String = jobs.iter().map(insert).collect();
    assert!(sqlite(home, &(TABLE.to_owned() + &statements)).status().unwrap().success());
}

/// Names of the files beside the store.
fn beside(home: &Home) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(home.path("claw/state")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn d43_each_job_is_judged_by_its_own_interval_and_one_that_never_ran_is_found() {
    let home = claw();
    let now = wall_ms();
    lists(&home, &[job(&json!({}))]);
    finds(&home, "claw", "ok", "");
    assert_eq!(seen(&home, "claw")["value"], "1 jobs, 0 disabled, by `openclaw cron list`");
    let late = job(&json!({"name": "late", "state": {"lastRunAtMs": now - 47 * HOUR}}));
    let never = job(&json!({"name": "never", "state": {"nextRunAtMs": now - HOUR}}));
    let daily = job(&json!({"name": "daily", "schedule": {"kind": "cron", "expr": "0 9 * * *", "tz": "Europe/Berlin"},
                            "state": {"lastRunAtMs": now - 20 * HOUR}}));
    let off = job(&json!({"name": "off", "enabled": false, "state": {}}));
    lists(&home, &[late, never, daily, off, job(&json!({}))]);
    finds(
        &home,
        "claw",
        "bad",
        "2 of 4 jobs: `late` last ran 1d 23h ago, due every 5m; `never` never ran, and was due 1h",
    );
    let failed = job(&json!({"state": {"lastRunAtMs": now, "lastStatus": "error", "lastError": "401"}}));
    lists(&home, &[failed]);
    finds(&home, "claw", "bad", "`digest` ended its last run with `error`: 401");
}

#[test]
fn d42_what_cannot_be_read_is_never_well() {
    let home = claw();
    let null = job(&json!({"state": {"nextRunAtMs": null}}));
    lists(&home, &[null]);
    finds(&home, "claw", "bad", "`digest` never ran");
    for (broken, why) in [
        (json!({"schedule": null}), "has no schedule"),
        (json!({"schedule": {"kind": "cron", "expr": "soon"}}), "cannot be read"),
        (json!({"state": {"lastRunAtMs": "yesterday"}}), "`lastRunAtMs` that is no time"),
    ] {
        lists(&home, &[job(&json!({})), job(&broken)]);
        finds(&home, "claw", "unknown", why);
    }
    for text in ["", "{\"jobs\":", "Error: gateway closed", "{}", "{\"jobs\":7}"] {
        prints(&home, text);
        finds(&home, "claw", "unknown", "the jobs of OpenClaw cannot be read: `openclaw cron list`");
    }
    fs::remove_file(home.path("bin/openclaw")).unwrap();
    finds(&home, "claw", "unknown", "no store of it was found");
}

#[test]
fn without_its_program_the_store_is_read_and_nothing_is_written_beside_it() {
    let home = claw();
    store(&home, &[job(&json!({}))]);
    let before = beside(&home);
    finds(&home, "claw", "ok", "");
    assert!(seen(&home, "claw")["value"].as_str().unwrap().contains("openclaw.sqlite"));
    assert_eq!(beside(&home), before);
    home.script("bin/openclaw", "#!/bin/sh\necho gateway is down >&2\nexit 1\n");
    let late = job(&json!({"state": {"lastRunAtMs": wall_ms() - 47 * HOUR}}));
    assert!(sqlite(&home, &insert(&late)).status().unwrap().success());
    finds(&home, "claw", "bad", "last ran 1d 23h ago, due every 5m");
    // Its program has lost them all; the store has not.
    lists(&home, &[]);
    finds(&home, "claw", "bad", "last ran 1d 23h ago, due every 5m");
}

/// A writer of the store that goes on until it is dropped.
struct Writer(Child);

impl Writer {
    fn start(home: &Home, statements: &str) -> Self {
        let mut child =
            sqlite(home, &(statements.to_owned() + "print('there', flush=True)\nsys.stdin.read()\n")).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "there\n");
        Self(child)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_store_that_is_being_written_is_read_with_its_log_and_nothing_is_made_beside_it() {
    let home = claw();
    let late = insert(&job(&json!({"state": {"lastRunAtMs": wall_ms() - 47 * HOUR}})));
    let begin =
        format!("db.execute('PRAGMA journal_mode=WAL')\n{TABLE}{late}db.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n");
    // What is in the file is two days old; what is true is in the log.
    let writer = Writer::start(&home, &format!("{begin}{}", insert(&job(&json!({})))));
    let before = beside(&home);
    assert_eq!(before.len(), 3, "{before:?}");
    finds(&home, "claw", "ok", "");
    assert_eq!(beside(&home), before);
    drop(writer); // killed: its log stays, and nobody has it open
    finds(&home, "claw", "ok", "");
    assert_eq!(beside(&home), before);
    fs::remove_file(home.path("claw/state/openclaw.sqlite-shm")).unwrap();
    let row = pass(&home, "claw");
    assert_eq!(row["state"], "unknown", "the log cannot be read without writing: {row}");
    assert_eq!(beside(&home).len(), 2);
    assert!(sqlite(&home, "db.execute('PRAGMA wal_checkpoint(TRUNCATE)')\ndb.close()\n").status().unwrap().success());
    let before = beside(&home);
    assert_eq!(before.len(), 1, "{before:?}");
    finds(&home, "claw", "ok", "");
    assert_eq!(beside(&home), before);
}

#[test]
fn a_store_that_is_locked_or_damaged_is_unknown_and_hides_what_is_older() {
    let home = claw();
    store(&home, &[job(&json!({}))]);
    fs::write(home.path("claw/cron/jobs.json"), json!({"version": 1, "jobs": [job(&json!({}))]}).to_string()).unwrap();
    let writer = Writer::start(&home, "db.execute('BEGIN EXCLUSIVE')\n");
    finds(&home, "claw", "unknown", "locked");
    drop(writer);
    finds(&home, "claw", "ok", "");
    fs::write(home.path("claw/state/openclaw.sqlite"), vec![b'x'; 8192]).unwrap();
    finds(&home, "claw", "unknown", "it is no SQLite store");
    fs::remove_file(home.path("claw/state/openclaw.sqlite")).unwrap();
    assert!(sqlite(&home, "db.execute('CREATE TABLE other(x)')\n").status().unwrap().success());
    finds(&home, "claw", "unknown", "no such table: cron_jobs");
}

#[test]
fn the_file_of_earlier_versions_is_read_where_there_is_no_store() {
    let home = claw();
    let path = home.path("claw/cron/jobs.json");
    let put = |jobs: &[Value]| fs::write(&path, json!({"version": 1, "jobs": jobs}).to_string()).unwrap();
    put(&[job(&json!({}))]);
    finds(&home, "claw", "ok", "");
    put(&[job(&json!({"state": {"lastRunAtMs": wall_ms() - 47 * HOUR}}))]);
    finds(&home, "claw", "bad", "last ran 1d 23h ago, due every 5m");
    fs::write(&path, "{").unwrap();
    finds(&home, "claw", "unknown", "it is not JSON");
}

#[test]
fn a_program_that_hangs_is_ended_and_the_store_is_read_in_the_time_that_is_left() {
    let home = claw();
    home.script("bin/openclaw", &format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", home.path("pid").display()));
    store(&home, &[job(&json!({}))]);
    home.write_registry(home.registry() + "timeout = \"2s\"\n");
    finds(&home, "claw", "ok", "");
    let pid = home.lines("pid")[0].parse().unwrap();
    until("it is gone", || !crate::procs::alive(pid));
}

#[test]
fn d44_the_gateway_is_one_process_and_what_mends_it_is_run_once_and_not_again_and_again() {
    let mut home = claw();
    home.set_env("HOME", home.path("home").to_str().unwrap());
    let mark = format!("openclaw-{}-{}", std::process::id(), wall_ms());
    let line = "import time; time.sleep(1000)";
    let start = |name: &str| {
        let child = Command::new(PYTHON).args(["-c", line, &mark, name]).spawn().unwrap();
        Writer(child)
    };
    let (gateway, other) = (start("gateway"), start("gateway --dev"));
    home.write_registry(format!(
        "[watch.gateway]\nafter = 1\nmatch = \"{mark} gateway\"\naction = \"echo >> {}\"\n",
        home.path("acted").display()
    ));
    for _ in 0..3 {
        finds(&home, "gateway", "unknown", "exactly one should");
    }
    assert_eq!(home.lines("acted").len(), 0, "which one is meant is not guessed");
    drop(other);
    finds(&home, "gateway", "ok", "");
    drop(gateway);
    for _ in 0..6 {
        finds(&home, "gateway", "bad", "no process matches");
    }
    assert_eq!(home.lines("acted").len(), 3, "the breaker is open");
}

#[test]
fn d45_what_is_watched_stands_in_the_registry_and_nothing_is_watched_unasked() {
    let home = Home::new();
    home.write_registry("");
    home.ok(&["healthcheck"]);
    assert!(!home.state_dir().join("watch").exists());
    let document: Value = serde_json::from_str(&home.ok(&["status", "--json"])).unwrap();
    assert_eq!(document["watches"], json!([]));
}
