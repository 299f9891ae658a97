//! Programs of agents: one that hands a text over and ends, and the agent itself, begun anew on its session.
//!
//! They are found, and run, with what the session was begun with: cron's surroundings have neither the program nor the key to its
//! model. A resumed agent is begun out of our own life, for a pass does not wait for a model; what is waited for is whether
//! it comes up, since one whose session is gone, or at work elsewhere, says so within moments.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::program;
use crate::model::wake::Wake;
use crate::os::background::{self, Rank};
use crate::os::children::SHIM_NAME;
use crate::os::descriptor;

/// How long an agent is looked at before it is believed to work.
const COMES_UP: Duration = Duration::from_secs(5);
/// Begins the agent where it worked, and says with which code it ended. It bears the name of a shim, so that what stands below it counts to
/// no run: the pass that began it may be one of a shim, to which orphans come. Descriptor 3 tells whoever began it that it stands apart.
const SCRIPT: &str = "printf %s \"$1\" 2>/dev/null >\"/proc/$$/comm\"; exec 3>&-; cd \"$2\" && shift 2 && \"$@\" </dev/null; echo \"$?\" >&0";

/// Runs the program of `wake` with `words`, up to its end.
///
/// # Errors
/// It is not found, cannot be run, fails or takes too long; in a sentence.
pub(super) fn ran(wake: &Wake, words: &[String], limit: Duration) -> Result<(), String> {
    let argv = [found(wake)?, words.to_vec()].concat();
    let (name, arguments) = argv.split_first().ok_or("no program is named")?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs(environment(wake));
    let ran = program::finish(command, "", limit).map_err(|error| format!("cannot run `{name}`: {error}"))?;
    ran.failure(&argv, limit).map_or(Ok(()), Err)
}

/// Begins the program of `wake` with `words` in the directory of its session. It is left alone once it has lived for a while, or ended well.
///
/// # Errors
/// It is not found, cannot be begun, or has failed by then; in a sentence.
pub(super) fn resume(wake: &Wake, words: &[String], limit: Duration) -> Result<(), String> {
    let argv = [found(wake)?, words.to_vec()].concat();
    let name = argv.first().cloned().unwrap_or_default();
    let cwd = wake.cwd.as_deref().unwrap_or("/");
    if !Path::new(cwd).is_dir() {
        return Err(format!("its directory `{cwd}` is gone"));
    }
    let fails = |error: io::Error| format!("cannot run `{name}`: {error}");
    match begin(wake, &argv, cwd).and_then(|end| code_of(end, limit.min(COMES_UP))).map_err(fails)? {
        None => Ok(()),
        Some(code) if code.trim() == "0" => Ok(()),
        Some(code) if code.trim().is_empty() => Err(format!("`{name}` was killed as soon as it ran")),
        Some(code) => Err(format!("`{name}` ended at once with code {}", code.trim())),
    }
}

/// Where the code with which it ended can be read.
fn begin(wake: &Wake, argv: &[String], cwd: &str) -> io::Result<File> {
    let shim = SHIM_NAME.to_string_lossy();
    let shell = ["/bin/sh", "-c", SCRIPT, "sh", &shim, cwd];
    let text = |text: &str| CString::new(text).map_err(io::Error::other);
    let argv = shell.into_iter().chain(argv.iter().map(String::as_str)).map(text).collect::<io::Result<Vec<_>>>()?;
    let pair = |(name, value): (OsString, OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).map_err(io::Error::other)
    };
    let pairs = environment(wake).into_iter().map(pair).collect::<io::Result<Vec<_>>>()?;
    let (end, told) = descriptor::pipe()?;
    background::start(c"/bin/sh", &argv, &pairs, &told, Rank::Equal)?;
    Ok(end)
}

/// What it said of its end; `None`: it has not ended by then.
fn code_of(mut end: File, limit: Duration) -> io::Result<Option<String>> {
    let timeout = PollTimeout::try_from(limit).map_err(io::Error::other)?;
    let mut polled = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
    match poll(&mut polled, timeout) {
        Ok(0) | Err(Errno::EINTR) => return Ok(None),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut code = String::new();
    end.read_to_string(&mut code)?;
    Ok(Some(code))
}

/// What its session was begun with; of a sink of the registry, what we were begun with.
fn environment(wake: &Wake) -> Vec<(OsString, OsString)> {
    if wake.environment.is_empty() {
        return env::vars_os().collect();
    }
    wake.environment.iter().map(|(name, value)| (name.into(), value.expose().into())).collect()
}

/// Its program as it is executed: that which lies on the `PATH` now, else the very one that its session executed.
fn found(wake: &Wake) -> Result<Vec<String>, String> {
    let (name, first) = wake.program.split_first().ok_or("no program is named")?;
    let executed = wake.executed.iter().all(|word| !word.starts_with('/') || Path::new(word).is_file());
    if name.contains('/') {
        return Ok(wake.program.clone());
    }
    let environment = environment(wake);
    let path = environment.iter().find(|(name, _)| name == "PATH").map_or(OsStr::new(""), |(_, path)| path);
    let lies = env::split_paths(path).map(|dir| dir.join(name)).find(|file| file.is_file());
    match lies.map(|file| file.into_os_string().into_vec()).map(String::from_utf8) {
        Some(Ok(file)) => Ok([vec![file], first.to_vec()].concat()),
        Some(Err(_)) | None if executed && !wake.executed.is_empty() => Ok(wake.executed.clone()),
        Some(Err(_)) | None => Err(format!("there is no program `{name}` in the PATH of whoever started the process")),
    }
}
