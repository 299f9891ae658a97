//! Alerts as they read.

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::model::sample::{btc_bot, event, note};
use crate::model::time::Wall;

#[test]
fn a_premature_end_is_told_with_everything_that_is_known() {
    let first = event("btc-bot", 1, EventKind::Premature, 1);
    let second = event("btc-bot", 2, EventKind::Premature, 2);
    let rendered = render(&btc_bot(), &[&first, &second]);
    expect!["[guardian] WARNING: trader/btc-bot: premature after 3s of 8h (exit 0 after SIGTERM from node, pid 99) (+2 more)"]
        .assert_eq(&rendered.subject);
    expect![[r#"
        btc-bot on trader.example.org, run 3: it ended before its time

        Level:   warning
        Lived:   3s of 8h (0 %)
        Cause:   it exited with code 0, after SIGTERM from node (pid 99, user 1000), command `node gateway.js`, started by bash 42 < systemd 1
        Now:     restarted as run 4
        Failed:  1 in a row
        When:    2026-11-18T11:06:43.000Z
        And 2 more since 2026-11-18T11:06:41.000Z (2 premature), the last at 2026-11-18T11:06:42.000Z

        Last output:
          connecting
          shutting down

        Look closer: guardian why btc-bot --run 3
        Silence it: guardian alerts silence btc-bot 2h
        I know of it: guardian alerts ack btc-bot
        id btc-bot.abc.3.premature
    "#]].assert_eq(&rendered.text);
}

#[test]
fn the_json_is_that_of_the_contract() {
    let json = render(&btc_bot(), &[]).json;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    expect![[r#"
        {
          "action": "restarted as run 4",
          "at": "2026-11-18T11:06:43.000Z",
          "cause": {
            "code": 0,
            "kind": "exited"
          },
          "host": "trader.example.org",
          "id": "btc-bot.abc.3.premature",
          "kind": "premature",
          "log_tail": [
            "connecting",
            "shutting down"
          ],
          "process": "btc-bot",
          "ran_s": 3.2,
          "run": 3,
          "schema": 1,
          "severity": "warning",
          "target_s": 28800,
          "text": "btc-bot on trader.example.org, run 3: it ended before its time\n\nLevel:   warning\nLived:   3s of 8h (0 %)\nCause:   it exited with code 0, after SIGTERM from node (pid 99, user 1000), command `node gateway.js`, started by bash 42 < systemd 1\nNow:     restarted as run 4\nFailed:  1 in a row\nWhen:    2026-11-18T11:06:43.000Z\n\nLast output:\n  connecting\n  shutting down\n\nLook closer: guardian why btc-bot --run 3\nSilence it: guardian alerts silence btc-bot 2h\nI know of it: guardian alerts ack btc-bot\nid btc-bot.abc.3.premature\n",
          "title": "[guardian] WARNING: trader/btc-bot: premature after 3s of 8h (exit 0 after SIGTERM from node, pid 99)",
          "verdict": "premature"
        }"#]].assert_eq(&serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn programs_learn_of_everything_that_a_message_speaks_for() {
    let older = event("btc-bot", 1, EventKind::Premature, 1);
    let json: serde_json::Value = serde_json::from_str(&render(&btc_bot(), &[&older]).json).unwrap();
    expect![[r#"[{"at":"2026-11-18T11:06:41.000Z","id":"btc-bot.abc.1.premature","kind":"premature","process":"btc-bot","run":1}]"#]].assert_eq(&json["folded"].to_string());
}

#[test]
fn each_kind_has_a_subject_that_says_what_happened() {
    let subjects = EventKind::ALL.map(|kind| render(&note(event("web", 7, kind, 0)), &[]).subject);
    expect![[r#"
        [guardian] h/web: registered
        [guardian] h/web: started
        [guardian] h/web: restarted
        [guardian] h/web: ready
        [guardian] h/web: was sent a signal
        [guardian] h/web: exited after an unknown time
        [guardian] WARNING: h/web: premature after an unknown time (exit 1)
        [guardian] h/web: completed after an unknown time
        [guardian] WARNING: h/web: failed after an unknown time (exit 1)
        [guardian] h/web: stopped
        [guardian] WARNING: h/web: hung: alive without progress
        [guardian] h/web: guardian is ending it
        [guardian] h/web: twice as slow as ever
        [guardian] CRITICAL: h/web: tripped, not restarted for now (exit 1)
        [guardian] h/web: one more try after the breaker was open
        [guardian] h/web: recovered
        [guardian] WARNING: h/web: alive, but its shim is gone
        [guardian] CRITICAL: h/web: storm
        [guardian] h/web: storm over
        [guardian] WARNING: h/web: flapping: 
        [guardian] h/web: no longer flapping: 
        [guardian] h/web: acknowledged: 
        [guardian] h/web: a time of its schedule was left out
        [guardian] h/web: acted
        [guardian] h/web: overdue
        [guardian] h/web: heartbeat
        [guardian] h/web: alert delivered
        [guardian] h/web: alert failed
        [guardian] h/web: this is a test, nothing is wrong"#]]
    .assert_eq(&subjects.join("\n"));
}

#[test]
fn a_trip_says_that_guardian_gave_up_and_what_to_type() {
    let mut tripped = note(event("web", 7, EventKind::Tripped, 0));
    tripped.event.failures = Some(3);
    tripped.event.action = "next try in 15m; `guardian start web` tries now".to_owned();
    expect![[r#"
        web on h, run 7: the breaker is open, guardian does NOT restart it for now

        Level:   critical
        Cause:   it exited with code 1
        Now:     next try in 15m; `guardian start web` tries now
        Failed:  3 in a row
        When:    2026-11-18T11:06:40.000Z

        Look closer: guardian why web --run 7
        Silence it: guardian alerts silence web 2h
        I know of it: guardian alerts ack web
        id web.abc.7.tripped
    "#]]
    .assert_eq(&render(&tripped, &[]).text);
}

#[test]
fn a_storm_names_the_worst_and_counts_the_rest() {
    let others: Vec<Event> = (0..30).map(|nth| event(&format!("p{nth}"), 1, EventKind::Premature, nth)).collect();
    let folded: Vec<&Event> = others.iter().collect();
    let text = render(&note(event("web", 7, EventKind::Tripped, 40)), &folded).text;
    expect![[r#"
        web on h, run 7: the breaker is open, guardian does NOT restart it for now

        Level:   critical
        Cause:   it exited with code 1
        When:    2026-11-18T11:07:20.000Z
        And 30 more about 30 other processes:
          p29: premature after an unknown time (exit 1)
          p28: premature after an unknown time (exit 1)
          p27: premature after an unknown time (exit 1)
          p26: premature after an unknown time (exit 1)
          p25: premature after an unknown time (exit 1)
          p24: premature after an unknown time (exit 1)
          p23: premature after an unknown time (exit 1)
          p22: premature after an unknown time (exit 1)
          p21: premature after an unknown time (exit 1)
          p20: premature after an unknown time (exit 1)
          … 20 not shown; all of them: guardian status

        Look closer: guardian why web --run 7
        Silence it: guardian alerts silence web 2h
        I know of it: guardian alerts ack web
        id web.abc.7.tripped
    "#]]
    .assert_eq(&text);
}

#[test]
fn programs_get_the_environment_of_the_contract() {
    let environment = environment(&btc_bot().event);
    let lines: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    expect![[r#"
        GUARDIAN_EVENT=premature
        GUARDIAN_NAME=btc-bot
        GUARDIAN_RUN=3
        GUARDIAN_CAUSE=exited
        GUARDIAN_VERDICT=premature
        GUARDIAN_EXIT_CODE=0
        GUARDIAN_SIGNAL="#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_long_output_is_cut_to_its_last_twenty_lines() {
    let mut long = btc_bot();
    long.log_tail = (0..50).map(|nth| format!("{nth} {}", "x".repeat(1000))).collect();
    let tail = tail(&long);
    assert_eq!(tail.len(), 20);
    assert!(tail[0].starts_with("30 "));
    assert!(tail.iter().all(|line| line.chars().count() <= 300));
}

proptest! {
    #[test]
    fn a_subject_is_one_short_line_whatever_the_world_says(host in any::<String>(), comm in any::<String>(), folded in 0..300_usize) {
        let mut hostile = btc_bot();
        hostile.host = host;
        if let Some(sender) = hostile.event.signals[0].sender.as_mut() { sender.comm = Some(comm); }
        let older = event("btc-bot", 1, EventKind::Premature, 0);
        let rendered = render(&hostile, &vec![&older; folded]);
        prop_assert!(rendered.subject.chars().count() <= SUBJECT_MAX);
        prop_assert!(!rendered.subject.chars().any(char::is_control));
        prop_assert!(!rendered.text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert!(!rendered.json.contains('\n'));
    }
}

#[test]
fn what_differs_from_the_last_good_run_is_one_bounded_line_of_text_and_json() {
    let mut told = btc_bot();
    assert!(!render(&told, &[]).json.contains("\"differs\""));
    told.differs = "git commit 1a2b3c4d → 4d5e6f70 (run 1 was well)".to_owned();
    let rendered = render(&told, &[]);
    assert!(
        rendered.text.contains("\nDiffers: git commit 1a2b3c4d → 4d5e6f70 (run 1 was well)\n"),
        "{}",
        rendered.text
    );
    let json: serde_json::Value = serde_json::from_str(&rendered.json).unwrap();
    assert_eq!(json["differs"], told.differs);
    told.differs = "x\n".repeat(100_000);
    let line = render(&told, &[]).text.lines().find(|line| line.starts_with("Differs:")).unwrap().to_owned();
    assert!(line.chars().count() <= DIFFERS_WIDTH + 9);
}

#[test]
fn a_start_says_nothing_of_how_long_it_lived() {
    let started = Event { target_s: Some(28_800), ..event("web", 7, EventKind::Started, 3) };
    let text = render(&Notification { event: started, ..btc_bot() }, &[]).text;
    assert!(!text.contains("Lived") && !text.contains("unknown"), "{text}");
}

#[test]
fn a_subject_fits_its_columns_in_any_script() {
    let mut wide = btc_bot();
    wide.event.severity = Severity::Critical;
    wide.host = "漢".repeat(100);
    wide.event.cause = Some(Cause::SpawnFailed { errno: 2, what: "字\u{301}".repeat(300), step: None });
    let subject = render(&wide, &[]).subject;
    assert!(unicode_width::UnicodeWidthStr::width(subject.as_str()) <= SUBJECT_MAX, "{subject}");
    assert!(subject.starts_with("[guardian] CRITICAL: 漢") && subject.contains("/btc-bot: premature"), "{subject}");
}

#[test]
fn the_html_has_every_fact_and_command_of_the_text_and_no_tag_of_a_program() {
    let mut told = btc_bot();
    told.of_late = Some(4);
    told.event.next_at = Some(Wall(told.event.at.0 + 8_000));
    told.event.detail = "<img src=x onerror=alert(1)>".to_owned();
    told.log_tail = vec!["</pre><script>alert(1)</script>".to_owned()];
    let rendered = render(&told, &[&event("btc-bot", 1, EventKind::Premature, 1)]);
    let html = rendered.html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    for line in rendered.text.lines().filter(|line| !line.is_empty()) {
        let fact = line.split_once(": ").map_or(line, |(_, fact)| fact).trim();
        assert!(html.contains(fact.trim_end_matches(':')), "no `{fact}` in {html}");
    }
    assert!(rendered.text.contains("Next:    2026-11-18 11:06:51 UTC, 8s after this"), "{}", rendered.text);
    assert!(rendered.text.contains("1 in a row, 4 in 24 hours"), "{}", rendered.text);
    assert!(!rendered.html.contains("<script") && !rendered.html.contains("<img"), "{}", rendered.html);
    assert!(!rendered.html.contains("http"), "it loads nothing");
}
