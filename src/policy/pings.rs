//! The dead-man pings of one process: its switch as a sink of its own, and what it is told.
//!
//! Nothing of it is folded, put into a storm or held back: a switch counts runs, so each begin and each end goes out, in their order.

use std::time::Duration;

use super::delivery::{Batch, Plan, retry_at, wait};
use crate::model::delivery::Entry;
use crate::model::ending::{Cause, Verdict};
use crate::model::event::{Event, EventKind, Severity};
use crate::model::incident::Insist;
use crate::model::name::Name;
use crate::model::sink::{SecretSource, Sink, SinkKind};
use crate::model::time::Stamp;
use crate::model::timing::Timing;

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
        insist: Insist::default(),
        timing: Timing::default(),
    }
}

/// Whether a sink of that name is a switch.
#[must_use]
pub fn is_name(sink: &str) -> bool {
    sink.starts_with(NAME)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{at, event, note};
    use crate::model::signal::Signal;
    use crate::model::sink::Secret;

    #[test]
    fn a_switch_hears_the_code_of_an_end_and_what_it_means() {
        let exited = |code| Some(Cause::Exited { code });
        let shot = |signal| Some(Cause::Signaled { signal: Signal(signal), core_dumped: false });
        let cases = [
            ("a begin", EventKind::Started, None, None, Verb::Start),
            ("another one", EventKind::Restarted, None, exited(1), Verb::Start),
            ("done", EventKind::Completed, Some(Verdict::Completed), exited(0), Verb::Code(0)),
            ("a code that counts as success", EventKind::Completed, Some(Verdict::Completed), exited(3), Verb::Code(0)),
            ("failed", EventKind::Failed, Some(Verdict::Failed), exited(7), Verb::Code(7)),
            ("too early, with code 0", EventKind::Premature, Some(Verdict::Premature), exited(0), Verb::Fail),
            ("too early, with another", EventKind::Premature, Some(Verdict::Premature), exited(2), Verb::Code(2)),
            ("killed", EventKind::Premature, Some(Verdict::Premature), shot(9), Verb::Code(137)),
            ("by a signal beyond all codes", EventKind::Failed, Some(Verdict::Failed), shot(200), Verb::Code(255)),
            ("lost", EventKind::Premature, Some(Verdict::Premature), Some(Cause::Reboot), Verb::Fail),
            ("stopped by somebody", EventKind::Stopped, Some(Verdict::Stopped), shot(15), Verb::Log),
            ("a test", EventKind::Test, None, None, Verb::Log),
        ];
        for (claim, kind, verdict, cause, wanted) in cases {
            let event = Event { verdict, cause, ..event("bot", 1, kind, 0) };
            assert_eq!(verb(&event), wanted, "{claim}");
        }
    }

    #[test]
    fn begins_and_ends_go_out_one_by_one_and_wait_for_the_first() {
        let entry = |run, kind, secs| Entry::new(note(event("bot", run, kind, secs)), "ping:bot", at(secs));
        let mut first = entry(1, EventKind::Premature, 5);
        let all = [entry(2, EventKind::Premature, 9), entry(2, EventKind::Restarted, 6), first.clone()];
        let ask = |entries: &[Entry]| {
            let mut planned = Plan::default();
            plan(&mut planned, entries.iter().collect(), &at(10));
            let kinds = planned.send.iter().map(|batch| batch.lead.id().to_owned()).collect::<Vec<_>>();
            (kinds, planned.waiting)
        };
        assert_eq!(ask(&all).0, ["bot.abc.1.premature", "bot.abc.2.restarted", "bot.abc.2.premature"]);
        first.not_before = Some(at(60));
        assert_eq!(ask(&[all[0].clone(), all[1].clone(), first]), (Vec::new(), 3), "nothing overtakes");
    }

    #[test]
    fn a_switch_hears_of_its_own_process_whatever_sinks_that_names() {
        let url = SecretSource::Inline(Secret::new("https://hc".to_owned()));
        let sink = sink(&"bot".parse().unwrap(), url);
        let told = |name: &str, kind| {
            let notify = vec!["ops".to_owned()];
            super::super::notify::wants(&sink, &Event { notify, ..event(name, 1, kind, 0) })
        };
        assert!(told("bot", EventKind::Premature) && told("bot", EventKind::Started));
        assert!(!told("other", EventKind::Premature) && !told("bot", EventKind::Tripped));
        assert!(is_ping(&sink) && is_name(&sink.name));
    }
}
