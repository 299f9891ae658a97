//! Looking for a line in what a program writes, as it writes it: each byte is read once.

use std::io;
use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;

use crate::os::watch::FileWatch;
use crate::store::log::Log;

/// Bytes that are read at once; a longer line is looked at in pieces.
const PIECE: usize = 64 << 10;
/// Longest pause between two looks, should the kernel not tell.
const LOOK: Duration = Duration::from_millis(500);

/// The output of a program from some point on.
pub(super) struct Output {
    log: Log,
    at: u64,
    pattern: Regex,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// Nothing more had been written when it was looked at last.
    quiet: bool,
    watch: FileWatch,
}

impl Output {
    /// What is written to the log at `path` from `from` on.
    pub(super) fn new(path: &Path, from: u64, pattern: &str) -> io::Result<Self> {
        let pattern = Regex::new(pattern).map_err(io::Error::other)?;
        let watch = FileWatch::only(path)?;
        Ok(Self { log: Log::at(path), at: from, pattern, rest: Vec::new(), quiet: false, watch })
    }

    /// Whether a line matches. One without an end counts once nothing more comes: a prompt has none.
    pub(super) fn look(&mut self) -> io::Result<bool> {
        loop {
            let before = self.rest.len();
            self.rest.resize(before + PIECE, 0);
            let (at, read) = self.log.read(self.at, self.rest.get_mut(before..).unwrap_or(&mut []))?;
            self.rest.truncate(before + read);
            if read == 0 {
                return Ok(std::mem::replace(&mut self.quiet, true) && self.is_match(&self.rest));
            }
            self.quiet = false;
            self.at = at + u64::try_from(read).map_err(io::Error::other)?;
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let lines: Vec<u8> = self.rest.drain(..whole).collect();
            if lines.split_inclusive(|byte| *byte == b'\n').any(|line| self.is_match(line)) {
                return Ok(true);
            }
            if self.rest.len() > PIECE {
                self.rest.clear();
            }
        }
    }

    fn is_match(&self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        self.pattern.is_match(text.strip_suffix('\n').unwrap_or(&text))
    }

    /// Until more was written, or for a while.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.watch.wait(Some(LOOK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn a_line_that_comes_in_pieces_is_found_and_what_came_before_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"listening on 1\n").unwrap();
        let mut output = Output::new(&path, 15, "^listening on [0-9]+$").unwrap();
        assert!(!output.look().unwrap(), "the line of the run before");
        log.write_all(b"almost listening on 2\nlisten").unwrap();
        assert!(!output.look().unwrap());
        log.write_all(b"ing on 3").unwrap();
        assert!(!output.look().unwrap(), "it may go on");
        log.write_all(b"\n").unwrap();
        assert!(output.look().unwrap());
    }

    #[test]
    fn a_line_without_an_end_counts_when_nothing_more_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        std::fs::write(&path, b"sql> ").unwrap();
        let mut output = Output::new(&path, 0, "^sql> $").unwrap();
        assert!(!output.look().unwrap());
        assert!(output.look().unwrap());
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        std::fs::write(&path, b"\xff\xfe\0 ready\n").unwrap();
        assert!(Output::new(&path, 0, "ready$").unwrap().look().unwrap());
    }
}
