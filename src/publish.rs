//! From committed events to journal and outbox.
//!
//! Done after the act, while the lock of the process is held: an event that a crash kept from being
//! published is still in the state and is published by the next pass. Doing it twice is doing it
//! once, because ids are derived.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::error::Error;
use crate::incidents::{self, Open};
use crate::masking;
use crate::model::event::{Event, EventKind, Notification};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::policy::notify;
use crate::policy::secrets::Mask;
use crate::post_mortem::told_history;
use crate::store::log::Log;
use crate::store::record::{self, Durable};
use crate::store::{journal, outbox, storm, wake};
use crate::view::words::strip_control;

/// Lines of output that go with a notification.
const TAIL_LINES: usize = 20;
/// Lines of output in which a failure is looked for.
pub const FAILURE_LINES: usize = 200;
/// Longest of them, in characters.
const TAIL_WIDTH: usize = 300;
/// How much of the log is read for them, in bytes.
const TAIL_BYTES: u64 = 16 * 1024;
/// What is read before that, so that a secret which reaches into it is known whole, in bytes. It is not shown.
const LEAD: usize = 4 * 1024;

/// Publishes `events` of `name` (of a process with its `spec`): all into its journal, and for each run at most one for each sink into the outbox.
/// Returns how many were queued.
///
/// # Errors
/// Journal or outbox cannot be written; the caller keeps the events.
pub fn publish(
    ctx: &Context,
    name: &Name,
    spec: Option<&Spec>,
    events: &[Event],
    sinks: &[Sink],
    now: &Stamp,
    durable: Durable,
) -> Result<usize, Error> {
    journal::append(&ctx.paths, name, events, durable)?;
    // Only where it is asked for: the common case reads nothing.
    let asked = events.iter().any(|event| event.notify.iter().any(|name| name == notify::AUTO));
    let found = if asked { wake::load(&ctx.paths, name) } else { Ok(None) };
    // What cannot be read or noted keeps nobody else from being told, and is complained of by each pass until it is mended.
    let (wake, lost) = match found {
        Ok(wake) => (wake, None),
        Err(error) => (Some(wake::inbox_alone(&ctx.paths)), Some(error)),
    };
    let caller = wake.map(|wake| notify::caller(name, wake));
    if sinks.is_empty() && caller.is_none() {
        return lost.map_or(Ok(0), Err);
    }
    let tell = |event: &Event| Notification {
        event: event.clone(),
        host: ctx.host.clone(),
        log_tail: log_tail(ctx, name, spec, event.run),
        differs: String::new(),
        of_late: None,
    };
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
        let (mut tail, mut history) = (None, None);
        for sink in sinks.iter().chain(&caller) {
            let closes = incident.as_ref().map_or(Ok(None), |incident| incident.closes(ctx, sink, events))?;
            let Some(event) = notify::choose(sink, events).or(closes) else { continue };
            // Others may be putting the very same one.
            let _telling = (event.kind == EventKind::Storm).then(|| storm::telling(&ctx.paths)).transpose()?;
            let log_tail = tail.get_or_insert_with(|| log_tail(ctx, name, spec, *run)).clone();
            let (differs, of_late) = history
                .get_or_insert_with(|| {
                    let (differs, of_late) = told_history(ctx, name, event);
                    (masking::text(ctx, name, spec, &differs), of_late)
                })
                .clone();
            let notification =
                Notification { event: event.clone(), host: ctx.host.clone(), log_tail, differs, of_late };
            if outbox::put(&ctx.paths, &notification, &sink.name, now)? == outbox::Put::Queued {
                queued += 1;
            }
        }
    }
    if incident.is_some() {
        incidents::commit(ctx, name, events, tell, now)?;
    }
    broken.or(lost).map_or(Ok(queued), Err)
}

/// The last lines that a run wrote (without a run: that were written), fit to be shown anywhere: without control characters
/// and secrets. A log that cannot be read has none to show, and that must not keep the notification back.
#[must_use]
pub fn log_tail(ctx: &Context, name: &Name, spec: Option<&Spec>, run: Option<u64>) -> Vec<String> {
    last_lines(ctx, name, spec, run, TAIL_LINES).unwrap_or_default()
}

/// The same, as many as `most`; `None`: the log cannot be read, or what must not be shown of it.
#[must_use]
pub fn last_lines(
    ctx: &Context,
    name: &Name,
    spec: Option<&Spec>,
    run: Option<u64>,
    most: usize,
) -> Option<Vec<String>> {
    let (began, ended) = run.map_or((None, None), |run| record::output(&ctx.paths, name, run));
    let began = began.unwrap_or(0); // not noted: from the beginning
    let lead = u64::try_from(LEAD).ok()?;
    let read = || -> std::io::Result<(Vec<u8>, bool)> {
        let log = Log::at(&ctx.paths.log(name));
        let whole = log.end()?;
        let end = ended.map_or(whole, |ended| ended.min(whole)); // not noted: all that follows
        Ok((log.tail(began, end, TAIL_BYTES + lead)?, end.saturating_sub(began) > TAIL_BYTES + lead))
    };
    let (bytes, has_more) = read().ok()?;
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mask = masking::mask(ctx, name, spec)?;
    Some(shown(&bytes, has_more, most, &mask))
}

/// What is shown of the end of a log; `has_more`: it does not begin there, so that its first bytes may be half a secret.
fn shown(bytes: &[u8], has_more: bool, most: usize, mask: &Mask) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    // Escape sequences go first: nothing may stand within a secret or before it that is not seen.
    let clean: Vec<String> = text.lines().map(strip_control).collect();
    let masked = mask.text(&clean.join("\n"));
    let mut lines: Vec<&str> = masked.lines().collect();
    if let (true, Some(first)) = (has_more, lines.first_mut()) {
        *first = first.get(first.ceil_char_boundary(LEAD)..).unwrap_or_default();
    }
    lines.retain(|line| !line.trim().is_empty());
    let from = lines.len().saturating_sub(most);
    lines.iter().skip(from).map(|line| line.chars().take(TAIL_WIDTH).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_before_anything_is_cut() {
        let mask = Mask::of([("API_KEY", "canary-canary-canary")].into_iter());
        let line = format!("{} canary-canary-canary", "x".repeat(TAIL_WIDTH - 8));
        let lines = shown(line.as_bytes(), false, 20, &mask);
        assert!(lines[0].ends_with(" ****") && !lines[0].contains("can"), "{lines:?}");
    }

    #[test]
    fn half_a_secret_at_the_beginning_of_what_is_read_is_not_shown() {
        let mask = Mask::of([("API_KEY", "canary-canary-canary")].into_iter());
        let long = format!("ary-canary {} end", "y".repeat(2 * LEAD));
        for text in [long, "ary-canary\nlast".to_owned()] {
            let lines = shown(text.as_bytes(), true, 20, &mask);
            assert!(!lines.is_empty() && !lines.concat().contains("canary"), "{lines:?}");
        }
    }

    #[test]
    fn colours_and_invisible_characters_hide_no_secret() {
        let mask = Mask::of([("API_KEY", "canary-canary-canary")].into_iter());
        let text = "\x1b[31mcanary-\x1b[0mcanary\0-can\u{200b}ary!";
        assert_eq!(shown(text.as_bytes(), false, 20, &mask), ["****!"]);
        let text = "\x1b[1mAKIAIOSFODNN7EXAMPLE\x1b[0m ok";
        assert_eq!(shown(text.as_bytes(), false, 20, &mask), ["**** ok"]);
    }
}
