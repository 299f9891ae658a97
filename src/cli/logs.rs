//! `logs`: what a process wrote, by lines, run, time, or from where the reader left off.

use std::io::{self, BufRead, BufReader};

use clap::Parser;
use regex_lite::Regex;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::units::parse_bytes;
use crate::store::log::{Extent, Log};
use crate::store::log_index::Sample;
use crate::store::{log_index, record, state};
use crate::supervise::now;

use super::common::{known, registry};
use super::logs_cursor::Beside;
use super::logs_lines::{PIECE, Span, from_line_start, read};
use super::moment;
use super::{Call, logs_errors, logs_follow};

/// Lines shown when nothing else limits them.
const LINES: usize = 100;
/// Bytes shown at most, unless `--max-bytes` says otherwise.
const MAX_BYTES: u64 = 1 << 20;
/// The same for `--json` and `--cursor`, whose readers have small windows.
const MAX_BYTES_JSON: u64 = 64 << 10;

/// Shows what a process wrote to standard output and error
///
/// All that is still there, rotated parts included. Times are to the minute within a run (the program writes its lines itself), exact at its start and end.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian logs btc-bot --since 15m --grep 'ERROR|Traceback'")]
pub(super) struct Logs {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
    /// The last N lines [default: 100, or all where another option limits them]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Go on as it is written
    #[arg(short, long)]
    follow: bool,
    /// From this time on: `15m` (ago), `18:30`, `2026-11-20 18:30`, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// Only lines that match this regular expression; all of the log is searched
    #[arg(long, value_name = "RE")]
    grep: Option<String>,
    /// Only lines that look like errors, each kind once, counted
    #[arg(long, conflicts_with_all = ["follow", "lines"])]
    errors: bool,
    /// Take escape sequences (colours, cursor) out of it
    #[arg(long, conflicts_with = "follow")]
    plain: bool,
    /// Only what this run wrote
    #[arg(long, value_name = "N", conflicts_with = "cursor")]
    run: Option<u64>,
    /// Only what is new since this cursor (`0`: from the beginning); the next one is printed on standard error
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["since", "until", "follow"])]
    cursor: Option<String>,
    /// At most this much, `64K`, `2M`; the newest of it, with a cursor the oldest
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<String>,
}

pub(super) fn run(call: &Call, command: &Logs) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let path = call.ctx.paths.log(&name);
    let fail = |error: io::Error| Error::io("read", &path, &error).about(&name);
    let log = Log::at(&path);
    let extent = log.extent().map_err(fail)?;
    let grep = command.grep.as_deref().map(pattern).transpose()?;
    let mut beside = command.cursor.as_deref().map(|cursor| Beside::of(cursor, extent));
    let Some(extent) = extent else {
        known(&registry(call)?, std::slice::from_ref(&name), call)?;
        let code = nothing_there(call, &name, beside.as_ref())?;
        if command.follow {
            logs_follow::follow(call, &name, &path, 0, grep.as_ref()).map_err(fail)?;
        }
        return Ok(code);
    };
    let (whole, gone) = there(span(call, command, &name, extent)?, extent);
    let limit = limit(call, command)?;
    // All of it is searched, and what matches is limited: who looks for a line does not know how far back it is.
    let (most_read, most_kept) = match grep.is_some() && command.max_bytes.is_none() && command.cursor.is_none() {
        true => (u64::MAX, limit),
        false => (limit, u64::MAX),
    };
    let (span, cut) = bounded(command, whole, most_read);
    let span = match &mut beside {
        Some(beside) => beside.whole_lines(call, &name, &log, span, whole.to),
        None => from_line_start(&log, span, extent.first),
    };
    let span = span.map_err(fail)?;
    // What was left out so that no line is split counts too.
    let cut = if cut == 0 { 0 } else { (whole.to - span.to) + (span.from - whole.from) };
    let (mut lines, dropped) = read(&log, span, grep.as_ref(), most_kept).map_err(fail)?;
    let cut = cut + dropped;
    if command.plain || command.errors {
        lines.iter_mut().for_each(|line| *line = anstream::adapter::strip_str(line).to_string());
        beside.iter_mut().for_each(Beside::strip);
    }
    if command.errors {
        return Ok(logs_errors::tell(call, &name, &lines, &logs_errors::Read { cursor: span.to, cut, beside }));
    }
    let plain = command.since.is_none() && command.until.is_none() && command.run.is_none() && command.cursor.is_none();
    let most = command.lines.or((plain && grep.is_none()).then_some(LINES));
    // Who asks for the last lines and gets as many need not hear of what is before them.
    let enough = most.is_some_and(|most| lines.len() >= most) && command.cursor.is_none();
    if let Some(most) = most {
        lines.drain(..lines.len().saturating_sub(most));
    }
    tell(call, command, &name, &lines, &Shown { span, cut, gone, enough, beside });
    if !plain || command.follow {
        warn(call, &extent);
    }
    if command.follow {
        logs_follow::follow(call, &name, &path, span.to, grep.as_ref()).map_err(fail)?;
    }
    Ok(0)
}

fn nothing_there(call: &Call, name: &Name, beside: Option<&Beside>) -> Result<u8, Error> {
    let mut answer =
        json!({"schema": SCHEMA, "name": name, "lines": [], "cursor": "0", "cut_bytes": 0, "gone_bytes": 0});
    if let Some(beside) = beside {
        beside.enter(&mut answer);
        beside.tell(call);
    }
    call.out.json(&answer);
    if !call.out.is_json() && !call.out.is_quiet() {
        // A start makes the file, so who has run without one has lost it.
        let runs = state::load(&call.ctx.paths, name)?.is_some_and(|state| state.open().is_some());
        call.out.complain(&match (runs, record::runs(&call.ctx.paths, name)?.is_empty()) {
            (true, _) => format!(
                "the log of `{name}` is gone, somebody removed it: what it writes is lost until `guardian restart {name}`"
            ),
            (false, true) => format!("`{name}` has written nothing yet"),
            (false, false) => format!("the log of `{name}` is gone, somebody removed it"),
        });
    }
    Ok(0)
}

pub(super) fn pattern(text: &str) -> Result<Regex, Error> {
    Regex::new(text).map_err(|error| {
        Error::new(Code::Usage, "bad_regex", format!("pattern {text:?} cannot be read: {error}"))
            .hint("escape what is meant literally with a backslash")
    })
}

fn limit(call: &Call, command: &Logs) -> Result<u64, Error> {
    match &command.max_bytes {
        Some(text) => {
            parse_bytes(text).map_err(|error| Error::new(Code::Usage, "bad_size", error.what).hint(error.hint))
        }
        None if call.out.is_json() || command.cursor.is_some() => Ok(MAX_BYTES_JSON),
        None => Ok(MAX_BYTES),
    }
}

/// The stretch that was asked for, before any limit on its size.
fn span(call: &Call, command: &Logs, name: &Name, extent: Extent) -> Result<Span, Error> {
    let size = extent.end;
    if let Some(cursor) = &command.cursor {
        let from: u64 = cursor.parse().map_err(|_| {
            Error::new(Code::Usage, "bad_cursor", format!("cursor {cursor:?} is none that guardian gave"))
                .hint("begin with --cursor 0")
        })?;
        // A log that is shorter than it was began anew, which is told.
        return Ok(Span { from: if from > size { extent.start } else { from }, to: size });
    }
    let mut span = Span { from: 0, to: size };
    if let Some(run) = command.run {
        span = run_span(call, name, run, size)?;
    }
    if command.since.is_none() && command.until.is_none() {
        return Ok(span);
    }
    let now = now()?.wall;
    let samples = samples(call, name)?;
    if let Some(since) = &command.since {
        let since = moment::parse(since, now)?;
        let before = samples.iter().rev().find(|sample| sample.at <= since);
        span.from = span.from.max(before.map_or(0, |sample| sample.bytes));
    }
    if let Some(until) = &command.until {
        let until = moment::parse(until, now)?;
        // A clock that was set back made later bytes older: whatever was written before that time is shown.
        let mut by_place = samples;
        by_place.sort_by_key(|sample| (sample.bytes, sample.at));
        let after = by_place.iter().rev().take_while(|sample| sample.at >= until).last();
        span.to = span.to.min(after.map_or(size, |sample| sample.bytes));
    }
    Ok(Span { from: span.from.min(span.to), ..span })
}

/// What is still there of a stretch, and how many bytes of it went with the oldest parts.
fn there(span: Span, extent: Extent) -> (Span, u64) {
    let from = span.from.max(extent.first.min(span.to));
    (Span { from, ..span }, from - span.from)
}

/// What one run wrote: from its start to its end, or to now.
fn run_span(call: &Call, name: &Name, run: u64, size: u64) -> Result<Span, Error> {
    let missing = |why: &str| {
        let message = format!("run {run} of `{name}` {why}");
        Error::new(Code::No, "no_such_run", message).hint(format!("guardian events {name} lists its runs")).about(name)
    };
    match record::read(&call.ctx.paths, name, run).0 {
        Recorded::Read(_) => {
            let (from, to) = record::output(&call.ctx.paths, name, run);
            let from = from.ok_or_else(|| missing("did not note where its output begins"))?;
            Ok(Span { from, to: to.unwrap_or(size).min(size) }) // not ended: all that follows
        }
        Recorded::Missing => Err(missing("has no record any more")),
        Recorded::Unreadable(why) => Err(missing(&format!("has a record that cannot be read: {why}"))),
    }
}

/// All that is known of which size the log had when, oldest first.
fn samples(call: &Call, name: &Name) -> Result<Vec<Sample>, Error> {
    let mut samples = log_index::read(&call.ctx.paths, name)?;
    for run in record::runs(&call.ctx.paths, name)? {
        let Recorded::Read(record) = record::read(&call.ctx.paths, name, run).0 else { continue };
        let began = record.began.as_ref().zip(record.log_began).map(|(at, bytes)| Sample { at: at.wall, bytes });
        let ended = record.end.and_then(|end| end.log_bytes.map(|bytes| Sample { at: end.at.wall, bytes }));
        samples.extend(began.into_iter().chain(ended));
    }
    samples.sort_by_key(|sample| (sample.at, sample.bytes));
    Ok(samples)
}

/// At most `limit` bytes: the newest, or with a cursor the oldest; and how many were left out.
fn bounded(command: &Logs, whole: Span, limit: u64) -> (Span, u64) {
    let cut = (whole.to - whole.from).saturating_sub(limit);
    match command.cursor {
        Some(_) => (Span { to: whole.to - cut, ..whole }, cut),
        None => (Span { from: whole.from + cut, ..whole }, cut),
    }
}

/// What was read of what was asked for.
struct Shown {
    span: Span,
    /// Bytes that were left out.
    cut: u64,
    /// Bytes that are there no more.
    gone: u64,
    /// As many lines are shown as were asked for.
    enough: bool,
    /// With a cursor.
    beside: Option<Beside>,
}

fn tell(call: &Call, command: &Logs, name: &Name, lines: &[String], shown: &Shown) {
    let Shown { span, cut, gone, enough, beside } = shown;
    let (cut, gone, enough) = (*cut, *gone, *enough);
    let mut answer = json!({"schema": SCHEMA, "name": name, "lines": lines, "cursor": span.to.to_string(),
                            "cut_bytes": cut, "gone_bytes": gone});
    if let Some(beside) = beside {
        beside.enter(&mut answer);
    }
    call.out.json(&answer);
    if call.out.is_json() {
        return;
    }
    if !lines.is_empty() {
        // What the program wrote is shown as it is; a reader that closed its end has enough.
        drop(call.out.raw(format!("{}\n", lines.join("\n")).as_bytes()));
    }
    if cut > 0 && !enough && !call.out.is_quiet() {
        let which = if command.cursor.is_some() {
            "more bytes follow: give the next cursor"
        } else {
            "earlier bytes were left out: see --max-bytes"
        };
        call.out.complain(&format!("{cut} {which}"));
    }
    // Who asks for the last lines need not hear of the first ones.
    let asked = command.cursor.is_some() || command.run.is_some() || command.since.is_some();
    if gone > 0 && asked && !call.out.is_quiet() {
        call.out.complain(&format!("{gone} bytes of it are gone by rotation: see `log_max` and `log_keep`"));
    }
    if let Some(beside) = beside {
        beside.tell(call);
        call.out.complain(&format!("cursor: {}", span.to));
    }
}

/// Says what may be missing from the log without a trace in it.
fn warn(call: &Call, extent: &Extent) {
    if call.out.is_json() || call.out.is_quiet() {
        return;
    }
    if let Some(at) = extent.emptied {
        call.out.complain(&format!("the program had emptied its log when guardian looked at {at}: that is gone"));
    }
    if let Some(at) = extent.copied {
        call.out.complain(&format!(
            "this file system can only copy and empty a log: lines written meanwhile may be gone, last at {at}"
        ));
    }
}

/// Whether a line of what was written from `from` on matches, and where to look on from.
pub(super) fn search(log: &Log, from: u64, pattern: &Regex) -> io::Result<(Option<String>, u64)> {
    let mut lines = BufReader::with_capacity(PIECE, log.span(from, log.end()?));
    let mut line = Vec::new();
    let mut next = from;
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        let read = lines.get_ref().position() - u64::try_from(lines.buffer().len()).map_err(io::Error::other)?;
        let whole = line.last() == Some(&b'\n');
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if !line.is_empty() && pattern.is_match(text) {
            return Ok((Some(text.to_owned()), read));
        }
        if !whole {
            return Ok((None, next)); // the last line may not be whole yet: it is looked at again
        }
        next = read;
    }
}
