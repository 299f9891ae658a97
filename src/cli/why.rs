//! `why`: the death certificate of an ended run.

use clap::Parser;

use crate::error::{Code, Error};
use crate::model::ending::{EndedRun, Verdict};
use crate::model::event::{Event, EventKind};
use crate::model::evidence::{End, Recorded};
use crate::model::name::Name;
use crate::model::state::State;
use crate::model::time::{BootId, Stamp};
use crate::publish::log_tail;
use crate::registry::Entry;
use crate::store::{journal, record, state};
use crate::supervise::{consider, now};
use crate::view::certificate::{Certificate, json, text};
use crate::view::status::State as Word;

use super::Call;
use super::common::{complain_of, known, registry};

/// Shows how and why a run ended: the last one, or the one that is named
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian why btc-bot --run 3")]
pub(super) struct Why {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
    /// Which run; without, the last that ended
    #[arg(long, value_name = "N")]
    run: Option<u64>,
}

pub(super) fn run(call: &Call, command: &Why) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let loaded = registry(call)?;
    known(&loaded, std::slice::from_ref(&name), call)?;
    let Entry { spec, .. } = loaded.registry.processes.get(&name).ok_or_else(|| Error::not_registered(&name, None))?;
    let now = now()?;
    let state = match state::load(&call.ctx.paths, &name)? {
        Some(state) => state,
        None => State::new(&now),
    };
    // An end that no pass has judged yet is judged here, without changing anything.
    let decision = consider(&call.ctx, &name, spec, &state, &now);
    let word = Word::of(&decision);
    let last = decision.state.last.clone().filter(|last| command.run.is_none_or(|run| run == last.run));
    let ended = match (last, command.run) {
        (Some(last), _) => last,
        (None, Some(run)) => from_history(call, &name, run, &now.boot)?,
        (None, None) => return Err(none(&name, word)),
    };
    let end = recorded_end(call, &name, ended.run);
    let tail = log_tail(&call.ctx, &name, Some(ended.run));
    let certificate = Certificate {
        name: name.as_str(),
        ended: &ended,
        target_s: spec.target_s(),
        end: end.as_ref(),
        tail: &tail,
        state: word.word(),
        next: next(&name, &ended, word),
    };
    call.out.json(&json(&certificate));
    if !call.out.is_json() {
        call.out.answer(&text(&certificate));
    }
    Ok(complain_of(&loaded, call))
}

fn none(name: &Name, word: Word) -> Error {
    let message = format!("no run of `{name}` has ended: it is {}", word.word());
    Error::new(Code::No, "no_ended_run", message).hint(format!("guardian status {name}")).about(name)
}

fn recorded_end(call: &Call, name: &Name, run: u64) -> Option<End> {
    match record::read(&call.ctx.paths, name, run).0 {
        Recorded::Read(record) => record.end,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    }
}

/// The command that helps most now.
fn next(name: &Name, ended: &EndedRun, word: Word) -> String {
    match word {
        Word::Dead | Word::Tripped => format!("guardian logs {name} --run {}, then guardian start {name}", ended.run),
        Word::Stopped | Word::New => format!("guardian start {name}"),
        Word::Running | Word::Starting | Word::Unsupervised | Word::Waiting | Word::Completed => {
            format!("guardian logs {name} --run {}", ended.run)
        }
    }
}

/// A run that is not the last one, put together from the history.
fn from_history(call: &Call, name: &Name, run: u64, boot: &BootId) -> Result<EndedRun, Error> {
    let events = journal::read(&call.ctx.paths, name, now()?.wall)?.events;
    let of_run =
        |kinds: &[EventKind]| events.iter().rev().find(|event| event.run == Some(run) && kinds.contains(&event.kind));
    let verdict = of_run(&[EventKind::Premature, EventKind::Completed, EventKind::Failed, EventKind::Stopped]);
    let began = of_run(&[EventKind::Started, EventKind::Restarted]);
    let exited = of_run(&[EventKind::Exited]);
    let ended = verdict.zip(exited).and_then(|(verdict, exited)| put_together(run, verdict, exited, began, boot));
    ended.ok_or_else(|| {
        let message = format!("run {run} of `{name}` has not ended, or is no longer in the history");
        Error::new(Code::No, "no_such_run", message).hint(format!("guardian events {name} lists its runs")).about(name)
    })
}

fn put_together(run: u64, verdict: &Event, exited: &Event, began: Option<&Event>, boot: &BootId) -> Option<EndedRun> {
    let ran_ms = verdict.ran_s.map(|s| std::time::Duration::from_secs_f64(s.max(0.0)).as_millis());
    let wall = began.map_or(exited.at, |event| event.at);
    Some(EndedRun {
        run,
        began: Stamp { wall, boot_ms: 0, boot: boot.clone() },
        ended: verdict.ran_s.map(|_| exited.at),
        ran_ms: ran_ms.and_then(|ms| u64::try_from(ms).ok()),
        verdict: verdict.verdict.unwrap_or(Verdict::Failed),
        cause: verdict.cause.clone()?,
        status: None,
        signals: verdict.signals.clone(),
        stopped_by: verdict.by.clone(),
        pid: verdict.pid,
        action: verdict.action.clone(),
    })
}
