//! `metrics`: what is known of guardian and all its processes, as families for Prometheus.
//!
//! What is not known has no sample: it is never 0. Labels are names from the registry and words from fixed lists, so the
//! number of series is that of the processes times a constant. Counters come from what is committed and never set back.

use std::time::Duration;

use crate::model::ending::{Cause, EndedRun};
use crate::model::state::Desired;
use crate::model::tally::Tally;
use crate::model::time::Wall;
use crate::model::watch_state::Condition;
use crate::policy::stuck::Backlog;

use super::exposition::{Family, Kind, Labels};
use super::status::{State, Usage};

/// Every word that a state can be.
const STATES: [State; 10] = [
    State::New,
    State::Starting,
    State::Running,
    State::Hung,
    State::Unsupervised,
    State::Waiting,
    State::Completed,
    State::Stopped,
    State::Dead,
    State::Tripped,
];

/// What is known of one process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its group; empty: none.
    pub group: String,
    /// Its target, as written.
    pub target: String,
    /// Where it stands.
    pub state: State,
    /// What the operator asked for.
    pub desired: Desired,
    /// Whether it is so.
    pub as_desired: bool,
    /// Whether it is ready; `None`: it is not asked, or not known.
    pub ready: Option<bool>,
    /// Runs that were begun.
    pub starts: u64,
    /// What became of them.
    pub tally: Tally,
    /// Failures in a row.
    pub failures: u32,
    /// Whether the breaker is open.
    pub breaker_open: bool,
    /// When its run began, and how long it is up.
    pub up: Option<(Wall, Duration)>,
    /// Its target, where that is a duration.
    pub target_s: Option<u64>,
    /// The last run that ended.
    pub last: Option<EndedRun>,
    /// What its processes use; `None`: not asked, or not known.
    pub usage: Option<Usage>,
    /// Bytes ever written to its log, and when that was written to.
    pub log: Option<(u64, Option<Wall>)>,
    /// When its heartbeat was written last.
    pub heartbeat: Option<Wall>,
}

/// What is known of all.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Version of guardian.
    pub version: &'static str,
    /// Each process that could be looked at.
    pub processes: Vec<Process>,
    /// Each watch, and how it does.
    pub watches: Vec<(String, Condition)>,
    /// Processes of the registry.
    pub registered: usize,
    /// Mistakes in the registry.
    pub problems: usize,
    /// What could not be read.
    pub errors: usize,
    /// When the last pass over all ended, and how long it took; `None`: never, or not known.
    pub last_pass: Option<(Wall, Duration)>,
    /// How often one should.
    pub every: Duration,
    /// Whether one is missing; `None`: not known.
    pub overdue: Option<bool>,
    /// The outbox; `None`: it cannot be read.
    pub alerts: Option<Backlog>,
    /// Incidents that are open, and how many of them nobody acknowledged; `None`: they cannot be read.
    pub incidents: Option<(usize, usize)>,
    /// Whether a storm goes on; `None`: not known.
    pub storm: Option<bool>,
}

/// All families, in a fixed order.
#[must_use]
pub fn families(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let mut families = of_guardian(snapshot);
    families.extend(of_processes(&snapshot.processes));
    families.extend(of_runs(&snapshot.processes));
    families.extend(of_output(&snapshot.processes));
    let watches = [Condition::Ok, Condition::Bad, Condition::Unknown];
    let samples = snapshot.watches.iter().flat_map(|(name, now)| {
        watches.map(|state| (vec![("name", name.as_str()), ("state", state.word())], flag(state == *now)))
    });
    families.push(Family {
        name: "guardian_watch_state",
        kind: Kind::Gauge,
        help: "How what is only watched does: 1 for the state that it is in",
        samples: samples.collect(),
    });
    families
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers; exact up to 9 quadrillion")]
fn count(count: u64) -> f64 {
    count as f64
}

fn size(size: usize) -> f64 {
    count(u64::try_from(size).unwrap_or(u64::MAX)) // never more
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of the wall clock are exact")]
fn seconds(at: Wall) -> f64 {
    at.0 as f64 / 1000.0
}

fn alone(name: &'static str, help: &'static str, value: Option<f64>) -> Family<'static> {
    Family { name, kind: Kind::Gauge, help, samples: value.map(|value| (Vec::new(), value)).into_iter().collect() }
}

fn of_guardian(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let alerts = snapshot.alerts.as_ref();
    let pass = snapshot.last_pass;
    vec![
        Family {
            name: "guardian_build_info",
            kind: Kind::Gauge,
            help: "Always 1; the version of guardian",
            samples: vec![(vec![("version", snapshot.version)], 1.0)],
        },
        alone(
            "guardian_collect_errors",
            "States and files that could not be read for this; they have no samples",
            Some(size(snapshot.errors)),
        ),
        alone("guardian_registered_processes", "Processes in the registry", Some(size(snapshot.registered))),
        alone("guardian_registry_problems", "Mistakes in the registry", Some(size(snapshot.problems))),
        alone(
            "guardian_last_pass_timestamp_seconds",
            "When the last pass over all processes ended",
            pass.map(|(at, _)| seconds(at)),
        ),
        alone("guardian_last_pass_duration_seconds", "How long it took", pass.map(|(_, took)| took.as_secs_f64())),
        alone("guardian_pass_interval_seconds", "How often a pass should run", Some(snapshot.every.as_secs_f64())),
        alone("guardian_pass_overdue", "Whether a pass was missing when this was written", snapshot.overdue.map(flag)),
        alone(
            "guardian_alerts_pending",
            "Alerts that wait in the outbox, for whatever reason",
            alerts.map(|alerts| size(alerts.pending)),
        ),
        alone("guardian_alerts_dead", "Alerts that were given up", alerts.map(|alerts| size(alerts.dead))),
        alone(
            "guardian_alerts_stuck",
            "Pending alerts whose delivery fails for more than ten minutes",
            alerts.map(|alerts| size(alerts.stuck)),
        ),
        alone("guardian_incidents_open", "Incidents that are open", snapshot.incidents.map(|(open, _)| size(open))),
        alone(
            "guardian_incidents_unacknowledged",
            "Open incidents that nobody acknowledged",
            snapshot.incidents.map(|(_, unknown)| size(unknown)),
        ),
        alone("guardian_storm", "Whether many processes fail at once", snapshot.storm.map(flag)),
    ]
}

/// A family with at most one sample for each process.
fn each<'a>(
    processes: &'a [Process],
    (name, kind, help): (&'static str, Kind, &'static str),
    value: impl Fn(&'a Process) -> Option<f64>,
) -> Family<'a> {
    let sample = |process: &'a Process| Some((vec![("name", process.name.as_str())], value(process)?));
    Family { name, kind, help, samples: processes.iter().filter_map(sample).collect() }
}

/// A family with a sample for each process and each of several words.
fn split<'a>(
    processes: &'a [Process],
    (name, kind, help): (&'static str, Kind, &'static str),
    label: &'static str,
    values: impl Fn(&'a Process) -> Vec<(&'static str, f64)>,
) -> Family<'a> {
    let labels = |process: &'a Process, word: &'static str| -> Labels<'a> {
        vec![("name", process.name.as_str()), (label, word)]
    };
    let samples =
        processes.iter().flat_map(|of| values(of).into_iter().map(move |(word, value)| (labels(of, word), value)));
    Family { name, kind, help, samples: samples.collect() }
}

fn of_processes(all: &[Process]) -> Vec<Family<'_>> {
    use Kind::Gauge;
    let info = all.iter().map(|of| {
        let labels = [("name", of.name.as_str()), ("group", of.group.as_str()), ("target", of.target.as_str())];
        (labels.to_vec(), 1.0)
    });
    vec![
        Family {
            name: "guardian_process_info",
            kind: Gauge,
            help: "Always 1; what the registry says of a process",
            samples: info.collect(),
        },
        each(all, ("guardian_process_up", Gauge, "Whether a process of it lives"), |of| {
            Some(flag(of.state.is_alive()))
        }),
        each(all, ("guardian_process_desired_up", Gauge, "Whether it was asked to be up"), |of| {
            Some(flag(of.desired == Desired::Up))
        }),
        each(all, ("guardian_process_as_desired", Gauge, "Whether it is as was asked for"), |of| {
            Some(flag(of.as_desired))
        }),
        each(all, ("guardian_process_ready", Gauge, "Whether it is ready"), |of| of.ready.map(flag)),
        split(all, ("guardian_process_state", Gauge, "1 for the state that it is in"), "state", |of| {
            STATES.map(|state| (state.word(), flag(state == of.state))).to_vec()
        }),
        each(all, ("guardian_process_consecutive_failures", Gauge, "Failures in a row"), |of| {
            Some(f64::from(of.failures))
        }),
        each(all, ("guardian_process_breaker_open", Gauge, "Whether it failed too often and is left alone"), |of| {
            Some(flag(of.breaker_open))
        }),
    ]
}

fn of_runs(all: &[Process]) -> Vec<Family<'_>> {
    use Kind::{Counter, Gauge};
    vec![
        each(all, ("guardian_process_start_time_seconds", Gauge, "When the run that goes on began"), |of| {
            of.up.map(|(began, _)| seconds(began))
        }),
        each(all, ("guardian_process_uptime_seconds", Gauge, "How long it is up"), |of| {
            of.up.map(|(_, up)| up.as_secs_f64())
        }),
        each(all, ("guardian_process_target_seconds", Gauge, "How long a run is meant to live"), |of| {
            of.target_s.map(count)
        }),
        each(
            all,
            ("guardian_process_remaining_seconds", Gauge, "What is left of that to the run that goes on"),
            |of| {
                let (target, (_, up)) = of.target_s.zip(of.up)?;
                Some(Duration::from_secs(target).saturating_sub(up).as_secs_f64())
            },
        ),
        each(all, ("guardian_process_starts_total", Counter, "Runs that were begun"), |of| Some(count(of.starts))),
        each(all, ("guardian_process_restarts_total", Counter, "Runs that guardian began after an end"), |of| {
            Some(count(of.tally.restarts))
        }),
        split(all, ("guardian_process_runs_total", Counter, "Runs that ended, by what that meant"), "verdict", |of| {
            of.tally.by_verdict().map(|(verdict, number)| (verdict.word(), count(number))).to_vec()
        }),
        each(
            all,
            ("guardian_process_last_exit_timestamp_seconds", Gauge, "When its last run ended, where that was seen"),
            |of| of.last.as_ref()?.ended.map(seconds),
        ),
        each(
            all,
            (
                "guardian_process_last_exit_code",
                Gauge,
                "The code that its last run ended with, where it ended by itself",
            ),
            |of| if let Cause::Exited { code } = of.last.as_ref()?.cause { Some(f64::from(code)) } else { None },
        ),
    ]
}

fn of_output(all: &[Process]) -> Vec<Family<'_>> {
    use Kind::{Counter, Gauge};
    let usage = |of: &Process, value: fn(&Usage) -> f64| of.usage.as_ref().map(value);
    vec![
        each(all, ("guardian_process_log_bytes_total", Counter, "Bytes that were ever written to its log"), |of| {
            of.log.map(|(bytes, _)| count(bytes))
        }),
        each(
            all,
            ("guardian_process_last_output_timestamp_seconds", Gauge, "When its log was written to last"),
            |of| of.log?.1.map(seconds),
        ),
        each(
            all,
            (
                "guardian_process_last_heartbeat_timestamp_seconds",
                Gauge,
                "When the run that goes on gave a heartbeat last",
            ),
            |of| of.heartbeat.map(seconds),
        ),
        each(
            all,
            (
                "guardian_process_resident_memory_bytes",
                Gauge,
                "Memory of all its processes; not measured where there are very many",
            ),
            |of| usage(of, |usage| count(usage.rss_bytes)),
        ),
        each(all, ("guardian_process_cpu_seconds_total", Counter, "CPU time of all its processes that live"), |of| {
            usage(of, |usage| usage.cpu_s)
        }),
        each(all, ("guardian_process_tasks", Gauge, "Processes that it consists of"), |of| {
            usage(of, |usage| size(usage.processes))
        }),
    ]
}
