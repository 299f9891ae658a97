//! What the registry says about one process, with defaults filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::never::Never;
use super::probe::Probe;
use super::schedule::{Overlap, Zone};
use super::sink::SecretSource;
use super::window::Window;

/// How the process is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Executed as it is, byte for byte. Never empty; no element holds a NUL.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

impl Command {
    /// The argument vector that is executed.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Argv(argv) => argv.clone(),
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }
}

/// How long a run is meant to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A service: any end is premature.
    Forever,
    /// A job: done when it exits with a success code.
    Exit,
    /// At least this long, within the tolerance.
    For(Duration),
}

/// When an ended run is followed by another without the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// After a verdict of `premature`. The default.
    Premature,
    /// After `premature` or `failed`.
    OnFailure,
    /// After every end but an operator's stop.
    Always,
    /// Not at all.
    Never,
}

/// What happens to processes of a run that outlive its main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leftover {
    /// TERM, then KILL after the grace. The default.
    Kill,
    /// They are left alone, and reported.
    Keep,
}

/// What keeps a run alive when whoever started it is ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The best there is: a control group of its own, else a session of its own. The default.
    Auto,
    /// A control group of its own, or nothing is started.
    Scope,
    /// A session of its own; the control group is the caller's.
    Session,
}

/// Which process is the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// The one that was started. The default.
    Main,
    /// What the one that was started leaves behind when it ends well.
    Fork,
}

/// What the program reads from standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// Nothing: its end at once. The default.
    Null,
    /// What `send` writes.
    Pipe,
}

/// What is done about a hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHang {
    /// The run is ended; what follows is up to `restart`. The default.
    Restart,
    /// The run is ended and not followed by another.
    Kill,
    /// It is told, and nothing is done.
    Alert,
}

/// What happens after a reboot to a process that was desired up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBoot {
    /// It is started, even if policy had given it up before. The default.
    Start,
    /// It is started when it ran, or was due to run, before the reboot.
    Laststate,
    /// It stays down until somebody starts it.
    Never,
}

/// What the end of something that it depends on does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDependencyEnd {
    /// Nothing. The default.
    Ignore,
    /// It is stopped when the other one has ended and does not come back by itself, and started when it is there again.
    Stop,
    /// It is restarted once each time that the other one has come back as another run.
    Restart,
}

/// One entry of the registry, valid, with `[defaults]` and built-in defaults filled in.
///
/// Field names are the registry's keys; their meaning and defaults stand in `registry::keys`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What is started.
    pub command: Command,
    /// How long a run is meant to live.
    pub target: Target,
    /// Share of a duration target that counts as reached, in `(0, 1]`.
    pub tolerance: f64,
    /// End a run at its target, as `completed`.
    pub stop_at_target: bool,
    /// When it is restarted.
    pub restart: Restart,
    /// Working directory, absolute; `~` is already expanded. `None`: the home directory of the user.
    pub cwd: Option<String>,
    /// As which user it runs, by name or number; `None`: as guardian itself.
    pub user: Option<String>,
    /// Variables set last, over everything else.
    pub env: BTreeMap<String, String>,
    /// A file of `NAME=value` lines, read at each start. Absolute.
    pub env_file: Option<String>,
    /// Variables taken from guardian's own environment at each start, over the snapshot.
    pub pass_env: Vec<String>,
    /// True: neither the snapshot of `register` nor guardian's environment is used, but for
    /// `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL` and `LANG`.
    pub clean_env: bool,
    /// Group name, for commands on several processes.
    pub group: Option<String>,
    /// Signal number that asks the process to end.
    pub stop_signal: i32,
    /// From the stop signal to KILL.
    pub grace: Duration,
    /// Exit codes that count as success. Never empty.
    pub success_codes: Vec<i32>,
    /// First delay after an unhealthy run.
    pub backoff: Duration,
    /// Longest delay.
    pub backoff_max: Duration,
    /// Failures in a row that trip the breaker; 0: never.
    pub max_failures: u32,
    /// Restarts within `window` that trip the breaker; 0: off.
    pub max_restarts: u32,
    /// The window of `max_restarts`.
    pub window: Duration,
    /// A run that stays up this long is healthy: failures are forgotten.
    pub healthy_after: Duration,
    /// First time that a tripped breaker stays open; doubles up to six hours.
    pub breaker_cooldown: Duration,
    /// Ends after which there is no restart.
    pub never_restart: Vec<Never>,
    /// A run that lives longer is ended.
    pub time_limit: Option<Duration>,
    /// Memory of all its processes together, in bytes; more ends the run.
    pub memory: Option<u64>,
    /// Processors that its processes together may use, over 0.
    pub cpu: Option<f64>,
    /// Processes and threads that it may have, from 1.
    pub tasks: Option<u32>,
    /// Bytes that its log may have before it is rotated; 0: it is not.
    pub log_max: u64,
    /// Rotated parts of its log that are kept.
    pub log_keep: u32,
    /// Rotated as well when its oldest line is older than this.
    pub log_every: Option<Duration>,
    /// Rotated parts that are older than this go.
    pub log_keep_for: Option<Duration>,
    /// Whether rotated parts stay as they are, instead of being compressed.
    pub log_plain: bool,
    /// Once it is completed for this long, it is forgotten: entry, log, history.
    pub forget_after: Option<Duration>,
    /// Without any sign of progress for this long it is hung.
    pub hang_after: Option<Duration>,
    /// Without output for this long it is hung.
    pub output_stale: Option<Duration>,
    /// Without a heartbeat for this long it is hung.
    pub heartbeat: Option<Duration>,
    /// Without `WATCHDOG=1` from it (sd_notify) for this long it is hung.
    pub watchdog: Option<Duration>,
    /// What shows, each time it is asked, that it is alive.
    pub probe: Option<Probe>,
    /// From one such question to the next.
    pub probe_every: Duration,
    /// Time for an answer.
    pub probe_timeout: Duration,
    /// Failures in a row that make it hung, from 1.
    pub probe_failures: u32,
    /// What is done about a hang.
    pub on_hang: OnHang,
    /// A line for the shell that must fail before a hang is called.
    pub hang_probe: Option<String>,
    /// Lines for the shell that must succeed before a start.
    pub preflight: Vec<String>,
    /// What shows that it is ready; `None`: it is as soon as it runs.
    pub ready: Option<Probe>,
    /// Time that it has to get ready.
    pub ready_timeout: Duration,
    /// Processes that must be there before it is started, each once.
    pub depends_on: Vec<Name>,
    /// What the end of one of them does to it.
    pub on_dependency_end: OnDependencyEnd,
    /// What keeps it alive when its caller is ended.
    pub isolation: Isolation,
    /// Which process is the main one.
    pub follow: Follow,
    /// What it reads from standard input, where it has no terminal.
    pub stdin: Stdin,
    /// Whether it has a terminal of its own.
    pub pty: bool,
    /// The size of that.
    pub pty_size: Window,
    /// Record the sender of signals sent straight to the process (Linux, by ptrace).
    pub trace_signals: bool,
    /// What happens to processes that outlive the main one.
    pub leftover: Leftover,
    /// What happens after a reboot.
    pub on_boot: OnBoot,
    /// When it is started by itself: a line of a crontab that can be kept.
    pub schedule: Option<String>,
    /// Whose clock `schedule` goes by.
    pub zone: Zone,
    /// What happens to a time of `schedule` that comes while a run lives.
    pub overlap: Overlap,
    /// Names of the sinks that are told; empty: every sink that wants it.
    pub notify: Vec<String>,
    /// Address of a dead-man's switch that hears of its runs.
    pub ping_url: Option<SecretSource>,
}

impl Spec {
    /// The target in seconds, where it is a duration.
    #[must_use]
    pub fn target_s(&self) -> Option<u64> {
        match self.target {
            Target::For(target) => Some(target.as_secs()),
            Target::Forever | Target::Exit => None,
        }
    }

    /// The built-in defaults, for `command`.
    #[must_use]
    pub fn with_command(command: Command) -> Self {
        Self {
            command,
            target: Target::Forever,
            tolerance: 0.8,
            stop_at_target: false,
            restart: Restart::Premature,
            cwd: None,
            user: None,
            env: BTreeMap::new(),
            env_file: None,
            pass_env: Vec::new(),
            clean_env: false,
            group: None,
            stop_signal: 15,
            grace: Duration::from_secs(10),
            success_codes: vec![0],
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            max_failures: 3,
            max_restarts: 0,
            window: Duration::from_secs(24 * 3600),
            healthy_after: Duration::from_secs(300),
            breaker_cooldown: Duration::from_secs(900),
            never_restart: Never::USUAL.to_vec(),
            time_limit: None,
            memory: None,
            cpu: None,
            tasks: None,
            log_max: 50 << 20,
            log_keep: 10,
            log_every: None,
            log_keep_for: None,
            log_plain: false,
            forget_after: None,
            hang_after: None,
            output_stale: None,
            heartbeat: None,
            watchdog: None,
            probe: None,
            probe_every: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(5),
            probe_failures: 3,
            on_hang: OnHang::Restart,
            hang_probe: None,
            preflight: Vec::new(),
            ready: None,
            ready_timeout: Duration::from_secs(60),
            depends_on: Vec::new(),
            on_dependency_end: OnDependencyEnd::Ignore,
            isolation: Isolation::Auto,
            follow: Follow::Main,
            stdin: Stdin::Null,
            pty: false,
            pty_size: Window::USUAL,
            trace_signals: false,
            leftover: Leftover::Kill,
            on_boot: OnBoot::Start,
            schedule: None,
            zone: Zone::Machine(None),
            overlap: Overlap::Skip,
            notify: Vec::new(),
            ping_url: None,
        }
    }
}
