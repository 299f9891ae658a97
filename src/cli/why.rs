//! `why`: the death certificate of an ended run.

use clap::Parser;

use crate::error::{Code, Error};
use crate::launch::working_directory;
use crate::model::ending::{Cause, Verdict};
use crate::model::event::Event;
use crate::model::evidence::Recorded;
use crate::model::metadata::Metadata;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::{Phase, State};
use crate::model::time::Wall;
use crate::policy::decide::Decision;
use crate::policy::history;
use crate::policy::signature::Alike;
use crate::post_mortem::{Past, compare, not_found, same_as};
use crate::publish::log_tail;
use crate::registry::Entry;
use crate::store::{hang, journal, metadata, record, state};
use crate::supervise::{consider, now};
use crate::view::certificate::{Certificate, text};
use crate::view::certificate_json::json;
use crate::view::status::State as Word;

use super::common::{complain_of, known, registry};
use super::start_error::start_error;
use super::{Call, watch};

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
    if let Some(entry) = loaded.registry.watches.get(&name) {
        watch::why(call, &name, entry)?;
        return Ok(complain_of(&loaded, call));
    }
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
    let events = journal::read(&call.ctx.paths, &name)?.events;
    let open = decision.state.open().map(|open| open.run);
    let last = decision.state.last.clone().filter(|last| command.run.is_none_or(|run| run == last.run));
    let past = match (last, command.run) {
        (Some(last), _) => Past::of(last),
        (None, Some(run)) if open == Some(run) => return Err(lives(&name, run, word)),
        (None, Some(run)) => Past::find(&call.ctx, &name, run, &events).ok_or_else(|| not_found(&name, run))?,
        (None, None) => return Err(none(&name, word)),
    };
    let certificate = certificate(call, (&name, spec), &decision, &events, past);
    call.out.json(&json(&certificate));
    if !call.out.is_json() {
        call.out.answer(&text(&certificate));
    }
    Ok(complain_of(&loaded, call))
}

/// All that is known of a run that ended. `decision`: where the process stands now.
pub(super) fn certificate(
    call: &Call,
    (name, spec): (&Name, &Spec),
    decision: &Decision<'_>,
    events: &[Event],
    past: Past,
) -> Certificate {
    let word = Word::of(decision);
    let tail = log_tail(&call.ctx, name, Some(spec), Some(past.run));
    let record = match record::read(&call.ctx.paths, name, past.run).0 {
        Recorded::Read(record) => *record,
        Recorded::Missing | Recorded::Unreadable(_) => crate::model::evidence::RunRecord::default(),
    };
    let metadata = metadata::load(&call.ctx.paths, name, past.run);
    let well = matches!(past.verdict, Some(Verdict::Completed | Verdict::Stopped));
    Certificate {
        name: name.to_string(),
        run: past.run,
        same_as: same_as(&call.ctx, (name, spec), &past, events),
        alike: decision.state.failure.as_ref().filter(|failure| failure.run == past.run).and_then(Alike::of),
        usual: history::of(spec, &decision.state).map(|usual| usual.median),
        compared: (!well).then(|| compare(&call.ctx, name, past.run, events)),
        mend: mend(call, name, spec, (past.run, &past.cause), &record, metadata.as_ref()),
        next: next(name, past.run, word, &past.cause),
        verdict: past.verdict,
        cause: past.cause,
        status: past.status,
        signals: past.signals,
        more_signals: record.more_signals,
        traced: spec.trace_signals && record.untraced.is_none(),
        stopped_by: past.stopped_by,
        pid: past.pid,
        began: past.began,
        ended: past.ended,
        ran: past.ran,
        target_s: past.target_s.or(spec.target_s()),
        action: past.action,
        left: record.end.as_ref().and_then(|end| end.left.clone()).or(record.gone.and_then(|gone| gone.left)),
        taken_over: record.taken_over.iter().map(|takeover| takeover.at.wall).collect(),
        adopted: record.adopted.as_ref().map(|at| at.wall),
        unseen: record.unseen,
        untraced: record.untraced.map(|errno| std::io::Error::from_raw_os_error(errno).to_string()),
        end: record.end,
        placed: record.placed,
        hang: hang(call, name, past.run),
        metadata,
        tail,
        state: word.word(),
        next_at: next_at(&decision.state.phase),
    }
}

fn none(name: &Name, word: Word) -> Error {
    let message = format!("no run of `{name}` has ended: it is {}", word.word());
    Error::new(Code::No, "no_ended_run", message).hint(format!("guardian status {name}")).about(name)
}

/// What a run that hung was blocked on, and the path of its snapshot.
fn hang(call: &Call, name: &Name, run: u64) -> Option<(String, String)> {
    let sentence = hang::sentence(&call.ctx.paths, name, run)?;
    Some((sentence, hang::path(&call.ctx.paths, name, run).display().to_string()))
}

fn lives(name: &Name, run: u64, word: Word) -> Error {
    let message = format!("run {run} of `{name}` has not ended: it is {}", word.word());
    Error::new(Code::No, "no_ended_run", message).hint(format!("guardian status {name}")).about(name)
}

fn next_at(phase: &Phase) -> Option<Wall> {
    match phase {
        Phase::Waiting { until } | Phase::Tripped { until, .. } => Some(until.wall),
        Phase::New | Phase::Open(_) | Phase::Completed | Phase::Stopped | Phase::Dead => None,
    }
}

/// How to mend what kept a run from starting, as long as what was tried is what would be tried now.
fn mend(
    call: &Call,
    name: &Name,
    spec: &Spec,
    (run, cause): (u64, &Cause),
    record: &crate::model::evidence::RunRecord,
    metadata: Option<&Metadata>,
) -> Option<String> {
    let (Cause::SpawnFailed { .. }, Some(failure)) = (cause, &record.spawn_failure) else { return None };
    let same = metadata.is_none_or(|metadata| {
        metadata.cwd == working_directory(&call.ctx, spec).to_string_lossy()
            && (metadata.command.sha256.is_some() || metadata.command.argv == spec.command.argv())
    });
    let error = start_error(&call.ctx, name, spec, run, (failure.step, failure.errno));
    same.then_some(error.hint).filter(|hint| !hint.is_empty())
}

/// The command that helps most now.
fn next(name: &Name, run: u64, word: Word, cause: &Cause) -> String {
    match word {
        // It wrote nothing: its log has nothing to look at.
        Word::Dead | Word::Tripped if matches!(cause, Cause::SpawnFailed { .. }) => {
            format!("guardian start {name}, once that is mended")
        }
        Word::Hung => format!("guardian status {name}, then guardian restart {name}"),
        Word::Dead | Word::Tripped => format!("guardian logs {name} --run {run}, then guardian start {name}"),
        Word::Stopped | Word::New => format!("guardian start {name}"),
        Word::Running | Word::Starting | Word::Unsupervised | Word::Waiting | Word::Completed => {
            format!("guardian logs {name} --run {run}")
        }
    }
}
