//! Strays are told: each once, when passes have seen it for as long as `[healthcheck] strays` says.
//!
//! First the message is queued, under an id that is made of who the process is, and then that is noted: killed in
//! between, it is queued again under the same id, which is once. One that is gone is forgotten without a word.

use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::model::event::{Event, EventKind, Notification, Severity};
use crate::model::time::Stamp;
use crate::policy::notify::wants;
use crate::policy::strays::{Known, event_name, seen_again};
use crate::registry::Registry;
use crate::store::{outbox, strays as store};
use crate::supervise::now;
use crate::view::strays::sentence;

use super::{Stray, find};

/// Most strays that are kept in mind: the oldest.
const MOST: usize = 50;

/// Looks for strays, and queues what is to be told of them. Returns how many messages were queued.
///
/// # Errors
/// They cannot be looked for, or the outbox cannot be written; the next pass tries again.
pub fn tell(ctx: &Context, registry: &Registry) -> Result<usize, Error> {
    let Some(after) = registry.healthcheck.strays else { return Ok(0) };
    let Some(_held) = store::lock(&ctx.paths)? else { return Ok(0) };
    let known = store::load(&ctx.paths)?;
    let found = find(ctx, registry, Duration::ZERO, MOST)?;
    let now = now()?;
    let seen = found.strays.iter().map(|stray| stray.identity.clone());
    let mut strays = seen_again(&known, seen, &now);
    let mut queued = 0;
    for (known, stray) in strays.iter_mut().zip(&found.strays) {
        if !known.told && now.since(&known.since) >= after {
            queued += queue(ctx, registry, known, stray, &now)?;
            known.told = true;
        }
    }
    if strays != known {
        store::save(&ctx.paths, strays)?;
    }
    Ok(queued)
}

fn queue(ctx: &Context, registry: &Registry, known: &Known, stray: &Stray, now: &Stamp) -> Result<usize, Error> {
    let (name, id) = event_name(&known.identity)?;
    let pid = known.identity.pid;
    let event = Event {
        pid: Some(pid),
        detail: sentence(&super::row(stray, now.wall)),
        action: format!("nothing; guardian adopt NAME --pid {pid} takes it under guard, or end it yourself"),
        ..Event::new(id, now.wall, &name, EventKind::Stray, Severity::Warning)
    };
    let mut queued = 0;
    for sink in registry.sinks.iter().filter(|sink| wants(sink, &event)) {
        let notification = Notification {
            event: event.clone(),
            host: ctx.host.clone(),
            log_tail: Vec::new(),
            differs: String::new(),
            of_late: None,
        };
        if outbox::put(&ctx.paths, &notification, &sink.name, now)? == outbox::Put::Queued {
            queued += 1;
        }
    }
    Ok(queued)
}
