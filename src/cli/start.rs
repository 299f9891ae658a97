//! `start`: processes are started, detached, and the true outcome is told.

use std::ffi::OsStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::launch::Launched;
use crate::model::event::SCHEMA;
use crate::model::evidence::{Level, Placed, Recorded};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::{Desired, Phase};
use crate::model::units::parse_duration;
use crate::model::wake::Wake;
use crate::os::forebears::forebears;
use crate::policy::budget::Asked;
use crate::policy::caller::caller;
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Look};
use crate::policy::notify::AUTO;
use crate::policy::operator::start_after;
use crate::spool::CARRIED_OUT;
use crate::store::{record, wake};
use crate::supervise::{Held, Outcome, Then, now};
use crate::view::status::Isolation;

use super::common::{Fresh, Which, complain_of, registry};
use super::dependants::settle_dependants;
use super::needed::{Brought, Else, bring_up, is_ordered};
use super::out::worse;
use super::ready::{Until, follow};
use super::slow::{Slowed, patiently};
use super::start_error::{placed, start_error};
use super::{Call, requests, stop};

/// Threads that start processes side by side: they wait for the disk more than they compute.
const SIDE_BY_SIDE: usize = 6;

/// Starts processes, detached from whoever asks
///
/// Returns once each program runs or is known not to: no sleeping, no guessing. What runs already is
/// left alone. A tripped breaker is closed.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian start btc-bot")]
pub(super) struct Start {
    #[command(flatten)]
    which: Which,
    /// Return when each is ready, or is known not to get ready (exit 1), or time is over (exit 124)
    ///
    /// Without a time its `ready_timeout` decides.
    #[arg(long, value_name = "TIMEOUT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    wait_ready: Option<String>,
}

pub(super) fn run(call: &Call, command: &Start) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let names = command.which.resolve(&loaded, call)?;
    if let Some(why) = requests::needed(call) {
        let asked = names.into_iter().map(|name| (name.clone(), vec![name.to_string()]));
        return requests::ask(call, &why, "start", asked.collect());
    }
    let until = match command.wait_ready.as_deref() {
        None => Until::Begun,
        Some("") => Until::Ready(None),
        Some(text) => Until::Ready(Some(limit(text)?)),
    };
    let code = start_all(call, &names, None, until)?;
    Ok(worse(code, complain_of(&loaded, call)))
}

fn limit(text: &str) -> Result<Duration, Error> {
    parse_duration(text).map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))
}

/// What became of one start.
pub(super) struct Started {
    name: Name,
    pub(super) result: &'static str,
    pub(super) run: u64,
    pub(super) pid: Option<i32>,
    untraced: Option<i32>,
    placed: Option<Placed>,
    /// Limits are set that only a control group keeps.
    limited: bool,
    /// What it must be followed by, where its preflight still runs or more is waited for.
    follow: Option<Spec>,
    ready: Option<bool>,
    /// It was one start too many, and waited.
    pub(super) slowed: Option<Slowed>,
}

impl Started {
    /// The same, after it had to wait.
    pub(super) fn after(self, slowed: Option<Slowed>) -> Self {
        Self { slowed, ..self }
    }

    fn new(held: &Held<'_>, result: &'static str, run: u64, pid: Option<i32>) -> Self {
        Self {
            name: held.name.clone(),
            result,
            run,
            pid,
            untraced: None,
            placed: None,
            limited: limited(held.spec),
            follow: None,
            ready: None,
            slowed: None,
        }
    }

    /// Waits for what `until` asks for. The lock of the process is not held.
    pub(super) fn follow(mut self, call: &Call, until: Until) -> Result<Self, Error> {
        let Some(spec) = self.follow.take() else { return Ok(self) };
        if !call.out.is_json() && !call.out.is_quiet() && !spec.preflight.is_empty() && self.pid.is_none() {
            call.out.complain(&format!("{}: preflight of run {} …", self.name, self.run));
        }
        self.pid = follow(call, &self.name, &spec, self.run, until)?.or(self.pid);
        self.ready = matches!(until, Until::Ready(_)).then_some(true);
        Ok(self)
    }
}

/// Starts `names` and tells of each. `registered` is what `register` did before.
pub(super) fn start_all(call: &Call, names: &[Name], registered: Option<&str>, until: Until) -> Result<u8, Error> {
    let fresh = Fresh::default();
    let up = |name: &Name| {
        let (started, slowed) = patiently(call, &fresh, name, Asked::Start, |held| begin(call, held, until))?;
        started.after(slowed).follow(call, until)
    };
    let registry = fresh.get(call)?;
    let Brought { asked: outcomes, needed } = match is_ordered(&registry, names) {
        true => bring_up(call, &fresh, names, Else::Waits, up)?,
        false => Brought { asked: side_by_side(names, up), needed: Vec::new() },
    };
    let mut code = 0;
    let mut results = Vec::new();
    let also = also(call, &needed);
    for (name, outcome) in names.iter().zip(outcomes) {
        match outcome {
            Ok(started) => {
                say(call, &started);
                if registered == Some("replaced") && started.result == "already_running" {
                    call.out.warn(&format!("what runs keeps its old description until: guardian restart {name}"));
                }
                results.push(document(&started, registered));
            }
            Err(error) => {
                code = worse(code, call.out.fail(&error));
                results.push(json!({"name": name, "result": "failed", "registered": registered,
                                    "error": {"code": error.code as u8, "kind": error.kind, "message": error.message}}));
            }
        }
    }
    let mut answer = json!({"schema": SCHEMA, "processes": results});
    if !also.is_empty() {
        answer["needed"] = also.into();
    }
    call.out.json(&answer);
    let begun: Vec<Name> = names.iter().chain(needed.iter().map(|(name, _)| name)).cloned().collect();
    settle_dependants(call, &registry, &begun);
    Ok(code)
}

/// What was started because others need it. One that failed is named by the error of those.
pub(super) fn also(call: &Call, needed: &[(Name, Result<Started, Error>)]) -> Vec<Value> {
    let up = needed.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
    up.map(|started| {
        say(call, started);
        document(started, None)
    })
    .collect()
}

fn document(started: &Started, registered: Option<&str>) -> Value {
    json!({"name": started.name, "result": started.result, "run": started.run, "pid": started.pid,
           "registered": registered, "untraced_errno": started.untraced,
           "isolation": started.placed.as_ref().map(Isolation::of), "ready": started.ready,
           "slowed_s": started.slowed.as_ref().map(|slowed| slowed.wait.as_secs()),
           "why": started.slowed.as_ref().map(|slowed| &slowed.why)})
}

fn say(call: &Call, started: &Started) {
    let pid = started.pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
    let ready = if started.ready == Some(true) { ", ready" } else { "" };
    call.out.say(&format!("{}: {} as run {}{pid}{ready}", started.name, started.result.replace('_', " "), started.run));
    if let Some(errno) = started.untraced {
        let why = std::io::Error::from_raw_os_error(errno);
        call.out.warn(&format!("`{}` runs, but its signals cannot be traced: {why}", started.name));
    }
    if started.result == "started"
        && let Some(Placed { level, why: Some(why), .. }) = &started.placed
    {
        let place = match level {
            Level::Cgroup => "in a control group of its own",
            Level::Scope => "in a scope of systemd",
            Level::Session => "in a session of its own only",
        };
        let line = format!("{}: {place}; {why}", started.name);
        if started.limited { call.out.warn(&line) } else { call.out.say(&line) }
    }
}

fn limited(spec: &Spec) -> bool {
    spec.memory.is_some() || spec.cpu.is_some() || spec.tasks.is_some()
}

/// Runs `work` for each name on a few threads; the answers are in the order of the names.
pub(super) fn side_by_side<T: Send>(names: &[Name], work: impl Fn(&Name) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(names.len()));
    let take = || {
        while let Some((index, name)) = names.get(next.load(Ordering::Relaxed)).and_then(|_| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            names.get(index).map(|name| (index, name))
        }) {
            let answer = work(name);
            match answers.lock() {
                Ok(mut answers) => answers.push((index, answer)),
                Err(poisoned) => poisoned.into_inner().push((index, answer)),
            }
        }
    };
    if names.len() < 2 {
        take();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(names.len()) {
                scope.spawn(take);
            }
        });
    }
    let mut answers = match answers.into_inner() {
        Ok(answers) => answers,
        Err(poisoned) => poisoned.into_inner(),
    };
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Remembers the session that asked, where the process is to wake it. A person who asks is nobody to be woken.
fn keep_caller(call: &Call, held: &Held<'_>) -> Result<(), Error> {
    if !held.spec.notify.iter().any(|name| name == AUTO) {
        return Ok(());
    }
    let paths = &call.ctx.paths;
    let cwd = std::env::current_dir().ok().and_then(|cwd| cwd.into_os_string().into_string().ok());
    // Above what carries out a request stands a pass, or the server of another session.
    let asked = call.ctx.environment.contains_key(OsStr::new(CARRIED_OUT));
    let above = forebears().filter(|_| !asked);
    match caller(&call.ctx.environment, cwd.as_deref(), above) {
        Some(found) => wake::keep(paths, held.name, &Wake { inbox: Some(wake::inbox(paths)), ..found }),
        None => {
            let name = held.name;
            call.out.warn(&format!(
                "`{name}` wakes nobody when it ends: `notify = auto`, and no agent's session is known here"
            ));
            wake::forget(paths, name)
        }
    }
}

/// Starts a process that is held, unless it runs. From now on guardian restarts it.
pub(super) fn begin(call: &Call, held: &mut Held<'_>, until: Until) -> Result<Started, Error> {
    held.state.foreground = false; // committed with the start
    begin_as_it_is(call, held, until)
}

/// The same, restarted by whom the state says.
pub(super) fn begin_as_it_is(call: &Call, held: &mut Held<'_>, until: Until) -> Result<Started, Error> {
    let mut outcome = Outcome::default();
    if held.state.open().is_some_and(|open| open.stopping.is_some()) {
        stop::until_gone(call, held, None, Desired::Up)?; // a stop that was cut short is finished first
    }
    let first = held.consider()?;
    let settled = match (&first.state.phase, &first.standing) {
        (Phase::Open(_), Some(Standing::Running | Standing::Starting | Standing::Uncertain(_))) => {
            return already(held, until);
        }
        (Phase::Open(_), Some(Standing::Unsupervised)) => {
            held.supervise(&mut outcome)?;
            held.publish(&mut outcome);
            for error in &outcome.errors {
                call.out.warn(&error.message);
            }
            return already(held, until);
        }
        (Phase::Open(_), Some(Standing::Closing | Standing::Remnants)) => {
            stop::clear(held)?;
            held.consider()?
        }
        (_, _) => first,
    };
    keep_caller(call, held)?;
    let now = now()?;
    let look = Look { name: held.name, spec: held.spec, state: &held.state, now: &now };
    let decision = start_after(look, settled);
    let run = decision.state.run;
    let mut then = held.carry_out(decision, &mut outcome)?;
    let launched = outcome.launched;
    while then == Then::Look && outcome.launched == launched {
        let next = held.consider()?;
        if !next.changed || next.act != Act::None {
            break;
        }
        then = held.carry_out(next, &mut outcome)?;
    }
    held.publish(&mut outcome);
    if let Some(error) = outcome.errors.into_iter().next() {
        call.out.warn(&error.message);
    }
    match launched {
        Some(Launched::Started { pid, untraced }) => {
            let placed = placed(held.ctx, held.name, run);
            let follow = (until != Until::Begun).then(|| held.spec.clone());
            Ok(Started { untraced, placed, follow, ..Started::new(held, "started", run, Some(pid)) })
        }
        Some(Launched::Preparing) => {
            Ok(Started { follow: Some(held.spec.clone()), ..Started::new(held, "started", run, None) })
        }
        Some(Launched::Failed { step, errno }) => Err(start_error(held.ctx, held.name, held.spec, run, (step, errno))),
        None => Err(Error::new(Code::Bug, "bug", format!("`{}` was not started and nobody knows why", held.name))),
    }
}

/// It runs: that is what was asked for. Its wish is noted where it was another one.
pub(super) fn already(held: &mut Held<'_>, until: Until) -> Result<Started, Error> {
    if held.state.desired == Desired::Down {
        held.state.desired = Desired::Up;
        crate::store::state::commit(&held.ctx.paths, held.name, &held.state)?;
    }
    let run = held.state.run;
    let (pid, placed) = match record::read(&held.ctx.paths, held.name, run).0 {
        Recorded::Read(record) => (record.main.map(|main| main.pid), record.placed),
        Recorded::Missing | Recorded::Unreadable(_) => (None, None),
    };
    let follow = (until != Until::Begun).then(|| held.spec.clone());
    Ok(Started { placed, follow, ..Started::new(held, "already_running", run, pid) })
}

/// Starts a process that is held and was just stopped.
pub(super) fn again(call: &Call, held: &mut Held<'_>) -> Result<Started, Error> {
    begin(call, held, Until::Begun)
}
