//! Events, sinks and moments for the tests of those who tell somebody.

use std::time::Duration;

use super::ending::{Ancestor, Arrived, Cause, Sender, SignalRecord, Verdict};
use super::event::{Event, EventKind, Notification, Severity};
use super::incident::Insist;
use super::signal::Signal;
use super::sink::{Sink, SinkKind};
use super::time::{BootId, Stamp, Wall};
use super::timing::Timing;

/// 2026-11-18 11:06:40 UTC.
const BASE: i64 = 1_795_000_000_000;

/// This many seconds after the base, in one boot.
pub(crate) fn at(secs: u64) -> Stamp {
    let start = Stamp { wall: Wall(BASE), boot_ms: 100_000, boot: BootId::new("b").unwrap() };
    start.plus(Duration::from_secs(secs))
}

/// An event of process `name`, `secs` after the base.
pub(crate) fn event(name: &str, run: u64, kind: EventKind, secs: u64) -> Event {
    let (severity, cause) = match kind {
        EventKind::Premature | EventKind::Failed => (Severity::Warning, Some(Cause::Exited { code: 1 })),
        EventKind::Storm => (Severity::Critical, None),
        EventKind::Tripped => (Severity::Critical, Some(Cause::Exited { code: 1 })),
        EventKind::Unsupervised | EventKind::Hung | EventKind::Flapping => (Severity::Warning, None),
        EventKind::Registered
        | EventKind::Started
        | EventKind::Restarted
        | EventKind::Ready
        | EventKind::Signal
        | EventKind::Exited
        | EventKind::Completed
        | EventKind::Stopped
        | EventKind::Killed
        | EventKind::Slow
        | EventKind::HalfOpen
        | EventKind::Recovered
        | EventKind::StormOver
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::Skipped
        | EventKind::AlertDelivered
        | EventKind::AlertFailed
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::Acted
        | EventKind::Test => (Severity::Info, None),
    };
    let (id, name) = (format!("{name}.abc.{run}.{}", kind.word()), name.parse().unwrap());
    Event { run: Some(run), cause, ..Event::new(id, at(secs).wall, &name, kind, severity) }
}

/// The story that guardian was made for: 3 s of 8 h, exit 0, after a SIGTERM from somebody's gateway.
pub(crate) fn btc_bot() -> Notification {
    let sender = Sender {
        pid: 99,
        uid: Some(1000),
        comm: Some("node".to_owned()),
        cmdline: Some("node gateway.js".to_owned()),
        parents: vec![Ancestor { pid: 42, comm: "bash".to_owned() }, Ancestor { pid: 1, comm: "systemd".to_owned() }],
        cgroup: None,
        guardian: None,
        itself: false,
    };
    let signal =
        SignalRecord { signal: Signal(15), at: at(3).wall, to: Arrived::Shim, sender: Some(sender), survived: false };
    let event = Event {
        cause: Some(Cause::Exited { code: 0 }),
        verdict: Some(Verdict::Premature),
        ran_s: Some(3.2),
        target_s: Some(28_800),
        action: "restarted as run 4".to_owned(),
        signals: vec![signal],
        failures: Some(1),
        pid: Some(4242),
        ..event("btc-bot", 3, EventKind::Premature, 3)
    };
    let log_tail = vec!["connecting".to_owned(), "\u{1b}[31mshutting down\u{1b}[0m".to_owned()];
    Notification { event, host: "trader.example.org".to_owned(), log_tail, differs: String::new(), of_late: None }
}

/// A sink without filters that appends to a file.
pub(crate) fn sink(name: &str, kind: SinkKind) -> Sink {
    Sink {
        name: name.to_owned(),
        kind,
        events: Vec::new(),
        processes: Vec::new(),
        groups: Vec::new(),
        min_severity: Severity::Warning,
        cooldown: Duration::from_secs(900),
        timeout: Duration::from_secs(10),
        insist: Insist::default(),
        timing: Timing::default(),
        ca_file: None,
        heartbeat: None,
    }
}

/// A sink that is never sent to.
pub(crate) fn any_sink() -> Sink {
    sink("ops", SinkKind::File { path: "/nonexistent/never".to_owned() })
}

/// A notification from host `h`.
pub(crate) fn note(event: Event) -> Notification {
    Notification { event, host: "h".to_owned(), log_tail: Vec::new(), differs: String::new(), of_late: None }
}
