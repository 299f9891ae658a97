//! What guardian said of the end of the first run, as the cells of the table; and whether that is what it must say.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use super::row::{Program, Row, Then};
use super::scene::{Scene, compiled};
use crate::home::number;

/// The cells of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) cause: String,
    pub(super) verdict: String,
    pub(super) signals: Vec<String>,
    pub(super) then: String,
    pub(super) told: bool,
    /// How often the program was started; `None`: nobody counts.
    pub(super) starts: Option<usize>,
    /// Why a sender is not known. Not a cell: it excuses a signal that is missing.
    pub(super) unseen: Option<String>,
}

/// Whether the kernel dumps cores where these programs run; it says so of one that nobody guards.
fn dumps_cores() -> bool {
    static DUMPS: OnceLock<bool> = OnceLock::new();
    *DUMPS.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut die = Command::new(&compiled().0);
        die.args(["signal", "segv", "core"]).current_dir(dir.path()).stderr(Stdio::null());
        let pid = Pid::from_raw(i32::try_from(die.spawn().unwrap().id()).unwrap());
        matches!(waitpid(pid, None), Ok(WaitStatus::Signaled(_, _, true)))
    })
}

/// Whether the kernel keeps a record of signals here, which root may read.
fn kernel_records() -> bool {
    ["/sys/kernel/tracing/instances", "/sys/kernel/debug/tracing/instances"].iter().any(|dir| fs::exists(dir).unwrap())
}

impl Seen {
    /// Where the kernel keeps no record of signals, or that has a gap and this is said, fewer of them are known; none may be
    /// invented.
    pub(super) fn excused(self, wanted: &Self) -> Self {
        let gap = self.unseen.as_deref().is_some_and(|why| ["gap", "off"].contains(&why));
        let fewer = (gap || !kernel_records()) && self.signals.iter().all(|signal| wanted.signals.contains(signal));
        if fewer { Self { signals: wanted.signals.clone(), ..self } } else { self }
    }
}

impl Row {
    /// The cells that the table promises.
    pub(super) fn wanted(&self) -> Seen {
        let want = self.want;
        let counted = !matches!(self.program, Program::Bare(_));
        let never = want.cause.starts_with("preflight_failed");
        let starts = if want.then == Then::Restarted { 2 } else { usize::from(!never) };
        Seen {
            cause: want.cause.to_owned(),
            verdict: want.verdict.to_owned(),
            signals: want.signals.iter().map(|signal| (*signal).to_owned()).collect(),
            then: want.then.cell().to_owned(),
            told: want.told,
            starts: counted.then_some(starts),
            unseen: None,
        }
    }

    /// The same on this machine.
    pub(super) fn wanted_here(&self) -> Seen {
        let mut wanted = self.wanted();
        if !dumps_cores() {
            wanted.cause = wanted.cause.replace(", core", "");
        }
        wanted
    }
}

/// A cause as a cell.
pub(super) fn cause(cause: &Value) -> String {
    let kind = cause["kind"].as_str().unwrap();
    let more = match kind {
        "exited" => cause["code"].to_string(),
        "signaled" => {
            let core = if cause["core_dumped"] == true { ", core" } else { "" };
            format!("{}{core}", cause["signal"].as_str().unwrap())
        }
        "spawn_failed" => format!("{:?}", Errno::from_raw(number(&cause["errno"]))),
        "cpu_limit" => format!("{} s", cause["limit_s"]),
        "file_size_limit" => format!("{} bytes", cause["limit_bytes"]),
        "preflight_failed" => cause["code"].as_i64().map(|code| code.to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{kind} {more}").trim_end().to_owned()
}

fn signal(scene: &Scene, event: &Value) -> String {
    let record = &event["signals"][0];
    let sender = &record["sender"];
    let mut cell = format!("{} from ", record["signal"].as_str().unwrap());
    if sender.is_null() {
        cell.push_str("the kernel");
    } else if sender["itself"] == true {
        cell.push_str("itself");
    } else if sender["pid"] == std::process::id() {
        cell.push_str("the test");
    } else {
        let comm = sender["comm"].as_str().unwrap_or("somebody who was gone");
        cell.push_str(comm);
        if comm == "murderer" && !scene.sent(number(&sender["pid"])) {
            cell.push_str(", an impostor");
        }
        if sender["uid"].as_u64().is_some_and(|uid| uid > 0) {
            cell.push_str(", another user");
        }
    }
    if record["to"] == "shim" {
        cell.push_str(", to the shim");
    }
    cell
}

/// What `why`, `events`, `status` and the sink say.
pub(super) fn see(scene: &Scene) -> Seen {
    let output = scene.run(&["why", scene.name(), "--run", "1", "--json"]);
    let why: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("why: {error}: {output:?}"));
    let events = scene.events(&["signal"]);
    assert_eq!(
        usize::try_from(number(&why["signals_seen"])).unwrap(),
        events.len(),
        "`why` and `events` differ: {why}"
    );
    let mut signals: Vec<String> = events.iter().map(|event| signal(scene, event)).collect();
    if let Some(by) = why["stopped_by"]["comm"].as_str() {
        signals.push(format!("asked by {by}"));
    }
    let heard: Vec<Value> = scene.home.told().into_iter().filter(|told| told["run"] == 1).collect();
    for told in heard.iter().filter(|told| !told["cause"].is_null()) {
        assert_eq!(told["cause"], why["cause"], "the sink was told of another cause");
    }
    let status = scene.status();
    if status["last_exit"]["run"] == 1 {
        assert_eq!(status["last_exit"]["cause"], why["cause"], "`status` and `why` differ");
    }
    let state = status["state"].as_str().unwrap();
    let starts = scene.starts().len();
    let then = match state {
        "running" if number(&status["run"]) > 1 => Then::Restarted.cell().to_owned(),
        _ => [Then::Waiting, Then::Completed, Then::Stopped, Then::Dead, Then::Tripped]
            .into_iter()
            .find(|then| then.state() == state)
            .map_or_else(|| format!("is {state}"), |then| then.cell().to_owned()),
    };
    Seen {
        cause: cause(&why["cause"]),
        verdict: why["verdict"].as_str().unwrap().to_owned(),
        signals,
        then,
        told: !heard.is_empty(),
        starts: (!matches!(scene.row.program, Program::Bare(_))).then_some(starts),
        unseen: why["sender_unknown"].as_str().map(str::to_owned),
    }
}

/// What differs, a line each; empty: nothing.
pub(super) fn differences(wanted: &Seen, seen: &Seen) -> Vec<String> {
    let cells = |seen: &Seen| {
        [
            ("cause", seen.cause.clone()),
            ("verdict", seen.verdict.clone()),
            ("signals", seen.signals.join("; ")),
            ("restarted", seen.then.clone()),
            ("told", seen.told.to_string()),
            ("starts", format!("{:?}", seen.starts)),
        ]
    };
    let both = cells(wanted).into_iter().zip(cells(seen));
    both.filter(|(wanted, seen)| wanted != seen)
        .map(|((cell, wanted), (_, is))| format!("{cell}: must be `{wanted}`, is `{is}` (unseen: {:?})", seen.unseen))
        .collect()
}
