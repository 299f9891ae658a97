//! Whether many processes that fail at once are a storm, how its restarts are paced, and when it is over.
//!
//! A storm begins when enough different processes fail within a minute, goes on as long as no minute
//! passes without another failure, and is over then. Everything is computed from the lines that passes
//! leave for each other, so whoever looks sees the same storm.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::storm::{Began, Facts, Failure, Line, Storm};
use crate::model::time::{Stamp, Wall};

/// Failures further apart than this have nothing to do with each other; as long a quiet ends a storm.
pub const WINDOW: Duration = Duration::from_secs(60);
/// From the moment that a storm is recognised until it is told: so long others may join the message.
pub const GATHER: Duration = Duration::from_millis(1500);
/// Processes that failed this shortly before one are waited with before it is told alone.
const CROWD: Duration = Duration::from_secs(10);
/// From one restart in a storm to the next: four a second, whatever the machine can do.
const GAP: Duration = Duration::from_millis(250);
/// Longest wait of one process that fails again and again in one storm; its own backoff may be longer.
const LONGEST: Duration = Duration::from_secs(30);
/// In a large set a quarter is too many to wait for: this many times the threshold is enough.
const ENOUGH: usize = 4;
/// Names in the first message.
const NAMES: usize = 10;
/// Names in the last one.
const ALL_NAMES: usize = 100;

/// The storms in `lines`, oldest first. What was written down twice counts once.
#[must_use]
pub fn storms(lines: &[Line]) -> Vec<Storm> {
    let mut seen = BTreeSet::new();
    let mut earlier: Vec<Failure> = Vec::new();
    let mut storms: Vec<Storm> = Vec::new();
    for line in lines {
        match line {
            Line::Failed(failure) if !seen.insert((&failure.process, &failure.epoch, failure.run)) => {}
            Line::Failed(failure) => {
                let on = storms.last().is_some_and(|storm| is_on(storm, &failure.at));
                let over = storms.len() - usize::from(on);
                for storm in storms.iter_mut().take(over) {
                    if storm.failures.iter().any(|earlier| earlier.process == failure.process) {
                        storm.later.push(failure.process.clone());
                    }
                }
                match storms.last_mut().filter(|_| on) {
                    Some(storm) => storm.failures.push(failure.clone()),
                    None => earlier.push(failure.clone()),
                }
            }
            Line::Began(began) if storms.iter().any(|storm| storm.began.storm == began.storm) => {}
            Line::Began(began) => {
                let failures = recent(&earlier, &began.at).cloned().collect();
                storms.push(Storm { began: began.clone(), failures, over: None, told: false, later: Vec::new() });
            }
            Line::Over(over) => {
                if let Some(storm) = storms.iter_mut().find(|storm| storm.began.storm == over.storm) {
                    storm.over.get_or_insert_with(|| over.clone());
                }
            }
            Line::Told { storm: id } => {
                storms.iter_mut().filter(|storm| storm.began.storm == *id).for_each(|storm| storm.told = true);
            }
        }
    }
    storms
}

fn recent<'f>(failures: &'f [Failure], now: &Stamp) -> impl Iterator<Item = &'f Failure> {
    failures.iter().filter(|failure| failure.at.boot == now.boot && now.since(&failure.at) < WINDOW)
}

/// Different processes that failed within the last minute, of those that `lines` know and no storm has.
#[must_use]
pub fn failed_lately(lines: &[Line], now: &Stamp, within: Duration) -> usize {
    let failures = lines.iter().filter_map(|line| match line {
        Line::Failed(failure) => Some(failure),
        Line::Began(_) | Line::Over(_) | Line::Told { .. } => None,
    });
    let lately = failures.filter(|failure| failure.at.boot == now.boot && now.since(&failure.at) < within);
    lately.map(|failure| &failure.process).collect::<BTreeSet<_>>().len()
}

/// Whether another process failed so shortly before that its alert waits a moment for others.
#[must_use]
pub fn is_crowd(lines: &[Line], now: &Stamp) -> bool {
    failed_lately(lines, now, CROWD) > 1
}

/// Until when what is to be told of processes that fail just now, one after the other, waits for still others, as soon it may
/// be a storm. `None`: they are few, nobody has failed for a moment, or it is one already.
#[must_use]
pub fn gathers_until(lines: &[Line], now: &Stamp) -> Option<Stamp> {
    let fresh = |failure: &Failure| failure.at.boot == now.boot && now.since(&failure.at) < GATHER;
    let newest = lines.iter().rev().find_map(|line| match line {
        Line::Failed(failure) => Some(failure),
        Line::Began(_) | Line::Over(_) | Line::Told { .. } => None,
    })?;
    let is_on = storms(lines).last().is_some_and(|storm| is_on(storm, now));
    (fresh(newest) && !is_on && is_crowd(lines, now)).then(|| newest.at.plus(GATHER))
}

/// Whether `event`, queued at `queued`, is the end of one of those that fail just now and is not held up for too long.
#[must_use]
pub fn is_of_crowd(event: &Event, queued: &Stamp, lines: &[Line], now: &Stamp) -> bool {
    let of_it = |failure: &Failure| failure.process == event.process && Some(failure.run) == event.run;
    now.since(queued) < CROWD && lines.iter().any(|line| matches!(line, Line::Failed(failure) if of_it(failure)))
}

/// Whether `failed` different processes are a storm: as many as the threshold, and a quarter of the `up` that are
/// meant to be up, or four times the threshold. `up` is asked for only where it decides.
#[must_use]
pub fn is_storm(failed: usize, threshold: usize, up: impl FnOnce() -> usize) -> bool {
    threshold > 0
        && failed >= threshold
        && (failed >= threshold.saturating_mul(ENOUGH) || failed.saturating_mul(4) >= up())
}

/// Whether the storm goes on at `now`: less than a minute has passed since the last failure, in the same boot.
#[must_use]
pub fn is_on(storm: &Storm, now: &Stamp) -> bool {
    let last = storm.failures.last().map_or(&storm.began.at, |last| &last.at);
    storm.over.is_none() && last.boot == now.boot && now.since(last) < WINDOW
}

/// The next free turn for a restart, on the boot clock. `taken`: those that were given out.
#[must_use]
pub fn next_slot(taken: impl Iterator<Item = u64>, now: &Stamp) -> u64 {
    let gap = u64::try_from(GAP.as_millis()).unwrap_or(u64::MAX);
    taken.max().unwrap_or(0).max(now.boot_ms).saturating_add(gap)
}

/// How long the restart after the latest failure of `process` waits: for its turn, and longer each time that it failed in this storm.
#[must_use]
pub fn wait(storm: &Storm, process: &Name, now: &Stamp) -> Duration {
    let own: Vec<&Failure> = storm.failures.iter().filter(|failure| failure.process == *process).collect();
    let turn = own.last().and_then(|last| last.slot_ms).unwrap_or(0).saturating_sub(now.boot_ms);
    let doublings = u32::try_from(own.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let again = GAP.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST);
    Duration::from_millis(turn).max(again)
}

/// Whether this event is told by the messages of the storm: a bad end in it, what followed from that at once, and the recovery
/// of a process that was back when the storm was over, or may be by then.
#[must_use]
pub fn speaks_for(storm: &Storm, event: &Event) -> bool {
    match event.kind {
        EventKind::Storm => event.id == storm.id(),
        EventKind::StormOver => event.id == storm.over_id(),
        EventKind::Premature | EventKind::Failed | EventKind::Tripped | EventKind::Exited => {
            storm.failures.iter().any(|failure| Some(failure.run) == event.run && failure.process == event.process)
        }
        EventKind::Recovered => {
            let mut in_it = storm.failures.iter().rev().filter(|failure| failure.process == event.process);
            let after = in_it.next().is_some_and(|last| Some(last.run) < event.run);
            let told_apart = storm.over.as_ref().is_some_and(|over| over.down.contains(&event.process));
            after && !told_apart && !storm.later.contains(&event.process)
        }
        EventKind::Registered
        | EventKind::Started
        | EventKind::Restarted
        | EventKind::Ready
        | EventKind::Signal
        | EventKind::Completed
        | EventKind::Stopped
        | EventKind::Hung
        | EventKind::Killed
        | EventKind::HalfOpen
        | EventKind::Unsupervised
        | EventKind::Slow
        | EventKind::Stray
        | EventKind::Skipped
        | EventKind::Flapping
        | EventKind::FlappingOver
        | EventKind::Acknowledged
        | EventKind::Acted
        | EventKind::AlertDelivered
        | EventKind::AlertFailed
        | EventKind::Overdue
        | EventKind::Heartbeat
        | EventKind::Test => false,
    }
}

/// The storm in numbers and names.
#[must_use]
pub fn facts(storm: &Storm) -> Facts {
    let mut names: Vec<String> = Vec::new();
    for failure in &storm.failures {
        if names.iter().all(|name| name != failure.process.as_str()) {
            names.push(failure.process.to_string());
        }
    }
    let walls = || storm.failures.iter().map(|failure| failure.at.wall);
    let began = storm.began.at.wall;
    let (cause, of_that_cause) = commonest(storm.failures.iter().map(|failure| failure.cause.as_str()));
    let failed = names.len();
    names.truncate(if storm.over.is_some() { ALL_NAMES } else { NAMES });
    Facts {
        id: storm.id().to_owned(),
        failed,
        ends: storm.failures.len(),
        up: storm.began.up.map(|up| up.max(failed)),
        first_at: walls().min().unwrap_or(began),
        last_at: walls().max().unwrap_or(began),
        names,
        cause,
        of_that_cause,
        in_common: in_common(&storm.failures),
        down: storm.over.as_ref().map(|over| over.down.iter().take(ALL_NAMES).map(Name::to_string).collect()),
    }
}

/// The text that is there most often, and how often; the first in the alphabet where two are alike.
fn commonest<'t>(texts: impl Iterator<Item = &'t str>) -> (String, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(text, count)| (*count, std::cmp::Reverse(*text)));
    most.map_or((String::new(), 0), |(text, count)| (text.to_owned(), count))
}

/// What most of the failures share, beyond how they ended.
fn in_common(failures: &[Failure]) -> Vec<String> {
    let shared = |what: &str, of: fn(&Failure) -> Option<&str>| {
        let (text, count) = commonest(failures.iter().filter_map(of));
        let most = count > 1 && count * 2 > failures.len();
        most.then(|| {
            if count == failures.len() {
                format!("{what}{text}")
            } else {
                format!("{what}{text} ({count} of {})", failures.len())
            }
        })
    };
    let group = shared("group ", |failure| failure.group.as_deref());
    let sender = shared("the signal came from ", |failure| failure.sender.as_deref());
    let line = shared("the last line of output: ", |failure| failure.last_line.as_deref());
    [group, sender, line].into_iter().flatten().collect()
}

/// The event that tells a storm. Its id is the storm's.
#[must_use]
pub fn event(storm: &Storm, spec: Option<&Spec>, at: Wall) -> Event {
    let Began { storm: id, process, run, .. } = &storm.began;
    let (id, kind, severity, action) = match &storm.over {
        None => (
            id.clone(),
            EventKind::Storm,
            Severity::Critical,
            "restarts are paced, at most four a second; single alerts are part of this one".to_owned(),
        ),
        Some(_) => (storm.over_id(), EventKind::StormOver, Severity::Info, String::new()),
    };
    Event {
        run: Some(*run),
        group: spec.and_then(|spec| spec.group.clone()),
        notify: spec.map(|spec| spec.notify.clone()).unwrap_or_default(),
        action,
        storm: Some(Box::new(facts(storm))),
        ..Event::new(id, at, process, kind, severity)
    }
}

/// Says in what is told of the end of `run` that it belongs to the storm, and adds the storm's own event where that end made it one.
pub fn mark(state: &mut State, run: u64, storm: &Storm, spec: &Spec, at: Wall) {
    let note = format!("part of the storm {}", storm.id());
    let of_run = state.pending.iter_mut().filter(|event| event.run == Some(run)).map(|event| &mut event.action);
    for action in of_run.chain(state.last.iter_mut().map(|last| &mut last.action)) {
        if !action.is_empty() && !action.ends_with(&note) {
            action.push_str("; ");
            action.push_str(&note);
        }
    }
    let mine = state.last.as_ref().is_some_and(|last| last.run == storm.began.run);
    let known = state.pending.iter().any(|event| event.id == storm.id());
    if mine && !known && storm.id().starts_with(&format!("{}.{}.", storm.began.process, state.epoch)) {
        state.pending.push(event(storm, Some(spec), at));
    }
}

/// When a line was written; `None`: it says nothing of time.
#[must_use]
pub fn line_at(line: &Line) -> Option<&Stamp> {
    match line {
        Line::Failed(Failure { at, .. }) | Line::Began(Began { at, .. }) => Some(at),
        Line::Over(over) => Some(&over.at),
        Line::Told { .. } => None,
    }
}

/// Lines that are still worth keeping: the newest `most`, of the last hour, and of a storm that goes on.
#[must_use]
pub fn kept(lines: Vec<Line>, now: &Stamp, age: Duration, most: usize) -> Vec<Line> {
    let skip = lines.len().saturating_sub(most);
    let keep = |line: &Line| line_at(line).is_none_or(|at| now.since(at) < age);
    let mark = |line: &Line| matches!(line, Line::Began(_) | Line::Over(_));
    lines
        .into_iter()
        .enumerate()
        .filter(|(nth, line)| (*nth >= skip || mark(line)) && keep(line))
        .map(|(_, line)| line)
        .collect()
}

#[cfg(test)]
#[path = "storm_tests.rs"]
pub(super) mod tests;
