//! A line of a crontab: five fields or a nickname, and when it comes next.
//!
//! croner reads the fields and searches the calendar; this adapter splits the line, so that a mistake is found where it
//! stands, and speaks in [`Wall`]. What a change of summer time does is croner's rule, which is that of Vixie cron: a fixed
//! time that the clock jumps over comes at the jump, one that the clock shows twice comes the first time only; a line with
//! `*` or a step in its minutes or hours goes by real time.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::model::time::Wall;

/// What may stand instead of five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The five fields: what each is called, what it may hold, and its letters.
const FIELDS: [Field; 5] = [
    Field { name: "minute", allowed: "0 to 59", signs: "", words: &[] },
    Field { name: "hour", allowed: "0 to 23", signs: "", words: &[] },
    Field { name: "day of the month", allowed: "1 to 31, or `L` for the last", signs: "?", words: &["L", "W", "LW"] },
    Field {
        name: "month",
        allowed: "1 to 12, or JAN to DEC",
        signs: "",
        words: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field {
        name: "day of the week",
        allowed: "0 to 7 (0 and 7 are Sunday), or SUN to SAT",
        signs: "?#",
        words: &[
            "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L", "SUNL", "MONL", "TUEL", "WEDL", "THUL", "FRIL",
            "SATL",
        ],
    },
];

/// Times of a schedule that are counted one by one; beyond that only that there were more.
const MOST: u32 = 1000;

struct Field {
    name: &'static str,
    allowed: &'static str,
    signs: &'static str,
    words: &'static [&'static str],
}

/// What is wrong with a line, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Offset in bytes of what is wrong.
    pub at: usize,
    /// What is wrong.
    pub what: String,
    /// What may stand there.
    pub hint: String,
}

/// A line that can be kept, by the clock of a zone.
#[derive(Debug, Clone)]
pub struct CronLine {
    cron: Cron,
    zone: Tz,
}

/// What is due of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The last time that has come.
    pub last: Wall,
    /// How many came before it; [`u32::MAX`]: too many to count.
    pub missed: u32,
    /// The one after it.
    pub next: Option<Wall>,
}

impl CronLine {
    /// A line that was read before; nothing is checked, so this is quick. `None`: it is none after all.
    #[must_use]
    pub fn known(line: &str, zone: Tz) -> Option<Self> {
        let nickname = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(line.trim()));
        let cron = Cron::from_str(nickname.map_or(line, |(_, fields)| fields)).ok()?;
        Some(Self { cron, zone })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// It is none, or it never comes.
    pub fn parse(line: &str, zone: Tz) -> Result<Self, BadLine> {
        let start = line.len() - line.trim_start().len();
        let bad = |at: usize, what: String, hint: &str| Err(BadLine { at, what, hint: hint.to_owned() });
        let five = "five fields are wanted: minute, hour, day of the month, month, day of the week";
        if line.trim_start().starts_with('@') {
            let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(line.trim())) else {
                let names = NICKNAMES.map(|(name, _)| format!("`{name}`")).join(", ");
                return bad(
                    start,
                    format!("{:?} is no time", line.trim()),
                    &format!("{names} are known, or five fields"),
                );
            };
            return Self::parse(fields, zone);
        }
        let fields = fields(line);
        if let Some((at, word)) = fields.iter().find(|(_, word)| word.contains('=')) {
            let hint = "a zone has a key of its own: `timezone = \"Europe/Berlin\"`";
            return bad(*at, format!("{word:?} is no field"), hint);
        }
        // croner is told nothing that it takes too kindly; where it refuses a line, its parts are asked one by one.
        let check = |holds: fn(&Field, &str) -> bool| {
            FIELDS.iter().zip(&fields).try_for_each(|(field, (at, word))| field.check(*at, word, holds))
        };
        check(Field::may_hold)?;
        match (fields.get(5), fields.len()) {
            (Some((at, word)), _) => {
                return bad(*at, format!("{word:?} is a sixth field"), &format!("{five}; there are no seconds"));
            }
            (None, 0) => return bad(start, "it is empty".to_owned(), five),
            (None, 5) => {}
            (None, count) => return bad(line.trim_end().len(), format!("it has {count} of five fields"), five),
        }
        let cron = match Cron::from_str(line) {
            Ok(cron) => cron,
            Err(error) => return check(Field::holds).and_then(|()| bad(start, error.to_string(), five)),
        };
        let read = Self { cron, zone };
        // From a leap year on, so that the 29th of February comes soon.
        if read.after(Wall(946_684_800_000)).is_none() {
            let day = fields.get(2).map_or(start, |(at, _)| *at);
            return bad(
                day,
                "this day never comes in this month".to_owned(),
                "April, June, September and November have 30 days, February 29 at most",
            );
        }
        Ok(read)
    }

    /// The first time after `at`; `None`: there is none.
    #[must_use]
    pub fn after(&self, at: Wall) -> Option<Wall> {
        let next = self.cron.find_next_occurrence(&self.local(at)?, false).ok()?;
        Some(Wall(next.timestamp_millis()))
    }

    /// What has come after `handled` and up to `now`; `None`: nothing.
    #[must_use]
    pub fn due(&self, handled: Wall, now: Wall) -> Option<Due> {
        let mut last = self.after(handled).filter(|first| *first <= now)?;
        let mut missed = 0;
        loop {
            match self.after(last) {
                Some(next) if next <= now && missed >= MOST => {
                    let last = self.cron.find_previous_occurrence(&self.local(now)?, true).ok()?;
                    let last = Wall(last.timestamp_millis());
                    return Some(Due { last, missed: u32::MAX, next: self.after(last) });
                }
                Some(next) if next <= now => (last, missed) = (next, missed + 1),
                next => return Some(Due { last, missed, next }),
            }
        }
    }

    /// That moment by the clock of the zone: `05:00`, with the day where it is another one than that of `now`.
    #[must_use]
    pub fn local_time(zone: Tz, at: Wall, now: Wall) -> Option<String> {
        let local = |wall: Wall| DateTime::<Utc>::from_timestamp_millis(wall.0).map(|utc| utc.with_timezone(&zone));
        let (at, now) = (local(at)?, local(now)?);
        let form = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%a %-d %b %H:%M" };
        Some(at.format(form).to_string())
    }

    fn local(&self, at: Wall) -> Option<DateTime<Tz>> {
        let seconds = at.0.div_euclid(1000); // a time of a schedule has no fraction
        DateTime::<Utc>::from_timestamp(seconds, 0).map(|utc| utc.with_timezone(&self.zone))
    }
}

/// The words of a line with their offsets.
fn fields(line: &str) -> Vec<(usize, &str)> {
    let words = line.split_whitespace();
    words.map(|word| (word.as_ptr().addr() - line.as_ptr().addr(), word)).collect()
}

impl Field {
    /// Whether this field can hold `word`, part by part of its list, going by `holds`.
    fn check(&self, at: usize, word: &str, holds: fn(&Self, &str) -> bool) -> Result<(), BadLine> {
        let mut offset = at;
        for part in word.split(',') {
            if !holds(self, part) {
                let what = match part {
                    "" => format!("{} {word:?} has an empty part", self.name),
                    part => format!("{} {part:?} cannot be", self.name),
                };
                let hint =
                    format!("{} is {}; also `*`, ranges `a-b`, steps `*/n` and lists `a,b`", self.name, self.allowed);
                return Err(BadLine { at: offset, what, hint });
            }
            offset += part.len() + 1;
        }
        Ok(())
    }

    /// Whether this field knows all signs and words of `part`.
    fn may_hold(&self, part: &str) -> bool {
        let known = |word: &str| word.is_empty() || self.words.iter().any(|own| own.eq_ignore_ascii_case(word));
        let sign = |sign: char| sign.is_ascii_alphanumeric() || "*/-".contains(sign) || self.signs.contains(sign);
        !part.is_empty() && part.chars().all(sign) && part.split(|letter: char| !letter.is_alphabetic()).all(known)
    }

    /// Whether croner takes `part` for this field.
    fn holds(&self, part: &str) -> bool {
        let alone = |field: &Self| if self.name == field.name { part } else { "*" };
        Cron::from_str(&FIELDS.each_ref().map(alone).join(" ")).is_ok()
    }
}

#[cfg(test)]
#[path = "cron_line_tests.rs"]
mod tests;
