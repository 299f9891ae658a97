//! Silences, quiet hours, digests: what is not told now, why, and what is told when that is over.

use serde_json::Value;

use crate::home::Home;
use crate::procs::until;

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
    until("one is kept", || pending(&home).len() == 1);
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
