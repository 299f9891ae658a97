//! The shim: parent of one managed process, one for each of them, for as long as a run lives.
//!
//! It does four things: it forwards and records signals with their sender, waits, records the end
//! durably before it lets go of its lock, and starts passes. It restarts nothing, reads no
//! registry, sends no alert. It is told what to run through an unnamed file, so its command line
//! says nothing that a pattern for the program could match.
//!
//! Once the run is over it stays only while a pass has asked to be started again at some moment
//! (the end of a backoff), so that no restart waits for cron.

mod heard;
mod input;
mod last_look;
mod live;
mod notices;
mod pass;
mod place;
mod preflight;
mod takeover;

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::evidence::{SpawnFailure, SpawnStep};
use crate::model::time::{BootId, Stamp};
use crate::os::cgroup::{self, Entrance, Group, Wanted};
use crate::os::children;
use crate::os::descriptor::{self, Mapping};
use crate::os::program::{self, Program};
use crate::os::spawn::{self, Report};
use crate::os::user::Ids;
use crate::os::{clock, process, signals};
use crate::store::launch::{Follow, Launch};
use crate::store::log;
use crate::store::record::{Durable, Line};

use heard::Heard;
use input::Input;
use last_look::Before;
use live::Live;
use notices::Notices;
use pass::Passes;
use preflight::{Lines, Preflight};

/// The command line of every shim. What it guards stands in no argument.
pub const ARGV0: &str = "guardian-shim";

/// What is done with processes that outlive the main one.
#[derive(Debug, Clone, Copy)]
enum Leftovers {
    /// TERM, and KILL after this grace.
    Kill(Duration),
    /// Nothing.
    Keep,
}

/// Runs as the shim until nothing more is to be done. The exit code says whether it could begin at all.
#[must_use]
pub fn run() -> u8 {
    match begin() {
        Ok(()) => 0,
        // Nobody is there to be told: the report pipe closes unused and the launcher says so.
        Err(_) => 74,
    }
}

/// Signals are waited for, orphans come here.
fn be_a_shim() -> io::Result<()> {
    signals::block_all()?;
    signals::hear_of_children();
    signals::keep_for_wait();
    children::become_shim();
    Ok(())
}

fn begin() -> io::Result<()> {
    be_a_shim()?;
    let launch = descriptor::inherited(spawn::LAUNCH_FD)?;
    let report = descriptor::inherited(spawn::REPORT_FD)?;
    let mut record = descriptor::inherited(spawn::RECORD_FD)?;
    let tree = descriptor::inherited(spawn::TREE_FD)?;
    let boot = clock::boot_id()?;
    let mapping = Mapping::new(&launch)?;
    let told = Launch::decode(mapping.bytes()).ok_or_else(damaged)?;
    let number = |text: &std::ffi::CStr| text.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let deadline = number(told.deadline);
    let mut passes = Passes::new(CString::from(told.exe), told.name, CString::from(told.run));
    let leftovers = number(told.leftover_ms).map_or(Leftovers::Keep, |ms| Leftovers::Kill(Duration::from_millis(ms)));
    let (follow, trace) = (Follow::parse(told.follow), !told.trace.is_empty());
    let wanted = told.place.to_str().ok().and_then(Wanted::decode);
    let wanted = wanted.ok_or_else(damaged)?;
    if !told.orphan.is_empty() {
        cgroup::shelter(&wanted);
        drop(tree);
        passes.alarm(deadline);
        let live = |main| Live::new(main, record, boot, leftovers, Heard::new(main, false)).following(follow, trace);
        return takeover::take_over(&told, report, live, passes);
    }
    if told.argv.is_empty() {
        cgroup::shelter(&wanted);
        drop((report, record, tree));
        children::stop_adopting();
        passes.alarm(deadline);
        return passes.until_done();
    }
    let me = nix::unistd::getpid().as_raw();
    let who = process::identify(me, &boot)?.ok_or_else(|| io::Error::other("this very process cannot be found"))?;
    Line::shim(who, log::end_of_output()).append(&mut record, Durable::No)?;
    let mut report = Some(report);
    let prepared = !told.preflight.is_empty();
    if prepared {
        Line::Preparing { lines: told.preflight.len() }.append(&mut record, Durable::No)?;
        preparing(report.take())?;
    }
    let (place, entrance) = place::find(&wanted, &mut record);
    let input = input::kind(told.input.to_bytes());
    let user = user_of(&told)?;
    let program = as_told(&told, &entrance, user.as_ref());
    let lines = Lines { program: &program, lines: &told.preflight, boot: &boot };
    if prepared && lines.run(&mut record, &mut passes)? == Preflight::Failed {
        place.1.iter().for_each(Group::remove);
        children::stop_adopting();
        drop((record, tree));
        passes.start_last();
        return passes.until_done();
    }
    // Before the program is made, which is to inherit it in its place and nowhere else.
    let reads = Input::inherited(input)?;
    let (notices, watch) = (notices(&told, None), !told.watch.is_empty());
    let mut before = Before::default();
    let meanwhile = || before = Before::now(CString::from(told.cwd));
    let (spawned, group) = place::start(program, &wanted, place, &mut record, &boot, meanwhile);
    drop((told.preflight, told.candidates, told.argv, told.environment, wanted, entrance));
    drop(mapping);
    drop((launch, tree));
    tell(report, &mut record, &boot, &spawned);
    if let Ok((pid, untraced)) = spawned {
        let live = Live::new(pid, record, boot, leftovers, Heard::new(pid, trace && untraced.is_none()));
        let live = live.listening(notices).reading(reads);
        let mut live = live.following(follow, trace).placed(group, before);
        passes.alarm(deadline);
        if watch {
            passes.watch();
        }
        if prepared {
            passes.start(); // nobody has told that it began
        }
        live.until_end(&mut passes)?;
        children::stop_adopting();
        drop(live); // with it the lock: the end is on the disk
    } else {
        children::stop_adopting();
        drop(record);
    }
    passes.start_last();
    passes.until_done()
}

fn damaged() -> io::Error {
    io::Error::other("the launch file is damaged")
}

/// As whom the program runs, where that is another user. What cannot be read is not taken for nobody else.
fn user_of(told: &Launch<&CStr>) -> io::Result<Option<Ids>> {
    (!told.user.is_empty()).then(|| Ids::decode(told.user).ok_or_else(damaged)).transpose()
}

/// The program that a shim is told to run.
fn as_told<'a>(told: &'a Launch<&'a CStr>, entrance: &'a Entrance, user: Option<&'a Ids>) -> Program<'a> {
    let strictest = 0o077;
    let umask = told.umask.to_str().ok().and_then(|text| u32::from_str_radix(text, 8).ok()).unwrap_or(strictest);
    Program {
        cwd: told.cwd,
        candidates: &told.candidates,
        argv: &told.argv,
        environment: &told.environment,
        umask,
        trace: !told.trace.is_empty(),
        entrance,
        input: input::kind(told.input.to_bytes()),
        user,
    }
}

/// Whoever launched waits for nothing slow: what becomes of the start stands in the record.
fn preparing(report: Option<File>) -> io::Result<()> {
    report.map_or(Ok(()), |mut report| report.write_all(&Report::Preparing.encode()))
}

/// The ear for what the program says of itself, where it was given a way to. One that cannot be made hears nothing: the
/// program is not ready in time.
fn notices(told: &Launch<&CStr>, adopted: Option<i32>) -> Option<Notices> {
    let path = |text: &CStr| PathBuf::from(OsStr::from_bytes(text.to_bytes()));
    let bind = || Notices::bind(told.notify.to_bytes(), path(told.heartbeat), path(told.says), adopted).ok();
    if told.notify.is_empty() { None } else { bind() }
}

/// In the child, before it is executed: it writes down who it is, so that it is known even if the shim dies now.
fn introduce(record: &File, boot: &BootId) {
    let line = || -> io::Result<()> {
        let me = nix::unistd::getpid().as_raw();
        let who = process::identify(me, boot)?.ok_or_else(|| io::Error::other("this very process cannot be found"))?;
        let mut record = record.try_clone()?;
        Line::Main { who, at: now(boot)? }.append(&mut record, Durable::No)
    };
    // Without the line the run is still under its locks; `status` shows it as starting.
    drop(line());
}

/// In the child, when it cannot become the program: it writes down why, because the shim may have been killed meanwhile, and
/// the code with which the child ends would pass for the program's.
fn wrecked(record: &File, boot: &BootId, step: SpawnStep, errno: i32) {
    let line = || -> io::Result<()> {
        let mut record = record.try_clone()?;
        failure(boot, step, errno).map_or(Ok(()), |line| line.append(&mut record, Durable::No))
    };
    // The shim writes it as well, if it lives.
    drop(line());
}

/// This moment, in a boot whose id is known already.
fn now(boot: &BootId) -> io::Result<Stamp> {
    Ok(Stamp { wall: clock::wall()?, boot_ms: clock::boot_ms()?, boot: boot.clone() })
}

/// The outcome of the start goes into the record, then to the launcher, who may be gone.
fn tell(report: Option<File>, record: &mut File, boot: &BootId, spawned: &program::Spawned) {
    let (line, outcome) = match *spawned {
        Ok((pid, untraced)) => (untraced.map(|errno| Line::Untraced { errno }), Report::Started { pid, untraced }),
        Err((step, errno)) => (failure(boot, step, errno), Report::Failed { step, errno }),
    };
    if let Some(line) = line {
        // A disk that refuses the line leaves the end of this run unexplained; the launcher is still told.
        drop(line.append(record, Durable::Yes));
    }
    drop(report.map(|mut report| report.write_all(&outcome.encode())));
}

fn failure(boot: &BootId, step: SpawnStep, errno: i32) -> Option<Line> {
    let at = now(boot).ok()?; // without a clock there is no end to record
    Some(Line::SpawnFailed { failure: SpawnFailure { errno, step, at } })
}
