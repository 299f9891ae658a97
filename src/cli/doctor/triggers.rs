//! What runs passes, as found: the crontab and its daemon, timers of systemd, an agent of launchd; and what a logout would do to it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::alert::program;
use crate::error::Error;
use crate::model::check::Check;
use crate::model::evidence::Level;
use crate::os::crontab;
use crate::os::managers::has_cron_daemon;
use crate::policy::crontab::Block;
use crate::policy::doctor::{self, Crontab, Login, Timer, Timers};
use crate::store::foreign;
use crate::supervise::now;
use crate::view::trigger::{Manager, TIMER_NAME, belongs_to};

use super::super::install::home;
use super::super::install_units::{agents_dir, systemd_dir};
use super::Found;

/// For one program of the system's.
const LIMIT: Duration = Duration::from_secs(2);
/// A pass that is older is not lately, in periods and at least.
const LATELY: u32 = 3;
/// Where timers of the system's own systemd lie.
const SYSTEM: [&str; 3] = ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];
/// Asks logind for `KillUserProcesses`.
const ASK_LOGIND: [&str; 6] = [
    "busctl",
    "get-property",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "KillUserProcesses",
];

/// What was found.
pub(super) struct Scheduled {
    crontab: Crontab,
    /// A cron daemon is seen; `None`: processes cannot be looked at.
    daemon: Option<bool>,
    timers: Timers,
    /// launchd's agent is there.
    launchd: bool,
    kills: Option<bool>,
}

/// Looks, and asks programs of the system's, each for a short time.
pub(super) fn look(found: &Found<'_>) -> Result<Scheduled, Error> {
    let home = home(found.call)?;
    let systemd = found.machine.as_ref().is_some_and(|machine| machine.systemd);
    let in_dir = |dir: Result<PathBuf, Error>, name: &str| dir.ok().map(|dir| dir.join(name));
    let user: Vec<PathBuf> = in_dir(systemd_dir(found.call, Manager::User), TIMER_NAME).into_iter().collect();
    let system: Vec<PathBuf> = SYSTEM.iter().map(|dir| Path::new(dir).join(TIMER_NAME)).collect();
    let plist = in_dir(agents_dir(found.call), "dev.guardian.healthcheck.plist");
    Ok(thread::scope(|scope| {
        let user = scope.spawn(|| timer(&user, &home, &["systemctl", "--user"], systemd));
        let system = scope.spawn(|| timer(&system, &home, &["systemctl"], systemd));
        let kills = scope.spawn(|| kills(found));
        let unknown = |_| Timer::Unknown("the look at it broke off".to_owned());
        Scheduled {
            crontab: crontab(&home),
            daemon: has_cron_daemon(),
            launchd: plist.is_some_and(|path| is_ours(&path, &home) == Ok(true)),
            timers: Timers { user: user.join().unwrap_or_else(unknown), system: system.join().unwrap_or_else(unknown) },
            kills: kills.join().ok().flatten(),
        }
    }))
}

/// The crontab, unless it cannot be read in time.
fn crontab(home: &str) -> Crontab {
    let (sender, receiver) = mpsc::channel();
    // One that hangs is left behind.
    drop(thread::Builder::new().spawn(move || sender.send(crontab::read())));
    match receiver.recv_timeout(LIMIT) {
        Ok(Ok(text)) if text.as_ref().is_some_and(|text| Block::of(home).is_in(text)) => Crontab::Ours,
        Ok(Ok(_)) => Crontab::NotOurs,
        Ok(Err(error)) if error.kind == "no_crontab" => Crontab::NoProgram,
        Ok(Err(error)) => Crontab::Unreadable(error.message),
        Err(_) => Crontab::Unreadable("`crontab -l` gives no answer".to_owned()),
    }
}

/// Whether a file was written for this home; an error says why that cannot be told.
fn is_ours(path: &Path, home: &str) -> Result<bool, String> {
    if foreign::is_nothing(path) {
        return Ok(false); // masked
    }
    let text = foreign::bytes(path).map_err(|error| error.message)?;
    Ok(text.is_some_and(|text| belongs_to(&String::from_utf8_lossy(&text), home)))
}

/// The timer that lies at one of `paths`, by the systemd that `ask` speaks to.
fn timer(paths: &[PathBuf], home: &str, ask: &[&str], systemd: bool) -> Timer {
    let ours: Result<Vec<bool>, String> = paths.iter().map(|path| is_ours(path, home)).collect();
    match ours {
        Err(why) => return Timer::Unknown(why),
        Ok(ours) if !ours.contains(&true) => return if systemd { Timer::None } else { Timer::NoManager },
        Ok(_) => {}
    }
    let argv = |what| ask.iter().copied().chain([what, TIMER_NAME]).map(str::to_owned).collect::<Vec<_>>();
    let (is_active, is_enabled) = (argv("is-active"), argv("is-enabled"));
    let ran = match program::run(&is_active, &[], "", LIMIT) {
        Ok(ran) => ran,
        Err(error) => return Timer::Unknown(format!("cannot run `systemctl`: {error}")),
    };
    match ran.stdout.trim() {
        "active" => match program::run(&is_enabled, &[], "", LIMIT) {
            Ok(ran) if ran.stdout.trim() == "disabled" => Timer::Once,
            Ok(_) | Err(_) => Timer::Active, // there are more words for what a boot starts
        },
        word @ ("inactive" | "failed" | "activating" | "deactivating" | "maintenance") => {
            Timer::Inactive(format!("systemd calls it {word}"))
        }
        _ if !systemd => Timer::Inactive("systemd does not run here".to_owned()),
        _ => Timer::Unknown(ran.failure(&is_active, LIMIT).unwrap_or_else(|| program::said(&ran.stdout))),
    }
}

/// `KillUserProcesses`, by logind itself, else as configured.
fn kills(found: &Found<'_>) -> Option<bool> {
    let machine = found.machine.as_ref().filter(|machine| machine.systemd)?;
    let argv = ASK_LOGIND.map(str::to_owned);
    let ran = program::run(&argv, &[], "", LIMIT).ok().filter(|ran| ran.failure(&argv, LIMIT).is_none());
    let asked = ran.and_then(|ran| doctor::boolean(ran.stdout.trim().strip_prefix("b ")?));
    asked.or_else(|| doctor::configured(machine.logind.iter().map(String::as_str)))
}

/// The checks. `unnoted`: why the note of the last pass cannot be read.
pub(super) fn checks(
    found: &Found<'_>,
    unnoted: Option<&Error>,
    scheduled: &Scheduled,
    level: Option<Level>,
) -> Result<Vec<Check>, Error> {
    let every = found.loaded.map_or(Duration::from_secs(60), |loaded| loaded.registry.healthcheck.every);
    let now = now()?;
    let ago = found.last.as_ref().map(|last| last.at.until(now.wall));
    let seen = ago.is_some_and(|ago| ago <= every.saturating_mul(LATELY));
    let Scheduled { crontab, daemon, timers, launchd, kills } = scheduled;
    let cron_runs = *crontab == Crontab::Ours && *daemon == Some(true);
    let installed = match crontab {
        _ if timers.any_there() || *launchd => Some(true),
        Crontab::Ours => Some(true),
        Crontab::NotOurs | Crontab::NoProgram => Some(false),
        Crontab::Unreadable(_) => None,
    };
    // Only where cron alone would run them does its daemon count.
    let daemon_counts = daemon.filter(|_| !timers.any_there() && !launchd);
    let mut checks = vec![match unnoted {
        Some(error) => Check::red("trigger", error.message.clone(), "guardian healthcheck"),
        None => doctor::trigger(ago, every, installed, daemon_counts),
    }];
    checks.push(doctor::cron(crontab, *daemon, seen, timers.any_active() || *launchd));
    let Some(machine) = &found.machine else { return Ok(checks) };
    let login = match machine.lingers {
        _ if !machine.systemd => Login::NoSystemd,
        _ if nix::unistd::geteuid().is_root() => Login::Root,
        Some(true) => Login::Lingers,
        Some(false) => Login::Ends,
        None => Login::Unknown,
    };
    let runs = |timer: &Timer| matches!(timer, Timer::Active | Timer::Once);
    let users_alone = runs(&timers.user) && !runs(&timers.system) && !cron_runs;
    checks.extend([
        doctor::systemd(timers, cron_runs),
        doctor::linger(login, users_alone, level),
        doctor::logout(*kills, login, level),
    ]);
    Ok(checks)
}
