//! What follows from an incident while it is open: reminders, escalation, acknowledgement, and its end wherever it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

use crate::home::Home;
use crate::procs::{PATIENCE, eventually, until};

/// Passes until what was told of `name` has something of which `is` holds.
fn passes_until(home: &Home, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || {
        home.run(&["healthcheck"]);
        home.told().into_iter().find(&is)
    })
}

fn reminders(home: &Home) -> Vec<u64> {
    home.told().iter().filter_map(|told| told["incident"]["reminder"].as_u64()).collect()
}

#[test]
fn an_open_incident_is_told_again_until_somebody_acknowledges_it_and_who_asks_sees_it() {
    let home = Home::new();
    home.listen("remind = \"1s\"\ncooldown = \"0s\"\nevents = [\"premature\", \"acknowledged\"]");
    home.up("bot", &["--restart", "never"], "exit 3");
    let first = home.hears("bot", "premature");
    let second = passes_until(&home, "a second reminder", |told| told["incident"]["reminder"] == 2);
    assert!(second["title"].as_str().unwrap().contains("reminder 2, open since "), "{second}");
    assert!(second["text"].as_str().unwrap().contains("failed once"), "{second}");
    assert_eq!(second["incident"]["id"], first["id"]);

    let open = &home.json(&["alerts"])["incidents"][0];
    assert_eq!((&open["process"], &open["kind"], &open["times"]), (&"bot".into(), &"premature".into(), &1.into()));
    assert!(open["acknowledged"].is_null(), "{open}");
    home.run(&["alerts", "ack", "bto"]).expect(4).complains("open: bot (");

    home.ok(&["alerts", "ack", first["id"].as_str().unwrap(), "--note", "on it", "--by", "ann"]);
    home.ok(&["ack", "bot", "--by", "bob"]);
    assert_eq!(home.hears("bot", "acknowledged")["text"].as_str().unwrap().matches("by ann: on it").count(), 1);
    let open = &home.json(&["alerts"])["incidents"][0];
    assert_eq!(open["acknowledged"]["by"], "ann", "who was first: {open}");
    assert!(home.run(&["alerts"]).stdout.contains("acknowledged by ann"));
    let before = reminders(&home);
    assert_eq!(before, (1..=before.len() as u64).collect::<Vec<_>>(), "each once, in order");
    std::thread::sleep(std::time::Duration::from_millis(1500)); // nothing is to happen, which no condition shows
    home.run(&["healthcheck"]);
    assert_eq!(reminders(&home), before, "no reminder after it");

    home.ok(&["stop", "bot"]);
    assert_eq!(home.json(&["alerts"])["incidents"], Value::Array(Vec::new()), "the operator ended it");
    home.run(&["ack", "bot"]).expect(4).complains("nothing is open");
}

#[test]
fn who_does_not_acknowledge_in_time_is_passed_over_and_the_others_hear_of_the_end_too() {
    let home = Home::new();
    let phone = home.path("phone");
    let line = format!("tr -d '\\n' >>{0}; echo >>{0}", phone.display());
    home.listen(&format!(
        "escalate_after = \"1s\"\nescalate_to = [\"phone\"]\n[sinks.phone]\ntype = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", {line:?}]\nprocesses = [\"nothing\"]"
    ));
    home.up("bot", &["--restart", "never"], "exit 3");
    home.hears("bot", "premature");
    until("it is escalated", || {
        home.run(&["healthcheck"]);
        home.lines("phone").len() == 1
    });
    home.run(&["healthcheck"]);
    home.ok(&["stop", "bot"]);
    until("its end is told", || {
        home.run(&["healthcheck"]);
        home.lines("phone").len() == 2
    });
    let told: Vec<Value> = home.lines("phone").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&told[0]["incident"]["why"], &told[0]["incident"]["escalated_from"]),
        (&"escalation".into(), &"ear".into())
    );
    assert_eq!((&told[1]["kind"], &told[1]["incident"]["why"]), (&"stopped".into(), &"over".into()));
}

#[test]
fn failures_before_the_nth_in_a_row_are_recorded_and_not_told_and_neither_is_their_recovery() {
    let home = Home::new();
    home.listen("after = 3");
    let flag = home.path("well");
    let line = format!("[ -e {} ] && exec sleep 1000; exit 1", flag.display());
    let options = ["--restart", "always", "--backoff", "100ms", "--max-failures", "0", "--healthy-after", "1s"];
    home.up("bot", &options, &line);
    let third = home.hears("bot", "premature");
    assert!(third["text"].as_str().unwrap().contains("3 in a row"), "{third}");
    assert_eq!(home.told().len(), 1);
    let recent = home.json(&["alerts"])["recent"].clone();
    let held: Vec<&Value> = recent.as_array().unwrap().iter().filter(|row| row["how"] == "suppressed").collect();
    assert_eq!(held.len(), 2, "{recent}");
    assert_eq!(held[1]["reason"], "failure 1 in a row, told from failure 3 on (`after`)");
    std::fs::write(&flag, "").unwrap();
    home.hears("bot", "recovered");
}

#[test]
fn what_guardian_gives_up_on_is_told_whatever_after_says() {
    let home = Home::new();
    home.listen("after = 9");
    home.up("job", &["--target", "exit"], "exit 3");
    home.hears("job", "failed");
}

#[test]
fn what_goes_to_and_fro_is_told_once_as_flapping_and_then_only_recorded() {
    let home = Home::new();
    home.listen("cooldown = \"0s\"");
    let flag = home.path("well");
    let mut arguments = vec!["register".to_owned(), "job".to_owned(), "--target".to_owned(), "exit".to_owned()];
    arguments.extend(["--".to_owned(), format!("[ -e {} ]", flag.display())]);
    home.ok(&arguments);
    for round in 0..4 {
        drop(std::fs::remove_file(&flag));
        home.ok(&["start", "job"]);
        home.reaches("job", "dead");
        home.run(&["healthcheck"]);
        std::fs::write(&flag, "").unwrap();
        home.ok(&["start", "job"]);
        home.reaches("job", "completed");
        until("the round was told or put away", || {
            home.run(&["healthcheck"]);
            let alerts = home.json(&["alerts"]);
            alerts["pending"].as_array().unwrap().is_empty()
                && alerts["recent"].as_array().unwrap().len() == 2 * (round + 1)
        });
    }
    let kinds: Vec<String> = home.told().iter().map(|told| told["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["failed", "recovered", "failed", "recovered", "failed", "flapping"]);
    assert!(home.told()[5]["title"].as_str().unwrap().contains("6 changes in 1h"), "{:?}", home.told()[5]);
    let alerts = home.json(&["alerts"]);
    assert_eq!(alerts["recent"][0]["reason"], alerts["recent"][1]["reason"]);
    assert!(alerts["recent"][0]["reason"].as_str().unwrap().starts_with("flapping: 6 changes"), "{alerts}");
}

/// A service that takes everything: what it got.
fn service() -> (u16, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (mut reader, mut length) = (BufReader::new(&stream), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(&stream, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

#[test]
fn pagerduty_hears_of_trouble_of_the_acknowledgement_and_of_a_stop_under_one_key() {
    let (port, posts) = service();
    let home = Home::new();
    home.write_registry(format!(
        "[sinks.pd]\ntype = \"pagerduty\"\nrouting_key = \"k\"\napi_base = \"http://127.0.0.1:{port}\"\n"
    ));
    home.up("bot", &["--restart", "never"], "exit 3");
    let trigger = posts.recv_timeout(PATIENCE).unwrap();
    home.ok(&["alerts", "ack", "bot"]);
    let acknowledge = posts.recv_timeout(PATIENCE).unwrap();
    home.ok(&["stop", "bot"]);
    home.run(&["healthcheck"]);
    let resolve = posts.recv_timeout(PATIENCE).unwrap();
    let actions = [&trigger, &acknowledge, &resolve].map(|post| post["event_action"].as_str().unwrap().to_owned());
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!([&acknowledge, &resolve].iter().all(|post| post["dedup_key"] == trigger["dedup_key"]));
}

#[test]
fn an_alertmanager_is_sent_an_open_incident_again_and_its_end_carries_the_same_labels() {
    let (port, posts) = service();
    let home = Home::new();
    home.write_registry(format!(
        "[sinks.am]\ntype = \"alertmanager\"\nurl = \"http://127.0.0.1:{port}\"\nremind = \"1s\"\n"
    ));
    home.up("bot", &["--restart", "never"], "exit 3");
    let fired = posts.recv_timeout(PATIENCE).unwrap();
    home.ok(&["ack", "bot"]);
    let again = eventually("it is sent again", || {
        home.run(&["healthcheck"]);
        posts.try_recv().ok()
    });
    home.ok(&["stop", "bot"]);
    let resolved = eventually("its end is sent", || {
        home.run(&["healthcheck"]);
        posts.try_iter().find(|post| post[0]["endsAt"].as_str() < again[0]["endsAt"].as_str())
    });
    assert_eq!(fired[0]["labels"]["severity"], "critical");
    assert!([&again, &resolved].iter().all(|post| post[0]["labels"] == fired[0]["labels"]));
    assert_eq!(again[0]["startsAt"], resolved[0]["startsAt"]);
}

#[test]
fn a_slip_in_escalate_to_is_named_with_its_place() {
    let home = Home::new();
    let sink = |name: &str, to: &str| {
        format!(
            "[sinks.{name}]\ntype = \"file\"\npath = \"/tmp/x\"\nescalate_after = \"30m\"\nescalate_to = [\"{to}\"]\n"
        )
    };
    let check = || home.run(&["config", "check"]).expect(78);
    home.write_registry(sink("a", "fone"));
    let said = check();
    let place = ":5:15: sink `a`: `escalate_to`: there is no sink \"fone\"";
    assert!((said.stdout.clone() + &said.stderr).contains(place), "{said:?}");
    home.write_registry(sink("a", "b") + &sink("b", "a"));
    let said = check();
    assert!((said.stdout.clone() + &said.stderr).contains("`escalate_to` leads back to this sink"), "{said:?}");
}
