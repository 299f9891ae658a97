//! One question to a program, and its answer: within its time, or not at all.
//!
//! Nothing of it is left when it is over: a line for the shell is ended with all that it started.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::model::ending::WaitStatus;
use crate::model::units::format_duration;
use crate::os::{children, clock, descriptor, user};
use crate::policy::environment::Environment;
use crate::policy::secrets::Mask;
use crate::readiness::look;
use crate::view::words::{cut, strip_control};

/// Between two looks whether a line has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// What is read of the body of an answer, in bytes.
const BODY: u64 = 64 * 1024;
/// What is kept of the output of a line, in bytes.
const OUTPUT: usize = 4096;
/// What is said of the output of a line, in characters.
const SAID: usize = 120;

/// A question.
pub(super) enum Question {
    /// Whether somebody takes a connection.
    Tcp {
        /// Name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// Whether a GET is answered.
    Http {
        /// Of what.
        url: String,
        /// The status wanted; `None`: any from 200 to 399.
        status: Option<u16>,
    },
    /// Whether a file is there.
    File(PathBuf),
    /// Whether a line for the shell succeeds.
    Line {
        /// The line.
        line: String,
        /// The program's working directory.
        cwd: PathBuf,
        /// The program's environment.
        environment: Environment,
        /// As whom it is run; `None`: as guardian itself.
        user: Option<user::Ids>,
    },
}

/// What is said when there is no answer within `limit`.
pub(super) fn silence(limit: Duration) -> String {
    format!("no answer within {}", format_duration(limit))
}

impl Question {
    /// Asks; why not, where the answer is no. Takes about `limit` at most, but for names that cannot be looked up and
    /// files on a disk that does not answer.
    pub(super) fn ask(&self, limit: Duration) -> Result<(), String> {
        match self {
            Self::Tcp { host, port } => tcp(host, *port, limit),
            Self::Http { url, status } => http(url, *status, limit),
            Self::File(path) => match fs::metadata(path) {
                Ok(_) => Ok(()),
                Err(error) => Err(said(&error, limit)),
            },
            Self::Line { line, cwd, environment, user } => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", line]).current_dir(cwd).env_clear().envs(environment);
                user.iter().for_each(|ids| user::run_as(&mut command, ids));
                let pairs: Vec<_> =
                    environment.iter().map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy())).collect();
                let mask = Mask::of(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
                run(command, limit, &mask).unwrap_or_else(|error| Err(said(&error, limit)))
            }
        }
    }
}

/// An error in a few words: `connection refused`.
fn said(error: &io::Error, limit: Duration) -> String {
    if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) {
        return silence(limit);
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    strip_control(text).to_lowercase()
}

/// When a limit is over. A clock that cannot be read leaves no time.
struct Until(Option<u64>);

impl Until {
    fn after(limit: Duration) -> Self {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Self(clock::awake_ms().ok().map(|now| now.saturating_add(limit)))
    }

    fn left(&self) -> Duration {
        let left = self.0.zip(clock::awake_ms().ok()).map(|(end, now)| end.saturating_sub(now));
        Duration::from_millis(left.unwrap_or(0))
    }
}

fn tcp(host: &str, port: u16, limit: Duration) -> Result<(), String> {
    let until = Until::after(limit);
    let addresses = (host, port).to_socket_addrs().map_err(|error| said(&error, limit))?;
    let mut why = format!("`{host}` has no address");
    for address in addresses {
        let left = until.left();
        if left.is_zero() {
            return Err(silence(limit));
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(()),
            Err(error) => why = said(&error, limit),
        }
    }
    Err(why)
}

fn http(url: &str, status: Option<u16>, limit: Duration) -> Result<(), String> {
    let failed = |error: ureq::Error| {
        if matches!(error, ureq::Error::Timeout(_)) {
            return silence(limit);
        }
        said(&error.into_io(), limit)
    };
    let answer = look::agent(limit, limit).get(url).call().map_err(failed)?;
    let given = answer.status().as_u16();
    if !status.map_or((200..400).contains(&given), |wanted| wanted == given) {
        return Err(format!("status {given}"));
    }
    // One who answers drop by drop has not answered.
    let mut body = answer.into_body().into_reader().take(BODY);
    match io::copy(&mut body, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(ureq::Error::from(error))),
    }
}

/// Runs a line; its group is ended with it, whoever holds its output open.
fn run(mut command: Command, limit: Duration, mask: &Mask) -> io::Result<Result<(), String>> {
    let (mut output, write) = descriptor::pipe()?;
    descriptor::set_nonblocking(&output)?;
    let errors = write.try_clone()?;
    command.stdin(Stdio::null()).stdout(write).stderr(errors).process_group(0);
    let until = Until::after(limit);
    let mut child = command.spawn()?;
    drop(command); // with it our own ends of the pipe
    let mut last = Vec::new();
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let ended = loop {
        read(&mut output, &mut last);
        if let Some(status) = children::has_ended(pid) {
            break Some(status);
        }
        if until.left().is_zero() {
            break None;
        }
        std::thread::sleep(PAUSE);
    };
    end(&mut child, pid)?;
    read(&mut output, &mut last);
    Ok(match ended {
        Some(WaitStatus::Code(0)) => Ok(()),
        Some(WaitStatus::Code(code)) => Err(with_output(format!("exit code {code}"), &last, mask)),
        Some(WaitStatus::Signal(signal, _)) => Err(with_output(format!("{signal}"), &last, mask)),
        None => Err(silence(limit)),
    })
}

/// It has not been waited for: its group is still its own.
fn end(child: &mut Child, pid: i32) -> io::Result<()> {
    if killpg(Pid::from_raw(pid), Signal::SIGKILL).is_err() {
        child.kill()?;
    }
    child.wait().map(drop)
}

/// What has come of the output; its last bytes are kept.
fn read(output: &mut File, last: &mut Vec<u8>) {
    let mut bytes = [0; OUTPUT];
    // As much as a pipe holds: one that is written to without end is left at that until the next look.
    for _ in 0..16 {
        match output.read(&mut bytes) {
            Ok(length @ 1..) => last.extend(bytes.get(..length).unwrap_or(&[])), // no more than there is room for
            Ok(0) | Err(_) => break,
        }
        last.drain(..last.len().saturating_sub(OUTPUT));
    }
}

fn with_output(what: String, output: &[u8], mask: &Mask) -> String {
    let text = String::from_utf8_lossy(output);
    match text.lines().rev().map(strip_control).find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{what}: {}", cut(mask.text(&line).trim(), SAID)),
        None => what,
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
