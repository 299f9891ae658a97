//! Incidents on a random walk: failures, recoveries, stops, acknowledgements, time, and crashes between any two steps.

use std::collections::BTreeMap;
use std::time::Duration;

use super::delivery::{Batch, plan};
use super::hold::hold;
use super::incident::{acknowledged, ends, note};
use super::notify;
use super::remind::{due, escalations};
use super::silence::part;
use crate::model::delivery::{Entry, Receipt, SCHEMA, Settled};
use crate::model::event::{Event, EventKind, Notification};
use crate::model::incident::{About, Ack, Book, Insist, Why};
use crate::model::name::Name;
use crate::model::sample::{any_sink, at, event, note as told};
use crate::model::silence::{Silence, Whom};
use crate::model::sink::Sink;
use crate::model::timing::Timing;

/// SplitMix64, so that a failing walk can be walked again.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % most
    }
}

struct World {
    random: Random,
    secs: u64,
    sinks: Vec<Sink>,
    book: Book,
    silences: Vec<Silence>,
    pending: Vec<Entry>,
    ledger: Vec<Receipt>,
    /// What each sink heard: how often each id.
    heard: BTreeMap<(String, String), u32>,
    /// A crash came between sending and its receipt.
    excused: BTreeMap<(String, String), u32>,
    /// Everything that was ever queued.
    queued: Vec<(String, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let ops = Insist {
            after: 2,
            remind: minutes(10),
            escalate_after: minutes(15),
            escalate_to: vec!["phone".to_owned()],
        };
        let mail = Insist { remind: minutes(7), ..Insist::default() };
        let sinks = vec![
            Sink { insist: ops, cooldown: Duration::ZERO, ..any_sink() },
            Sink { name: "mail".into(), insist: mail, timing: quiet(), ..any_sink() },
            Sink { name: "digest".into(), timing: digest(), ..any_sink() },
            Sink { name: "phone".into(), processes: vec!["nothing".into()], ..any_sink() },
        ];
        let (book, silences) = (Book::default(), Vec::new());
        let (pending, ledger, queued) = (Vec::new(), Vec::new(), Vec::new());
        let (heard, excused) = (BTreeMap::new(), BTreeMap::new());
        Self { random: Random(seed), secs: 0, sinks, book, silences, pending, ledger, heard, excused, queued }
    }

    fn put(&mut self, notification: &Notification, sink: &str) {
        let id = &notification.event.id;
        let known = self.pending.iter().any(|entry| entry.sink == sink && entry.id() == id)
            || self.ledger.iter().any(|receipt| receipt.sink == sink && receipt.id == *id);
        if !known {
            self.pending.push(Entry::new(notification.clone(), sink, at(self.secs)));
            self.queued.push((sink.to_owned(), id.clone()));
        }
    }

    /// As `publish` does; a crash between its steps makes it do all of it again.
    fn publish(&mut self, events: &[Event]) {
        loop {
            let noted = note(self.book.clone(), events, |event| told(event.clone()), &at(self.secs));
            let crash = self.random.below(4) == 0;
            let over =
                |event: &Event| noted.over.as_ref().filter(|_| ends(event)).map(|(_, about)| Box::new(about.clone()));
            let about = |event: &Event| Event { incident: over(event), ..event.clone() };
            let all: Vec<Event> = events.iter().chain(&noted.events).map(about).collect();
            for sink in self.sinks.clone() {
                let closes = || {
                    let (id, about): &(String, About) = noted.over.as_ref()?;
                    let escalated =
                        escalations(&about.id).iter().any(|id| self.queued.contains(&(sink.name.clone(), id.clone())));
                    all.iter().find(|event| event.id == *id).filter(|_| escalated)
                };
                let Some(event) = notify::choose(&sink, &all).or_else(closes).cloned() else { continue };
                self.put(&told(event), &sink.name);
                if crash {
                    break;
                }
            }
            if !crash {
                self.book = noted.book;
                return;
            }
        }
    }

    fn receipt(&mut self, entry: &Entry, how: Settled, reason: Option<String>) {
        let (id, sink, group) = (entry.id().to_owned(), entry.sink.clone(), entry.group());
        self.pending.retain(|other| (other.id(), &other.sink) != (entry.id(), &entry.sink));
        let at = at(self.secs);
        let receipt = Receipt { schema: SCHEMA, id, sink, group, at, how, part_of: None, refused: Vec::new(), reason };
        self.ledger.push(receipt);
    }

    fn drain(&mut self) {
        let (now, name): (_, Name) = (at(self.secs), "bot".parse().unwrap());
        let books = [(name, self.book.clone())];
        let due = due(&books, &self.ledger, &self.pending, &self.sinks, &now);
        for (notification, sink) in &due.put {
            let why = notification.event.why();
            let known = self.book.open.as_ref().is_some_and(|incident| incident.ack.is_some());
            assert!(
                !known || !matches!(why, Why::Reminder(_) | Why::Escalation(_)),
                "told again although somebody knows"
            );
            self.put(notification, sink);
            if self.random.below(8) == 0 {
                return;
            }
        }
        if !due.calm.is_empty() {
            self.book.flapping = None;
        }
        let (pending, held) = hold(self.pending.clone(), &self.ledger, &self.sinks, &books, &[]);
        let parted = part(pending, &self.ledger, &self.sinks, &self.silences, &now);
        for kept in &parted.kept {
            let waits = self.pending.iter_mut().find(|entry| (entry.id(), &entry.sink) == (kept.id(), &kept.sink));
            *waits.unwrap() = kept.clone();
        }
        let plan = plan(&parted.told, &self.ledger, &self.sinks, &[], &now);
        for (entry, reason) in held.into_iter().chain(parted.suppressed) {
            self.receipt(&entry, Settled::Suppressed, Some(reason));
        }
        for entry in &plan.moot {
            self.receipt(entry, Settled::Moot, None);
        }
        let down = self.sinks[usize::try_from(self.random.below(9)).unwrap_or(0).min(2)].name.clone();
        let is_down = self.random.below(3) == 0;
        for Batch { lead, folded, .. } in plan.send {
            if is_down && lead.sink == down {
                continue; // the sink is down
            }
            let heard = (lead.sink.clone(), lead.id().to_owned());
            *self.heard.entry(heard.clone()).or_default() += 1;
            if self.random.below(8) == 0 {
                *self.excused.entry(heard).or_default() += 1;
                return;
            }
            for entry in &folded {
                self.receipt(entry, Settled::Folded, None);
            }
            self.receipt(&lead, Settled::Sent, None);
        }
    }

    fn step(&mut self, run: u64) {
        self.secs += 30 + self.random.below(600);
        let failed = |kind, failures| Event { failures: Some(failures), ..event("bot", run, kind, self.secs) };
        match self.random.below(10) {
            0 => self.publish(&[failed(EventKind::Premature, 1)]),
            1 => self.publish(&[failed(EventKind::Premature, 2)]),
            2 => self.publish(&[failed(EventKind::Premature, 3), failed(EventKind::Tripped, 3)]),
            3 | 4 => {
                let event = if self.book.open.is_some() { EventKind::Recovered } else { EventKind::Completed };
                self.publish(&[event_at(event, run, self.secs)]);
            }
            5 => self.publish(&[event_at(EventKind::Stopped, run, self.secs)]),
            6 => {
                if let Some(incident) = self.book.open.as_mut() {
                    let (by, note) = ("ann".to_owned(), String::new());
                    incident.ack.get_or_insert(Ack { by, note, at: at(self.secs) });
                    let event = acknowledged(incident).unwrap();
                    assert_eq!(acknowledged(incident).unwrap().id, event.id, "saying it twice is saying it once");
                }
            }
            7 => {
                let (whom, by) = (Whom::Process("bot".parse().unwrap()), "ann".to_owned());
                let for_ms = 1000 * self.random.below(10_000);
                self.silences.clear();
                self.silences.push(Silence { whom, from: at(self.secs), for_ms, reason: String::new(), by });
            }
            _ => self.drain(),
        }
    }
}

fn quiet() -> Timing {
    Timing { quiet: vec![super::quiet::parse("22:00-07:00").unwrap()], ..Timing::default() }
}

fn digest() -> Timing {
    Timing { digest: Some("0 8 * * *".into()), ..Timing::default() }
}

fn event_at(kind: EventKind, run: u64, secs: u64) -> Event {
    event("bot", run, kind, secs)
}

#[test]
fn nothing_is_lost_or_doubled_unexcused_and_what_is_held_back_has_a_reason() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        for run in 1..120 {
            world.step(run);
        }
        for _ in 0..300 {
            world.publish(&[event_at(EventKind::Stopped, 999, world.secs)]);
            world.secs += 3600;
            world.drain();
        }
        assert!(world.pending.is_empty(), "walk {seed}: {:?}", world.pending);
        for (sink, id) in &world.queued {
            let settled: Vec<&Receipt> =
                world.ledger.iter().filter(|receipt| receipt.sink == *sink && receipt.id == *id).collect();
            assert_eq!(settled.len(), 1, "walk {seed}: {id} for {sink}");
            assert_eq!(settled[0].how == Settled::Suppressed, settled[0].reason.is_some(), "walk {seed}: {id}");
            let heard = (sink.clone(), id.clone());
            let (times, excused) = (world.heard.get(&heard).copied(), world.excused.get(&heard).copied());
            assert!(times.unwrap_or(0) <= 1 + excused.unwrap_or(0), "walk {seed}: {id} for {sink}");
        }
        // Between two recoveries that a sink heard there was trouble that it heard.
        for sink in ["ops", "mail", "phone", "digest"] {
            let mut open = false;
            for receipt in world.ledger.iter().filter(|receipt| receipt.sink == sink) {
                let kind = receipt.group.kind;
                let ends = matches!(kind, EventKind::Recovered | EventKind::Stopped);
                match receipt.how {
                    Settled::Suppressed | Settled::Moot => {}
                    // What is told within a newer end says nothing of its own.
                    Settled::Folded if ends => {}
                    Settled::Sent | Settled::Folded if ends => {
                        assert!(open, "walk {seed}: {} ends what `{sink}` never heard of", receipt.id);
                        open = false;
                    }
                    // It answers that it flapped.
                    Settled::Sent | Settled::Folded if kind == EventKind::FlappingOver => {}
                    Settled::Sent | Settled::Folded => open = open || notify::is_trouble(kind),
                }
            }
        }
    }
}
