//! What a certificate shows, and its bounds with the worst that it can be made from.

use expect_test::expect;

use super::super::certificate_json::{MOST, json};
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::model::ending::{Ancestor, Arrived};
use crate::model::evidence::{Level, SpawnStep};
use crate::model::metadata::{Agent, Asked, CommandLine, FileFact, Git, SCHEMA};
use crate::model::sample::{at, btc_bot};
use crate::model::signal::Signal;

fn end() -> End {
    End {
        status: WaitStatus::Code(0),
        at: at(3),
        user_ms: Some(40),
        system_ms: Some(2),
        max_rss_kib: Some(9000),
        leftover: false,
        left: None,
        log_bytes: None,
        limits: None,
        oom: None,
        memory_peak_bytes: Some(20 << 20),
        core: None,
    }
}

fn metadata() -> Metadata {
    let event = btc_bot().event;
    let caller = event.signals[0].sender.clone().unwrap();
    Metadata {
        schema: SCHEMA,
        name: event.process,
        run: 3,
        at: at(0).wall,
        guardian: "0.2.0".to_owned(),
        host: "h".to_owned(),
        boot: at(0).boot,
        kernel: None,
        uid: 0,
        gid: 0,
        groups: None,
        umask: "22".to_owned(),
        cwd: "/srv".to_owned(),
        command: CommandLine { argv: vec!["bot".to_owned()], sha256: None },
        target: "8h".to_owned(),
        healthy_after_ms: 300_000,
        environment: None,
        rlimits: [("core".to_owned(), [Some(0), None])].into(),
        program: Some(FileFact { path: "/bin/bot".to_owned(), file: None, sha256: None }),
        input: None,
        git: Some(Git { root: "/srv".to_owned(), commit: Some("ab".repeat(20)), branch: None, dirty: None }),
        asked: Some(Asked::Command {
            caller,
            agents: vec![Agent { name: "claude-code".to_owned(), session: Some("f56".to_owned()) }],
        }),
    }
}

fn difference(what: &str, how: &str) -> Difference {
    Difference { what: what.to_owned(), how: how.to_owned(), quotes: false }
}

/// The story of [`btc_bot`], whole.
fn certificate() -> Certificate {
    let event = btc_bot().event;
    Certificate {
        hang: None,
        unseen: None,
        untraced: None,
        name: "btc-bot".to_owned(),
        run: 3,
        verdict: event.verdict,
        cause: event.cause.unwrap(),
        status: Some(WaitStatus::Code(0)),
        signals: event.signals,
        more_signals: 0,
        traced: false,
        stopped_by: None,
        pid: event.pid,
        began: Some(at(0).wall),
        ended: Some(at(3).wall),
        ran: Some(Duration::from_millis(3200)),
        target_s: Some(28_800),
        action: Some(event.action),
        left: None,
        taken_over: Vec::new(),
        adopted: None,
        end: Some(end()),
        placed: Some(Placed { level: Level::Cgroup, cgroup: None, keeps_memory: true, why: None }),
        metadata: Some(metadata()),
        compared: Some(Compared::With { run: 1, found: vec![difference("git commit", "1a → 4d")] }),
        same_as: Some(2),
        alike: None,
        usual: None,
        mend: None,
        tail: vec!["connecting".to_owned(), "shutting down".to_owned()],
        state: "running",
        next_at: None,
        next: "guardian logs btc-bot --run 3".to_owned(),
    }
}

#[test]
fn a_certificate_says_all_that_matters_on_one_screen() {
    expect![[r#"
        btc-bot run 3: premature after 3s of 8h

          cause     exit 0 after SIGTERM from node, pid 99
          signal    SIGTERM at 2026-11-18T11:06:43.000Z from node (pid 99, user 1000), command `node
                    gateway.js`, started by bash 42 < systemd 1
          lived     2026-11-18T11:06:40.000Z to 2026-11-18T11:06:43.000Z, pid 4242
          used      42ms CPU, at most 9000 KiB in one process, 20 MiB in its control group
          place     a control group of its own
          started   by claude-code, session f56: `node gateway.js` from bash 42 < systemd 1
          again     run 2 before it ended in the same way
          differs   git commit 1a → 4d
                    from run 1, which was well
          then      restarted as run 4
          now       running

          last output
            connecting
            shutting down

          next      guardian logs btc-bot --run 3
    "#]]
    .assert_eq(&text(&certificate()));
}

#[test]
fn its_json_has_every_field_and_null_for_what_is_not_known() {
    let known = json(&certificate());
    let nothing = Certificate {
        verdict: None,
        cause: Cause::Unknown { why: "x".to_owned() },
        status: None,
        signals: Vec::new(),
        pid: None,
        began: None,
        ended: None,
        ran: None,
        target_s: None,
        action: None,
        end: None,
        placed: None,
        metadata: None,
        compared: Some(Compared::Unknown { run: 1 }),
        same_as: None,
        tail: Vec::new(),
        ..certificate()
    };
    let unknown = json(&nothing);
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&known), keys(&unknown));
    for key in
        ["verdict", "ran_s", "began_at", "ended_at", "pid", "cpu_s", "max_rss_bytes", "leftover", "differs", "action"]
    {
        assert!(unknown[key].is_null(), "{key}");
        assert!(key == "verdict" || !known[key].is_null(), "{key}");
    }
    assert_eq!(known["started_by"]["agent"], "claude-code");
    assert_eq!((&known["differs"][0], &known["last_good_run"]), (&"git commit 1a → 4d".into(), &1.into()));
}

/// As long and as hostile as each part can be.
fn worst(letter: &str) -> Certificate {
    let long = letter.repeat(20_000);
    let some = letter.repeat(300);
    let ancestor = Ancestor { pid: i32::MAX, comm: some.clone() };
    let sender = Sender {
        pid: i32::MAX,
        uid: Some(u32::MAX),
        comm: Some(some.clone()),
        cmdline: Some(long.clone()),
        parents: vec![ancestor.clone(); 16],
        cgroup: Some(long.clone()),
        guardian: None,
        itself: true,
    };
    let record = SignalRecord {
        signal: Signal(64),
        at: at(3).wall,
        to: Arrived::Shim,
        sender: Some(sender.clone()),
        survived: true,
    };
    let name = "n".repeat(64);
    Certificate {
        name: name.clone(),
        run: u64::MAX,
        cause: Cause::SpawnFailed { errno: i32::MIN, what: long.clone(), step: Some(SpawnStep::Exec) },
        status: Some(WaitStatus::Code(192)),
        signals: vec![record; 64],
        more_signals: u64::MAX - 64,
        stopped_by: Some(sender.clone()),
        pid: Some(i32::MAX),
        ran: Some(Duration::from_millis(u64::MAX)),
        target_s: Some(u64::MAX),
        action: Some(long.clone()),
        left: Some(Left { count: usize::MAX, some: vec![ancestor.clone(); 16] }),
        taken_over: vec![at(2).wall; 40],
        end: Some(End { core: Some(long.clone()), max_rss_kib: Some(u64::MAX / 1024), leftover: true, ..end() }),
        placed: Some(Placed { level: Level::Session, cgroup: None, keeps_memory: false, why: Some(long.clone()) }),
        metadata: Some(Metadata {
            asked: Some(Asked::Command {
                caller: sender,
                agents: vec![Agent { name: some, session: Some("s".repeat(64)) }; 3],
            }),
            ..metadata()
        }),
        compared: Some(Compared::With { run: u64::MAX, found: vec![difference(&long, &long); 40] }),
        same_as: Some(u64::MAX),
        alike: Some(Alike { times: u32::MAX, sentence: long.clone() }),
        usual: Some(Duration::from_millis(u64::MAX)),
        mend: Some(long.clone()),
        tail: vec![long; 20],
        state: "unsupervised",
        next_at: Some(at(9).wall),
        next: format!("guardian logs {name} --run {}, then guardian start {name}", u64::MAX),
        ..certificate()
    }
}

#[test]
fn the_json_stays_below_two_kib_whatever_it_is_made_from() {
    for letter in ["x", "\"", "\\", "x ", "é", "😀", "\u{1b}[31m", "\n", "\u{7f}a"] {
        let bytes = json(&worst(letter)).to_string().len() + 1;
        assert!(bytes <= MOST, "{letter:?}: {bytes}");
    }
    let cut = json(&worst("x"));
    assert!(!cut["signals"][0]["signal"].is_null() && !cut["differs"][0].is_null(), "{cut}");
}

#[test]
fn nothing_is_cut_as_long_as_there_is_room() {
    let why = "no control groups are mounted; systemd does not run this machine, and so on and on and on";
    let placed = Placed { level: Level::Session, cgroup: None, keeps_memory: false, why: Some(why.to_owned()) };
    let text = text(&Certificate { placed: Some(placed), ..certificate() });
    assert!(text.contains("on and on and on"), "{text}");
}

#[test]
fn the_text_stays_on_one_screen_whatever_it_is_made_from() {
    for letter in ["x", "x ", "é", "界", "\u{1b}[31m", "\n"] {
        let text = text(&worst(letter));
        assert!(text.lines().all(|line| line.width() <= COLUMNS), "{letter:?}: {text}");
        assert!(text.lines().count() <= LINES, "{letter:?}: {} lines: {text}", text.lines().count());
        assert!(!text.replace('\n', "").contains(char::is_control), "{letter:?}");
    }
    let busy = Certificate { tail: vec!["line".to_owned(); 20], ..certificate() };
    assert!(text(&busy).lines().count() <= LINES, "{}", text(&busy));
}
