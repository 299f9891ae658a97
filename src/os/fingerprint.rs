//! Which file it is, in which state, and the hash of exactly that state.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use ring::digest::{Context, SHA256, digest};

use crate::model::metadata::FileId;

use super::clock;

/// Largest file that is hashed, in bytes.
const HASHED_MAX: u64 = 1 << 30;
/// Longest time that one file is read for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Which regular file lies at `path` (links are followed), and in which state; `None`: none, or it cannot be asked.
#[must_use]
pub fn file_id(path: &Path) -> Option<FileId> {
    id(&std::fs::metadata(path).ok()?)
}

fn id(metadata: &Metadata) -> Option<FileId> {
    let nanos = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
    metadata.is_file().then_some(())?;
    Some(FileId {
        dev: metadata.dev(),
        ino: metadata.ino(),
        size: metadata.size(),
        mtime_ns: nanos(metadata.mtime(), metadata.mtime_nsec())?,
        ctime_ns: nanos(metadata.ctime(), metadata.ctime_nsec())?,
    })
}

/// SHA-256 of the file at `path`, if it is `wanted` before and after it was read; `None`: it is another one by now,
/// or it is too large or too slow.
#[must_use]
pub fn sha256_of(path: &Path, wanted: &FileId) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let same = |file: &File| file.metadata().ok().and_then(|metadata| id(&metadata)).as_ref() == Some(wanted);
    if wanted.size > HASHED_MAX || !same(&file) {
        return None;
    }
    let until = clock::boot_ms().ok()?.saturating_add(u64::try_from(PATIENCE.as_millis()).ok()?);
    let mut context = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => context.update(chunk.get(..count)?),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        if clock::boot_ms().ok()? > until {
            return None;
        }
    }
    same(&file).then(|| hex(context.finish().as_ref()))
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_state_that_was_seen_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "abc").unwrap();
        let seen = file_id(&path).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&path, &seen).as_deref(), Some(abc));
        assert_eq!(sha256(b"abc"), abc);
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(sha256_of(&path, &seen), None, "it was written to meanwhile");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(sha256_of(&path, &seen), None, "it is gone");
        assert_eq!(file_id(dir.path()), None, "a directory is no file");
    }
}
