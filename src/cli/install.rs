//! `install` and `uninstall`: what makes passes run, in cron, systemd or launchd; and guardian's part of an agent's configuration.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser};
use serde_json::json;

use crate::agent::install::{Client, Place};
use crate::context::TRUST_HOME;
use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::units::{format_duration, parse_duration};
use crate::os::managers;
use crate::policy::trigger::{Kind, Machine, choose};
use crate::registry::settings::set_every;
use crate::store::registry_file;
use crate::view::trigger::Manager;

use super::common::registry;
use super::{Call, install_agent, install_cron, install_units};

/// Sets up what runs a pass every minute, or the rule in an agent's configuration
///
/// With no option what runs passes without a login is chosen, if there is one: a timer of systemd, or cron; launchd on a Mac.
/// With --agent guardian's hooks, MCP server and skill are put into that agent's own files; what else stands there is kept,
/// comments included. With --every another time than the registry's, `every` of `[healthcheck]` is set to it, so that
/// `status` knows when a pass is overdue. Saying it twice is not an error.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: guardian install\nExample: guardian install --cron --every 5m --dry-run\nExample: sudo guardian install --systemd --system\nExample: guardian install --agent codex"
)]
pub(super) struct Install {
    #[command(flatten)]
    trigger: Trigger,
    /// Time between two passes [default: what the registry says, 1m if nothing]
    #[arg(long, value_name = "DURATION", conflicts_with = "agent")]
    every: Option<String>,
    #[command(flatten)]
    scope: Scope,
    /// Change nothing: say whether it is installed, and show the agent's hook a launch that it must refuse
    #[arg(long, requires = "agent", conflicts_with_all = TRIGGERS, conflicts_with = "dry_run")]
    check: bool,
    /// Print what would be written, change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Removes what `install` set up; processes and registry stay as they are
///
/// With no option all that runs passes for this home, of whatever kind.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: guardian uninstall\nExample: guardian uninstall --cron\nExample: guardian uninstall --agent codex"
)]
pub(super) struct Uninstall {
    #[command(flatten)]
    trigger: Trigger,
    #[command(flatten)]
    scope: Scope,
    /// Say what would be removed, change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What runs the passes, as options.
const TRIGGERS: [&str; 3] = ["cron", "systemd", "launchd"];

/// What runs the passes, or which agent is taught.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
struct Trigger {
    /// Lines in your crontab; nothing else in it is touched
    #[arg(long)]
    cron: bool,
    /// A timer of your own systemd (`systemctl --user`), or with --system of the machine's
    #[arg(long)]
    systemd: bool,
    /// An agent of your own launchd (macOS)
    #[arg(long)]
    launchd: bool,
    /// The configuration of this agent
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Client::ALL.map(Client::word)))]
    agent: Option<String>,
}

/// For whom.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
struct Scope {
    /// For all that you do [default, but for --agent agents-md]
    #[arg(long, conflicts_with_all = ["cron", "launchd"])]
    user: bool,
    /// For the machine, as root: passes run from boot on
    #[arg(long, requires = "systemd", conflicts_with_all = ["cron", "launchd", "agent"])]
    system: bool,
    /// For the project in this directory: its files name `guardian` without a path, so that they can be shared
    #[arg(long, requires = "agent", conflicts_with_all = TRIGGERS)]
    project: bool,
}

impl Scope {
    fn place(self, client: Client) -> Place {
        match (self.user, self.project) {
            (true, _) => Place::User,
            (_, true) => Place::Project,
            (false, false) => client.usual_place(),
        }
    }
}

impl Trigger {
    /// What was named, if something was.
    fn kind(&self, scope: Scope) -> Option<Kind> {
        let manager = if scope.system { Kind::System } else { Kind::User };
        let named = [(self.cron, Kind::Cron), (self.systemd, manager), (self.launchd, Kind::Launchd)];
        named.into_iter().find_map(|(is, kind)| is.then_some(kind))
    }
}

/// Whether to change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Act,
    DryRun,
}

impl Mode {
    fn of(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Act }
    }
}

/// What a trigger is made of.
pub(super) struct Plan {
    /// Which guardian home it serves: the directory of its registry.
    pub(super) home: String,
    /// Path of the executable.
    pub(super) exe: String,
    /// Environment of a pass.
    pub(super) variables: Vec<(&'static str, String)>,
    /// Time between two passes.
    pub(super) every: Duration,
}

pub(super) fn run(call: &Call, command: &Install) -> Result<u8, Error> {
    let mode = Mode::of(command.dry_run);
    if let Some(client) = command.trigger.agent.as_deref().and_then(Client::of) {
        let place = command.scope.place(client);
        return if command.check {
            install_agent::check(call, client, place)
        } else {
            install_agent::install(call, client, place, mode)
        };
    }
    let written = registry(call)?.registry.healthcheck.every;
    let every = match &command.every {
        None => written,
        Some(text) => {
            parse_duration(text).map_err(|error| Error::new(Code::Usage, "bad_every", error.what).hint(error.hint))?
        }
    };
    let kind = match command.trigger.kind(command.scope) {
        Some(kind) => kind,
        None => chosen(call)?,
    };
    let variables = variables(call, kind)?;
    let plan = Plan { home: home(call)?, exe: text(call.ctx.exe.as_os_str())?, variables, every };
    // The plan is sound before the registry is touched, and the registry says it before passes run by it.
    let prepare = || if every == written { Ok(()) } else { note(call, every, mode) };
    match kind {
        Kind::Cron => install_cron::install(call, &plan, mode, prepare),
        Kind::User => install_units::install_systemd(call, &plan, Manager::User, mode, prepare),
        Kind::System => install_units::install_systemd(call, &plan, Manager::System, mode, prepare),
        Kind::Launchd => install_units::install_launchd(call, &plan, mode, prepare),
    }
}

/// What suits this machine.
fn chosen(call: &Call) -> Result<Kind, Error> {
    let machine = Machine {
        launchd: managers::HAS_LAUNCHD,
        root: nix::unistd::geteuid().is_root(),
        systemd: managers::is_systemd(),
        user_manager: managers::has_user_manager(),
        lingers: managers::lingers() == Some(true),
        crontab: managers::is_program("crontab", call.ctx.environment.get(OsStr::new("PATH")).map(OsString::as_os_str)),
        cron_daemon: managers::has_cron_daemon() == Some(true),
    };
    choose(&machine).ok_or_else(|| {
        Error::new(Code::System, "no_trigger", "neither systemd nor cron can be found here to run passes")
            .hint("let this run in the foreground, for example as the first process of a container: guardian healthcheck --loop 1m")
    })
}

pub(super) fn uninstall(call: &Call, command: &Uninstall) -> Result<u8, Error> {
    let mode = Mode::of(command.dry_run);
    if let Some(client) = command.trigger.agent.as_deref().and_then(Client::of) {
        return install_agent::uninstall(call, client, command.scope.place(client), mode);
    }
    let home = home(call)?;
    let one = |kind: Kind| match kind {
        Kind::Cron => install_cron::uninstall(call, &home, mode),
        Kind::User => install_units::uninstall_systemd(call, &home, Manager::User, mode),
        Kind::System => install_units::uninstall_systemd(call, &home, Manager::System, mode),
        Kind::Launchd => install_units::uninstall_launchd(call, &home, mode),
    };
    if let Some(kind) = command.trigger.kind(command.scope) {
        call.out.json(&one(kind)?);
        return Ok(0);
    }
    let is_root = nix::unistd::geteuid().is_root();
    let path = call.ctx.environment.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let there = [
        (managers::is_program("crontab", path), Kind::Cron),
        (!managers::HAS_LAUNCHD && call.ctx.home.is_some(), Kind::User),
        (!managers::HAS_LAUNCHD && is_root, Kind::System),
        (managers::HAS_LAUNCHD, Kind::Launchd),
    ];
    // Each is tried, whatever became of the others; files of another home, or masked ones, run no passes for this one.
    let done: Vec<_> = there.into_iter().filter(|(is, _)| *is).map(|(_, kind)| one(kind)).collect();
    let ours = |one: &Result<_, Error>| !one.as_ref().is_err_and(|error| install_units::NOT_OURS.contains(&error.kind));
    let done = done.into_iter().filter(ours).collect::<Result<Vec<_>, _>>()?;
    let changed = done.iter().any(|one| one["changed"] == true);
    call.out.json(&json!({"schema": SCHEMA, "home": home, "changed": changed, "triggers": done}));
    Ok(0)
}

/// The registry learns how often passes run.
fn note(call: &Call, every: Duration, mode: Mode) -> Result<(), Error> {
    let every = format_duration(every);
    if mode == Mode::DryRun {
        call.out
            .say(&format!("# would set in {}: [healthcheck] every = \"{every}\"", call.ctx.paths.registry.display()));
        return Ok(());
    }
    registry_file::update(&call.ctx.paths, call.ctx.home.as_deref(), |text| set_every(text, &every))?;
    call.out.say(&format!("{}: every = \"{every}\" in [healthcheck]", call.ctx.paths.registry.display()));
    Ok(())
}

pub(super) fn home(call: &Call) -> Result<String, Error> {
    let registry = &call.ctx.paths.registry;
    text(registry.parent().unwrap_or(registry).as_os_str())
}

fn text(path: &OsStr) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("path `{}` is not UTF-8, which crontabs and unit files cannot hold", path.display());
        Error::new(Code::Usage, "bad_path", message).hint("use another path")
    })
}

/// What a pass needs to find the same home, and the programs that sinks run.
fn variables(call: &Call, kind: Kind) -> Result<Vec<(&'static str, String)>, Error> {
    let ctx = &call.ctx;
    let variable = |name: &str| ctx.environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let mut variables = Vec::new();
    if let Some(path) = variable("PATH").and_then(|path| path.to_str()) {
        let mut seen = BTreeSet::new();
        let entries: Vec<&str> = path.split(':').filter(|dir| dir.starts_with('/') && seen.insert(*dir)).collect();
        variables.push(("PATH", entries.join(":")));
    }
    // A service of the system has none unless it is told one.
    let told = |home: &&PathBuf| kind == Kind::System || passwd_home().as_ref() != Some(*home);
    if let Some(home) = ctx.home.as_ref().filter(told) {
        variables.push(("HOME", text(home.as_os_str())?));
    }
    if variable(TRUST_HOME).is_some_and(|value| value == "1") {
        variables.push((TRUST_HOME, "1".to_owned()));
    }
    match &ctx.paths.home {
        Some(home) => variables.push(("GUARDIAN_HOME", text(home.as_os_str())?)),
        None => {
            for (name, place) in [("XDG_CONFIG_HOME", &ctx.paths.registry), ("XDG_STATE_HOME", &ctx.paths.state)] {
                if let Some(value) = variable(name).filter(|value| place.starts_with(value)) {
                    variables.push((name, text(value)?));
                }
            }
        }
    }
    Ok(variables)
}

/// The home directory that cron and systemd give a pass.
fn passwd_home() -> Option<PathBuf> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.dir)
}
