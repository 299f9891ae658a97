//! `run`: registers a job, starts it, stays with it for a while, and leaves it running when it takes longer.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value as Json, json};

use crate::error::{Code, Error};
use crate::model::ending::{EndedRun, Verdict};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::{self as model, Spec, Target};
use crate::model::units::{format_duration, human_duration, parse_bytes, parse_duration};
use crate::os::signals;
use crate::policy::budget::Asked;
use crate::policy::job_name::job_name;
use crate::registry::edit::Replace;
use crate::registry::value::{Draft, Value};
use crate::store::record;
use crate::supervise::{Held, consider, now};
use crate::view::exit_code::code_of;
use crate::view::status::{LastExit, State as Word};
use crate::view::words::end_phrase;

use super::attach::{Attach, Attached, LOOK};
use super::common::{Fresh, registry};
use super::dependants::settle_dependants;
use super::needed::{Else, bring_up, is_ordered};
use super::once::{self, Known};
use super::ready::Until;
use super::slow::patiently;
use super::spec_args::SpecArgs;
use super::start::{Started, begin};
use super::wait::state_of;
use super::{Call, register, requests};

/// Bytes of output that are shown where no terminal reads them: what fits into the window of an agent.
const MOST: u64 = 30_000;
/// The code of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// Names that are tried before it is given up to make one.
const NAMES: u32 = 10_000;

/// Runs a job that outlives its caller, and stays with it for a while
///
/// Registers it (target `exit`), starts it and shows what it writes. Ended within --yield: its output and its
/// exit code (128 + the signal that ended it). Else it goes on in the background, and its name, run and pid are
/// printed with the commands to use next. Ctrl-C leaves it running (exit 130). The same name and command while it runs: that run.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian run --name tests --timeout 30m -- make test")]
pub(super) struct Run {
    /// Name of the job; left out, it is made from the command
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long to stay with it
    #[arg(long = "yield", value_name = "DURATION", default_value = "10s")]
    yield_for: String,
    /// End it when it runs longer than this (`time_limit`)
    #[arg(long, value_name = "DURATION", conflicts_with = "time_limit")]
    timeout: Option<String>,
    /// Once completed for a day it is forgotten, log included (`forget_after`)
    #[arg(long, conflicts_with = "forget_after")]
    rm: bool,
    /// The same key never runs twice: it says what became of the first one
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
    /// At most this much of its output, `64K`, `2M`; the newest [default: 30000 bytes, on a terminal all]
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<String>,
    /// Take escape sequences (colours, cursor) out of its output
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    spec: SpecArgs,
}

/// A run that is stayed with.
pub(super) struct Job {
    pub(super) name: Name,
    pub(super) run: u64,
    /// What was done to have it.
    pub(super) result: &'static str,
}

pub(super) fn run(call: &Call, command: &Run) -> Result<u8, Error> {
    let duration = |text: &str| {
        parse_duration(text).map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))
    };
    let stay = duration(&command.yield_for)?;
    let size = command.max_bytes.as_deref().map(parse_bytes).transpose();
    let size = size.map_err(|error| Error::new(Code::Usage, "bad_size", error.what).hint(error.hint))?;
    if command.once.as_deref() == Some("") {
        return Err(Error::new(Code::Usage, "bad_key", "--once wants a key").hint("such as --once deploy-2026-11-21"));
    }
    let mut draft = register::draft(&command.spec)?;
    if let Some(timeout) = &command.timeout {
        duration(timeout)?;
        draft.set("time_limit", Value::Text(timeout.clone()));
    }
    if command.rm {
        draft.set("forget_after", Value::Text("1d".to_owned()));
    }
    if draft.get("target").is_none() {
        draft.set("target", Value::Text("exit".to_owned()));
    }
    if let Some(why) = requests::needed(call) {
        let name = command.name.as_ref().map_or_else(|| job_name(&words(command, &draft)), Clone::clone).parse()?;
        return requests::ask(call, &why, "run", vec![(name, requests::words_of_run(command.once.is_some())?)]);
    }
    let job = match &command.once {
        None => place(call, command, &draft, &|_| Ok(()))?,
        Some(key) => match once::job(call, key, |mark| place(call, command, &draft, mark))? {
            Known::Job(job) => job,
            Known::Gone(marker) => return once::tell_gone(call, &marker),
        },
    };
    let loaded = registry(call)?;
    // A job that is in the registry no more has ended: how, its state says.
    let gone = Spec { target: Target::Exit, ..Spec::with_command(model::Command::Argv(Vec::new())) };
    let spec = loaded.registry.processes.get(&job.name).map_or(&gone, |entry| &entry.spec);
    let terminal = std::io::stdout().is_terminal() && !call.out.is_json();
    let attach = Attach {
        name: &job.name,
        spec,
        run: job.run,
        until: now()?.plus(stay),
        live: terminal && !call.out.is_quiet(),
        look: LOOK,
        plain: command.plain,
        most: size.or((!terminal).then_some(MOST)),
    };
    signals::note_interrupt();
    let attached = attach.stay(call)?;
    tell(call, &job, &attached, stay)
}

/// Registers and starts it under the name that was given, or the first that is free. `mark` is called with the process
/// held, before anything is started.
fn place(call: &Call, command: &Run, draft: &Draft, mark: Mark<'_>) -> Result<Job, Error> {
    if let Some(name) = &command.name {
        return up(call, &name.parse()?, draft, mark).map_err(|error| match error.kind {
            "spec_differs" => error.hint("another command is another job: give it another --name, or none"),
            _ => error,
        });
    }
    let base = job_name(&words(command, draft));
    for number in 1..NAMES {
        let name: Name = if number == 1 { base.parse()? } else { format!("{base}-{number}").parse()? };
        let loaded = registry(call)?;
        let known = loaded.registry.processes.get(&name);
        let taken = loaded.registry.watches.contains_key(&name)
            || loaded.registry.invalid.iter().any(|invalid| invalid == name.as_str());
        if taken || known.map(|entry| is_wanted(call, &name, &entry.spec)).transpose()? == Some(true) {
            continue;
        }
        match up(call, &name, draft, mark) {
            Ok(job) if job.result == "already_running" => {} // somebody else was quicker
            Err(error) if matches!(error.kind, "spec_differs" | "registry_form") => {}
            outcome => return outcome,
        }
    }
    Err(Error::new(Code::Refused, "no_name", format!("no name is left that begins with `{base}`")).hint("give --name"))
}

/// The words that a name is made from.
fn words(command: &Run, draft: &Draft) -> Vec<String> {
    match draft.get("shell") {
        Some(Value::Text(line)) => shlex::split(line).unwrap_or_else(|| line.split(' ').map(str::to_owned).collect()),
        Some(_) | None => command.spec.command().iter().map(|word| word.to_string_lossy().into_owned()).collect(),
    }
}

/// Whether it runs, or will by itself.
fn is_wanted(call: &Call, name: &Name, spec: &Spec) -> Result<bool, Error> {
    let word = Word::of(&consider(&call.ctx, name, spec, &state_of(call, name)?, &now()?));
    Ok(word.is_alive() || word == Word::Waiting)
}

/// What is done with a process that is held and about to be started.
pub(super) type Mark<'a> = &'a (dyn Fn(&Held<'_>) -> Result<(), Error> + Sync);

/// Registers `name` and starts it, unless it runs.
fn up(call: &Call, name: &Name, draft: &Draft, mark: Mark<'_>) -> Result<Job, Error> {
    let (change, registry) = register::put(call, name, draft, Replace::Refuse)?;
    let spec = registry.processes.get(name).map(|entry| &entry.spec);
    // A job that is run anew gets the environment of who asks now.
    let anew = !spec.map(|spec| is_wanted(call, name, spec)).transpose()?.unwrap_or(false);
    let replace = if anew { Replace::Allow } else { Replace::Refuse };
    register::take_down_environment(call, name, change, replace)?;
    register::count(call, name, change, &registry)?;
    start(call, name, mark)
}

/// Starts what is registered as `name`, unless it runs.
pub(super) fn start(call: &Call, name: &Name, mark: Mark<'_>) -> Result<Job, Error> {
    let fresh = Fresh::default();
    let names = std::slice::from_ref(name);
    let up = |name: &Name| -> Result<Started, Error> {
        let work = |held: &mut Held<'_>| {
            mark(held)?;
            begin(call, held, Until::Begun)
        };
        patiently(call, &fresh, name, Asked::Start, work).map(|(started, _)| started)
    };
    let registry = fresh.get(call)?;
    let outcome = match is_ordered(&registry, names) {
        true => bring_up(call, &fresh, names, Else::Waits, up)?.asked.pop(),
        false => Some(up(name)),
    };
    let started = outcome.unwrap_or_else(|| Err(Error::not_registered(name, None)))?;
    settle_dependants(call, &registry, names);
    Ok(Job { name: name.clone(), run: started.run, result: started.result })
}

/// The pid of the program, if it has begun.
fn pid(call: &Call, job: &Job) -> Option<i32> {
    match record::read(&call.ctx.paths, &job.name, job.run).0 {
        Recorded::Read(record) => record.main.map(|main| main.pid),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    }
}

fn tell(call: &Call, job: &Job, attached: &Attached, stay: Duration) -> Result<u8, Error> {
    let Job { name, run, result } = job;
    let exit = attached.ended.as_ref().map(code_of);
    let pid = pid(call, job);
    let next = json!({"logs": format!("guardian logs {name} --cursor {}", attached.cursor),
                      "wait": format!("guardian wait {name}"), "stop": format!("guardian stop {name}")});
    let lines = String::from_utf8_lossy(&attached.output);
    let lines: Vec<&str> = lines.lines().collect();
    let last = attached.ended.as_ref().map(LastExit::of);
    call.out.json(&json!({
        "schema": SCHEMA, "name": name, "run": run, "pid": pid, "result": result,
        "state": if exit.is_some() { "ended" } else { "running" }, "exit_code": exit,
        "verdict": attached.ended.as_ref().map(|last| last.verdict.word()), "last_exit": last,
        "output": {"lines": lines, "cursor": attached.cursor.to_string(), "cut_bytes": attached.cut.map_or(0, |(_, cut)| cut),
                   "cut_from": attached.cut.map(|(from, _)| from.to_string())},
        "next": if exit.is_some() { Json::Null } else { next },
    }));
    if !call.out.is_json() {
        if !attached.output.is_empty() {
            drop(call.out.raw(&attached.output)); // a reader that closed its end has enough
        }
        say_cut(call, name, attached);
    }
    match (&attached.ended, exit) {
        (Some(last), Some(exit)) => {
            say_end(call, job, last);
            Ok(exit)
        }
        (_, _) => {
            say_on(call, job, attached, pid, stay);
            Ok(if attached.interrupted { INTERRUPTED } else { 0 })
        }
    }
}

fn say_cut(call: &Call, name: &Name, attached: &Attached) {
    if let Some((from, cut)) = attached.cut
        && !call.out.is_quiet()
    {
        call.out.complain(&format!(
            "{cut} bytes were left out here: guardian logs {name} --cursor {from} --max-bytes 64K, or more with run --max-bytes"
        ));
    }
}

/// How it ended, where its code alone does not say it.
fn say_end(call: &Call, job: &Job, last: &EndedRun) {
    if call.out.is_json() || call.out.is_quiet() || (last.verdict == Verdict::Completed && job.result == "started") {
        return;
    }
    let lived = last.ran().map_or(String::new(), |ran| format!(" after {}", human_duration(ran)));
    let cause = end_phrase(&last.cause, &last.signals, last.stopped_by.as_ref());
    call.out.complain(&format!("{} run {}: {}{lived}: {cause}", job.name, last.run, last.verdict.word()));
}

/// It goes on: under which name, and what to do with it.
fn say_on(call: &Call, job: &Job, attached: &Attached, pid: Option<i32>, stay: Duration) {
    let Job { name, run, .. } = job;
    let pid = pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
    let why = match attached.interrupted {
        true => "you leave it, and it goes on".to_owned(),
        false => format!("it goes on after {}", format_duration(stay)),
    };
    let lines = format!(
        "{name} run {run}{pid}: {why}\n  what is new: guardian logs {name} --cursor {}\n  its end:     guardian wait {name}\n  end it:      guardian stop {name}",
        attached.cursor
    );
    if call.out.is_json() {
        return;
    }
    if attached.interrupted { call.out.complain(&lines) } else { call.out.say(&lines) }
}
