//! The guard is guarded: dead-man pings, passes that did not run, heartbeats of sinks.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::delivery_sweep::killed_pass;
use crate::home::Home;
use crate::procs::{eventually, kill_together, now_ms, signal, until};

/// What a switch does with what it hears.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Down,
    Refuses,
    Hangs,
}

/// A dead-man's switch on loopback: it writes down paths and bodies.
#[derive(Clone)]
struct Switch {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Switch {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let switch = Self { port, mood: Arc::new(Mutex::new(Mood::Well)), heard: Arc::default() };
        let served = switch.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let served = served.clone();
                thread::spawn(move || served.serve(BufReader::new(stream.unwrap())));
            }
        });
        switch
    }

    fn serve(&self, mut stream: BufReader<std::net::TcpStream>) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap_or(0) == 0 {
                return; // a client that was killed
            }
        }
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let mood = *self.mood.lock().unwrap();
        let status = match mood {
            Mood::Well => "200 OK",
            Mood::Down => "503 Service Unavailable",
            Mood::Refuses => "404 Not Found",
            Mood::Hangs => {
                drop(stream.read(&mut [0; 1])); // until the client goes away
                return;
            }
        };
        if mood == Mood::Well {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            self.heard.lock().unwrap().push((path, String::from_utf8(body).unwrap()));
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        drop(stream.get_mut().write_all(answer.as_bytes()));
    }

    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Paths that begin with `/name`, without the request ids.
    fn paths(&self, name: &str) -> Vec<String> {
        self.of(name).iter().map(|(path, _)| path.split('?').next().unwrap().to_owned()).collect()
    }

    fn of(&self, name: &str) -> Vec<(String, String)> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(path, _)| path.starts_with(&format!("/{name}"))).cloned().collect()
    }
}

/// A file that holds the address.
fn secret(home: &Home, name: &str, url: &str) -> String {
    let path = home.path(name);
    fs::write(&path, url).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn rid(path: &str) -> &str {
    path.split_once("?rid=").map_or("", |(_, rid)| rid)
}

#[test]
fn a_run_is_told_at_its_begin_and_with_the_code_of_its_end() {
    let (home, switch) = (Home::new(), Switch::new());
    let cases = [
        ("done", "exit", "exit 0", "/0"),
        ("bad", "exit", "echo last words; exit 7", "/7"),
        ("shot", "exit", "kill -TERM $$", "/143"),
        ("early", "8h", "exit 0", "/fail"),
        ("gone", "exit", "no-such-program-anywhere", "/127"),
    ];
    for (name, target, line, _) in cases {
        let file = secret(&home, name, &switch.url(name));
        home.up(name, &["--target", target, "--restart", "never", "--ping-url-file", &file], line);
    }
    for (name, _, _, end) in cases {
        until(&format!("`{name}` is told"), || switch.of(name).len() >= 2);
        assert_eq!(switch.paths(name), [format!("/{name}/start"), format!("/{name}{end}")]);
        let heard = switch.of(name);
        assert_eq!(rid(&heard[0].0), rid(&heard[1].0), "one run, one id");
        assert_eq!(rid(&heard[0].0).len(), 36);
        assert!(heard[1].1.contains(name) && heard[1].1.contains("Cause"), "{}", heard[1].1);
    }
    assert!(switch.of("bad")[1].1.contains("last words"));
    home.run(&["start", "bad"]);
    until("its second run is told", || switch.of("bad").len() >= 4);
    assert_eq!(switch.paths("bad")[2..], ["/bad/start", "/bad/7"]);
    assert_ne!(rid(&switch.of("bad")[0].0), rid(&switch.of("bad")[2].0));
    assert!(home.run(&["alerts"]).stdout.contains("ping:"), "what was told can be looked up");
}

#[test]
fn a_process_that_lives_on_is_told_with_each_pass_and_a_stop_is_no_failure() {
    let (home, switch) = (Home::new(), Switch::new());
    let file = secret(&home, "file", &switch.url("svc"));
    home.up("svc", &["--ping-url-file", &file], "exec sleep 1000");
    until("its begin is told before any pass", || switch.paths("svc") == ["/svc/start"]);
    home.ok(&["healthcheck"]);
    home.ok(&["healthcheck"]);
    assert_eq!(switch.paths("svc"), ["/svc/start", "/svc", "/svc"]);
    home.ok(&["stop", "svc"]);
    home.ok(&["healthcheck"]);
    until("its end is told", || switch.of("svc").len() >= 4);
    assert_eq!(switch.paths("svc")[3..], ["/svc/log"]);
}

#[test]
fn a_pass_tells_its_begin_and_its_end_with_one_id() {
    let (home, switch) = (Home::new(), Switch::new());
    home.write_registry(format!("[healthcheck]\nping_url = \"{}\"\n[process.x]\nshell = 'true'\n", switch.url("pass")));
    home.ok(&["healthcheck"]);
    home.ok(&["healthcheck", "x"]);
    home.ok(&["healthcheck", "--dry-run"]);
    let heard = switch.of("pass");
    assert_eq!(switch.paths("pass"), ["/pass/start", "/pass"]);
    assert!(rid(&heard[0].0) == rid(&heard[1].0) && heard[1].1.starts_with("1 of 1 processes as desired"));
    switch.becomes(Mood::Refuses);
    let said = home.ok(&["healthcheck"]);
    assert!(said.contains("warning: last ping failed:") && said.contains("404"), "{said}");
    assert!(home.run(&["status"]).stdout.contains("warning: last ping failed"));
    assert!(home.json(&["status"])["healthcheck"]["ping_failed"].as_str().unwrap().contains("404"));
}

#[test]
fn an_end_is_told_after_an_outage_and_after_a_pass_that_was_killed_before_it_said_a_word() {
    let (home, switch) = (Home::new(), Switch::new());
    let file = secret(&home, "file", &switch.url("bot"));
    home.up("bot", &["--restart", "never", "--ping-url-file", &file], "exec sleep 1000");
    until("its begin is told", || switch.paths("bot") == ["/bot/start"]);
    home.ok(&["healthcheck"]);
    assert_eq!(switch.paths("bot"), ["/bot/start", "/bot"]);
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    killed_pass(&home, "connect", 1).expect(137);
    assert_eq!(switch.of("bot").len(), 2, "it was killed before");
    switch.becomes(Mood::Down);
    home.run(&["healthcheck"]).expect(1);
    switch.becomes(Mood::Well);
    home.run(&["alerts", "retry"]).expect(0);
    assert_eq!(switch.paths("bot"), ["/bot/start", "/bot", "/bot/fail"]);
    let heard = switch.of("bot");
    assert_eq!(rid(&heard[0].0), rid(&heard[2].0));
    home.run(&["healthcheck"]);
    assert_eq!(switch.of("bot").len(), 3, "once");
}

#[test]
fn a_switch_that_hangs_delays_no_restart_and_a_pass_by_its_bound() {
    let (home, switch) = (Home::new(), Switch::new());
    switch.becomes(Mood::Hangs);
    home.write_registry(format!(
        "[healthcheck]\nping_url = '{0}'\n[process.svc]\nshell = 'exec sleep 1000'\nbackoff = '0s'\nping_url = '{0}'\n",
        switch.url("x")
    ));
    home.ok(&["start", "svc"]);
    let (pid, begun) = (home.pid("svc"), now_ms());
    signal(pid, Signal::SIGKILL);
    eventually("it is back", || {
        let now = home.status("svc")["pid"].as_i64();
        now.filter(|now| *now != i64::from(pid))
    });
    let took = now_ms() - begun;
    assert!(took < 4000, "the restart took {took} ms");
    let begun = now_ms();
    home.run(&["healthcheck"]);
    let took = now_ms() - begun;
    assert!(took < 14_000, "the pass took {took} ms: one delivery and one ping are 11 s");
}

/// Every file below `dir` that holds `text`.
fn holding(dir: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn no_secret_of_the_registry_is_in_the_state_or_in_an_error() {
    let (home, switch) = (Home::new(), Switch::new());
    switch.becomes(Mood::Refuses);
    let sinks = [
        "type = 'telegram'\nchat = '1'\ntoken = 'canary-canary'",
        "type = 'webhook'\nurl = 'http://127.0.0.1:1/canary-canary'",
        "type = 'webhook'\nurl_file = '/nowhere'\nheader = { Authorization = 'canary-canary' }",
        "type = 'pagerduty'\nrouting_key = 'canary-canary'",
        "type = 'email'\nhost = '127.0.0.1'\nport = 1\nfrom = 'a@b.c'\nto = ['a@b.c']\nuser = 'u'\npassword = 'canary-canary'",
    ];
    let none = "[sinks.plain]\ntype = 'file'\npath = '/nowhere/x'\nevents = ['test']\n".to_owned();
    let with_sinks = sinks.map(|sink| format!("[sinks.s]\n{sink}\nevents = ['test']\n"));
    let with_pings = [
        format!("[healthcheck]\nping_url = '{}'\n", switch.url("canary-canary")),
        format!("[process.p]\nshell = 'exit 3'\nrestart = 'never'\nping_url = '{}'\n", switch.url("canary-canary")),
    ];
    let cache = home.state_dir().join("registry.cache");
    let mut cached = 0;
    for registry in [none].into_iter().chain(with_sinks).chain(with_pings) {
        home.write_registry(&registry);
        let past = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        fs::File::options().append(true).open(home.registry_path()).unwrap().set_times(past).unwrap();
        eventually("the file is old enough for the cache", || {
            let said = format!("{:?}{:?}", home.run(&["healthcheck"]), home.run(&["status"]));
            assert!(!said.contains("canary"), "{said}");
            let age = fs::metadata(home.registry_path()).unwrap();
            let changed = u64::try_from(std::os::unix::fs::MetadataExt::ctime(&age)).unwrap() * 1000;
            (wall_ms() > changed + 4000).then_some(())
        });
        home.run(&["start", "--all"]);
        let said = format!("{:?}{:?}", home.run(&["healthcheck"]), home.run(&["config", "show", "p"]));
        assert!(!said.contains("canary"), "{said}");
        let mut found = Vec::new();
        holding(&home.state_dir(), "canary", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{registry}");
        cached += usize::from(cache_is_there(&home, &cache));
    }
    assert_eq!(cached, 1, "the registry without a secret alone is cached");
    until("the refusal is told", || home.run(&["alerts"]).stdout.contains("404"));
    assert!(!home.run(&["alerts"]).stdout.contains("canary"));
}

fn wall_ms() -> u64 {
    u64::try_from(guardian::os::clock::wall().unwrap().0).unwrap()
}

fn cache_is_there(home: &Home, cache: &Path) -> bool {
    let any = fs::read_dir(home.state_dir())
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().contains("cache"));
    cache.exists() || any
}

/// Makes the last pass one that ended so long ago.
pub(crate) fn last_pass_was(home: &Home, ms: i64) {
    let path = home.state_dir().join("last-pass.json");
    let mut last: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    last["at"] = json!(last["at"].as_i64().unwrap() - ms);
    last["awake"]["ms"] = json!((last["awake"]["ms"].as_i64().unwrap() - ms).max(0));
    last.as_object_mut().unwrap().remove("sum");
    fs::write(path, last.to_string()).unwrap();
}

fn kinds(home: &Home) -> Vec<String> {
    home.told().iter().map(|told| told["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn passes_that_did_not_run_are_told_once_by_the_next_one() {
    let home = Home::new();
    home.listen("processes = ['nobody']");
    home.up("bot", &[], "exec sleep 1000");
    home.ok(&["healthcheck"]);
    assert_eq!(home.json(&["healthcheck"])["missed"], Value::Null);
    last_pass_was(&home, 400_000);
    assert_eq!(home.json(&["status"])["healthcheck"]["overdue"], true);
    let said = home.ok(&["healthcheck"]);
    assert!(said.contains("warning: no pass ran from") && said.contains("6 were missed"), "{said}");
    assert_eq!(kinds(&home), ["overdue"]);
    let told = &home.told()[0];
    assert_eq!((&told["process"], &told["severity"]), (&json!("guardian"), &json!("warning")));
    assert!(told["title"].as_str().unwrap().contains("no pass ran from"), "{told}");
    home.ok(&["healthcheck"]);
    assert_eq!(kinds(&home).len(), 1);
}

#[test]
fn a_dead_cron_is_told_by_the_first_death_and_not_again_by_the_next_pass() {
    let home = Home::new();
    home.listen("events = ['overdue']");
    home.up("bot", &["--backoff", "0s"], "exec sleep 1000");
    home.ok(&["healthcheck"]);
    last_pass_was(&home, 400_000);
    signal(home.pid("bot"), Signal::SIGKILL);
    until("it is told", || !home.told().is_empty());
    assert!(home.told()[0]["title"].as_str().unwrap().contains("no pass has run since"), "{:?}", home.told());
    home.reaches("bot", "running");
    assert!(home.run(&["healthcheck"]).stdout.contains("no pass ran from"));
    assert_eq!(kinds(&home), ["overdue"]);
}

#[test]
fn a_sink_hears_at_its_time_that_all_is_well_and_a_missed_time_is_made_up_for_once() {
    let home = Home::new();
    home.listen("events = ['tripped']\nheartbeat = '0 9 * * *'\ntimezone = 'Europe/Berlin'");
    home.up("bot", &[], "exec sleep 1000");
    home.ok(&["healthcheck"]);
    assert_eq!(kinds(&home), Vec::<String>::new(), "it counts from now");
    fs::write(home.state_dir().join("heartbeats.json"), r#"{"schema":1,"told":{"ear":86400000}}"#).unwrap();
    home.ok(&["healthcheck"]);
    home.ok(&["healthcheck"]);
    assert_eq!(kinds(&home), ["heartbeat"]);
    let told = &home.told()[0];
    let title = told["title"].as_str().unwrap();
    assert!(title.contains("all is well, 1 process up; no restart since 1970-01-02"), "{title}");
    assert_eq!(told["severity"], "info");
}
