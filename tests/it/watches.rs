//! Watches of what guardian did not start, through the real program: found amiss, told, mended, told again.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON};
use crate::procs::{now_ms, signal, until};

/// The one watch of a home, as `status --json` has it.
#[track_caller]
pub(crate) fn seen(home: &Home, name: &str) -> Value {
    let output = home.run(&["status", name, "--json"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let row = document["watches"][0].clone();
    assert_eq!(output.code, i32::from(row["state"] != "ok"), "{document}");
    row
}

/// A pass, and what it says of the watch.
#[track_caller]
pub(crate) fn pass(home: &Home, name: &str) -> Value {
    let output = home.run(&["healthcheck", "--json"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let rows = document["watches"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{document}")).clone();
    let all_well = rows.iter().all(|row| row["state"] == "ok");
    assert_eq!(output.code, i32::from(!all_well), "{document}");
    assert_eq!(seen(home, name)["state"], row["state"]);
    row
}

/// Whether a pass finds `name` in this state, for a reason that says this.
#[track_caller]
pub(crate) fn finds(home: &Home, name: &str, state: &str, reason: &str) {
    let row = pass(home, name);
    let why = row["reason"].as_str().unwrap_or("");
    assert!(row["state"] == state && why.contains(reason), "{row}");
}

/// A program that guardian did not start; it ends with the test.
struct Other(Child);

impl Other {
    fn start(program: &str, arguments: &[&str]) -> Self {
        Self(Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    guardian::os::clock::wall().unwrap().0
}

/// The wall clock, as times of files are given.
fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(wall_ms().unsigned_abs())
}

fn watch(home: &Home, keys: &str) {
    home.write_registry(format!("[watch.w]\nafter = 1\n{keys}\n"));
}

#[test]
fn by_pid_file_a_process_is_told_from_none_from_a_zombie_and_from_a_later_one_with_its_pid() {
    let home = Home::new();
    let path = home.path("x.pid");
    watch(&home, &format!("pid_file = {path:?}"));
    finds(&home, "w", "bad", "is not there");
    let mut other = Other::start("/bin/sleep", &["1000"]);
    fs::write(&path, format!("{}\n", other.pid())).unwrap();
    finds(&home, "w", "ok", "");
    assert_eq!(seen(&home, "w")["value"], other.pid().to_string());
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(wall() - Duration::from_secs(3600)).unwrap();
    finds(&home, "w", "bad", "its pid was given to another");
    file.set_modified(wall()).unwrap();
    finds(&home, "w", "ok", "");
    signal(other.pid(), Signal::SIGKILL);
    until("it is a zombie", || fs::read_to_string(format!("/proc/{}/stat", other.pid())).unwrap().contains(") Z "));
    finds(&home, "w", "bad", "zombie");
    other.0.wait().unwrap();
    finds(&home, "w", "bad", "which is gone");
    fs::write(&path, "garbage").unwrap();
    finds(&home, "w", "bad", "holds no pid");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    finds(&home, "w", "unknown", "no plain file");
}

#[test]
fn by_command_line_it_is_exactly_one_process_or_an_error() {
    let home = Home::new();
    let mark = format!("gateway-{}-{}", std::process::id(), now_ms());
    // Neither the pass, nor what it runs for another watch, nor a managed process's shim is what is looked for.
    home.write_registry(format!(
        "[watch.w]\nafter = 1\nmatch = \"python3.*{mark}\"\n[watch.probe]\ncommand = \"sleep 0.5 # python3 {mark}\"\n"
    ));
    finds(&home, "w", "bad", "no process matches");
    let line = "import time; time.sleep(1000)";
    let one = Other::start(PYTHON, &["-c", line, &mark]);
    finds(&home, "w", "ok", "");
    assert_eq!(seen(&home, "w")["value"], one.pid().to_string());
    let two = Other::start(PYTHON, &["-c", line, &mark]);
    let row = pass(&home, "w");
    let why = row["reason"].as_str().unwrap();
    assert!(row["state"] == "unknown" && why.contains("2 processes match"), "{row}");
    assert!(why.contains(&one.pid().to_string()) && why.contains(&two.pid().to_string()), "{why}");
    drop(two);
    finds(&home, "w", "ok", "");
    home.write_registry(format!("[watch.w]\nafter = 1\nmatch = \"python3.*{mark}\"\nuser = \"65534\"\n"));
    finds(&home, "w", "bad", "no process matches");
    home.write_registry(format!("[watch.w]\nafter = 1\nmatch = \"python3.*{mark}\"\nuser = \"no-such-user\"\n"));
    finds(&home, "w", "unknown", "there is no user `no-such-user`");
}

#[test]
fn by_freshness_of_a_file_one_that_is_old_or_missing_or_from_the_future_is_bad() {
    let home = Home::new();
    let path = home.path("backup");
    watch(&home, &format!("file = {path:?}\nmax_age = \"1h\""));
    finds(&home, "w", "bad", "is not there");
    let file = fs::File::create(&path).unwrap();
    finds(&home, "w", "ok", "");
    let now = wall();
    file.set_modified(now - Duration::from_secs(7200)).unwrap();
    finds(&home, "w", "bad", "was last changed 2h");
    file.set_modified(now + Duration::from_secs(7200)).unwrap();
    finds(&home, "w", "bad", "in the future");
    file.set_modified(now).unwrap();
    finds(&home, "w", "ok", "");
    watch(&home, &format!("file = {:?}\nmax_age = \"1h\"", path.join("below")));
    finds(&home, "w", "unknown", "cannot be read");
}

#[test]
fn by_freshness_of_a_json_field_everything_but_a_new_time_is_not_well() {
    let home = Home::new();
    let path = home.path("state.json");
    watch(&home, &format!("json_file = {path:?}\nfield = \"a.b[0].ts\"\nmax_age = \"1h\""));
    finds(&home, "w", "bad", "is not there");
    let put = |ts: &str| fs::write(&path, format!(r#"{{"a":{{"b":[{{"ts":{ts}}}]}}}}"#)).unwrap();
    let now = wall_ms();
    for good in [now.to_string(), (now / 1000).to_string()] {
        put(&good);
        finds(&home, "w", "ok", "");
    }
    for (bad, why) in [
        ((now - 7_200_000).to_string(), "2h"),
        ((now + 7_200_000).to_string(), "in the future"),
        ("null".to_owned(), "is null"),
        ("\"soon\"".to_owned(), "no RFC 3339 time"),
        ("{}".to_owned(), "is no time"),
    ] {
        put(&bad);
        finds(&home, "w", "bad", why);
    }
    for (text, why) in [("{\"a\":", "is not JSON"), ("{}", "there is no `a.b[0].ts`"), ("", "is not JSON")] {
        fs::write(&path, text).unwrap();
        finds(&home, "w", "bad", why);
    }
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    finds(&home, "w", "unknown", "no plain file");
}

#[test]
fn by_freshness_of_a_commands_output_it_must_change_in_its_time() {
    let home = Home::new();
    let path = home.path("queue");
    fs::write(&path, "17").unwrap();
    watch(&home, &format!("output = \"cat {}\"\nmax_age = \"1s\"", path.display()));
    finds(&home, "w", "ok", "");
    until("it has been the same for too long", || pass(&home, "w")["state"] == "bad");
    finds(&home, "w", "bad", "has been the same for");
    fs::write(&path, "18").unwrap();
    finds(&home, "w", "ok", "");
    fs::write(&path, "2001-01-01T00:00:00Z\n").unwrap();
    finds(&home, "w", "bad", "it printed a time");
    fs::remove_file(&path).unwrap();
    finds(&home, "w", "unknown", "the command exited with 1: cat:");
}

#[test]
fn by_command_its_end_decides_and_one_that_never_ends_stalls_nobody() {
    let home = Home::new();
    home.write_registry(format!(
        "[watch.well]\ncommand = \"true\"\n[watch.down]\nafter = 1\ncommand = \"echo no route >&2; exit 3\"\n\
         [watch.odd]\nafter = 1\ncommand = \"/no/such/program\"\n\
         [watch.slow]\nafter = 1\ntimeout = \"1s\"\ncommand = \"sleep 1000 & echo $! > {}; wait\"\n\
         [watch.slow2]\nafter = 1\ntimeout = \"1s\"\ncommand = \"sleep 1000\"\n",
        home.path("pid").display()
    ));
    let begun = now_ms();
    let row = |name: &str| seen(&home, name);
    home.run(&["healthcheck"]).expect(1);
    let took = now_ms() - begun;
    assert!(took < 10_000, "{took} ms: one after the other");
    assert_eq!(row("well")["state"], "ok");
    assert_eq!(row("down")["reason"], "the command exited with 3: no route");
    assert_eq!((row("odd")["state"].clone(), row("slow")["state"].clone()), ("unknown".into(), "bad".into()));
    assert_eq!(row("slow")["reason"], "the command gave no answer within 1s");
    let left = home.lines("pid")[0].parse().unwrap();
    until("what it started is gone too", || !crate::procs::alive(left));
}

#[test]
fn trouble_is_told_once_through_the_sinks_and_so_is_its_end() {
    let home = Home::new();
    let path = home.path("up");
    home.write_registry(format!("[watch.w]\ncommand = \"test -e {}\"\nseverity = \"critical\"\n", path.display()));
    home.listen("");
    finds(&home, "w", "unknown", "the command exited with 1");
    assert_eq!(home.told().len(), 0, "two looks in a row are wanted");
    finds(&home, "w", "bad", "the command exited with 1");
    let told = home.hears("w", "failed");
    assert_eq!(
        (&told["severity"], &told["watch"], &told["run"]),
        (&"critical".into(), &"command".into(), &Value::Null)
    );
    assert!(told["title"].as_str().unwrap().ends_with("/w: failed: the command exited with 1"), "{told}");
    assert!(told["text"].as_str().unwrap().contains("guardian why w"), "{told}");
    for _ in 0..3 {
        finds(&home, "w", "bad", "the command exited with 1");
    }
    assert_eq!(home.told().len(), 1, "{:?}", home.told());
    fs::write(&path, "").unwrap();
    finds(&home, "w", "ok", "");
    assert!(home.hears("w", "recovered")["text"].as_str().unwrap().contains("well again after"));
    let kinds: Vec<String> = home.kinds("w").into_iter().filter(|kind| kind != "alert_delivered").collect();
    assert_eq!(kinds, ["failed", "recovered"]);
}

#[test]
fn its_action_mends_it_within_the_breaker_and_never_in_a_loop() {
    let home = Home::new();
    let path = home.path("runs");
    watch(
        &home,
        &format!(
            "command = \"test -e {0}.well\"\naction = \"echo $GUARDIAN_WATCH: $GUARDIAN_REASON >> {0}; echo tried\"\nmax_failures = 2\n\
         breaker_cooldown = \"1h\"",
            path.display()
        ),
    );
    home.listen("");
    finds(&home, "w", "bad", "");
    assert_eq!(home.lines("runs"), ["w: the command exited with 1"]);
    assert!(home.hears("w", "failed")["action"].as_str().unwrap().contains("its action was run: tried"));
    let row = pass(&home, "w");
    assert_eq!(row["actions"], serde_json::json!(["acted"]));
    for _ in 0..5 {
        pass(&home, "w");
    }
    assert_eq!(home.lines("runs").len(), 2, "the breaker is open");
    let row = seen(&home, "w");
    assert_eq!(row["breaker"]["state"], "open");
    assert!(row["next_action_at"].is_string() && row["breaker"]["until"] == row["next_action_at"], "{row}");
    assert!(home.hears("w", "tripped")["action"].as_str().unwrap().contains("no action for 1h"));
    home.ok(&["reset", "w"]);
    pass(&home, "w");
    assert_eq!(home.lines("runs").len(), 3, "a reset lets it try again");
    fs::write(home.path("runs.well"), "").unwrap();
    finds(&home, "w", "ok", "");
    assert_eq!(seen(&home, "w")["breaker"]["state"], "closed");
    home.hears("w", "recovered");
}

#[test]
fn an_action_that_fails_or_hangs_is_killed_and_told_and_none_is_run_where_nothing_is_known() {
    let home = Home::new();
    home.write_registry(
        "[watch.fails]\nafter = 1\ncommand = \"false\"\naction = \"echo no permission >&2; exit 4\"\n\
         [watch.hangs]\nafter = 1\ncommand = \"false\"\naction = \"sleep 1000\"\naction_timeout = \"1s\"\n\
         [watch.odd]\nafter = 1\ncommand = \"/no/such/program\"\naction = \"touch ran\"\n",
    );
    home.listen("");
    home.run(&["healthcheck"]).expect(1);
    let action = |name: &str| home.hears(name, "failed")["action"].as_str().unwrap().to_owned();
    assert_eq!(action("fails"), "its action failed: it exited with 4: no permission");
    assert_eq!(action("hangs"), "its action failed: it gave no answer within 1s, and was killed");
    assert_eq!(action("odd"), "no action while it cannot be told");
    assert!(home.events("fails").iter().any(|event| event["kind"] == "acted" && event["severity"] == "warning"));
    home.ok(&["why", "fails"]);
    assert!(home.ok(&["why", "fails"]).contains("its action failed: it exited with 4: no permission"));
}

#[test]
fn commands_that_run_processes_refuse_a_watch_and_those_that_look_take_it() {
    let home = Home::new();
    home.write_registry("[process.p]\nshell = 'sleep 1000'\ngroup = 'g'\n[watch.w]\ncommand = 'true'\ngroup = 'g'\n");
    for command in
        [&["start", "w"][..], &["stop", "w"], &["restart", "w"], &["logs", "w"], &["wait", "w"], &["deregister", "w"]]
    {
        home.run(command).expect(5);
    }
    home.run(&["start", "w"]).expect(5).complains("`w` is a watch: guardian looks at it, and does not run it");
    home.run(&["register", "w", "--", "true"]).expect(78).complains("there is a process of the same name");
    assert_eq!(seen(&home, "w")["state"], "unknown");
    home.run(&["healthcheck", "w"]).expect(0);
    for arguments in
        [&["status", "w"][..], &["why", "w"], &["events", "w"], &["config", "show", "w"], &["reset", "--group", "g"]]
    {
        home.ok(arguments);
    }
    let document: Value = serde_json::from_str(&home.ok(&["status", "--group", "g", "--json"])).unwrap();
    assert_eq!(
        (document["watches"].as_array().unwrap().len(), document["processes"].as_array().unwrap().len()),
        (1, 1)
    );
    assert!(home.ok(&["status"]).contains("WATCH"));
}

#[test]
fn a_watch_is_looked_at_no_more_often_than_it_says_unless_it_is_named() {
    let home = Home::new();
    let path = home.path("looks");
    home.write_registry(format!("[watch.w]\ncommand = \"echo >> {}\"\nevery = \"1h\"\n", path.display()));
    for _ in 0..3 {
        home.ok(&["healthcheck"]);
    }
    assert_eq!(home.lines("looks").len(), 1);
    home.ok(&["healthcheck", "w"]);
    assert_eq!(home.lines("looks").len(), 2);
    home.ok(&["healthcheck", "--dry-run"]);
    home.ok(&["status"]);
    assert_eq!(home.lines("looks").len(), 2);
}

#[test]
fn a_damaged_state_is_an_error_and_keeps_no_other_watch_from_being_looked_at() {
    let home = Home::new();
    home.write_registry("[watch.a]\ncommand = 'true'\n[watch.b]\ncommand = 'true'\n");
    home.ok(&["healthcheck"]);
    let path = home.state_dir().join("watch/a.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"ok\"", "\"bad\"");
    fs::write(&path, text).unwrap();
    home.run(&["healthcheck"]).expect(74).complains("its checksum does not fit");
    home.run(&["status"]).expect(74).complains("its checksum does not fit");
    assert_eq!(seen(&home, "b")["state"], "ok");
}

#[test]
fn processes_are_served_and_told_before_watches_are_looked_at() {
    let home = Home::new();
    home.write_registry("[watch.w]\ncommand = 'sleep 1000'\ntimeout = '3s'\nafter = 1\n");
    home.listen("events = ['premature']");
    home.up("bot", &["--backoff", "0s"], "echo $GUARDIAN_RUN >> runs; exec sleep 1000");
    home.has_lines("runs", 1);
    crate::procs::kill_together(&home.processes());
    let mut pass = home.command(&["healthcheck"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    home.has_lines("runs", 2);
    home.hears("bot", "premature");
    assert!(pass.try_wait().unwrap().is_none(), "the pass still waits for the watch");
    pass.wait().unwrap();
}

#[test]
fn a_pass_that_is_killed_while_an_action_runs_has_run_it_once() {
    let home = Home::new();
    let path = home.path("runs");
    watch(&home, &format!("command = \"false\"\naction = \"echo >> {}; exec sleep 1000\"", path.display()));
    let mut pass = home.command(&["healthcheck"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    home.has_lines("runs", 1);
    signal(i32::try_from(pass.id()).unwrap(), Signal::SIGKILL);
    pass.wait().unwrap();
    home.write_registry("[watch.w]\ncommand = \"false\"\naction = \"true\"\nafter = 5\n");
    home.run(&["healthcheck"]).expect(1);
    let told: Vec<Value> = home.events("w").into_iter().filter(|event| event["kind"] == "failed").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["action"], "its action was begun, and whoever ran it was killed");
    assert_eq!(home.lines("runs").len(), 1);
}
