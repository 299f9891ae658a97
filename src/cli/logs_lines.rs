//! Lines of a stretch of a log: whole ones, those that match, no more than was asked for.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

use regex_lite::Regex;

use crate::store::log::Log;

/// Bytes that are read at once.
pub(super) const PIECE: usize = 256 << 10;
/// A line that is longer is searched in pieces of so many bytes.
const LONGEST: u64 = 1 << 20;

/// A stretch of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The span from its first line that begins in it: the rest of a line that began before is left out, if any other is there.
pub(super) fn from_line_start(log: &Log, span: Span, first: u64) -> io::Result<Span> {
    if span.from <= first {
        return Ok(span);
    }
    let mut rest = Vec::new();
    let read = BufReader::new(log.span(span.from - 1, span.to)).read_until(b'\n', &mut rest)?;
    let read = u64::try_from(read).map_err(io::Error::other)?;
    let from = (span.from - 1 + read).max(span.from);
    Ok(Span { from: if from < span.to { from } else { span.from }, ..span })
}

/// Lines of a span that match, without their ends: the last of them, of at most `most` bytes; and the bytes of the others.
pub(super) fn read(log: &Log, span: Span, grep: Option<&Regex>, most: u64) -> io::Result<(Vec<String>, u64)> {
    let (mut lines, mut kept, mut dropped) = (VecDeque::<String>::new(), 0, 0);
    let size = |line: &str| u64::try_from(line.len()).map_or(u64::MAX, |size| size + 1);
    let words = grep.and_then(|grep| plain(grep.as_str()));
    let wanted = |line: &str| match (&words, grep) {
        (Some(words), _) => words.iter().any(|word| line.contains(word)),
        (None, Some(grep)) => grep.is_match(line),
        (None, None) => true,
    };
    let longest = if grep.is_some() { LONGEST } else { u64::MAX };
    let mut reader = BufReader::with_capacity(PIECE, log.span(span.from, span.to));
    loop {
        let mut line = Vec::new();
        if reader.by_ref().take(longest).read_until(b'\n', &mut line)? == 0 {
            return Ok((lines.into(), dropped));
        }
        line.pop_if(|last| *last == b'\n');
        let line = String::from_utf8_lossy(&line).into_owned();
        if wanted(&line) {
            kept += size(&line);
            lines.push_back(line);
        }
        while kept > most
            && lines.len() > 1
            && let Some(oldest) = lines.pop_front()
        {
            (kept, dropped) = (kept - size(&oldest), dropped + size(&oldest));
        }
    }
}

/// The words that a pattern of plain words looks for, one or several with `|` between: a search for these is many times quicker.
fn plain(pattern: &str) -> Option<Vec<&str>> {
    (!pattern.contains(|letter| r"\.+*?()[]{}^$".contains(letter))).then(|| pattern.split('|').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_found_where_the_pattern_finds_them_and_no_other_pattern_is_taken_for_some() {
        for (pattern, is_plain) in [
            ("ERROR", true),
            ("ERROR|Trace back", true),
            ("a|", true),
            ("é", true),
            ("^a", false),
            ("a.b", false),
            ("(?i)a", false),
        ] {
            let words = plain(pattern);
            assert_eq!(words.is_some(), is_plain, "{pattern}");
            let regex = Regex::new(pattern).unwrap();
            for line in ["an ERROR", "a Trace back", "", "é", "error"] {
                let found = words.as_ref().map(|words| words.iter().any(|word| line.contains(word)));
                assert_eq!(found.unwrap_or(regex.is_match(line)), regex.is_match(line), "{pattern} {line}");
            }
        }
    }
}
