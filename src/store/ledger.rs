//! The ledger of delivered notifications: one line for each that is done with, newest last.
//!
//! Appended (with fsync) before the outbox forgets an entry, so that a crash between the two costs
//! a second look, never a second message; read for cooldowns and for `alerts list`. A torn last
//! line is dropped, an unreadable earlier one is counted and skipped: it can only cause a repeat.
//! Only the holder of the outbox lock writes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use super::atomic;
use super::checksum;
use super::paths::Paths;
use crate::error::{Code, Error};
use crate::model::delivery::Receipt;
use crate::model::time::Stamp;

/// Receipts that are kept however old they are.
const KEEP_COUNT: usize = 10_000;
/// Receipts younger than this are kept however many they are.
const KEEP_AGE: Duration = Duration::from_secs(30 * 86_400);
/// Rewriting costs, so it waits until this many could go.
const PRUNE_AT: usize = 2 * KEEP_COUNT;

/// The receipts, oldest first, and what could not be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Oldest first.
    pub receipts: Vec<Receipt>,
    /// Complete lines that are no receipts.
    pub unreadable: usize,
}

fn path(paths: &Paths) -> PathBuf {
    paths.outbox().join("delivered.jsonl")
}

/// Reads the whole ledger; none yet is an empty one.
///
/// # Errors
/// The file exists and cannot be read.
pub fn read(paths: &Paths) -> Result<Ledger, Error> {
    let Some(content) = atomic::read_if_there(&path(paths))? else { return Ok(Ledger::default()) };
    let mut ledger = Ledger::default();
    for line in content.split_inclusive(|b| *b == b'\n') {
        match (serde_json::from_slice(line), line.ends_with(b"\n")) {
            (Ok(receipt), true) if checksum::is_intact(line) => ledger.receipts.push(receipt),
            // The last append was cut off: that delivery has no receipt and is made again.
            (_, false) => {}
            (Err(_), true) if line.len() == 1 => {}
            (_, true) => ledger.unreadable += 1,
        }
    }
    Ok(ledger)
}

/// Whether this sink is done with this event. Cheap: it parses only lines that hold the id.
///
/// # Errors
/// The ledger exists and cannot be read.
pub fn holds(paths: &Paths, id: &str, sink: &str) -> Result<bool, Error> {
    let Some(content) = atomic::read_if_there(&path(paths))? else { return Ok(false) };
    let text = String::from_utf8_lossy(&content);
    let needle = format!("\"{id}\"");
    Ok(text
        .match_indices(&needle)
        .filter_map(|(at, _)| {
            let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let end = at + text[at..].find('\n')?;
            serde_json::from_str::<Receipt>(&text[begin..end]).ok()
        })
        .any(|receipt| receipt.id == id && receipt.sink == sink))
}

/// Appends receipts and makes them durable. The caller holds the outbox lock.
///
/// # Errors
/// The ledger cannot be written; then nothing may be taken for delivered.
pub fn append(paths: &Paths, receipts: &[Receipt]) -> Result<(), Error> {
    let path = path(paths);
    let fail = |error: std::io::Error| Error::io("append to", &path, &error);
    let mut lines = Vec::new();
    for receipt in receipts {
        lines.extend(encode(receipt)?);
    }
    let existed = path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(fail)?;
    if ends_torn(&file).map_err(fail)? {
        lines.insert(0, b'\n');
    }
    file.write_all(&lines).and_then(|()| file.sync_data()).map_err(fail)?;
    if existed { Ok(()) } else { File::open(paths.outbox()).and_then(|dir| dir.sync_all()).map_err(fail) }
}

fn encode(receipt: &Receipt) -> Result<Vec<u8>, Error> {
    let line = serde_json::to_vec(receipt)
        .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode a receipt: {error}")))?;
    let mut line = checksum::seal(line);
    line.push(b'\n');
    Ok(line)
}

fn ends_torn(file: &File) -> std::io::Result<bool> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, size - 1)?;
    Ok(last != *b"\n")
}

/// Forgets receipts that are both old and many. The caller holds the outbox lock.
///
/// # Errors
/// The ledger cannot be rewritten; the old one then stands.
pub fn prune(paths: &Paths, ledger: &Ledger, now: &Stamp) -> Result<(), Error> {
    if ledger.receipts.len() < PRUNE_AT {
        return Ok(());
    }
    let many = ledger.receipts.len() - KEEP_COUNT;
    let kept = ledger.receipts.iter().enumerate();
    let kept = kept.filter(|(nth, receipt)| *nth >= many || now.since(&receipt.at) < KEEP_AGE);
    let mut content = Vec::new();
    let mut count = 0;
    for (_, receipt) in kept {
        content.extend(encode(receipt)?);
        count += 1;
    }
    if count == ledger.receipts.len() { Ok(()) } else { atomic::replace(&path(paths), &content) }
}
