//! When a sink hears how all stands, and what it hears.

use std::collections::BTreeMap;

use super::cron_line::CronLine;
use super::zone;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::sink::{Heartbeat, Sink};
use crate::model::time::Wall;

/// Names that are said; there may be thousands.
const NAMES: usize = 10;

/// Up to when each sink was told, by its name.
pub type Told = BTreeMap<String, Wall>;

/// How all stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Processes that live.
    pub up: usize,
    /// Processes that are not as desired, with the word for how they stand.
    pub not_well: Vec<(Name, String)>,
}

/// The sinks that are to hear it now, each with the time that has come and the one before it. A sink that is new counts from now; times that
/// were missed are made up for once. `told` is then as it must be kept.
pub fn due<'s>(sinks: &'s [Sink], told: &mut Told, now: Wall) -> Vec<(&'s Sink, Wall, Wall)> {
    let beating = || sinks.iter().filter_map(|sink| Some((sink, sink.heartbeat.as_ref()?)));
    told.retain(|name, _| beating().any(|(sink, _)| sink.name == *name));
    let mut due = Vec::new();
    for (sink, heartbeat) in beating() {
        let since = told.get(&sink.name).copied().filter(|since| *since <= now);
        let come = since.and_then(|since| Some((since, last(heartbeat, since, now)?)));
        match (since, come) {
            (_, Some((since, at))) => {
                due.push((sink, at, since));
                told.insert(sink.name.clone(), at);
            }
            (None, None) => {
                told.insert(sink.name.clone(), now); // new, or a clock that was set back
            }
            (Some(_), None) => {}
        }
    }
    due
}

/// The last time of a heartbeat after `since`, up to `now`.
fn last(heartbeat: &Heartbeat, since: Wall, now: Wall) -> Option<Wall> {
    let zone = zone::find(heartbeat.zone.name()?).ok()?;
    CronLine::known(&heartbeat.line, zone)?.due(since, now).map(|due| due.last)
}

/// What it hears. `restarts`: how many there were since `since`.
#[must_use]
pub fn event(guardian: &Name, sink: &Sink, due: Wall, since: Wall, standing: &Standing, restarts: usize) -> Event {
    let id = format!("guardian.{}.{}.{}", sink.name, due.0, EventKind::Heartbeat.word());
    let up = match standing.up {
        1 => "1 process up".to_owned(),
        up => format!("{up} processes up"),
    };
    let well = match standing.not_well.as_slice() {
        [] => format!("all is well, {up}"),
        [(name, word)] => format!("1 process is not well: {name} ({word}); {up}"),
        many => {
            let shown: Vec<String> = many.iter().take(NAMES).map(|(name, word)| format!("{name} ({word})")).collect();
            let more = many.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} processes are not well: {}{more}; {up}", many.len(), shown.join(", "))
        }
    };
    let restarts = match restarts {
        0 => "no restart".to_owned(),
        1 => "1 restart".to_owned(),
        restarts => format!("{restarts} restarts"),
    };
    let event = Event::new(id, due, guardian, EventKind::Heartbeat, Severity::Info);
    Event { detail: format!("{well}; {restarts} since {since}"), ..event }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::any_sink;
    use crate::model::schedule::Zone;

    const HOUR: i64 = 3_600_000;

    fn sinks() -> Vec<Sink> {
        let zone = Zone::Named("UTC".to_owned());
        let daily = Heartbeat { line: "0 9 * * *".to_owned(), zone };
        vec![Sink { heartbeat: Some(daily), ..any_sink() }, Sink { name: "quiet".to_owned(), ..any_sink() }]
    }

    #[test]
    fn a_new_sink_counts_from_now_and_a_missed_time_is_made_up_for_once() {
        let (sinks, mut told) = (sinks(), Told::new());
        let mut at = |hours: i64| -> Vec<(i64, i64)> {
            due(&sinks, &mut told, Wall(hours * HOUR))
                .iter()
                .map(|(_, at, since)| (at.0 / HOUR, since.0 / HOUR))
                .collect()
        };
        assert_eq!(at(10), [], "it is new");
        assert_eq!(at(32), []);
        assert_eq!(at(33), [(33, 10)], "nine o'clock");
        assert_eq!(at(34), []);
        assert_eq!(at(24 * 5 + 1), [(24 * 4 + 9, 33)], "three were missed");
        assert_eq!(at(24 * 5 + 2), []);
        assert_eq!(at(1), [], "the clock was set back");
        assert_eq!(at(10), [(9, 1)]);
    }

    #[test]
    fn a_sink_that_is_gone_is_forgotten() {
        let mut told = Told::from([("gone".to_owned(), Wall(0))]);
        assert_eq!(due(&sinks(), &mut told, Wall(5)), []);
        assert_eq!(told, Told::from([("ops".to_owned(), Wall(5))]));
    }

    #[test]
    fn it_says_what_is_well_and_what_is_not() {
        let guardian: Name = "guardian".parse().unwrap();
        let say =
            |standing: &Standing, restarts| event(&guardian, &any_sink(), Wall(HOUR), Wall(0), standing, restarts);
        let well = say(&Standing { up: 14, not_well: Vec::new() }, 0);
        assert_eq!(well.detail, "all is well, 14 processes up; no restart since 1970-01-01T00:00:00.000Z");
        assert_eq!(well.id, "guardian.ops.3600000.heartbeat");
        let bad = vec![("a".parse().unwrap(), "tripped".to_owned()), ("b".parse().unwrap(), "dead".to_owned())];
        let bad = say(&Standing { up: 1, not_well: bad }, 3).detail;
        assert!(bad.starts_with("2 processes are not well: a (tripped), b (dead); 1 process up; 3 restarts"), "{bad}");
    }
}
