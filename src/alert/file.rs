//! The `file` sink: a text file that grows, and beside it a flag with the newest line, for an
//! agent's own heartbeat to pick up.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Message;
use crate::model::delivery::Outcome;
use crate::store::atomic;

/// How much of the file's end is searched for a message that is there already.
const TAIL: u64 = 256 * 1024;

/// Appends the message, once, then replaces the flag.
pub(super) fn send(path: &str, message: &Message) -> Outcome {
    let path = Path::new(path);
    let id = format!("id {}\n", message.id);
    let block = format!("{} {}\n{}\n", message.at, message.rendered.subject, message.rendered.text);
    let line = format!("{} {} id {}\n", message.at, message.rendered.subject, message.id);
    // Whole lines only: a block that was cut off by a crash is written again.
    let is_there = |tail: &str| tail.starts_with(&id) || tail.contains(&format!("\n{id}"));
    match append_once(path, &block, is_there).and_then(|fresh| raise(path, &line).map(|()| fresh)) {
        Ok(true) => Outcome::delivered("appended"),
        Ok(false) => Outcome::delivered("it was there already"),
        Err(error) => Outcome::failed(format!("cannot append to `{}`: {error}", path.display())),
    }
}

/// Appends `block`, unless `is_there` finds it in the end of the file; whether it did. It is on the disk when this returns.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn append_once(path: &Path, block: &str, is_there: impl Fn(&str) -> bool) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let tail = tail(&file)?;
    if is_there(&tail) {
        return Ok(false);
    }
    let fresh = if tail.is_empty() || tail.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{fresh}{block}").as_bytes())?;
    file.sync_data()?;
    Ok(true)
}

/// Replaces the flag beside the file, `PATH.flag`.
///
/// # Errors
/// It cannot be written.
pub(super) fn raise(path: &Path, line: &str) -> io::Result<()> {
    let mut flag = path.as_os_str().to_owned();
    flag.push(".flag");
    // Several sinks may write the same flag at once, and a temporary file has one writer.
    let mut mine = flag.clone();
    mine.push(format!(".{}-{:?}", std::process::id(), std::thread::current().id()));
    let told = |error: crate::error::Error| io::Error::other(error.message);
    atomic::replace(Path::new(&mine), line.as_bytes()).map_err(told)?;
    std::fs::rename(&mine, &flag)?;
    Path::new(&flag).parent().map_or(Ok(()), atomic::sync_dir).map_err(told)
}

fn tail(file: &File) -> io::Result<String> {
    let size = file.metadata()?.len();
    let begin = size.saturating_sub(TAIL);
    let mut content = vec![0; usize::try_from(size - begin).map_err(io::Error::other)?];
    file.read_exact_at(&mut content, begin)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
