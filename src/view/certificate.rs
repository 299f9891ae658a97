//! The death certificate: what `why` says of one ended run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::ending::{Arrived, Cause, EndedRun, Unseen, WaitStatus};
use crate::model::event::SCHEMA;
use crate::model::evidence::End;
use crate::model::units::human_duration;

use super::words::{
    cause_phrase, cause_sentence, cut, lived_of_target, sender_sentence, strip_control, unseen_sentence,
};

/// Lines of output on a certificate.
const TAIL: usize = 8;
/// The same in JSON, which is to stay below 2 KiB.
const TAIL_JSON: usize = 4;
/// Characters of each of those.
const TAIL_JSON_WIDTH: usize = 120;
/// Signals in JSON.
const SIGNALS_JSON: usize = 2;
/// Characters of a command line in JSON.
const CMDLINE_JSON: usize = 80;

/// All that a certificate is made from.
#[derive(Debug, Clone)]
pub struct Certificate<'a> {
    /// Name of the process.
    pub name: &'a str,
    /// The ended run.
    pub ended: &'a EndedRun,
    /// Its target in seconds, where that is a duration.
    pub target_s: Option<u64>,
    /// What its shim recorded, if it could.
    pub end: Option<&'a End>,
    /// Why nothing shows who sent the signal that ended it.
    pub unseen: Option<Unseen>,
    /// Why its signals were not traced although that was asked for, in words.
    pub untraced: Option<String>,
    /// Last lines it wrote, oldest first, fit to be shown.
    pub tail: &'a [String],
    /// Where the process stands now, in a word.
    pub state: &'a str,
    /// The command to give next.
    pub next: String,
}

/// What an exit code usually means, where there is a convention.
#[must_use]
pub fn exit_code_meaning(code: i32) -> Option<String> {
    let known = match code {
        2 => "by custom: wrong usage, or a shell builtin that failed",
        64 => "sysexits: wrong usage",
        65 => "sysexits: bad input data",
        66 => "sysexits: input cannot be opened",
        69 => "sysexits: a service is unavailable",
        70 => "sysexits: internal error",
        71 => "sysexits: system error",
        73 => "sysexits: output cannot be created",
        74 => "sysexits: input/output error",
        75 => "sysexits: try again later",
        77 => "sysexits: permission denied",
        78 => "sysexits: configuration error",
        126 => "by a shell: found but cannot be executed",
        127 => "by a shell: command not found",
        129..=192 => {
            let signal = crate::model::signal::Signal(code - 128);
            return Some(format!("by a shell: a child ended by {signal}; the program itself chose this code"));
        }
        _ => return None,
    };
    Some(known.to_owned())
}

/// One screen for a tired person.
#[must_use]
pub fn text(certificate: &Certificate<'_>) -> String {
    let Certificate { name, ended, .. } = certificate;
    let lived = lived_of_target(ended.ran().map(|ran| ran.as_secs_f64()), certificate.target_s);
    let mut text = format!("{name} run {}: {} after {lived}\n\n", ended.run, ended.verdict.word());
    let mut row = |what: &str, value: &str| {
        text.push_str(&format!("  {what:<9} {}\n", strip_control(value)));
    };
    row("cause", &cause_phrase(&ended.cause, &ended.signals));
    if let Some(WaitStatus::Code(code)) = ended.status
        && let Some(meaning) = exit_code_meaning(code)
    {
        row("code", &format!("{code}, {meaning}"));
    }
    for record in &ended.signals {
        let sender = record.sender.as_ref().map_or("the kernel".to_owned(), sender_sentence);
        let seen = match record.to {
            Arrived::Shim | Arrived::Process => "",
            Arrived::Kernel => " (the kernel's own record)",
        };
        row("signal", &format!("{} at {} from {sender}{seen}", record.signal, record.at));
    }
    if let Some(why) = certificate.unseen {
        row("sender", &format!("not known: {}", unseen_sentence(why)));
    }
    if let Some(why) = &certificate.untraced {
        row("tracing", &format!("asked for, but refused: {why}"));
    }
    if let Some(by) = &ended.stopped_by {
        row("asked by", &sender_sentence(by));
    }
    row("began", &ended.began.wall.to_string());
    row("ended", &ended.ended.map_or("not known, it was found dead".to_owned(), |at| at.to_string()));
    if let Some(end) = certificate.end {
        let cpu = Duration::from_millis(end.user_ms + end.system_ms);
        row("used", &format!("{} CPU, {} MiB at most", human_duration(cpu), end.max_rss_kib / 1024));
        if end.leftover {
            row("left", "other processes lived on when the main one had ended");
        }
    }
    row("then", &ended.action);
    row("now", certificate.state);
    if !certificate.tail.is_empty() {
        text.push_str("\n  last output\n");
        for line in certificate.tail.iter().rev().take(TAIL).rev() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text.push_str(&format!("\n  next      {}\n", certificate.next));
    if certificate.ended.signals.is_empty() && unexplained(ended) {
        text.push_str("            register it with --trace-signals to learn who sends signals straight to it\n");
    }
    text
}

/// An end that a signal to the process itself could explain.
fn unexplained(ended: &EndedRun) -> bool {
    let bad =
        !matches!(ended.verdict, crate::model::ending::Verdict::Completed | crate::model::ending::Verdict::Stopped);
    let traceable = match ended.cause {
        Cause::Exited { .. } => true,
        Cause::Signaled { signal, .. } => signal.0 != libc::SIGKILL, // no process sees its own
        Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::PreflightFailed { .. }
        | Cause::NotReady { .. }
        | Cause::SpawnFailed { .. }
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => false,
    };
    bad && traceable
}

/// What an agent can act on, below 2 KiB.
#[must_use]
pub fn json(certificate: &Certificate<'_>) -> Value {
    let Certificate { name, ended, .. } = certificate;
    let signals: Vec<Value> = ended
        .signals
        .iter()
        .rev()
        .take(SIGNALS_JSON)
        .rev()
        .map(|record| {
            let sender = record.sender.as_ref().map(|sender| {
                json!({"pid": sender.pid, "uid": sender.uid, "comm": sender.comm, "guardian": sender.guardian,
                       "cmdline": sender.cmdline.as_deref().map(|line| cut(&strip_control(line), CMDLINE_JSON))})
            });
            json!({"signal": record.signal, "at": record.at.to_string(), "to": record.to, "sender": sender})
        })
        .collect();
    let tail: Vec<String> =
        certificate.tail.iter().rev().take(TAIL_JSON).rev().map(|line| cut(line, TAIL_JSON_WIDTH)).collect();
    let code = match ended.status {
        Some(WaitStatus::Code(code)) => exit_code_meaning(code),
        Some(WaitStatus::Signal(..)) | None => None,
    };
    json!({
        "schema": SCHEMA, "name": name, "run": ended.run, "verdict": ended.verdict.word(), "cause": ended.cause,
        "sentence": cut(&cause_sentence(&ended.cause, &ended.signals), 300),
        "ran_s": ended.ran().map(|ran| ran.as_secs_f64()), "target_s": certificate.target_s,
        "began_at": ended.began.wall.to_string(), "ended_at": ended.ended.map(|at| at.to_string()),
        "exit_code_means": code, "signals": signals, "signals_seen": ended.signals.len(),
        "sender_unknown": certificate.unseen, "untraced": certificate.untraced,
        "stopped_by": ended.stopped_by.as_ref().map(|by| json!({"pid": by.pid, "uid": by.uid, "comm": by.comm})),
        "cpu_s": certificate.end.map(|end| Duration::from_millis(end.user_ms + end.system_ms).as_secs_f64()),
        "max_rss_bytes": certificate.end.map(|end| end.max_rss_kib * 1024),
        "action": ended.action, "state": certificate.state, "log_tail": tail, "next": certificate.next,
    })
}
