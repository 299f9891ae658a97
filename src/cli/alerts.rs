//! `alerts`: what waits to be told, whether a sink works, and trying again.

use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::alert::desk;
use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::policy::stuck::is_stuck;
use crate::store::registry_file::Loaded;
use crate::supervise::now;
use crate::view::outbox;

use super::Call;
use super::common::{complain_of, registry};
use super::out::worse;

/// Time that `retry` takes for all deliveries together.
const RETRY: Duration = Duration::from_secs(30);
/// Receipts that `list` shows.
const RECENT: usize = 10;

/// Shows what waits to be told and what was given up; tests sinks
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian alerts test ops")]
pub(super) struct Alerts {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Shows what waits, what was given up, what was delivered last (also without a word)
    List,
    /// Sends a marked message to a sink at once, and says what the sink said
    Test {
        /// Name of the sink: `[sinks.NAME]` in the registry
        sink: String,
    },
    /// Tries everything again now, also what was given up
    Retry,
    /// Says that you know of an incident: not told again until it becomes worse
    Ack(super::ack::Ack),
    /// Tells nobody of a process for a while: what is still so at the end is told then
    Silence(super::silence::Silence),
    /// Ends a silence: what is still so is told now
    Unsilence(super::silence::Unsilence),
}

pub(super) fn run(call: &Call, command: &Alerts) -> Result<u8, Error> {
    match &command.what {
        None | Some(What::List) => list(call),
        Some(What::Test { sink }) => test(call, &registry(call)?, sink),
        Some(What::Retry) => retry(call, &registry(call)?),
        Some(What::Ack(ack)) => super::ack::run(call, ack),
        Some(What::Silence(silence)) => super::silence::run(call, silence),
        Some(What::Unsilence(unsilence)) => super::silence::end(call, unsilence),
    }
}

/// 1 where something was given up, fails for long or cannot be read: somebody was not told.
fn list(call: &Call) -> Result<u8, Error> {
    let now = now()?;
    let loaded = registry(call);
    // Who asks what waits is told also where the registry cannot be read; why it waits is then not known.
    let sinks = loaded.as_ref().map_or(&[][..], |loaded| loaded.registry.sinks.as_slice());
    let overview = desk::overview(&call.ctx.paths, sinks, RECENT, &now)?;
    call.out.json(&outbox::json(&overview, &now));
    call.out.say(&outbox::human(&overview, &now));
    let stuck = overview.pending.iter().any(|entry| is_stuck(entry, sinks, &now));
    let well = overview.dead.is_empty() && overview.unreadable.is_empty() && !stuck;
    Ok(if well { 0 } else { Code::No as u8 })
}

fn test(call: &Call, loaded: &Loaded, name: &str) -> Result<u8, Error> {
    let sinks = &loaded.registry.sinks;
    let Some(sink) = sinks.iter().find(|sink| sink.name == name) else {
        if let Some(error) = loaded.error(&call.ctx.paths) {
            return Err(error); // it may be among what is not valid
        }
        let known: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
        let hint = match known.as_slice() {
            [] => format!("the registry has no sinks yet; add `[sinks.{name}]`"),
            names => format!("sinks of the registry: {}", names.join(", ")),
        };
        return Err(Error::new(Code::Usage, "no_such_sink", format!("no sink is named `{name}`")).hint(hint));
    };
    let reply = desk::test(sink, &call.ctx.host, &now()?)?;
    call.out.json(&json!({"schema": SCHEMA, "sink": sink.name, "delivered": true, "reply": reply}));
    let said = if reply.is_empty() { reply } else { format!(": {reply}") };
    call.out.say(&format!("{}: delivered{said}", sink.name));
    Ok(complain_of(loaded, call))
}

fn retry(call: &Call, loaded: &Loaded) -> Result<u8, Error> {
    let drained = desk::retry(&call.ctx.paths, &loaded.registry.sinks, RETRY)?;
    call.out.json(&json!({
        "schema": SCHEMA, "delivered": drained.delivered, "pending": drained.pending, "dead": drained.dead,
        "busy": drained.busy, "errors": drained.errors,
    }));
    let counts = format!("{} delivered, {} pending, {} given up", drained.delivered, drained.pending, drained.dead);
    call.out.say(&counts);
    for error in &drained.errors {
        call.out.warn(error);
    }
    let well = drained.dead == 0 && drained.errors.is_empty();
    Ok(worse(if well { 0 } else { Code::No as u8 }, complain_of(loaded, call)))
}
