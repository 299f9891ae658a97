//! A seeded random walk: processes fail, passes are killed between two steps, sinks fail. Whatever happens, each bad end is
//! told once: by itself, within another message, or by name as part of a storm.

use std::collections::BTreeMap;

use super::super::delivery::{Fate, after_failure, plan};
use super::super::storm::{self, failed_lately, is_on, is_storm, kept, storms};
use super::*;
use crate::model::delivery::{Outcome, SCHEMA, Settled};
use crate::model::sample::{any_sink, at, event, note};
use crate::model::storm::{Began, Line, Over};

#[derive(Default)]
struct World {
    seed: u64,
    secs: u64,
    runs: BTreeMap<u64, u64>,
    lines: Vec<Line>,
    pending: Vec<Entry>,
    ledger: Vec<Receipt>,
    told: usize,
    ends: Vec<String>,
}

impl World {
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn put(&mut self, entry: Entry) {
        let known = self.pending.iter().any(|other| other.id() == entry.id());
        if !known && self.ledger.iter().all(|receipt| receipt.id != entry.id()) {
            self.pending.push(entry);
        }
    }

    fn message(&self, storm: &Storm) -> Entry {
        Entry::new(note(storm::event(storm, None, at(self.secs).wall)), "ops", at(self.secs))
    }

    fn fail(&mut self) {
        let process = self.random(8);
        let run = *self.runs.entry(process).and_modify(|run| *run += 1).or_insert(1);
        let name = format!("p{process}");
        let failure = storm::tests::failure(&name, run, self.secs);
        let on = storms(&self.lines).pop().is_some_and(|storm| is_on(&storm, &failure.at));
        self.lines.push(Line::Failed(failure.clone()));
        let failed = failed_lately(&self.lines, &failure.at, WINDOW);
        if !on && is_storm(failed, 5, || 8) {
            let storm = format!("{name}.abc.{run}.storm");
            self.lines.push(Line::Began(Began { storm, at: failure.at, process: failure.process, run, up: None }));
        }
        let single = Entry::new(note(event(&name, run, EventKind::Premature, self.secs)), "ops", at(self.secs));
        self.ends.push(single.id().to_owned());
        let storm = storms(&self.lines).pop().filter(|storm| speaks_for(storm, &single.notification.event));
        self.put(single);
        // One that is killed here leaves the message to the next one that fails.
        if let Some(storm) = storm.filter(|_| self.random(3) > 0) {
            self.put(self.message(&storm));
        }
    }

    fn close(&mut self) {
        let now = at(self.secs);
        let Some(mut storm) = storms(&self.lines).pop().filter(|it| !it.told && !is_on(it, &now)) else { return };
        if storm.over.is_none() {
            let down = if self.random(2) == 0 { vec!["p1".parse().unwrap()] } else { Vec::new() };
            let over = Over { storm: storm.id().to_owned(), at: now, down };
            self.lines.push(Line::Over(over.clone()));
            storm.over = Some(over);
        }
        if self.random(3) == 0 {
            return; // killed
        }
        let known = |id: &str| self.pending.iter().any(|it| it.id() == id) || self.ledger.iter().any(|it| it.id == id);
        if known(storm.id()) {
            self.put(self.message(&storm));
        }
        self.lines.push(Line::Told { storm: storm.id().to_owned() });
    }

    fn receipt(&mut self, entry: &Entry, how: Settled, part_of: Option<String>) {
        self.pending.retain(|other| other.id() != entry.id());
        let (id, sink, group) = (entry.id().to_owned(), entry.sink.clone(), entry.group());
        let receipt = Receipt {
            schema: SCHEMA,
            id,
            sink,
            group,
            at: at(self.secs),
            how,
            part_of,
            refused: Vec::new(),
            reason: None,
        };
        assert!(self.ledger.iter().all(|other| other.id != receipt.id), "told twice: {}", receipt.id);
        self.ledger.push(receipt);
    }

    fn drain(&mut self, fails: bool) {
        let now = at(self.secs);
        let plan = plan(&self.pending, &self.ledger, &[any_sink()], &storms(&self.lines), &now);
        for (entry, storm) in plan.part_of {
            self.receipt(&entry, Settled::Folded, Some(storm));
        }
        for batch in plan.send {
            if fails && self.random(2) == 0 {
                for fate in after_failure(&batch, &Outcome::failed("no"), &now) {
                    let Fate::Later(entry) = fate else { panic!("given up") };
                    self.pending.retain(|other| other.id() != entry.id());
                    self.pending.push(entry);
                }
                continue;
            }
            self.told += 1;
            batch.folded.iter().for_each(|entry| self.receipt(entry, Settled::Folded, None));
            self.receipt(&batch.lead, Settled::Sent, None);
        }
    }
}

#[test]
fn every_bad_end_is_told_or_named_whatever_is_killed_and_however_sinks_fail() {
    for seed in 0..8 {
        let mut world = World { seed, ..World::default() };
        for _ in 0..200 {
            match world.random(8) {
                0..=3 => world.fail(),
                4 => world.secs += world.random(4),
                5 if world.random(4) == 0 => world.secs += world.random(400),
                5 | 6 => world.drain(true),
                _ => world.close(),
            }
            world.lines = kept(world.lines, &at(world.secs), Duration::from_secs(3600), 2000);
        }
        for _ in 0..150 {
            world.secs += 60;
            world.close();
            world.drain(false);
            world.lines = kept(world.lines, &at(world.secs), Duration::from_secs(3600), 2000);
        }
        assert!(world.pending.is_empty(), "seed {seed}: {:?}", world.pending[0]);
        for id in &world.ends {
            assert!(world.ledger.iter().any(|receipt| receipt.id == *id), "seed {seed}: {id} was never told");
        }
        assert!(world.told < world.ends.len(), "seed {seed}: storms make fewer messages");
    }
}
