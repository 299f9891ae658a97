//! Jobs of another scheduler: late, never run, failed, unreadable.

use super::*;

const NOW: i64 = 1_795_000_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

fn ago(seconds: i64) -> Option<Wall> {
    Some(Wall(NOW - seconds * 1000))
}

fn every(seconds: i64) -> Due {
    Due::Every(Duration::from_secs(seconds.unsigned_abs()))
}

fn job(due: Due) -> Job {
    Job {
        name: "digest".to_owned(),
        enabled: true,
        due,
        made: ago(100 * DAY),
        last: ago(1),
        next: ago(-1),
        running: None,
        status: Some("ok".to_owned()),
        error: None,
    }
}

fn told(jobs: Vec<Job>) -> String {
    let jobs = Jobs { source: "a test".to_owned(), jobs };
    match judge_jobs(&jobs, Wall(NOW), Duration::from_secs(60)).finding {
        Finding::Ok => "ok".to_owned(),
        Finding::Bad(why) => format!("bad: {why}"),
        Finding::Unknown(why) => format!("unknown: {why}"),
    }
}

#[test]
fn each_job_is_judged_by_its_own_interval() {
    let five = || every(5 * MINUTE);
    for (claim, job, want) in [
        ("on time", job(five()), "ok"),
        ("within two passes", Job { last: ago(7 * MINUTE - 1), next: None, ..job(five()) }, "ok"),
        (
            "d43: a job of five minutes that is 47 hours late",
            Job { last: ago(47 * HOUR), next: None, ..job(five()) },
            "bad: 1 of 1 jobs: `digest` last ran 1d 23h ago, due every 5m",
        ),
        ("a daily one that ran 20 hours ago", Job { last: ago(20 * HOUR), ..job(every(DAY)) }, "ok"),
        (
            "late by its scheduler's own plan",
            Job { last: ago(9 * MINUTE), next: ago(4 * MINUTE), ..job(five()) },
            "bad: 1 of 1 jobs: `digest` last ran 9m 00s ago and was due 4m 00s ago (every 5m)",
        ),
        (
            "d43: never ran, though planned",
            Job { last: None, next: ago(HOUR), ..job(five()) },
            "bad: 1 of 1 jobs: `digest` never ran, and was due 1h 00m ago (every 5m)",
        ),
        (
            "never ran, planned for ever later",
            Job { last: None, next: ago(-1), made: ago(HOUR), ..job(five()) },
            "bad: 1 of 1 jobs: `digest` never ran in 1h 00m, due every 5m",
        ),
        ("made just now", Job { last: None, next: ago(-1), made: ago(MINUTE), ..job(five()) }, "ok"),
        (
            "d42: `nextRunAtMs` is null and it never ran",
            Job { last: None, next: None, made: ago(1), ..job(five()) },
            "bad: 1 of 1 jobs: `digest` never ran, and no run is planned (every 5m)",
        ),
        (
            "an interval that was changed just now",
            Job { last: ago(DAY), made: ago(1), next: None, ..job(five()) },
            "ok",
        ),
        ("it runs right now", Job { last: ago(HOUR), running: ago(HOUR), next: ago(HOUR), ..job(five()) }, "ok"),
        (
            "it has been running for ever",
            Job { running: ago(9 * HOUR), ..job(five()) },
            "bad: 1 of 1 jobs: `digest` has been running for 9h 00m, due every 5m",
        ),
        ("once, and it ran", Job { last: ago(DAY), ..job(Due::At(Wall(NOW - 2 * DAY * 1000))) }, "ok"),
        (
            "once, and it did not",
            Job { last: None, ..job(Due::At(Wall(NOW - DAY * 1000))) },
            "bad: 1 of 1 jobs: `digest` never ran, and was due 1d 0h ago",
        ),
        ("at the end of something", Job { last: None, next: None, ..job(Due::Event) }, "ok"),
        (
            "a cron line, by the longest gap in it",
            Job { last: ago(4 * DAY), next: None, ..job(Due::Cron("0 9 * * 1-5".to_owned())) },
            "bad: 1 of 1 jobs: `digest` last ran 4d 0h ago, due every 3d",
        ),
        ("switched off", Job { enabled: false, last: None, next: None, ..job(five()) }, "ok"),
    ] {
        assert_eq!(told(vec![job]), want, "{claim}");
    }
}

#[test]
fn a_job_that_cannot_be_judged_keeps_the_others_from_being_called_well() {
    for (claim, broken, want) in [
        ("no schedule", job(Due::Unreadable("has no schedule".to_owned())), "has no schedule"),
        ("a line that is none", job(Due::Cron("nonsense".to_owned())), "has a cron line that cannot be read"),
        ("the future", Job { last: ago(-DAY), ..job(every(MINUTE)) }, "is in the future"),
    ] {
        let told = told(vec![job(every(MINUTE)), broken]);
        assert!(told.starts_with("unknown: 1 of 2 jobs: `digest` ") && told.contains(want), "{claim}: {told}");
    }
}

#[test]
fn a_last_run_that_failed_is_told_with_its_error() {
    let failed =
        Job { status: Some("error".to_owned()), error: Some("401 from the model".to_owned()), ..job(every(HOUR)) };
    assert_eq!(told(vec![failed]), "bad: 1 of 1 jobs: `digest` ended its last run with `error`: 401 from the model");
    assert_eq!(told(vec![Job { status: Some("skipped".to_owned()), ..job(every(HOUR)) }]), "ok");
    assert_eq!(told(vec![Job { status: None, ..job(every(HOUR)) }]), "ok");
}

#[test]
fn jobs_that_are_switched_off_are_counted_and_none_at_all_is_well() {
    let jobs = Jobs {
        source: "`jobs.json`".to_owned(),
        jobs: vec![job(every(HOUR)), Job { enabled: false, last: None, ..job(every(HOUR)) }],
    };
    let judged = judge_jobs(&jobs, Wall(NOW), Duration::from_secs(60));
    assert_eq!(judged.value.as_deref(), Some("2 jobs, 1 disabled, by `jobs.json`"));
    assert_eq!(told(Vec::new()), "ok");
}
