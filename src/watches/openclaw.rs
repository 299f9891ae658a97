//! The jobs of OpenClaw's scheduler: from its own program, else from its store, else from the file of earlier versions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::policy::openclaw::{document, list};
use crate::policy::watch_jobs::{Job, Jobs};
use crate::policy::watch_judge::Evidence;

use super::line;
use super::look::{Around, small};

/// Where versions before the store kept their jobs, below the state directory.
const LEGACY: &str = "cron/jobs.json";
/// Where the store lies, below the state directory.
const STORE: &str = "state/openclaw.sqlite";

/// What is known of the jobs.
pub(super) fn look(around: &Around, home: Option<&str>, program: Option<&str>, limit: Duration) -> Evidence {
    // Its program is slow to start, and the stores are quick to read.
    let listed = listed(home, program, limit * 7 / 10);
    let mut whys = Vec::new();
    match listed {
        // A gateway that has lost its jobs says so, too: what is in the store decides then.
        Ok(jobs) if jobs.is_empty() => match kept(&dirs(around, home), limit * 2 / 10) {
            Ok(Some(kept)) if !kept.jobs.is_empty() => return Evidence::Jobs(kept),
            Ok(_) => return Evidence::Jobs(Jobs { source: LISTED.to_owned(), jobs }),
            Err(why) => whys.push(why),
        },
        Ok(jobs) => return Evidence::Jobs(Jobs { source: LISTED.to_owned(), jobs }),
        Err(why) => {
            whys.push(why);
            match kept(&dirs(around, home), limit * 2 / 10) {
                Ok(Some(kept)) => return Evidence::Jobs(kept),
                Ok(None) => whys.push("no store of it was found".to_owned()),
                Err(why) => whys.push(why),
            }
        }
    }
    Evidence::Unreadable(format!("the jobs of OpenClaw cannot be read: {}", whys.join("; ")))
}

/// How its own program is called in what is told.
const LISTED: &str = "`openclaw cron list`";

/// What its own program says.
fn listed(home: Option<&str>, program: Option<&str>, limit: Duration) -> Result<Vec<Job>, String> {
    let mut command = Command::new(program.unwrap_or("openclaw"));
    command.args(["cron", "list", "--all", "--json"]);
    let variables: Vec<(&str, &str)> = home.map(|home| ("OPENCLAW_STATE_DIR", home)).into_iter().collect();
    let ran = line::run(&mut command, &variables, limit).map_err(|error| format!("{LISTED}: {error}"))?;
    if ran.timed_out || ran.code != Some(0) {
        let said = if ran.last_line.is_empty() { String::new() } else { format!(" ({})", ran.last_line) };
        return Err(format!("{LISTED} {}{said}", ran.how));
    }
    document(&ran.output).and_then(|document| list(&document)).map_err(|why| format!("{LISTED}: {why}"))
}

/// The directories in which it may keep its state.
fn dirs(around: &Around, home: Option<&str>) -> Vec<PathBuf> {
    match (home, &around.openclaw, &around.home) {
        (Some(home), _, _) => vec![PathBuf::from(home)],
        (None, Some(dir), _) => vec![dir.clone()],
        (None, None, Some(home)) => vec![home.join(".openclaw"), home.join(".clawdbot")],
        (None, None, None) => Vec::new(),
    }
}

/// What a store holds; `None`: there is none. One that is there and cannot be read hides every older one.
fn kept(dirs: &[PathBuf], limit: Duration) -> Result<Option<Jobs>, String> {
    for dir in dirs {
        let (store, legacy) = (dir.join(STORE), dir.join(LEGACY));
        let of = |path: &Path, jobs: Result<Vec<Job>, String>| {
            let source = format!("`{}`", path.display());
            jobs.map(|jobs| Some(Jobs { source, jobs })).map_err(|why| format!("`{}`: {why}", path.display()))
        };
        if is_there(&store)? {
            return of(&store, super::sqlite::jobs(&store, limit));
        }
        if is_there(&legacy)? {
            return of(&legacy, from_file(&legacy));
        }
    }
    Ok(None)
}

fn is_there(path: &Path) -> Result<bool, String> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("`{}`: {error}", path.display())),
    }
}

fn from_file(path: &Path) -> Result<Vec<Job>, String> {
    let (bytes, _) = small(path).map_err(|error| error.to_string())?;
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    list(&document)
}
