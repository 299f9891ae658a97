//! The program killed at each step between commit and receipt; and five hundred deaths in a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use crate::home::{Home, Output, finish};
use crate::procs::{cmdline, kill_together, now_ms, until, within};
use crate::storm::{a_minute_passes, receipts};

/// A web server that takes everything but what comes to `/no`, which it refuses for good: of each request that it took the `Idempotency-Key` and the id in the body of each request.
fn receiver() -> (u16, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut key, mut length, mut refused) = (String::new(), 0, false);
                loop {
                    let mut line = String::new();
                    // A client that was killed has said only a part, or nothing.
                    if stream.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    refused |= line.starts_with("POST /no ");
                    let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                    match name.to_lowercase().trim() {
                        "" => break,
                        "idempotency-key" => key = value.trim().to_owned(),
                        "content-length" => length = value.trim().parse().unwrap(),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                if stream.read_exact(&mut body).is_err() {
                    return;
                }
                if refused {
                    drop(
                        stream
                            .get_mut()
                            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                    );
                    return;
                }
                let body: Value = serde_json::from_slice(&body).unwrap();
                drop(tell.send((key, body["id"].as_str().unwrap().to_owned())));
                drop(stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
            });
        }
    });
    (port, told)
}

/// System calls that change something, in the order in which a pass comes to them, from the commit to the receipt.
const CALLS: [&str; 12] = [
    "flock",
    "openat",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "mkdir",
    "clone3",
    "connect",
    "sendto",
    "recvfrom",
    "unlink",
];

/// A pass that is killed when it makes this call for the so many-th time (in any of its threads).
pub(crate) fn killed_pass(home: &Home, call: &str, count: usize) -> Output {
    let mut command = home.other_command("timeout".as_ref());
    command.args(["-s", "KILL", "60", "strace", "-f", "-qq", "-o"]).arg(home.path("trace"));
    command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:signal=KILL:when={count}")]);
    command.arg(home.program()).arg("healthcheck");
    finish(command)
}

#[test]
fn a_pass_killed_at_any_step_between_commit_and_receipt_loses_nothing_and_doubles_under_the_same_id() {
    let (port, told) = receiver();
    let home = Home::new();
    home.write_registry(format!(
        "[healthcheck]\nstorm = 0\n[sinks.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\ncooldown = \"0s\"\n"
    ));
    let (mut killed, mut doubled, mut all) = (0, 0, BTreeMap::<String, usize>::new());
    let mut nth = 0;
    let begun = now_ms();
    for call in CALLS {
        let mut count = 1;
        loop {
            nth += 1;
            let name = format!("p{nth}");
            home.ok(&["register", &name, "--restart", "never", "--start", "--", "sleep", "1000"]);
            kill_together(&[home.shim_pid(&name), home.pid(&name)]);
            let output = killed_pass(&home, call, count);
            let when = format!("killed at {call} {count}");
            if output.code == 137 {
                killed += 1;
            }
            home.run(&["healthcheck"]);
            for (key, id) in told.try_iter() {
                assert_eq!(key, id, "{when}: a receiver could not tell doubles");
                *all.entry(id).or_default() += 1;
            }
            let mine: Vec<(&String, &usize)> =
                all.iter().filter(|(id, _)| id.starts_with(&format!("{name}."))).collect();
            assert_eq!(mine.len(), 1, "{when}: {name} was told as {mine:?}");
            doubled += usize::from(*mine[0].1 > 1);
            assert!(*mine[0].1 <= 2, "{when}: told {} times", mine[0].1);
            let alerts = home.json(&["alerts"]);
            assert_eq!(
                (&alerts["pending"], &alerts["dead"], &alerts["errors"]),
                (&Value::from(vec![0; 0]), &Value::from(vec![0; 0]), &Value::from(vec![0; 0])),
                "{when}"
            );
            let settled = receipts(&home).iter().filter(|(id, _)| id == mine[0].0).count();
            assert_eq!(settled, 1, "{when}: {settled} receipts");
            home.ok(&["deregister", &name, "--stop"]);
            if output.code != 137 {
                break;
            }
            count += 1 + count / 8; // the first ones all, then samples
        }
    }
    assert!(killed > 30, "only {killed} kills");
    assert!(doubled > 0, "no kill fell between delivery and receipt: {killed} kills in {} ms", now_ms() - begun);
}

#[test]
fn a_pass_killed_at_any_step_on_the_way_to_a_last_word_leaves_one_and_doubles_it_under_the_same_id() {
    let (port, told) = receiver();
    let home = Home::new();
    let hook = |name: &str, path: &str, more: &str| {
        format!(
            "[sinks.{name}]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/{path}\"\ncooldown = \"0s\"\n{more}\n"
        )
    };
    let sinks = hook("broken", "no", "") + &hook("other", "x", "events = [\"tripped\"]");
    home.write_registry(format!("[healthcheck]\nstorm = 0\n{sinks}"));
    let (mut killed, mut all, mut nth) = (0, BTreeMap::<String, usize>::new(), 0);
    for call in ["flock", "openat", "fsync", "rename", "mkdir", "connect", "sendto", "recvfrom", "unlink"] {
        let mut count = 1;
        loop {
            nth += 1;
            let name = format!("p{nth}");
            home.ok(&["register", &name, "--restart", "never", "--start", "--", "sleep", "1000"]);
            kill_together(&[home.shim_pid(&name), home.pid(&name)]);
            let code = killed_pass(&home, call, count).code;
            let when = format!("killed at {call} {count}");
            home.run(&["healthcheck"]);
            let before: BTreeSet<String> = all.keys().cloned().collect();
            for (key, id) in told.try_iter() {
                assert_eq!(key, id, "{when}: a receiver could not tell doubles");
                assert!(id.starts_with("guardian.") && id.ends_with(".broken.alert_failed"), "{when}: {id}");
                *all.entry(id).or_default() += 1;
            }
            let fresh: Vec<(&String, &usize)> = all.iter().filter(|(id, _)| !before.contains(*id)).collect();
            assert!(fresh.len() == 1 && *fresh[0].1 <= 2, "{when}: {fresh:?}");
            let alerts = home.json(&["alerts"]);
            let dead = alerts["dead"].as_array().unwrap();
            assert_eq!((&alerts["pending"], dead.len()), (&Value::from(vec![0; 0]), nth), "{when}");
            assert!(dead.iter().all(|dead| dead["said_through"] == "other"), "{when}: {dead:?}");
            home.ok(&["deregister", &name, "--stop"]);
            if code != 137 {
                break;
            }
            killed += 1;
            count += 1 + count / 4; // the first ones all, then samples
        }
    }
    assert!(killed > 20, "only {killed} kills");
}

#[test]
fn five_hundred_deaths_in_a_minute_are_a_handful_of_messages_and_each_is_in_one() {
    const MANY: usize = 500;
    let home = Home::new();
    let mut registry = String::new();
    for nth in 0..MANY {
        let line = "while [ ! -e ../go ]; do sleep 0.2; done; exit 3";
        writeln!(registry, "[process.p{nth:03}]\nshell = {line:?}\nrestart = \"never\"\ncwd = {:?}", home.path("home"))
            .unwrap();
    }
    home.write_registry(registry);
    home.listen("");
    home.run(&["start", "--all"]).expect(0);
    fs::write(home.path("go"), "").unwrap();
    // Each of 500 passes looks at the whole outbox: where the machine is busy with other tests that takes its time.
    const PATIENCE: Duration = Duration::from_secs(240);
    let rows = within(PATIENCE, "all are dead", || {
        let processes = home.json(&["status"])["processes"].take();
        let rows = processes.as_array().unwrap().clone();
        rows.iter().all(|row| row["state"] == "dead").then_some(rows)
    });
    let died = |row: &Value| DateTime::parse_from_rfc3339(row["last_exit"]["at"].as_str().unwrap()).unwrap();
    let (first, last) = (rows.iter().map(died).min().unwrap(), rows.iter().map(died).max().unwrap());
    assert!((last - first).num_seconds() < 60, "from {first} to {last}");
    within(PATIENCE, "the storm is told", || home.told().into_iter().find(|told| told["kind"] == "storm"));
    within(PATIENCE, "no pass is left", || {
        (!home.processes().into_iter().any(|pid| cmdline(pid).contains("--push"))).then_some(())
    });
    a_minute_passes(&home);
    home.run(&["healthcheck"]);
    until("nothing waits", || {
        home.run(&["healthcheck"]);
        home.json(&["alerts"])["pending"] == Value::from(vec![0; 0])
    });
    let told = home.told();
    let titles: Vec<&Value> = told.iter().map(|told| &told["title"]).collect();
    // Those that died before the storm was one, as many again on their way meanwhile, the storm and its end.
    assert!(told.len() <= 10, "{titles:#?}");
    // Each of them: by its receipt, which says alone, folded into another message or as part of which storm.
    let receipts: BTreeSet<String> = receipts(&home).into_iter().map(|(id, _)| id).collect();
    let settled = |name: &str| {
        receipts
            .iter()
            .any(|id| id.starts_with(&format!("{name}.")) && (id.ends_with(".premature") || id.ends_with(".storm")))
    };
    let untold: Vec<String> = (0..MANY).map(|nth| format!("p{nth:03}")).filter(|name| !settled(name)).collect();
    assert!(untold.is_empty(), "{untold:?}");
    let over = told.iter().find(|told| told["kind"] == "storm_over").expect("its end is told");
    assert_eq!(over["storm"]["failed"], MANY, "{over}");
}
