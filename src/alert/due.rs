//! What time has brought, queued before it is sent; and what is not to be told, put away with its reason.
//!
//! Part of a round of [`super::drain`], with its lock held. Decides nothing: that is `policy::remind` and `policy::hold`.

use crate::error::Error;
use crate::model::delivery::{Entry, Receipt};
use crate::model::incident::Book;
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::storm::Storm;
use crate::model::time::Stamp;
use crate::policy::{flapping, hold, remind};
use crate::store::outbox::{Part, Put};
use crate::store::{incident, outbox, paths::Paths};

/// What a round goes on with.
pub(super) struct Brought {
    /// What may be told.
    pub pending: Vec<Entry>,
    /// What is not to be told, and why.
    pub held: Vec<(Entry, String)>,
    /// When time brings something next.
    pub next: Option<Stamp>,
}

/// Queues what is due, and takes out what is held back. Books that cannot be read are among `errors`.
pub(super) fn bring(
    paths: &Paths,
    pending: Vec<Entry>,
    (ledger, sinks, storms): (&[Receipt], &[Sink], &[Storm]),
    now: &Stamp,
    errors: &mut Vec<String>,
) -> Result<Brought, Error> {
    let (books, unreadable) = incident::all(paths)?;
    errors.extend(unreadable);
    let due = remind::due(&books, ledger, &pending, sinks, now);
    let mut queued = false;
    for (notification, sink) in &due.put {
        let mut notification = notification.clone();
        let mut put = outbox::put(paths, &notification, sink, now)?;
        // One that was given up for good does not end the row.
        while let (Put::Dead, Some(next)) = (put, remind::following(&notification)) {
            notification = next;
            put = outbox::put(paths, &notification, sink, now)?;
        }
        queued = queued || put == Put::Queued;
    }
    settle(paths, &due.calm, now, |book| book.flapping = None)?;
    settle(paths, &due.forget, now, |_| {})?;
    let pending = if queued { outbox::list(paths, Part::Pending)?.entries } else { pending };
    let (pending, held) = hold::hold(pending, ledger, sinks, &books, storms);
    Ok(Brought { pending, held, next: due.next })
}

/// Changes books, and forgets those in which nothing is left.
fn settle(paths: &Paths, names: &[Name], now: &Stamp, change: impl Fn(&mut Book)) -> Result<(), Error> {
    for name in names {
        let _held = incident::lock(paths)?;
        let Some(mut book) = incident::load(paths, name)? else { continue };
        change(&mut book);
        match flapping::is_forgotten(&book, now) {
            true => incident::forget(paths, name)?,
            false => incident::store(paths, name, &book)?,
        }
    }
    Ok(())
}
