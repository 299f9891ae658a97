//! An inbox: a file of JSON lines, each message once, and beside it a flag that is there while somebody has not looked.
//!
//! For an agent whose session is gone, and for hooks that look when the next one begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use serde_json::json;

use super::Message;
use crate::store::atomic;

/// How much of the file's end is searched for a message that is there already.
const TAIL: u64 = 256 * 1024;

/// Appends the message, unless it is there, and raises the flag `PATH.flag`.
///
/// # Errors
/// The file cannot be written.
pub(super) fn put(path: &Path, message: &Message, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let tail = tail(&file)?;
    // Whole lines only: one that was cut off by a crash is written again.
    let is_it = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line["id"] == message.id.as_str())
    };
    if !tail.lines().any(is_it) {
        let fresh = if tail.is_empty() || tail.ends_with('\n') { "" } else { "\n" };
        let event = &message.event;
        let line = json!({
            "id": message.id, "at": message.at.to_string(), "host": message.host, "process": event.process,
            "run": event.run, "kind": event.kind, "verdict": event.verdict, "text": text,
        });
        file.write_all(format!("{fresh}{line}\n").as_bytes())?;
        file.sync_data()?;
    }
    let mut flag = path.as_os_str().to_owned();
    flag.push(".flag");
    atomic::replace(Path::new(&flag), format!("{text}\n").as_bytes()).map_err(|error| io::Error::other(error.message))
}

fn tail(file: &File) -> io::Result<String> {
    let size = file.metadata()?.len();
    let begin = size.saturating_sub(TAIL);
    let mut content = vec![0; usize::try_from(size - begin).map_err(io::Error::other)?];
    file.read_exact_at(&mut content, begin)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fake::message;

    #[test]
    fn a_message_is_one_line_however_often_it_is_put_and_one_cut_off_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inbox");
        std::fs::write(&path, format!("{{\"id\":\"{}\",\"at\":", message().id)).unwrap();
        for _ in 0..3 {
            put(&path, &message(), "facts").unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let line: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!((&line["text"], &line["id"]), (&json!("facts"), &json!(message().id)));
        assert_eq!(std::fs::read_to_string(dir.path().join("inbox.flag")).unwrap(), "facts\n");
    }
}
