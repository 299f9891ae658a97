//! `import`: processes of another system come into the registry, and what has no equal here is named.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::os::{user, zone};
use crate::registry::edit::{Change, EditError, Replace, insert};
use crate::registry::{Context as Reading, parse};
use crate::store::{registry_file, state};
use crate::transfer::{
    Damage, Found, Import as Read, Note, names, pm2, process_guardian, procfile, supervisord, systemd,
};

use super::Call;
use super::common::registry;
use super::import_file::Source;
use super::register::{count, take_down_environment, tell, word};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The registry of process-guardian, `.process-registry.json`
    ProcessGuardian,
    /// A configuration of supervisord
    Supervisord,
    /// An ecosystem of pm2 as JSON, or `~/.pm2/dump.pm2`
    Pm2,
    /// A Procfile
    Procfile,
    /// A service of systemd: its file, or its name
    Systemd,
    /// A crontab; without a file that of this user
    Crontab,
}

/// Takes processes over from another system
///
/// What has no equal here is named with its line, the reason and what to do instead. All of a file comes into the
/// registry or nothing does: it is damaged (exit 65), or one of its names is registered with another spec (5).
/// Nothing is started, and nothing is stopped where it ran before.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian import supervisord /etc/supervisor/conf.d/web.conf --dry-run")]
pub(super) struct Import {
    /// What the file is
    #[arg(value_name = "SYSTEM")]
    from: From,
    /// The file; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["of_system"], required_if_eq_any = [("from", "process-guardian"), ("from", "supervisord"), ("from", "pm2"), ("from", "procfile"), ("from", "systemd")])]
    file: Option<PathBuf>,
    /// Print what would be written, as TOML, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the new description where a name is registered with another one
    #[arg(long)]
    replace: bool,
    /// It is a crontab of the system's, with a user in each line, as /etc/crontab is
    #[arg(long)]
    of_system: bool,
}

pub(super) fn run(call: &Call, command: &Import) -> Result<u8, Error> {
    let source = match (command.from, &command.file) {
        (From::Systemd, Some(unit)) => Source::unit(call, unit)?,
        (From::Procfile, Some(file)) => Source::procfile(call, file)?,
        (_, Some(file)) => Source::file(call, file)?,
        (_, None) => Source::own_crontab(call)?,
    };
    let damaged = |damage: Damage| {
        Error::new(Code::Data, "damaged", format!("{}:{}: {}", source.shown, damage.line, damage.what))
            .hint(damage.hint)
    };
    let mut read = parse_as(command.from, source.text()?, &source, command.of_system).map_err(damaged)?;
    for dir in source.more().iter().filter(|_| command.from == From::Systemd) {
        let (what, why) = (dir.display().to_string(), "what it adds to the unit was not read".to_owned());
        let instead = "`systemctl cat UNIT > FILE`, and import that file".to_owned();
        read.notes.push(Note { line: 1, process: None, what, why, instead });
    }
    let found = names::named(&mut read);
    let replace = if command.replace { Replace::Allow } else { Replace::Refuse };
    let reading = Reading { home_dir: call.ctx.home.clone(), zone: zone::name(), has_user: Some(user::is_there) };
    read.notes.sort_by_key(|note| note.line);
    if command.dry_run {
        return dry_run(call, &source, &found, &read.notes, replace, &reading);
    }
    let mut changes = Vec::new();
    let updated = registry_file::update(&call.ctx.paths, call.ctx.home.as_deref(), |text| {
        let (text, done) = put_all(text, &source.shown, &found, replace, &reading)?;
        changes = done;
        Ok(text)
    })?;
    for ((name, _), change) in found.iter().zip(&changes) {
        state::prepare(&call.ctx.paths, name)?;
        if *change == Change::Added {
            tell(call, name, &updated.registry)?;
        }
        take_down_environment(call, name, *change, replace)?;
        count(call, name, *change, &updated.registry)?;
    }
    say(call, &source.shown, &found, &changes, &read.notes);
    Ok(0)
}

fn parse_as(from: From, text: &str, source: &Source, of_system: bool) -> Result<Read, Damage> {
    let around = source.around(of_system);
    match from {
        From::ProcessGuardian => process_guardian::read_registry(text, &around),
        From::Supervisord => supervisord::read(text, &around),
        From::Pm2 => pm2::read(text, &around),
        From::Procfile => procfile::read(text, &around),
        From::Systemd => systemd::read(text, &around),
        From::Crontab => crate::transfer::crontab::read(text, &around),
    }
}

/// The text of a registry with all that was found, and what was done for each.
fn put_all(
    text: &str,
    file: &str,
    found: &[(Name, Found)],
    replace: Replace,
    reading: &Reading,
) -> Result<(String, Vec<Change>), Error> {
    let mut text = text.to_owned();
    let mut changes = Vec::new();
    let mut conflicts = Vec::new();
    for (name, found) in found {
        match insert(&text, name, &found.draft, replace, reading) {
            Ok(edited) => {
                text = edited.text;
                changes.push(edited.change);
            }
            Err(error @ (EditError::Differs { .. } | EditError::Form { .. })) => conflicts.push((name, error)),
            Err(error @ EditError::Invalid(_)) => {
                let message = format!("{file}:{}: process `{name}`: {error}", found.line);
                return Err(Error::new(Code::Data, "damaged", message).hint(error.hint()).about(name));
            }
            Err(error @ EditError::NotToml(_)) => return Err(error.into()),
        }
    }
    match conflicts.as_slice() {
        [] => Ok((text, changes)),
        [(name, _), ..] => {
            let all: Vec<String> = conflicts.iter().map(|(_, error)| error.to_string()).collect();
            let message = format!("nothing was imported: {}", all.join("; "));
            let hint = "give --replace to put the new specs in their place, or rename one of the two";
            Err(Error::new(Code::Refused, "spec_differs", message).hint(hint).about(name))
        }
    }
}

/// What would be written; the registry is looked at and left as it is.
fn dry_run(
    call: &Call,
    source: &Source,
    found: &[(Name, Found)],
    notes: &[Note],
    replace: Replace,
    reading: &Reading,
) -> Result<u8, Error> {
    let (text, _) = put_all("", &source.shown, found, Replace::Refuse, reading)?;
    let (wanted, known) = (parse(&text, reading).registry, registry(call)?.registry);
    for (name, entry) in &wanted.processes {
        if let Some(old) = known.processes.get(name).filter(|old| old.spec != entry.spec)
            && replace == Replace::Refuse
        {
            let keys = crate::registry::edit::differing(&old.spec, &entry.spec);
            return Err(Error::from(EditError::Differs { name: name.clone(), keys }));
        }
    }
    call.out
        .json(&json!({"schema": SCHEMA, "file": source.shown, "dry_run": true, "toml": text, "notes": listed(notes)}));
    if !call.out.is_json() {
        let notes: String = notes.iter().map(|note| format!("# {}:{note}\n", source.shown)).collect();
        call.out.answer(&format!("{notes}{}{text}", if notes.is_empty() { "" } else { "\n" }));
    }
    Ok(0)
}

fn listed(notes: &[Note]) -> Vec<serde_json::Value> {
    let one = |note: &Note| json!({"line": note.line, "process": note.process, "what": note.what, "why": note.why, "instead": note.instead});
    notes.iter().map(one).collect()
}

fn say(call: &Call, file: &str, found: &[(Name, Found)], changes: &[Change], notes: &[Note]) {
    let done = || found.iter().zip(changes);
    let processes: Vec<_> = done()
        .map(|((name, found), change)| json!({"name": name, "was": found.name, "line": found.line, "result": word(*change)}))
        .collect();
    call.out.json(
        &json!({"schema": SCHEMA, "file": file, "dry_run": false, "processes": processes, "notes": listed(notes)}),
    );
    for ((name, found), change) in done() {
        call.out.say(&format!("{name}: {} from {file}:{}", word(*change), found.line));
    }
    if !call.out.is_json() {
        // What was not taken over is said even where all went well.
        for note in notes {
            call.out.answer(&format!("{file}:{note}"));
        }
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let next = match names.as_slice() {
        [] => String::new(),
        names => format!("; nothing was started: end them where they ran, then `guardian start {}`", names.join(" ")),
    };
    let processes = if names.len() == 1 { "process" } else { "processes" };
    let noted = if notes.len() == 1 { "note" } else { "notes" };
    call.out.say(&format!("{} {processes}, {} {noted}{next}", names.len(), notes.len()));
}
