//! `config`: what is wrong with the registry, what a process comes to with its defaults, and what may stand there.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::alert::examine;
use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::policy::pings;
use crate::registry::reference::{reference, schema};
use crate::registry::{Problem, Registry, show, watch_show};
use crate::store::registry_file::{self, Source};

use super::Call;
use super::common::{complain_of, known, registry};

/// Checks and explains the registry
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian config check")]
pub(super) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Names everything that is wrong with the registry, with line and column; 78 if anything is
    #[command(after_help = "Example: guardian config check draft.toml")]
    Check {
        /// Another file than the registry
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Shows one process with all defaults filled in
    #[command(after_help = "Example: guardian config show btc-bot")]
    Show {
        /// Name of the process
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Prints the JSON Schema of the registry, for editors
    #[command(after_help = "Example: guardian config schema > guardian.schema.json")]
    Schema,
    /// Prints the reference of all keys, as Markdown
    #[command(after_help = "Example: guardian config reference | less")]
    Reference,
}

pub(super) fn run(call: &Call, command: &Config) -> Result<u8, Error> {
    match &command.what {
        What::Check { file } => check(call, file.as_ref()),
        What::Show { name } => show_one(call, name),
        What::Schema => Ok(call.out.answer(&format!("{:#}", schema()))),
        What::Reference => Ok(call.out.answer(&reference())),
    }
}

/// What was found in a file.
struct Checked {
    path: PathBuf,
    registry: Registry,
    problems: Vec<Problem>,
    /// Of files that sinks need, by path.
    elsewhere: Vec<(PathBuf, Problem)>,
    missing: bool,
}

impl Checked {
    fn new(path: PathBuf, registry: Registry, problems: Vec<Problem>, missing: bool) -> Self {
        let elsewhere = registry.sinks.iter().filter_map(examine).collect();
        Self { path, registry, problems, elsewhere, missing }
    }
}

fn check(call: &Call, file: Option<&PathBuf>) -> Result<u8, Error> {
    let home = call.ctx.home.as_deref();
    let checked = match file {
        Some(path) => {
            let parsed = registry_file::examine(path, home)?;
            Checked::new(path.clone(), parsed.registry, parsed.problems, false)
        }
        None => {
            let loaded = registry(call)?;
            let missing = loaded.source == Source::Missing;
            // What is served in place of a broken file is not what is in it.
            let registry = if loaded.source == Source::File { loaded.registry } else { Registry::default() };
            Checked::new(call.ctx.paths.registry.clone(), registry, loaded.problems, missing)
        }
    };
    let Checked { path, registry, problems, elsewhere, missing } = &checked;
    let valid = problems.is_empty() && elsewhere.is_empty();
    let told = problems.iter().map(|problem| json!(problem)).chain(elsewhere.iter().map(|(path, problem)| {
        let mut told = json!(problem);
        told["path"] = json!(path);
        told
    }));
    let sinks = registry.sinks.iter().filter(|sink| !pings::is_ping(sink)).count();
    call.out.json(&json!({
        "schema": SCHEMA, "path": path, "exists": !missing, "valid": valid, "problems": told.collect::<Vec<_>>(),
        "processes": registry.processes.len(), "watches": registry.watches.len(), "sinks": sinks,
    }));
    if valid {
        call.out.say(&match missing {
            true => format!("{}: there is none, so nothing is registered", path.display()),
            false => format!(
                "{}: valid, {}, {}{}",
                path.display(),
                counted(registry.processes.len(), "process", "processes"),
                match registry.watches.len() {
                    0 => String::new(),
                    watches => counted(watches, "watch", "watches") + ", ",
                },
                counted(sinks, "sink", "sinks")
            ),
        });
        return Ok(0);
    }
    if !call.out.is_json() {
        call.out.answer(&lines(&checked));
    }
    // The list is the result; that it is not empty is an error like any other.
    let problems = problems.len() + elsewhere.len();
    let many = if problems == 1 { "problem" } else { "problems" };
    let message = format!("registry `{}` is not valid: {problems} {many}", path.display());
    let hint = "standard output names each, with line and column and the way out";
    Ok(call.out.fail(&Error::new(Code::Config, "registry_invalid", message).hint(hint)))
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Every problem in the form that editors jump to, and how to mend it.
fn lines(checked: &Checked) -> String {
    let mut text = String::new();
    let own = checked.problems.iter().map(|problem| (&checked.path, problem));
    for (path, problem) in own.chain(checked.elsewhere.iter().map(|(path, problem)| (path, problem))) {
        text.push_str(&format!("{}:{problem}\n", path.display()));
        if !problem.hint.is_empty() {
            text.push_str(&format!("  hint: {}\n", problem.hint));
        }
    }
    let count = checked.problems.len() + checked.elsewhere.len();
    text + &format!("{count} problem{}", if count == 1 { "" } else { "s" })
}

fn show_one(call: &Call, name: &str) -> Result<u8, Error> {
    let name: Name = name.parse()?;
    let loaded = registry(call)?;
    if let Some(entry) = loaded.registry.watches.get(&name) {
        let (spec, line) = (&entry.spec, entry.line);
        call.out.json(&json!({"schema": SCHEMA, "name": name, "line": line, "watch": watch_show::to_json(spec)}));
        if !call.out.is_json() {
            call.out.answer(&watch_show::show(&name, spec));
        }
        return Ok(complain_of(&loaded, call));
    }
    known(&loaded, std::slice::from_ref(&name), call)?;
    let entry = loaded.registry.processes.get(&name).ok_or_else(|| Error::not_registered(&name, None))?;
    let (spec, line) = (&entry.spec, entry.line);
    call.out.json(&json!({"schema": SCHEMA, "name": name, "line": line, "spec": show::to_json(spec)}));
    if !call.out.is_json() {
        call.out.answer(&show::show(&name, spec));
    }
    Ok(complain_of(&loaded, call))
}
