//! A digest, as a message says it.

use super::words::cut;
use crate::model::timing::{Digest, DigestRow};

/// Longest line about one process, in characters.
const WIDTH: usize = 120;

/// What it is, in one phrase.
pub(super) fn headline(digest: &Digest) -> String {
    let processes = if digest.processes == 1 { "process" } else { "processes" };
    format!("digest: {} notices about {} {processes}", digest.total, digest.processes)
}

/// One line for each process that it names.
pub(super) fn lines(digest: &Digest) -> Vec<String> {
    let mut lines: Vec<String> = digest.rows.iter().map(line).collect();
    let left = digest.processes.saturating_sub(digest.rows.len());
    if left > 0 {
        lines.push(format!("… and {left} other processes; all of them: guardian events"));
    }
    lines
}

fn line(row: &DigestRow) -> String {
    let kinds = row.kinds.iter().map(|(kind, count)| match count {
        1 => kind.word().replace('_', " "),
        count => format!("{count} × {}", kind.word().replace('_', " ")),
    });
    cut(&format!("{} ({}): {}", row.process, row.severity.word(), kinds.collect::<Vec<_>>().join(", ")), WIDTH)
}
