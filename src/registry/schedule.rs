//! `schedule`, `timezone` and what they mean together with the other keys of a process.

use toml::de::DeTable;

use super::read::{Item, Reader};
use crate::model::schedule::Zone;
use crate::model::spec::{Restart, Spec, Target};
use crate::policy::cron_line::CronLine;
use crate::policy::zone;

/// A line of a crontab; what is wrong with it is told at the very field.
pub(super) fn read_line(reader: &mut Reader<'_>, key: &str, item: &Item<'_>) -> Option<String> {
    let line = reader.text(key, item)?;
    match CronLine::parse(&line, chrono_tz::Tz::UTC) {
        Ok(_) => Some(line),
        Err(bad) => {
            let at = reader.within(&item.span(), &line, bad.at);
            reader.fail(at, format!("`{key}`: {}", bad.what), bad.hint)
        }
    }
}

/// The name of a time zone.
pub(super) fn read_zone(reader: &mut Reader<'_>, key: &str, item: &Item<'_>) -> Option<Zone> {
    let name = reader.text(key, item)?;
    match zone::find(&name) {
        Ok(_) => Some(Zone::Named(name)),
        Err(Some(similar)) => reader.fail(
            item.span(),
            format!("`{key}`: no time zone is called {name:?}"),
            format!("did you mean `{similar}`?"),
        ),
        Err(None) => {
            let hint = "a name of the IANA database is wanted, such as `\"Europe/Berlin\"` or `\"UTC\"`";
            reader.fail(item.span(), format!("`{key}`: no time zone is called {name:?}"), hint)
        }
    }
}

/// What a schedule asks of the other keys: a run has to end by itself, and its zone has to be known. `machine`: the zone of
/// this machine.
pub(super) fn complete(reader: &mut Reader<'_>, table: &DeTable<'_>, spec: &mut Spec, machine: Option<&str>) {
    if spec.schedule.is_none() {
        return;
    }
    let place = |key: &str| table.get(key).or_else(|| table.get("schedule")).map_or(0..0, Item::span);
    if spec.target == Target::Forever {
        if table.contains_key("target") {
            let hint =
                "a job that ends by itself has `target = \"exit\"`, which a `schedule` brings along: take `target` out";
            reader.fail::<()>(
                place("target"),
                "`target = \"forever\"` and a `schedule`: what never ends is never due again",
                hint,
            );
        }
        spec.target = Target::Exit;
    }
    if spec.restart == Restart::Always {
        let hint = "`on-failure` tries again what failed; the schedule starts the next run";
        reader.fail::<()>(
            place("restart"),
            "`restart = \"always\"` and a `schedule`: it would run without a pause",
            hint,
        );
    }
    match (&spec.zone, machine) {
        (Zone::Named(_), _) => {}
        (Zone::Machine(_), Some(name)) if zone::find(name).is_ok() => spec.zone = Zone::Machine(Some(name.to_owned())),
        (Zone::Machine(_), _) => {
            let hint = "add `timezone = \"Europe/Berlin\"`, or whichever is meant";
            reader.fail::<()>(place("schedule"), "the name of this machine's time zone is not known", hint);
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
