//! Jobs as OpenClaw writes them, and as it should not.

use super::*;

fn one(json: &str) -> Job {
    let mut jobs = list(&serde_json::from_str(&format!("[{json}]")).unwrap()).unwrap();
    jobs.remove(0)
}

const WHOLE: &str = r#"{"id":"1f","name":"digest","enabled":true,"createdAtMs":1000,"updatedAtMs":2000,
    "schedule":{"kind":"every","everyMs":300000},"sessionTarget":"main","wakeMode":"now",
    "payload":{"kind":"systemEvent","text":"x"},
    "state":{"nextRunAtMs":5000,"lastRunAtMs":4000,"lastStatus":"error","lastError":"boom","lastDurationMs":7}}"#;

#[test]
fn a_job_is_read_with_its_state() {
    let want = Job {
        name: "digest".to_owned(),
        enabled: true,
        due: Due::Every(Duration::from_secs(300)),
        made: Some(Wall(2000)),
        last: Some(Wall(4000)),
        next: Some(Wall(5000)),
        running: None,
        status: Some("error".to_owned()),
        error: Some("boom".to_owned()),
    };
    assert_eq!(one(WHOLE), want);
    let stored = stored("1f", Some("digest"), Some(true), WHOLE, Some(r#"{"lastRunAtMs":4500,"lastStatus":"ok"}"#));
    assert_eq!((stored.last, stored.status.as_deref()), (Some(Wall(4500)), Some("ok")), "its own column goes before");
    assert!(!super::stored("1f", None, Some(false), WHOLE, None).enabled, "so does the switch");
}

#[test]
fn every_kind_of_schedule_is_known_and_what_is_not_is_said() {
    let due = |schedule: &str| one(&format!(r#"{{"id":"a","schedule":{schedule}}}"#)).due;
    assert_eq!(due(r#"{"kind":"cron","expr":"0 9 * * *","tz":"Europe/Berlin"}"#), Due::Cron("0 9 * * *".to_owned()));
    assert_eq!(due("\"0 9 * * *\""), Due::Cron("0 9 * * *".to_owned()));
    assert_eq!(due(r#"{"kind":"at","atMs":1795000000000}"#), Due::At(Wall(1_795_000_000_000)));
    assert_eq!(due(r#"{"kind":"at","at":"2026-11-18T11:06:40Z"}"#), Due::At(Wall(1_795_000_000_000)));
    assert_eq!(due(r#"{"kind":"on-exit"}"#), Due::Event);
    for (schedule, want) in [
        ("null", "has no schedule"),
        ("{}", "has a schedule without a kind"),
        (r#"{"kind":"moon"}"#, "has a schedule of a kind that is not known: \"moon\""),
        (r#"{"kind":"every"}"#, "has an `everyMs` that is no interval"),
        (r#"{"kind":"every","everyMs":-5}"#, "has an `everyMs` that is no interval"),
        (r#"{"kind":"at","at":"soon"}"#, "has an `at` that is no time"),
    ] {
        assert_eq!(due(schedule), Due::Unreadable(want.to_owned()), "{schedule}");
    }
}

#[test]
fn a_job_with_a_time_that_is_none_cannot_be_judged_and_null_is_no_time_at_all() {
    let job =
        |state: &str| one(&format!(r#"{{"id":"a","schedule":{{"kind":"every","everyMs":1000}},"state":{state}}}"#));
    assert_eq!(job(r#"{"nextRunAtMs":null}"#).next, None);
    assert_eq!(job("{}").last, None);
    for state in [r#"{"lastRunAtMs":"x"}"#, r#"{"nextRunAtMs":{}}"#, r#"{"runningAtMs":true}"#, r#"{"lastRunAtMs":-1}"#]
    {
        assert!(matches!(job(state).due, Due::Unreadable(_)), "{state}");
    }
    assert!(matches!(one("7").due, Due::Unreadable(_)));
    assert!(matches!(stored("1f", None, None, "{", None).due, Due::Unreadable(_)));
    assert!(matches!(stored("1f", None, None, WHOLE, Some("{")).due, Due::Unreadable(_)));
}

#[test]
fn a_list_is_found_behind_what_a_program_says_first_and_anything_else_is_none() {
    for printed in ["{\"jobs\":[]}", "warning: old node\n{\n\"jobs\": []\n}\n", "[note] hi\n[]\n"] {
        assert_eq!(document(printed).and_then(|document| list(&document)), Ok(Vec::new()), "{printed}");
    }
    for printed in ["", "all is well", "{\"jobs\":", "{\"jobs\":{}}", "{}"] {
        assert!(document(printed).and_then(|document| list(&document)).is_err(), "{printed}");
    }
}
