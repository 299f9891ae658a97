//! The death certificate for programs: at most [`MOST`] bytes, whatever it is made from.
//!
//! Every field is always there; what is not known is null. What is too long is cut, the least telling first.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::ending::{Ancestor, Cause, Sender, SignalRecord, Verdict, WaitStatus};
use crate::model::event::SCHEMA;
use crate::model::evidence::End;
use crate::model::evidence::Left;
use crate::model::metadata::Asked;
use crate::model::state::Began;
use crate::model::units::seconds;

use super::certificate::{Certificate, Compared};
use super::exit_code::{exit_code_meaning, python_exception};
use super::words::{cause_sentence, cut, signal_before, strip_control, telling_signal};

/// Bytes of the document at most, its line end included.
pub const MOST: usize = 2048;

/// How much of each part is shown.
struct Room {
    tail: usize,
    tail_width: usize,
    signals: usize,
    cmdline: usize,
    parents: usize,
    differs: usize,
    differs_width: usize,
    sentence: usize,
    words: usize,
}

/// From all that is sensible to what always fits: a character takes at most four bytes.
const ROOMS: [Room; 6] = [
    Room {
        tail: 4,
        tail_width: 120,
        signals: 2,
        cmdline: 80,
        parents: 80,
        differs: 6,
        differs_width: 100,
        sentence: 300,
        words: 160,
    },
    Room {
        tail: 4,
        tail_width: 80,
        signals: 2,
        cmdline: 60,
        parents: 60,
        differs: 5,
        differs_width: 80,
        sentence: 220,
        words: 120,
    },
    Room {
        tail: 3,
        tail_width: 60,
        signals: 1,
        cmdline: 60,
        parents: 40,
        differs: 4,
        differs_width: 60,
        sentence: 160,
        words: 80,
    },
    Room {
        tail: 2,
        tail_width: 50,
        signals: 1,
        cmdline: 30,
        parents: 30,
        differs: 3,
        differs_width: 50,
        sentence: 100,
        words: 60,
    },
    Room {
        tail: 1,
        tail_width: 40,
        signals: 1,
        cmdline: 20,
        parents: 20,
        differs: 2,
        differs_width: 40,
        sentence: 60,
        words: 30,
    },
    Room {
        tail: 0,
        tail_width: 0,
        signals: 1,
        cmdline: 0,
        parents: 0,
        differs: 1,
        differs_width: 8,
        sentence: 10,
        words: 5,
    },
];

/// What an agent can act on.
#[must_use]
pub fn json(certificate: &Certificate) -> Value {
    let mut document = Value::Null;
    for room in &ROOMS {
        document = fitted(certificate, room);
        if document.to_string().len() < MOST {
            break;
        }
    }
    document
}

fn fitted(certificate: &Certificate, room: &Room) -> Value {
    let words = |text: &str| cut(&strip_control(text), room.words);
    let end = certificate.end.as_ref();
    let (last_good, differs) = differs(certificate, room);
    let mut document = json!({
        "schema": SCHEMA, "name": certificate.name, "run": certificate.run,
        "verdict": certificate.verdict.map(Verdict::word), "cause": cause(&certificate.cause, room),
        "sentence": cut(&cause_sentence(&certificate.cause, &certificate.signals), room.sentence),
        "ran_s": certificate.ran.map(seconds), "target_s": certificate.target_s,
        "began_at": certificate.began.map(|at| at.to_string()), "ended_at": certificate.ended.map(|at| at.to_string()),
        "pid": certificate.pid, "exit_code_means": code(certificate),
        "signals": signals(certificate, room), "signals_seen": seen(certificate),
        "sender_unknown": certificate.unseen, "untraced": certificate.untraced.as_deref().map(words),
        "stopped_by": certificate.stopped_by.as_ref().map(|by| who(by, room)),
        "cpu_s": end.and_then(End::cpu_ms).map(|ms| seconds(Duration::from_millis(ms))),
        "max_rss_bytes": end.and_then(|end| end.max_rss_kib).map(|kib| kib.saturating_mul(1024)),
        "memory_peak_bytes": end.and_then(|end| end.memory_peak_bytes),
        "core": end.and_then(|end| end.core.as_deref()).map(words),
        "blocked_on": certificate.hang.as_ref().map(|(blocked, _)| words(blocked)),
        "leftover": end.map(|end| end.leftover), "left": certificate.left.as_ref().map(|left| self::left(left, room)),
        "taken_over_at": certificate.taken_over.last().map(ToString::to_string),
        "memory_kills": end.and_then(|end| end.oom?.own_group),
        "isolation": certificate.placed.as_ref().map(|placed| json!({"level": placed.level, "why": placed.why.as_deref().map(words)})),
        "started_by": certificate.metadata.as_ref().and_then(|metadata| metadata.asked.as_ref()).map(|asked| by(asked, room)),
        "git_commit": certificate.metadata.as_ref().and_then(|metadata| metadata.git.as_ref()?.commit.as_deref()).map(|commit| cut(commit, 40)),
        "usual_s": certificate.usual.map(seconds),
        "alike": certificate.alike.as_ref().map(|alike| json!({"times": alike.times, "sentence": words(&alike.sentence)})),
        "same_as_run": certificate.same_as, "last_good_run": last_good, "differs": differs,
        "mend": certificate.mend.as_deref().map(words),
        "action": certificate.action.as_deref().map(words), "state": certificate.state,
        "next_action_at": certificate.next_at.map(|at| at.to_string()),
        "log_tail": tail(certificate, room), "next": cut(&certificate.next, room.words.max(90)),
    });
    // Only there where it says something: such a run has nothing to tell of its start.
    if let Some(at) = certificate.adopted {
        document["adopted_at"] = at.to_string().into();
    }
    document
}

/// The cause of the contract, its texts cut.
fn cause(cause: &Cause, room: &Room) -> Cause {
    let short = |text: &str| cut(&strip_control(text), room.words);
    match cause.clone() {
        Cause::SpawnFailed { errno, what, step } => Cause::SpawnFailed { errno, what: short(&what), step },
        Cause::PreflightFailed { code, what } => Cause::PreflightFailed { code, what: short(&what) },
        Cause::Unknown { why } => Cause::Unknown { why: short(&why) },
        bounded @ (Cause::Exited { .. }
        | Cause::Signaled { .. }
        | Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::Reboot
        | Cause::ShimKilled) => bounded,
    }
}

fn code(certificate: &Certificate) -> Option<String> {
    match certificate.status {
        Some(WaitStatus::Code(1)) if python_exception(&certificate.tail).is_some() => {
            Some("its output ends with an exception of Python's".to_owned())
        }
        Some(WaitStatus::Code(code)) => exit_code_meaning(code),
        Some(WaitStatus::Signal(..)) | None => None,
    }
}

/// The last ones, and among them the one that matters.
fn signals(certificate: &Certificate, room: &Room) -> Vec<Value> {
    let telling = signal_before(&certificate.cause, &certificate.signals)
        .or_else(|| telling_signal(&certificate.cause, &certificate.signals));
    let others = certificate.signals.iter().rev().filter(|record| telling != Some(record));
    let shown: Vec<&SignalRecord> = telling.into_iter().chain(others).take(room.signals).collect();
    let inside = certificate.signals.iter().filter(|record| shown.iter().any(|one| std::ptr::eq(*one, *record)));
    inside
        .map(|record| {
            let sender = record.sender.as_ref().map(|sender| {
                let cmdline = sender.cmdline.as_deref().map(|line| cut(&strip_control(line), room.cmdline));
                let mut sender = who(sender, room);
                sender["cmdline"] = json!(cmdline);
                sender
            });
            json!({"signal": record.signal, "at": record.at.to_string(), "to": record.to, "sender": sender, "survived": record.survived})
        })
        .collect()
}

fn seen(certificate: &Certificate) -> u64 {
    u64::try_from(certificate.signals.len()).unwrap_or(u64::MAX).saturating_add(certificate.more_signals)
}

fn who(sender: &Sender, room: &Room) -> Value {
    let chain = sender.parents.iter().map(|Ancestor { pid, comm }| format!("{} {pid}", strip_control(comm)));
    let parents = cut(&chain.collect::<Vec<_>>().join(" < "), room.parents);
    let comm = sender.comm.as_deref().map(|comm| cut(&strip_control(comm), room.words.min(20)));
    let parents = (!parents.is_empty()).then_some(parents);
    json!({"pid": sender.pid, "uid": sender.uid, "comm": comm, "parents": parents,
           "guardian": sender.guardian, "itself": sender.itself})
}

fn by(asked: &Asked, room: &Room) -> Value {
    match asked {
        Asked::Guardian { began } => {
            let why = match began {
                Began::Operator => "start",
                Began::Restart => "restart",
                Began::Trial => "trial",
                Began::Schedule { .. } => "schedule",
            };
            json!({"by": "guardian", "why": why})
        }
        Asked::Command { caller, agents } => {
            let agent = agents.first();
            let mut caller = who(caller, room);
            caller["by"] = json!("command");
            caller["agent"] = json!(agent.map(|agent| cut(&agent.name, room.words.min(20))));
            caller["session"] = json!(agent.and_then(|agent| agent.session.as_deref()).map(|session| cut(session, 64)));
            caller
        }
    }
}

/// The run that this one is compared with, and what is different; null: not known, or not compared.
fn differs(certificate: &Certificate, room: &Room) -> (Option<u64>, Option<Vec<String>>) {
    match &certificate.compared {
        None | Some(Compared::Never) => (None, None),
        Some(Compared::Unknown { run }) => (Some(*run), None),
        Some(Compared::With { run, found }) => {
            let lines = found.iter().take(room.differs).map(|one| cut(&strip_control(&one.line()), room.differs_width));
            (Some(*run), Some(lines.collect()))
        }
    }
}

/// Who lived on, as many as there is room for.
fn left(left: &Left, room: &Room) -> Value {
    let some = left.some.iter().take(room.differs.min(Left::NAMED));
    let some: Vec<Value> = some
        .map(|process| json!({"pid": process.pid, "comm": cut(&strip_control(&process.comm), room.words.min(16))}))
        .collect();
    json!({"count": left.count, "some": some})
}

fn tail(certificate: &Certificate, room: &Room) -> Vec<String> {
    let skip = certificate.tail.len().saturating_sub(room.tail);
    certificate.tail.iter().skip(skip).map(|line| cut(&strip_control(line), room.tail_width)).collect()
}
