//! `exec`: a registered process in the foreground, for whoever starts it again itself: systemd, Nomad, Kubernetes, a supervisor.
//!
//! It is started under its shim as ever, in the control group of the caller, and stayed with until it has ended and that was
//! told. Signals reach it with the sender that they came from. Decides nothing: that guardian does not restart what was
//! run like this stands in the state, and policy reads it there.

use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::alert::drain::Drained;
use crate::error::{Code, Error};
use crate::healthcheck::{Mode, deliver, pass, unknown};
use crate::model::ending::{EndedRun, Verdict};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::{Isolation, Spec, Target};
use crate::model::state::Desired;
use crate::model::units::human_duration;
use crate::os::process;
use crate::os::signals::{self, Arrival};
use crate::os::watch::Ends;
use crate::policy::decide::{Act, Look};
use crate::policy::operator;
use crate::store::{record, state};
use crate::supervise::{Held, Outcome, now};
use crate::view::exit_code::code_of;
use crate::view::status::LastExit;
use crate::view::words::end_phrase;

use super::attach::{Attach, Attached};
use super::common::{Fresh, known, registry};
use super::dependants::settle_dependants;
use super::needed::{Else, bring_up, is_ordered};
use super::ready::Until;
use super::start::{Started, begin_as_it_is};
use super::{Call, stop};

/// Longest pause between two looks at a run whose end is watched.
const LOOK: Duration = Duration::from_secs(10);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);
/// For a shim to end, and for others to deliver what this run brought.
const LINGER: Duration = Duration::from_secs(20);

/// Runs a registered process in the foreground, under another supervisor
///
/// For systemd, Nomad, Kubernetes, Compose and their like. Shim, record, certificate and alerts are as ever, but guardian does not restart it: whoever runs this does. The
/// exit code is that of the process, or 128 + the signal that ended it; 1 where it ended with 0 before its target time. TERM, INT and
/// QUIT from the caller, from outside the container or from the terminal stop it; they and HUP, USR1, USR2 from anybody else are passed on. Runs it
/// already, this stays with that run: never two at once. Its output is shown, unless --quiet; its input is not that of the caller, but what `stdin`
/// in the registry says.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian exec btc-bot")]
pub(super) struct Exec {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(call: &Call, command: &Exec) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let loaded = registry(call)?;
    known(&loaded, std::slice::from_ref(&name), call)?;
    let spec = in_place(&loaded.registry.processes.get(&name).ok_or_else(|| Error::not_registered(&name, None))?.spec);
    let system = |error| Error::new(Code::System, "signals", format!("cannot wait for signals: {error}"));
    let mask = signals::block_all().map_err(system)?;
    signals::keep_for_wait();
    let started = start(call, &name);
    let outcome = started.and_then(|started| {
        if started.result == "already_running" && !call.out.is_quiet() && !call.out.is_json() {
            call.out.complain(&format!("{name}: run {} runs already: this stays with it", started.run));
        }
        let attach = Attach {
            name: &name,
            spec: &spec,
            run: started.run,
            until: now()?.plus(FOR_EVER),
            live: !call.out.is_json() && !call.out.is_quiet(),
            look: LOOK,
            plain: false,
            most: None,
        };
        stay(call, &attach)
    });
    signals::finish_first();
    signals::set_mask(&mask).map_err(system)?;
    finish(call, &name);
    match outcome?.ended {
        Some(last) => Ok(tell(call, &name, &spec, &last)),
        None => Err(Error::new(Code::Bug, "bug", format!("`{name}` was left while it runs")).about(&name)),
    }
}

/// The same process without a control group of its own: that it is in is the scheduler's to limit, and to end.
fn in_place(spec: &Spec) -> Spec {
    let isolation = match spec.isolation {
        Isolation::Auto => Isolation::Session,
        chosen @ (Isolation::Scope | Isolation::Session) => chosen,
    };
    Spec { isolation, ..spec.clone() }
}

/// Starts it after what it needs, or finds that it runs. From now on it is not guardian that restarts it.
fn start(call: &Call, name: &Name) -> Result<Started, Error> {
    let fresh = Fresh::default();
    let up = |name: &Name| {
        with(call, &fresh, name, |held| {
            let before = held.state.foreground;
            held.state.foreground = true; // committed with the start
            let started = begin_as_it_is(call, held, Until::Begun)?;
            if !before && started.result == "already_running" {
                state::commit(&held.ctx.paths, held.name, &held.state)?;
            }
            Ok(started)
        })
    };
    let registry = fresh.get(call)?;
    let names = std::slice::from_ref(name);
    let started = match is_ordered(&registry, names) {
        true => bring_up(call, &fresh, names, Else::Stays, up)?.asked.pop(),
        false => Some(up(name)),
    };
    let started = started.unwrap_or_else(|| Err(Error::not_registered(name, None)))?;
    settle_dependants(call, &registry, names);
    Ok(started)
}

/// As [`Fresh::with`], in the control group of the caller.
fn with<T>(
    call: &Call,
    fresh: &Fresh,
    name: &Name,
    work: impl Fn(&mut Held<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        let registry = fresh.get(call)?;
        let spec = in_place(&registry.processes.get(name).ok_or_else(|| unknown(&registry, name))?.spec);
        let mut held = Held::take(&call.ctx, name, &spec, &registry)?;
        if std::sync::Arc::ptr_eq(&registry, &fresh.get(call)?) {
            return work(&mut held);
        }
    }
}

/// Until the run has ended. Another thread watches it, this one takes the signals.
fn stay(call: &Call, attach: &Attach<'_>) -> Result<Attached, Error> {
    std::thread::scope(|scope| {
        let stays = scope.spawn(|| {
            let _bell = Bell;
            attach.stay(call)
        });
        let me = nix::unistd::getpid().as_raw();
        loop {
            match signals::wait() {
                // macOS does not say whose it is.
                Ok(Arrival::Sent { signal: signals::BELL, sender }) if sender.is_none_or(|(pid, _)| pid == me) => break,
                Ok(Arrival::Sent { signal, sender }) => {
                    if let Err(error) = heard(call, attach, signal, sender) {
                        call.out.warn(&error.message);
                    }
                }
                Ok(Arrival::Child | Arrival::Alarm | Arrival::Other) => {}
                Err(_) => break, // it goes on without signals
            }
        }
        let bug = || Err(Error::new(Code::Bug, "bug", "whoever watched the run is gone"));
        stays.join().unwrap_or_else(|_| bug())
    })
}

/// Rings when the thread that has it is over, whatever ended that.
struct Bell;

impl Drop for Bell {
    fn drop(&mut self) {
        drop(signals::ring_self()); // to oneself: it cannot fail
    }
}

/// A signal came: from whoever may stop it, or to be passed on.
fn heard(call: &Call, attach: &Attach<'_>, signal: i32, sender: Option<(i32, u32)>) -> Result<(), Error> {
    let parent = nix::unistd::getppid().as_raw();
    // 0: from outside of this pid namespace, where whoever runs this container is.
    let from_above = sender.is_none_or(|(pid, _)| pid == 0 || pid == parent);
    if !(from_above && matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)) {
        return pass_on(call, attach, signal, sender);
    }
    let by = sender.map_or_else(process::caller, |(pid, uid)| process::describe(pid, Some(uid)));
    let fresh = Fresh::default();
    with(call, &fresh, attach.name, |held| {
        let mut outcome = Outcome::default();
        held.supervise(&mut outcome)?; // so that how it ends is known
        if held.state.open().is_none_or(|open| open.run != attach.run) {
            return Ok(());
        }
        let now = now()?;
        let look = Look { name: held.name, spec: held.spec, state: &held.state, now: &now };
        let mut decision = operator::stop(look, Some(by.clone()), Desired::Down).into_owned();
        if signal == libc::SIGTERM {
            held.carry_out(decision, &mut outcome)?; // as `stop` does, with its `stop_signal`
        } else {
            decision.act = Act::None;
            held.carry_out(decision, &mut outcome)?;
            pass_on(call, attach, signal, sender)?;
        }
        stop::wait(held, attach.run, held.spec.grace)?;
        let settled = held.advance()?;
        for error in outcome.errors.iter().chain(&settled.errors) {
            call.out.warn(&error.message);
        }
        Ok(())
    })
}

/// Gives the signal to the shim, which gives it to the program and writes down who sent it.
fn pass_on(call: &Call, attach: &Attach<'_>, signal: i32, sender: Option<(i32, u32)>) -> Result<(), Error> {
    let (name, run) = (attach.name, attach.run);
    let Recorded::Read(record) = record::read(&call.ctx.paths, name, run).0 else { return Ok(()) };
    let boot = now()?.boot;
    let fail =
        |error| Error::new(Code::System, "signal", format!("cannot pass on signal {signal}: {error}")).about(name);
    for to in record.shim.iter().chain(&record.main) {
        let sent = match sender {
            Some(sender) => process::send_for(to, &boot, signal, sender),
            None => process::send(to, &boot, signal),
        };
        if sent.map_err(fail)? {
            return Ok(());
        }
    }
    Ok(()) // gone: its end is what is seen next
}

/// What the end brought is told before this process goes: with it the whole container may.
fn finish(call: &Call, name: &Name) {
    let told = || -> Result<(), Error> {
        let began = now()?;
        let run = state::load(&call.ctx.paths, name)?.map_or(0, |state| state.run);
        if let Recorded::Read(record) = record::read(&call.ctx.paths, name, run).0
            && let Some(shim) = record.shim
        {
            let mut ends = Ends::default();
            // One that cannot be waited for is not: the pass below looks at what is there.
            if ends.add(&shim).unwrap_or(false) {
                drop(ends.wait(Some(LINGER))); // its passes are the safety net of the next ones
            }
        }
        let loaded = registry(call)?;
        loop {
            let mut report = pass(&call.ctx, &loaded.registry, std::slice::from_ref(name), Mode::Act);
            let Drained { busy, errors, .. } = deliver(&call.ctx, &loaded.registry, &mut report)?;
            let over = now()?.has_reached(&began.plus(LINGER));
            if !busy || over {
                report.errors.iter().for_each(|error| call.out.warn(&error.message));
                errors.iter().for_each(|error| call.out.warn(error));
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    if let Err(error) = told() {
        call.out.warn(&error.message); // the run is over all the same
    }
}

fn tell(call: &Call, name: &Name, spec: &Spec, last: &EndedRun) -> u8 {
    let own = code_of(last);
    let early = own == 0 && last.verdict == Verdict::Premature && matches!(spec.target, Target::For(_));
    let code = if early { Code::No as u8 } else { own };
    call.out.json(&json!({"schema": SCHEMA, "name": name, "run": last.run, "exit_code": code,
                          "verdict": last.verdict.word(), "last_exit": LastExit::of(last)}));
    if !call.out.is_json() && !call.out.is_quiet() && last.verdict != Verdict::Completed {
        let lived = last.ran().map_or(String::new(), |ran| format!(" after {}", human_duration(ran)));
        let cause = end_phrase(&last.cause, &last.signals, last.stopped_by.as_ref());
        call.out.complain(&format!("{name} run {}: {}{lived}: {cause}", last.run, last.verdict.word()));
    }
    code
}
