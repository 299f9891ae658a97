//! Silences over the outbox: what is kept until one ends, and what is settled because of it.
//!
//! Asked by `alert::drain` after [`super::hold`] and before [`super::delivery`]. Of each silenced process a sink is left the
//! worst of the newest trouble, and a recovery that answers what it was told before; all else is settled, with the reason.

use std::collections::BTreeMap;

use super::clock::clock;
use super::delivery::{answers, open_trouble};
use super::notify::{is_caller, is_trouble};
use super::pings::is_ping;
use crate::model::delivery::{Entry, Receipt, Settled};
use crate::model::event::{Event, EventKind, Notification, Severity};
use crate::model::incident::Why;
use crate::model::name::Name;
use crate::model::schedule::Zone;
use crate::model::silence::{Kept, Silence, Whom};
use crate::model::sink::Sink;
use crate::model::time::Stamp;

/// What becomes of what is pending.
#[derive(Debug, Default, PartialEq)]
pub struct Parted {
    /// Nobody asked for silence about it.
    pub told: Vec<Entry>,
    /// It waits for the end of the silence, and remembers it.
    pub kept: Vec<Entry>,
    /// It is not told, for this reason.
    pub suppressed: Vec<(Entry, String)>,
    /// When the first silence over what is kept ends.
    pub next: Option<Stamp>,
}

/// The silence over a process that lasts longest; `None`: it may be told of.
#[must_use]
pub fn over<'s>(silences: &'s [Silence], process: &Name, group: Option<&str>, now: &Stamp) -> Option<&'s Silence> {
    let covering = silences.iter().filter(|silence| silence.covers(process, group));
    covering.filter(|silence| silence.rest(now).is_some()).max_by_key(|silence| silence.rest(now))
}

/// Parts what is pending. `sinks`: those it is for.
#[must_use]
pub fn part(pending: Vec<Entry>, ledger: &[Receipt], sinks: &[Sink], silences: &[Silence], now: &Stamp) -> Parted {
    let mut parted = Parted::default();
    let mut silenced: BTreeMap<(String, Name), Vec<(Entry, &Silence)>> = BTreeMap::new();
    for entry in pending {
        let sink = sinks.iter().find(|sink| sink.name == entry.sink);
        match sink.and_then(|sink| is_silenced(sink, &entry, ledger, silences, now)) {
            Some(silence) => {
                let key = (entry.sink.clone(), entry.notification.event.process.clone());
                silenced.entry(key).or_default().push((entry, silence));
            }
            None => parted.told.push(entry),
        }
    }
    for ((sink, process), members) in silenced {
        let zone = sinks.iter().find(|known| known.name == sink).map(|sink| &sink.timing.zone);
        let told = || ledger.iter().filter(|receipt| receipt.sink == sink);
        let knows = match members.iter().any(|(entry, _)| is_of_storm(entry.notification.event.kind)) {
            true => storm_is_open(told()),
            false => !open_trouble(told(), &process).is_empty(),
        };
        part_process(&mut parted, members, knows, zone, now);
    }
    parted
}

/// The silence over an entry. None is over what is about alerts or guardian itself, over what keeps an incident as it is at a
/// service, over a session that waits for what it started, and over a dead-man's switch.
pub(super) fn is_silenced<'s>(
    sink: &Sink,
    entry: &Entry,
    ledger: &[Receipt],
    silences: &'s [Silence],
    now: &Stamp,
) -> Option<&'s Silence> {
    let event = &entry.notification.event;
    let keeps = matches!(event.why(), Why::Refresh(_)) || event.kind == EventKind::Acknowledged;
    let asked = is_caller(&sink.name) || is_ping(sink);
    let apart = event.kind.is_about_alerts() || event.kind.is_of_guardian();
    let passes = asked || apart || (sink.kind.keeps_incidents() && keeps);
    let settled = || ledger.iter().any(|receipt| receipt.sink == entry.sink && receipt.id == entry.id());
    if silences.is_empty() || passes || settled() {
        return None;
    }
    if is_of_storm(event.kind) {
        // It is about many, not about the one whose name it bears.
        let all = silences.iter().filter(|silence| silence.whom == Whom::All && silence.rest(now).is_some());
        return all.max_by_key(|silence| silence.rest(now));
    }
    over(silences, &event.process, event.group.as_deref(), now)
}

fn is_of_storm(kind: EventKind) -> bool {
    matches!(kind, EventKind::Storm | EventKind::StormOver)
}

/// Whether a sink was told of a storm and not of its end.
fn storm_is_open<'l>(told: impl Iterator<Item = &'l Receipt>) -> bool {
    let of_storm = told.filter(|receipt| is_of_storm(receipt.group.kind) && receipt.how != Settled::Suppressed);
    of_storm.last().is_some_and(|receipt| receipt.group.kind == EventKind::Storm)
}

/// Whether an event ends the trouble before it.
fn ends(event: &Event) -> bool {
    answers(event) || event.kind == EventKind::StormOver
}

/// All that waits for one sink about one process. `knows`: the sink was told of trouble that nothing has answered yet.
fn part_process(
    parted: &mut Parted,
    mut members: Vec<(Entry, &Silence)>,
    knows: bool,
    zone: Option<&Zone>,
    now: &Stamp,
) {
    members.sort_by_key(|(entry, _)| (entry.notification.event.at, ends(&entry.notification.event)));
    let end = members.iter().rposition(|(entry, _)| ends(&entry.notification.event));
    let after = end.map_or(0, |end| end + 1);
    let newest = |bad: &dyn Fn(&Event) -> bool| members.iter().rposition(|(entry, _)| bad(&entry.notification.event));
    let worse = |event: &Event| is_trouble(event.kind) && event.severity > Severity::Info;
    let kept = newest(&worse).filter(|nth| *nth >= after).or_else(|| newest(&|event| is_trouble(event.kind)));
    for (nth, (entry, silence)) in members.into_iter().enumerate() {
        let event = &entry.notification.event;
        let because = if Some(nth) == end {
            (!knows).then_some("the trouble before it was not told either")
        } else if nth < after {
            Some("it is over since")
        } else if Some(nth) == kept {
            None
        } else if is_trouble(event.kind) {
            Some("other trouble of it is kept")
        } else {
            Some("it asks for nothing")
        };
        let rest = silence.rest(now).unwrap_or_default(); // it is one that goes on
        let until = now.plus(rest);
        match because {
            Some(because) => {
                let why = format!("silenced until {}{}; {because}", clock(zone, until.wall, now.wall), said(silence));
                parted.suppressed.push((entry, why));
            }
            None => {
                let kept = Kept { until: until.wall, why: said(silence) };
                // The wall clock may be set meanwhile; a moment to and fro is no change.
                let same = entry
                    .kept
                    .as_ref()
                    .is_some_and(|old| old.why == kept.why && old.until.0.abs_diff(kept.until.0) < 60_000);
                let kept = if same { entry.kept.clone() } else { Some(kept) };
                parted.kept.push(Entry { kept, ..entry });
                if parted.next.as_ref().is_none_or(|next| until.boot_ms < next.boot_ms) {
                    parted.next = Some(until);
                }
            }
        }
    }
}

/// Who asked for it and why, to follow a time.
fn said(silence: &Silence) -> String {
    let reason = if silence.reason.is_empty() { String::new() } else { format!(": {}", silence.reason) };
    format!(" by {}{reason}", silence.by)
}

/// The notification as it is told now: one that was kept says so.
#[must_use]
pub fn noted(entry: &Entry, zone: &Zone, now: &Stamp) -> Notification {
    let mut told = entry.notification.clone();
    let Some(kept) = &entry.kept else { return told };
    let until = clock(Some(zone), kept.until.min(now.wall), now.wall);
    let still = if ends(&told.event) { "" } else { "still so; " };
    let note = format!("{still}it was silenced until {until}{}", kept.why);
    told.event.detail = match told.event.detail.as_str() {
        "" => note,
        detail => format!("{detail}; {note}"),
    };
    told
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
