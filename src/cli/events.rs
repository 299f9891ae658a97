//! `events`: the history of processes, oldest first.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use crate::error::Error;
use crate::model::event::{Event, SCHEMA};
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::os::watch::FileWatch;
use crate::store::journal::{self, Gap};
use crate::supervise::now;
use crate::view::history::line;

use super::Call;
use super::common::{known, parse, registry};
use super::moment;
use super::out::worse;

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

/// One line of the history.
#[derive(Debug, Clone)]
enum Item {
    /// A fact.
    Event(Box<Event>),
    /// Lines that are damaged, in the place where they stood.
    Gap { process: Name, gap: Gap, at: Option<Wall> },
}

/// What could be read of several histories.
#[derive(Debug, Default)]
struct Read {
    items: Vec<Item>,
    later: usize,
    errors: Vec<Error>,
}

pub(super) fn run(call: &Call, command: &Events) -> Result<u8, Error> {
    let mut names = parse(&command.names)?;
    if names.is_empty() {
        names = registered(call)?;
    }
    let unknown = names.iter().find(|name| !journal::is_there(&call.ctx.paths, name));
    if let Some(name) = unknown.filter(|_| !command.names.is_empty()) {
        let loaded = registry(call)?;
        if !loaded.registry.watches.contains_key(name) {
            known(&loaded, std::slice::from_ref(name), call)?; // one that left the registry still has a history
        }
    }
    let since = command.since.as_deref().map(|text| moment::parse(text, now()?.wall)).transpose()?;
    let mut read = read(call, &names);
    let known = read.ids();
    // A gap whose time is not known may lie in the time that was asked for.
    read.items.retain(|item| since.zip(item.at()).is_none_or(|(since, at)| at >= since));
    let most = command.lines.or(since.is_none().then_some(EVENTS));
    if let Some(most) = most {
        let events: Vec<usize> =
            (0..).zip(&read.items).filter(|(_, item)| item.is_event()).map(|(nth, _)| nth).collect();
        if let Some(skipped) = events.len().checked_sub(most).filter(|skipped| *skipped > 0) {
            // Gaps before the first event that is shown go with what stood around them.
            let first = events.get(skipped).copied().unwrap_or(read.items.len());
            read.items.drain(..first);
        }
    }
    show(call, &read.items);
    if read.later > 0 {
        call.out.warn(&format!("events of a later guardian are not shown: {}", read.later));
    }
    let code = read.errors.iter().fold(0, |code, error| worse(code, call.out.fail(error)));
    if command.follow {
        follow(call, names, command.names.is_empty(), known)?;
    }
    Ok(code)
}

/// All that may have a history and is in the registry now.
fn registered(call: &Call) -> Result<Vec<Name>, Error> {
    let registry = registry(call)?.registry;
    Ok(registry.processes.into_keys().chain(registry.watches.into_keys()).collect())
}

/// One history that cannot be read keeps none of the others from being shown.
fn read(call: &Call, names: &[Name]) -> Read {
    let mut all = Read::default();
    for name in names {
        let history = match journal::read(&call.ctx.paths, name) {
            Ok(history) => history,
            Err(error) => {
                all.errors.push(error.about(name));
                continue;
            }
        };
        all.later += history.later;
        let mut gaps = history.gaps.into_iter().peekable();
        let mut at = None;
        let count = history.events.len();
        let events = history.events.into_iter().map(Some).chain([None]);
        for (nth, event) in events.enumerate() {
            while let Some(gap) = gaps.next_if(|gap| gap.after <= nth.min(count)) {
                all.items.push(Item::Gap { process: name.clone(), gap, at });
            }
            if let Some(event) = event {
                at = Some(event.at);
                all.items.push(Item::Event(Box::new(event)));
            }
        }
    }
    all.items.sort_by_key(Item::at); // stable: what one process did stays in its order
    all
}

impl Read {
    fn ids(&self) -> HashSet<String> {
        let events = self.items.iter().filter_map(|item| match item {
            Item::Event(event) => Some(event.id.clone()),
            Item::Gap { .. } => None,
        });
        events.collect()
    }
}

impl Item {
    fn is_event(&self) -> bool {
        matches!(self, Self::Event(_))
    }

    /// When; of a gap, the time of the event before it.
    fn at(&self) -> Option<Wall> {
        match self {
            Self::Event(event) => Some(event.at),
            Self::Gap { at, .. } => *at,
        }
    }
}

fn show(call: &Call, items: &[Item]) {
    for item in items {
        match (item, call.out.is_json()) {
            (Item::Event(event), true) => call.out.json_line(event),
            (Item::Event(event), false) => call.out.say(&line(event)),
            (Item::Gap { process, gap: Gap { lines, file, .. }, at }, true) => call.out.json_line(&json!({
                "schema": SCHEMA, "kind": "gap", "process": process, "after": at.map(|at| at.to_string()),
                "lines": lines, "file": file.display().to_string(),
            })),
            (Item::Gap { process, gap: Gap { lines, file, .. }, at }, false) => {
                let after = at.map_or("at the beginning".to_owned(), |at| format!("after {at}"));
                let what = if *lines == 1 { "1 line is".to_owned() } else { format!("{lines} lines are") };
                // Also with `--quiet`: nobody is to take the rest for the whole.
                call.out.answer(&format!("-- gap: {process}, {after}: {what} damaged in {}", file.display()));
            }
        }
    }
}

/// Shows what is new, for ever. `known`: ids of what need not be shown. `all`: what is registered meanwhile is followed, too.
fn follow(call: &Call, mut names: Vec<Name>, all: bool, mut known: HashSet<String>) -> Result<(), Error> {
    let processes = call.ctx.paths.processes();
    let fail = |error: std::io::Error| Error::io("watch", &processes, &error);
    let (mut watched, mut watch) = (Vec::new(), None);
    loop {
        if all {
            let more: Vec<Name> = registered(call)?.into_iter().filter(|name| !names.contains(name)).collect();
            names.extend(more);
        }
        let wanted = histories(call, &names, all);
        if watch.is_none() || wanted != watched {
            watch = Some(FileWatch::all(&wanted).map_err(fail)?);
            watched = wanted;
        }
        // What comes after the watch was made is read now, or wakes us again.
        let read = read(call, &names);
        let is_new = |item: &&Item| matches!(item, Item::Event(event) if !known.contains(&event.id));
        show(call, &read.items.iter().filter(is_new).cloned().collect::<Vec<_>>());
        known = read.ids();
        if !call.out.is_heard() {
            return Ok(());
        }
        if let Some(watch) = &watch {
            watch.wait(None).map_err(fail)?;
        }
    }
}

/// The files whose directories are watched: histories that are there, and where others would appear.
fn histories(call: &Call, names: &[Name], all: bool) -> Vec<PathBuf> {
    let paths = &call.ctx.paths;
    let own = names.iter().map(|name| journal::path(paths, name));
    // Any file in it: it is the directory that is watched.
    let others = [paths.processes().join("any"), paths.registry.clone()];
    own.chain(others.into_iter().filter(|_| all)).filter(|path| path.parent().is_some_and(Path::is_dir)).collect()
}
