//! Incidents as they are committed: noted when a commit is published, and when somebody says that they know.
//!
//! The outbox gets what follows first, the book is written last: whoever was cut off in between does it all again, and the
//! derived ids make it once.

use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::event::{Event, Notification};
use crate::model::incident::{Ack, Book, Incident, Why};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::time::Stamp;
use crate::policy::incident::{Noted, acknowledged, ends, note, opens};
use crate::policy::{notify, remind};
use crate::registry::Registry;
use crate::store::record::Durable;
use crate::store::{incident, journal, outbox};

/// A book that is about to be written: what was committed is told first.
pub struct Open {
    noted: Noted,
}

/// Notes what was committed of `name`; `None`: nothing of it is about an incident. `tell`: the event as a notification.
///
/// # Errors
/// The book cannot be read or locked.
pub fn begin(
    ctx: &Context,
    name: &Name,
    events: &[Event],
    tell: impl Fn(&Event) -> Notification,
    now: &Stamp,
) -> Result<Option<Open>, Error> {
    let opening = events.iter().any(opens);
    if !opening && !events.iter().any(ends) {
        return Ok(None);
    }
    let book = incident::load(&ctx.paths, name)?;
    if !opening && book.is_none() {
        return Ok(None); // what ends well mostly was well
    }
    Ok(Some(Open { noted: note(book.unwrap_or_default(), events, tell, now) }))
}

/// Writes down what was committed, once all that follows is queued. Noted anew, as somebody may have acknowledged meanwhile;
/// nobody is kept waiting for more than this one file.
///
/// # Errors
/// The book cannot be read or written; the next pass does all of it again.
pub fn commit(
    ctx: &Context,
    name: &Name,
    events: &[Event],
    tell: impl Fn(&Event) -> Notification,
    now: &Stamp,
) -> Result<(), Error> {
    let _held = incident::lock(&ctx.paths)?;
    let book = incident::load(&ctx.paths, name)?.unwrap_or_default();
    incident::store(&ctx.paths, name, &note(book, events, tell, now).book)
}

impl Open {
    /// Events that follow from the committed ones.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.noted.events
    }

    /// The event as it is told, with its incident.
    #[must_use]
    pub fn about(&self, event: &Event) -> Event {
        let about = match (&self.noted.over, &self.noted.book.open) {
            (Some((_, about)), _) if ends(event) => Some(about.clone()),
            (_, Some(incident)) if opens(event) => Some(incident.about(Why::News)),
            (_, _) => None,
        };
        Event { incident: about.map(Box::new).or_else(|| event.incident.clone()), ..event.clone() }
    }

    /// The event that ends the incident, if this sink is told of it although its filters do not ask for that: a service
    /// keeps the incident open until it is closed there, and who was told by escalation is told of the end.
    ///
    /// # Errors
    /// The outbox cannot be read.
    pub fn closes<'e>(&self, ctx: &Context, sink: &Sink, events: &'e [Event]) -> Result<Option<&'e Event>, Error> {
        let Some((id, about)) = &self.noted.over else { return Ok(None) };
        let Some(event) = events.iter().find(|event| event.id == *id) else { return Ok(None) };
        let mut told = sink.kind.keeps_incidents() && notify::routed(sink, event);
        for escalation in remind::escalations(&about.id) {
            told = told || outbox::is_known(&ctx.paths, &escalation, &sink.name)?;
        }
        Ok(told.then_some(event))
    }
}

/// Somebody knows of an incident: no more reminders and escalations until it becomes worse. Saying it twice is saying it once.
/// Returns the incident and how many messages were queued.
///
/// # Errors
/// No such incident is open, or a file cannot be used.
pub fn acknowledge(ctx: &Context, which: &str, ack: Ack, sinks: &[Sink]) -> Result<(Name, Incident, usize), Error> {
    let (books, unreadable) = incident::all(&ctx.paths)?;
    let mut open = books.iter().filter_map(|(name, book)| Some((name, book.open.as_ref()?)));
    let Some((name, _)) = open.find(|(name, incident)| is_meant(which, name, incident)) else {
        return Err(unknown(which, &books, &unreadable));
    };
    let _held = incident::lock(&ctx.paths)?;
    let mut book = incident::load(&ctx.paths, name)?.unwrap_or_default();
    let Some(incident) = book.open.as_mut().filter(|incident| is_meant(which, name, incident)) else {
        return Err(unknown(which, &books, &unreadable)); // it was over just now
    };
    let at = incident.ack.get_or_insert(ack).at.clone();
    let incident = incident.clone();
    // Told first, noted last: cut off in between it is said again, and the ids that are derived make it once.
    let mut queued = 0;
    if let Some(event) = acknowledged(&incident) {
        let history = Event { incident: None, ..event.clone() };
        journal::append(&ctx.paths, name, &[history], Durable::Yes)?;
        let host = incident.last.host.clone();
        let notification = Notification { event, host, log_tail: Vec::new(), differs: String::new(), of_late: None };
        for sink in sinks.iter().filter(|sink| notify::wants(sink, &notification.event)) {
            if outbox::put(&ctx.paths, &notification, &sink.name, &at)? == outbox::Put::Queued {
                queued += 1;
            }
        }
    }
    incident::store(&ctx.paths, name, &book)?;
    Ok((name.clone(), incident, queued))
}

/// Forgets what goes on with names that the registry no longer has: nobody looks whether they are well. One that has a
/// slip in it is still there. Returns whether something goes on.
///
/// # Errors
/// A file cannot be used.
pub fn forget_unregistered(ctx: &Context, registry: &Registry) -> Result<bool, Error> {
    let names = incident::names(&ctx.paths)?;
    if registry.processes.is_empty() && registry.watches.is_empty() {
        return Ok(!names.is_empty()); // it may be one that cannot be read
    }
    let mut left = false;
    for name in names {
        let known = registry.processes.contains_key(&name)
            || registry.watches.contains_key(&name)
            || registry.invalid.iter().any(|invalid| invalid == name.as_str());
        if !known {
            let _held = incident::lock(&ctx.paths)?;
            incident::forget(&ctx.paths, &name)?;
        }
        left |= known;
    }
    Ok(left)
}

/// By the name of its process, its id, or the id of a message of it.
fn is_meant(which: &str, name: &Name, incident: &Incident) -> bool {
    let again = which.strip_prefix(incident.id.as_str()).is_some_and(|rest| rest.starts_with('.'));
    which == name.as_str() || which == incident.id || which == incident.last.event.id || again
}

fn unknown(which: &str, books: &[(Name, Book)], unreadable: &[String]) -> Error {
    let open: Vec<String> = books
        .iter()
        .filter_map(|(name, book)| Some(format!("{name} ({})", book.open.as_ref()?.id)))
        .chain(unreadable.iter().cloned())
        .collect();
    let hint = match open.as_slice() {
        [] => "nothing is open: guardian alerts".to_owned(),
        open => format!("open: {}", open.join(", ")),
    };
    Error::new(Code::NotRegistered, "no_such_incident", format!("no open incident is `{}`", which.escape_debug()))
        .hint(hint)
}
