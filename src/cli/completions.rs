//! `completions`: what a shell needs to complete guardian's commands, options and names.
//!
//! The script only asks: at each TAB the shell runs this very program, with [`VARIABLE`] set, and [`answer`] completes from the tree of
//! commands and from the registry. So names are those of now, and a script of an earlier build knows the commands of this one.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::registry::Registry;
use crate::store::registry_file;

use super::out::Out;
use super::{Call, Cli};

/// Set by the scripts, to the name of the shell.
const VARIABLE: &str = "GUARDIAN_COMPLETE";

/// What a value is completed from.
type Source = fn(&Registry) -> Vec<String>;

/// What stands for a value in the help, and where such values come from.
const SOURCES: [(&str, Source); 3] = [
    ("NAME", |registry| registry.processes.keys().chain(registry.watches.keys()).map(ToString::to_string).collect()),
    ("GROUP", |registry| registry.processes.values().filter_map(|entry| entry.spec.group.clone()).collect()),
    ("SINK", |registry| registry.sinks.iter().map(|sink| sink.name.clone()).collect()),
];

/// Prints the completion script of a shell
///
/// Commands, options, and names of processes, groups and sinks as the registry has them at that moment.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian completions bash > ~/.local/share/bash-completion/completions/guardian\n\
                  Example: guardian completions fish > ~/.config/fish/completions/guardian.fish\n\
                  Example: guardian completions zsh > \"${fpath[1]}/_guardian\"")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Loaded as a function of its own name, the script is run for the first TAB and must answer it.
const ZSH_FIRST: &str =
    "\nif [[ \"${funcstack[1]}\" == _guardian ]]; then _clap_dynamic_completer_guardian \"$@\"; fi\n";
/// Its way to split what guardian answers is meant: a vertical tab stands between the candidates.
const BASH_CHECKED: &str = "# shellcheck shell=bash disable=SC2207,SC2181\n";

pub(super) fn run(call: &Call, command: &Completions) -> Result<u8, Error> {
    let bug = |why: String| Error::new(Code::Bug, "completions", format!("cannot make a completion script: {why}"));
    let name = command.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| bug(format!("no `{name}`")))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "guardian", "guardian", "guardian", &mut script)
        .map_err(|error| bug(error.to_string()))?;
    let script = String::from_utf8_lossy(&script);
    let script = script.trim();
    Ok(call.out.answer(&match command.shell {
        Shell::Bash => format!("{BASH_CHECKED}{script}"),
        Shell::Zsh => format!("{script}{ZSH_FIRST}"),
        Shell::Elvish | Shell::Fish | Shell::PowerShell | _ => script.to_owned(),
    }))
}

/// Answers a shell that asks what may follow; `None`: no shell asks.
pub(super) fn answer(arguments: &[OsString]) -> Option<u8> {
    let shell = std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty())?;
    let asked = arguments.iter().position(|argument| argument == "--").map_or(arguments.len(), |at| at + 1);
    let words = arguments.get(asked..).unwrap_or(&[]).to_vec();
    let shells = Shells::builtins();
    let shell = shells.completer(shell.to_str()?)?;
    let mut tree = with_values(Cli::command(), &home_of(&words));
    tree.build();
    let mut answer = Vec::new();
    let here = std::env::current_dir().ok();
    // What cannot be completed is completed by nothing; a TAB is no place for an error.
    drop(shell.write_complete(&mut tree, words, here.as_deref(), &mut answer));
    drop(Out::new(false, false, true).raw(&answer));
    Some(0)
}

/// The home that the line asks for so far.
fn home_of(words: &[OsString]) -> Option<PathBuf> {
    let at = words.iter().position(|word| word == "--home");
    let apart = at.and_then(|at| words.get(at + 1)).map(OsString::as_os_str);
    let joined = words.iter().find_map(|word| word.to_str()?.strip_prefix("--home=")).map(OsStr::new);
    apart.or(joined).filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The tree with what values come from, told by what stands for them.
fn with_values(command: clap::Command, home: &Option<PathBuf>) -> clap::Command {
    let command = command.mut_args(|argument| {
        let stands = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        // Some values that are called a name are one of a few words.
        let free = argument.get_possible_values().is_empty();
        let source = SOURCES.iter().find(|(name, _)| free && stands.as_deref() == Some(*name));
        match source {
            Some((_, source)) => {
                let (home, source) = (home.clone(), *source);
                argument.add(ArgValueCandidates::new(move || candidates(home.clone(), source)))
            }
            None => argument,
        }
    });
    command.mut_subcommands(|command| with_values(command, home))
}

/// Whether every shell takes it as the word that it is: bash puts it into the line as it stands, where it may be executed.
fn is_a_word(value: &str) -> bool {
    !value.starts_with('-') && value.chars().all(|letter| letter.is_alphanumeric() || "._-/:@+,=%".contains(letter))
}

fn candidates(home: Option<PathBuf>, source: Source) -> Vec<CompletionCandidate> {
    let registry = Context::read(home).and_then(|ctx| registry_file::load(&ctx.paths, ctx.home.as_deref()));
    let mut values = registry.map_or_else(|_| Vec::new(), |loaded| source(&loaded.registry));
    values.retain(|value| is_a_word(value));
    values.sort();
    values.dedup();
    values.into_iter().map(CompletionCandidate::new).collect()
}
