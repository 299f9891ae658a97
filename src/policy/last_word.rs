//! Expiry with a last word: what a sink was not told and never will be is told to another one, once.
//!
//! Asked by `alert::last_word`, with the whole of the outbox. Which other sink is a matter of evidence: one that works. A last
//! word that is given up itself gets no last word, so this ends.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::notify::{hears_trouble, wants};
use super::pings;
use crate::model::delivery::{Entry, Receipt, Settled};
use crate::model::event::{Event, EventKind, Notification, Severity};
use crate::model::last_word::Word;
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::time::Wall;

/// Names of processes in a last word.
const NAMES: usize = 3;
/// Longest error in it, in characters.
const ERROR: usize = 200;

/// What is known when a last word is due.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// What waits.
    pub pending: &'k [Entry],
    /// What was given up.
    pub dead: &'k [Entry],
    /// What was delivered, oldest first.
    pub ledger: &'k [Receipt],
    /// The sinks of the registry.
    pub sinks: &'k [Sink],
    /// Last words of before.
    pub words: &'k [Word],
}

/// What was given up and no last word tells of. About alerts nothing is alerted.
pub fn untold<'d>(dead: &'d [Entry], words: &[Word]) -> impl Iterator<Item = &'d Entry> {
    let told: BTreeSet<(String, String)> =
        words.iter().flat_map(|word| word.tells.iter().map(|id| (word.about.clone(), id.clone()))).collect();
    dead.iter().filter(move |entry| {
        !entry.notification.event.kind.is_about_alerts() && !told.contains(&(entry.sink.clone(), entry.id().to_owned()))
    })
}

/// The last words that are due now, at most one about each sink. Where no other sink works there is none yet.
#[must_use]
pub fn due(known: Known<'_>, now: Wall) -> Vec<Word> {
    let untold: Vec<&Entry> = untold(known.dead, known.words).collect();
    let about: BTreeSet<&str> = untold.iter().map(|entry| entry.sink.as_str()).collect();
    let word = |about: &str| {
        let of_it: Vec<&Entry> = untold.iter().filter(|entry| entry.sink == about).copied().collect();
        let to = other(about, &of_it, known)?;
        Some(Word {
            id: format!("guardian.{}.{about}.{}", now.0, EventKind::AlertFailed.word()),
            about: about.to_owned(),
            to: to.name.clone(),
            tells: of_it.iter().map(|entry| entry.id().to_owned()).collect(),
            queued: false,
        })
    };
    about.into_iter().filter_map(word).collect()
}

/// The sink that hears of it: one that works and hears of trouble; before others one that wants what was given up, then the
/// one that something reached last, then by name.
fn other<'s>(about: &str, given_up: &[&Entry], known: Known<'s>) -> Option<&'s Sink> {
    let fit = known
        .sinks
        .iter()
        .filter(|sink| sink.name != about && hears_trouble(sink) && !pings::is_ping(sink) && works(sink, known));
    fit.max_by_key(|sink| {
        let wants = given_up.iter().any(|entry| wants(sink, &entry.notification.event));
        let reached = known.ledger.iter().rposition(|receipt| reaches(receipt, sink)).map_or(0, |nth| nth + 1);
        (wants, reached, Reverse(sink.name.as_str()))
    })
}

fn reaches(receipt: &Receipt, sink: &Sink) -> bool {
    receipt.sink == sink.name && receipt.how == Settled::Sent
}

/// Whether nothing speaks against a sink: no delivery that fails now, none that was given up since something reached it.
fn works(sink: &Sink, known: Known<'_>) -> bool {
    let failing = known.pending.iter().any(|entry| entry.sink == sink.name && entry.last_error.is_some());
    let reached = known.ledger.iter().rfind(|receipt| reaches(receipt, sink)).map(|receipt| receipt.at.wall);
    let failed = |entry: &Entry| entry.first_failed.as_ref().unwrap_or(&entry.queued).wall;
    let lost = known.dead.iter().filter(|entry| entry.sink == sink.name).any(|entry| Some(failed(entry)) >= reached);
    !failing && !lost
}

/// Last words that must still be remembered: those that are not queued yet, and those about something that is still kept.
#[must_use]
pub fn kept(words: Vec<Word>, dead: &[Entry]) -> Vec<Word> {
    let is_there = |word: &Word| {
        dead.iter().any(|entry| entry.sink == word.about && word.tells.contains(&entry.notification.event.id))
    };
    words.into_iter().filter(|word| !word.queued || is_there(word)).collect()
}

/// What a last word says, in the name of `guardian`. `None`: nothing of what it tells is among the dead any more.
#[must_use]
pub fn notification(word: &Word, known: Known<'_>, guardian: &Name, now: Wall) -> Option<Notification> {
    let told: Vec<&Entry> = known
        .dead
        .iter()
        .filter(|entry| entry.sink == word.about && word.tells.iter().any(|id| id == entry.id()))
        .collect();
    let events = || told.iter().map(|entry| &entry.notification.event);
    let since = events().map(|event| event.at).min()?;
    let severity = events().map(|event| event.severity).max()?.max(Severity::Warning);
    let newest = told.iter().max_by_key(|entry| (entry.notification.event.at, entry.id()))?;
    let error = newest.last_error.as_deref().unwrap_or("the reason was not kept");
    let kind = known.sinks.iter().find(|sink| sink.name == word.about).map(|sink| sink.kind.type_name());
    let sink = format!("{}{}", word.about, kind.map_or(String::new(), |kind| format!(" ({kind})")));
    let alerts = if told.len() == 1 { "1 alert".to_owned() } else { format!("{} alerts", told.len()) };
    let kept = if told.len() == 1 { "it is kept" } else { "they are kept" };
    let names = names(events().map(|event| &event.process));
    let error: String = error.chars().take(ERROR).collect();
    let detail =
        format!("{sink} could not be told of {alerts} about {names} since {since}: {error}; {kept}: guardian alerts");
    let event = Event { detail, ..Event::new(word.id.clone(), now, guardian, EventKind::AlertFailed, severity) };
    let host = newest.notification.host.clone();
    Some(Notification { event, host, log_tail: Vec::new(), differs: String::new(), of_late: None })
}

fn names<'n>(of: impl Iterator<Item = &'n Name>) -> String {
    let names: BTreeSet<&Name> = of.collect();
    let shown: Vec<&str> = names.iter().take(NAMES).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
#[path = "last_word_tests.rs"]
mod tests;
