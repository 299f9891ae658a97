//! The one table of registry keys.
//!
//! Reading, `register` options, `config show`, the reference page and the JSON Schema all come from
//! here. A new key is a field of `Spec` and a row of [`PROCESS`] in `process_keys.rs`; nothing else lists keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::form::Form;
use super::secret::Spelling;
use super::value::Value;
use crate::model::name::Name;
use crate::model::never::Never;
use crate::model::schedule::Zone;
use crate::model::signal::Signal;
use crate::model::sink::SecretSource;
use crate::model::spec::{Command, Spec, Target};
use crate::model::units::{format_duration, format_size};
use crate::model::window::Window;

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
    /// Names of processes.
    Processes(fn(&mut Spec) -> &mut Vec<Name>),
    /// A signal number.
    Signal(fn(&mut Spec) -> &mut i32),
    /// A duration.
    Duration(fn(&mut Spec) -> &mut Duration),
    /// A duration over zero.
    SomeTime(fn(&mut Spec) -> &mut Duration),
    /// A duration over zero that may be left out.
    Limit(fn(&mut Spec) -> &mut Option<Duration>),
    /// A number.
    Count(fn(&mut Spec) -> &mut u32),
    /// A number from 1 that may be left out.
    Most(fn(&mut Spec) -> &mut Option<u32>),
    /// A number over zero, fractions included, that may be left out.
    Cores(fn(&mut Spec) -> &mut Option<f64>),
    /// A size in bytes that may be left out.
    Size(fn(&mut Spec) -> &mut Option<u64>),
    /// A size in bytes, or `0` for none.
    SizeOrOff(fn(&mut Spec) -> &mut u64),
    /// Lines for the shell: one string or an array of them.
    Lines(fn(&mut Spec) -> &mut Vec<String>),
    /// A number from 1.
    Times(fn(&mut Spec) -> &mut u32),
    /// The size of a window.
    Window(fn(&mut Spec) -> &mut Window),
    /// `ready`.
    Ready,
    /// `probe`.
    Liveness,
    /// `schedule`.
    Schedule,
    /// `timezone`.
    Zone,
    /// Exit codes, one or more.
    SomeCodes(fn(&mut Spec) -> &mut Vec<i32>),
    /// Exit codes, signals and causes, possibly none.
    Never(fn(&mut Spec) -> &mut Vec<Never>),
    /// A web address that is a secret, in one of its four spellings.
    Secret(Spelling, fn(&mut Spec) -> &mut Option<SecretSource>),
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
            Field::Sinks(_) | Field::Processes(_) => Form::Texts,
            Field::Signal(_) => Form::Signal,
            Field::Duration(_) | Field::SomeTime(_) | Field::Limit(_) => Form::Duration,
            Field::Count(_) => Form::Count,
            Field::Most(_) | Field::Times(_) => Form::Most,
            Field::Cores(_) => Form::Cores,
            Field::Size(_) | Field::SizeOrOff(_) => Form::Size,
            Field::Lines(_) => Form::Lines,
            Field::Window(_) => Form::Window,
            Field::Ready => Form::Probe,
            Field::Liveness => Form::Liveness,
            Field::Schedule => Form::Schedule,
            Field::Zone => Form::Zone,
            Field::SomeCodes(_) => Form::Codes,
            Field::Never(_) => Form::Ends,
            Field::Secret(spelling, _) => spelling.form(),
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
            Field::Processes(of) => Some(Value::Texts(of(spec).iter().map(ToString::to_string).collect())),
            Field::Signal(of) => {
                let name = Signal(*of(spec)).to_string();
                Some(Value::Text(name.strip_prefix("SIG").unwrap_or(&name).to_owned()))
            }
            Field::Duration(of) | Field::SomeTime(of) => Some(Value::Text(format_duration(*of(spec)))),
            Field::Limit(of) => of(spec).map(|limit| Value::Text(format_duration(limit))),
            Field::Count(of) | Field::Times(of) => Some(Value::Number(i64::from(*of(spec)))),
            Field::Most(of) => of(spec).map(|most| Value::Number(i64::from(most))),
            Field::Cores(of) => of(spec).map(Value::Share),
            Field::Size(of) => of(spec).map(|bytes| Value::Text(format_size(bytes))),
            Field::SizeOrOff(of) => Some(Value::Text(match *of(spec) {
                0 => "0".to_owned(),
                bytes => format_size(bytes),
            })),
            Field::Lines(of) => Some(of(spec).clone()).filter(|lines| !lines.is_empty()).map(Value::Texts),
            Field::Window(of) => Some(Value::Text(of(spec).to_string())),
            Field::Ready => spec.ready.as_ref().map(|ready| Value::Text(ready.to_string())),
            Field::Liveness => spec.probe.as_ref().map(|probe| Value::Text(probe.to_string())),
            Field::Schedule => spec.schedule.clone().map(Value::Text),
            Field::Zone => match &spec.zone {
                Zone::Named(name) => Some(Value::Text(name.clone())),
                Zone::Machine(_) => None,
            },
            Field::SomeCodes(of) => Some(codes(of(spec))),
            Field::Never(of) => Some(Value::Words(of(spec).iter().map(Never::to_string).collect())),
            Field::Secret(spelling, of) => of(spec).as_ref().and_then(|source| spelling.value(source)),
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

/// The row of a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    PROCESS.iter().find(|key| key.name == name)
}

pub use super::process_keys::PROCESS;
