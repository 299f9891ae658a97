//! One look at something watched: evidence, and no judgement.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use nix::unistd::User;
use regex_lite::Regex;

use crate::model::name::Name;
use crate::model::time::Wall;
use crate::model::watch::{Subject, WatchSpec};
use crate::os::{clock, others, process};
use crate::policy::watch_judge::{Evidence, Found, Owner, PidFile};

use super::{line, openclaw};

/// Largest file that is read whole, in bytes.
const LARGEST: u64 = 16 << 20;

/// What a look needs to know of its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Around {
    /// `HOME`.
    pub(super) home: Option<PathBuf>,
    /// `OPENCLAW_STATE_DIR`.
    pub(super) openclaw: Option<PathBuf>,
}

/// Looks. Takes as long as it takes, but for commands, which are ended at their limit.
pub(super) fn look(name: &Name, spec: &WatchSpec, around: &Around) -> Evidence {
    let ran = |line: &str| line::shell(line, &[("GUARDIAN_WATCH", name.as_str())], spec.timeout).map(Evidence::Ran);
    let seen: Result<Evidence, String> = match &spec.subject {
        Subject::PidFile { path } => {
            pid_file(Path::new(path)).map(Evidence::PidFile).map_err(|e| cannot_read(path, &e))
        }
        Subject::Match { pattern, user } => matching(pattern, user.as_deref()),
        Subject::File { path, .. } => {
            changed(Path::new(path)).map(Evidence::Changed).map_err(|e| cannot_read(path, &e))
        }
        Subject::JsonFile { path, .. } => match small(Path::new(path)) {
            Ok((bytes, _)) => Ok(Evidence::Text(Some(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Evidence::Text(None)),
            Err(error) => Err(cannot_read(path, &error)),
        },
        Subject::Output { line, .. } | Subject::Command { line } => {
            ran(line).map_err(|error| format!("`/bin/sh` cannot be run: {error}"))
        }
        Subject::OpenClaw { home, program } => {
            Ok(openclaw::look(around, home.as_deref(), program.as_deref(), spec.timeout))
        }
    };
    seen.unwrap_or_else(Evidence::Unreadable)
}

fn cannot_read(path: &str, error: &io::Error) -> String {
    format!("`{path}` cannot be read: {error}")
}

/// The bytes of a plain file that is not large, and what is known of it.
pub(super) fn small(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    // A fifo is not waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let bytes = read(file)?;
    Ok((bytes, meta))
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(bytes)
}

fn written(meta: &Metadata) -> io::Result<Wall> {
    let since = meta.modified()?.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    i64::try_from(since.as_millis()).map(Wall).map_err(io::Error::other)
}

fn changed(path: &Path) -> io::Result<Option<Wall>> {
    match fs::metadata(path) {
        Ok(meta) => written(&meta).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn pid_file(path: &Path) -> io::Result<PidFile> {
    let (bytes, meta) = match small(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidFile::Missing),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&bytes);
    let word = text.split_ascii_whitespace().next().unwrap_or("");
    let Some(pid) = word.parse::<i32>().ok().filter(|pid| *pid > 0) else {
        return Ok(PidFile::NoPid(word.chars().take(40).collect()));
    };
    let now = clock::now()?;
    let process = process::look(pid)?.map(|process| Owner {
        zombie: process.zombie,
        began: others::began(&process, &now),
        comm: process.comm,
    });
    Ok(PidFile::Pid { pid, written: written(&meta)?, process })
}

fn matching(pattern: &str, user: Option<&str>) -> Result<Evidence, String> {
    let regex = Regex::new(pattern).map_err(|error| format!("{pattern:?} is no regular expression: {error}"))?;
    let uid = match user.map(|user| (user, user.parse::<u32>())) {
        None => None,
        Some((_, Ok(uid))) => Some(uid),
        Some((name, Err(_))) => match User::from_name(name) {
            Ok(Some(user)) => Some(user.uid.as_raw()),
            Ok(None) => return Err(format!("there is no user `{name}`")),
            Err(error) => return Err(format!("user `{name}` cannot be looked up: {error}")),
        },
    };
    let found = others::matching(|line| regex.is_match(line), uid)
        .map_err(|error| format!("the process table cannot be read: {error}"))?;
    Ok(Evidence::Processes(found.into_iter().map(|(pid, line)| Found { pid, line }).collect()))
}
