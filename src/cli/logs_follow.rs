//! `logs --follow`: what a process writes, in whole lines as they come, until the reader is gone. With `--json` each piece
//! is a document of its own, with the cursor behind it. Looks at no limit: who follows wants all.

use std::io;
use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;
use serde_json::json;

use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::os::watch::FileWatch;
use crate::store::log::Log;

use super::Call;

/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// Between two looks for a log that nobody has written to yet.
const NOT_YET: Duration = Duration::from_millis(100);

/// Goes on from `at` as the log of `name` grows.
pub(super) fn follow(call: &Call, name: &Name, path: &Path, mut at: u64, grep: Option<&Regex>) -> io::Result<()> {
    let log = Log::at(path);
    while log.extent()?.is_none() {
        std::thread::sleep(NOT_YET);
    }
    let watch = FileWatch::new(path)?;
    let mut rest = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let (from, read) = log.read(at, &mut piece)?;
        at = from + u64::try_from(read).unwrap_or(0); // what was read fits
        if read == 0
            && let Some(extent) = log.extent()?.filter(|extent| extent.end < at)
        {
            at = extent.start; // the program emptied it
        }
        rest.extend(piece.iter().take(read));
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = rest.drain(..whole).collect();
        let cursor = at.saturating_sub(u64::try_from(rest.len()).unwrap_or(0)); // it was read, so it fits
        tell(call, name, &lines, cursor, grep);
        if !call.out.is_heard() {
            return Ok(());
        }
        if read == 0 {
            watch.wait(None)?;
        }
    }
}

/// Shows those of `lines` that match.
fn tell(call: &Call, name: &Name, lines: &[u8], cursor: u64, grep: Option<&Regex>) {
    let each = lines.split_inclusive(|byte| *byte == b'\n');
    let wanted: Vec<&[u8]> = match grep {
        None => each.collect(),
        Some(grep) => each.filter(|line| grep.is_match(&String::from_utf8_lossy(line))).collect(),
    };
    if wanted.is_empty() {
        return;
    }
    if !call.out.is_json() {
        drop(call.out.raw(&wanted.concat())); // whether anybody hears it is asked after each piece
        return;
    }
    let text = |line: &&[u8]| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned();
    let lines: Vec<String> = wanted.iter().map(text).collect();
    call.out.json(&json!({"schema": SCHEMA, "name": name, "lines": lines, "cursor": cursor.to_string(),
                          "cut_bytes": 0, "gone_bytes": 0}));
}
