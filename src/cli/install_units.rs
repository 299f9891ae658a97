//! `install --systemd` and `--launchd`: files in the user's own directory, and the command that enables them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::os::managers::lingers;
use crate::store::{atomic, foreign};
use crate::view::trigger::{AGENT_LABEL, Manager, SERVICE_NAME, TIMER_NAME, Trigger, belongs_to};

use super::Call;
use super::install::{Mode, Plan};

/// Errors that say that a file is somebody else's.
pub(super) const NOT_OURS: [&str; 2] = ["foreign_unit", "masked_unit"];

/// A file and what is to be in it.
type Unit = (PathBuf, String);

pub(super) fn install_systemd(
    call: &Call,
    plan: &Plan,
    manager: Manager,
    mode: Mode,
    prepare: impl FnOnce() -> Result<(), Error>,
) -> Result<u8, Error> {
    let files = with_trigger(plan, |trigger| Ok(place(trigger.systemd(manager)?, &systemd_dir(call, manager)?)))?;
    let which = manager.option();
    let enable = match manager {
        Manager::User => format!("systemctl --user enable --now {TIMER_NAME}"),
        Manager::System => format!("systemctl enable --now {TIMER_NAME}"),
    };
    let advice = match manager {
        Manager::User => "a user without a session needs `loginctl enable-linger` first; elsewhere use --cron",
        Manager::System => "only where systemd is the first process and you are root: elsewhere use --cron",
    };
    // Asked first, so that where nobody would read the files none is written.
    if let Some(why) =
        Some(()).filter(|()| mode == Mode::Act).and_then(|()| run("systemctl", &[which, "daemon-reload"]))
    {
        let message = format!("systemd cannot be reached, nothing was written: {why}");
        return Err(Error::new(Code::System, "no_systemd", message).hint(advice));
    }
    if !write(call, "systemd", plan, &files, mode, prepare, &enable)? {
        return Ok(0);
    }
    let failed = run("systemctl", &[which, "daemon-reload"])
        .or_else(|| run("systemctl", &[which, "enable", "--now", TIMER_NAME]));
    let code = enabled(call, failed, &enable, advice)?;
    if manager == Manager::User && lingers() == Some(false) {
        call.out.warn(
            "passes begin with your first login after a boot and end with the last logout: `loginctl enable-linger` makes \
             them independent of it",
        );
    }
    Ok(code)
}

pub(super) fn install_launchd(
    call: &Call,
    plan: &Plan,
    mode: Mode,
    prepare: impl FnOnce() -> Result<(), Error>,
) -> Result<u8, Error> {
    let files = with_trigger(plan, |trigger| Ok(place(trigger.launchd()?, &agents_dir(call)?)))?;
    let path = files.first().map_or_else(String::new, |(path, _)| path.display().to_string());
    let domain = domain();
    let enable = format!("launchctl bootstrap {domain} {}", shlex::try_quote(&path).unwrap_or(path.as_str().into()));
    if !write(call, "launchd", plan, &files, mode, prepare, &enable)? {
        return Ok(0);
    }
    // One that is loaded already is loaded anew; that there is none yet is no error.
    drop(run("launchctl", &["bootout", &format!("{domain}/{AGENT_LABEL}")]));
    let failed = run("launchctl", &["bootstrap", &domain, &path]);
    enabled(call, failed, &enable, "launchd is macOS's: elsewhere use --cron or --systemd")
}

/// Disables and removes timer and service; what was done, for programs.
pub(super) fn uninstall_systemd(call: &Call, home: &str, manager: Manager, mode: Mode) -> Result<Value, Error> {
    let dir = systemd_dir(call, manager)?;
    let paths = [dir.join(TIMER_NAME), dir.join(SERVICE_NAME)];
    let which = manager.option();
    let stop = || {
        drop(run("systemctl", &[which, "disable", "--now", TIMER_NAME]));
    };
    let done = remove(call, "systemd", home, &paths, mode, stop)?;
    if mode == Mode::Act && done["changed"] == true {
        drop(run("systemctl", &[which, "daemon-reload"]));
    }
    Ok(done)
}

/// Unloads and removes the agent; what was done, for programs.
pub(super) fn uninstall_launchd(call: &Call, home: &str, mode: Mode) -> Result<Value, Error> {
    let paths = [agents_dir(call)?.join("dev.guardian.healthcheck.plist")];
    let stop = || drop(run("launchctl", &["bootout", &format!("{}/{AGENT_LABEL}", domain())]));
    remove(call, "launchd", home, &paths, mode, stop)
}

fn with_trigger<T>(plan: &Plan, make: impl FnOnce(&Trigger<'_>) -> Result<T, Error>) -> Result<T, Error> {
    if plan.every.as_secs() == 0 || plan.every.subsec_nanos() != 0 {
        let message = "the time between two passes is not whole seconds";
        return Err(Error::new(Code::Usage, "bad_every", message).hint("give for example --every 1m"));
    }
    let variables: Vec<(&str, &str)> = plan.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    make(&Trigger { exe: &plan.exe, home: &plan.home, variables: &variables, every: plan.every })
}

fn place<const N: usize>(files: [(&'static str, String); N], dir: &Path) -> Vec<Unit> {
    files.into_iter().map(|(name, text)| (dir.join(name), text)).collect()
}

pub(super) fn systemd_dir(call: &Call, manager: Manager) -> Result<PathBuf, Error> {
    if manager == Manager::System {
        return Ok(PathBuf::from("/etc/systemd/system"));
    }
    let xdg = call.ctx.environment.get(std::ffi::OsStr::new("XDG_CONFIG_HOME")).map(PathBuf::from);
    match xdg.filter(|xdg| xdg.is_absolute()) {
        Some(xdg) => Ok(xdg.join("systemd/user")),
        None => Ok(user_home(call)?.join(".config/systemd/user")),
    }
}

pub(super) fn agents_dir(call: &Call) -> Result<PathBuf, Error> {
    Ok(user_home(call)?.join("Library/LaunchAgents"))
}

fn user_home(call: &Call) -> Result<&Path, Error> {
    call.ctx
        .home
        .as_deref()
        .ok_or_else(|| Error::new(Code::Usage, "no_home", "your home directory is not known").hint("set HOME"))
}

fn domain() -> String {
    format!("gui/{}", nix::unistd::getuid())
}

/// Prints the files, or writes those that differ; true: they are to be enabled now.
fn write(
    call: &Call,
    kind: &str,
    plan: &Plan,
    files: &[Unit],
    mode: Mode,
    prepare: impl FnOnce() -> Result<(), Error>,
    enable: &str,
) -> Result<bool, Error> {
    let mut changed = false;
    for (path, text) in files {
        changed |= owned(path, &plan.home)?.is_none_or(|old| old != *text);
    }
    prepare()?;
    let texts: Vec<_> = files.iter().map(|(path, text)| json!({"path": path, "text": text})).collect();
    call.out.json(&json!({
        "schema": SCHEMA, "trigger": kind, "home": plan.home, "changed": changed,
        "dry_run": mode == Mode::DryRun, "files": texts, "enable": enable,
    }));
    if mode == Mode::DryRun {
        if !call.out.is_json() {
            let shown: Vec<_> = files.iter().map(|(path, text)| format!("# {}\n{text}", path.display())).collect();
            call.out.answer(&format!("{}\n# then: {enable}", shown.join("\n")));
        }
        return Ok(false);
    }
    for (path, text) in files {
        if let Some(dir) = path.parent() {
            atomic::make_dir(dir)?;
        }
        atomic::replace(path, text.as_bytes())?;
        call.out.say(&format!("{}: {}", path.display(), if changed { "written" } else { "was there already" }));
    }
    Ok(true)
}

/// What is in a file of ours; `None`: there is no such file.
fn owned(path: &Path, home: &str) -> Result<Option<String>, Error> {
    if foreign::is_nothing(path) {
        let unit = path.file_name().unwrap_or_default().display().to_string();
        let message = format!("`{}` is masked: somebody does not want it to run", path.display());
        return Err(Error::new(Code::Refused, "masked_unit", message)
            .hint(format!("rm {}, or `systemctl unmask {unit}` (with --user where it is your own)", path.display())));
    }
    let Some(bytes) = foreign::bytes(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if belongs_to(&text, home) {
        return Ok(Some(text));
    }
    let message = format!("`{}` was not written for the guardian home `{home}`", path.display());
    Err(Error::new(Code::Refused, "foreign_unit", message).hint(
        "it stays as it is: uninstall it with the home that it names, or move it away; cron has room for many homes",
    ))
}

fn remove(
    call: &Call,
    kind: &str,
    home: &str,
    paths: &[PathBuf],
    mode: Mode,
    stop: impl FnOnce(),
) -> Result<Value, Error> {
    let mut there = Vec::new();
    for path in paths {
        if owned(path, home)?.is_some() {
            there.push(path);
        }
    }
    if mode == Mode::Act && !there.is_empty() {
        stop();
        for path in &there {
            atomic::remove_if_there(path)?;
        }
    }
    let verb = if mode == Mode::DryRun { "would be removed" } else { "removed" };
    for path in &there {
        call.out.say(&format!("{}: {verb}", path.display()));
    }
    if there.is_empty() {
        call.out.say(&format!("{kind}: nothing of guardian's for this home"));
    }
    Ok(json!({
        "schema": SCHEMA, "trigger": kind, "home": home, "changed": !there.is_empty(),
        "dry_run": mode == Mode::DryRun, "removed": there,
    }))
}

fn enabled(call: &Call, failed: Option<String>, enable: &str, advice: &str) -> Result<u8, Error> {
    match failed {
        None => {
            call.out.say(&format!("enabled: {enable}"));
            Ok(0)
        }
        Some(why) => Err(Error::new(Code::No, "not_enabled", format!("the files are written, but not enabled: {why}"))
            .hint(format!("{advice}\nthen: {enable}"))),
    }
}

/// Runs a program; what it complained of, `None` when it succeeded.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
            Some(if said.is_empty() { format!("{program}: {}", output.status) } else { said })
        }
        Err(error) => Some(format!("cannot run `{program}`: {error}")),
    }
}
