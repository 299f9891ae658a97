//! `doctor`: what survives here and what does not, shown rather than hoped, and what mends it.
//!
//! Gathers what is found (the files below), has it judged by `policy::doctor`, and prints a line for each check. What may hang (a
//! resolver, a program of the system's, a hook) is asked beside the rest and left behind at its limit.

mod files;
mod sinks;
mod trial;
mod triggers;

use std::thread;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::healthcheck::guarded;
use crate::healthcheck::{LastPass, last};
use crate::model::check::{Check, Grade};
use crate::model::event::SCHEMA;
use crate::os::machine::Machine;
use crate::os::surroundings::{self, INITIAL_PIDS};
use crate::os::{health, machine};
use crate::policy::doctor::{self, Moment, Pids, Trial};
use crate::spool::{Why, sandboxed};
use crate::store::registry_file::Loaded;
use crate::supervise::now;
use crate::view::table::align;

use super::Call;
use super::common::registry;
use super::demo_stage::Cut;
use super::install_agent;

/// Proves what survives here and what does not, and says what to mend
///
/// Trial runs are started in a throw-away home, and what started each is attacked: its process group and its session are killed, all below
/// it is, its terminal is closed. No message is sent to any sink. Exit code 1: something is red. With --quiet only what is not well is
/// printed.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian doctor\nExample: guardian doctor --agent")]
pub(super) struct Doctor {
    /// For an agent that is to work alone: what nobody would notice is red, not yellow
    #[arg(long)]
    agent: bool,
}

/// What was found before anything is judged, and is used by more than one check.
struct Found<'a> {
    call: &'a Call,
    loaded: Option<&'a Loaded>,
    /// The note of the last pass, if there is one that can be read.
    last: Option<LastPass>,
    machine: Option<Machine>,
}

pub(super) fn run(call: &Call, command: &Doctor) -> Result<u8, Error> {
    let (loaded, of_registry) = match registry(call) {
        Ok(loaded) => {
            let check = files::registry(&loaded);
            (Some(loaded), check)
        }
        Err(error) => (None, Check::red("registry", error.message, error.hint)),
    };
    let noted = last(&call.ctx.paths);
    let found =
        Found { call, loaded: loaded.as_ref(), last: noted.as_ref().ok().cloned().flatten(), machine: machine::look() };
    // Before any other thread is there: it blocks the signals that ask for the end, so that nothing is left behind.
    let begun = trial::begin(&found);
    let all = thread::scope(|scope| -> Result<_, Cut> {
        let sinks = scope.spawn(|| sinks::checks(&found));
        let scheduled = scope.spawn(|| triggers::look(&found));
        let agents = scope.spawn(|| install_agent::checks(call));
        let orphan = scope.spawn(health::orphan);
        let files = files::checks(&found);
        let trial = match begun.and_then(trial::finish) {
            Ok(trial) => Ok(trial),
            Err(Cut::Failed(error)) => Err(error),
            Err(cut @ Cut::Interrupted) => return Err(cut),
        };
        let bug = |_| Error::new(Code::Bug, "bug", "a check of doctor's broke off");
        let scheduled = scheduled.join().map_err(bug)??;
        let mut checks = vec![of_registry];
        checks.extend(files);
        checks.extend(triggers::checks(&found, noted.as_ref().err(), &scheduled, level(&trial))?);
        checks.extend(survival(&found, &trial));
        checks.extend(of_machine(&found, orphan.join().map_err(bug)?.as_ref())?);
        checks.extend(sinks.join().map_err(bug)??);
        checks.extend(agents.join().map_err(bug)?);
        Ok(checks)
    });
    let mut checks = match all {
        Ok(checks) => checks,
        Err(Cut::Failed(error)) => return Err(error),
        Err(cut @ Cut::Interrupted) => return Ok(cut.code(call)),
    };
    if command.agent {
        checks = checks.into_iter().map(doctor::strict).collect();
    }
    tell(call, &checks);
    let red = checks.iter().any(|check| check.grade == Grade::Red);
    Ok(if red { Code::No as u8 } else { 0 })
}

/// One line each; quietly, only what is not well.
fn tell(call: &Call, checks: &[Check]) {
    if call.out.is_json() {
        call.out.json(&json!({"schema": SCHEMA, "checks": checks}));
        return;
    }
    let shown = checks.iter().filter(|check| !call.out.is_quiet() || check.grade != Grade::Green);
    let rows: Vec<[String; 3]> = shown
        .map(|check| {
            let grade = match check.grade {
                Grade::Green => "ok",
                Grade::Yellow => "could be better",
                Grade::Red => "MEND THIS",
            };
            let mend = check.mend.as_ref().map(|mend| format!("; {mend}")).unwrap_or_default();
            [check.name.to_owned(), grade.to_owned(), format!("{}{mend}", check.said)]
        })
        .collect();
    if !rows.is_empty() {
        call.out.answer(align(&rows).trim_end());
    }
}

fn level(trial: &Result<Trial, Error>) -> Option<crate::model::evidence::Level> {
    trial.as_ref().ok().and_then(|trial| trial.level)
}

/// Whether what is started here outlives who starts it.
fn survival(found: &Found<'_>, trial: &Result<Trial, Error>) -> Vec<Check> {
    let home = found.machine.as_ref().map_or(Some(doctor::Home::None), |machine| machine.home.clone());
    let mut checks = match trial {
        Ok(trial) => doctor::isolation(trial, home.as_ref()),
        Err(error) => vec![Check::red(
            "isolation",
            format!("no trial run could be made: {}", error.message),
            "guardian demo shows more",
        )],
    };
    checks.push(doctor::caller(home.as_ref(), level(trial)));
    let (pids, read_only) = sandbox(found);
    checks.push(doctor::sandbox(pids, read_only.as_deref()));
    checks.push(doctor::limits(&trial::limits(found), trial.as_ref().ok()));
    checks
}

fn sandbox(found: &Found<'_>) -> (Pids, Option<String>) {
    let here = surroundings::pid_namespace();
    let there = found.last.as_ref().and_then(|last| last.pid_namespace);
    let pids = match (sandboxed(&found.call.ctx), here) {
        (Some(Why::ReadOnly(path)), _) => return (Pids::Unknown, Some(path.display().to_string())),
        (Some(Why::Namespace), _) => Pids::Foreign,
        (None, None) if found.machine.is_none() => Pids::Machine,
        (None, None) => Pids::Unknown,
        (None, Some(INITIAL_PIDS)) => Pids::Machine,
        (None, here) if here == there => Pids::Shared,
        (None, Some(_)) => Pids::Unseen,
    };
    (pids, None)
}

/// The machine itself, where there is something to look at, and its clock.
fn of_machine(found: &Found<'_>, adopter: Option<&doctor::Adopter>) -> Result<Vec<Check>, Error> {
    let own = adopter.is_some_and(|adopter| u32::try_from(adopter.pid) == Ok(std::process::id()));
    let mut checks = vec![doctor::orphans(adopter, own)];
    if let Some(machine) = &found.machine {
        let release = machine.release.as_deref();
        let container = machine.container.as_ref().map(|(what, first)| (*what, first));
        let entries = found.loaded.iter().flat_map(|loaded| loaded.registry.processes.values());
        let traced = entries.filter(|entry| entry.spec.trace_signals).count();
        checks.extend([
            doctor::first(container),
            doctor::kernel(machine.kernel, release),
            doctor::ptrace(traced, machine.ptrace_scope, nix::unistd::geteuid().is_root()),
            doctor::wsl(release, machine.systemd),
        ]);
    }
    let now = now()?;
    let awake = guarded::awake()?;
    let asleep_ms = Some(now.boot_ms.saturating_sub(awake.ms)).filter(|_| found.machine.is_some());
    let moment = Moment { wall: now.wall, awake, asleep_ms };
    let then = found.last.as_ref().and_then(|last| Some((last.at, last.awake.as_ref()?)));
    let set_by = then.map_or(0, |then| doctor::set_by(then, &moment));
    checks.push(doctor::clock(health::is_synchronised(), set_by));
    Ok(checks)
}
