//! Strays as text and as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use super::table::align;
use super::words::{cut, strip_control};
use crate::model::event::SCHEMA;
use crate::model::metadata::Agent;
use crate::model::time::Wall;
use crate::model::units::human_duration;

/// Widest command line in the table, in characters.
const WIDTH: usize = 100;

/// One stray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `strays --json`")]
pub struct Row {
    pub pid: i32,
    pub agents: Vec<Agent>,
    pub command: String,
    pub uid: Option<u32>,
    pub since: Option<String>,
    pub age_s: Option<u64>,
    pub processes: usize,
    pub rss_bytes: Option<u64>,
    pub ports: Option<Vec<u16>>,
}

/// What else there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Strays that are not shown.
    pub more: usize,
    /// Processes that could not be looked at.
    pub unreadable: usize,
    /// Processes of others cannot even be seen.
    pub hidden: bool,
}

/// Who started it: `claude-code f56-7`.
#[must_use]
pub fn starters(agents: &[Agent]) -> String {
    let words = agents.iter().map(|agent| match &agent.session {
        Some(session) => format!("{} {session}", agent.name),
        None => agent.name.clone(),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// All of it in one sentence, for a message.
#[must_use]
pub fn sentence(row: &Row) -> String {
    let mut parts = vec![format!("`{}` was started by {}", strip_control(&row.command), starters(&row.agents))];
    parts.extend(row.since.as_ref().map(|since| format!("runs since {since}")));
    parts.extend(row.rss_bytes.map(|bytes| format!("uses {} MiB", bytes >> 20)));
    let ports = row.ports.iter().flatten().map(u16::to_string).collect::<Vec<_>>();
    if !ports.is_empty() {
        parts.push(format!("listens on {}", ports.join(", ")));
    }
    parts.join(", ")
}

/// The whole of `strays --json`.
#[must_use]
pub fn document(rows: &[Row], rest: Rest, at: Wall, older_s: u64) -> Value {
    json!({"schema": SCHEMA, "at": at.to_string(), "older_s": older_s, "strays": rows, "more": rest.more,
           "unreadable": rest.unreadable, "others_hidden": rest.hidden})
}

/// The table for people; empty: there is none.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = ["PID", "STARTED BY", "SINCE", "MEMORY", "PORTS", "COMMAND"].map(str::to_owned);
    let unknown = || "?".to_owned();
    let lines = rows.iter().map(|row| {
        let age = row.age_s.map(|age| human_duration(std::time::Duration::from_secs(age)));
        let ports = row.ports.as_ref().map(|ports| match ports.as_slice() {
            [] => "-".to_owned(),
            ports => ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
        });
        [
            row.pid.to_string(),
            starters(&row.agents),
            age.unwrap_or_else(unknown),
            row.rss_bytes.map_or_else(unknown, |bytes| format!("{} MiB", bytes >> 20)),
            ports.unwrap_or_else(unknown),
            cut(&strip_control(&row.command), WIDTH),
        ]
    });
    align(&std::iter::once(head).chain(lines).collect::<Vec<_>>())
}

/// What is not in the table, in lines.
#[must_use]
pub fn remarks(rest: Rest) -> Vec<String> {
    let mut lines = Vec::new();
    if rest.more > 0 {
        lines.push(format!("and {} more, younger ones", rest.more));
    }
    if rest.unreadable > 0 {
        let (count, are) = (rest.unreadable, if rest.unreadable == 1 { "process" } else { "processes" });
        lines.push(format!("{count} {are} could not be looked at: not ours to read"));
    }
    if rest.hidden {
        lines.push("processes of other users are hidden here, and could not be looked at".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_shown_as_such_and_what_was_not_looked_at_is_said() {
        let agents = vec![Agent { name: "codex".to_owned(), session: Some("01a1".to_owned()) }];
        let row = Row {
            pid: 7,
            agents,
            command: "python bot.py\u{1b}[2J".to_owned(),
            uid: None,
            since: None,
            age_s: None,
            processes: 1,
            rss_bytes: None,
            ports: Some(vec![8080, 9090]),
        };
        let text = table(&[row]);
        assert!(text.ends_with("7    codex 01a1  ?      ?       8080,9090  python bot.py\n"), "{text}");
        assert_eq!(table(&[]), "");
        let lines = remarks(Rest { more: 2, unreadable: 1, hidden: false });
        assert_eq!(lines, ["and 2 more, younger ones", "1 process could not be looked at: not ours to read"]);
    }
}
