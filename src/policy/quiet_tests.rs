//! Quiet hours by the clock on the wall.

use super::*;
use crate::model::schedule::Zone;

fn wall(text: &str) -> Wall {
    Wall(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

fn timing(quiet: &[&str]) -> Timing {
    let quiet = quiet.iter().map(|text| parse(text).unwrap()).collect();
    Timing { quiet, zone: Zone::Named("Europe/Berlin".into()), ..Timing::default() }
}

#[test]
fn a_quiet_time_ends_by_the_clock_on_the_wall_over_midnight_weekends_and_summer_time() {
    let night = &["22:00-07:00"][..];
    let weekend = &["22:00-07:00", "Sat,Sun 00:00-24:00"][..];
    let cases = [
        ("by day", night, "2026-11-20T12:00:00+01:00", None),
        ("at its beginning", night, "2026-11-20T22:00:00+01:00", Some("2026-11-21T07:00:00+01:00")),
        ("just before", night, "2026-11-20T21:59:59+01:00", None),
        ("after midnight", night, "2026-11-21T00:30:00+01:00", Some("2026-11-21T07:00:00+01:00")),
        ("at its end", night, "2026-11-21T07:00:00+01:00", None),
        (
            "Friday night leads into the weekend",
            weekend,
            "2026-11-20T23:00:00+01:00",
            Some("2026-11-23T07:00:00+01:00"),
        ),
        ("Sunday noon", weekend, "2026-11-22T12:00:00+01:00", Some("2026-11-23T07:00:00+01:00")),
        (
            "the days are those of the beginning",
            &["Fri 22:00-06:00"],
            "2026-11-21T05:00:00+01:00",
            Some("2026-11-21T06:00:00+01:00"),
        ),
        ("and of no other", &["Fri 22:00-06:00"], "2026-11-20T05:00:00+01:00", None),
        ("the night that is an hour shorter", night, "2026-03-28T23:00:00+01:00", Some("2026-03-29T07:00:00+02:00")),
        ("the night that is an hour longer", night, "2026-10-24T23:00:00+02:00", Some("2026-10-25T07:00:00+01:00")),
        ("an end that never comes", &["01:00-02:30"], "2026-03-29T01:30:00+01:00", Some("2026-03-29T03:00:00+02:00")),
        ("an end that comes twice", &["01:00-02:30"], "2026-10-25T02:45:00+02:00", Some("2026-10-25T02:30:00+01:00")),
        (
            "a beginning that never comes",
            &["02:30-04:00"],
            "2026-03-29T03:00:00+02:00",
            Some("2026-03-29T04:00:00+02:00"),
        ),
        (
            "a beginning that comes twice",
            &["02:30-04:00"],
            "2026-10-25T02:15:00+01:00",
            Some("2026-10-25T04:00:00+01:00"),
        ),
    ];
    for (claim, quiet, at, want) in cases {
        assert_eq!(until(&timing(quiet), wall(at)), want.map(wall), "{claim}");
    }
}

#[test]
fn what_is_written_wrong_is_named_where_it_stands() {
    let cases = [
        ("", 0, "it is empty"),
        ("22-7", 0, "no time from 00:00"),
        ("22:00", 0, "no time from and to"),
        ("22:00-7:60", 6, "no time from 00:00 to 24:00"),
        ("24:00-07:00", 0, "no time from 00:00 to 23:59"),
        ("22:00-22:00", 0, "ends when it begins"),
        ("Sat,Sum 00:00-24:00", 4, "is no day"),
        ("Sat 00:00-24:00 x", 16, "too much"),
    ];
    for (text, at, what) in cases {
        let bad = parse(text).unwrap_err();
        assert!((bad.at, bad.what.contains(what)) == (at, true), "{text:?}: {bad:?}");
    }
    assert_eq!(parse("fri-mon 1:05-02:00").unwrap().days, [true, false, false, false, true, true, true]);
}

#[test]
fn a_week_without_a_minute_to_tell_anything_is_noticed() {
    let all = |texts: &[&str]| is_endless(&timing(texts).quiet);
    assert!(
        all(&["00:00-24:00"]) && all(&["07:00-22:00", "22:00-07:00"]) && all(&["Mon-Sun 12:00-12:01", "12:01-12:00"])
    );
    assert!(!all(&[]) && !all(&["07:00-22:00", "22:01-07:00"]) && !all(&["Mon-Sat 00:00-24:00"]));
}
