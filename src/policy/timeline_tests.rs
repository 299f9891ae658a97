//! Histories and the lines that they are drawn as.

use super::*;
use crate::model::sample;
use crate::policy::lapse::Lapse;

fn event(run: u64, kind: EventKind, secs: u64) -> Event {
    sample::event("bot", run, kind, secs)
}

fn wall(secs: u64) -> Wall {
    sample::at(secs).wall
}

fn end(run: u64, secs: u64, ran_s: Option<f64>) -> Event {
    Event { ran_s, ..event(run, EventKind::Exited, secs) }
}

fn verdict(run: u64, kind: EventKind, secs: u64, leaves: Option<Leaves>) -> Event {
    Event { leaves, ..event(run, kind, secs) }
}

fn now(kind: Kind) -> Standing {
    Standing { at: wall(1000), kind, since: None }
}

/// The line from second 0 to second 1000, in words.
fn drawn(known: &Known<'_>) -> String {
    let spans = spans(known, wall(0));
    assert_eq!(spans.iter().map(|span| span.from.until(span.until).as_secs()).sum::<u64>(), 1000, "{spans:?}");
    let words = spans.iter().map(|span| format!("{:?} {}", span.kind, span.from.until(span.until).as_secs()));
    words.collect::<Vec<_>>().join(", ")
}

fn of<'a>(events: &'a [Event], kind: Kind) -> Known<'a> {
    let every = Duration::from_secs(10);
    Known { events, gaps: &[], lapses: None, every, scheduled: false, now: now(kind) }
}

#[test]
fn each_history_is_one_line() {
    use EventKind::{
        Completed, Failed, Hung, Premature, Ready, Recovered, Registered, Restarted, Started, Stopped, Tripped,
    };
    use Kind::{Down, Up};
    let given_up = Some(Leaves::GivenUp);
    let cases = [
        (
            "a death is a hole as long as the restart took, wherever its verdict stands",
            vec![event(1, Started, 100), end(1, 400, Some(300.0)), event(1, Premature, 405), event(2, Restarted, 410)],
            Up,
            "Unwanted 100, Up 300, Waiting 10, Up 590",
        ),
        (
            "what was up before the history begins is not known",
            vec![end(4, 300, None), event(4, Premature, 300), event(5, Restarted, 310)],
            Up,
            "Unknown 300, Waiting 10, Up 690",
        ),
        (
            "unless its end says how long it lived",
            vec![end(4, 300, Some(200.0)), event(4, Premature, 300), event(5, Restarted, 310)],
            Up,
            "Unknown 100, Up 200, Waiting 10, Up 690",
        ),
        (
            "the end of a run that nobody recorded leaves it unknown",
            vec![event(1, Started, 100), end(1, 400, None), event(1, Premature, 400), event(2, Restarted, 410)],
            Up,
            "Unwanted 100, Unknown 300, Waiting 10, Up 590",
        ),
        (
            "a hang is no time up",
            vec![
                event(1, Registered, 0),
                event(1, Started, 0),
                event(1, Ready, 50),
                event(1, Hung, 500),
                event(1, Recovered, 600),
            ],
            Up,
            "Starting 50, Up 450, Hung 100, Up 400",
        ),
        (
            "an open breaker",
            vec![
                event(1, Started, 0),
                end(1, 500, Some(500.0)),
                verdict(1, Premature, 500, given_up),
                event(1, Tripped, 500),
            ],
            Kind::Tripped,
            "Up 500, Tripped 500",
        ),
        (
            "given up",
            vec![event(1, Started, 0), end(1, 500, Some(500.0)), verdict(1, Failed, 500, given_up)],
            Down,
            "Up 500, Down 500",
        ),
        (
            "stopped, and wanted no more",
            vec![
                event(1, Started, 0),
                end(1, 500, Some(500.0)),
                verdict(1, Stopped, 500, Some(Leaves::Down)),
                event(2, Started, 800),
            ],
            Up,
            "Up 500, Unwanted 300, Up 200",
        ),
        (
            "done",
            vec![event(1, Started, 0), end(1, 500, Some(500.0)), event(1, Completed, 500)],
            Kind::Unwanted,
            "Up 500, Unwanted 500",
        ),
    ];
    for (claim, events, kind, line) in cases {
        assert_eq!(drawn(&of(&events, kind)), line, "{claim}");
    }
}

#[test]
fn what_a_look_shows_now_goes_before_the_history() {
    let started = || vec![event(1, EventKind::Started, 0)];
    let cases = [
        ("a history that says up, where nothing lives", started(), Kind::Waiting, "Unknown 1000"),
        (
            "stopped while it waited",
            [started(), vec![end(1, 600, Some(600.0))]].concat(),
            Kind::Unwanted,
            "Up 600, Unknown 400",
        ),
        ("what cannot be looked at", started(), Kind::Unknown, "Unknown 1000"),
        ("nothing at all", vec![], Kind::Unwanted, "Unwanted 1000"),
        ("no history, and it waits", vec![], Kind::Waiting, "Unknown 1000"),
    ];
    for (claim, events, kind, line) in cases {
        assert_eq!(drawn(&of(&events, kind)), line, "{claim}");
    }
}

#[test]
fn lines_that_are_damaged_are_not_known() {
    let events = [event(1, EventKind::Started, 0), event(1, EventKind::Ready, 100), event(1, EventKind::Slow, 700)];
    for (gap, line) in [(1, "Unknown 1000"), (2, "Starting 100, Unknown 900"), (3, "Starting 100, Up 600, Unknown 300")]
    {
        let known = Known { gaps: &[gap], now: now(Kind::Unwanted), ..of(&events, Kind::Unwanted) };
        assert_eq!(drawn(&known), line, "{gap}");
    }
    let began = Standing { since: Some(wall(400)), ..now(Kind::Up) };
    assert_eq!(drawn(&Known { gaps: &[2], now: began, ..of(&events, Kind::Up) }), "Starting 100, Unknown 300, Up 600");
}

#[test]
fn a_run_that_a_reboot_ended_was_up_as_long_as_passes_saw_it() {
    let events = [
        event(1, EventKind::Started, 0),
        end(1, 700, None),
        event(1, EventKind::Premature, 700),
        event(2, EventKind::Restarted, 700),
    ];
    let lapse = Lapse { from: wall(600), until: wall(699), rebooted: true, missed: 0 };
    let lapses = Lapses { since: wall(0), lapses: vec![lapse] };
    let known = Known { lapses: Some(&lapses), ..of(&events, Kind::Up) };
    assert_eq!(drawn(&known), "Up 600, Unknown 100, Up 300");
}

#[test]
fn a_failure_of_a_schedule_is_wanted_again_at_its_next_time() {
    let events = [event(1, EventKind::Started, 0), end(1, 100, Some(100.0)), event(1, EventKind::Failed, 100)];
    let known = Known { scheduled: true, ..of(&events, Kind::Unwanted) };
    assert_eq!(drawn(&known), "Up 100, Unwanted 900");
}
