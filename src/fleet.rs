//! Asks other hosts for `status --json`, by ssh: many at once, each for a limited time.
//!
//! ssh does all that is about hosts, keys and trust, as its own configuration says; it never asks anybody anything. A host that
//! does not answer costs its time and nothing else.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::model::units::human_duration;
use crate::os::clock;
use crate::policy::fleet::{Answer, judge};
use crate::view::fleet::Host;

/// Hosts that are asked at once.
const AT_ONCE: usize = 16;
/// Bytes of an answer: a thousand processes take one or two millions.
const LONGEST: u64 = 32 << 20;
/// Bytes of complaints.
const COMPLAINTS: u64 = 4096;
/// How often an end is looked for, once all was said.
const LOOK: Duration = Duration::from_millis(5);

/// Asks all `hosts`, with `limit` for each; in their order. `guardian`: what it is called there, quoted for a shell.
///
/// # Errors
/// A clock cannot be read.
pub fn ask(hosts: &[String], guardian: &str, limit: Duration) -> io::Result<Vec<Host>> {
    let next = AtomicUsize::new(0);
    let worker = || -> io::Result<Vec<(usize, Host)>> {
        let mut done = Vec::new();
        while let Some((nth, name)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|nth| Some((nth, hosts.get(nth)?)))
        {
            let began = clock::boot_ms()?;
            let answer = one(name, guardian, began, limit)?;
            let took_ms = clock::boot_ms()?.saturating_sub(began);
            let heard = judge(answer, &human_duration(limit));
            done.push((nth, Host { name: name.clone(), heard, took_ms }));
        }
        Ok(done)
    };
    let mut all = thread::scope(|scope| -> io::Result<Vec<(usize, Host)>> {
        let workers: Vec<_> = (0..hosts.len().min(AT_ONCE)).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::with_capacity(hosts.len());
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })?;
    all.sort_by_key(|(nth, _)| *nth);
    Ok(all.into_iter().map(|(_, host)| host).collect())
}

/// One host; `began` is when it was its turn.
fn one(host: &str, guardian: &str, began: u64, limit: Duration) -> io::Result<Answer> {
    let seconds = limit.as_secs().max(1); // ssh counts whole ones
    let mut command = Command::new("ssh");
    command.args(["-o", "BatchMode=yes", "-o", &format!("ConnectTimeout={seconds}"), "--", host]);
    command.arg(format!("{guardian} status --json"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Answer::Unasked(format!("cannot run `ssh`: {error}"))),
    };
    let answer = listen(&mut child, began, limit);
    if !matches!(answer, Ok(Answer::Ended { .. })) {
        kill(&mut child)?;
    }
    answer
}

fn listen(child: &mut Child, began: u64, limit: Duration) -> io::Result<Answer> {
    let left = || -> io::Result<Duration> {
        Ok(limit.saturating_sub(Duration::from_millis(clock::boot_ms()?.saturating_sub(began))))
    };
    let missing = || io::Error::other("a pipe is missing");
    let stdout = gather(child.stdout.take().ok_or_else(missing)?, LONGEST)?;
    let stderr = gather(child.stderr.take().ok_or_else(missing)?, COMPLAINTS)?;
    let Ok((stdout, whole)) = stdout.recv_timeout(left()?) else { return Ok(Answer::Silent) };
    if !whole {
        return Ok(Answer::Endless);
    }
    // What its children still hold open is not waited for once it has ended.
    let status = loop {
        match (child.try_wait()?, left()?) {
            (Some(status), _) => break status,
            (None, Duration::ZERO) => return Ok(Answer::Silent),
            (None, _) => thread::sleep(LOOK),
        }
    };
    let (stderr, _) = stderr.recv_timeout(left()?.min(Duration::from_secs(1))).unwrap_or_default();
    Ok(Answer::Ended { code: status.code(), stdout, stderr })
}

/// Reads at most `most` bytes to the end, in a thread; says whether that was all.
fn gather(stream: impl Read + Send + 'static, most: u64) -> io::Result<Receiver<(String, bool)>> {
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let whole = stream.take(most).read_to_end(&mut bytes).is_ok_and(|count| (count as u64) < most);
        drop(tell.send((String::from_utf8_lossy(&bytes).into_owned(), whole))); // nobody waits any more: it took too long
    })?;
    Ok(told)
}

/// Ends it with all that it started, such as a proxy. It is not waited for yet, so that the pid is still its own.
fn kill(child: &mut Child) -> io::Result<()> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    if killpg(Pid::from_raw(pid), Signal::SIGKILL).is_err() {
        child.kill()?;
    }
    child.wait().map(drop)
}
