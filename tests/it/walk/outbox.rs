//! The outbox of the small world: what waits, what was settled, and sinks that fail. Who decides is the real policy.

use std::collections::BTreeMap;
use std::time::Duration;

use guardian::model::delivery::{Entry, Outcome, Receipt, SCHEMA, Settled};
use guardian::model::event::{Event, Notification, Severity};
use guardian::model::incident::Insist;
use guardian::model::sink::{Sink, SinkKind};
use guardian::model::time::Stamp;
use guardian::policy::delivery::{Batch, Fate, Plan, after_failure, plan};
use guardian::policy::notify;

/// What waits, what was given up, what was settled, and what sinks heard.
pub(super) struct Outbox {
    pub(super) sinks: Vec<Sink>,
    pub(super) pending: Vec<Entry>,
    pub(super) dead: Vec<Entry>,
    pub(super) ledger: Vec<Receipt>,
    /// How often each sink heard each event.
    pub(super) heard: BTreeMap<(String, String), u32>,
    /// How often a crash between sending and the receipt may have made it hear one again.
    pub(super) excused: BTreeMap<(String, String), u32>,
    /// Who empties it.
    pub(super) lock: Option<usize>,
    pub(super) down: bool,
}

fn sink(name: &str, events: &[&str], cooldown: u64) -> Sink {
    Sink {
        name: name.to_owned(),
        kind: SinkKind::Command { command: vec!["x".to_owned()] },
        events: events.iter().map(|word| (*word).to_owned()).collect(),
        processes: Vec::new(),
        groups: Vec::new(),
        min_severity: Severity::Warning,
        cooldown: Duration::from_secs(cooldown),
        timeout: Duration::from_secs(10),
        insist: Insist::default(),
        timing: guardian::model::timing::Timing::default(),
        ca_file: None,
        heartbeat: None,
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            sinks: vec![sink("ops", &[], 900), sink("all", &["*"], 0)],
            pending: Vec::new(),
            dead: Vec::new(),
            ledger: Vec::new(),
            heard: BTreeMap::new(),
            excused: BTreeMap::new(),
            lock: None,
            down: false,
        }
    }

    /// As `publish` does: for each run and sink the most telling event, unless it is known already.
    pub(super) fn put(&mut self, sink: usize, events: &[Event], now: &Stamp) {
        let sink = &self.sinks[sink];
        let mut runs: BTreeMap<Option<u64>, Vec<Event>> = BTreeMap::new();
        for event in events {
            runs.entry(event.run).or_default().push(event.clone());
        }
        for events in runs.values() {
            let Some(event) = notify::choose(sink, events) else { continue };
            let known = |entries: &[Entry]| entries.iter().any(|e| e.id() == event.id && e.sink == sink.name);
            let settled = self.ledger.iter().any(|receipt| receipt.id == event.id && receipt.sink == sink.name);
            if !settled && !known(&self.pending) && !known(&self.dead) {
                let notification = Notification {
                    event: event.clone(),
                    host: "h".to_owned(),
                    log_tail: Vec::new(),
                    differs: String::new(),
                    of_late: None,
                };
                self.pending.push(Entry::new(notification, &sink.name, now.clone()));
            }
        }
    }

    /// What is to be sent now; the rest is put away.
    pub(super) fn plan(&mut self, now: &Stamp) -> Vec<Batch> {
        let Plan { send, done, moot, hopeless, .. } = plan(&self.pending, &self.ledger, &self.sinks, &[], now);
        for entry in &done {
            self.remove(entry);
        }
        for entry in &moot {
            self.receipt(entry, Settled::Moot, now);
            self.remove(entry);
        }
        for entry in hopeless {
            self.remove(&entry);
            self.dead.push(entry);
        }
        send
    }

    fn members(batch: &Batch) -> impl Iterator<Item = &Entry> {
        batch.folded.iter().chain([&batch.lead])
    }

    /// The sink hears it, or is down.
    pub(super) fn send(&mut self, batch: &Batch) -> Outcome {
        if self.down {
            return Outcome::failed("down");
        }
        for entry in Self::members(batch) {
            let key = (entry.sink.clone(), entry.id().to_owned());
            *self.heard.entry(key).or_default() += 1;
        }
        Outcome::delivered("ok")
    }

    /// What was sent is not written down: whoever did it was killed.
    pub(super) fn forget(&mut self, batch: &Batch) {
        for entry in Self::members(batch) {
            *self.excused.entry((entry.sink.clone(), entry.id().to_owned())).or_default() += 1;
        }
    }

    /// The receipts, or when it is tried again.
    pub(super) fn settle(&mut self, batch: &Batch, outcome: &Outcome, now: &Stamp) {
        if matches!(outcome, Outcome::Delivered { .. }) {
            for entry in &batch.folded {
                self.receipt(entry, Settled::Folded, now);
            }
            self.receipt(&batch.lead, Settled::Sent, now);
            return;
        }
        for fate in after_failure(batch, outcome, now) {
            match fate {
                Fate::Later(entry) => {
                    let place = self.pending.iter_mut().find(|e| e.id() == entry.id() && e.sink == entry.sink);
                    *place.expect("what failed still waits") = entry;
                }
                Fate::Hopeless(entry) => {
                    self.remove(&entry);
                    self.dead.push(entry);
                }
            }
        }
    }

    /// What has its receipt goes.
    pub(super) fn clear(&mut self, batch: &Batch) {
        for entry in Self::members(batch) {
            if self.ledger.iter().any(|receipt| receipt.id == entry.id() && receipt.sink == entry.sink) {
                self.remove(entry);
            }
        }
    }

    fn receipt(&mut self, entry: &Entry, how: Settled, at: &Stamp) {
        self.ledger.push(Receipt {
            schema: SCHEMA,
            id: entry.id().to_owned(),
            sink: entry.sink.clone(),
            group: entry.group(),
            at: at.clone(),
            how,
            part_of: None,
            refused: Vec::new(),
            reason: None,
        });
    }

    fn remove(&mut self, entry: &Entry) {
        self.pending.retain(|other| other.id() != entry.id() || other.sink != entry.sink);
    }

    /// Whether this sink knows of any of these events, or it is written down why not.
    pub(super) fn answered(&self, sink: &str, told: impl Fn(&str) -> bool) -> bool {
        self.ledger.iter().any(|receipt| receipt.sink == sink && told(&receipt.id))
            || self.dead.iter().any(|entry| entry.sink == sink && told(entry.id()) && entry.last_error.is_some())
    }
}
