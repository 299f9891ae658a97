//! Who sees to which sink: one thread for each that something waits for, under a lock of that sink's own.
//!
//! So a sink that hangs keeps neither another one nor another pass waiting, and the messages of one sink keep their order. What
//! such a thread does is [`super::drain`]'s.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::drain::{Drained, boot, now, round, tidy};
use crate::error::{Code, Error};
use crate::model::delivery::Entry;
use crate::model::sink::Sink;
use crate::os::lock;
use crate::policy::delivery::plan;
use crate::policy::notify;
use crate::store::outbox::Part;
use crate::store::{ledger, outbox, paths::Paths, wake};

/// Times that what was queued while a sink was busy is looked for.
const ROUNDS: usize = 8;

/// How long a drain may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    /// From its beginning.
    pub(super) limit: Duration,
    /// Its end, on the boot clock.
    pub(super) until: u64,
}

/// Sees to each sink that something waits for, each in a thread of its own: a slow or dead one costs only itself.
pub(super) fn attend_all(
    paths: &Paths,
    sinks: &[Sink],
    pending: &[Entry],
    drained: &mut Drained,
    time: Time,
) -> Result<(), Error> {
    let sinks = &with_callers(paths, pending, sinks, drained);
    let waits = |sink: &&Sink| pending.iter().any(|entry| entry.sink == sink.name);
    if pending.iter().any(|entry| sinks.iter().all(|sink| sink.name != entry.sink)) {
        drained.add(orphans(paths, sinks)?);
    }
    let results: Vec<Result<Drained, Error>> = thread::scope(|scope| {
        let begin = |sink| thread::Builder::new().spawn_scoped(scope, move || attend(paths, sink, time));
        let begun: Vec<_> = sinks.iter().filter(waits).map(begin).collect();
        let end = |thread: std::io::Result<thread::ScopedJoinHandle<'_, Result<Drained, Error>>>| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(Error::new(Code::System, "thread", format!("cannot start a thread for a sink: {error}"))),
        };
        begun.into_iter().map(end).collect()
    });
    for result in results {
        match result {
            Ok(done) => drained.add(done),
            Err(error) => drained.errors.push(error.message),
        }
    }
    Ok(())
}

/// The sinks of the registry, and the sessions that are to be woken.
fn with_callers(paths: &Paths, pending: &[Entry], sinks: &[Sink], drained: &mut Drained) -> Vec<Sink> {
    let mut all = sinks.to_vec();
    for entry in pending {
        if all.iter().any(|sink| sink.name == entry.sink) || !notify::is_caller(&entry.sink) {
            continue;
        }
        let name = &entry.notification.event.process;
        let wake = wake::load(paths, name).unwrap_or_else(|error| {
            drained.errors.push(error.message);
            Some(wake::inbox_alone(paths))
        });
        all.extend(wake.map(|wake| notify::caller(name, wake)));
    }
    all
}

/// All that waits for one sink, unless somebody else is at it: that one looks again after it let go of the lock.
fn attend(paths: &Paths, sink: &Sink, time: Time) -> Result<Drained, Error> {
    let mut drained = Drained::default();
    for _ in 0..ROUNDS {
        let Some(held) = lock::try_take(&outbox::sink_lock(paths, &sink.name))? else {
            drained.busy = true;
            break;
        };
        let (sent, seen) = round(paths, sink, &mut drained, time)?;
        drop(held);
        // Who found the lock taken meanwhile has left its work to us: it is seen by the next round.
        let left = Duration::from_millis(time.until.saturating_sub(boot()?));
        if (sent == 0 && !has_more(paths, sink, &seen)?) || left < time.limit / 4 {
            break;
        }
    }
    Ok(drained)
}

/// Whether something was queued for the sink since it was looked.
fn has_more(paths: &Paths, sink: &Sink, seen: &[PathBuf]) -> Result<bool, Error> {
    Ok(outbox::names(paths, &sink.name)?.iter().any(|path| !seen.contains(path)))
}

/// Entries of sinks that the registry does not have.
fn orphans(paths: &Paths, sinks: &[Sink]) -> Result<Drained, Error> {
    let mut drained = Drained::default();
    let _held = lock::wait(&outbox::lock(paths))?;
    let mut pending = outbox::list(paths, Part::Pending)?.entries;
    pending.retain(|entry| sinks.iter().all(|sink| sink.name != entry.sink));
    let now = now()?;
    let plan = plan(&pending, &ledger::read(paths)?.receipts, &[], &[], &now);
    tidy(paths, &plan, &now, &mut drained)?;
    Ok(drained)
}
