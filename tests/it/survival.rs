//! The ways in which agents clean up after themselves, re-enacted: what guardian started goes on, and what was put into the
//! background by hand does not. Needs no agent.
//!
//! A shell plays the agent: a session of its own in which guardian starts two processes, and beside them a plain background
//! launch. Then it is attacked, as it was seen with the real programs. The plain one must die (or keep the
//! caller waiting), so that an attack which does nothing fails the test.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgrp};

use crate::home::{Home, PYTHON};
use crate::procs::{PATIENCE, alive, carrying, descendants, group, parent, session, signal, until};

/// How an agent ends what it thinks is its own.
#[derive(Debug, Clone, Copy)]
enum Killer {
    /// `kill(-pgid)`: Codex at the end of every call, Copilot and OpenClaw at theirs.
    Group,
    /// Every process of the session.
    Session,
    /// Whatever descends from it, and the group of each: Claude Code.
    Walk,
    /// The same, and again after what was orphaned has found its new parent.
    WalkTwice,
    /// The terminal goes: a closed tab, a lost connection.
    Terminal,
    /// Whoever carries the job's marks in its environment: Jenkins, GitHub's runner.
    Cookie,
}

/// What each agent, and each build server, marks its children with; the value is the test's own.
const COOKIES: [&str; 14] = [
    "BUILD_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "RUNNER_TRACKING_ID",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PID",
    "CODEX_THREAD_ID",
    "CODEX_SESSION_ID",
    "GEMINI_SESSION_ID",
    "COPILOT_AGENT_SESSION_ID",
    "OPENCODE_PID",
    "OPENCLAW_SESSION_ID",
    "OPENCLAW_SHELL",
    "CURSOR_TRACE_ID",
];

/// The bot: says that it lives, again and again, until it is killed.
const BOT: &str = "while :; do echo beat; sleep 0.05; done";

/// An agent at work.
struct Agent {
    home: Home,
    child: Child,
    /// The shell that made the calls.
    shell: i32,
}

impl Agent {
    /// Has guardian start two bots, `plain` a third one, and stays.
    fn at_work(killer: Killer, plain: &str) -> Self {
        let home = marked_home();
        home.ok(&["register", "bot", "--", BOT]);
        let script = calls(&home, plain, "touch ready; sleep 1000");
        Self::plays(home, killer, &script, "ready")
    }

    /// Plays `script` until the file `ready` is there.
    fn plays(home: Home, killer: Killer, script: &Path, ready: &str) -> Self {
        let mut command = match killer {
            Killer::Terminal => terminal(&home, script),
            Killer::Group | Killer::Session | Killer::Walk | Killer::WalkTwice | Killer::Cookie => {
                let mut command = home.other_command(Path::new("setsid"));
                command.arg("/bin/sh").arg(script);
                command
            }
        };
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the agent has made its calls", || home.path(ready).exists());
        let shell = home.lines("shell")[0].parse().unwrap();
        Self { home, child, shell }
    }

    /// What the agent does to what it thinks is its own.
    fn attacked_by(&mut self, killer: Killer) {
        match killer {
            Killer::Group => kill_group(group(self.shell)),
            Killer::Session => {
                let own = session(self.shell);
                kill(&crate::procs::all().into_iter().filter(|pid| is_in(*pid, own)).collect::<Vec<_>>());
            }
            Killer::Walk => kill_tree(&[self.shell, self.child.id().cast_signed()]),
            Killer::WalkTwice => {
                let first = descendants(self.shell);
                let beats = self.beats();
                until("time goes by", || self.beats() > beats + 5);
                let mut all = [first, descendants(self.shell)].concat();
                all.push(self.shell);
                kill_tree(&all);
            }
            Killer::Terminal => signal(self.child.id().cast_signed(), Signal::SIGKILL),
            Killer::Cookie => {
                let token = token(&self.home);
                let marked: Vec<i32> =
                    COOKIES.iter().flat_map(|cookie| carrying(&format!("{cookie}={token}"))).collect();
                assert!(marked.contains(&self.shell));
                kill(&marked);
            }
        }
        self.child.kill().unwrap_or(()); // it may be gone already
        self.child.wait().unwrap();
        until("the agent is gone", || !alive(self.shell));
    }

    fn beats(&self) -> usize {
        fs::read_to_string(self.home.state_dir().join("log/bot.log")).unwrap_or_default().lines().count()
    }
}

/// A value that nothing else on this machine has.
fn token(home: &Home) -> String {
    format!("token-{}", home.root().display())
}

/// Live processes of the plain launch.
fn plain_ones(home: &Home) -> Vec<i32> {
    carrying(&format!("PLAIN={}", home.root().display()))
}

/// A home whose commands carry every mark.
fn marked_home() -> Home {
    let mut home = Home::new();
    for cookie in COOKIES {
        home.set_env(cookie, &token(&home));
    }
    home
}

/// An agent that starts two bots by guardian, then `plain`, then does what `last` says.
fn calls(home: &Home, plain: &str, last: &str) -> PathBuf {
    let guardian = home.program().display();
    let said = "2>>said.err >>said; echo $? >>codes";
    let lines = format!(
        "{guardian} start bot {said}\n{guardian} run --yield 0s --name job -- '{BOT}' {said}\n{}\n{last}",
        in_background(home, plain)
    );
    script(home, &lines)
}

/// A launch by hand that [`plain_ones`] finds.
fn in_background(home: &Home, launch: &str) -> String {
    format!("export PLAIN={}\n{}\nunset PLAIN", home.root().display(), launch.replace("BOT", "sleep 1000"))
}

fn script(home: &Home, lines: &str) -> PathBuf {
    home.script("agent.sh", &format!("#!/bin/sh\necho $$ >shell\n{lines}\n"))
}

/// The agent in a terminal, which ends with the program that emulates it.
fn terminal(home: &Home, script: &Path) -> Command {
    // Whoever runs the tests may ignore a hangup; agents do not.
    let text = "import os, pty, signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\npid, master = pty.fork()\nif pid == 0: os.execv('/bin/sh', ['sh', sys.argv[1]])\nwhile True: os.read(master, 4096)\n";
    let emulator = home.script("terminal.py", text);
    let mut command = home.other_command(Path::new(PYTHON));
    command.arg(emulator).arg(script);
    command
}

fn is_in(pid: i32, own: i32) -> bool {
    alive(pid) && session_of(pid) == Some(own)
}

/// As [`session`], of one that may end meanwhile.
fn session_of(pid: i32) -> Option<i32> {
    nix::unistd::getsid(Some(Pid::from_raw(pid))).ok().map(Pid::as_raw)
}

fn kill(pids: &[i32]) {
    assert!(!pids.contains(&std::process::id().cast_signed()));
    pids.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
}

fn kill_group(pgid: i32) {
    assert!(pgid > 1 && pgid != getpgrp().as_raw(), "the test's own group");
    killpg(Pid::from_raw(pgid), Signal::SIGKILL).unwrap_or(()); // it may be empty by now
}

/// These, what descends from them, and the group of each.
fn kill_tree(tops: &[i32]) {
    let mut tree: Vec<i32> = tops.iter().flat_map(|pid| descendants(*pid)).chain(tops.iter().copied()).collect();
    tree.retain(|pid| alive(*pid));
    let own = getpgrp().as_raw();
    let groups: Vec<i32> = tree.iter().filter_map(|pid| group_of(*pid)).filter(|group| *group != own).collect();
    groups.into_iter().for_each(kill_group);
    kill(&tree);
}

/// As [`group`], of one that may end meanwhile.
fn group_of(pid: i32) -> Option<i32> {
    nix::unistd::getpgid(Some(Pid::from_raw(pid))).ok().map(Pid::as_raw)
}

/// That a process lives on as run 1, under its first shim, which is a child of init, and works.
#[track_caller]
fn lives_on(home: &Home, name: &str, before: (i32, i32), claim: &str) {
    let (bot, shim) = before;
    let status = home.status(name);
    let is = (&status["state"], &status["run"], &status["pid"], &status["shim_pid"]);
    assert_eq!(is, (&"running".into(), &1.into(), &bot.into(), &shim.into()), "{claim}: {status}");
    assert!(alive(bot) && alive(shim), "{claim}");
    assert_eq!((parent(bot), parent(shim)), (shim, 1), "{claim}");
    assert_eq!(home.status(name)["last_exit"], serde_json::Value::Null, "{claim}");
    let log = home.state_dir().join(format!("log/{name}.log"));
    let written = fs::metadata(&log).unwrap().len();
    until("it goes on writing", || fs::metadata(&log).unwrap().len() > written);
}

#[test]
fn what_guardian_started_outlives_every_way_in_which_agents_clean_up_and_what_was_put_into_the_background_does_not() {
    let table = [
        ("the process group is killed", Killer::Group, "nohup BOT >/dev/null 2>&1 </dev/null &"),
        ("all of the session is killed", Killer::Session, "nohup BOT >/dev/null 2>&1 </dev/null &"),
        ("whatever descends is killed", Killer::Walk, "nohup setsid BOT >/dev/null 2>&1 </dev/null &"),
        ("the same, twice", Killer::WalkTwice, "nohup setsid BOT >/dev/null 2>&1 </dev/null &"),
        ("the terminal is closed", Killer::Terminal, "BOT >/dev/null 2>&1 </dev/null &"),
        ("whoever carries a mark is killed", Killer::Cookie, "nohup setsid -f BOT >/dev/null 2>&1 </dev/null"),
    ];
    for (claim, killer, plain) in table {
        let mut agent = Agent::at_work(killer, plain);
        let home = &agent.home;
        assert_eq!(home.lines("codes"), ["0", "0"], "{claim}: {:?}", home.lines("said.err"));
        let before = ["bot", "job"].map(|name| (home.pid(name), home.shim_pid(name)));
        until("the plain one lives", || !plain_ones(&agent.home).is_empty());
        agent.attacked_by(killer);
        until(&format!("{claim}: the plain one dies"), || plain_ones(&agent.home).is_empty());
        lives_on(&agent.home, "bot", before[0], claim);
        lives_on(&agent.home, "job", before[1], claim);
    }
}

#[test]
fn a_job_whose_caller_is_killed_while_it_still_shows_the_output_goes_on() {
    for killer in [Killer::Group, Killer::Session, Killer::Walk, Killer::Terminal, Killer::Cookie] {
        let home = marked_home();
        let line = format!("{} run --yield 1h --name job -- '{BOT}'", home.program().display());
        let (script, pid_file) = (script(&home, &line), home.sentinel("job", "pid"));
        let mut agent = Agent::plays(home, killer, &script, pid_file.to_str().unwrap());
        let before = (agent.home.pid("job"), agent.home.shim_pid("job"));
        agent.attacked_by(killer);
        lives_on(&agent.home, "job", before, &format!("{killer:?}"));
    }
}

#[test]
fn what_ends_with_its_pid_namespace_is_asked_for_instead_and_what_the_pass_outside_makes_of_it_lives() {
    let mut home = Home::new();
    home.set_env("GUARDIAN_SPOOL", home.path("spool").to_str().unwrap());
    home.ok(&["register", "bot", "--", BOT]);
    home.ok(&["healthcheck"]); // so it is known where passes run
    let calls = calls(&home, "nohup setsid -f BOT >/dev/null 2>&1 </dev/null", "touch ready; sleep 1000");
    let mut command = home.other_command(Path::new("unshare"));
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh"]).arg(calls);
    let mut sandbox = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the agent has made its calls", || home.path("ready").exists());
    assert_eq!(home.lines("codes"), ["75", "75"], "{:?}", home.lines("said.err"));
    until("the plain one lives", || !plain_ones(&home).is_empty());
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    until("the plain one dies", || plain_ones(&home).is_empty());
    assert_eq!(home.state("bot"), "new");
    home.run(&["healthcheck"]).expect(0);
    for name in ["bot", "job"] {
        lives_on(&home, name, (home.pid(name), home.shim_pid(name)), "started outside");
    }
}

/// Pipes that a process has open.
fn pipes_of(pid: i32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

#[test]
fn a_caller_that_reads_until_the_end_of_the_output_is_kept_by_a_plain_launch_alone() {
    let table = [
        ("standard output and error", "exec 2>&1", "nohup setsid BOT </dev/null &"),
        ("another descriptor", "exec 2>&1 3>&1", "nohup setsid BOT >/dev/null 2>&1 </dev/null &"),
    ];
    for (claim, first, plain) in table {
        let home = Home::new();
        home.ok(&["register", "bot", "--", BOT]);
        let guardian = home.program().display();
        let plain = in_background(&home, plain);
        let lines = format!(
            "{first}\n{guardian} start bot; echo $? >>codes\n{guardian} run --yield 0s --name job -- '{BOT}'; echo $? >>codes\n{plain}"
        );
        let mut command = home.other_command(Path::new("/bin/sh"));
        let mut agent = command.arg(script(&home, &lines)).stdout(Stdio::piped()).spawn().unwrap();
        drop(command);
        let output = File::from(OwnedFd::from(agent.stdout.take().unwrap()));
        agent.wait().unwrap();
        assert_eq!(home.lines("codes"), ["0", "0"], "{claim}");
        let pipe = fs::read_link(format!("/proc/self/fd/{}", output.as_raw_fd())).unwrap();
        until("the plain one lives", || !plain_ones(&home).is_empty());
        let held_by = |pids: Vec<i32>| pids.into_iter().any(|pid| pipes_of(pid).contains(&pipe));
        assert!(held_by(plain_ones(&home)), "{claim}: it keeps its caller");
        kill(&plain_ones(&home));
        until("the plain one is gone", || plain_ones(&home).is_empty());
        assert!(!held_by(home.processes()), "{claim}");
        assert!(guardian::os::watch::hangs_up(&output, PATIENCE).unwrap(), "{claim}: the output is at its end");
        for name in ["bot", "job"] {
            lives_on(&home, name, (home.pid(name), home.shim_pid(name)), claim);
        }
    }
}

#[test]
fn a_mark_that_nobody_knows_finds_the_program_but_not_its_shim_and_with_a_clean_environment_neither() {
    let mut home = Home::new();
    home.set_env("SOME_REAPERS_COOKIE", &token(&home));
    home.up("bot", &["--backoff", "0s"], BOT);
    home.up("clean", &["--clean-env"], BOT);
    let clean = (home.pid("clean"), home.shim_pid("clean"));
    let bot = home.pid("bot");
    kill(&carrying(&format!("SOME_REAPERS_COOKIE={}", token(&home))));
    until("it is back", || home.status("bot")["run"] == 2 && home.state("bot") == "running");
    assert_ne!(home.pid("bot"), bot);
    assert_eq!(home.status("bot")["last_exit"]["cause"]["signal"], "SIGKILL");
    lives_on(&home, "clean", clean, "nothing of it is inherited");
}
