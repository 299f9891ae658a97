//! What waits although nothing failed: for the end of a quiet time, for the hour of a digest, for what it could speak for.
//!
//! Asked by [`super::delivery`], which holds what waits like what waits for its next try, so that nothing overtakes. What is
//! critical waits for a group window alone; tests and heartbeats wait for nothing, and neither does what tells a service that an incident
//! goes on, nor a storm's message with all that it speaks for.

use std::borrow::Cow;

use super::clock::zone_of;
use super::cron_line::CronLine;
use super::delivery::{Batch, as_one};
use super::quiet;
use super::storm::speaks_for;
use crate::model::delivery::{Entry, Receipt};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::incident::Why;
use crate::model::sink::Sink;
use crate::model::storm::Storm;
use crate::model::time::{Stamp, Wall};

/// Why an entry waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Its sink wants to be left alone now.
    Quiet,
    /// Its sink is told everything at one hour.
    Digest,
    /// Others may follow that it can speak for.
    Window,
}

/// `pending` with what waits put off.
pub(super) fn put_off<'e>(
    pending: &'e [Entry],
    ledger: &[Receipt],
    sinks: &[Sink],
    storms: &[Storm],
    now: &Stamp,
) -> Cow<'e, [Entry]> {
    if sinks.iter().all(|sink| !is_timed(sink)) {
        return Cow::Borrowed(pending);
    }
    let later = |entry: &Entry| {
        let pause = sinks.iter().find(|sink| sink.name == entry.sink).and_then(|sink| {
            let passes = is_told_by_storm(entry, pending, ledger, storms);
            if passes { None } else { pause(entry, sink, pending, now) }
        });
        let Some((until, _)) = pause else { return entry.clone() };
        let until = now.plus(now.wall.until(until));
        let retry = entry.not_before.clone().filter(|retry| !now.has_reached(retry) && retry.boot_ms > until.boot_ms);
        Entry { not_before: Some(retry.unwrap_or(until)), ..entry.clone() }
    };
    Cow::Owned(pending.iter().map(later).collect())
}

/// Whether somebody waits for exactly that one: a test, a heartbeat at its hour, what a service must hear.
fn is_apart(event: &Event) -> bool {
    matches!(event.kind, EventKind::Test | EventKind::Heartbeat) || matches!(event.why(), Why::Refresh(_))
}

fn is_timed(sink: &Sink) -> bool {
    let timing = &sink.timing;
    !timing.quiet.is_empty() || timing.digest.is_some() || !timing.group_window.is_zero()
}

/// Whether a storm tells it, to a sink that is told of the storm.
fn is_told_by_storm(entry: &Entry, pending: &[Entry], ledger: &[Receipt], storms: &[Storm]) -> bool {
    storms.iter().filter(|storm| speaks_for(storm, &entry.notification.event)).any(|storm| {
        let over = storm.over_id();
        if entry.id() == over {
            return false; // its end is good news, which can wait
        }
        let waits =
            pending.iter().any(|lead| lead.sink == entry.sink && (lead.id() == storm.id() || lead.id() == over));
        waits || ledger.iter().any(|receipt| receipt.sink == entry.sink && receipt.id == storm.id())
    })
}

/// Until when an entry waits, and for what; `None`: for nothing of this.
#[must_use]
pub fn pause(entry: &Entry, sink: &Sink, pending: &[Entry], now: &Stamp) -> Option<(Wall, Pause)> {
    let event = &entry.notification.event;
    if is_apart(event) {
        return None;
    }
    let window = window(entry, sink, pending, now).map(|until| (until, Pause::Window));
    if event.severity == Severity::Critical {
        return window;
    }
    let digest = digest_at(sink, entry.queued.wall).filter(|at| *at > now.wall).map(|at| (at, Pause::Digest));
    // The hour of a digest may lie in a quiet time: it then comes at the end of that.
    let quiet = quiet::until(&sink.timing, now.wall).map(|until| (until, Pause::Quiet));
    [window, quiet, digest].into_iter().flatten().max_by_key(|(until, _)| *until)
}

/// When the digest comes that tells what was queued then.
fn digest_at(sink: &Sink, queued: Wall) -> Option<Wall> {
    let line = sink.timing.digest.as_ref()?;
    CronLine::known(line, zone_of(Some(&sink.timing.zone)))?.after(queued)
}

/// When the window ends that an entry lies in. The first of those that wait for the sink opens it; who comes later than its
/// end opens the next.
fn window(entry: &Entry, sink: &Sink, pending: &[Entry], now: &Stamp) -> Option<Wall> {
    let window = sink.timing.group_window;
    if window.is_zero() || entry.attempts > 0 || entry.queued.boot != now.boot {
        return None;
    }
    let fresh = pending.iter().filter(|other| {
        other.sink == sink.name
            && other.attempts == 0
            && other.queued.boot == now.boot
            && other.queued.boot_ms <= entry.queued.boot_ms
    });
    let mut queued: Vec<u64> = fresh.map(|other| other.queued.boot_ms).collect();
    queued.sort_unstable();
    let length = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    let opened = queued.into_iter().fold(None, |opened: Option<u64>, at| match opened {
        Some(first) if at < first.saturating_add(length) => Some(first),
        Some(_) | None => Some(at),
    })?;
    let rest = opened.saturating_add(length).checked_sub(now.boot_ms).filter(|rest| *rest > 0)?;
    Some(now.plus(std::time::Duration::from_millis(rest)).wall)
}

/// Whether cooldowns count: a digest is one message whatever it tells.
pub(super) fn cools(sink: &Sink, severity: Severity) -> bool {
    sink.timing.digest.is_none() || severity == Severity::Critical
}

/// Makes one message of those that waited together: all of a digest or a group window, and those of one process that a quiet
/// time has held. A service that keeps incidents is told each process by itself.
pub(super) fn together(sink: &Sink, batches: Vec<Batch>) -> Vec<Batch> {
    if !is_timed(sink) {
        return batches;
    }
    let (mut done, mut rest) = (Vec::new(), Vec::new());
    for batch in batches {
        let event = &batch.lead.notification.event;
        let alone = is_apart(event);
        let critical = event.severity == Severity::Critical;
        match () {
            () if alone => done.push(batch),
            () if !sink.timing.group_window.is_zero() => rest.push((key(sink, &batch, true), batch)),
            () if critical => done.push(batch),
            () if sink.timing.digest.is_some() => rest.push((None, batch)),
            () if quiet::until(&sink.timing, batch.lead.queued.wall).is_some() => {
                rest.push((key(sink, &batch, false), batch));
            }
            () => done.push(batch),
        }
    }
    while let Some((key, _)) = rest.first() {
        let key = key.clone();
        let (mine, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(other, _)| *other == key);
        done.extend(as_one(mine.into_iter().map(|(_, batch)| batch).collect()));
        rest = others;
    }
    done
}

/// What is told together: `None` is everything.
fn key(sink: &Sink, batch: &Batch, all: bool) -> Option<String> {
    let apart = !all || sink.kind.keeps_incidents();
    apart.then(|| batch.lead.notification.event.process.to_string())
}

#[cfg(test)]
#[path = "pause_tests.rs"]
mod tests;
