//! What time has brought, queued before it is sent; and what is not to be told, put away with its reason.
//!
//! Part of [`super::drain`], with the lock of the outbox. Decides nothing: that is `policy::remind` and `policy::hold`.

use crate::error::Error;
use crate::model::delivery::{Entry, Receipt};
use crate::model::incident::Book;
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::storm::Storm;
use crate::model::time::Stamp;
use crate::os::lock;
use crate::policy::silence::part;
use crate::policy::{flapping, hold, remind};
use crate::store::outbox::{Part, Put};
use crate::store::{incident, ledger, outbox, paths::Paths, silence};

/// What may be told, and what is held back with its reason.
type Split = (Vec<Entry>, Vec<(Entry, String)>);

/// Queues what is due; returns when something will be next. Books that cannot be read are among `errors`.
/// For passes over everything, not for each death: it reads every book.
///
/// # Errors
/// Outbox, ledger or a book cannot be used.
pub fn bring(paths: &Paths, sinks: &[Sink], now: &Stamp, errors: &mut Vec<String>) -> Result<Option<Stamp>, Error> {
    let _held = lock::wait(&outbox::lock(paths))?;
    let (books, unreadable) = incident::all(paths)?;
    errors.extend(unreadable);
    let (ledger, pending) = (ledger::read(paths)?.receipts, outbox::list(paths, Part::Pending)?.entries);
    let due = remind::due(&books, &ledger, &pending, sinks, now);
    for (notification, sink) in &due.put {
        let mut notification = notification.clone();
        let mut put = outbox::put(paths, &notification, sink, now)?;
        // One that was given up for good does not end the row.
        while let (Put::Dead, Some(next)) = (put, remind::following(&notification)) {
            notification = next;
            put = outbox::put(paths, &notification, sink, now)?;
        }
    }
    settle(paths, &due.calm, now, |book| book.flapping = None)?;
    settle(paths, &due.forget, now, |_| {})?;
    Ok(due.next)
}

/// Takes out of `pending` what is held back.
pub(super) fn hold_back(
    paths: &Paths,
    pending: Vec<Entry>,
    (ledger, sinks, storms): (&[Receipt], &[Sink], &[Storm]),
    errors: &mut Vec<String>,
) -> Result<Split, Error> {
    let mut books = Vec::new();
    for name in hold::asked(&pending, storms) {
        match incident::load(paths, &name) {
            Ok(book) => books.extend(book.map(|book| (name, book))),
            Err(error) => errors.push(error.message),
        }
    }
    Ok(hold::hold(pending, ledger, sinks, &books, storms))
}

/// What is left after silences.
pub(super) struct Quieted {
    /// What may be told.
    pub(super) pending: Vec<Entry>,
    /// What is not told, with its reason.
    pub(super) suppressed: Vec<(Entry, String)>,
    /// When a silence ends that something waits for.
    pub(super) next: Option<Stamp>,
}

/// Takes out of what may be told what somebody silenced; what is kept remembers that. Silences that cannot be read are none.
pub(super) fn quieten(
    paths: &Paths,
    (pending, mut suppressed): Split,
    ledger: &[Receipt],
    sink: &Sink,
    now: &Stamp,
) -> Result<Quieted, Error> {
    let silences = silence::load(paths).unwrap_or_else(|_| Vec::new()); // said by the drain
    if silences.is_empty() {
        return Ok(Quieted { pending, suppressed, next: None });
    }
    let before = pending.clone();
    let parted = part(pending, ledger, std::slice::from_ref(sink), &silences, now);
    for kept in &parted.kept {
        if !before.contains(kept) {
            outbox::update(paths, kept)?;
        }
    }
    suppressed.extend(parted.suppressed);
    Ok(Quieted { pending: parted.told, suppressed, next: parted.next })
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
