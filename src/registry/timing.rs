//! When a sink may be told: `quiet`, `timezone`, `group_window`, `digest`.

use std::time::Duration;

use toml::de::DeTable;

use super::read::{Item, Reader};
use super::schedule::{read_line, read_zone};
use super::sink::Fields;
use crate::model::schedule::Zone;
use crate::model::sink::Sink;
use crate::model::timing::{Quiet, Timing};
use crate::policy::{quiet, zone};

/// A window is to gather what follows from one cause, not to put off.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

impl Fields<'_, '_, '_, '_> {
    /// The four keys; on `None` the reader knows why. `kind`: the type of the sink.
    pub(super) fn timing(&mut self, kind: &str) -> Option<Timing> {
        let quiet = match self.table.get("quiet") {
            Some(item) => read_quiet(self.reader, item)?,
            None => Vec::new(),
        };
        let zone = match self.table.get("timezone") {
            Some(item) => read_zone(self.reader, "timezone", item)?,
            None => Zone::Machine(None),
        };
        let group_window = match self.table.get("group_window") {
            Some(item) => {
                let window = self.reader.duration("group_window", item)?;
                if window > LONGEST_WINDOW {
                    let hint = "half a minute is usual: `\"30s\"`; what is to come once a day has `digest`";
                    return self.reader.fail(item.span(), "`group_window` is longer than an hour", hint);
                }
                window
            }
            None => Duration::ZERO,
        };
        let digest = match self.table.get("digest") {
            Some(item) if matches!(kind, "pagerduty" | "alertmanager") => {
                let message = format!("`digest`: {kind} keeps incidents, each of which opens and closes by itself");
                return self.reader.fail(item.span(), message, "take it out; a mail or a chat can have digests");
            }
            Some(item) => Some(read_line(self.reader, "digest", item)?),
            None => None,
        };
        Some(Timing { quiet, zone, group_window, digest })
    }
}

fn read_quiet(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<Quiet>> {
    reader.texts("quiet", item)?;
    let mut read = Vec::new();
    for element in item.get_ref().as_array()?.iter() {
        let text = reader.text("quiet", element)?;
        match quiet::parse(&text) {
            Ok(quiet) => read.push(quiet),
            Err(bad) => {
                let at = reader.within(&element.span(), &text, bad.at);
                return reader.fail(at, format!("`quiet`: {}", bad.what), bad.hint);
            }
        }
    }
    if quiet::is_endless(&read) {
        let hint = "leave some time, or set `min_severity = \"critical\"`: that alone would be told";
        return reader.fail(item.span(), "`quiet` leaves no time at all", hint);
    }
    Some(read)
}

/// Gives sinks that go by a clock that of this machine, where they name none.
pub(super) fn complete(reader: &mut Reader<'_>, table: &DeTable<'_>, sinks: &mut [Sink], machine: Option<&str>) {
    for sink in sinks {
        let timing = &mut sink.timing;
        let (Zone::Machine(_), false) = (&timing.zone, timing.quiet.is_empty() && timing.digest.is_none()) else {
            continue;
        };
        if machine.is_some_and(|name| zone::find(name).is_ok()) {
            timing.zone = Zone::Machine(machine.map(str::to_owned));
            continue;
        }
        let keys = table.get(sink.name.as_str()).and_then(|item| item.get_ref().as_table());
        let item = keys.and_then(|keys| keys.get("quiet").or_else(|| keys.get("digest")));
        reader.scope = format!("sink `{}`: ", sink.name);
        let hint = "add `timezone = \"Europe/Berlin\"`, or whichever is meant; until then it goes by UTC";
        reader.fail::<()>(item.map_or(0..0, Item::span), "the name of this machine's time zone is not known", hint);
        reader.scope.clear();
    }
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
