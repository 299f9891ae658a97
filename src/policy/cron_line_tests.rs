//! When a line comes, and what is wrong with one, as tables.

use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

const BERLIN: Tz = Tz::Europe__Berlin;

fn line(text: &str) -> CronLine {
    CronLine::parse(text, BERLIN).unwrap()
}

/// A moment in UTC, as `2026-03-29 00:30`.
fn utc(text: &str) -> Wall {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    Wall(naive.and_utc().timestamp_millis())
}

/// The next `count` times after a moment, in UTC.
fn times(text: &str, from: &str, count: usize) -> Vec<String> {
    let line = line(text);
    let mut at = utc(from);
    let mut next = || {
        at = line.after(at).unwrap();
        DateTime::<Utc>::from_timestamp_millis(at.0).unwrap().format("%Y-%m-%d %H:%M").to_string()
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn when_a_line_comes() {
    for (text, from, want) in [
        ("0 */5 * * *", "2026-11-21 05:00", ["2026-11-21 09:00", "2026-11-21 14:00", "2026-11-21 19:00"]),
        ("0 5 * * *", "2026-11-21 03:59", ["2026-11-21 04:00", "2026-11-22 04:00", "2026-11-23 04:00"]),
        ("@hourly", "2026-11-21 05:59", ["2026-11-21 06:00", "2026-11-21 07:00", "2026-11-21 08:00"]),
        ("@Midnight", "2026-11-21 05:59", ["2026-11-21 23:00", "2026-11-22 23:00", "2026-11-23 23:00"]),
        ("30 9 * * MON-FRI", "2026-11-20 09:00", ["2026-11-23 08:30", "2026-11-24 08:30", "2026-11-25 08:30"]),
        ("0 12 29 2 *", "2026-11-20 09:00", ["2028-02-29 11:00", "2032-02-29 11:00", "2036-02-29 11:00"]),
        ("0 12 L * *", "2026-11-20 09:00", ["2026-11-30 11:00", "2026-12-31 11:00", "2027-01-31 11:00"]),
        ("0 12 13 * 5", "2026-11-20 12:00", ["2026-11-27 11:00", "2026-12-04 11:00", "2026-12-11 11:00"]),
    ] {
        assert_eq!(times(text, from, 3), want, "{text}");
    }
}

#[test]
fn on_the_night_when_the_clock_jumps_over_an_hour_a_fixed_time_in_it_comes_at_the_jump() {
    // 2026-03-29: 01:00 UTC is 02:00, which is shown as 03:00.
    for (text, want) in [
        ("30 2 * * *", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        ("0 3 * * *", ["2026-03-28 02:00", "2026-03-29 01:00", "2026-03-30 01:00"]),
        ("30 1 * * *", ["2026-03-28 00:30", "2026-03-29 00:30", "2026-03-29 23:30"]),
    ] {
        assert_eq!(times(text, "2026-03-27 12:00", 3), want, "{text}");
    }
    let every = times("*/30 * * * *", "2026-03-29 00:00", 4);
    assert_eq!(every, ["2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30", "2026-03-29 02:00"]);
}

#[test]
fn on_the_night_when_the_clock_shows_an_hour_twice_a_fixed_time_in_it_comes_once() {
    // 2026-10-25: 01:00 UTC is 03:00, which is shown as 02:00.
    for (text, want) in [
        ("30 2 * * *", ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]),
        ("0 3 * * *", ["2026-10-24 01:00", "2026-10-25 02:00", "2026-10-26 02:00"]),
    ] {
        assert_eq!(times(text, "2026-10-23 12:00", 3), want, "{text}");
    }
    let every = times("*/30 * * * *", "2026-10-25 00:00", 4);
    assert_eq!(every, ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 02:00"]);
}

#[test]
fn what_is_wrong_with_a_line_is_told_where_it_stands() {
    for (text, at, what) in [
        ("61 5 * * *", 0, "minute \"61\""),
        ("0 24 * * *", 2, "hour \"24\""),
        ("0  5 0 * *", 5, "day of the month \"0\""),
        ("0 5 1 13 *", 6, "month \"13\""),
        ("0 5 1 * 8", 8, "day of the week \"8\""),
        ("0 5,25 * * *", 4, "hour \"25\""),
        ("0 5,,6 * * *", 4, "an empty part"),
        ("x 5 * * *", 0, "minute \"x\""),
        ("MON 5 * * *", 0, "minute \"MON\""),
        ("0 5 * * FOO", 8, "day of the week \"FOO\""),
        ("0 5 * FEBRUARY *", 6, "month \"FEBRUARY\""),
        ("*/0 5 * * *", 0, "minute \"*/0\""),
        ("5-1 5 * * *", 0, "minute \"5-1\""),
        ("0 5 * *", 7, "4 of five fields"),
        ("0 0 5 * * *", 10, "sixth field"),
        ("CRON_TZ=UTC 0 5 * * *", 0, "\"CRON_TZ=UTC\""),
        ("@reboot", 0, "\"@reboot\""),
        (" @never", 1, "\"@never\""),
        ("", 0, "empty"),
        ("0 0 30 2 *", 4, "never comes"),
        ("0 0 31 4,6 *", 4, "never comes"),
    ] {
        let bad = CronLine::parse(text, BERLIN).expect_err(text);
        assert_eq!(bad.at, at, "{text}: {bad:?}");
        assert!(bad.what.contains(what) && !bad.hint.is_empty(), "{text}: {bad:?}");
    }
}

#[test]
fn what_was_missed_is_counted_and_the_last_of_it_is_due() {
    let five = line("*/5 * * * *");
    let start = utc("2026-11-21 05:00");
    let at = |minutes: i64| Wall(start.0 + minutes * 60_000);
    assert_eq!(five.due(start, at(4)), None);
    assert_eq!(five.due(start, at(5)), Some(Due { last: at(5), missed: 0, next: Some(at(10)) }));
    assert_eq!(five.due(start, at(63)), Some(Due { last: at(60), missed: 11, next: Some(at(65)) }));
    let year = at(365 * 24 * 60 + 2);
    let due = five.due(start, year).unwrap();
    assert_eq!((due.last, due.missed), (at(365 * 24 * 60), u32::MAX));
}

proptest! {
    #[test]
    fn the_next_time_is_later_and_fits_the_line_and_nothing_lies_between(
        minute in 0_u32..60, hour in 0_u32..24, step in 1_u32..30, day in 1_u32..29, from in 0_i64..2_000_000_000,
    ) {
        let utc = |text: &str| CronLine::parse(text, Tz::UTC).unwrap();
        for text in [
            format!("{minute} {hour} * * *"),
            format!("*/{step} * * * *"),
            format!("{minute} * {day} * *"),
            format!("{minute} {hour} * * {}", day % 7),
        ] {
            let line = utc(&text);
            let from = Wall(from * 1000 + 123);
            let next = line.after(from).unwrap();
            prop_assert!(next > from && next.0 % 60_000 == 0, "{text}");
            let shown = Utc.timestamp_millis_opt(next.0).unwrap();
            prop_assert!(line.cron.is_time_matching(&shown).unwrap(), "{text}: {shown}");
            prop_assert_eq!(line.due(from, Wall(next.0 - 1)), None);
            prop_assert_eq!(line.due(from, next).map(|due| (due.last, due.missed)), Some((next, 0)));
        }
    }
}
