//! Says through another sink what a sink could not be told.
//!
//! Commit, then act: the word, with its id and its sink, is written down before it is queued, so that a crash between any two steps
//! neither loses nor doubles it. From the outbox on it is an alert like any other. Chooses nothing: that is `policy::last_word`.

use crate::error::Error;
use crate::model::delivery::Entry;
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::time::Stamp;
use crate::policy::last_word::{Known, due, kept, notification, untold};
use crate::store::{last_word, ledger, outbox, paths::Paths};

/// Whether a last word may be owed for some of `dead`.
///
/// # Errors
/// What was said already cannot be read.
pub(super) fn is_owed(paths: &Paths, dead: &[Entry]) -> Result<bool, Error> {
    if dead.is_empty() {
        return Ok(false);
    }
    let words = last_word::load(paths)?;
    Ok(words.iter().any(|word| !word.queued) || untold(dead, &words).next().is_some())
}

/// Queues the last words that are owed. The caller holds the outbox lock. Returns how many were queued.
///
/// # Errors
/// Outbox, ledger or the list of last words cannot be used; the next drain goes on from there.
pub(super) fn see_to(paths: &Paths, sinks: &[Sink], now: &Stamp) -> Result<usize, Error> {
    let (pending, dead) = outbox::whole(paths)?;
    let before = last_word::load(paths)?;
    if dead.entries.is_empty() && before.is_empty() {
        return Ok(0);
    }
    let mut words = kept(before.clone(), &dead.entries);
    let ledger = ledger::read(paths)?.receipts;
    let known = Known { pending: &pending.entries, dead: &dead.entries, ledger: &ledger, sinks, words: &[] };
    let fresh = due(Known { words: &words, ..known }, now.wall);
    words.extend(fresh);
    if words != before {
        last_word::save(paths, &words)?;
    }
    let guardian: Name = "guardian".parse()?;
    let mut queued = 0;
    for word in words.iter_mut().filter(|word| !word.queued) {
        if let Some(notification) = notification(word, known, &guardian, now.wall) {
            let put = outbox::put(paths, &notification, &word.to, now)?;
            queued += usize::from(put == outbox::Put::Queued);
        }
        word.queued = true;
    }
    if words != before {
        last_word::save(paths, &words)?;
    }
    Ok(queued)
}

/// Forgets what was said: what is tried again may be given up, and told of, again. The caller holds the outbox lock.
///
/// # Errors
/// It cannot be removed.
pub(super) fn forget(paths: &Paths) -> Result<(), Error> {
    last_word::save(paths, &[])
}

#[cfg(test)]
#[path = "last_word_tests.rs"]
mod tests;
