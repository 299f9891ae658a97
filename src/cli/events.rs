//! `events`: the history of processes, oldest first.

use clap::Parser;

use crate::error::Error;
use crate::model::event::Event;
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::os::watch::FileWatch;
use crate::store::journal;
use crate::supervise::now;
use crate::view::history::line;

use super::Call;
use super::common::{known, parse, registry};
use super::moment;

/// Events shown when nothing else limits them.
const EVENTS: usize = 100;

/// Shows what happened, oldest first; JSON is one event a line
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian events btc-bot --since 1d --json")]
pub(super) struct Events {
    /// Names of processes; without, all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Go on as it happens
    #[arg(short, long)]
    follow: bool,
    /// From this time on: `15m` (ago), `18:30`, `2026-11-20 18:30`, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The last N [default: 100, or all since the time given]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

pub(super) fn run(call: &Call, command: &Events) -> Result<u8, Error> {
    let mut names = parse(&command.names)?;
    if names.is_empty() {
        names = registry(call)?.registry.processes.into_keys().collect();
    }
    let unknown = names.iter().find(|name| !journal::path(&call.ctx.paths, name).exists());
    if let Some(name) = unknown.filter(|_| !command.names.is_empty()) {
        known(&registry(call)?, std::slice::from_ref(name), call)?; // one that left the registry still has a history
    }
    let since = command.since.as_deref().map(|text| moment::parse(text, now()?.wall)).transpose()?;
    let (mut events, damaged) = read(call, &names, since)?;
    let most = command.lines.or(since.is_none().then_some(EVENTS));
    if let Some(most) = most {
        events.drain(..events.len().saturating_sub(most));
    }
    show(call, &events);
    if damaged > 0 {
        call.out.warn(&format!("{damaged} lines of the history are damaged and left out"));
    }
    if command.follow {
        follow(call, &names)?;
    }
    Ok(0)
}

fn read(call: &Call, names: &[Name], since: Option<Wall>) -> Result<(Vec<Event>, usize), Error> {
    let mut events = Vec::new();
    let mut damaged = 0;
    for name in names {
        let history = journal::read(&call.ctx.paths, name)?;
        damaged += history.damaged;
        events.extend(history.events.into_iter().filter(|event| since.is_none_or(|since| event.at >= since)));
    }
    events.sort_by_key(|event| event.at); // stable: what one process did stays in its order
    Ok((events, damaged))
}

fn show(call: &Call, events: &[Event]) {
    for event in events {
        if call.out.is_json() {
            call.out.json_line(event);
        } else {
            call.out.say(&line(event));
        }
    }
}

fn follow(call: &Call, names: &[Name]) -> Result<(), Error> {
    let processes = call.ctx.paths.processes();
    let watched: Vec<_> = names.iter().map(|name| journal::path(&call.ctx.paths, name)).collect();
    let fail = |error: std::io::Error| Error::io("watch", &processes, &error);
    let watch = FileWatch::all(&watched).map_err(fail)?;
    let (mut before, _) = read(call, names, None)?;
    loop {
        let (events, _) = read(call, names, None)?;
        let new: Vec<Event> =
            events.iter().filter(|event| !before.iter().any(|seen| seen.id == event.id)).cloned().collect();
        show(call, &new);
        before = events;
        watch.wait(None).map_err(fail)?;
    }
}
