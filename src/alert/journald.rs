//! The `journald` sink: one entry for each message, by the native protocol of systemd's journal.
//!
//! A datagram of fields: `KEY=value` and a newline, or for a value of several lines the key, a newline, the length as 64 bits
//! with the least first, the value and a newline. `journalctl -t guardian`, or `journalctl GUARDIAN_PROCESS=btc-bot`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::Message;
use super::syslog::{headline, priority};
use crate::model::delivery::Outcome;

/// Sends the message.
pub(super) fn send(socket: &str, message: &Message, limit: Duration) -> Outcome {
    match put(socket, &entry(message), limit) {
        Ok(()) => Outcome::delivered("the journal has it"),
        Err(error) => Outcome::failed(format!("cannot send to the journal at `{socket}`: {error}")),
    }
}

fn put(socket: &str, entry: &[u8], limit: Duration) -> io::Result<()> {
    let from = UnixDatagram::unbound()?;
    from.set_write_timeout(Some(limit))?;
    from.send_to(entry, socket).map(drop)
}

fn entry(message: &Message) -> Vec<u8> {
    let event = &message.event;
    let (at, priority) = (message.at.to_string(), priority(message).to_string());
    let pid = event.pid.map(|pid| pid.to_string());
    let known = [
        ("MESSAGE", Some(headline(message))),
        ("PRIORITY", Some(priority.as_str())),
        ("SYSLOG_IDENTIFIER", Some("guardian")),
        ("GUARDIAN_ID", Some(message.id.as_str())),
        ("GUARDIAN_AT", Some(at.as_str())),
        ("GUARDIAN_HOST", Some(message.host.as_str())),
        ("GUARDIAN_PROCESS", Some(event.process.as_str())),
        ("GUARDIAN_GROUP", event.group.as_deref()),
        ("GUARDIAN_KIND", Some(event.kind.word())),
        ("GUARDIAN_SEVERITY", Some(event.severity.word())),
        ("GUARDIAN_PID", pid.as_deref()),
        ("GUARDIAN_TEXT", Some(message.rendered.text.as_str())),
    ];
    let mut entry = Vec::new();
    for (name, value) in known {
        field(&mut entry, name, value.unwrap_or_default());
    }
    // `GUARDIAN_EVENT` and `GUARDIAN_NAME` are there already, under the names of the journal's other fields.
    for (name, value) in
        message.environment.iter().filter(|(name, _)| !["GUARDIAN_EVENT", "GUARDIAN_NAME"].contains(name))
    {
        field(&mut entry, name, value);
    }
    entry
}

/// One field; none where there is no value.
fn field(entry: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    entry.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fake::message;
    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);

    /// Reads an entry as journald does.
    fn read(mut rest: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            rest = &rest[end + 1..];
            let (name, value) = match line.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => {
                    let (length, after) = rest.split_first_chunk::<8>().unwrap();
                    let (value, after) = after.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
                    rest = after.strip_prefix(b"\n").expect("a newline after the value");
                    (line, String::from_utf8(value.to_vec()).unwrap())
                }
            };
            assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{name}");
            assert!(fields.insert(name.to_owned(), value).is_none(), "{name} twice");
        }
        fields
    }

    #[test]
    fn the_journal_gets_every_fact_as_a_field_and_no_text_can_forge_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut message = message();
        message.rendered.text.push_str("\nPRIORITY=0\nSYSLOG_IDENTIFIER=sshd\n");
        message.event.group = Some("a\nPRIORITY=0".to_owned());
        let outcome = send(path.to_str().unwrap(), &message, PATIENT);
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        let mut buffer = vec![0; 1 << 18];
        let count = journal.recv(&mut buffer).unwrap();
        let fields = read(&buffer[..count]);
        let is = |name: &str, value: &str| assert_eq!(fields.get(name).map(String::as_str), Some(value), "{fields:?}");
        is("SYSLOG_IDENTIFIER", "guardian");
        is("PRIORITY", &priority(&message).to_string());
        is("GUARDIAN_PROCESS", message.event.process.as_str());
        is("GUARDIAN_KIND", message.event.kind.word());
        is("GUARDIAN_ID", &message.id);
        is("GUARDIAN_TEXT", &message.rendered.text);
        is("GUARDIAN_GROUP", "a\nPRIORITY=0");
        is("GUARDIAN_CAUSE", message.event.cause.as_ref().unwrap().kind());
        assert!(fields["MESSAGE"].contains(message.event.process.as_str()), "{fields:?}");
    }

    #[test]
    fn a_journal_that_is_not_there_is_tried_again() {
        let outcome = send("/nonexistent/socket", &message(), PATIENT);
        assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.contains("/nonexistent")), "{outcome:?}");
    }
}
