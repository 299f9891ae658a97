//! `man`: manual pages, made from the same tree as the help.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use clap_mangen::Man;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::store::atomic::make_dir;

use super::{Call, Cli};

/// The day of the last release, or of the work on the next: a page without a date is not well-formed.
const REVISED: &str = "2026-11-21";

/// Prints a manual page, or writes all of them into a directory
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: guardian man register | man -l -\nExample: guardian man --dir ~/.local/share/man/man1"
)]
pub(super) struct ManPage {
    /// The page of this command; without, the page of guardian itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Option<String>,
    /// Write one page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(call: &Call, command: &ManPage) -> Result<u8, Error> {
    let mut tree = Cli::command().disable_help_subcommand(true);
    // Options of every command come to each, and each learns its whole name: `guardian-start`.
    tree.build();
    if let Some(dir) = &command.dir {
        return write_all(call, &tree, dir);
    }
    let wanted = match &command.command {
        None => &tree,
        Some(name) => tree.find_subcommand(name).ok_or_else(|| {
            Error::new(Code::Usage, "no_such_command", format!("no command is named `{name}`"))
                .hint("`guardian --help` lists them")
        })?,
    };
    Ok(call.out.answer(&String::from_utf8_lossy(&page(wanted)?)))
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    let render = |error: io::Error| Error::new(Code::Bug, "man", format!("cannot render a manual page: {error}"));
    let man = Man::new(command.clone()).title(title(command)).date(REVISED).manual("guardian");
    man.source(concat!("guardian ", env!("CARGO_PKG_VERSION"))).render(&mut page).map_err(render)?;
    Ok(without_doubled_breaks(&String::from_utf8_lossy(&page)).into_bytes())
}

/// What a page is called.
fn title(command: &clap::Command) -> String {
    match command.get_name() {
        "guardian" => "guardian".to_owned(),
        name => format!("guardian-{name}"),
    }
}

/// The page without breaks of a line before or after an empty one (`.sp`), or after another: readers pass over them, and complain.
fn without_doubled_breaks(page: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let breaks = |line: Option<&&str>| line.is_none_or(|line| matches!(*line, ".br" | ".sp" | ""));
    let mut kept = String::with_capacity(page.len());
    for (at, line) in lines.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| lines.get(at));
        if *line != ".br" || !(breaks(before) || matches!(lines.get(at + 1), Some(&".sp" | &""))) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn write_all(call: &Call, tree: &clap::Command, dir: &Path) -> Result<u8, Error> {
    if !dir.is_dir() {
        make_dir(dir)?;
    }
    let mut written = Vec::new();
    for command in std::iter::once(tree).chain(tree.get_subcommands().filter(|command| !command.is_hide_set())) {
        let path = dir.join(format!("{}.1", title(command)));
        fs::write(&path, page(command)?).map_err(|error| Error::io("write", &path, &error))?;
        written.push(path);
    }
    call.out.json(&json!({"schema": SCHEMA, "written": written}));
    call.out.say(&format!("{}: {} pages written", dir.display(), written.len()));
    Ok(0)
}
