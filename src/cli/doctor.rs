//! `doctor`: what survives here and what does not, shown rather than hoped, and what mends it.

use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::alert::desk;
use crate::error::{Code, Error};
use crate::healthcheck::last;
use crate::model::check::{Check, Grade};
use crate::model::event::SCHEMA;
use crate::model::evidence::Level;
use crate::os::managers::has_cron_daemon;
use crate::os::{crontab, health, process};
use crate::policy::crontab::Block;
use crate::policy::doctor::{self, Trial};
use crate::store::atomic;
use crate::store::registry_file::Loaded;
use crate::supervise::now;
use crate::view::table::align;

use super::Call;
use super::common::registry;
use super::demo_stage::{Cut, Stage};
use super::install::home;
use super::install_agent;

/// How long the trial run is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Whoever starts the trial run, and what is left of it when it is attacked.
const CALLER: &str = "caller.sh";
const SCRIPT: &str = "\"$1\" --json start trial > started.new; mv started.new started; sleep 60 & wait";

/// Proves what survives here and what does not, and says what to mend
///
/// A trial run is started in a throw-away home, and then everything that started it is killed. Exit code 1: something is red.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian doctor --agent")]
pub(super) struct Doctor {
    /// For an agent that is to work alone: what nobody would notice is red, not yellow
    #[arg(long)]
    agent: bool,
}

pub(super) fn run(call: &Call, command: &Doctor) -> Result<u8, Error> {
    let (loaded, of_registry) = match registry(call) {
        Ok(loaded) => {
            let check = check_registry(&loaded);
            (Some(loaded), check)
        }
        Err(error) => (None, Check::red("registry", error.message, error.hint)),
    };
    let mut checks = vec![of_registry, trigger(call, loaded.as_ref())?];
    checks.push(match trial(call) {
        Ok(trial) => doctor::isolation(&trial),
        Err(Cut::Failed(error)) => Check::red(
            "isolation",
            format!("no trial run could be made: {}", error.message),
            "guardian demo shows more",
        ),
        Err(cut @ Cut::Interrupted) => return Ok(cut.code(call)),
    });
    checks.push(sinks(call, loaded.as_ref())?);
    atomic::make_dir(&call.ctx.paths.state)?;
    checks.push(doctor::disk(health::room(&call.ctx.paths.state)));
    checks.push(doctor::clock(health::is_synchronised()));
    checks.extend(install_agent::checks(call));
    if command.agent {
        checks = checks.into_iter().map(doctor::strict).collect();
    }
    tell(call, &checks);
    let red = checks.iter().any(|check| check.grade == Grade::Red);
    Ok(if red { Code::No as u8 } else { 0 })
}

fn tell(call: &Call, checks: &[Check]) {
    call.out.json(&json!({"schema": SCHEMA, "checks": checks}));
    let rows: Vec<[String; 3]> = checks
        .iter()
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
    call.out.say(align(&rows).trim_end());
}

fn check_registry(loaded: &Loaded) -> Check {
    match loaded.problems.first() {
        None => Check::green("registry", format!("{} processes, all valid", loaded.registry.processes.len())),
        Some(first) => {
            let said =
                format!("{} problems, the first in line {}: {}", loaded.problems.len(), first.line, first.message);
            Check::red("registry", said, "guardian config check")
        }
    }
}

fn trigger(call: &Call, loaded: Option<&Loaded>) -> Result<Check, Error> {
    let every = loaded.map_or(Duration::from_secs(60), |loaded| loaded.registry.healthcheck.every);
    let ago = match last(&call.ctx.paths) {
        Ok(last) => {
            let now = now()?;
            last.map(|last| last.at.until(now.wall))
        }
        Err(error) => return Ok(Check::red("trigger", error.message, "guardian healthcheck")),
    };
    let block = Block::of(&home(call)?);
    // A crontab that cannot be read is neither with nor without guardian.
    let installed = crontab::read().ok().map(|text| text.is_some_and(|text| block.is_in(&text)));
    Ok(doctor::trigger(ago, every, installed, has_cron_daemon()))
}

fn sinks(call: &Call, loaded: Option<&Loaded>) -> Result<Check, Error> {
    let now = now()?;
    let sinks = loaded.map_or(&[][..], |loaded| loaded.registry.sinks.as_slice());
    let count = sinks.len();
    let found = desk::backlog(&call.ctx.paths, sinks, &now)
        .and_then(|backlog| Ok((backlog, desk::overview(&call.ctx.paths, &[], 1, &now)?)));
    Ok(match found {
        Ok((backlog, overview)) => {
            let delivered = overview.settled.first().map(|receipt| now.since(&receipt.at));
            doctor::sinks(count, &backlog, delivered)
        }
        Err(error) => Check::red("sinks", error.message, "guardian alerts"),
    })
}

/// Starts a run in a home of its own, kills everything that started it, and looks whether it lives.
fn trial(call: &Call) -> Result<Trial, Cut> {
    let stage = Stage::build(call)?;
    let trial = attack(&stage);
    stage.strike()?;
    trial
}

fn attack(stage: &Stage) -> Result<Trial, Cut> {
    stage.guardian(&["register", "trial", "--target", "forever", "--", "sleep", "600"])?;
    stage.write(CALLER, SCRIPT)?;
    let caller = stage.caller(CALLER)?;
    let path = stage.dir.join("started");
    let started = stage.eventually(PATIENCE, || atomic::read_if_there(&path));
    let table = process::table();
    // Even where nobody can say who is below the caller, it and its group end here.
    caller.end_with_all(table.as_deref().unwrap_or(&[]))?;
    if let Err(error) = table {
        return Err(Error::new(Code::System, "processes", format!("cannot read the process table: {error}")).into());
    }
    let started: Value = started?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
    let row = &started["processes"][0];
    let pid = row["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    let Some(pid) = pid else {
        return Err(Error::new(Code::No, "trial", "the trial run did not start")
            .hint("guardian demo shows more")
            .into());
    };
    let output = stage.guardian(&["status", "trial", "--json"])?;
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let status = &status["processes"][0];
    let survived = status["state"] == "running" && status["pid"] == pid && status["run"] == 1;
    let session = |pid: Option<i32>| nix::unistd::getsid(pid.map(nix::unistd::Pid::from_raw)).ok();
    let own_session = session(Some(pid)).zip(session(None)).map(|(its, ours)| its != ours);
    let level = serde_json::from_value::<Level>(row["isolation"]["level"].clone()).ok();
    Ok(Trial { survived, own_session: if survived { own_session } else { None }, level })
}
