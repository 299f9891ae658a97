//! A moment by the clock of those who are told.

use chrono_tz::Tz;

use super::cron_line::CronLine;
use super::zone::find;
use crate::model::schedule::Zone;
use crate::model::time::Wall;

/// The zone that is meant; UTC where this machine's has no name.
#[must_use]
pub fn zone_of(zone: Option<&Zone>) -> Tz {
    zone.and_then(Zone::name).and_then(|name| find(name).ok()).unwrap_or(Tz::UTC)
}

/// That moment: `05:00`, with the day where it is another one than that of `now`, and said where it is UTC.
#[must_use]
pub fn clock(zone: Option<&Zone>, at: Wall, now: Wall) -> String {
    let zone = zone_of(zone);
    let text = CronLine::local_time(zone, at, now).unwrap_or_else(|| at.to_string()); // beyond all calendars
    if zone == Tz::UTC { format!("{text} UTC") } else { text }
}
