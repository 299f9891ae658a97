//! `status`: what is up, what is not, since when and why.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use clap::Parser;

use crate::alert::desk;
use crate::error::{Code, Error};
use crate::healthcheck::{LastPass, OVERDUE, is_as_desired, last};
use crate::model::event::SCHEMA;
use crate::model::evidence::{Recorded, RunRecord};
use crate::model::name::Name;
use crate::model::silence::Silence;
use crate::model::spec::Spec;
use crate::model::state::{Desired, Phase, State};
use crate::model::time::{Stamp, Wall};
use crate::model::units::human_duration;
use crate::model::watch_state::Condition;
use crate::os::terminal;
use crate::os::usage::{METERED, Meter};
use crate::policy::decide::{Decision, Look, decide_needing};
use crate::policy::history;
use crate::policy::silence::over;
use crate::policy::stuck::Backlog;
use crate::registry::Entry;
use crate::store::registry_file::Loaded;
use crate::store::{silence, state};
use crate::storm;
use crate::supervise::{needs, now, observe};
use crate::view::outbox::stuck_alerts;
use crate::view::schedule;
use crate::view::status::{Document, Health, Isolation, LastExit, Probed, Row, State as Word, command, remark, table};
use crate::view::storm::warning;
use crate::view::usual;

use super::common::{complain_of, known, members, parse, registry};
use super::out::worse;
use super::{Call, watch};

mod parts;

use parts::{breaker, hang, heartbeat, keeps, life, output, says, target};

/// From this number of processes on a second thread saves more than it costs.
const WORTH_A_THREAD: usize = 48;
/// Pauses between two pictures of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Shows what is up, what is not, since when and why
///
/// Exit code 0: all is as desired; 1: something is not; 3: the one process that was named is not running.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian status --json btc-bot")]
pub(super) struct Status {
    /// Names of processes; without, all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All processes of this group
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
    /// Show it again every two seconds
    #[arg(short, long)]
    watch: bool,
}

pub(super) fn run(call: &Call, command: &Status) -> Result<u8, Error> {
    loop {
        let (text, code) = once(call, command)?;
        if !command.watch {
            if !call.out.is_json() {
                call.out.say(&text);
            }
            return Ok(code);
        }
        // Home and clear, as `watch` does.
        call.out.say(&format!("\x1b[H\x1b[2J{text}"));
        if !call.out.is_heard() {
            return Ok(code);
        }
        std::thread::sleep(WATCH);
    }
}

fn once(call: &Call, command: &Status) -> Result<(String, u8), Error> {
    let loaded = registry(call)?;
    let (names, watches) = meant(call, &loaded, &command.names, command.group.as_deref())?;
    let now = now()?;
    let meter = (names.len() <= METERED).then(Meter::new).transpose();
    let meter = meter
        .map_err(|error| Error::new(Code::System, "processes", format!("cannot read the process table: {error}")))?;
    let (beats, rotated) = (having(call, "sentinel", ".heartbeat"), having(call, "log/rotated", ".json"));
    let mut errors = Vec::new();
    let silences = silence::load(&call.ctx.paths).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    let seen = Surroundings {
        now: &now,
        meter: meter.as_ref(),
        beats: &beats,
        rotated: &rotated,
        silences: &silences,
        remarks: !call.out.is_json(),
    };
    let mut rows = Vec::with_capacity(names.len());
    let mut desired = true;
    for outcome in looks(&names, |name| look(call, name, &loaded, &seen, |looked| (looked.row, looked.as_desired))) {
        match outcome {
            Ok(Some((row, as_desired))) => {
                desired &= as_desired;
                rows.push(row);
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    let last = match last(&call.ctx.paths) {
        Ok(last) => Some(last),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let watches = watch::rows(call, &loaded.registry, &watches, &now, &mut errors);
    desired &= watches.iter().all(|row| row.state == Condition::Ok);
    let health = health(last, &loaded, &rows, &now);
    let alerts = desk::backlog(&call.ctx.paths, &loaded.registry.sinks, &now)?;
    let storm = storm::current(&call.ctx, &now).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let sentences: Vec<String> = errors.iter().map(|error| error.message.clone()).collect();
    call.out.json(&Document {
        schema: SCHEMA,
        host: &call.ctx.host,
        at: now.wall.to_string(),
        healthcheck: &health,
        alerts: &alerts,
        storm: storm.as_ref(),
        processes: &rows,
        watches: &watches,
        errors: sentences,
    });
    // Who asks for some of them asks about these.
    desired &= !alerts.is_bad() || !command.names.is_empty() || command.group.is_some();
    let mut code = match (command.names.as_slice(), rows.as_slice()) {
        ([_], [row]) if !row.state.is_alive() => Code::NotRunning as u8,
        (_, _) if desired => 0,
        (_, _) => Code::No as u8,
    };
    for error in &errors {
        code = worse(code, call.out.fail(error));
    }
    code = worse(code, complain_of(&loaded, call));
    Ok((storm.as_ref().map(warning).unwrap_or_default() + &text(&rows, &watches, &health, &alerts, &loaded), code))
}

/// The processes and the watches that are meant by names or a group, each once; without either, all.
pub(super) fn meant(
    call: &Call,
    loaded: &Loaded,
    names: &[String],
    group: Option<&str>,
) -> Result<(Vec<Name>, Vec<Name>), Error> {
    let asked = parse(names)?;
    let watches = watch::asked(&loaded.registry, &asked, group);
    let all = asked.is_empty();
    let mut names: Vec<Name> = asked.into_iter().filter(|name| !loaded.registry.watches.contains_key(name)).collect();
    known(loaded, &names, call)?;
    match group {
        Some(group) => match members(&loaded.registry, group) {
            Ok(members) => names.extend(members),
            Err(nobody) if watches.is_empty() => return Err(nobody),
            Err(_) => {} // a group of watches
        },
        None if all => names.extend(loaded.registry.processes.keys().cloned()),
        None => {}
    }
    Ok((names.into_iter().collect::<BTreeSet<_>>().into_iter().collect(), watches))
}

fn text(rows: &[Row<'_>], watches: &[watch::Row<'_>], health: &Health, alerts: &Backlog, loaded: &Loaded) -> String {
    let mut text = match (rows, loaded.registry.processes.is_empty()) {
        ([], _) if !watches.is_empty() => String::new(),
        ([], true) => "no process is registered: guardian register NAME -- COMMAND\n".to_owned(),
        (rows, _) => table(rows),
    };
    text.push_str(&watch::table(rows, watches));
    if let Some(why) = &health.ping_failed {
        text.push_str(&format!("\nwarning: last ping failed: {why}\n"));
    }
    if health.overdue {
        let since = health.age_s.map_or("no pass has run yet".to_owned(), |age| {
            format!("the last pass ran {} ago", crate::model::units::human_duration(Duration::from_secs(age)))
        });
        text.push_str(&format!("\nwarning: a pass is overdue, {since}: deaths of shims and reboots go unseen\n  hint: guardian install --cron, or see why cron does not run\n"));
    }
    text + &stuck_alerts(alerts).map_or(String::new(), |warning| format!("\n{warning}\n"))
}

/// Looks at each name, in order; many of them on two threads, since most of a look is spent in the kernel.
fn looks<'a, T: Send>(names: &'a [Name], look: impl Fn(&'a Name) -> T + Sync) -> Vec<T> {
    let all = |names: &'a [Name]| names.iter().map(&look).collect::<Vec<T>>();
    if names.len() < WORTH_A_THREAD {
        return all(names);
    }
    let (first, second) = names.split_at(names.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| all(second));
        let mut looks = all(first);
        match other.join() {
            Ok(more) => looks.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        looks
    })
}

/// What is the same for every row.
pub(super) struct Surroundings<'a> {
    pub(super) now: &'a Stamp,
    pub(super) meter: Option<&'a Meter>,
    /// Names of the processes whose heartbeat file is there.
    pub(super) beats: &'a BTreeSet<String>,
    /// Names of the processes whose log was ever rotated.
    pub(super) rotated: &'a BTreeSet<String>,
    /// What is not told of.
    pub(super) silences: &'a [Silence],
    /// Whether what a person should know is put into words.
    pub(super) remarks: bool,
}

/// The processes that have a file of this kind in a directory of the state: most have none, and one look tells.
pub(super) fn having(call: &Call, dir: &str, suffix: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(call.ctx.paths.state.join(dir)) else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(suffix).map(str::to_owned)).collect()
}

/// One process as it stands now.
pub(super) struct Looked<'a, 'd> {
    pub(super) row: Row<'a>,
    pub(super) as_desired: bool,
    pub(super) spec: &'a Spec,
    /// What would be decided about it now.
    pub(super) decision: &'d Decision<'d>,
    /// When the run that lives began.
    pub(super) began: Option<&'d Stamp>,
}

/// Looks at a process without changing anything, and keeps of it what `keep` takes; `None`: it is not registered.
pub(super) fn look<'a, T>(
    call: &Call,
    name: &'a Name,
    loaded: &'a Loaded,
    seen: &Surroundings<'_>,
    keep: impl FnOnce(Looked<'a, '_>) -> T,
) -> Result<Option<T>, Error> {
    let Some(Entry { spec, .. }) = loaded.registry.processes.get(name) else { return Ok(None) };
    let now = seen.now;
    let state = match state::load(&call.ctx.paths, name)? {
        Some(state) => state,
        None => State::new(now),
    };
    let evidence = observe(&call.ctx, name, &state, now);
    let needs = needs(&call.ctx, &loaded.registry, spec, now);
    let look = Look { name, spec, state: &state, now };
    let decision = decide_needing(look, evidence.as_ref(), Duration::ZERO, &needs);
    let record = evidence.as_ref().and_then(|evidence| match &evidence.record {
        Recorded::Read(record) => Some(&**record),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    });
    let as_desired = is_as_desired(&state, &decision);
    let row = fill(call, name, spec, &decision, record, seen);
    let began = record.filter(|_| row.state.is_alive()).and_then(|record| record.began.as_ref());
    Ok(Some(keep(Looked { row, as_desired, spec, decision: &decision, began })))
}

fn fill<'a>(
    call: &Call,
    name: &'a Name,
    spec: &'a Spec,
    decision: &Decision,
    record: Option<&RunRecord>,
    seen: &Surroundings<'_>,
) -> Row<'a> {
    let now = seen.now;
    let word = Word::of(decision);
    let state = &decision.state;
    let alive = record.filter(|_| word.is_alive());
    let began = alive.and_then(|record| record.began.as_ref());
    let main = alive.and_then(|record| record.main.as_ref()).map(|main| main.pid);
    let shim = alive.and_then(|record| record.shim.as_ref()).map(|shim| shim.pid);
    let uptime = began.map(|began| now.since(began).as_secs());
    let waits = decision.waits.as_ref();
    let next = match &state.phase {
        _ if waits.is_some() => None,
        Phase::Waiting { until } | Phase::Tripped { until, .. } => Some(until.clone()),
        Phase::Open(_) if word == Word::Waiting => Some(now.clone()),
        Phase::New | Phase::Open(_) | Phase::Completed | Phase::Stopped | Phase::Dead => None,
    };
    let heartbeat = heartbeat(call, name, seen, began);
    let usual = history::of(spec, state);
    let running = usual.zip(began);
    let hang = alive.and_then(|_| hang(call, name, state));
    let probing = alive.filter(|_| spec.probe.is_some()).and_then(|_| state.open()?.probing.as_deref());
    let probe = probing.map(|probing| Probed::of(probing, spec));
    let silenced = over(seen.silences, name, spec.group.as_deref(), now).and_then(|silence| silence.rest(now));
    let says = main.and_then(|_| says(call, name, spec, state.run));
    let input = main.filter(|_| spec.pty).map(terminal::is_waited_on);
    Row {
        name: name.as_str(),
        group: spec.group.as_deref(),
        state: word,
        desired: state.desired,
        ready: decision.ready,
        pid: main,
        shim_pid: shim.filter(|_| word != Word::Unsupervised),
        run: (state.run > 0).then_some(state.run),
        started_at: began.and_then(|began| began.wall.rfc3339()),
        uptime_s: uptime,
        target: target(spec),
        target_s: spec.target_s(),
        remaining_s: spec.target_s().zip(uptime).map(|(target, up)| target.saturating_sub(up)),
        usual: usual.as_ref().map(usual::Usual::of),
        eta_at: running.as_ref().and_then(|(usual, began)| usual.eta(began, now)?.wall.rfc3339()),
        restarts: state.restarts,
        consecutive_failures: state.failures,
        breaker: breaker(state),
        depends_on: &spec.depends_on,
        waits_for: waits.cloned(),
        waits_for_input: input,
        next_action_at: next
            .as_ref()
            .map(|next| next.wall)
            .or_else(|| schedule::due(state).filter(|_| !word.is_alive()))
            .and_then(Wall::rfc3339),
        schedule: schedule::Schedule::of(spec, state),
        silenced_until: silenced.and_then(|rest| now.plus(rest).wall.rfc3339()),
        output: output(call, name, seen),
        usage: main.zip(seen.meter).and_then(|(main, meter)| meter.read(main)),
        isolation: alive.and_then(|record| record.placed.as_ref()).map(Isolation::of),
        leftover: keeps(call, name, spec, decision),
        last_exit: state.last.as_ref().map(LastExit::of),
        command: command(&spec.command),
        cwd: spec.cwd.as_deref(),
        remark: match (seen.remarks, &spec.ready) {
            (false, _) => String::new(),
            (true, Some(probe)) if decision.ready == Some(false) && main.is_some() => {
                let said = says.as_ref().map_or(String::new(), |says| format!("; {says}"));
                let hushed = hushed(silenced).map_or(String::new(), |hushed| format!("; {hushed}"));
                format!("not ready yet: {probe}{said}{hushed}")
            }
            (true, _) => {
                let pace = running.as_ref().map(|(usual, began)| usual::sentence(usual, began, now));
                let due = schedule::sentence(name.as_str(), spec, state, now.wall).filter(|_| word != Word::Waiting);
                let life = life(hang.as_ref(), probe.as_ref(), heartbeat.as_ref(), says.as_ref(), pace);
                let life = wants(waits, input).into_iter().chain(life).chain([due, hushed(silenced)]).flatten();
                remark(word, &life.collect::<Vec<_>>(), state.last.as_ref(), next.as_ref().map(|next| next.since(now)))
            }
        },
        says,
        heartbeat,
        hang,
        probe,
    }
}

/// What is said of a silence that goes on.
fn hushed(rest: Option<Duration>) -> Option<String> {
    rest.map(|rest| format!("silenced for {} more", human_duration(rest)))
}

/// What it waits for, in words: what is not there yet, and somebody who types.
fn wants(waits: Option<&String>, input: Option<Option<bool>>) -> [Option<String>; 2] {
    let typed = (input == Some(Some(true))).then(|| "waits for input".to_owned());
    [waits.map(|waits| format!("waits for {waits}")), typed]
}

/// `last`: when the last pass ran, if ever; `None`: that cannot be read, and then nothing is called overdue.
pub(super) fn health(last: Option<Option<LastPass>>, loaded: &Loaded, rows: &[Row<'_>], now: &Stamp) -> Health {
    let every_s = loaded.registry.healthcheck.every.as_secs().max(1);
    let unread = last.is_none();
    let last = last.flatten();
    let age_s = last.as_ref().map(|last| last.at.until(now.wall).as_secs());
    let wanted = rows.iter().any(|row| row.desired == Desired::Up);
    Health {
        ping_failed: last.as_ref().and_then(|last| last.ping_failed.clone()),
        last_at: last.and_then(|last| last.at.rfc3339()),
        age_s,
        every_s,
        overdue: wanted && !unread && age_s.is_none_or(|age| age > u64::from(OVERDUE) * every_s),
    }
}
