//! What `wait` says: how each run ended, and with `--json` who passed, who failed and the last lines of each, in few bytes.

use std::io::IsTerminal;

use anstream::adapter::strip_str;
use serde_json::{Value, json};

use crate::error::Code;
use crate::model::ending::{EndedRun, Verdict};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::units::human_duration;
use crate::store::log::Log;
use crate::store::record;
use crate::view::exit_code::code_of;
use crate::view::status::{LastExit, State as Word};
use crate::view::words::end_phrase;

use super::Call;

/// Bytes that the whole document should fit into: what an agent reads without loss.
const ROOM: usize = 4000;
/// Last lines of each, how wide, and whether it is said what followed, from much to nothing: the first that fits.
const FORMS: [(usize, usize, bool); 9] = [
    (10, 200, true),
    (5, 160, true),
    (3, 120, true),
    (2, 100, true),
    (1, 80, true),
    (1, 80, false),
    (1, 40, false),
    (1, 20, false),
    (0, 0, false),
];
/// Bytes of a log that the last lines are taken from.
const TAIL: u64 = 4096;

/// A run that ended, and where its process stands.
pub(super) type Ended = (Name, EndedRun, Word);

/// Tells of all that have ended; the exit code.
pub(super) fn tell(call: &Call, names: &[Name], ended: &[Ended], open: &[Name]) -> u8 {
    let completed = ended.iter().filter(|(_, last, _)| last.verdict == Verdict::Completed).count();
    if call.out.is_json() {
        call.out.json(&aggregate(call, ended, open));
    }
    for (name, last, _) in ended {
        call.out.say(&sentence(name, last));
    }
    match (names, ended) {
        ([_], [(_, last, _)]) => code_of(last),
        (_, _) if completed == ended.len() => 0,
        (_, _) => Code::No as u8,
    }
}

fn sentence(name: &Name, last: &EndedRun) -> String {
    let lived = last.ran().map_or(String::new(), |ran| format!(" after {}", human_duration(ran)));
    let cause = end_phrase(&last.cause, &last.signals, last.stopped_by.as_ref());
    format!("{name} run {}: {}{lived}: {cause}", last.run, last.verdict.word())
}

fn aggregate(call: &Call, ended: &[Ended], open: &[Name]) -> Value {
    let of = |completed: bool| -> Vec<&Name> {
        ended
            .iter()
            .filter(|(_, last, _)| (last.verdict == Verdict::Completed) == completed)
            .map(|(name, ..)| name)
            .collect()
    };
    let (passed, failed) = (of(true), of(false));
    let tails: Vec<Vec<String>> = ended.iter().map(|(name, last, _)| tail(call, name, last.run)).collect();
    let document = |(lines, width, followed): (usize, usize, bool)| {
        let rows: Vec<Value> = ended
            .iter()
            .zip(&tails)
            .map(|((name, last, word), tail)| {
                let tail = tail.iter().skip(tail.len().saturating_sub(lines));
                let tail: Vec<String> = tail.map(|line| line.chars().take(width).collect()).collect();
                let mut row =
                    json!({"name": name, "state": word, "exit_code": code_of(last), "last_exit": LastExit::of(last), "tail": tail});
                if let Some(exit) = row.get_mut("last_exit").and_then(Value::as_object_mut).filter(|_| !followed) {
                    exit.remove("action");
                }
                row
            })
            .collect();
        json!({"schema": SCHEMA, "ended": rows, "still_running": open, "completed": passed.len(),
               "not_completed": failed.len(), "passed": passed, "failed": failed})
    };
    let mut fitting = FORMS.into_iter().map(document).skip_while(|document| document.to_string().len() > ROOM);
    fitting.next().unwrap_or_else(|| document((0, 0, false)))
}

/// The last lines that a run wrote, without escape sequences; none where they cannot be read.
fn tail(call: &Call, name: &Name, run: u64) -> Vec<String> {
    let (Some(from), Some(to)) = record::output(&call.ctx.paths, name, run) else { return Vec::new() };
    let Ok(bytes) = Log::at(&call.ctx.paths.log(name)).tail(from, to, TAIL) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| strip_str(line).to_string().trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// How far it is, on a terminal, where several are waited for.
pub(super) fn progress(call: &Call, names: &[Name], ended: &[Ended]) {
    let quiet = call.out.is_json() || call.out.is_quiet() || names.len() < 2 || !std::io::stderr().is_terminal();
    if let Some((name, last, _)) = ended.last().filter(|_| !quiet) {
        call.out.complain(&format!("{} of {}: {name} {}", ended.len(), names.len(), last.verdict.word()));
    }
}
