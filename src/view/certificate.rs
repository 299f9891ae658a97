//! The death certificate: what `why` says of one ended run, on one screen.
//!
//! What is not known is said to be not known where it matters, and left out where it does not.

use std::time::Duration;

use crate::model::ending::{Cause, Sender, SignalRecord, Unseen, Verdict, WaitStatus};
use crate::model::evidence::{End, Left, Placed};
use crate::model::metadata::Metadata;
use crate::model::time::Wall;
use crate::model::units::human_duration;
use crate::policy::signature::Alike;

use super::circumstances::{place, started_by, takeover};
use super::differ::Difference;
use super::exit_code::{exit_code_meaning, python_exception};
use super::fit::{fit, wrap};
use super::words::{
    end_phrase, lived_of_target, sender_phrase, sender_sentence, signal_before, strip_control, telling_signal,
    unseen_sentence,
};

/// Lines of the whole, where the output leaves room for it.
const LINES: usize = 24;
/// Columns of each line.
const COLUMNS: usize = 100;
/// Columns before the values.
const INDENT: usize = 12;
/// Most lines of output.
const TAIL: usize = 8;
/// Fewest lines of output, however much else there is.
const TAIL_LEAST: usize = 2;
/// Rows that give way when all of them are more than a screen.
const LEAST_TELLING: [&str; 12] = [
    "place", "tracing", "started", "takeover", "memory", "asked by", "used", "left", "core", "blocked", "sender",
    "differs",
];
/// Signals that are shown.
const SIGNALS: usize = 4;
/// Lines for the signal that matters, with its sender.
const SENDER_LINES: usize = 3;
/// Differences that are shown.
const DIFFERENCES: usize = 5;

/// What a run that is well is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// No earlier run was well.
    Never,
    /// One was, but what it was started with is not known, of it or of this one.
    Unknown {
        /// Which one.
        run: u64,
    },
    /// What is different.
    With {
        /// From which run.
        run: u64,
        /// The most telling first.
        found: Vec<Difference>,
    },
}

/// All that a certificate is made from. What is `None` is not known.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Name of the process.
    pub name: String,
    /// Which run.
    pub run: u64,
    /// What its end meant.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub cause: Cause,
    /// What the kernel said.
    pub status: Option<WaitStatus>,
    /// Signals on their way to it, oldest first.
    pub signals: Vec<SignalRecord>,
    /// Signals beyond those.
    pub more_signals: u64,
    /// Who asked for the end.
    pub stopped_by: Option<Sender>,
    /// Whether signals to the process itself are seen.
    pub traced: bool,
    /// Pid of its main process.
    pub pid: Option<i32>,
    /// When it began.
    pub began: Option<Wall>,
    /// When it ended.
    pub ended: Option<Wall>,
    /// How long it lived.
    pub ran: Option<Duration>,
    /// Its target in seconds, where that is a duration.
    pub target_s: Option<u64>,
    /// What guardian did.
    pub action: Option<String>,
    /// What its shim recorded.
    pub end: Option<End>,
    /// Why nothing shows who sent the signal that ended it.
    pub unseen: Option<Unseen>,
    /// Why its signals were not traced although that was asked for.
    pub untraced: Option<String>,
    /// What lived on when the main process had ended.
    pub left: Option<Left>,
    /// When new shims took it over.
    pub taken_over: Vec<Wall>,
    /// When it was adopted, where it ran already.
    pub adopted: Option<Wall>,
    /// Where it was put.
    pub placed: Option<Placed>,
    /// What it was blocked on when it hung, in a sentence, and where more of that is kept.
    pub hang: Option<(String, String)>,
    /// What it was started with.
    pub metadata: Option<Metadata>,
    /// What differs from the last run before it that was well; `None`: it was well itself.
    pub compared: Option<Compared>,
    /// The run before it, if that ended in the same way.
    pub same_as: Option<u64>,
    /// What it has in common with the failure before it.
    pub alike: Option<Alike>,
    /// How long its runs usually take.
    pub usual: Option<Duration>,
    /// How to mend what kept it from starting.
    pub mend: Option<String>,
    /// Last lines it wrote, oldest first, fit to be shown.
    pub tail: Vec<String>,
    /// Where the process stands now, in the contract's word.
    pub state: &'static str,
    /// What guardian does next, and when.
    pub next_at: Option<Wall>,
    /// The command to give next.
    pub next: String,
}

/// One screen for a tired person.
#[must_use]
pub fn text(certificate: &Certificate) -> String {
    let lived = lived_of_target(certificate.ran.map(|ran| ran.as_secs_f64()), certificate.target_s);
    let usual = certificate.usual.map(|usual| format!(", usually {}", human_duration(usual))).unwrap_or_default();
    let verdict = certificate.verdict.map_or("ended, verdict not known,", Verdict::word);
    let mut lines = vec![
        fit(&format!("{} run {}: {verdict} after {lived}{usual}", certificate.name, certificate.run), COLUMNS),
        String::new(),
    ];
    let advice = advice(certificate);
    let least = certificate.tail.len().min(TAIL_LEAST);
    // What stands below the rows: the output with its heading, the advice, an empty line above each.
    let below = if least > 0 { least + 2 } else { 0 } + advice.len() + 1;
    for (what, values) in shortened(rows(certificate), LINES.saturating_sub(lines.len() + below)) {
        for (index, value) in values.iter().enumerate() {
            let what = if index == 0 { what } else { "" };
            lines.push(fit(&format!("  {what:<9} {}", strip_control(value)), COLUMNS));
        }
    }
    let room = LINES.saturating_sub(lines.len() + advice.len() + 3);
    let shown = certificate.tail.len().min(room.clamp(TAIL_LEAST, TAIL));
    if shown > 0 {
        lines.extend([String::new(), "  last output".to_owned()]);
        let tail = certificate.tail.iter().skip(certificate.tail.len() - shown);
        lines.extend(tail.map(|line| fit(&format!("    {}", strip_control(line)), COLUMNS)));
    }
    lines.push(String::new());
    lines.extend(advice);
    lines.join("\n") + "\n"
}

/// What it is about, and that in lines.
pub(super) type Row = (&'static str, Vec<String>);

/// The rows in so many lines: first those that take most are cut, then the least telling are left out.
fn shortened(mut rows: Vec<Row>, most: usize) -> Vec<Row> {
    let mut lines: usize = rows.iter().map(|(_, values)| values.len()).sum();
    while lines > most {
        let longest = rows.iter_mut().filter(|(_, values)| values.len() > 1).max_by_key(|(_, values)| values.len());
        let Some((_, values)) = longest else { break };
        values.pop();
        if let Some(last) = values.last_mut() {
            last.push_str(" …");
        }
        lines -= 1;
    }
    for what in LEAST_TELLING {
        if rows.iter().map(|(_, values)| values.len()).sum::<usize>() > most {
            rows.retain(|(name, _)| *name != what);
        }
    }
    rows
}

/// All that is known, without the output and what to do next.
pub(super) fn rows(certificate: &Certificate) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![(
        "cause",
        wrapped(&end_phrase(&certificate.cause, &certificate.signals, certificate.stopped_by.as_ref()), 2),
    )];
    let mut row =
        |what: &'static str, value: Option<String>| rows.extend(value.map(|value| (what, wrapped(&value, 2))));
    row("blocked", certificate.hang.as_ref().map(|(blocked, path)| format!("{blocked}; more in {path}")));
    row("code", code(certificate));
    row("mend", certificate.mend.clone());
    rows.extend(signals(certificate));
    let mut row =
        |what: &'static str, value: Option<String>| rows.extend(value.map(|value| (what, wrapped(&value, 2))));
    let unseen = certificate.unseen.filter(|_| certificate.stopped_by.is_none());
    row("sender", unseen.map(|why| format!("not known: {}", unseen_sentence(why))));
    row("tracing", certificate.untraced.as_ref().map(|why| format!("asked for, but refused: {why}")));
    row("asked by", certificate.stopped_by.as_ref().map(sender_phrase));
    row("lived", Some(lived(certificate)));
    row("used", certificate.end.as_ref().map(used));
    row("core", core(certificate));
    row("left", certificate.left.as_ref().map(Left::sentence));
    row("takeover", takeover(&certificate.taken_over, certificate.adopted));
    row("memory", certificate.end.as_ref().and_then(memory_kills));
    row("place", certificate.placed.as_ref().filter(|_| began(certificate)).map(place));
    row("started", certificate.metadata.as_ref().and_then(|metadata| metadata.asked.as_ref()).map(started_by));
    rows.extend(again(certificate));
    rows.extend(certificate.compared.as_ref().map(|compared| ("differs", differs(compared))));
    let mut row =
        |what: &'static str, value: Option<String>| rows.extend(value.map(|value| (what, wrapped(&value, 2))));
    row("then", Some(certificate.action.clone().unwrap_or_else(|| "not known".to_owned())));
    row("now", Some(now(certificate)));
    rows
}

/// What it has in common with what came before it.
fn again(certificate: &Certificate) -> Option<Row> {
    let mut lines = certificate.alike.as_ref().map_or(Vec::new(), |alike| wrapped(&alike.sentence, 2));
    lines.extend(certificate.same_as.map(|run| format!("run {run} before it ended in the same way")));
    (!lines.is_empty()).then_some(("again", lines))
}

/// What its exit code means, and whether its output shows an exception.
fn code(certificate: &Certificate) -> Option<String> {
    let Some(WaitStatus::Code(code)) = certificate.status else { return None };
    if let (1, Some(exception)) = (code, python_exception(&certificate.tail)) {
        return Some(format!("1, and its output ends with an exception of Python's: {exception}"));
    }
    exit_code_meaning(code).map(|meaning| format!("{code}, {meaning}"))
}

/// The signal that matters with all that is known of its sender, others in short.
fn signals(certificate: &Certificate) -> Vec<Row> {
    let telling = signal_before(&certificate.cause, &certificate.signals)
        .or_else(|| telling_signal(&certificate.cause, &certificate.signals));
    let others = certificate.signals.iter().rev().filter(|record| telling != Some(record)).take(SIGNALS - 1);
    let mut rows: Vec<Row> = telling
        .map(|record| {
            let sender = record.sender.as_ref().map_or("the kernel".to_owned(), sender_sentence);
            ("signal", wrapped(&format!("{} at {} from {sender}", record.signal, record.at), SENDER_LINES))
        })
        .into_iter()
        .collect();
    for record in others {
        let sender = record.sender.as_ref().map_or("the kernel".to_owned(), sender_phrase);
        rows.push(("signal", wrapped(&format!("{} at {} from {sender}", record.signal, record.at), 1)));
    }
    let seen = u64::try_from(certificate.signals.len()).unwrap_or(u64::MAX).saturating_add(certificate.more_signals);
    let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if seen > shown {
        rows.push(("", vec![format!("and {} more: guardian events {}", seen - shown, certificate.name)]));
    }
    rows
}

/// Whether there ever was a program to be put anywhere.
fn began(certificate: &Certificate) -> bool {
    !matches!(certificate.cause, Cause::SpawnFailed { .. })
}

fn lived(certificate: &Certificate) -> String {
    let pid = certificate.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let began = certificate.began.map_or("not known".to_owned(), |at| at.to_string());
    match certificate.ended {
        Some(ended) => format!("{began} to {ended}{pid}"),
        None if certificate.began.is_none() => format!("from when to when is no longer recorded{pid}"),
        None => format!("{began} to a time not known, it was found dead{pid}"),
    }
}

fn used(end: &End) -> String {
    let cpu = match end.cpu_ms() {
        Some(ms) => human_duration(Duration::from_millis(ms)),
        None => "not known how much".to_owned(),
    };
    let most = end.max_rss_kib.map(|kib| format!(", at most {} in one process", rounded(kib.saturating_mul(1024))));
    let all = end.memory_peak_bytes.map(|peak| format!(", {} in its control group", rounded(peak)));
    format!("{cpu} CPU{}{}", most.unwrap_or_default(), all.unwrap_or_default())
}

/// What the kernel did to processes of the run, the main one or another.
fn memory_kills(end: &End) -> Option<String> {
    let killed = end.oom?.own_group.filter(|killed| *killed > 0)?;
    let were = if killed == 1 { "process of it was" } else { "processes of it were" };
    Some(format!("{killed} {were} killed by the kernel for want of memory"))
}

fn rounded(bytes: u64) -> String {
    if bytes < 10 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

/// Where the core dump is, or why there is none, when the signal is one that makes one.
fn core(certificate: &Certificate) -> Option<String> {
    let Some(WaitStatus::Signal(signal, dumped)) = certificate.status else { return None };
    let makes_one =
        [libc::SIGSEGV, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGQUIT, libc::SIGTRAP];
    match certificate.end.as_ref().and_then(|end| end.core.as_ref()) {
        Some(core) => Some(core.clone()),
        None if dumped => Some("dumped; where is not known".to_owned()),
        None if makes_one.contains(&signal.0) => {
            let limit = certificate.metadata.as_ref().and_then(|metadata| metadata.rlimits.get("core"));
            let why = if matches!(limit, Some([Some(0), _])) { ": its limit is 0 (`ulimit -c`)" } else { "" };
            Some(format!("none{why}"))
        }
        None => None,
    }
}

fn differs(compared: &Compared) -> Vec<String> {
    match compared {
        Compared::Never => vec!["no earlier run was well, so there is none to compare with".to_owned()],
        Compared::Unknown { run } => {
            vec![format!("not known: run {run} was well, what was different then is not recorded")]
        }
        Compared::With { run, found } if found.is_empty() => {
            vec![format!("nothing that is recorded, from run {run}, which was well")]
        }
        Compared::With { run, found } => {
            let each = if found.len() > 2 { 1 } else { 2 };
            let mut lines: Vec<String> =
                found.iter().take(DIFFERENCES).flat_map(|one| wrapped(&one.line(), each)).collect();
            let more = found.len().saturating_sub(DIFFERENCES);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            lines.push(format!("from run {run}, which was well{more}"));
            lines
        }
    }
}

fn now(certificate: &Certificate) -> String {
    let at = certificate.next_at.map(|at| format!(" at {at}")).unwrap_or_default();
    let state = certificate.state;
    match state {
        "waiting" => format!("{state}: the next run is due{at}"),
        "tripped" => format!("{state}: the breaker is open, one run may try{at}"),
        "dead" => format!("{state}: guardian does not start it again by itself"),
        "unsupervised" => format!("{state}: it runs, its shim is gone; the next pass gives it a new one"),
        "hung" => format!("{state}: it lives and shows no progress"),
        _ => state.to_owned(),
    }
}

/// The text in lines that fit beside the labels; what does not fit into `most` of them is cut.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    wrap(text, COLUMNS - INDENT, most)
}

fn advice(certificate: &Certificate) -> Vec<String> {
    let mut lines: Vec<String> = wrapped(&certificate.next, 3)
        .into_iter()
        .enumerate()
        .map(|(index, line)| format!("  {:<9} {line}", if index == 0 { "next" } else { "" }))
        .collect();
    if certificate.signals.is_empty() && !certificate.traced && unexplained(certificate) {
        lines.push(format!("{:INDENT$}register it with --trace-signals to learn who sends signals straight to it", ""));
    }
    lines
}

/// An end that a signal to the process itself could explain.
fn unexplained(certificate: &Certificate) -> bool {
    let bad = matches!(certificate.verdict, Some(Verdict::Premature | Verdict::Failed));
    let traceable = match certificate.cause {
        // A code that has a meaning of its own needs no signal.
        Cause::Exited { code: number } => number > 128 || code(certificate).is_none(),
        Cause::Signaled { signal, .. } => signal.0 != libc::SIGKILL, // no process sees its own
        Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::PreflightFailed { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::SpawnFailed { .. }
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => false,
    };
    bad && traceable
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
