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
    let written = append(path, message).map_err(|error| format!("cannot append to `{}`: {error}", path.display()));
    let mut flag = path.as_os_str().to_owned();
    flag.push(".flag");
    let line = format!("{} {} id {}\n", message.at, message.rendered.subject, message.id);
    let flagged = written.and_then(|said| {
        atomic::replace(Path::new(&flag), line.as_bytes()).map(|()| said).map_err(|error| error.message)
    });
    match flagged {
        Ok(said) => Outcome::delivered(said),
        Err(error) => Outcome::failed(error),
    }
}

fn append(path: &Path, message: &Message) -> io::Result<&'static str> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let tail = tail(&file)?;
    let id = format!("id {}\n", message.id);
    // Whole lines only: a block that was cut off by a crash is written again.
    if tail.starts_with(&id) || tail.contains(&format!("\n{id}")) {
        return Ok("it was there already");
    }
    let fresh = if tail.is_empty() || tail.ends_with('\n') { "" } else { "\n" };
    let block = format!("{fresh}{} {}\n{}\n", message.at, message.rendered.subject, message.rendered.text);
    file.write_all(block.as_bytes())?;
    file.sync_data()?;
    Ok("appended")
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
