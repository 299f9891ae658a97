//! Running a program for a sink or a secret: input given, output kept in part, time limited.
//!
//! It runs in a process group of its own; when its time is up the whole group is killed.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::model::delivery::Outcome;
use crate::model::units::human_duration;
use crate::os::clock;
use crate::os::desktop::Account;
use crate::view::words::{cut, strip_control};

/// Bytes of each output stream that are kept.
const KEEP: usize = 4096;
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(10);
/// How long output is waited for after the end: a child left behind may hold the pipe open.
const DRY: Duration = Duration::from_millis(200);

/// Characters of a program's output that an error repeats.
const SAID: usize = 300;

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended; `None`: it was killed at the limit.
    pub(crate) status: Option<ExitStatus>,
    /// The beginning of its standard output.
    pub(crate) stdout: String,
    /// The beginning of its standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// What is wrong, with the program's own words; `None`: it ended with 0.
    pub(crate) fn failure(&self, argv: &[String], limit: Duration) -> Option<String> {
        let name = argv.first().map_or("", String::as_str);
        let Some(status) = self.status else {
            return Some(format!("`{name}` took longer than {} and was killed", human_duration(limit)));
        };
        let said = said(if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr });
        let said = if said.is_empty() { said } else { format!(": {said}") };
        (!status.success()).then(|| format!("`{name}` ended with {status}{said}"))
    }
}

/// Output as one short line.
pub(crate) fn said(text: &str) -> String {
    cut(&strip_control(&text.trim().replace('\n', " | ")), SAID)
}

/// Runs `argv` for a sink, as [`run`]; that it cannot be run is an outcome.
pub(super) fn run_for_sink(
    argv: &[String],
    environment: &[(&'static str, String)],
    input: &str,
    limit: Duration,
) -> Result<Ran, Outcome> {
    let name = argv.first().map_or("", String::as_str);
    run(argv, environment, input, limit).map_err(|error| Outcome::failed(format!("cannot run `{name}`: {error}")))
}

/// Runs `argv` with `input` on standard input.
///
/// # Errors
/// It cannot be started or waited for; `argv` is empty.
pub(crate) fn run(
    argv: &[String],
    environment: &[(&'static str, String)],
    input: &str,
    limit: Duration,
) -> io::Result<Ran> {
    finish(command(argv, environment)?, input, limit)
}

/// Runs `argv` as another user, with this environment and no other.
///
/// # Errors
/// As [`run`]; or we may not become that user.
pub(super) fn run_as(
    account: Account,
    argv: &[String],
    environment: &[(&'static str, String)],
    limit: Duration,
) -> io::Result<Ran> {
    let mut command = command(argv, &[])?;
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    // Root's further groups go with the user id.
    command.uid(account.uid).gid(account.gid).current_dir("/");
    finish(command, "", limit)
}

fn command(argv: &[String], environment: &[(&'static str, String)]) -> io::Result<Command> {
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn finish(mut command: Command, input: &str, limit: Duration) -> io::Result<Ran> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let streams = match attach(&mut child, input) {
        Ok(streams) => streams,
        Err(error) => {
            kill(&mut child)?;
            return Err(error);
        }
    };
    let status = wait(&mut child, limit)?;
    let [stdout, stderr] = streams.map(|kept| kept.recv_timeout(DRY).unwrap_or_default());
    Ok(Ran { status, stdout, stderr })
}

/// Feeds its input and keeps its output, in threads: a program that does not read, or writes for
/// ever, must not block us.
fn attach(child: &mut Child, input: &str) -> io::Result<[Receiver<String>; 2]> {
    let missing = || io::Error::other("a pipe is missing");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let input = input.to_owned();
    // That it does not read its input is no error.
    thread::Builder::new().spawn(move || drop(stdin.write_all(input.as_bytes())))?;
    Ok([keep(child.stdout.take().ok_or_else(missing)?)?, keep(child.stderr.take().ok_or_else(missing)?)?])
}

/// Reads to the end and keeps the beginning.
fn keep(mut stream: impl Read + Send + 'static) -> io::Result<Receiver<String>> {
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let room = KEEP.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
        drop(tell.send(String::from_utf8_lossy(&kept).into_owned()));
    })?;
    Ok(told)
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let begun = clock::boot_ms()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let spent = clock::boot_ms()?.saturating_sub(begun);
        if Duration::from_millis(spent) >= limit {
            kill(child)?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Kills the whole group. It is not waited for yet, so that the pid is still its own.
fn kill(child: &mut Child) -> io::Result<()> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    if killpg(Pid::from_raw(pid), Signal::SIGKILL).is_err() {
        child.kill()?;
    }
    child.wait().map(drop)
}
