//! Silences, quiet hours, digests: what is not told now, why, and what is told when that is over.

use serde_json::Value;

use crate::home::Home;
use crate::procs::{eventually, until};

/// Passes until nothing that waits is on its way, and returns what waits.
fn pending(home: &Home) -> Vec<Value> {
    home.run(&["healthcheck"]);
    home.json(&["alerts"])["pending"].as_array().unwrap().clone()
}

#[test]
fn a_silenced_process_is_told_of_once_when_the_silence_is_ended_and_says_that_it_was_silenced() {
    let home = Home::new();
    home.listen("cooldown = \"0s\"");
    home.ok(&["register", "bot", "--restart", "never", "--target", "8h", "--", "exit 3"]);
    let said = home.ok(&["alerts", "silence", "bot", "2h", "--reason", "maintenance", "--by", "ann"]);
    assert!(said.contains("bot: silenced by ann for 2h 00m, until "), "{said}");
    assert!(home.status("bot")["silenced_until"].is_string());
    for _ in 0..3 {
        home.ok(&["start", "bot"]);
        home.reaches("bot", "dead");
        home.run(&["healthcheck"]);
    }
    // The pass of the last death may still be at it.
    until("one is kept, and two are put away", || {
        let recent = home.json(&["alerts"])["recent"].clone();
        let held = recent.as_array().unwrap().iter().filter(|row| row["how"] == "suppressed").count();
        pending(&home).len() == 1 && held == 2
    });
    assert_eq!(home.told(), Vec::<Value>::new());
    assert!(home.run(&["status"]).stdout.contains("silenced for 1h 59m more"));

    home.ok(&["unsilence", "bot"]);
    let told = home.hears("bot", "premature");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("still so; it was silenced until ") && text.contains("by ann: maintenance"), "{text}");
    home.run(&["healthcheck"]);
    assert_eq!(home.told().len(), 1, "the newest alone");
    let recent = home.json(&["alerts"])["recent"].clone();
    let held: Vec<&Value> = recent.as_array().unwrap().iter().filter(|row| row["how"] == "suppressed").collect();
    assert!(!held.is_empty(), "{recent}");
    assert!(
        held[0]["reason"].as_str().unwrap().contains("by ann: maintenance; other trouble of it is kept"),
        "{recent}"
    );
    assert!(home.status("bot")["silenced_until"].is_null());
}

fn waits_for(home: &Home) -> String {
    let waits = eventually("one waits", || pending(home).first().cloned());
    waits["waits_for"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_told_before_the_silence_is_told_to_be_over_after_it() {
    let home = Home::new();
    home.listen("cooldown = \"0s\"");
    let flag = home.path("well");
    let options = ["--restart", "always", "--backoff", "100ms", "--max-failures", "0", "--healthy-after", "1s"];
    home.up("bot", &options, &format!("[ -e {} ] && exec sleep 1000; sleep 0.2; exit 1", flag.display()));
    home.hears("bot", "premature");
    home.ok(&["silence", "--all", "2h"]);
    std::fs::write(&flag, "").unwrap();
    until("its recovery waits", || pending(&home).iter().any(|waits| waits["kind"] == "recovered"));
    assert_eq!(waits_for(&home).split(" until ").next(), Some("silenced"));
    let listed = home.run(&["alerts"]).stdout;
    assert!(listed.contains("silenced:\n  everything for ") && listed.contains(": silenced until "), "{listed}");
    let silence = &home.json(&["alerts"])["silences"][0];
    assert_eq!((&silence["of"], silence["until"].is_string()), (&"all".into(), true));
    home.ok(&["alerts", "unsilence", "--all"]);
    assert!(home.hears("bot", "recovered")["text"].as_str().unwrap().contains("it was silenced until "));
    assert_eq!(home.json(&["alerts"])["silences"], Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_silenced_is_refused_with_the_way_out() {
    let home = Home::new();
    home.ok(&["register", "bot", "--group", "trading", "--", "true"]);
    home.run(&["silence", "bot"]).expect(2).complains("guardian silence NAME 2h");
    home.run(&["silence", "2h"]).expect(2).complains("nobody is named");
    home.run(&["silence", "bot", "30"]).expect(2).complains("30m");
    home.run(&["silence", "bot", "0s"]).expect(2).complains("unsilence");
    home.run(&["silence", "bto", "2h"]).expect(4).complains("bot");
    home.run(&["silence", "--group", "tradin", "2h"]).expect(4).complains("trading");
    home.ok(&["silence", "--group", "trading", "2h"]);
    home.run(&["unsilence", "bot"]).expect(1).complains("--group trading");
    home.ok(&["unsilence", "--group", "trading"]);
    assert!(!home.state_dir().join("silences").exists());
}

#[test]
fn damaged_silences_swallow_nothing_and_each_pass_says_so() {
    let home = Home::new();
    home.listen("cooldown = \"0s\"");
    home.ok(&["register", "bot", "--restart", "never", "--target", "8h", "--", "exit 3"]);
    home.ok(&["silence", "bot", "2h"]);
    std::fs::write(home.state_dir().join("silences"), "x").unwrap();
    home.run(&["start", "bot"]);
    home.hears("bot", "premature");
    assert!(home.run(&["healthcheck"]).stdout.contains("nothing is silenced"));
    assert_ne!(home.run(&["status"]).code, 0);
}

#[test]
fn in_quiet_hours_only_what_is_critical_is_told_and_who_asks_is_told_why_the_rest_waits() {
    let home = Home::new();
    let minute = |later: i64| {
        let now = guardian::os::clock::now().unwrap().wall.0;
        let minute = (now / 60_000 + later).rem_euclid(1440);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    let (from, to) = (minute(-60), minute(120));
    home.listen(&format!("quiet = [\"{from}-{to}\"]\ntimezone = \"UTC\""));
    home.up("job", &["--target", "exit"], "exit 3");
    assert!(waits_for(&home).starts_with("quiet hours until "), "{}", waits_for(&home));
    home.up("bot", &["--restart", "never"], "exit 3");
    home.hears("bot", "premature");
    assert_eq!(home.told().len(), 1, "given up is critical");
}

#[test]
fn a_group_window_makes_one_message_of_what_follows_and_a_digest_waits_for_its_hour() {
    let home = Home::new();
    home.listen("group_window = \"3s\"\n[sinks.daily]\ntype = \"file\"\npath = \"/dev/null\"\ndigest = \"0 0 1 1 *\"");
    home.up("one", &["--target", "exit"], "exit 3");
    home.up("two", &["--target", "exit"], "exit 3");
    until("both are told", || {
        home.run(&["healthcheck"]);
        !home.told().is_empty()
    });
    let told = home.told();
    assert_eq!((told.len(), told[0]["folded"].as_array().map(Vec::len)), (1, Some(1)), "{told:?}");
    let daily = pending(&home);
    assert_eq!(daily.len(), 2, "{daily:?}");
    assert!(daily[0]["waits_for"].as_str().unwrap().starts_with("digest at "), "{daily:?}");
}

#[test]
fn a_wrong_quiet_time_is_named_with_its_line_and_column() {
    let home = Home::new();
    home.write_registry("[sinks.ops]\ntype = \"file\"\npath = \"/x\"\nquiet = [\"22:00-7:77\"]\n");
    let output = home.run(&["config", "check"]).expect(78);
    let said = output.stdout + &output.stderr;
    assert!(said.contains(":4:17") && said.contains("no time from 00:00 to 24:00"), "{said}");
}
