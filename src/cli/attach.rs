//! Staying with a run for a while: its output is shown, its end is seen at once.
//!
//! Woken by the end of the process and, where output is shown as it comes, by the log. Holds no lock and nothing of the
//! run: whoever is ended here leaves it as it is.

use std::io;
use std::time::Duration;

use anstream::adapter::StripBytes;

use crate::error::Error;
use crate::model::ending::EndedRun;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::os::signals;
use crate::os::watch::{Ends, FileWatch};
use crate::store::log::Log;
use crate::store::record;
use crate::supervise::now;

use super::Call;
use super::wait::{Pause, Seen, look};

/// Bytes that are shown at once.
const PIECE: usize = 64 << 10;
/// Longest pause between two looks of a command that soon goes: a shim that is killed changes no file.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// A run that is stayed with.
pub(super) struct Attach<'a> {
    pub(super) name: &'a Name,
    pub(super) spec: &'a Spec,
    pub(super) run: u64,
    /// How long.
    pub(super) until: Stamp,
    /// Output is shown as it comes.
    pub(super) live: bool,
    /// Escape sequences are taken out.
    pub(super) plain: bool,
    /// Longest pause between two looks.
    pub(super) look: Duration,
    /// Bytes of output that are shown at most; the newest, unless they are shown as they come.
    pub(super) most: Option<u64>,
}

/// What came of it.
pub(super) struct Attached {
    /// How it ended, if it did.
    pub(super) ended: Option<EndedRun>,
    /// Somebody pressed Ctrl-C.
    pub(super) interrupted: bool,
    /// What it wrote and was not shown yet.
    pub(super) output: Vec<u8>,
    /// Position of the first byte that was left out, and how many were.
    pub(super) cut: Cut,
    /// Position up to which its output is known.
    pub(super) cursor: u64,
}

impl Attach<'_> {
    /// Until it has ended, time is over, or somebody interrupts.
    pub(super) fn stay(&self, call: &Call) -> Result<Attached, Error> {
        let path = call.ctx.paths.log(self.name);
        let fail = |error: io::Error| Error::io("read", &path, &error).about(self.name);
        let log = Log::at(&path);
        let watch = if self.live { Some(FileWatch::new(&path).map_err(fail)?) } else { None };
        let (from, _) = record::output(&call.ctx.paths, self.name, self.run);
        let from = from.map_or_else(|| log.end(), Ok).map_err(fail)?;
        let mut shown = Shown { at: from, left: self.most, strip: StripBytes::new(), plain: self.plain };
        let mut pause = Pause::default();
        let (ended, interrupted) = loop {
            let mut ends = Ends::default();
            let seen = look(call, self.spec, self.name, Some(self.run), &mut ends)?;
            if self.live {
                let end = log.end().map_err(fail)?;
                shown.show(call, &log, self.end(call, matches!(seen, Seen::Ended(..)), end)).map_err(fail)?;
            }
            let now = now()?;
            let soon = match seen {
                Seen::Ended(last, _) => break (Some(*last), false),
                _ if signals::was_interrupted() => break (None, true),
                _ if now.has_reached(&self.until) => break (None, false),
                Seen::Watched => None,
                Seen::Soon | Seen::Begins => Some(pause.next()),
            };
            let limit = soon.unwrap_or(self.look).min(self.until.since(&now));
            let waited = match &watch {
                Some(watch) => ends.wait_or(watch, Some(limit)),
                None => ends.wait(Some(limit)),
            };
            waited.map_err(fail)?;
        };
        let to = self.end(call, ended.is_some(), log.end().map_err(fail)?);
        if self.live {
            let cut = (shown.at < to).then(|| (shown.at, to - shown.at));
            return Ok(Attached { ended, interrupted, output: Vec::new(), cut, cursor: to });
        }
        let (output, cut) = newest(&log, from, to, self.most).map_err(fail)?;
        let output =
            if self.plain { StripBytes::new().strip_next(&output).flatten().copied().collect() } else { output };
        Ok(Attached { ended, interrupted, output, cut, cursor: to })
    }

    /// Position of the end of what this run wrote.
    fn end(&self, call: &Call, ended: bool, end: u64) -> u64 {
        match ended {
            true => record::output(&call.ctx.paths, self.name, self.run).1.unwrap_or(end).min(end),
            false => end,
        }
    }
}

/// Position of the first byte that was left out, and how many were.
type Cut = Option<(u64, u64)>;

/// The newest of what was written, from the beginning of a line on; what was left out before it.
fn newest(log: &Log, from: u64, to: u64, most: Option<u64>) -> io::Result<(Vec<u8>, Cut)> {
    let most = most.unwrap_or(u64::MAX);
    let mut bytes = log.tail(from, to, most)?;
    if to - from <= most {
        return Ok((bytes, None));
    }
    // A line that is longer than all that is shown is shown from within.
    let begin = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1).filter(|begin| *begin < bytes.len());
    let begin = begin.unwrap_or_else(|| bytes.iter().take_while(|byte| is_inside(**byte)).count());
    bytes.drain(..begin);
    let cut = to - from - u64::try_from(bytes.len()).map_err(io::Error::other)?;
    Ok((bytes, Some((from, cut))))
}

/// Whether a character of UTF-8 has begun before this byte.
const fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Output that is shown as it comes.
struct Shown {
    at: u64,
    /// Bytes that may still be shown.
    left: Option<u64>,
    strip: StripBytes,
    plain: bool,
}

impl Shown {
    fn show(&mut self, call: &Call, log: &Log, to: u64) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        while self.at < to && self.left != Some(0) {
            let room = (to - self.at).min(self.left.unwrap_or(u64::MAX));
            let room = usize::try_from(room).unwrap_or(PIECE).min(PIECE);
            let (at, read) = log.read(self.at, piece.get_mut(..room).unwrap_or(&mut []))?;
            if read == 0 {
                break;
            }
            let bytes = piece.get(..read).unwrap_or(&[]);
            let count = u64::try_from(read).map_err(io::Error::other)?;
            self.at = at + count;
            self.left = self.left.map(|left| left.saturating_sub(count));
            // A reader that closed its end has enough; the run goes on.
            drop(match self.plain {
                true => call.out.raw(&self.strip.strip_next(bytes).flatten().copied().collect::<Vec<u8>>()),
                false => call.out.raw(bytes),
            });
        }
        Ok(())
    }
}
