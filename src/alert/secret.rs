//! Reading a secret when it is needed: from the registry, a file, the environment or a program.
//!
//! Nothing is kept. A secret that is not there now may be there later, so all failures can be
//! tried again.

use std::env;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program;
use crate::model::sink::{Secret, SecretSource};
use crate::model::units::human_duration;
use crate::store::log::is_a_pipe;
use crate::store::paths::Paths;

/// A program that gives a secret gets no longer than this.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes of a secret file that are read.
const MAX: u64 = 64 * 1024;

/// The first line of the secret, trimmed. `what` names it in errors: `password`, `url`. A program
/// that gives it is killed after `limit`.
///
/// # Errors
/// A sentence that names the source and never the value: it is missing, empty, unreadable, or a
/// file that every user may read.
pub(super) fn read(source: &SecretSource, what: &str, limit: Duration) -> Result<Secret, String> {
    let text = match source {
        SecretSource::Inline(secret) => secret.expose().to_owned(),
        SecretSource::File(path) => read_file(&expand(path), what)?,
        SecretSource::Env(name) => match env::var(name) {
            Ok(value) => value,
            Err(env::VarError::NotPresent) => {
                return Err(format!("{what}: environment variable `{name}` is not set where guardian runs"));
            }
            Err(env::VarError::NotUnicode(_)) => {
                return Err(format!("{what}: environment variable `{name}` is not UTF-8"));
            }
        },
        SecretSource::Command(argv) => read_program(argv, what, limit.min(LIMIT))?,
    };
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        Some(_) | None => Err(format!("{what}: its source gives an empty first line")),
    }
}

fn expand(path: &str) -> PathBuf {
    Paths::expand(path, env::var_os("HOME").map(PathBuf::from).as_deref())
}

fn read_file(path: &Path, what: &str) -> Result<String, String> {
    let fail = |why: &dyn std::fmt::Display| format!("{what}: cannot read `{}`: {why}", path.display());
    // A pipe would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(|error| fail(&error))?;
    let found = file.metadata().map_err(|error| fail(&error))?;
    if is_a_pipe(&found) {
        return Err(fail(&"it is a pipe or a socket"));
    }
    let mode = found.mode();
    if mode & 0o007 != 0 {
        let path = path.display();
        return Err(format!("{what}: every user may read or write `{path}`, so it is not used: chmod 600 {path}"));
    }
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text).map_err(|error| fail(&error))?;
    Ok(text)
}

fn read_program(argv: &[String], what: &str, limit: Duration) -> Result<String, String> {
    let name = argv.first().map_or("", String::as_str);
    let ran = program::run(argv, &[], "", limit).map_err(|error| format!("{what}: cannot run `{name}`: {error}"))?;
    match ran.status {
        Some(status) if status.success() => Ok(ran.stdout),
        Some(status) => Err(format!("{what}: `{name}` ended with {status}")), // its output may hold the secret
        None => Err(format!("{what}: `{name}` gave no answer within {}", human_duration(limit))),
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
