//! Quiet hours: what they are written as, and until when one goes on.
//!
//! They go by the clock on the wall: where summer time jumps over a beginning or an end it is the jump, where the clock shows
//! one twice a quiet time begins at the first and ends at the second.

use chrono::{DateTime, Datelike, Days, Duration as Span, LocalResult, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::clock::zone_of;
use super::cron_line::BadLine;
use crate::model::time::Wall;
use crate::model::timing::{Quiet, Timing};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Quiet times that follow one upon the other without a pause; a week of days and nights has fewer.
const MOST: usize = 32;
/// The clock is set forward by less than this many minutes.
const JUMP: i64 = 24 * 60;

/// When it is no longer quiet; `None`: it is not quiet at `at`.
#[must_use]
pub fn until(timing: &Timing, at: Wall) -> Option<Wall> {
    let zone = zone_of(Some(&timing.zone));
    let mut end = None;
    for _ in 0..MOST {
        let from = end.unwrap_or(at);
        let Some(next) = timing.quiet.iter().filter_map(|quiet| one(quiet, zone, from)).max() else { break };
        end = Some(next);
    }
    end
}

/// When this quiet time ends, if it goes on at `at`.
fn one(quiet: &Quiet, zone: Tz, at: Wall) -> Option<Wall> {
    let local = DateTime::<Utc>::from_timestamp_millis(at.0)?.with_timezone(&zone);
    let today = local.date_naive();
    let begins = [today.checked_sub_days(Days::new(1)), Some(today)].into_iter().flatten();
    let ends = begins.filter(|day| quiet.days[day.weekday().num_days_from_monday() as usize]).filter_map(|day| {
        let last = if quiet.to > quiet.from { day } else { day.checked_add_days(Days::new(1))? };
        let (from, to) = (moment(zone, day, quiet.from, false)?, moment(zone, last, quiet.to, true)?);
        (from <= at && at < to).then_some(to)
    });
    ends.max()
}

/// The moment at which the clock shows this minute of a day.
fn moment(zone: Tz, day: NaiveDate, minute: u16, second: bool) -> Option<Wall> {
    let midnight = day.and_time(NaiveTime::MIN).checked_add_signed(Span::minutes(i64::from(minute)))?;
    let shown = (0..JUMP).find_map(|later| {
        let local = midnight.checked_add_signed(Span::minutes(later))?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(moment) => Some(moment),
            LocalResult::Ambiguous(first, last) => Some(if second { last } else { first }),
            LocalResult::None => None,
        }
    })?;
    Some(Wall(shown.timestamp_millis()))
}

/// Whether these leave no minute of a week in which anything would be told.
#[must_use]
pub fn is_endless(quiet: &[Quiet]) -> bool {
    let week = usize::from(DAY) * 7;
    let mut covered = vec![false; week];
    for quiet in quiet {
        let length = if quiet.to > quiet.from { quiet.to - quiet.from } else { DAY - quiet.from + quiet.to };
        for (day, _) in quiet.days.iter().enumerate().filter(|(_, is_on)| **is_on) {
            let start = day * usize::from(DAY) + usize::from(quiet.from);
            (start..start + usize::from(length)).for_each(|minute| covered[minute % week] = true);
        }
    }
    !covered.contains(&false)
}

/// Reads `22:00-07:00` or `Sat,Sun 00:00-24:00`; the days are those on which it begins.
///
/// # Errors
/// It is none.
pub fn parse(text: &str) -> Result<Quiet, BadLine> {
    let bad = |at: usize, what: String| {
        let hint =
            "write `22:00-07:00`, or with the days on which it begins: `Sat,Sun 00:00-24:00`, `Mon-Fri 18:00-08:00`";
        Err(BadLine { at, what, hint: hint.to_owned() })
    };
    let place = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    let mut words = text.split_whitespace();
    let (days, times) = match (words.next(), words.next(), words.next()) {
        (Some(times), None, _) => ([true; 7], times),
        (Some(days), Some(times), None) => match read_days(days) {
            Ok(read) => (read, times),
            Err((at, what)) => return bad(place(days) + at, what),
        },
        (_, _, Some(more)) => return bad(place(more), format!("{more:?} is too much")),
        (None, _, _) => return bad(0, "it is empty".to_owned()),
    };
    let Some((from, to)) = times.split_once('-') else {
        return bad(place(times), format!("{times:?} is no time from and to"));
    };
    let Some(begin) = minute(from).filter(|minute| *minute < DAY) else {
        return bad(place(from), format!("{from:?} is no time from 00:00 to 23:59"));
    };
    let Some(end) = minute(to) else { return bad(place(to), format!("{to:?} is no time from 00:00 to 24:00")) };
    if begin == end {
        return bad(place(from), "it ends when it begins".to_owned());
    }
    Ok(Quiet { days, from: begin, to: end })
}

fn read_days(text: &str) -> Result<[bool; 7], (usize, String)> {
    let mut days = [false; 7];
    let mut offset = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let (Some(first), Some(last)) = (day(first), day(last)) else {
            return Err((offset, format!("{part:?} is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun")));
        };
        let length = (last + 7 - first) % 7;
        (first..=first + length).for_each(|day| days[day % 7] = true);
        offset += part.len() + 1;
    }
    Ok(days)
}

/// `07:00` as a minute of the day, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, digits: usize| {
        let plain = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour, 2)?, number(minute, 2).filter(|_| minute.len() == 2)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY).then_some(all)
}

#[cfg(test)]
#[path = "quiet_tests.rs"]
mod tests;
