//! The dead-man pings of one process: its switch as a sink of its own, and what it is told.
//!
//! Nothing of it is folded, put into a storm or held back: a switch counts runs, so each begin and each end goes out, in their order.

use std::time::Duration;

use super::delivery::{Batch, Plan, retry_at, wait};
use crate::model::delivery::Entry;
use crate::model::ending::{Cause, Verdict};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::sink::{SecretSource, Sink, SinkKind};
use crate::model::time::Stamp;

/// Begins the name of a switch as a sink. No sink of the registry has a colon in its name.
const NAME: &str = "ping:";
/// What a switch hears of.
const HEARS: [EventKind; 6] = [
    EventKind::Started,
    EventKind::Restarted,
    EventKind::Completed,
    EventKind::Premature,
    EventKind::Failed,
    EventKind::Stopped,
];
/// Limit on one ping.
const LIMIT: Duration = Duration::from_secs(5);

/// What a switch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Something begins.
    Start,
    /// All is well.
    Well,
    /// It ended, and was to end so. The number is an exit code.
    Code(u8),
    /// Something failed.
    Fail,
    /// Neither well nor failed: a line for its log.
    Log,
}

/// The switch of `process`, as a sink.
#[must_use]
pub fn sink(process: &Name, source: SecretSource) -> Sink {
    Sink {
        name: format!("{NAME}{process}"),
        kind: SinkKind::Ping(source),
        events: HEARS.iter().map(|kind| kind.word().to_owned()).collect(),
        processes: vec![process.to_string()],
        groups: Vec::new(),
        min_severity: Severity::Info,
        cooldown: Duration::ZERO,
        timeout: LIMIT,
        ca_file: None,
        heartbeat: None,
    }
}

/// Whether a sink is a switch.
#[must_use]
pub fn is_ping(sink: &Sink) -> bool {
    matches!(sink.kind, SinkKind::Ping(_))
}

/// What a switch is told of an event. An exit code that counts as success is 0, one that came too early a failure.
#[must_use]
pub fn verb(event: &Event) -> Verb {
    match (event.kind, event.verdict) {
        (EventKind::Started | EventKind::Restarted, _) => Verb::Start,
        (_, Some(Verdict::Completed)) => Verb::Code(0),
        (_, Some(Verdict::Premature | Verdict::Failed)) => match code(event.cause.as_ref()) {
            Some(code) if code != 0 => Verb::Code(code),
            Some(_) | None => Verb::Fail,
        },
        (_, Some(Verdict::Stopped) | None) => Verb::Log,
    }
}

/// The exit code as a shell has it, at most 255; `None`: the end had none.
fn code(cause: Option<&Cause>) -> Option<u8> {
    let code = match cause? {
        Cause::Exited { code } => *code,
        Cause::Signaled { signal, .. } => 128_i32.saturating_add(signal.0),
        Cause::OomKilled { .. } => 128 + 9,
        Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::SpawnFailed { .. }
        | Cause::Overlap
        | Cause::PreflightFailed { .. }
        | Cause::NotReady { .. }
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => return None,
    };
    Some(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Begins and ends go out one by one, in their order; what fails holds up those that follow it.
pub(super) fn plan(plan: &mut Plan, mut entries: Vec<&Entry>, now: &Stamp) {
    entries.sort_by_key(|entry| {
        let event = &entry.notification.event;
        (event.run, verb(event) != Verb::Start, event.at)
    });
    if let Some(until) = entries.first().and_then(|first| retry_at(&[first], now)) {
        return wait(plan, entries.len(), until);
    }
    plan.send.extend(entries.into_iter().map(|entry| Batch { lead: entry.clone(), folded: Vec::new(), answers: None }));
}
