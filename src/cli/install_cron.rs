//! `install --cron`: a marked block in the user's crontab, and nothing else of it touched.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::units::format_duration;
use crate::os::{crontab, managers::has_cron_daemon};
use crate::policy::crontab::{Block, Pass, check_listed, command, schedule};
use crate::store::atomic;

use super::Call;
use super::install::{Mode, Plan};

pub(super) fn install(
    call: &Call,
    plan: &Plan,
    mode: Mode,
    prepare: impl FnOnce() -> Result<(), Error>,
) -> Result<u8, Error> {
    let block = Block::new(&plan.home, &schedule(plan.every)?, &line(call, plan)?);
    let old = crontab::read()?;
    let before = old.as_deref().unwrap_or_default();
    let new = block.put_into(before)?;
    prepare()?;
    let changed = new != before;
    let every = format_duration(plan.every);
    let backup = match mode {
        Mode::DryRun => None,
        Mode::Act => change(call, old.as_deref(), &new)?,
    };
    call.out.json(&json!({
        "schema": SCHEMA, "trigger": "cron", "home": plan.home, "every": every, "changed": changed,
        "dry_run": mode == Mode::DryRun, "block": block.text(), "backup": backup,
    }));
    if mode == Mode::DryRun {
        if !call.out.is_json() {
            call.out.say(if changed { "# would be put into your crontab:" } else { "# is in your crontab already:" });
            call.out.answer(&block.text());
        }
        return Ok(0);
    }
    let what = if changed { "installed" } else { "was there already" };
    call.out.say(&format!("crontab: a pass every {every} and after each boot: {what}"));
    if let Some(backup) = &backup {
        call.out.say(&format!("The crontab as it was is in {}", backup.display()));
    }
    if has_cron_daemon() == Some(false) {
        call.out.warn("no cron daemon can be seen running here: start it, or no pass will run");
    }
    Ok(0)
}

/// Takes guardian's lines out; what was done, for programs.
pub(super) fn uninstall(call: &Call, home: &str, mode: Mode) -> Result<Value, Error> {
    let old = crontab::read()?;
    let before = old.as_deref().unwrap_or_default();
    let new = Block::of(home).removed_from(before)?;
    let changed = new != before;
    let backup = match mode {
        Mode::DryRun => None,
        Mode::Act => change(call, old.as_deref(), &new)?,
    };
    call.out.say(match (changed, mode) {
        (true, Mode::Act) => "crontab: guardian's lines are removed; nobody looks after its processes by the clock now",
        (true, Mode::DryRun) => "crontab: guardian's lines would be removed",
        (false, Mode::Act | Mode::DryRun) => "crontab: no lines of guardian's for this home",
    });
    Ok(json!({
        "schema": SCHEMA, "trigger": "cron", "home": home, "changed": changed,
        "dry_run": mode == Mode::DryRun, "backup": backup,
    }))
}

/// The command of the lines. A long PATH is left out rather than refused: only programs of sinks need it.
fn line(call: &Call, plan: &Plan) -> Result<String, Error> {
    let exe = Path::new(&plan.exe);
    let all: Vec<(&str, &str)> = plan.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    command(Pass { exe, variables: &all }).or_else(|error| {
        let few: Vec<_> = all.iter().copied().filter(|(name, _)| *name != "PATH").collect();
        let line = command(Pass { exe, variables: &few }).map_err(|_| error)?;
        call.out.warn("PATH is too long for a crontab and left out: sinks need absolute paths to their programs");
        Ok(line)
    })
}

/// Writes the crontab if it is another one now. What was there is kept in the state directory.
fn change(call: &Call, old: Option<&[u8]>, new: &[u8]) -> Result<Option<PathBuf>, Error> {
    let before = old.unwrap_or_default();
    if new == before {
        return Ok(None);
    }
    check_listed(before)?;
    let backup = match old {
        None | Some([]) => None,
        Some(before) => {
            let path = call.ctx.paths.state.join("crontab.before");
            atomic::make_dir(&call.ctx.paths.state)?;
            atomic::replace(&path, before)?;
            Some(path)
        }
    };
    crontab::write(new).map_err(|error| match &backup {
        Some(path) if error.code == Code::System => {
            let hint = format!("{}\nthe crontab as it was: {}", error.hint, path.display());
            error.hint(hint.trim_start().to_owned())
        }
        Some(_) | None => error,
    })?;
    Ok(backup)
}
