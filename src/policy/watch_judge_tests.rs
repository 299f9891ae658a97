//! What each kind of evidence means, as tables.

use super::*;
use crate::model::time::BootId;
use crate::model::watch_state::Seen;

const NOW: i64 = 1_795_000_000_000;
const PASS: Duration = Duration::from_secs(60);

fn now() -> Stamp {
    Stamp { wall: Wall(NOW), boot_ms: 9_000_000, boot: BootId::new("b").unwrap() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ago(seconds: i64) -> Wall {
    Wall(NOW - seconds * 1000)
}

/// `ok`, `bad: …` or `unknown: …`.
fn told(subject: &Subject, evidence: &Evidence) -> String {
    match judge(subject, evidence, None, &now(), PASS).finding {
        Finding::Ok => "ok".to_owned(),
        Finding::Bad(why) => format!("bad: {why}"),
        Finding::Unknown(why) => format!("unknown: {why}"),
    }
}

fn path() -> String {
    "/x".to_owned()
}

#[test]
fn a_pid_file_stands_for_the_process_that_wrote_it_and_for_no_later_one() {
    let owner = |began: Option<i64>, zombie| Owner { zombie, began: began.map(ago), comm: "node".to_owned() };
    let pid = |process| PidFile::Pid { pid: 7, written: ago(100), process };
    for (file, want) in [
        (PidFile::Missing, "bad: pid file `/x` is not there"),
        (PidFile::NoPid("abc".to_owned()), "bad: pid file `/x` holds no pid: \"abc\""),
        (pid(None), "bad: pid file `/x` names pid 7, which is gone"),
        (pid(Some(owner(Some(101), false))), "ok"),
        (pid(Some(owner(Some(99), false))), "ok"),
        (pid(Some(owner(Some(101), true))), "bad: pid 7 (node) of pid file `/x` has ended: it is a zombie"),
        (
            pid(Some(owner(Some(90), false))),
            "bad: pid file `/x` is older than pid 7 (node), which began at 2026-11-18T11:05:10.000Z: the one it names is gone, \
             and its pid was given to another",
        ),
        (
            pid(Some(owner(None, false))),
            "unknown: when pid 7 of pid file `/x` began cannot be told, so it may be another one",
        ),
    ] {
        assert_eq!(told(&Subject::PidFile { path: path() }, &Evidence::PidFile(file)), want);
    }
}

#[test]
fn exactly_one_process_may_match() {
    let subject = Subject::Match { pattern: "gate.*".to_owned(), user: None };
    let found = |pids: std::ops::Range<i32>| {
        Evidence::Processes(pids.map(|pid| Found { pid, line: format!("node gateway {pid}") }).collect())
    };
    assert_eq!(told(&subject, &found(0..0)), "bad: no process matches `gate.*`");
    assert_eq!(told(&subject, &found(4..5)), "ok");
    let want = "unknown: 2 processes match `gate.*`, exactly one should: 4 (node gateway 4), 5 (node gateway 5)";
    assert_eq!(told(&subject, &found(4..6)), want);
    assert!(told(&subject, &found(1..9)).ends_with("and 3 more"));
}

#[test]
fn a_file_is_fresh_up_to_its_age_and_never_from_the_future() {
    let subject = Subject::File { path: path(), max_age: seconds(600) };
    for (at, want) in [
        (Some(ago(600)), "ok"),
        (Some(ago(-4)), "ok"),
        (Some(ago(601)), "bad: `/x` was last changed 10m 01s ago, at most 10m is right"),
        (Some(ago(-3600)), "bad: `/x` was last changed 1h 00m in the future (2026-11-18T12:06:40.000Z)"),
        (None, "bad: `/x` is not there"),
    ] {
        assert_eq!(told(&subject, &Evidence::Changed(at)), want);
    }
}

#[test]
fn a_time_in_a_document_is_a_number_or_rfc_3339_and_everything_else_is_bad() {
    let field = "a.b[1].ts".parse().unwrap();
    let subject = Subject::JsonFile { path: path(), field, max_age: seconds(600) };
    let of = |ts: &str| format!(r#"{{"a":{{"b":[0,{{"ts":{ts}}}]}}}}"#);
    for (text, want) in [
        (of("1795000000"), "ok"),
        (of("1794999999.5"), "ok"),
        (of("1795000000000"), "ok"),
        (of("\"2026-11-18T11:06:40Z\""), "ok"),
        (of("\"2026-11-18T12:06:40+01:00\""), "ok"),
        (of("1794990000"), "bad: `a.b[1].ts` in `/x` is a time 2h 46m ago, at most 10m is right"),
        (of("1795003600"), "bad: `a.b[1].ts` in `/x` is a time 1h 00m in the future (2026-11-18T12:06:40.000Z)"),
        (of("null"), "bad: `/x`: `a.b[1].ts` is null"),
        (of("true"), "bad: `/x`: `a.b[1].ts` is no time: a number or a text is wanted"),
        (of("[1795000000]"), "bad: `/x`: `a.b[1].ts` is no time: a number or a text is wanted"),
        (of("\"soon\""), "bad: `/x`: `a.b[1].ts` is \"soon\", which is no RFC 3339 time"),
        (of("\"1795000000\""), "bad: `/x`: `a.b[1].ts` is \"1795000000\", which is no RFC 3339 time"),
        (of("-1"), "bad: `/x`: `a.b[1].ts` is -1, which is neither seconds nor milliseconds since 1970"),
        (
            of("1795000000000000"),
            "bad: `/x`: `a.b[1].ts` is 1795000000000000, which is neither seconds nor milliseconds since 1970",
        ),
        (r#"{"a":{"b":[0]}}"#.to_owned(), "bad: `/x`: there is no `a.b[1].ts` in it"),
    ] {
        assert_eq!(told(&subject, &Evidence::Text(Some(text.clone().into_bytes()))), want, "{text}");
    }
    assert!(told(&subject, &Evidence::Text(Some(b"{\"a\":".to_vec()))).starts_with("bad: `/x`: it is not JSON: "));
    assert_eq!(told(&subject, &Evidence::Text(None)), "bad: `/x` is not there");
}

fn ran(code: Option<i32>, output: &str) -> Ran {
    let how = code.map_or("was ended by SIGKILL".to_owned(), |code| format!("exited with {code}"));
    let fingerprint = output.len() as u64;
    Ran { code, how, timed_out: false, fingerprint, output: output.to_owned(), last_line: output.trim().to_owned() }
}

#[test]
fn an_output_must_change_in_its_time_and_one_that_is_a_time_must_be_new() {
    let subject = Subject::Output { line: "x".to_owned(), max_age: seconds(600) };
    let seen = |seconds: u64| Seen {
        fingerprint: 3,
        since: Stamp { wall: Wall(NOW), boot_ms: 9_000_000 - seconds * 1000, boot: BootId::new("b").unwrap() },
    };
    let judged = |ran: Ran, earlier: Option<Seen>| judge(&subject, &Evidence::Ran(ran), earlier.as_ref(), &now(), PASS);
    let first = judged(ran(Some(0), "abc"), None);
    assert_eq!((first.finding, first.age), (Finding::Ok, Some(seconds(0))), "what is seen first is new");
    let same = judged(ran(Some(0), "abc"), Some(seen(601)));
    let want = "its output has been the same for 10m 01s, at most 10m is right: \"abc\"";
    assert_eq!(same.finding, Finding::Bad(want.to_owned()));
    assert_eq!(same.seen, Some(seen(601)));
    assert_eq!(judged(ran(Some(0), "abcd"), Some(seen(601))).finding, Finding::Ok);
    let old = judged(ran(Some(0), "2026-11-18T10:06:40Z\n"), None).finding;
    assert_eq!(old, Finding::Bad("it printed a time 1h 00m ago, at most 10m is right".to_owned()));
    let failed = judged(ran(Some(3), "abcd"), Some(seen(601)));
    assert_eq!(failed.finding, Finding::Unknown("the command exited with 3: abcd".to_owned()));
    assert_eq!(failed.seen, Some(seen(601)), "the next output is compared with the last one that was whole");
}

#[test]
fn a_command_that_fails_is_bad_and_one_that_cannot_be_run_tells_nothing() {
    let subject = Subject::Command { line: "x".to_owned() };
    let late = Ran { timed_out: true, code: None, how: "gave no answer within 10s".to_owned(), ..ran(None, "") };
    for (ran, want) in [
        (ran(Some(0), "fine"), "ok"),
        (ran(Some(1), "down"), "bad: the command exited with 1: down"),
        (ran(None, ""), "bad: the command was ended by SIGKILL"),
        (late, "bad: the command gave no answer within 10s"),
        (ran(Some(127), "sh: x: not found"), "unknown: the command exited with 127: sh: x: not found"),
        (ran(Some(126), ""), "unknown: the command exited with 126"),
    ] {
        assert_eq!(told(&subject, &Evidence::Ran(ran)), want);
    }
}

#[test]
fn what_cannot_be_looked_at_is_never_well() {
    let max_age = seconds(1);
    for subject in [
        Subject::PidFile { path: path() },
        Subject::Match { pattern: path(), user: None },
        Subject::File { path: path(), max_age },
        Subject::JsonFile { path: path(), field: "a".parse().unwrap(), max_age },
        Subject::Output { line: path(), max_age },
        Subject::Command { line: path() },
        Subject::OpenClaw { home: None, program: None },
    ] {
        assert_eq!(told(&subject, &Evidence::Unreadable("why".to_owned())), "unknown: why");
        let wrong =
            if matches!(subject, Subject::File { .. }) { Evidence::Text(None) } else { Evidence::Changed(None) };
        assert!(told(&subject, &wrong).starts_with("unknown: "), "{subject:?}");
    }
}
