//! `logs --cursor`: whole lines from where the reader left off, and what is told beside them.
//!
//! A line that goes on being written is told, and left for the next call. One that nobody can finish any more is whole.

use std::io::{self, Read};

use serde_json::{Value, json};

use super::Call;
use super::logs_lines::Span;
use crate::model::name::Name;
use crate::store::log::{Extent, Log};
use crate::store::record;

/// Most of an unfinished line that is told, in bytes: its end, where a question stands.
const BEGUN: u64 = 1024;

/// What is told beside the lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// The cursor lay beyond the end: the log was replaced, and is given from its beginning.
    replaced: bool,
    /// Bytes of a line that is not finished.
    unfinished: u64,
    /// The end of that line.
    text: String,
}

impl Beside {
    /// For a cursor, and what there is of the log.
    pub(super) fn of(cursor: &str, extent: Option<Extent>) -> Self {
        let end = extent.map_or(0, |extent| extent.end);
        Self { replaced: cursor.parse::<u64>().is_ok_and(|cursor| cursor > end), ..Self::default() }
    }

    /// `span` up to its last whole line, so that a cursor never splits one; a line longer than the limit is split.
    pub(super) fn whole_lines(
        &mut self,
        call: &Call,
        name: &Name,
        log: &Log,
        span: Span,
        end: u64,
    ) -> io::Result<Span> {
        let mut bytes = Vec::new();
        log.span(span.from, span.to).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = u64::try_from(bytes.len() - whole).map_err(io::Error::other)?;
        let whole = u64::try_from(whole).map_err(io::Error::other)?;
        if span.to == end && rest > 0 {
            let over = over(call, name).filter(|over| (end - rest + 1..=end).contains(over));
            let to = over.unwrap_or(end - rest);
            self.unfinished = end - to;
            self.text = String::from_utf8_lossy(&log.tail(to, end, BEGUN)?).into_owned();
            return Ok(Span { to, ..span });
        }
        let split = u64::try_from(bytes.len() - begun_character(&bytes)).map_err(io::Error::other)?;
        let split = if split == 0 { span.to - span.from } else { split };
        Ok(Span { to: span.from + if whole == 0 && span.to < end { split } else { whole }, ..span })
    }

    /// Escape sequences are taken out of it, too.
    pub(super) fn strip(&mut self) {
        self.text = anstream::adapter::strip_str(&self.text).to_string();
    }

    /// Into the answer in JSON.
    pub(super) fn enter(&self, answer: &mut Value) {
        answer["replaced"] = json!(self.replaced);
        answer["unfinished_bytes"] = json!(self.unfinished);
        if self.unfinished > 0 {
            answer["unfinished"] = json!(self.text);
        }
    }

    /// For people.
    pub(super) fn tell(&self, call: &Call) {
        if call.out.is_json() || call.out.is_quiet() {
            return;
        }
        if self.replaced {
            call.out.complain("the log is shorter than this cursor: it was replaced, and is given from its beginning");
        }
        if self.unfinished > 0 {
            call.out.complain(&format!("{} bytes of a line that is not finished: {}", self.unfinished, self.text));
        }
    }
}

/// Up to where the last run wrote, once it is over: nobody finishes a line of its. What is not known may go on.
fn over(call: &Call, name: &Name) -> Option<u64> {
    let last = record::runs(&call.ctx.paths, name).ok()?.into_iter().max()?;
    record::output(&call.ctx.paths, name, last).1
}

/// How many bytes at the end of `bytes` are a character of UTF-8 that goes on behind them.
fn begun_character(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(3).position(|byte| byte & 0xc0 == 0xc0).map_or(0, |at| at + 1);
    let wanted = bytes.iter().rev().nth(tail.saturating_sub(1)).map_or(0, |byte| byte.leading_ones() as usize);
    if tail < wanted { tail } else { 0 }
}
