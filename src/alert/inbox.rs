//! An inbox: a file of JSON lines, each message once, and beside it a flag that is there while somebody has not looked.
//!
//! For an agent whose session is gone, and for hooks that look when the next one begins.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Message;
use super::file::{append_once, raise};
use crate::store::atomic;

/// Most of it that is read for one who looks, in bytes.
const LOOK: u64 = 256 * 1024;

/// Appends the message, unless it is there, and raises the flag `PATH.flag`. `told`: the session that has it already.
///
/// # Errors
/// The file cannot be written.
pub(super) fn put(path: &Path, message: &Message, text: &str, told: Option<&str>) -> io::Result<()> {
    // Whole lines only: one that was cut off by a crash is written again.
    let is_it = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["id"] == message.id.as_str());
    let event = &message.event;
    let line = json!({
        "id": message.id, "at": message.at.to_string(), "host": message.host, "process": event.process,
        "run": event.run, "kind": event.kind, "verdict": event.verdict, "text": text, "told": told,
    });
    append_once(path, &format!("{line}\n"), |tail| tail.lines().any(is_it))?;
    raise(path, &format!("{text}\n"))
}

/// A line that nobody has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The facts.
    pub text: String,
    /// The session that was told them when they were put here.
    pub told: Option<String>,
}

/// What has come since somebody looked, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unseen {
    /// The lines.
    pub lines: Vec<Line>,
    /// Up to where in the file they reach.
    end: u64,
}

/// The newest lines that nobody has looked at; none, where there is no inbox. Takes the flag down first: what comes meanwhile raises it again.
///
/// # Errors
/// The file or its mark cannot be read, the flag not be taken down.
pub fn unseen(path: &Path) -> io::Result<Unseen> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Unseen::default()),
        Err(error) => return Err(error),
    };
    remove(beside(path, "flag"))?;
    let mark = atomic::read_if_there(&beside(path, "seen")).map_err(|error| io::Error::other(error.message))?;
    let mark = mark.and_then(|mark| String::from_utf8(mark).ok()?.trim().parse::<u64>().ok());
    let size = file.metadata()?.len();
    // A file that was begun anew is shorter than what was seen of the old one.
    let begin = mark.filter(|mark| *mark <= size).unwrap_or(0).max(size.saturating_sub(LOOK));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(LOOK).read_to_end(&mut bytes)?;
    // One that is being written is looked at the next time.
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    let end = begin + u64::try_from(bytes.len()).map_err(io::Error::other)?;
    let read = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).ok()?;
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        Some(Line { text: text("text")?, told: text("told") })
    };
    Ok(Unseen { lines: bytes.split(|byte| *byte == b'\n').filter_map(read).collect(), end })
}

/// Marks what was found as looked at.
///
/// # Errors
/// The mark cannot be written.
pub fn seen(path: &Path, unseen: &Unseen) -> io::Result<()> {
    if unseen.lines.is_empty() {
        return Ok(());
    }
    let mark = format!("{}\n", unseen.end);
    atomic::replace(&beside(path, "seen"), mark.as_bytes()).map_err(|error| io::Error::other(error.message))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: PathBuf) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
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
            put(&path, &message(), "facts", None).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let line: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!((&line["text"], &line["id"]), (&json!("facts"), &json!(message().id)));
        assert_eq!(std::fs::read_to_string(dir.path().join("inbox.flag")).unwrap(), "facts\n");
    }

    #[test]
    fn each_line_is_looked_at_once_and_a_file_begun_anew_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inbox");
        let look = || {
            let found = unseen(&path).unwrap();
            seen(&path, &found).unwrap();
            found.lines.into_iter().map(|line| (line.text, line.told)).collect::<Vec<_>>()
        };
        assert_eq!(look(), []);
        put(&path, &message(), "facts", Some("s1")).unwrap();
        assert_eq!(look(), [("facts".to_owned(), Some("s1".to_owned()))]);
        assert!(!dir.path().join("inbox.flag").exists());
        assert_eq!(look(), []);
        let add = |text: &str| {
            let whole = std::fs::read_to_string(&path).unwrap() + text;
            std::fs::write(&path, whole).unwrap();
        };
        add("no JSON\n{\"text\":\"more\"}\n{\"text\":\"half");
        assert_eq!(look(), [("more".to_owned(), None)]);
        add("\"}\n");
        assert_eq!(look(), [("half".to_owned(), None)]);
        std::fs::write(&path, "{\"text\":\"new\"}\n").unwrap();
        assert_eq!(look(), [("new".to_owned(), None)]);
    }
}
