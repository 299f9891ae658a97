//! Runs a line for the shell, or a program, within a time: a probe or the action of a watch.
//!
//! In a group of its own, which is killed as a whole when its time is up. It is given up on, not waited for, where even
//! that does not end it, so that no program can stall a pass.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal as Kill, killpg};
use nix::unistd::Pid;

use crate::model::signal::Signal;
use crate::model::units::format_duration;
use crate::os::clock;
use crate::policy::watch_judge::Ran;
use crate::store::checksum;
use crate::view::words::strip_control;

/// Bytes of each stream that are kept.
const KEEP: usize = 8 << 20;
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// How long the end of its output is waited for after its own: what it left behind may hold the pipe open.
const DRY: Duration = Duration::from_millis(300);
/// How long the end is waited for after the kill.
const KILLED: Duration = Duration::from_secs(1);
/// Longest line that is repeated, in characters.
const WIDTH: usize = 200;

/// What a stream held.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    total: u64,
}

/// A stream that is read in a thread, so that a program that writes for ever blocks nobody.
struct Stream {
    kept: Arc<Mutex<Kept>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> io::Result<Self> {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let ours = Arc::clone(&kept);
        let reader = thread::Builder::new().spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEEP.saturating_sub(kept.bytes.len()).min(count);
                kept.bytes.extend_from_slice(&buffer[..room]);
                kept.total += count as u64;
            }
        })?;
        Ok(Self { kept, reader })
    }

    fn take(&self) -> Kept {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs `line` by `/bin/sh`.
///
/// # Errors
/// The shell cannot be started.
pub(super) fn shell(line: &str, variables: &[(&str, &str)], limit: Duration) -> io::Result<Ran> {
    run(Command::new("/bin/sh").arg("-c").arg(line), variables, limit)
}

/// Runs a program.
///
/// # Errors
/// It cannot be started.
pub(super) fn run(command: &mut Command, variables: &[(&str, &str)], limit: Duration) -> io::Result<Ran> {
    let mut child = command
        .envs(variables.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let missing = || io::Error::other("a pipe is missing");
    let streams = child.stdout.take().ok_or_else(missing).and_then(Stream::of).and_then(|stdout| {
        let stderr = child.stderr.take().ok_or_else(missing).and_then(Stream::of)?;
        Ok((stdout, stderr))
    });
    let (stdout, stderr) = match streams {
        Ok(streams) => streams,
        Err(error) => {
            kill(&mut child)?;
            return Err(error);
        }
    };
    let status = wait(&mut child, limit)?;
    let timed_out = status.is_none();
    if timed_out {
        kill(&mut child)?;
    }
    let open = || !stdout.reader.is_finished() || !stderr.reader.is_finished();
    let begun = clock::boot_ms()?;
    while open() && clock::boot_ms()?.saturating_sub(begun) < u64::try_from(DRY.as_millis()).unwrap_or(0) {
        thread::sleep(LOOK);
    }
    Ok(told(status, limit, &stdout.take(), &stderr.take()))
}

fn told(status: Option<ExitStatus>, limit: Duration, stdout: &Kept, stderr: &Kept) -> Ran {
    let output = String::from_utf8_lossy(&stdout.bytes).into_owned();
    let last = |text: &str| {
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).map(strip_control);
        line.map(|line| line.trim().chars().take(WIDTH).collect::<String>())
    };
    let last_line = last(&String::from_utf8_lossy(&stderr.bytes)).or_else(|| last(&output)).unwrap_or_default();
    let how = match status.map(|status| (status.code(), status.signal())) {
        None => format!("gave no answer within {}", format_duration(limit)),
        Some((Some(code), _)) => format!("exited with {code}"),
        Some((None, Some(signal))) => format!("was ended by {}", Signal(signal)),
        Some((None, None)) => "ended in an unknown way".to_owned(),
    };
    let fingerprint = checksum::of(&stdout.bytes) ^ stdout.total;
    let code = status.and_then(|status| status.code());
    Ran { code, how, timed_out: status.is_none(), fingerprint, output, last_line }
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let begun = clock::boot_ms()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Duration::from_millis(clock::boot_ms()?.saturating_sub(begun)) >= limit {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Kills the whole group. It was not waited for yet, so that the pid is still its own.
fn kill(child: &mut Child) -> io::Result<()> {
    let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    if killpg(group, Kill::SIGKILL).is_err() {
        child.kill()?;
    }
    wait(child, KILLED).map(drop)
}
