//! The options that describe a process, one for each key of the registry, for `register` and `run`.
//!
//! Generated from `registry::keys`, so an option, its key and its help cannot drift apart. Turns
//! arguments into a draft; whether its values are valid is for the registry to say.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::error::{Code, Error};
use crate::registry::form::Form;
use crate::registry::keys::{Field, Key, PROCESS};
use crate::registry::value::{Draft, Value};

/// Id of the arguments after `--`.
const COMMAND: &str = "spec_command";

/// What the target is where none is given.
const TARGET: &str = "forever; of `run` and with --schedule: exit";

/// What was given of the options of a process, and its command.
#[derive(Debug, Clone, Default)]
pub struct SpecArgs {
    options: Vec<(&'static str, Vec<OsString>)>,
    command: Vec<OsString>,
}

fn options() -> impl Iterator<Item = &'static Key> {
    PROCESS.iter().filter(|key| !matches!(key.field, Field::Argv | Field::Shell))
}

fn arg(key: &'static Key) -> Arg {
    let help = match key.default() {
        // A command knows more than the registry: where it is given, and what kind of process it makes.
        _ if key.name == "cwd" => "Working directory [default: where you are; of `adopt`: its own]".to_owned(),
        Some(_) if key.name == "target" => format!("{} [default: {TARGET}]", key.help),
        // The words of its form are all that there is to choose from.
        None if matches!(key.form(), Form::Probe | Form::Liveness) => format!("{}: {}", key.help, key.form().wanted()),
        Some(default) if !matches!(default.as_str(), "[]" | "{}" | "{  }" | "false") => {
            format!("{} [default: {}]", key.help, default.trim_matches('"'))
        }
        Some(_) | None => key.help.to_owned(),
    };
    let arg = Arg::new(key.name)
        .long(key.option())
        .help(help)
        .help_heading(key.chapter.title())
        .value_parser(OsStringValueParser::new())
        .value_name(key.form().metavar())
        .hide_short_help(!matches!(key.name, "target" | "restart" | "cwd" | "env" | "group"));
    match key.form() {
        Form::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Form::Argv | Form::Codes | Form::Ends | Form::Texts | Form::Variables | Form::Pairs | Form::Lines => {
            arg.action(ArgAction::Append)
        }
        Form::Words(words) => arg.value_parser(words_parser(words)),
        Form::Text
        | Form::Count
        | Form::Most
        | Form::Cores
        | Form::Size
        | Form::Probe
        | Form::Liveness
        | Form::Schedule
        | Form::Zone
        | Form::Window
        | Form::Share
        | Form::Duration
        | Form::Target
        | Form::Signal
        | Form::Path
        | Form::TrueOrPath
        | Form::Headers
        | Form::Port
        | Form::Secret => arg,
    }
}

/// Only these words, `_` for `-` as well.
fn words_parser(words: &'static [&'static str]) -> impl TypedValueParser<Value = OsString> {
    let value = |word: &&'static str| PossibleValue::new(*word).alias(word.replace('-', "_"));
    PossibleValuesParser::new(words.iter().map(value)).map(OsString::from)
}

impl Args for SpecArgs {
    fn augment_args(command: Command) -> Command {
        command.args(options().map(arg)).arg(
            Arg::new(COMMAND)
                .value_name("COMMAND")
                .help("After `--`: one argument is a line for sh, several are executed as they are")
                .last(true)
                .required(true)
                .num_args(1..)
                .value_parser(OsStringValueParser::new()),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SpecArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |id: &str| -> Option<Vec<OsString>> {
            matches.get_many::<OsString>(id).map(|values| values.cloned().collect())
        };
        let options = options().filter_map(|key| Some((key.name, given(key.name)?))).collect();
        Ok(Self { options, command: given(COMMAND).into_iter().flatten().collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The same where the command may be left out: it is known otherwise.
#[derive(Debug, Clone, Default)]
pub struct WithoutCommand(pub SpecArgs);

impl Args for WithoutCommand {
    fn augment_args(command: Command) -> Command {
        SpecArgs::augment_args(command).mut_arg(COMMAND, |arg| arg.required(false))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for WithoutCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        SpecArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl SpecArgs {
    /// The arguments after `--`.
    #[must_use]
    pub fn command(&self) -> &[OsString] {
        &self.command
    }

    /// What was given, as keys of the registry. Relative paths are made absolute from `here`.
    ///
    /// # Errors
    /// 2: an argument that is not UTF-8 or holds NUL, a pair without `=`, a number or word that
    /// cannot be one. Values that need the registry's own rules are checked there.
    pub fn draft(&self, here: &Path) -> Result<Draft, Error> {
        let mut draft = Draft::default();
        let words = self.command.iter().map(|word| text("the command", word)).collect::<Result<Vec<_>, _>>()?;
        match <[String; 1]>::try_from(words) {
            Ok([line]) => draft.set("shell", Value::Text(line)),
            Err(words) => draft.set("command", Value::Texts(words)),
        }
        for (name, given) in &self.options {
            let Some(key) = options().find(|key| key.name == *name) else { continue };
            let option = format!("--{}", key.option());
            let given = given.iter().map(|value| text(&option, value)).collect::<Result<Vec<_>, _>>()?;
            draft.set(key.name, value(key.form(), &option, given, here)?);
        }
        Ok(draft)
    }
}

fn usage(message: String, hint: &str) -> Error {
    Error::new(Code::Usage, "bad_argument", message).hint(hint)
}

fn text(what: &str, given: &OsStr) -> Result<String, Error> {
    if given.as_bytes().contains(&0) {
        return Err(usage(format!("{what} holds a NUL character"), "no program can be given one: take it out"));
    }
    let refused = || {
        let shown = given.to_string_lossy();
        let hint = "a registry is UTF-8 text; put such a name into a script and register the script";
        usage(format!("{what} is not UTF-8: {shown:?}"), hint)
    };
    given.to_str().map(str::to_owned).ok_or_else(refused)
}

/// The value of one option, from all its occurrences.
fn value(form: Form, option: &str, given: Vec<String>, here: &Path) -> Result<Value, Error> {
    let split = |given: &[String]| -> Vec<String> {
        given.iter().flat_map(|list| list.split(',')).map(|word| word.trim().to_owned()).collect()
    };
    let number = |word: &String| {
        let wanted = format!("{} is wanted", form.wanted());
        word.parse::<i64>().map_err(|_| usage(format!("{option} cannot be {word:?}"), &wanted))
    };
    let one = || given.last().cloned().unwrap_or_else(String::new);
    Ok(match form {
        Form::Switch => match one().as_str() {
            "true" => Value::Switch(true),
            "false" => Value::Switch(false),
            other => {
                let message = format!("{option} cannot be {other:?}");
                return Err(usage(message, "give it alone, or with `=true` or `=false`"));
            }
        },
        Form::Count | Form::Most | Form::Port => Value::Number(number(&one())?),
        Form::Share | Form::Cores => match one().parse::<f64>() {
            Ok(share) => Value::Share(share),
            Err(_) => {
                let message = format!("{option} cannot be {:?}", one());
                return Err(usage(message, &format!("{} is wanted", form.wanted())));
            }
        },
        Form::Codes => {
            Value::Codes(split(&given).iter().filter(|word| !word.is_empty()).map(number).collect::<Result<_, _>>()?)
        }
        Form::Ends => Value::Words(split(&given).into_iter().filter(|word| !word.is_empty()).collect()),
        Form::Texts | Form::Variables => Value::Texts(split(&given)),
        Form::Argv | Form::Lines => Value::Texts(given),
        Form::Pairs | Form::Headers => Value::Pairs(pairs(option, &given)?),
        Form::Path | Form::TrueOrPath => Value::Text(absolute(option, &one(), here)?),
        Form::Text
        | Form::Duration
        | Form::Target
        | Form::Signal
        | Form::Words(_)
        | Form::Size
        | Form::Probe
        | Form::Liveness
        | Form::Schedule
        | Form::Zone
        | Form::Window
        | Form::Secret => Value::Text(one()),
    })
}

fn pairs(option: &str, given: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pair = |pair: &String| match pair.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            let message = format!("{option} {pair:?} has no `=`");
            Err(usage(message, "write NAME=VALUE; --pass-env NAME takes a value from guardian's environment"))
        }
    };
    given.iter().map(pair).collect()
}

fn absolute(option: &str, path: &str, here: &Path) -> Result<String, Error> {
    if path.is_empty() || path.starts_with('/') || path.starts_with("~/") {
        return Ok(path.to_owned());
    }
    let whole = here.join(path);
    let plain: std::path::PathBuf = whole.components().collect();
    text(option, plain.as_os_str())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::registry::edit::{Replace, insert};
    use crate::registry::{Context, Parsed, parse};

    fn parsed<S: Into<OsString> + Clone>(arguments: &[S]) -> Result<SpecArgs, clap::Error> {
        let command = SpecArgs::augment_args(Command::new("register").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments.iter().cloned())?;
        SpecArgs::from_arg_matches(&matches)
    }

    fn draft(line: &str) -> Draft {
        let words = shlex::split(line).unwrap();
        parsed(&words).unwrap().draft(Path::new("/here")).unwrap()
    }

    fn registry(draft: &Draft) -> Parsed {
        let edited = insert("", &"x".parse().unwrap(), draft, Replace::Refuse, &Context::default()).unwrap();
        parse(&edited.text, &Context::default())
    }

    #[test]
    fn the_command_itself_is_sound() {
        SpecArgs::augment_args(Command::new("register")).debug_assert();
    }

    #[test]
    fn every_key_but_the_command_is_an_option() {
        let command = SpecArgs::augment_args(Command::new("register"));
        for key in options() {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(&key.option())), "{}", key.name);
        }
    }

    #[test]
    fn one_argument_is_a_shell_line_and_several_are_executed_as_they_are() {
        assert_eq!(draft("-- 'a | b'").get("shell"), Some(&Value::Text("a | b".into())));
        assert_eq!(draft("-- a '| b'").get("command"), Some(&Value::Texts(vec!["a".into(), "| b".into()])));
    }

    #[test]
    fn options_become_the_keys_of_the_same_name() {
        let draft = draft(
            "--target 8h --tolerance 0.5 --stop-at-target --success-codes 0,3 --success-codes 4 --env A=1 --env B=x=y \
             --cwd sub --stop-signal INT --clean-env=false --max-failures 0 --restart on_failure --pass-env P,Q -- x y",
        );
        let spec = registry(&draft).registry.processes.into_values().next().unwrap().spec;
        assert_eq!((spec.success_codes, spec.stop_signal, spec.max_failures), (vec![0, 3, 4], 2, 0));
        assert_eq!((spec.env["A"].as_str(), spec.env["B"].as_str()), ("1", "x=y"));
        assert_eq!((spec.cwd.as_deref(), spec.pass_env.len()), (Some("/here/sub"), 2));
        assert!(spec.stop_at_target && !spec.clean_env);
    }

    #[test]
    fn arguments_that_no_registry_can_hold_are_refused() {
        let latin = OsString::from_vec(b"\xe4".to_vec());
        let error = parsed(&["--".into(), "x".into(), latin]).unwrap().draft(Path::new("/")).unwrap_err();
        assert!(error.code == Code::Usage && error.message.contains("not UTF-8"), "{error}");
        let nul = parsed(&["--", "x", "a\0b"]).unwrap().draft(Path::new("/")).unwrap_err();
        assert!(nul.message.contains("NUL"), "{nul}");
    }

    #[test]
    fn values_that_cannot_be_one_are_refused_with_the_option_that_had_them() {
        for line in
            ["--env A -- x y", "--max-failures many -- x y", "--tolerance half -- x y", "--success-codes x -- x y"]
        {
            let error = parsed(&shlex::split(line).unwrap()).unwrap().draft(Path::new("/")).unwrap_err();
            assert!(error.code == Code::Usage && error.message.starts_with("--"), "{line}: {error}");
        }
        for line in ["--restart sometimes -- x", "--grace 1s --grace 2s -- x", "--grace 5s"] {
            assert!(parsed(&shlex::split(line).unwrap()).is_err(), "{line}");
        }
    }
}
