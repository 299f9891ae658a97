//! What is wrong with a registry, where, and what to do about it.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with a registry file. Prints as `12:9: process `x`: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The name, as written, of the process it is about.
    pub process: Option<String>,
    /// What is wrong with which key. No final period.
    pub message: String,
    /// What to do about it; empty: the message says it.
    pub hint: String,
}

impl Problem {
    /// What is wrong at this byte of a text.
    #[must_use]
    pub fn at(text: &str, at: usize, message: String, hint: String) -> Self {
        let (line, column) = Lines::new(text).position(at);
        Self { line, column, process: None, message, hint }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(process) = &self.process {
            write!(f, "process `{}`: ", process.escape_debug())?;
        }
        f.write_str(&self.message)
    }
}

/// Turns byte offsets of a text into lines and columns.
pub(super) struct Lines<'t> {
    pub(super) text: &'t str,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column, both from 1, the column in characters. An offset inside a character counts as its end.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(offset - start, |before| before.chars().count());
        (line, column + 1)
    }
}

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn similar<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase().replace('-', "_");
    let likeness = |candidate: &str| {
        let candidate = candidate.replace('-', "_");
        let slip = word.len() > 2 && strsim::osa_distance(&word, &candidate) == 1;
        if slip { 1.0 } else { strsim::jaro(&word, &candidate) }
    };
    let scored = known.into_iter().map(|candidate| (likeness(candidate), candidate));
    let best = scored.filter(|(score, _)| *score > 0.75).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = "a\nä😀x\n";
        let lines = Lines::new(text);
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(text.find('x').unwrap()), (2, 3));
        assert_eq!(lines.position(text.len()), (3, 1));
        assert_eq!(lines.position(9999), (3, 1));
    }

    #[test]
    fn a_likely_word_is_offered_and_an_unlikely_one_is_not() {
        let words = ["grace", "group", "stop_signal"];
        assert_eq!(similar("grcae", words), Some("grace"));
        assert_eq!(similar("stop-signal", words), Some("stop_signal"));
        assert_eq!(similar("quux", words), None);
    }
}
