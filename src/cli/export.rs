//! `export`: processes as files of another system; what it cannot say stays with guardian, behind `guardian exec`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::os::user;
use crate::transfer::export::{Leaving, Place, Written, namesakes};
use crate::transfer::{to_compose, to_kubernetes, to_nomad, to_supervisord, to_systemd};

use super::Call;
use super::common::{complain_of, known, parse, registry};
use super::out::worse;

/// Whose files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A service for each process, with a timer where it has a schedule
    Systemd,
    /// A job for each process, run by `raw_exec`
    Nomad,
    /// A Deployment, Job or CronJob for each process
    Kubernetes,
    /// One file of services
    Compose,
    /// One file of programs
    Supervisord,
}

/// Writes processes as files of another system
///
/// A process whose settings the other system all has words for is written in its words, any other as `guardian exec NAME`:
/// guardian then keeps what it cannot say, and the file names that. Secrets are named, never copied.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian export systemd btc-bot --output /etc/systemd/system")]
pub(super) struct Export {
    /// Whose files
    #[arg(value_name = "SYSTEM")]
    to: To,
    /// Names of processes; none: all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write the files into this directory, instead of printing them
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Overwrite files that are there with another content
    #[arg(long, requires = "output")]
    replace: bool,
    /// The image of containers (kubernetes, compose)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Write every process as `guardian exec`
    #[arg(long)]
    wrap: bool,
}

pub(super) fn run(call: &Call, command: &Export) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let asked = parse(&command.names)?;
    known(&loaded, &asked, call)?;
    let wanted = |name: &&crate::model::name::Name| asked.is_empty() || asked.contains(name);
    let leaving: Vec<Leaving<'_>> = loaded
        .registry
        .processes
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, entry)| Leaving { name, spec: &entry.spec })
        .collect();
    if leaving.is_empty() {
        if let Some(error) = loaded.error(&call.ctx.paths) {
            return Err(error);
        }
        let error = Error::new(Code::No, "nothing", "no process is registered, so there is nothing to export");
        return Err(error.hint("guardian register NAME -- COMMAND"));
    }
    match (command.to, namesakes(&leaving)) {
        (To::Kubernetes | To::Compose, Some((one, other, name))) => {
            let message = format!("`{one}` and `{other}` would both be called `{name}` there");
            let hint = "rename one of them, or name those that are to be exported";
            return Err(Error::new(Code::Refused, "same_name", message).hint(hint));
        }
        (To::Systemd | To::Nomad | To::Kubernetes | To::Compose | To::Supervisord, _) => {}
    }
    let home = call.ctx.paths.home.as_ref().map(|home| home.display().to_string());
    let (exe, me) = (call.ctx.exe.display().to_string(), user::name());
    let place = Place {
        exe: &exe,
        home: home.as_deref(),
        user: Some(me.as_str()).filter(|me| *me != "root"),
        user_home: call.ctx.home.as_ref().and_then(|home| home.to_str()),
        image: command.image.as_deref(),
        wrap: command.wrap,
    };
    let files = match command.to {
        To::Systemd => to_systemd::write(&leaving, &place),
        To::Nomad => to_nomad::write(&leaving, &place),
        To::Kubernetes => to_kubernetes::write(&leaving, &place),
        To::Compose => to_compose::write(&leaving, &place),
        To::Supervisord => to_supervisord::write(&leaving, &place),
    };
    match &command.output {
        Some(dir) => put(call, dir, &files, command.replace)?,
        None => show(call, &files),
    }
    Ok(worse(0, complain_of(&loaded, call)))
}

fn show(call: &Call, files: &[Written]) {
    let all: Vec<_> = files.iter().map(|file| json!({"name": file.name, "path": null, "text": file.text})).collect();
    call.out.json(&json!({"schema": SCHEMA, "files": all}));
    if call.out.is_json() {
        return;
    }
    for file in files {
        let head = if files.len() > 1 { format!("# ---- {}\n", file.name) } else { String::new() };
        call.out.answer(&format!("{head}{}", file.text));
    }
}

/// Writes all, or none where one that is there would be lost.
fn put(call: &Call, dir: &Path, files: &[Written], replace: bool) -> Result<(), Error> {
    let mut left = Vec::new();
    for file in files {
        let path = dir.join(&file.name);
        match std::fs::read(&path) {
            Ok(old) if old == file.text.as_bytes() => {}
            Ok(_) if !replace => {
                let message = format!("nothing was written: `{}` is there with another content", path.display());
                return Err(Error::new(Code::Refused, "file_differs", message).hint("give --replace to overwrite it"));
            }
            Ok(_) => left.push((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => left.push((path, file)),
            Err(error) => return Err(Error::io("read", &path, &error)),
        }
    }
    std::fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, &error))?;
    for (path, file) in &left {
        write(path, file.text.as_bytes()).map_err(|error| Error::io("write", path, &error))?;
    }
    let all: Vec<_> =
        files.iter().map(|file| json!({"name": file.name, "path": dir.join(&file.name), "text": file.text})).collect();
    call.out.json(&json!({"schema": SCHEMA, "files": all}));
    for file in files {
        let path = dir.join(&file.name);
        let word = if left.iter().any(|(written, _)| *written == path) { "written" } else { "unchanged" };
        call.out.say(&format!("{}: {word}", path.display()));
    }
    Ok(())
}

/// The other system reads it, under whatever user: nothing in it is secret.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
