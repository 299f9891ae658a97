//! What an operator asks of the outbox: what is in it, does this sink work, try it all again.

use std::time::Duration;

use super::drain::{Drained, bounded, drain};
use super::{Message, last_word};
use crate::error::{Code, Error};
use crate::model::delivery::{Outcome, Overview};
use crate::model::event::{Event, EventKind, Notification, Severity};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::time::Stamp;
use crate::os::lock;
use crate::policy::reason::{World, hushed, reason};
use crate::policy::storm::storms;
use crate::policy::stuck::{self, Backlog};
use crate::store::{self, incident, ledger, outbox, paths::Paths, silence};

/// Looks at the outbox, with at most `recent` receipts. `sinks`: those of the registry, which say why something waits.
///
/// # Errors
/// The outbox or its ledger cannot be read.
pub fn overview(paths: &Paths, sinks: &[Sink], recent: usize, now: &Stamp) -> Result<Overview, Error> {
    let (pending, dead) = outbox::whole(paths)?;
    let ledger = ledger::read(paths)?;
    let mut unreadable = [pending.unreadable, dead.unreadable].concat();
    if ledger.unreadable > 0 {
        unreadable.push(format!("{} receipts in the ledger of the outbox are not valid", ledger.unreadable));
    }
    let (books, broken) = incident::all(paths)?;
    unreadable.extend(broken);
    let books = books.into_iter().map(|(_, book)| book).collect();
    let mut silences = silence::load(paths).unwrap_or_else(|error| {
        unreadable.push(error.message);
        Vec::new()
    });
    silences.retain(|silence| silence.rest(now).is_some());
    let storms = storms(&store::storm::load(paths).unwrap_or_else(|error| {
        unreadable.push(error.message);
        Vec::new()
    }));
    let (entries, receipts) = (&pending.entries, &ledger.receipts);
    let world = World { pending: entries, ledger: receipts, sinks, silences: &silences, storms: &storms };
    let reasons = entries.iter().map(|entry| reason(entry, world, now)).collect();
    let hushed = hushed(receipts, now);
    let settled = ledger.receipts.into_iter().rev().take(recent).collect();
    let words = store::last_word::load(paths).unwrap_or_else(|error| {
        unreadable.push(error.message);
        Vec::new()
    });
    let (pending, dead) = (pending.entries, dead.entries);
    Ok(Overview { pending, dead, words, books, settled, unreadable, silences, hushed, reasons })
}

/// The outbox in numbers: whether somebody who should have been told was not.
///
/// # Errors
/// The outbox cannot be read.
pub fn backlog(paths: &Paths, sinks: &[Sink], now: &Stamp) -> Result<Backlog, Error> {
    let (pending, dead) = outbox::whole(paths)?;
    let damaged = (pending.unreadable.len(), dead.unreadable.len());
    Ok(stuck::backlog(&pending.entries, &dead.entries, damaged, sinks, now))
}

/// Sends a marked message to a sink at once, past outbox and cooldown. Returns what the sink said.
///
/// # Errors
/// It was not delivered; the error says why.
pub fn test(sink: &Sink, host: &str, now: &Stamp) -> Result<String, Error> {
    let message = Message::new(&test_notification(host, now)?, &[], None);
    match bounded(sink, message, sink.timeout) {
        Outcome::Delivered { reply, refused } if refused.is_empty() => Ok(reply),
        Outcome::Delivered { refused, .. } => Err(not_delivered(sink, &refused.join("; "))),
        Outcome::Failed { error, .. } | Outcome::Refused { error } => Err(not_delivered(sink, &error)),
    }
}

fn not_delivered(sink: &Sink, why: &str) -> Error {
    let (name, kind) = (&sink.name, sink.kind.type_name());
    Error::new(Code::No, "not_delivered", format!("{kind} sink `{name}` did not take the test message: {why}"))
        .hint(format!("mend `[sinks.{name}]` in the registry, then: guardian alerts test {name}"))
}

fn test_notification(host: &str, now: &Stamp) -> Result<Notification, Error> {
    let process: Name = "guardian".parse()?;
    Ok(Notification {
        event: Event::new(format!("guardian.test.{}", now.wall.0), now.wall, &process, EventKind::Test, Severity::Info),
        host: host.to_owned(),
        log_tail: Vec::new(),
        differs: String::new(),
        of_late: None,
    })
}

/// Brings the dead back, makes everything due, and delivers for at most about `limit`. Cooldowns stay.
///
/// # Errors
/// Those of the outbox and of [`drain`].
pub fn retry(paths: &Paths, sinks: &[Sink], limit: Duration) -> Result<Drained, Error> {
    crate::store::atomic::make_dir(&paths.outbox())?;
    let held = lock::wait(&outbox::lock(paths))?;
    outbox::retry_all(paths)?;
    last_word::forget(paths)?;
    drop(held);
    drain(paths, sinks, limit)
}
