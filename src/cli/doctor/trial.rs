//! Trial runs in a throw-away home, one for each attack: started by a caller of its own, which is then attacked in that way.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Code, Error};
use crate::model::check::Attack;
use crate::model::evidence::Level;
use crate::os::caller::Caller;
use crate::os::process::{self, Process};
use crate::policy::doctor::{Fate, Trial};
use crate::store::atomic;

use super::super::demo_stage::{Cut, Stage};
use super::Found;

/// How long the trial runs are waited for, and what was left beside them.
const PATIENCE: Duration = Duration::from_secs(4);
const DIES: Duration = Duration::from_secs(2);
/// Whoever starts a trial run: leaves something beside it that nobody keeps, starts it, and stays.
const CALLER: &str = "caller.sh";
const SCRIPT: &str = "\
sleep 60 &
echo \"$!\" > \"$2.beside\"
\"$1\" --json start \"$2\" > \"$2.new\"
mv \"$2.new\" \"$2.started\"
wait
";

/// The home with its callers, which are starting their runs.
pub(super) struct Begun {
    stage: Stage,
    callers: Vec<(Attack, Caller)>,
}

/// The keys of limits that the registry asks for.
pub(super) fn limits(found: &Found<'_>) -> Vec<&'static str> {
    let specs = || found.loaded.iter().flat_map(|loaded| loaded.registry.processes.values()).map(|entry| &entry.spec);
    let asked = [
        ("memory", specs().any(|spec| spec.memory.is_some())),
        ("cpu", specs().any(|spec| spec.cpu.is_some())),
        ("tasks", specs().any(|spec| spec.tasks.is_some())),
    ];
    asked.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect()
}

/// Builds the home and starts the callers. No other thread may be there yet.
pub(super) fn begin(found: &Found<'_>) -> Result<Begun, Cut> {
    let stage = Stage::build(found.call)?;
    let mut begun = Begun { stage, callers: Vec::new() };
    match start(&mut begun, found) {
        Ok(()) => Ok(begun),
        Err(error) => {
            drop(end(begun)); // what was wrong first is told
            Err(error.into())
        }
    }
}

fn start(begun: &mut Begun, found: &Found<'_>) -> Result<(), Error> {
    let limits: String = limits(found)
        .into_iter()
        .map(|key| match key {
            "memory" => "memory = \"256M\"\n",
            "cpu" => "cpu = 1.0\n",
            _ => "tasks = 64\n",
        })
        .collect();
    let entry = |attack: Attack| {
        format!("[process.{}]\ncommand = [\"sleep\", \"120\"]\nrestart = \"never\"\n{limits}", attack.name())
    };
    begun.stage.write("home/registry.toml", &Attack::ALL.map(entry).concat())?;
    begun.stage.write(CALLER, SCRIPT)?;
    for attack in Attack::ALL {
        let command = begun.stage.calling(CALLER, attack.name());
        let caller = Caller::spawn(command).map_err(|error| trouble("start a caller", &error))?;
        begun.callers.push((attack, caller));
    }
    Ok(())
}

fn trouble(what: &str, error: &std::io::Error) -> Error {
    Error::new(Code::System, "trial", format!("cannot {what} for a trial: {error}"))
}

/// Attacks the callers, looks at what lives, and removes everything.
pub(super) fn finish(mut begun: Begun) -> Result<Trial, Cut> {
    let trial = attack(&mut begun);
    let ended = end(begun);
    let trial = trial?;
    ended?;
    Ok(trial)
}

fn end(begun: Begun) -> Result<(), Error> {
    let mut outcome = Ok(());
    for (_, caller) in begun.callers {
        outcome = outcome.and(caller.end().map_err(|error| trouble("end a caller", &error)));
    }
    begun.stage.strike().and(outcome)
}

/// What a caller reported of its run.
struct Started {
    attack: Attack,
    /// Pid of the run.
    pid: i32,
    row: Value,
    /// What the caller left beside it.
    beside: Process,
}

fn attack(begun: &mut Begun) -> Result<Trial, Cut> {
    let mut started = Vec::new();
    for attack in Attack::ALL {
        let path = begun.stage.dir.join(format!("{}.started", attack.name()));
        let report = begun.stage.eventually(PATIENCE, || atomic::read_if_there(&path))?;
        let report: Value = report.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
        started.push(began(begun, attack, report["processes"][0].clone())?);
    }
    let table = process::table()
        .map_err(|error| Error::new(Code::System, "processes", format!("cannot read the process table: {error}")))?;
    // One that cannot be made shows nothing: what was left beside its run lives on, and that is told.
    for (attack, caller) in &mut begun.callers {
        drop(caller.attack(*attack, &table));
    }
    let dead = |started: &Started| match process::look(started.beside.pid) {
        Ok(Some(now)) => now.zombie || now.started != started.beside.started,
        Ok(None) => true,
        Err(_) => false,
    };
    begun.stage.eventually(DIES, || Ok(started.iter().all(dead).then_some(())))?;
    let output = begun.stage.guardian(&["status", "--json"])?;
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let fates = started.iter().map(|started| fate(started, &status, dead(started))).collect();
    let isolation = started.first().map_or(&Value::Null, |started| &started.row["isolation"]);
    Ok(Trial {
        level: serde_json::from_value::<Level>(isolation["level"].clone()).ok(),
        why: isolation["why"].as_str().map(str::to_owned),
        fates,
    })
}

fn began(begun: &Begun, attack: Attack, row: Value) -> Result<Started, Error> {
    let name = attack.name();
    let number = |value: Option<i64>| value.and_then(|pid| i32::try_from(pid).ok());
    let beside = fs::read_to_string(begun.stage.dir.join(format!("{name}.beside"))).ok();
    let beside = number(beside.and_then(|text| text.trim().parse().ok()));
    let beside = beside.and_then(|pid| process::look(pid).ok().flatten());
    match (number(row["pid"].as_i64()), beside) {
        (Some(pid), Some(beside)) => Ok(Started { attack, pid, row, beside }),
        (_, _) => Err(Error::new(Code::No, "trial", format!("the trial run `{name}` did not start"))
            .hint("guardian demo shows more")),
    }
}

fn fate(started: &Started, status: &Value, made: bool) -> Fate {
    let rows = status["processes"].as_array();
    let row = rows.and_then(|rows| rows.iter().find(|row| row["name"] == started.attack.name()));
    let survived = row.map(|row| row["state"] == "running" && row["pid"] == started.pid && row["run"] == 1);
    let session = |pid: Option<i32>| nix::unistd::getsid(pid.map(nix::unistd::Pid::from_raw)).ok();
    let its = session(Some(started.pid));
    // Neither ours nor that of what the caller left beside it, which is over.
    let own_session = its.zip(session(None)).map(|(its, ours)| its != ours && its.as_raw() == started.pid);
    Fate { attack: started.attack, made, survived, own_session: own_session.filter(|_| survived == Some(true)) }
}

impl Stage {
    /// The command that runs a script which is given guardian's program and a name.
    fn calling(&self, script: &str, name: &str) -> Command {
        let mut command = self.command("/bin/sh".as_ref());
        command.arg(self.dir.join(script)).arg(self.exe()).arg(name);
        command
    }
}
