//! One event on one line, for people.

use std::time::Duration;

use crate::model::ending::{Arrived, SignalRecord};
use crate::model::event::{Event, EventKind};
use crate::model::units::human_duration;

use super::words::{end_phrase, sender_phrase, sender_sentence, strip_control};

/// `2026-11-20T20:00:00.000Z  btc-bot run 3  premature after 21m 03s: exit 0 after SIGTERM from node, pid 99; restarted …`
#[must_use]
pub fn line(event: &Event) -> String {
    let run = event.run.map_or(String::new(), |run| format!(" run {run}"));
    let text = format!("{}  {}{run}  {}{}", event.at, event.process, event.kind.word(), what(event));
    strip_control(&text)
}

/// A signal with all that is known of who sent it, and where it arrived.
fn signal(record: &SignalRecord) -> Option<String> {
    let sender = record.sender.as_ref().map_or("the kernel".to_owned(), sender_sentence);
    let to = match record.to {
        Arrived::Shim => "to its shim, passed on",
        Arrived::Process => "to the process itself",
        Arrived::Kernel => "seen in the kernel's own record",
    };
    Some(format!("{} {to}, from {sender}", record.signal))
}

fn what(event: &Event) -> String {
    let lived = event
        .ran_s
        .map_or(String::new(), |s| format!(" after {}", human_duration(Duration::from_secs_f64(s.max(0.0)))));
    let cause = event.cause.as_ref().map(|cause| end_phrase(cause, &event.signals, event.by.as_ref()));
    let pid = event.pid.map(|pid| format!("pid {pid}"));
    let by = event.by.as_ref().map(|by| format!("by {}", sender_phrase(by)));
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let parts = match event.kind {
        EventKind::Signal => event.signals.iter().map(signal).collect(),
        EventKind::Started | EventKind::Restarted => vec![pid, some(&event.action)],
        EventKind::Exited => vec![cause, some(&event.detail)],
        EventKind::Failed if event.watch.is_some() => vec![some(&event.detail), some(&event.action)],
        EventKind::Acted => vec![some(&event.action)],
        EventKind::Premature | EventKind::Failed | EventKind::Completed | EventKind::Tripped => {
            vec![cause, some(&event.alike), some(&event.action)]
        }
        EventKind::Stopped => vec![cause, by],
        EventKind::Storm | EventKind::StormOver => vec![event.storm.as_ref().map(|facts| super::storm::phrase(facts))],
        EventKind::Ready
        | EventKind::Registered
        | EventKind::Hung
        | EventKind::Killed
        | EventKind::Slow
        | EventKind::HalfOpen
        | EventKind::Recovered
        | EventKind::Unsupervised
        | EventKind::Skipped
        | EventKind::Flapping
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::AlertDelivered
        | EventKind::AlertFailed
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::Test => vec![some(&event.action), some(&event.detail), by],
    };
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let lived = if event.verdict.is_some() { lived } else { String::new() };
    if parts.is_empty() { lived } else { format!("{lived}: {}", parts.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{btc_bot, event};

    #[test]
    fn a_signal_is_told_with_all_that_is_known_of_its_sender() {
        let signals = btc_bot().event.signals;
        let told = line(&Event { signals, ..event("btc-bot", 3, EventKind::Signal, 3) });
        let want = "2026-11-18T11:06:43.000Z  btc-bot run 3  signal: SIGTERM to its shim, passed on, from node (pid 99, \
                    user 1000), command `node gateway.js`, started by bash 42 < systemd 1";
        assert_eq!(told, want);
    }

    #[test]
    fn every_kind_of_event_is_one_clean_line() {
        for kind in EventKind::ALL {
            let told = line(&Event { detail: "a\nb\u{1b}[31m".to_owned(), ..event("x", 1, kind, 0) });
            assert!(told.contains(kind.word()) && !told.contains(char::is_control), "{told}");
        }
    }
}
