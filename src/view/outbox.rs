//! What `alerts list` says: what waits, what was given up, what was delivered last.

use std::time::Duration;

use serde_json::{Value, json};

use super::words::strip_control;
use crate::model::delivery::{Entry, Overview, Receipt, SCHEMA, Settled};
use crate::model::event::EventKind;
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::units::human_duration;

/// The outbox for people. Empty parts are left out; an empty outbox is one line.
#[must_use]
pub fn human(overview: &Overview, now: &Stamp) -> String {
    let mut lines = Vec::new();
    part(&mut lines, "open", &super::incident::rows(overview, now), |line| line.clone());
    part(&mut lines, "pending", &overview.pending, |entry| waiting(entry, now));
    part(&mut lines, "given up (`guardian alerts retry` tries them again)", &overview.dead, |entry| {
        given_up(entry, now)
    });
    part(&mut lines, "last", &overview.settled, |receipt| settled(receipt, now));
    part(&mut lines, "unreadable", &overview.unreadable, |why| why.clone());
    if lines.is_empty() {
        lines.push("nothing was ever to be told".to_owned());
    }
    lines.join("\n") + "\n"
}

fn part<T>(lines: &mut Vec<String>, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if !items.is_empty() {
        lines.push(format!("{title}:"));
        lines.extend(items.iter().map(|item| format!("  {}", line(item))));
    }
}

fn subject(process: &Name, run: Option<u64>, kind: EventKind) -> String {
    match run {
        Some(run) => format!("{process} {} (run {run})", kind.word()),
        None => format!("{process} {}", kind.word()),
    }
}

fn about(entry: &Entry) -> String {
    let event = &entry.notification.event;
    format!("{} → {}", subject(&event.process, event.run, event.kind), strip_control(&entry.sink))
}

fn ago(now: &Stamp, then: &Stamp) -> String {
    human_duration(now.since(then).max(Duration::from_secs(1)))
}

fn waiting(entry: &Entry, now: &Stamp) -> String {
    let mut line = format!("{}, queued {} ago", about(entry), ago(now, &entry.queued));
    if let Some(error) = &entry.last_error {
        line.push_str(&format!(", {}", tried(entry.attempts)));
        if let Some(until) = entry.not_before.as_ref().filter(|until| !now.has_reached(until)) {
            line.push_str(&format!(", again in {}", human_duration(until.since(now))));
        }
        line.push_str(&format!(": {}", strip_control(error)));
    }
    line
}

fn tried(attempts: u32) -> String {
    if attempts == 1 { "tried once".to_owned() } else { format!("tried {attempts} times") }
}

fn given_up(entry: &Entry, now: &Stamp) -> String {
    let error = strip_control(entry.last_error.as_deref().unwrap_or("the reason was not kept"));
    format!("{}, queued {} ago, {}: {error}", about(entry), ago(now, &entry.queued), tried(entry.attempts))
}

fn settled(receipt: &Receipt, now: &Stamp) -> String {
    let what = subject(&receipt.group.process, None, receipt.group.kind);
    let how = match receipt.how {
        Settled::Sent => "delivered",
        Settled::Folded => "told within a newer message",
        Settled::Moot => "not told, as the sink never heard of the incident",
        Settled::Suppressed => "suppressed",
    };
    let storm = receipt.part_of.as_ref().map(|storm| format!("told as part of the storm {storm}"));
    let how = storm.as_deref().unwrap_or(how);
    let mut line = format!("{what} → {}, {how} {} ago", strip_control(&receipt.sink), ago(now, &receipt.at));
    if let Some(reason) = &receipt.reason {
        line.push_str(&format!(": {}", strip_control(reason)));
    }
    if !receipt.refused.is_empty() {
        line.push_str(&format!("; refused: {}", strip_control(&receipt.refused.join("; "))));
    }
    line
}

/// The outbox for programs.
#[must_use]
pub fn json(overview: &Overview) -> Value {
    let entries = |entries: &[Entry]| entries.iter().map(entry).collect::<Vec<_>>();
    json!({
        "schema": SCHEMA,
        "incidents": super::incident::documents(overview),
        "pending": entries(&overview.pending),
        "dead": entries(&overview.dead),
        "recent": overview.settled.iter().map(receipt).collect::<Vec<_>>(),
        "errors": overview.unreadable,
    })
}

fn entry(entry: &Entry) -> Value {
    let event = &entry.notification.event;
    json!({
        "id": event.id,
        "sink": entry.sink,
        "process": event.process,
        "run": event.run,
        "kind": event.kind,
        "severity": event.severity,
        "queued_at": entry.queued.wall.to_string(),
        "attempts": entry.attempts,
        "next_try_at": entry.not_before.as_ref().map(|until| until.wall.to_string()),
        "last_error": entry.last_error,
    })
}

fn receipt(receipt: &Receipt) -> Value {
    json!({
        "id": receipt.id,
        "sink": receipt.sink,
        "process": receipt.group.process,
        "kind": receipt.group.kind,
        "at": receipt.at.wall.to_string(),
        "how": receipt.how,
        "part_of": receipt.part_of,
        "refused": receipt.refused,
        "reason": receipt.reason,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::model::sample::{at, event, note};

    fn overview() -> Overview {
        let entry = |run, kind| Entry::new(note(event("btc-bot", run, kind, 0)), "ops", at(0));
        let failed = Entry {
            attempts: 3,
            not_before: Some(at(100)),
            last_error: Some("connecting: refused\u{1b}[2J".to_owned()),
            ..entry(2, EventKind::Premature)
        };
        let sent = entry(1, EventKind::Tripped);
        let receipt = Receipt {
            schema: SCHEMA,
            id: sent.id().to_owned(),
            sink: "ops".to_owned(),
            group: sent.group(),
            at: at(30),
            how: Settled::Sent,
            part_of: None,
            refused: vec!["b@example.org: 550 unknown".to_owned()],
            reason: None,
        };
        Overview {
            pending: vec![entry(3, EventKind::Recovered), failed.clone()],
            dead: vec![failed],
            books: Vec::new(),
            settled: vec![receipt],
            unreadable: vec!["outbox entry `x` is not valid".to_owned()],
        }
    }

    #[test]
    fn people_see_what_waits_what_was_given_up_and_why() {
        expect![[r#"
            pending:
              btc-bot recovered (run 3) → ops, queued 1m 00s ago
              btc-bot premature (run 2) → ops, queued 1m 00s ago, tried 3 times, again in 40s: connecting: refused
            given up (`guardian alerts retry` tries them again):
              btc-bot premature (run 2) → ops, queued 1m 00s ago, tried 3 times: connecting: refused
            last:
              btc-bot tripped → ops, delivered 30s ago; refused: b@example.org: 550 unknown
            unreadable:
              outbox entry `x` is not valid
        "#]]
        .assert_eq(&human(&overview(), &at(60)));
    }

    #[test]
    fn an_empty_outbox_says_so() {
        let empty = Overview { pending: vec![], dead: vec![], books: vec![], settled: vec![], unreadable: vec![] };
        assert_eq!(human(&empty, &at(0)), "nothing was ever to be told\n");
    }

    #[test]
    fn programs_see_the_same() {
        expect![[r#"{"dead":[{"attempts":3,"id":"btc-bot.abc.2.premature","kind":"premature","last_error":"connecting: refused\u001b[2J","next_try_at":"2026-11-18T11:08:20.000Z","process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":2,"severity":"warning","sink":"ops"}],"errors":["outbox entry `x` is not valid"],"incidents":[],"pending":[{"attempts":0,"id":"btc-bot.abc.3.recovered","kind":"recovered","last_error":null,"next_try_at":null,"process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":3,"severity":"info","sink":"ops"},{"attempts":3,"id":"btc-bot.abc.2.premature","kind":"premature","last_error":"connecting: refused\u001b[2J","next_try_at":"2026-11-18T11:08:20.000Z","process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":2,"severity":"warning","sink":"ops"}],"recent":[{"at":"2026-11-18T11:07:10.000Z","how":"sent","id":"btc-bot.abc.1.tripped","kind":"tripped","part_of":null,"process":"btc-bot","reason":null,"refused":["b@example.org: 550 unknown"],"sink":"ops"}],"schema":1}"#]].assert_eq(&serde_json::to_string(&json(&overview())).unwrap());
    }
}
