//! Points in time as people write them after `--since` and `--until`.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

use crate::error::{Code, Error};
use crate::model::time::Wall;
use crate::model::units::parse_duration;

/// `15m` (ago), `18:30` or `18:30:05` (the last time it was that), `2026-11-20`, `2026-11-20 18:30`, RFC 3339.
///
/// # Errors
/// None of these.
pub(super) fn parse(text: &str, now: Wall) -> Result<Wall, Error> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(Wall(now.0.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Wall(at.timestamp_millis()));
    }
    let here = DateTime::from_timestamp_millis(now.0).map(|now| now.with_timezone(&Local));
    local(text, here.as_ref()).map(|at| Wall(at.timestamp_millis())).ok_or_else(|| {
        Error::new(Code::Usage, "bad_time", format!("time {text:?} cannot be read"))
            .hint("write for example `15m` (ago), `18:30`, `2026-11-20 18:30` or `2026-11-20T18:30:00Z`")
    })
}

fn local(text: &str, now: Option<&DateTime<Local>>) -> Option<DateTime<Local>> {
    let at = |naive: NaiveDateTime| Local.from_local_datetime(&naive).earliest();
    for form in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(naive) = NaiveDateTime::parse_from_str(text, form) {
            return at(naive);
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return at(day.and_time(NaiveTime::MIN));
    }
    let time = ["%H:%M:%S", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
    let now = now?;
    let today = at(now.date_naive().and_time(time))?;
    if today <= *now { Some(today) } else { at(now.date_naive().pred_opt()?.and_time(time)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_last_one_that_has_been() {
        let now = Wall(Local.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap().timestamp_millis());
        let hour = 3_600_000;
        assert_eq!(parse("11:00", now).unwrap(), Wall(now.0 - hour));
        assert_eq!(parse("13:00", now).unwrap(), Wall(now.0 - 23 * hour));
        assert_eq!(parse("15m", now).unwrap(), Wall(now.0 - hour / 4));
        assert!(parse("yesterday-ish", now).unwrap_err().hint.contains("18:30"));
    }
}
