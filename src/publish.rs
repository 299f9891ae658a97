//! From committed events to journal and outbox.
//!
//! Done after the act, while the lock of the process is held: an event that a crash kept from being
//! published is still in the state and is published by the next pass. Doing it twice is doing it
//! once, because ids are derived.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::error::Error;
use crate::incidents::{self, Open};
use crate::model::event::{Event, EventKind, Notification};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::time::Stamp;
use crate::policy::notify;
use crate::post_mortem::told_differences;
use crate::store::log::Log;
use crate::store::record::{self, Durable};
use crate::store::{journal, outbox, storm};
use crate::view::words::strip_control;

/// Lines of output that go with a notification.
const TAIL_LINES: usize = 20;
/// Lines of output in which a failure is looked for.
pub const FAILURE_LINES: usize = 200;
/// Longest of them, in characters.
const TAIL_WIDTH: usize = 300;
/// How much of the log is read for them, in bytes.
const TAIL_BYTES: u64 = 16 * 1024;

/// Publishes `events` of `name`: all into its journal, and for each run at most one for each sink into the outbox.
/// Returns how many were queued.
///
/// # Errors
/// Journal or outbox cannot be written; the caller keeps the events.
pub fn publish(
    ctx: &Context,
    name: &Name,
    events: &[Event],
    sinks: &[Sink],
    now: &Stamp,
    durable: Durable,
) -> Result<usize, Error> {
    journal::append(&ctx.paths, name, events, durable)?;
    if sinks.is_empty() {
        return Ok(0);
    }
    let tell = |event: &Event| Notification {
        event: event.clone(),
        host: ctx.host.clone(),
        log_tail: log_tail(ctx, name, event.run),
        differs: String::new(),
    };
    // What cannot be noted is told all the same, and complained of by each pass until it is mended.
    let (incident, broken) = match incidents::begin(ctx, name, events, tell, now) {
        Ok(incident) => (incident, None),
        Err(error) => (None, Some(error)),
    };
    let follow = incident.as_ref().map_or(&[][..], Open::events);
    if !follow.is_empty() {
        journal::append(&ctx.paths, name, follow, durable)?;
    }
    let mut runs: BTreeMap<Option<u64>, Vec<Event>> = BTreeMap::new();
    for event in events.iter().chain(follow) {
        let event = incident.as_ref().map_or_else(|| event.clone(), |incident| incident.about(event));
        runs.entry(event.run).or_default().push(event);
    }
    let mut queued = 0;
    for (run, events) in &runs {
        let (mut tail, mut differs) = (None, None);
        for sink in sinks {
            let closes = incident.as_ref().map_or(Ok(None), |incident| incident.closes(ctx, sink, events))?;
            let Some(event) = notify::choose(sink, events).or(closes) else { continue };
            // Others may be putting the very same one.
            let _telling = (event.kind == EventKind::Storm).then(|| storm::telling(&ctx.paths)).transpose()?;
            let log_tail = tail.get_or_insert_with(|| log_tail(ctx, name, *run)).clone();
            let differs = differs.get_or_insert_with(|| told_differences(ctx, name, event)).clone();
            let notification = Notification { event: event.clone(), host: ctx.host.clone(), log_tail, differs };
            if outbox::put(&ctx.paths, &notification, &sink.name, now)? == outbox::Put::Queued {
                queued += 1;
            }
        }
    }
    if incident.is_some() {
        incidents::commit(ctx, name, events, tell, now)?;
    }
    broken.map_or(Ok(queued), Err)
}

/// The last lines that a run wrote (without a run: that were written), fit to be shown anywhere. A log
/// that cannot be read has none to show, and that must not keep the notification back.
#[must_use]
pub fn log_tail(ctx: &Context, name: &Name, run: Option<u64>) -> Vec<String> {
    last_lines(ctx, name, run, TAIL_LINES).unwrap_or_default()
}

/// The same, as many as `most`; `None`: the log cannot be read.
#[must_use]
pub fn last_lines(ctx: &Context, name: &Name, run: Option<u64>, most: usize) -> Option<Vec<String>> {
    let (began, ended) = run.map_or((None, None), |run| record::output(&ctx.paths, name, run));
    let began = began.unwrap_or(0); // not noted: from the beginning
    let read = || -> std::io::Result<Vec<u8>> {
        let log = Log::at(&ctx.paths.log(name));
        let whole = log.end()?;
        let end = ended.map_or(whole, |ended| ended.min(whole)); // not noted: all that follows
        log.tail(began, end, TAIL_BYTES)
    };
    let bytes = read().ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(most);
    Some(lines.iter().skip(first).map(|line| strip_control(line).chars().take(TAIL_WIDTH).collect()).collect())
}
