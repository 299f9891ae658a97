//! What `alerts list` says: what waits, what was given up, what was delivered last.

use std::time::Duration;

use serde_json::{Value, json};

use super::words::{cut, strip_control};
use crate::model::delivery::{Entry, Overview, Receipt, SCHEMA, Settled};
use crate::model::event::EventKind;
use crate::model::last_word::Word;
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::units::human_duration;
use crate::policy::stuck::Backlog;

/// Longest sentence about stuck alerts, in characters, without what to type.
const STUCK_WIDTH: usize = 220;

/// The outbox for people. Empty parts are left out; an empty outbox is one line.
#[must_use]
pub fn human(overview: &Overview, now: &Stamp) -> String {
    let mut lines = Vec::new();
    for (title, items) in parts(overview, now) {
        lines.push(format!("{title}:"));
        lines.extend(items.iter().map(|item| format!("  {item}")));
    }
    if lines.is_empty() {
        lines.push("nothing was ever to be told".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Its parts that are not empty, each with its title and its lines.
#[must_use]
pub fn parts(overview: &Overview, now: &Stamp) -> Vec<(&'static str, Vec<String>)> {
    let mut parts = Vec::new();
    part(&mut parts, "open", &super::incident::rows(overview, now), |line| line.clone());
    part(&mut parts, "silenced", &overview.silences, |silence| super::silence::row(silence, now));
    let pending: Vec<(usize, &Entry)> = overview.pending.iter().enumerate().collect();
    part(&mut parts, "pending", &pending, |(nth, entry)| {
        let why = overview.reasons.get(*nth).map_or(String::new(), |why| format!(": {}", strip_control(why)));
        format!("{}, queued {} ago{why}", about(entry), ago(now, &entry.queued))
    });
    part(&mut parts, "not told in the last day", &overview.hushed, |row| {
        let (sink, why) = (strip_control(&row.sink), strip_control(&row.reason));
        format!("{} → {sink}: {}, the last as {why}", row.process, row.count)
    });
    part(&mut parts, "given up (`guardian alerts retry` tries them again)", &overview.dead, |entry| {
        given_up(entry, &overview.words, now)
    });
    part(&mut parts, "last", &overview.settled, |receipt| settled(receipt, now));
    part(&mut parts, "unreadable", &overview.unreadable, |why| why.clone());
    parts
}

/// One line, with what to type; `None`: nothing is stuck.
#[must_use]
pub fn stuck_alerts(backlog: &Backlog) -> Option<String> {
    if !backlog.is_bad() {
        return None;
    }
    let given_up = (backlog.dead > 0).then(|| format!("{} given up", backlog.dead));
    let failing = (backlog.stuck > 0).then(|| format!("{} failing for more than 10m", backlog.stuck));
    let counts: Vec<String> = [given_up, failing].into_iter().flatten().collect();
    let sink = backlog.sink.as_deref().map(|sink| format!(", sink `{}`", strip_control(sink))).unwrap_or_default();
    let why = backlog.last_error.as_deref().map(|why| format!(": {}", strip_control(why))).unwrap_or_default();
    let line = format!("warning: alerts do not arrive ({}){sink}{why}", counts.join(", "));
    Some(format!("{}; see: guardian alerts", cut(&line, STUCK_WIDTH)))
}

fn part<T>(
    parts: &mut Vec<(&'static str, Vec<String>)>,
    title: &'static str,
    items: &[T],
    line: impl Fn(&T) -> String,
) {
    if !items.is_empty() {
        parts.push((title, items.iter().map(line).collect()));
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

fn tried(attempts: u32) -> String {
    if attempts == 1 { "tried once".to_owned() } else { format!("tried {attempts} times") }
}

/// The sink through which it was said that this one was given up.
fn said_through<'w>(entry: &Entry, words: &'w [Word]) -> Option<&'w str> {
    let tells = |word: &&Word| word.about == entry.sink && word.tells.iter().any(|id| id == entry.id());
    words.iter().find(tells).map(|word| word.to.as_str())
}

fn given_up(entry: &Entry, words: &[Word], now: &Stamp) -> String {
    let said =
        said_through(entry, words).map(|to| format!(", {} was told of that", strip_control(to))).unwrap_or_default();
    let error = strip_control(entry.last_error.as_deref().unwrap_or("the reason was not kept"));
    format!("{}, queued {} ago, {}{said}: {error}", about(entry), ago(now, &entry.queued), tried(entry.attempts))
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
pub fn json(overview: &Overview, now: &Stamp) -> Value {
    json!({
        "schema": SCHEMA,
        "incidents": super::incident::documents(overview),
        "silences": overview.silences.iter().map(|silence| super::silence::document(silence, now)).collect::<Vec<_>>(),
        "suppressed": overview.hushed.iter().map(|row| {
            json!({"sink": row.sink, "process": row.process, "count": row.count, "reason": row.reason})
        }).collect::<Vec<_>>(),
        "pending": overview.pending.iter().enumerate().map(|(nth, waits)| {
            let mut value = entry(waits);
            value["waits_for"] = json!(overview.reasons.get(nth));
            value
        }).collect::<Vec<_>>(),
        "dead": overview.dead.iter().map(|dead| {
            let mut value = entry(dead);
            value["said_through"] = json!(said_through(dead, &overview.words));
            value
        }).collect::<Vec<_>>(),
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
        "first_failed_at": entry.first_failed.as_ref().map(|first| first.wall.to_string()),
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
            words: vec![Word {
                id: "w".to_owned(),
                about: "ops".to_owned(),
                to: "chat".to_owned(),
                tells: vec![failed.id().to_owned()],
                queued: true,
            }],
            dead: vec![failed],
            books: Vec::new(),
            settled: vec![receipt],
            unreadable: vec!["outbox entry `x` is not valid".to_owned()],
            silences: Vec::new(),
            hushed: Vec::new(),
            reasons: vec!["digest at 08:00".to_owned(), "retry 4 at 12:16: refused\u{1b}[2J".to_owned()],
        }
    }

    #[test]
    fn people_see_what_waits_what_was_given_up_and_why() {
        expect![[r#"
            pending:
              btc-bot recovered (run 3) → ops, queued 1m 00s ago: digest at 08:00
              btc-bot premature (run 2) → ops, queued 1m 00s ago: retry 4 at 12:16: refused
            given up (`guardian alerts retry` tries them again):
              btc-bot premature (run 2) → ops, queued 1m 00s ago, tried 3 times, chat was told of that: connecting: refused
            last:
              btc-bot tripped → ops, delivered 30s ago; refused: b@example.org: 550 unknown
            unreadable:
              outbox entry `x` is not valid
        "#]]
        .assert_eq(&human(&overview(), &at(60)));
    }

    #[test]
    fn that_alerts_do_not_arrive_is_one_line_with_what_to_type() {
        assert_eq!(stuck_alerts(&Backlog { pending: 7, ..Backlog::default() }), None, "what waits is no fault");
        let backlog = Backlog {
            dead: 2,
            stuck: 1,
            sink: Some("ops".to_owned()),
            last_error: Some("535\u{1b}\nno".repeat(200)),
            ..Backlog::default()
        };
        let line = stuck_alerts(&backlog).unwrap();
        assert!(
            line.starts_with(
                "warning: alerts do not arrive (2 given up, 1 failing for more than 10m), sink `ops`: 535"
            )
        );
        assert!(
            line.ends_with("; see: guardian alerts") && line.len() < 300 && !line.contains(['\n', '\u{1b}']),
            "{line}"
        );
    }

    #[test]
    fn an_empty_outbox_says_so() {
        let empty = Overview {
            pending: vec![],
            dead: vec![],
            words: vec![],
            books: vec![],
            settled: vec![],
            unreadable: vec![],
            silences: vec![],
            hushed: vec![],
            reasons: vec![],
        };
        assert_eq!(human(&empty, &at(0)), "nothing was ever to be told\n");
    }

    #[test]
    fn programs_see_the_same() {
        expect![[r#"{"dead":[{"attempts":3,"first_failed_at":null,"id":"btc-bot.abc.2.premature","kind":"premature","last_error":"connecting: refused\u001b[2J","next_try_at":"2026-11-18T11:08:20.000Z","process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":2,"said_through":"chat","severity":"warning","sink":"ops"}],"errors":["outbox entry `x` is not valid"],"incidents":[],"pending":[{"attempts":0,"first_failed_at":null,"id":"btc-bot.abc.3.recovered","kind":"recovered","last_error":null,"next_try_at":null,"process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":3,"severity":"info","sink":"ops","waits_for":"digest at 08:00"},{"attempts":3,"first_failed_at":null,"id":"btc-bot.abc.2.premature","kind":"premature","last_error":"connecting: refused\u001b[2J","next_try_at":"2026-11-18T11:08:20.000Z","process":"btc-bot","queued_at":"2026-11-18T11:06:40.000Z","run":2,"severity":"warning","sink":"ops","waits_for":"retry 4 at 12:16: refused\u001b[2J"}],"recent":[{"at":"2026-11-18T11:07:10.000Z","how":"sent","id":"btc-bot.abc.1.tripped","kind":"tripped","part_of":null,"process":"btc-bot","reason":null,"refused":["b@example.org: 550 unknown"],"sink":"ops"}],"schema":1,"silences":[],"suppressed":[]}"#]].assert_eq(&serde_json::to_string(&json(&overview(), &at(60))).unwrap());
    }
}
