//! `healthcheck`: one pass, from cron, from a shim, or by hand.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::alert::drain::Drained;
use crate::alert::ping;
use crate::dependants::look_again;
use crate::error::{Code, Error};
use crate::healthcheck::{Checked, LastPass, Mode, Report, deliver, guarded, names, note, pass, push};
use crate::logs::Tidied;
use crate::metadata;
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::os::{cgroup, clock, descriptor, kernel_trace, signals, spawn, surroundings};
use crate::readiness::until_ready;
use crate::store::launch::PUSH_NAME;
use crate::store::registry_file::Loaded;
use crate::strays;
use crate::supervise::now;
use crate::watches;

use super::common::{complain_of, known, parse, registry};
use super::out::worse;
use super::{Call, healthcheck_loop, logs_care, metrics, requests, watch, wind_down};

/// Up to this number every process is listed; above it only those that were not as desired.
const LISTED: usize = 50;
/// Size at which the log of passes begins anew, in bytes.
const OWN_LOG_MAX: u64 = 1 << 20;

/// Makes one pass: looks at every process, restarts what died, tells who is to be told
///
/// Run it from cron every minute (`guardian install --cron`), or let it run by itself with `--loop 1m`. Any number at once
/// is harmless.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian healthcheck --dry-run")]
pub(super) struct Healthcheck {
    /// Names of processes; without, all
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Say what would be done, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Stay in the foreground, also as process 1 of a container: a pass now and one in each such period. TERM and Ctrl-C
    /// stop all that runs, each in its own time; the next start brings it back
    #[arg(long = "loop", value_name = "DURATION", conflicts_with_all = ["dry_run", "push"], allow_hyphen_values = true)]
    pub(super) every: Option<String>,
    /// With --loop: within this time all is stopped, whatever the `grace` of each
    #[arg(long, value_name = "DURATION", requires = "every", allow_hyphen_values = true)]
    pub(super) stop_timeout: Option<String>,
    /// With --loop: TERM and Ctrl-C end the loop alone
    #[arg(long, requires = "every", conflicts_with = "stop_timeout")]
    pub(super) keep_running: bool,
    /// Stop all that runs, within so many milliseconds if that is a number, for the loop that ends
    #[arg(long, hide = true, value_name = "MS", conflicts_with_all = ["dry_run", "push", "every"])]
    pub(super) wind_down: Option<String>,
    /// This pass was started by the shim of this run, which waits for the answer
    #[arg(long, hide = true, value_name = "RUN", conflicts_with = "dry_run")]
    push: Option<u64>,
    /// Look until the program of that run is ready, instead
    #[arg(long, hide = true, requires = "push")]
    until_ready: bool,
}

pub(super) fn run(call: &Call, command: &Healthcheck) -> Result<u8, Error> {
    if let Some(other) = instead(call, command) {
        return other;
    }
    let began = now()?;
    let loaded = registry(call)?;
    let asked = parse(&command.names)?;
    let all = asked.is_empty();
    let (watched, asked): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|name| loaded.registry.watches.contains_key(name));
    known(&loaded, &asked, call)?;
    let only_watches = asked.is_empty() && !all;
    let names = if only_watches { Vec::new() } else { names(&loaded.registry, &asked)? };
    let mode = if command.dry_run { Mode::DryRun } else { Mode::Act };
    let source = loaded.registry.healthcheck.ping_url.as_ref().filter(|_| all && mode == Mode::Act);
    let pings = source.map(ping::begin);
    let mut report = pass(&call.ctx, &loaded.registry, &names, mode);
    let mut drained = Drained::default();
    let (mut ping_failed, mut missed, mut logs) = (None, None, None);
    if mode == Mode::Act && all {
        match strays::tell(&call.ctx, &loaded.registry) {
            Ok(queued) => report.queued += queued,
            Err(error) => report.errors.push(error),
        }
    }
    if mode == Mode::Act {
        if all {
            missed = guard(call, &loaded, &mut report);
        }
        match deliver(&call.ctx, &loaded.registry, &mut report) {
            Ok(done) => drained = done,
            Err(error) => report.errors.push(error),
        }
    }
    // What guardian runs is served, and told, before it looks at what it does not run.
    let mut watches = match all || !watched.is_empty() {
        true => watch::pass(call, &loaded.registry, &watched, mode),
        false => watches::Report::default(),
    };
    report.errors.append(&mut watches.errors);
    report.queued += watches.queued;
    if mode == Mode::Act {
        if watches.queued > 0 {
            deliver_more(call, &loaded, &mut drained, &mut report);
        }
        if all {
            requests::serve(call, &loaded.registry, &mut report);
            kernel_trace::tidy();
            let living = report.checked.iter().filter(|checked| checked.state.is_alive()).count();
            cgroup::sweep(&call.ctx.paths.state, living);
            logs = care(call, &loaded, &mut report);
            let (at, duration_ms) = (now()?.wall, elapsed(&began)?);
            let wells = guarded::well(&loaded.registry, &report);
            let told = pings.and_then(|pings| pings.end(end(&report, &loaded, duration_ms)).err());
            ping_failed = told.or(wells.end().err());
            let (awake, pid_namespace) = (guarded::awake().ok(), surroundings::pid_namespace());
            let last = LastPass { at, duration_ms, pid_namespace, awake, ping_failed: ping_failed.clone() };
            report.errors.extend(note(&call.ctx.paths, &last).err());
            metrics::after_pass(call, &loaded, &mut report);
        }
    }
    tell(
        call,
        &Told {
            report: &report,
            watches: &watches,
            drained: &drained,
            loaded: &loaded,
            ping_failed: ping_failed.as_deref(),
            missed: missed.as_deref(),
            logs: logs.as_ref(),
        },
        &began,
        mode,
    )?;
    let well = watches.checked.iter().all(watch::is_well);
    Ok(worse(code(call, &report, &drained, &loaded), if well { 0 } else { Code::No as u8 }))
}

/// What this command is where it is not one pass over what it names.
fn instead(call: &Call, command: &Healthcheck) -> Option<Result<u8, Error>> {
    match (command.push, &command.every, &command.wind_down) {
        (Some(run), _, _) if command.until_ready => Some(watch(call, command, run)),
        (Some(run), _, _) => Some(pushed(call, command, run)),
        (None, Some(every), _) => Some(healthcheck_loop::run(call, command, every)),
        (None, None, Some(within)) => Some(wind_down::run(call, &command.names, within)),
        (None, None, None) => None,
    }
}

/// Cares for rotated logs; what failed is reported.
fn care(call: &Call, loaded: &Loaded, report: &mut Report) -> Option<Tidied> {
    let now = now().ok()?.wall;
    let mut done = logs_care::care(call, &loaded.registry, report.before(), now).unwrap_or_else(|error| {
        report.errors.push(error);
        None
    });
    report.errors.extend(done.iter_mut().flat_map(|done| done.errors.drain(..)));
    done
}

/// Delivers what watches have queued.
fn deliver_more(call: &Call, loaded: &Loaded, drained: &mut Drained, report: &mut Report) {
    match deliver(&call.ctx, &loaded.registry, report) {
        Ok(more) => {
            let delivered = drained.delivered + more.delivered;
            let errors = drained.errors.drain(..).chain(more.errors.iter().cloned()).collect();
            *drained = Drained { delivered, errors, ..more };
        }
        Err(error) => report.errors.push(error),
    }
}

/// All that a pass has to tell.
struct Told<'a> {
    report: &'a Report,
    watches: &'a watches::Report,
    drained: &'a Drained,
    loaded: &'a Loaded,
    /// A warning: no process is the worse for it.
    ping_failed: Option<&'a str>,
    /// Passes that did not run before this one.
    missed: Option<&'a str>,
    /// What was done about rotated logs.
    logs: Option<&'a Tidied>,
}

/// What a pass over all tells of guardian itself. Returns which passes did not run.
fn guard(call: &Call, loaded: &Loaded, report: &mut Report) -> Option<String> {
    let missed = guarded::overdue(&call.ctx, &loaded.registry, report, true).unwrap_or_else(|error| {
        report.errors.push(error);
        None
    });
    let beaten = guarded::beat(&call.ctx, &loaded.registry, report);
    report.errors.extend(beaten.err());
    missed
}

/// What the dead-man's switch is told: whether guardian could do its work. A process that is down is told by alerts.
fn end(report: &Report, loaded: &Loaded, took_ms: u64) -> ping::End {
    let well = report.checked.iter().filter(|checked| checked.as_desired).count();
    let mut body = format!("{well} of {} processes as desired\n", report.checked.len());
    for error in &report.errors {
        body.push_str(&format!("error: {}\n", error.message));
    }
    if !loaded.problems.is_empty() {
        body.push_str("error: the registry has problems\n");
    }
    let well = report.errors.is_empty() && loaded.problems.is_empty();
    ping::End { well, body, took: Duration::from_millis(took_ms) }
}

fn elapsed(began: &Stamp) -> Result<u64, Error> {
    Ok(u64::try_from(now()?.since(began).as_millis()).unwrap_or(u64::MAX)) // 584 million years
}

fn code(call: &Call, report: &Report, drained: &Drained, loaded: &Loaded) -> u8 {
    let well = report.checked.iter().all(|checked| checked.as_desired) && drained.is_well();
    let mut code = if well { 0 } else { Code::No as u8 };
    for error in &report.errors {
        code = worse(code, call.out.fail(error));
    }
    worse(code, complain_of(loaded, call))
}

fn tell(call: &Call, told: &Told<'_>, began: &Stamp, mode: Mode) -> Result<(), Error> {
    let Told { report, watches, drained, loaded, ping_failed, missed, logs } = told;
    let few = report.checked.len() <= LISTED;
    let shown = report.checked.iter().filter(|checked| few || !checked.as_desired || !checked.actions.is_empty());
    let rows: Vec<Value> = shown
        .map(|checked| {
            json!({"name": checked.name, "state": checked.state, "verdict": checked.verdict,
                   "actions": checked.actions, "as_desired": checked.as_desired})
        })
        .collect();
    let well = report.checked.iter().filter(|checked| checked.as_desired).count();
    let ping_failed = ping_failed.map(|why| format!("last ping failed: {why}"));
    let errors: Vec<&String> =
        report.errors.iter().map(|error| &error.message).chain(&drained.errors).chain(&ping_failed).collect();
    call.out.json(&json!({
        "schema": SCHEMA, "at": began.wall.to_string(), "duration_ms": elapsed(began)?, "dry_run": mode == Mode::DryRun,
        "checked": report.checked.len(), "as_desired": well, "processes": rows,
        "watches": watch::json(&loaded.registry, watches, began),
        "alerts": {"queued": report.queued, "delivered": drained.delivered, "pending": drained.pending, "dead": drained.dead,
                   "stuck": drained.stuck},
        "missed": missed, "logs": logs_care::as_json(*logs), "errors": errors,
    }));
    if call.out.is_json() {
        return Ok(());
    }
    let would = if mode == Mode::DryRun { "would be " } else { "" };
    let mut lines = Vec::new();
    // Cron mails what is said: not that another pass was at it, or that what is well was probed.
    let acted = |checked: &Checked| !checked.actions.is_empty() && !call.out.is_quiet();
    for checked in report.checked.iter().filter(|checked| !checked.as_desired || acted(checked)) {
        let done = match checked.actions.as_slice() {
            [] => String::new(),
            actions => format!(": {would}{}", actions.join(", ")),
        };
        lines.push(format!("{}: {}{done}", checked.name, checked.state.word()));
    }
    lines.extend(watch::lines(watches, would));
    lines.extend(drained.errors.iter().map(|error| format!("alert: {error}")));
    lines.extend(missed.map(|missed| format!("warning: {missed}")));
    lines.extend(ping_failed.map(|failed| format!("warning: {failed}")));
    lines.extend(logs.iter().flat_map(|logs| logs_care::lines(logs)));
    if !lines.is_empty() {
        call.out.answer(&lines.join("\n")); // what is not well is said in cron's mail too
    }
    let ok = watches.checked.iter().filter(|checked| watch::is_well(checked)).count();
    let more = match watches.checked.len() {
        0 => String::new(),
        count => format!(", {ok} of {count} watches ok"),
    };
    call.out.say(&format!("{} of {} processes as desired{more}", well, report.checked.len()));
    Ok(())
}

/// A pass for the shim of `run`. Its answer goes through descriptor 3, its complaints into guardian's own log:
/// standard output and error are the program's.
fn pushed(call: &Call, command: &Healthcheck, run: u64) -> Result<u8, Error> {
    let answer = descriptor::inherited(spawn::LAUNCH_FD)
        .map_err(|error| Error::new(Code::Usage, "usage", format!("--push is for shims: {error}")))?;
    own_log(call)?;
    let name = &pushed_name(call, command)?;
    let loaded = registry(call)?;
    let mut report = Report::default();
    let deadline = push(&call.ctx, &loaded.registry, name, run, &mut report);
    let moment = deadline.as_ref().ok().and_then(Option::as_ref).map_or(0, |at| at.boot_ms.max(1)); // 0: none
    reply(answer, moment);
    report.errors.extend(look_again(&call.ctx, &loaded.registry, std::slice::from_ref(name)));
    metadata::complete_later(&call.ctx);
    let mut code = match deadline {
        Ok(_) => 0,
        Err(error) => log(call, name, run, &error),
    };
    // Who watches the passes, where cron is dead: the shims, each time that something happens.
    match guarded::overdue(&call.ctx, &loaded.registry, &mut report, false) {
        Ok(Some(missed)) => drop(log(call, name, run, &Error::new(Code::No, "overdue", missed))),
        Ok(None) => {}
        Err(error) => report.errors.push(error),
    }
    match deliver(&call.ctx, &loaded.registry, &mut report) {
        Ok(drained) => {
            for error in &drained.errors {
                log(call, name, run, &Error::new(Code::No, "alert", error.clone()));
            }
        }
        Err(error) => report.errors.push(error),
    }
    for error in &report.errors {
        code = worse(code, log(call, name, run, error));
    }
    Ok(worse(code, complain_of(&loaded, call)))
}

/// The process of the shim that started this pass. Shims of earlier builds give it as an argument.
fn pushed_name(call: &Call, command: &Healthcheck) -> Result<Name, Error> {
    let named = call.ctx.environment.get(OsStr::new(PUSH_NAME)).and_then(|name| name.to_str()).map(str::to_owned);
    let mut names = if command.names.is_empty() { parse(named.as_slice())? } else { parse(&command.names)? };
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (_, _) => Err(Error::new(Code::Usage, "usage", "--push wants one name")),
    }
}

/// Looks on behalf of the shim of `run` until the program is ready. Complaints go into guardian's own log.
fn watch(call: &Call, command: &Healthcheck, run: u64) -> Result<u8, Error> {
    drop(descriptor::inherited(spawn::LAUNCH_FD)); // no answer is asked for, and no line of `ready` is to have it
    own_log(call)?;
    let name = &pushed_name(call, command)?;
    let loaded = registry(call)?;
    let Some(entry) = loaded.registry.processes.get(name) else { return Ok(0) };
    match until_ready(&call.ctx, name, &entry.spec, run) {
        Ok(()) => Ok(0),
        Err(error) => Ok(log(call, name, run, &error)),
    }
}

/// The shim hears of the next moment before anything slow is done.
fn reply(mut answer: std::fs::File, moment: u64) {
    // A shim that is gone needs no answer, and its bell is nobody else's.
    if answer.write_all(&moment.to_le_bytes()).is_ok() {
        drop(answer);
        drop(signals::ring_parent());
    }
}

fn log(call: &Call, name: &Name, run: u64, error: &Error) -> u8 {
    let at = clock::wall().map_or(String::new(), |at| at.to_string());
    call.out.complain(&format!("{at} {name} run {run}: {}", error.message));
    error.code as u8
}

/// From here on complaints of this pass go into `guardian.log` in the state directory.
fn own_log(call: &Call) -> Result<(), Error> {
    let path = call.ctx.paths.state.join("guardian.log");
    let fail = |error: std::io::Error| Error::io("open", &path, &error);
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() > OWN_LOG_MAX {
        file.set_len(0).map_err(fail)?;
    }
    descriptor::redirect_output(file.as_raw_fd()).map_err(fail)
}
