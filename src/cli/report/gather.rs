//! All that a report says, gathered: states, histories, certificates, the outbox. Changes nothing.
//!
//! What programs said is masked here, as in alerts. One that cannot be read is named, and keeps none of the others out.

use std::collections::{BTreeMap, HashSet};

use chrono_tz::Tz;

use crate::alert::desk;
use crate::error::Error;
use crate::healthcheck::last;
use crate::masking;
use crate::model::delivery::Overview;
use crate::model::event::{Event, EventKind};
use crate::model::metadata::Asked;
use crate::model::name::Name;
use crate::model::spec::{Spec, Target};
use crate::model::state::{Phase, State};
use crate::model::time::{Stamp, Wall};
use crate::os::usage::Meter;
use crate::os::zone;
use crate::policy::classify::Standing as Evident;
use crate::policy::decide::Decision;
use crate::policy::lapse::Lapses;
use crate::policy::secrets::Mask;
use crate::policy::stuck::{self, Backlog};
use crate::policy::timeline::{Kind, Known, Standing, spans};
use crate::policy::{masked, zone as zones};
use crate::post_mortem::Past;
use crate::store::journal::{self, History};
use crate::store::registry_file::Loaded;
use crate::store::{lapses, silence};
use crate::storm;
use crate::view::certificate::{Certificate, Compared};
use crate::view::report::{CERTIFICATES, Death, Missing, Process, Report, choose, deaths};
use crate::view::status::State as Word;
use crate::view::words::cut;

use super::super::status::{Looked, Surroundings, having, health, look, meant};
use super::super::{Call, watch, why};
use super::Report as Command;

/// Receipts that are shown.
const RECENT: usize = 10;
/// Characters of the names that a report is about.
const ABOUT: usize = 120;

/// Gathers a report and gives it to `make`; what could not be read comes with what that gives.
pub(super) fn report<T>(
    call: &Call,
    loaded: &Loaded,
    command: &Command,
    (from, now): (Wall, &Stamp),
    make: impl FnOnce(&Report<'_>) -> T,
) -> Result<(T, Vec<Error>), Error> {
    let (names, watches) = meant(call, loaded, &command.names, command.group.as_deref())?;
    let mut errors = Vec::new();
    let silences = kept(silence::load(&call.ctx.paths), &mut errors).unwrap_or_default();
    let (beats, rotated) = (having(call, "sentinel", ".heartbeat"), having(call, "log/rotated", ".json"));
    let meter: Option<&Meter> = None;
    let seen = Surroundings { now, meter, beats: &beats, rotated: &rotated, silences: &silences, remarks: true };
    let known = kept(lapses::load(&call.ctx.paths), &mut errors).flatten();
    let world = World { call, loaded, seen: &seen, from, lapses: known.as_ref() };
    let mut missing = Missing::default();
    let (mut processes, mut deaths, mut rows) = (Vec::with_capacity(names.len()), Vec::new(), Vec::new());
    for name in &names {
        match world.process(name) {
            Ok(Some(found)) => {
                missing.later += found.later;
                deaths.extend(found.deaths);
                processes.push(found.process);
                rows.push(found.row);
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    missing.deaths = choose(&mut deaths);
    world.certify(&mut deaths, &mut errors);
    let last = kept(last(&call.ctx.paths), &mut errors);
    let pass_took =
        last.as_ref().and_then(|last| last.as_ref()).map(|last| std::time::Duration::from_millis(last.duration_ms));
    let health = health(last, loaded, &rows, now);
    let asked = !command.names.is_empty() || command.group.is_some();
    let meant: HashSet<&Name> = names.iter().chain(&watches).collect();
    let alerts = kept(alerts(call, loaded, asked.then_some(&meant), now), &mut errors);
    let storm = kept(storm::current(&call.ctx, now), &mut errors).flatten();
    let watches = watch::rows(call, &loaded.registry, &watches, now, &mut errors);
    missing.errors = errors.iter().map(|error| error.message.clone()).collect();
    missing.errors.extend(loaded.error(&call.ctx.paths).map(|error| error.message));
    let report = Report {
        host: &call.ctx.host,
        version: env!("CARGO_PKG_VERSION"),
        now,
        from,
        zone: zone::name().and_then(|name| zones::find(&name).ok()).unwrap_or(Tz::UTC),
        about: about(command),
        health: &health,
        pass_took,
        lapses: known.map(|known| within(known, from)),
        alerts,
        storm,
        processes,
        watches,
        deaths,
        missing,
    };
    Ok((make(&report), errors))
}

fn kept<T>(read: Result<T, Error>, errors: &mut Vec<Error>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

fn about(command: &Command) -> Option<String> {
    let group = command.group.iter().map(|group| format!("group {group}"));
    let all: Vec<String> = command.names.iter().cloned().chain(group).collect();
    (!all.is_empty()).then(|| cut(&all.join(", "), ABOUT))
}

fn within(mut known: Lapses, from: Wall) -> Lapses {
    known.lapses.retain(|lapse| lapse.until >= from);
    known
}

/// The outbox; of a selection only what is about that.
fn alerts(
    call: &Call,
    loaded: &Loaded,
    meant: Option<&HashSet<&Name>>,
    now: &Stamp,
) -> Result<(Backlog, Overview), Error> {
    let sinks = &loaded.registry.sinks;
    let mut all = desk::overview(&call.ctx.paths, sinks, RECENT, now)?;
    let Some(meant) = meant else { return Ok((desk::backlog(&call.ctx.paths, sinks, now)?, all)) };
    let mut reasons = std::mem::take(&mut all.reasons).into_iter();
    (all.pending, all.reasons) = std::mem::take(&mut all.pending)
        .into_iter()
        .map(|entry| (entry, reasons.next().unwrap_or_default()))
        .filter(|(entry, _)| meant.contains(&entry.notification.event.process))
        .unzip();
    all.dead.retain(|entry| meant.contains(&entry.notification.event.process));
    all.settled.retain(|receipt| meant.contains(&receipt.group.process));
    all.hushed.retain(|row| meant.contains(&row.process));
    all.books.retain(|book| {
        let open = book.open.as_ref().map(|incident| &incident.last);
        let told = open.or(book.flapping.as_ref().map(|flapping| &flapping.told));
        told.is_some_and(|told| meant.contains(&told.event.process))
    });
    Ok((stuck::backlog(&all.pending, &all.dead, (0, 0), sinks, now), all))
}

/// What all processes are looked at with.
struct World<'a> {
    call: &'a Call,
    loaded: &'a Loaded,
    seen: &'a Surroundings<'a>,
    from: Wall,
    lapses: Option<&'a Lapses>,
}

/// What was found of one process.
struct Found<'a> {
    process: Process,
    deaths: Vec<Death>,
    later: usize,
    row: crate::view::status::Row<'a>,
}

impl<'a> World<'a> {
    fn process(&self, name: &'a Name) -> Result<Option<Found<'a>>, Error> {
        let history = journal::read(&self.call.ctx.paths, name)?;
        look(self.call, name, self.loaded, self.seen, |looked| self.found(name, looked, history))
    }

    fn found(&self, name: &Name, looked: Looked<'a, '_>, mut history: History) -> Found<'a> {
        let Looked { row, as_desired, spec, decision, began } = looked;
        history.events.extend(self.unpublished(name, spec, decision, &history.events));
        let gaps: Vec<usize> = history.gaps.iter().map(|gap| gap.after).collect();
        let now = self.standing(row.state, spec, decision, began);
        let known = Known {
            events: &history.events,
            gaps: &gaps,
            lapses: self.lapses,
            every: self.loaded.registry.healthcheck.every,
            scheduled: spec.schedule.is_some(),
            now,
        };
        let spans = spans(&known, self.from);
        let deaths = deaths(name, &history.events, self.from);
        let recent = |event: &&Event| event.at >= self.from && event.run.is_some();
        let count = |kinds: &[EventKind]| {
            history.events.iter().filter(recent).filter(|event| kinds.contains(&event.kind)).count()
        };
        let remark = match row.remark.is_empty() {
            true => String::new(),
            false => masking::text(&self.call.ctx, name, Some(spec), &row.remark),
        };
        let process = Process {
            name: name.to_string(),
            group: spec.group.clone(),
            state: row.state,
            desired: row.desired,
            as_desired,
            pid: row.pid,
            run: row.run,
            uptime_s: row.uptime_s,
            target: row.target.clone(),
            lives_on: match spec.target {
                Target::Forever | Target::For(_) => true,
                Target::Exit => false,
            },
            restarts: count(&[EventKind::Restarted]),
            ended_well: count(&[EventKind::Completed, EventKind::Stopped]),
            deaths: deaths.iter().rev().map(|death| (death.at, death.cause.clone())).collect(),
            next_at: row.next_action_at.clone(),
            remark,
            spans,
        };
        Found { process, deaths, later: history.later, row }
    }

    /// Events that follow from what is so now and are not in the history yet, masked.
    fn unpublished(&self, name: &Name, spec: &Spec, decision: &Decision<'_>, events: &[Event]) -> Vec<Event> {
        if decision.state.pending.is_empty() {
            return Vec::new();
        }
        let mut state: State = decision.state.clone().into_owned();
        masking::state(&self.call.ctx, name, spec, &mut state);
        let known: HashSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
        state.pending.into_iter().filter(|event| !known.contains(event.id.as_str())).collect()
    }

    fn standing(&self, word: Word, spec: &Spec, decision: &Decision<'_>, began: Option<&Stamp>) -> Standing {
        let kind = match word {
            Word::Unsupervised if matches!(decision.standing, Some(Evident::Uncertain(_))) => Kind::Unknown,
            Word::Running | Word::Unsupervised => Kind::Up,
            Word::Starting => Kind::Starting,
            Word::Hung => Kind::Hung,
            Word::Waiting => Kind::Waiting,
            Word::Tripped => Kind::Tripped,
            Word::Dead if spec.schedule.is_none() => Kind::Down,
            Word::Dead | Word::New | Word::Completed | Word::Stopped => Kind::Unwanted,
        };
        let now = self.seen.now.wall;
        let asked = match &decision.state.phase {
            Phase::Waiting { until } => Some(until.wall.min(now)),
            Phase::New | Phase::Open(_) | Phase::Tripped { .. } | Phase::Completed | Phase::Stopped | Phase::Dead => {
                None
            }
        };
        Standing { at: now, kind, since: began.map(|began| began.wall).or(asked) }
    }

    /// Gives the first deaths their certificates, and puts all into order, newest first.
    fn certify(&self, deaths: &mut [Death], errors: &mut Vec<Error>) {
        let mut of: BTreeMap<Name, Vec<&mut Death>> = BTreeMap::new();
        for death in deaths.iter_mut().take(CERTIFICATES) {
            if let Ok(name) = death.name.parse() {
                of.entry(name).or_default().push(death);
            }
        }
        for (name, some) in of {
            let made = journal::read(&self.call.ctx.paths, &name).and_then(|history| {
                look(self.call, &name, self.loaded, self.seen, |looked| {
                    for death in some {
                        death.certificate = self.certificate(&name, &looked, &history.events, death).map(Box::new);
                    }
                })
            });
            errors.extend(made.err());
        }
        deaths.sort_by_key(|death| std::cmp::Reverse(death.at));
    }

    /// `None`: nothing is left of that run.
    fn certificate(
        &self,
        name: &Name,
        looked: &Looked<'_, '_>,
        events: &[Event],
        death: &Death,
    ) -> Option<Certificate> {
        let (run, ctx) = (death.run?, &self.call.ctx);
        let last = looked.decision.state.last.clone().filter(|last| last.run == run);
        let mut past = last.map(Past::of).or_else(|| Past::find(ctx, name, run, events))?;
        if past.ended.is_some_and(|ended| ended != death.at) {
            return None; // another registration of this name counted its runs anew
        }
        let mask = masking::mask(ctx, name, Some(looked.spec)).unwrap_or_default();
        let text = |text: &str| mask.text(text);
        masked::cause(&mut past.cause, &text);
        masked::signals(&mut past.signals, &text);
        past.stopped_by.iter_mut().for_each(|by| masked::sender(by, &text));
        let made = why::certificate(self.call, (name, looked.spec), looked.decision, events, past);
        Some(discreet(made, &mask))
    }
}

/// What leaves this machine: no command line of the process or of who started it, and nothing secret.
fn discreet(mut certificate: Certificate, mask: &Mask) -> Certificate {
    if let Some(Asked::Command { caller, .. }) = certificate.metadata.as_mut().and_then(|of| of.asked.as_mut()) {
        caller.cmdline = None;
    }
    if let Some(Compared::With { found, .. }) = &mut certificate.compared {
        for one in found.iter_mut().filter(|one| one.quotes) {
            (one.what, one.how) = (one.brief(), String::new());
        }
        found.iter_mut().for_each(|one| one.how = mask.text(&one.how));
    }
    for text in [&mut certificate.action, &mut certificate.mend].into_iter().flatten() {
        *text = mask.text(text);
    }
    if let Some((text, _)) = &mut certificate.hang {
        *text = mask.text(text);
    }
    if let Some(alike) = &mut certificate.alike {
        alike.sentence = mask.text(&alike.sentence);
    }
    certificate
}
