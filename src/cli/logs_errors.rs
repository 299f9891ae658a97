//! `logs --errors`: what looks like an error, each kind once with its count, in few lines.

use serde_json::json;

use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::policy::error_lines::kinds;

use super::Call;
use super::logs_cursor::Beside;

/// Kinds that are shown at most: the last ones.
const SHOWN: usize = 50;
/// Longest line of one, in characters.
const WIDTH: usize = 300;

/// What was read.
pub(super) struct Read {
    /// The position up to which.
    pub(super) cursor: u64,
    /// Bytes that were left out.
    pub(super) cut: u64,
    /// With a cursor.
    pub(super) beside: Option<Beside>,
}

/// Tells the errors among `lines`.
pub(super) fn tell(call: &Call, name: &Name, lines: &[String], read: &Read) -> u8 {
    let Read { cursor, cut, beside } = read;
    let kinds = kinds(lines);
    let left_out = kinds.len().saturating_sub(SHOWN);
    let shown = kinds.get(left_out..).unwrap_or(&[]);
    let rows: Vec<_> = shown
        .iter()
        .map(|kind| json!({"line": kind.line.chars().take(WIDTH).collect::<String>(), "count": kind.count}))
        .collect();
    let total: usize = kinds.iter().map(|kind| kind.count).sum();
    let mut answer = json!({"schema": SCHEMA, "name": name, "errors": rows, "total": total, "kinds": kinds.len(),
                            "lines_read": lines.len(), "cursor": cursor.to_string(), "cut_bytes": cut});
    if let Some(beside) = beside {
        beside.enter(&mut answer);
        beside.tell(call);
    }
    call.out.json(&answer);
    let text: Vec<String> = shown
        .iter()
        .map(|kind| format!("{:>5}x {}", kind.count, kind.line.chars().take(WIDTH).collect::<String>()))
        .collect();
    if !text.is_empty() {
        call.out.say(&text.join("\n"));
    }
    if !call.out.is_json() && !call.out.is_quiet() {
        let more = if left_out > 0 {
            format!("; {left_out} earlier kinds left out: guardian logs {name} --grep")
        } else {
            String::new()
        };
        let unread = if *cut > 0 { format!("; {cut} earlier bytes not read: --max-bytes") } else { String::new() };
        call.out.complain(&format!(
            "{total} of {} lines look like errors, of {} kinds{more}{unread}",
            lines.len(),
            kinds.len()
        ));
    }
    0
}
