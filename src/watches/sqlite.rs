//! OpenClaw's SQLite store, read without writing anything beside it.
//!
//! A store with a write-ahead log is read through the log that its writer keeps, never past it: what is in the file alone
//! may be hours old. Where neither is certain, or somebody has it locked, it cannot be told.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::policy::openclaw::stored;
use crate::policy::watch_jobs::Job;

/// Where the header says how it is written: 2 is with a write-ahead log.
const WRITE_VERSION: usize = 18;
/// How often a store that was written meanwhile is read again.
const TRIES: u32 = 3;

/// The jobs in the store at `path`.
///
/// # Errors
/// Why they cannot be told.
pub(super) fn jobs(path: &Path, limit: Duration) -> Result<Vec<Job>, String> {
    for _ in 0..TRIES {
        let before = version(path)?;
        let how = how(path)?;
        let jobs = query(&uri(path, how), limit / TRIES).map_err(|error| error.to_string())?;
        if how != "&immutable=1" || version(path)? == before {
            return Ok(jobs);
        }
    }
    Err("it is being written all the time".to_owned())
}

/// What changes when the file, or the log beside it, is written.
fn version(path: &Path) -> Result<[(u64, u64, i64, i64); 2], String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let of = |meta: &fs::Metadata| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    let log = fs::metadata(beside(path, "-wal")).map_or((0, 0, 0, 0), |meta| of(&meta));
    Ok([of(&meta), log])
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How it is opened so that SQLite makes no file.
fn how(path: &Path) -> Result<&'static str, String> {
    let mut header = [0; 100];
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    file.read_exact(&mut header).map_err(|_| "it is no SQLite store: it is too short".to_owned())?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err("it is no SQLite store".to_owned());
    }
    if header[WRITE_VERSION] != 2 {
        return Ok("");
    }
    let log = fs::metadata(beside(path, "-wal")).is_ok_and(|meta| meta.len() > 0);
    // Without a log nobody has it open, and all is in the file.
    Ok(if log { "&readonly_shm=1" } else { "&immutable=1" })
}

fn uri(path: &Path, how: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let escaped: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("file:{escaped}?mode=ro{how}")
}

fn query(uri: &str, limit: Duration) -> rusqlite::Result<Vec<Job>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(limit)?;
    let mut statement = connection.prepare("SELECT job_id, name, enabled, job_json, state_json FROM cron_jobs")?;
    let rows = statement.query_map([], |row| {
        let (id, name): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let (enabled, job, state): (Option<bool>, String, Option<String>) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(stored(&id, name.as_deref(), enabled, &job, state.as_deref()))
    })?;
    rows.collect()
}
