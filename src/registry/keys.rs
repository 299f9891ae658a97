//! The one table of registry keys.
//!
//! Reading, `register` options, `config show`, the reference page and the JSON Schema all come from
//! here. A new key is a field of `Spec` and a row of [`PROCESS`]; nothing else lists keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::form::Form;
use super::value::Value;
use crate::model::signal::Signal;
use crate::model::spec::{Command, Leftover, OnBoot, Restart, Spec, Target};
use crate::model::units::format_duration;

/// Which field of a [`Spec`] a key is, and with it what values it takes.
pub enum Field {
    /// `command`.
    Argv,
    /// `shell`.
    Shell,
    /// `target`.
    Target,
    /// A share in `(0, 1]`.
    Share(fn(&mut Spec) -> &mut f64),
    /// A switch.
    Switch(fn(&mut Spec) -> &mut bool),
    /// A choice: its words, how it is read from a spec and set by one of these words.
    Words(&'static [&'static str], fn(&Spec) -> &'static str, fn(&mut Spec, &str)),
    /// A path that may be left out.
    Path(fn(&mut Spec) -> &mut Option<String>),
    /// A text that may be left out.
    Text(fn(&mut Spec) -> &mut Option<String>),
    /// Environment variables with values.
    Pairs(fn(&mut Spec) -> &mut BTreeMap<String, String>),
    /// Names of environment variables.
    Variables(fn(&mut Spec) -> &mut Vec<String>),
    /// Names of sinks.
    Sinks(fn(&mut Spec) -> &mut Vec<String>),
    /// A signal number.
    Signal(fn(&mut Spec) -> &mut i32),
    /// A duration.
    Duration(fn(&mut Spec) -> &mut Duration),
    /// A duration over zero that may be left out.
    Limit(fn(&mut Spec) -> &mut Option<Duration>),
    /// A number.
    Count(fn(&mut Spec) -> &mut u32),
    /// Exit codes, one or more.
    SomeCodes(fn(&mut Spec) -> &mut Vec<i32>),
    /// Exit codes, possibly none.
    Codes(fn(&mut Spec) -> &mut Vec<i32>),
}

/// The chapter of the reference, and the heading in `--help`, that a key stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chapter {
    /// What is run and in which surroundings.
    Start,
    /// How long it lives and how it ends.
    End,
    /// What follows an end.
    Restart,
    /// The rest.
    Other,
}

impl Chapter {
    /// All, in the order of the reference.
    pub const ALL: [Self; 4] = [Self::Start, Self::End, Self::Restart, Self::Other];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Start => "What is run",
            Self::End => "How long it lives, how it ends",
            Self::Restart => "What follows an end",
            Self::Other => "Everything else",
        }
    }
}

/// One key of a `[process.NAME]`.
pub struct Key {
    /// Its name in the registry; the option of `register` has `-` for `_`.
    pub name: &'static str,
    /// The field behind it.
    pub field: Field,
    /// What it does, one line.
    pub help: &'static str,
    /// Where it is explained.
    pub chapter: Chapter,
}

impl Key {
    /// What its value looks like.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.field {
            Field::Argv => Form::Argv,
            Field::Shell | Field::Text(_) => Form::Text,
            Field::Target => Form::Target,
            Field::Share(_) => Form::Share,
            Field::Switch(_) => Form::Switch,
            Field::Words(words, ..) => Form::Words(words),
            Field::Path(_) => Form::Path,
            Field::Pairs(_) => Form::Pairs,
            Field::Variables(_) => Form::Variables,
            Field::Sinks(_) => Form::Texts,
            Field::Signal(_) => Form::Signal,
            Field::Duration(_) | Field::Limit(_) => Form::Duration,
            Field::Count(_) => Form::Count,
            Field::SomeCodes(_) | Field::Codes(_) => Form::Codes,
        }
    }

    /// What `spec` has here; `None`: nothing, which is then also how it is written.
    ///
    /// Takes `&mut` only because the field is reached by one function for reading and writing.
    #[must_use]
    pub fn value(&self, spec: &mut Spec) -> Option<Value> {
        let codes = |codes: &Vec<i32>| Value::Codes(codes.iter().copied().map(i64::from).collect());
        match self.field {
            Field::Argv => match &spec.command {
                Command::Argv(argv) => Some(Value::Texts(argv.clone())),
                Command::Shell(_) => None,
            },
            Field::Shell => match &spec.command {
                Command::Shell(line) => Some(Value::Text(line.clone())),
                Command::Argv(_) => None,
            },
            Field::Target => Some(Value::Text(match spec.target {
                Target::Forever => "forever".to_owned(),
                Target::Exit => "exit".to_owned(),
                Target::For(duration) => format_duration(duration),
            })),
            Field::Share(of) => Some(Value::Share(*of(spec))),
            Field::Switch(of) => Some(Value::Switch(*of(spec))),
            Field::Words(_, word, _) => Some(Value::Text(word(spec).to_owned())),
            Field::Path(of) | Field::Text(of) => of(spec).clone().map(Value::Text),
            Field::Pairs(of) => Some(Value::Pairs(of(spec).clone())),
            Field::Variables(of) | Field::Sinks(of) => Some(Value::Texts(of(spec).clone())),
            Field::Signal(of) => {
                let name = Signal(*of(spec)).to_string();
                Some(Value::Text(name.strip_prefix("SIG").unwrap_or(&name).to_owned()))
            }
            Field::Duration(of) => Some(Value::Text(format_duration(*of(spec)))),
            Field::Limit(of) => of(spec).map(|limit| Value::Text(format_duration(limit))),
            Field::Count(of) => Some(Value::Number(i64::from(*of(spec)))),
            Field::SomeCodes(of) | Field::Codes(of) => Some(codes(of(spec))),
        }
    }

    /// The built-in default as it would be written; `None`: none, the key may be left out or, for
    /// `command` and `shell`, one of the two is needed.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        if matches!(self.field, Field::Argv | Field::Shell) {
            return None;
        }
        self.value(&mut Spec::with_command(Command::Argv(Vec::new()))).map(|value| value.to_string())
    }

    /// The option of `register`.
    #[must_use]
    pub fn option(&self) -> String {
        self.name.replace('_', "-")
    }
}

const fn key(chapter: Chapter, name: &'static str, field: Field, help: &'static str) -> Key {
    Key { name, field, help, chapter }
}

const RESTART: Field = Field::Words(
    &["premature", "on-failure", "always", "never"],
    |spec| match spec.restart {
        Restart::Premature => "premature",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
        Restart::Never => "never",
    },
    |spec, word| {
        spec.restart = match word {
            "on-failure" => Restart::OnFailure,
            "always" => Restart::Always,
            "never" => Restart::Never,
            _ => Restart::Premature,
        }
    },
);

const LEFTOVER: Field = Field::Words(
    &["kill", "keep"],
    |spec| match spec.leftover {
        Leftover::Kill => "kill",
        Leftover::Keep => "keep",
    },
    |spec, word| {
        spec.leftover = match word {
            "keep" => Leftover::Keep,
            _ => Leftover::Kill,
        }
    },
);

const ON_BOOT: Field = Field::Words(
    &["start", "laststate", "never"],
    |spec| match spec.on_boot {
        OnBoot::Start => "start",
        OnBoot::Laststate => "laststate",
        OnBoot::Never => "never",
    },
    |spec, word| {
        spec.on_boot = match word {
            "laststate" => OnBoot::Laststate,
            "never" => OnBoot::Never,
            _ => OnBoot::Start,
        }
    },
);

/// Every key of a process, in the order in which they are written.
pub static PROCESS: &[Key] = &[
    key(Chapter::Start, "command", Field::Argv, "Program and arguments, executed as they are, byte for byte"),
    key(Chapter::Start, "shell", Field::Shell, "A line for `/bin/sh -c`, instead of `command`"),
    key(Chapter::Start, "cwd", Field::Path(|s| &mut s.cwd), "Working directory; left out: the home directory"),
    key(
        Chapter::Start,
        "env",
        Field::Pairs(|s| &mut s.env),
        "Variables set last, over all others and those of `[defaults]`",
    ),
    key(Chapter::Start, "env_file", Field::Path(|s| &mut s.env_file), "File of `NAME=value` lines, read at each start"),
    key(
        Chapter::Start,
        "pass_env",
        Field::Variables(|s| &mut s.pass_env),
        "Variables taken from guardian's own environment at each start",
    ),
    key(
        Chapter::Start,
        "clean_env",
        Field::Switch(|s| &mut s.clean_env),
        "Start from PATH, HOME, USER, LOGNAME, SHELL and LANG only",
    ),
    key(Chapter::Start, "group", Field::Text(|s| &mut s.group), "Group, for commands on several processes"),
    key(
        Chapter::End,
        "target",
        Field::Target,
        "How long a run is meant to live: a duration, `forever` (a service) or `exit` (a job)",
    ),
    key(
        Chapter::End,
        "tolerance",
        Field::Share(|s| &mut s.tolerance),
        "Share of a duration target that counts as reached",
    ),
    key(
        Chapter::End,
        "stop_at_target",
        Field::Switch(|s| &mut s.stop_at_target),
        "End a run at its target, as completed",
    ),
    key(Chapter::End, "time_limit", Field::Limit(|s| &mut s.time_limit), "End a run that lives longer than this"),
    key(Chapter::End, "success_codes", Field::SomeCodes(|s| &mut s.success_codes), "Exit codes that count as success"),
    key(
        Chapter::End,
        "stop_signal",
        Field::Signal(|s| &mut s.stop_signal),
        "Signal that asks it to end, by name or number",
    ),
    key(Chapter::End, "grace", Field::Duration(|s| &mut s.grace), "Time from the stop signal to KILL"),
    key(Chapter::End, "leftover", LEFTOVER, "Processes that outlive the main one: end them or leave them alone"),
    key(Chapter::Restart, "restart", RESTART, "After which ends it is started again"),
    key(Chapter::Restart, "backoff", Field::Duration(|s| &mut s.backoff), "First delay after an unhealthy run"),
    key(
        Chapter::Restart,
        "backoff_max",
        Field::Duration(|s| &mut s.backoff_max),
        "Longest delay; each one is twice the one before",
    ),
    key(
        Chapter::Restart,
        "healthy_after",
        Field::Duration(|s| &mut s.healthy_after),
        "A run that lives this long makes earlier failures forgotten",
    ),
    key(
        Chapter::Restart,
        "max_failures",
        Field::Count(|s| &mut s.max_failures),
        "Failures in a row that open the breaker; 0: never",
    ),
    key(
        Chapter::Restart,
        "max_restarts",
        Field::Count(|s| &mut s.max_restarts),
        "Restarts within `window` that open the breaker; 0: off",
    ),
    key(Chapter::Restart, "window", Field::Duration(|s| &mut s.window), "The window of `max_restarts`"),
    key(
        Chapter::Restart,
        "breaker_cooldown",
        Field::Duration(|s| &mut s.breaker_cooldown),
        "How long an open breaker waits for its first new try; doubles up to 6h",
    ),
    key(
        Chapter::Restart,
        "never_restart",
        Field::Codes(|s| &mut s.never_restart),
        "Exit codes after which there is no restart",
    ),
    key(
        Chapter::Restart,
        "on_boot",
        ON_BOOT,
        "After a reboot: start it even if it had been given up, start it if it was up or due, or leave it down",
    ),
    key(
        Chapter::Other,
        "notify",
        Field::Sinks(|s| &mut s.notify),
        "Sinks that are told; empty or `auto`: every sink that wants it",
    ),
    key(
        Chapter::Other,
        "trace_signals",
        Field::Switch(|s| &mut s.trace_signals),
        "Record who sends it signals (Linux, by ptrace)",
    ),
];

/// The row of a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    PROCESS.iter().find(|key| key.name == name)
}

/// Keys of the contract that this version does not have. They are refused by name, because a
/// limit that is written down and not kept is worse than an error.
pub static UNSUPPORTED: &[&str] = &[
    "hang_after",
    "output_stale",
    "heartbeat",
    "watchdog",
    "on_hang",
    "hang_probe",
    "ready",
    "ready_timeout",
    "probe",
    "probe_every",
    "preflight",
    "memory",
    "cpu",
    "tasks",
    "log_max",
    "depends_on",
    "on_dependency_end",
    "schedule",
    "overlap",
    "pty",
    "isolation",
    "follow",
    "user",
    "ping_url",
];
