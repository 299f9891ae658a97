//! An inbox: a file of JSON lines, each message once, and beside it a flag that is there while somebody has not looked.
//!
//! For an agent whose session is gone, and for hooks that look when the next one begins.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::Message;
use super::file::{append_once, raise};

/// Appends the message, unless it is there, and raises the flag `PATH.flag`.
///
/// # Errors
/// The file cannot be written.
pub(super) fn put(path: &Path, message: &Message, text: &str) -> io::Result<()> {
    // Whole lines only: one that was cut off by a crash is written again.
    let is_it = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["id"] == message.id.as_str());
    let event = &message.event;
    let line = json!({
        "id": message.id, "at": message.at.to_string(), "host": message.host, "process": event.process,
        "run": event.run, "kind": event.kind, "verdict": event.verdict, "text": text,
    });
    append_once(path, &format!("{line}\n"), |tail| tail.lines().any(is_it))?;
    raise(path, &format!("{text}\n"))
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
