//! Whether two failures are the same one: the cause, and the line of the output that says most, with what differs each
//! time (numbers, times, addresses, ids, temporary files) folded away.
//!
//! Asked at the end of a run, and by `why`. Keeps no hash: the line itself is kept, so that it can be shown, and is
//! folded anew at each comparison, so that a better folding needs no new state. Reads no file.

use crate::model::ending::Cause;
use crate::model::state::Failure;

use super::fold::fold;

/// Longest line that is kept, in characters.
const WIDTH: usize = 200;
/// Lines at the end in which a word such as `error` is looked for: further up it may be about anything.
const NEAR: usize = 5;
/// The same for the line of an exception: below it are its frames.
const FRAMES: usize = 40;
/// How lines begin that say where, and not what.
const NOISE: [&str; 11] = [
    "at ",
    "File \"",
    "goroutine ",
    "exit status ",
    "note: run with `RUST_BACKTRACE",
    "stack backtrace:",
    "Node.js v",
    "Require stack:",
    "- /",
    "Traceback (most recent call last)",
    "created by ",
];
/// Words of a line that says what went wrong.
const WORDS: [&str; 10] =
    ["error", "fatal", "panic", "exception", "failed", "cannot", "can't", "not found", "denied", "refused"];

/// What a failure has in common with the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// How often in a row the same one came.
    pub times: u32,
    /// In a sentence.
    pub sentence: String,
}

impl Alike {
    /// Taken from what is remembered of a failure; `None`: there was none before it.
    #[must_use]
    pub fn of(failure: &Failure) -> Option<Self> {
        sentence(failure).map(|sentence| Self { times: failure.times, sentence })
    }
}

/// The failure of `run`, after which other one, and whether that was the same. `tail`: the last lines that it wrote,
/// oldest first, clean; `None`: they could not be read, and then it is like no other.
#[must_use]
pub fn failure(before: Option<&Failure>, run: u64, cause: &Cause, tail: Option<&[String]>) -> Option<Failure> {
    let line = telling(tail?).chars().take(WIDTH).collect();
    let this = Failure { run, what: what(cause), line, times: 1, other: None };
    Some(match before {
        Some(before) if is_same(before, &this) => Failure { times: before.times.saturating_add(1), ..this },
        Some(before) => Failure { other: Some(shown(before)), ..this },
        None => this,
    })
}

/// Whether two failures are the same one.
#[must_use]
pub fn is_same(one: &Failure, other: &Failure) -> bool {
    one.what == other.what && fold(&one.line) == fold(&other.line)
}

/// What it has in common with the failure before it, in a sentence; `None`: there was none before it.
#[must_use]
pub fn sentence(failure: &Failure) -> Option<String> {
    let shown = shown(failure);
    match (failure.times, &failure.other) {
        (0 | 1, None) => None,
        (0 | 1, Some(other)) => Some(format!("a different failure than the last time, when it was: {other}")),
        (2, _) => Some(format!("the same failure as the last time: {shown}")),
        (times, _) => Some(format!("the same failure as the last {} times: {shown}", times - 1)),
    }
}

fn shown(failure: &Failure) -> String {
    match failure.line.as_str() {
        "" => format!("{}, without any output", failure.what),
        line => line.to_owned(),
    }
}

/// The cause, with what differs each time left out. Codes stay: another code is another failure.
fn what(cause: &Cause) -> String {
    let kind = cause.kind().replace('_', " ");
    match cause {
        Cause::Exited { code } => format!("exit code {code}"),
        Cause::Signaled { signal, .. } => signal.to_string(),
        Cause::SpawnFailed { errno, what, .. } => format!("{kind}, error {errno}: {}", fold(what)),
        Cause::PreflightFailed { what, .. } => format!("{kind}: {}", fold(what)),
        Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => kind,
    }
}

/// The line that says most about why it ended; empty: it wrote nothing.
#[must_use]
pub fn telling(tail: &[String]) -> String {
    let lines: Vec<&str> = tail.iter().map(|line| line.trim()).filter(|line| !is_noise(line)).collect();
    if let Some(at) = lines.iter().rposition(|line| is_panic(line)) {
        // Rust has what on a line of its own.
        let message = lines.get(at + 1).filter(|_| lines[at].ends_with(':'));
        return message.map_or(lines[at].to_owned(), |message| format!("{} {message}", lines[at]));
    }
    let near = |most: usize| lines.iter().rev().take(most);
    let exception = near(FRAMES).find(|line| is_exception(line));
    let named = || near(NEAR).find(|line| WORDS.iter().any(|word| line.to_lowercase().contains(word)));
    exception.or_else(named).or(lines.last()).map_or(String::new(), |line| (*line).to_owned())
}

fn is_noise(line: &str) -> bool {
    NOISE.iter().any(|begin| line.starts_with(begin)) || !line.contains(char::is_alphanumeric)
}

fn is_panic(line: &str) -> bool {
    line.starts_with("panic: ") || line.starts_with("fatal error: ") || line.contains(" panicked at ")
}

/// `ValueError: no`, `java.lang.NullPointerException`, `Uncaught TypeError: x`.
fn is_exception(line: &str) -> bool {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let name = line.split(':').next().unwrap_or(line);
    let ends = ["Error", "Exception", "Interrupt", "SystemExit"].iter().any(|end| name.ends_with(end));
    ends && name.chars().all(|letter| letter.is_alphanumeric() || "_.$".contains(letter))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
