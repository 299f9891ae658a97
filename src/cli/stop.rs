//! `stop` and `restart`: the stop signal to the whole tree, KILL after the grace, and back only when nothing of it lives.

use std::collections::HashSet;
use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::living::{has_cleared, kill_group, living, remove_group};
use crate::model::event::SCHEMA;
use crate::model::evidence::{Life, Lock, Recorded};
use crate::model::name::Name;
use crate::model::spec::{Leftover, Spec};
use crate::model::state::Desired;
use crate::model::time::{Identity, Stamp};
use crate::model::units::{format_duration, parse_duration};
use crate::os::process;
use crate::policy::budget::Asked;
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Look};
use crate::policy::operator::stop;
use crate::store::record;
use crate::supervise::{Held, Outcome, now};

use super::Call;
use super::common::{Fresh, Which, complain_of, registry};
use super::dependants::{runs, settle_dependants, warn_of_dependants};
use super::needed::{Else, bring_up, is_another_run, is_ordered};
use super::out::worse;
use super::plan::{dependants_first, in_order};
use super::ready::Until;
use super::requests;
use super::slow::patiently;
use super::start::{Started, again, already, also, side_by_side};

/// After KILL, until it is said that something cannot be ended (a process that hangs in the kernel).
const AFTER_KILL: Duration = Duration::from_secs(10);
/// Said of what ran.
const STOPPED: &str = "stopped";
/// Shortest and longest pause between two looks at what still lives.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Stops processes, with everything they started
///
/// The stop signal goes to the whole tree, KILL after the grace; returns when nothing of it is left.
/// Nobody is alerted. It stays down until somebody starts it.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian stop btc-bot --grace 30s")]
pub(super) struct Stop {
    #[command(flatten)]
    which: Which,
    /// From the stop signal to KILL, instead of the registered grace
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    grace: Option<String>,
}

/// Stops processes, then starts them: never two at once
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian restart btc-bot")]
pub(super) struct Restart {
    #[command(flatten)]
    which: Which,
    /// From the stop signal to KILL, instead of the registered grace
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    grace: Option<String>,
}

fn grace(text: Option<&String>) -> Result<Option<Duration>, Error> {
    text.map(|text| {
        parse_duration(text).map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))
    })
    .transpose()
}

/// The option as it was given.
fn options(grace: Option<&String>) -> Vec<String> {
    grace.map(|grace| format!("--grace={grace}")).into_iter().collect()
}

pub(super) fn run(call: &Call, command: &Stop) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let names = command.which.resolve(&loaded, call)?;
    let grace = grace(command.grace.as_ref())?;
    if let Some(why) = requests::needed(call) {
        return requests::ask_each(call, &why, "stop", &names, &options(command.grace.as_ref()));
    }
    let fresh = Fresh::default();
    let graph = loaded.registry.graph();
    let work = |name: &Name| {
        fresh.with(call, name, |held| {
            let word = down(call, held, grace)?;
            Ok((word, Some(held.state.run).filter(|_| word == STOPPED)))
        })
    };
    let outcomes = match is_ordered(&loaded.registry, &names) {
        true => in_order(&names, &dependants_first(&graph, &names), work),
        false => side_by_side(&names, work),
    };
    let outcomes = outcomes.into_iter().map(|outcome| outcome.map(|(word, run)| Told { word, run, began: None }));
    let code = tell(call, &names, outcomes.collect());
    warn_of_dependants(call, &loaded.registry, &names)?;
    settle_dependants(call, &loaded.registry, &names);
    Ok(worse(code, complain_of(&loaded, call)))
}

pub(super) fn restart(call: &Call, command: &Restart) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let names = command.which.resolve(&loaded, call)?;
    let grace = grace(command.grace.as_ref())?;
    if let Some(why) = requests::needed(call) {
        return requests::ask_each(call, &why, "restart", &names, &options(command.grace.as_ref()));
    }
    let fresh = Fresh::default();
    let again = |name: &Name, before: Option<u64>| {
        let (started, slowed) = patiently(call, &fresh, name, Asked::Restart, |held| {
            if before.is_some_and(|before| is_another_run(held, before)) {
                return already(held, Until::Begun);
            }
            until_gone(call, held, grace, Desired::Up)?;
            again(call, held)
        })?;
        started.after(slowed).follow(call, Until::Begun)
    };
    let outcomes = if is_ordered(&loaded.registry, &names) {
        let before = runs(call, &names)?;
        let up = |name: &Name| again(name, before.get(name).copied());
        let brought = bring_up(call, &fresh, &names, Else::Stays, up)?;
        also(call, &brought.needed);
        brought.asked
    } else {
        side_by_side(&names, |name| again(name, None))
    };
    let told = |began: Started| Told { word: "restarted", run: Some(began.run), began: Some(began) };
    let code = tell(call, &names, outcomes.into_iter().map(|outcome| outcome.map(told)).collect());
    settle_dependants(call, &loaded.registry, &names);
    Ok(worse(code, complain_of(&loaded, call)))
}

/// What became of one process.
struct Told {
    word: &'static str,
    /// The run that was stopped or begun.
    run: Option<u64>,
    began: Option<Started>,
}

fn tell(call: &Call, names: &[Name], outcomes: Vec<Result<Told, Error>>) -> u8 {
    let mut code = 0;
    let mut results = Vec::new();
    for (name, outcome) in names.iter().zip(outcomes) {
        match outcome {
            Ok(Told { word, run, began }) => {
                let new = began.as_ref().map_or(String::new(), |began| format!(" as run {}", began.run));
                call.out.say(&format!("{name}: {}{new}", word.replace('_', " ")));
                let mut result = json!({"name": name, "result": word, "run": run, "pid": null});
                if let Some(Started { pid, slowed, .. }) = began {
                    result["pid"] = json!(pid);
                    result["slowed_s"] = json!(slowed.as_ref().map(|slowed| slowed.wait.as_secs()));
                    result["why"] = json!(slowed.map(|slowed| slowed.why));
                }
                results.push(result);
            }
            Err(error) => {
                code = worse(code, call.out.fail(&error));
                results.push(json!({"name": name, "result": "failed",
                                    "error": {"code": error.code as u8, "kind": error.kind, "message": error.message}}));
            }
        }
    }
    call.out.json(&json!({"schema": SCHEMA, "processes": results}));
    code
}

/// Stops a process that is held, and ends what its last run left where `leftover` is `keep`.
pub(super) fn down(call: &Call, held: &mut Held<'_>, grace: Option<Duration>) -> Result<&'static str, Error> {
    let word = until_gone(call, held, grace, Desired::Down)?;
    let run = held.state.run;
    let left = || living(held.ctx, held.name, run).map_err(|error| table(held.name, &error));
    if word == STOPPED || !keeps(held.ctx, held.name, held.spec, run) || left()?.is_empty() {
        return Ok(word);
    }
    let boot = now()?.boot;
    for identity in left()? {
        // One that may not be signalled (a setuid program) shields none of the others; the wait says which.
        drop(process::send(&identity, &boot, held.spec.stop_signal));
        drop(process::send(&identity, &boot, libc::SIGCONT));
    }
    wait(held, run, grace.unwrap_or(held.spec.grace))?;
    remove_group(held.ctx, held.name, run);
    Ok(STOPPED)
}

/// Whether processes of an ended run may live on, because they are kept.
fn keeps(ctx: &Context, name: &Name, spec: &Spec, run: u64) -> bool {
    run > 0 && (spec.leftover == Leftover::Keep || record::tree_lock(&ctx.paths, name, run) == Lock::Held)
}

/// Stops a process that is held; returns when nothing of its run is left. With `then` up the end is not judged
/// yet: the start that follows does that.
pub(super) fn until_gone(
    call: &Call,
    held: &mut Held<'_>,
    grace: Option<Duration>,
    then: Desired,
) -> Result<&'static str, Error> {
    let mut outcome = Outcome::default();
    held.supervise(&mut outcome)?; // so that how it ends is known
    // One that has ended and was not judged yet does not run: what it left and keeps is not ended with it.
    let over = matches!(held.consider()?.standing, Some(Standing::Ended(_)));
    let running = held.state.open().is_some() && !over;
    let now = now()?;
    let look = Look { name: held.name, spec: held.spec, state: &held.state, now: &now };
    let mut decision = stop(look, Some(process::caller()), then).into_owned();
    if over {
        decision.act = Act::None;
    }
    held.carry_out(decision, &mut outcome)?;
    if running {
        wait(held, held.state.run, grace.unwrap_or(held.spec.grace))?;
    }
    let settled = match then {
        Desired::Down => held.advance()?,
        Desired::Up => Outcome::default(),
    };
    for error in outcome.errors.iter().chain(&settled.errors) {
        call.out.warn(&error.message);
    }
    Ok(if running { STOPPED } else { "not_running" })
}

/// What an ended run left is killed, so that a new one can begin. Its end is not judged yet: that might begin one.
pub(super) fn clear(held: &Held<'_>) -> Result<(), Error> {
    held.state.open().map_or(Ok(()), |open| wait(held, open.run, Duration::ZERO))
}

/// Until the run's processes and its shim are gone: KILL after `grace`, an error some time after that.
pub(super) fn wait(held: &Held<'_>, run: u64, grace: Duration) -> Result<(), Error> {
    let began = now()?;
    let (kill_at, give_up_at) = (began.plus(grace), began.plus(grace + AFTER_KILL));
    let preparing = matches!(record::read(&held.ctx.paths, held.name, run).0, Recorded::Read(r) if r.main.is_none());
    let mut pause = PAUSE.0;
    let mut known: Vec<Identity> = Vec::new();
    let mut seen = HashSet::new();
    let mut refused = None;
    loop {
        // Those seen once stay known: a parent that dies takes the way to its children with it.
        let living =
            if has_cleared(held.ctx, held.name, run) { Ok(Vec::new()) } else { living(held.ctx, held.name, run) };
        for identity in living.map_err(|error| table(held.name, &error))? {
            if seen.insert((identity.pid, identity.started)) {
                if preparing {
                    // The next line of a preflight, or the program after it: neither was there when all were asked to end.
                    drop(process::send(&identity, &began.boot, held.spec.stop_signal)); // gone: the loop sees it
                }
                known.push(identity);
            }
        }
        let now = now()?;
        known.retain(|identity| process::life(identity, &now.boot) != Life::Gone);
        let (record, shim) = record::read(&held.ctx.paths, held.name, run);
        // A lock that somebody inherited and holds is a process that cannot be seen.
        if known.is_empty() && shim != Lock::Held && record::tree_lock(&held.ctx.paths, held.name, run) != Lock::Held {
            return Ok(());
        }
        if known.is_empty() {
            wake(&record, &now);
        }
        if now.has_reached(&give_up_at) {
            return Err(refused.unwrap_or_else(|| stuck(held.name, &known, grace)));
        }
        if now.has_reached(&kill_at) {
            kill_group(held.ctx, held.name, run, &known);
            // One that may not be signalled (a setuid program) shields none of the others.
            let sent = known
                .iter()
                .map(|identity| process::send(identity, &now.boot, libc::SIGKILL).map_err(|e| (identity, e)));
            let failed = sent.collect::<Vec<_>>().into_iter().find_map(Result::err);
            refused = failed.map(|(identity, error)| unkillable(held.name, identity, &error));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn table(name: &Name, error: &std::io::Error) -> Error {
    Error::new(Code::System, "processes", format!("cannot look at the processes of `{name}`: {error}")).about(name)
}

/// Somebody may have stopped the shim (SIGSTOP): it has an end to record. One that runs takes no notice.
fn wake(record: &Recorded, now: &Stamp) {
    let Recorded::Read(record) = record else { return };
    if let Some(shim) = &record.shim {
        drop(process::send(shim, &now.boot, libc::SIGCONT)); // gone meanwhile: the next look sees it
    }
}

fn unkillable(name: &Name, identity: &Identity, error: &std::io::Error) -> Error {
    let message = format!("pid {} of `{name}` cannot be killed: {error}", identity.pid);
    Error::new(Code::System, "unkillable", message)
        .hint("it runs as another user (setuid): end it as that user, or as root")
        .about(name)
}

fn stuck(name: &Name, known: &[Identity], grace: Duration) -> Error {
    let pids: Vec<String> = known.iter().map(|identity| identity.pid.to_string()).collect();
    let message = format!(
        "`{name}` is not gone {} after the stop signal: {} live{}",
        format_duration(grace + AFTER_KILL),
        if pids.is_empty() {
            "its shim, or one that cannot be seen,".to_owned()
        } else {
            format!("pid {}", pids.join(", "))
        },
        if pids.len() > 1 { "" } else { "s" },
    );
    Error::new(Code::Timeout, "stuck", message)
        .hint("a process that KILL does not end hangs in the kernel (disk, network file system): see `ps -o pid,stat,wchan`")
        .about(name)
}
