//! What a digest says: all that waited for its hour, counted by process and kind, the worst first.

use crate::model::delivery::Entry;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::name::Name;
use crate::model::sink::Sink;
use crate::model::timing::{Digest, DigestRow};

/// Most processes that a digest names.
const MOST: usize = 20;

/// The digest that a message is; `None`: it is an ordinary one.
#[must_use]
pub fn digest(sink: &Sink, lead: &Event, folded: &[Entry]) -> Option<Digest> {
    let ordinary = sink.timing.digest.is_none()
        || lead.severity == Severity::Critical
        || matches!(lead.kind, EventKind::Test | EventKind::Heartbeat);
    if ordinary || folded.is_empty() {
        return None;
    }
    let mut rows: Vec<DigestRow> = Vec::new();
    for event in folded.iter().map(|entry| &entry.notification.event).chain([lead]) {
        let row = row(&mut rows, &event.process);
        row.severity = row.severity.max(event.severity);
        match row.kinds.iter_mut().find(|(kind, _)| *kind == event.kind) {
            Some((_, count)) => *count += 1,
            None => row.kinds.push((event.kind, 1)),
        }
    }
    let often = |row: &DigestRow| row.kinds.iter().map(|(_, count)| count).sum::<usize>();
    rows.sort_by_key(|row| (std::cmp::Reverse((row.severity, often(row))), row.process.clone()));
    let processes = rows.len();
    rows.truncate(MOST);
    Some(Digest { total: folded.len() + 1, processes, rows })
}

fn row<'r>(rows: &'r mut Vec<DigestRow>, process: &Name) -> &'r mut DigestRow {
    let at = rows.iter().position(|row| row.process == *process).unwrap_or_else(|| {
        rows.push(DigestRow { process: process.clone(), severity: Severity::Info, kinds: Vec::new() });
        rows.len() - 1
    });
    &mut rows[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;
    use crate::model::sample::{any_sink, event, note};
    use crate::model::timing::Timing;

    #[test]
    fn it_counts_by_process_and_kind_the_worst_first_and_names_no_more_than_it_can() {
        let sink = Sink { timing: Timing { digest: Some("@daily".into()), ..Timing::default() }, ..any_sink() };
        let entry = |name: &str, kind| Entry::new(note(event(name, 1, kind, 0)), "ops", at(0));
        let mut folded = vec![entry("well", EventKind::Recovered)];
        folded.extend(std::iter::repeat_n(entry("bad", EventKind::Premature), 3));
        folded.extend((0..40).map(|nth| entry(&format!("p{nth}"), EventKind::Started)));
        let lead = event("bad", 2, EventKind::Hung, 9);
        let digest = super::digest(&sink, &lead, &folded).unwrap();
        assert_eq!((digest.total, digest.processes, digest.rows.len()), (45, 42, MOST));
        assert_eq!(digest.rows[0].process.as_str(), "bad");
        assert_eq!(digest.rows[0].kinds, [(EventKind::Premature, 3), (EventKind::Hung, 1)]);
        assert_eq!(super::digest(&sink, &event("bad", 2, EventKind::Tripped, 9), &folded), None, "critical");
        assert_eq!(super::digest(&sink, &lead, &[]), None, "one alone is told as it is");
        assert_eq!(super::digest(&any_sink(), &lead, &folded), None, "nobody asked for digests");
    }
}
