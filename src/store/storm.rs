//! What passes know of each other's failures: one line each, appended under a lock that is held for a moment.
//!
//! Written only when a run ended badly, and read only then, by whoever delivers, and by `status`. A torn
//! or damaged line is dropped: a failure that nobody remembers can only cost a message more. Not
//! synced, because after a power cut nothing of it counts. Bounded in age and size. Decides nothing.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Code, Error};
use crate::model::storm::Line;
use crate::model::time::Stamp;
use crate::os::lock;
use crate::policy::storm::kept;

use super::{atomic, checksum, paths::Paths};

/// How long a line is kept: the recovery of a process may come long after the storm.
pub const KEPT: Duration = Duration::from_secs(3600);
/// Size from which on old lines are dropped.
const PRUNE_AT: u64 = 1 << 20;
/// Lines that are kept then, some 300 bytes each.
const MOST: usize = 2000;

fn dir(paths: &Paths) -> PathBuf {
    paths.state.join("storm")
}

fn path(paths: &Paths) -> PathBuf {
    dir(paths).join("failures.jsonl")
}

/// The right to look, judge and write: held for a moment, after that of a process.
///
/// # Errors
/// It cannot be taken.
pub fn lock(paths: &Paths) -> Result<lock::Held, Error> {
    atomic::make_dir(&dir(paths))?;
    lock::wait(&dir(paths).join("lock"))
}

/// The right to put messages about a storm into the outbox: several processes have the same to say.
///
/// # Errors
/// It cannot be taken.
pub fn telling(paths: &Paths) -> Result<lock::Held, Error> {
    atomic::make_dir(&dir(paths))?;
    lock::wait(&dir(paths).join("telling.lock"))
}

/// All lines, oldest first; none where nothing failed lately.
///
/// # Errors
/// The file is there and cannot be read.
pub fn load(paths: &Paths) -> Result<Vec<Line>, Error> {
    let Some(bytes) = atomic::read_if_there(&path(paths))? else { return Ok(Vec::new()) };
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    Ok(whole.filter(|line| checksum::is_sealed(line)).filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn encode(lines: &[Line]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for line in lines {
        let line = serde_json::to_vec(line)
            .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode a failure: {error}")))?;
        bytes.extend(checksum::seal(line));
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Appends lines; [`lock`] is held by the caller.
///
/// # Errors
/// They cannot be written.
pub fn append(paths: &Paths, lines: &[Line], now: &Stamp) -> Result<(), Error> {
    let path = path(paths);
    let fail = |error: std::io::Error| Error::io("append to", &path, &error);
    if fs::metadata(&path).is_ok_and(|file| file.len() > PRUNE_AT) {
        let rest = kept(load(paths)?, now, KEPT, MOST);
        atomic::replace_unsynced_dir(&path, &encode(&rest)?)?;
    }
    // The end of a torn line is an empty one.
    let mut bytes = vec![b'\n'];
    bytes.extend(encode(lines)?);
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(fail)?;
    file.write_all(&bytes).map_err(fail)
}

/// Forgets everything: nobody asks for it any more. [`lock`] is held by the caller.
///
/// # Errors
/// The file cannot be removed.
pub fn clear(paths: &Paths) -> Result<(), Error> {
    atomic::remove_if_there(&path(paths))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;

    fn told(storm: &str) -> Line {
        Line::Told { storm: storm.to_owned() }
    }

    #[test]
    fn a_torn_line_costs_itself_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_path_buf();
        let paths = Paths { registry: home.join("r"), state: home.join("state"), home: None };
        assert_eq!(load(&paths).unwrap(), []);
        let _held = lock(&paths).unwrap();
        append(&paths, &[told("a")], &at(0)).unwrap();
        let mut file = OpenOptions::new().append(true).open(path(&paths)).unwrap();
        file.write_all(b"{\"told\":{\"sto").unwrap();
        append(&paths, &[told("b"), told("c")], &at(0)).unwrap();
        file.write_all(b"{\"told\":{\"storm\":\"d\"}}\n{\"told\"").unwrap(); // nobody sealed it
        assert_eq!(load(&paths).unwrap(), [told("a"), told("b"), told("c")]);
        clear(&paths).unwrap();
        clear(&paths).unwrap();
        assert_eq!(load(&paths).unwrap(), []);
    }

    #[test]
    fn the_file_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_path_buf();
        let paths = Paths { registry: home.join("r"), state: home.join("state"), home: None };
        let _held = lock(&paths).unwrap();
        let many: Vec<Line> = (0..40_000).map(|nth| told(&nth.to_string())).collect();
        append(&paths, &many, &at(0)).unwrap();
        append(&paths, &[told("last")], &at(0)).unwrap();
        let left = load(&paths).unwrap();
        assert_eq!((left.len(), left.last()), (MOST + 1, Some(&told("last"))));
    }
}
