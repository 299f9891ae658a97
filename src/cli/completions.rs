//! `completions`: what a shell needs to complete guardian's commands and options.

use clap::{CommandFactory, Parser};
use clap_complete::{Shell, generate};

use crate::error::Error;

use super::{Call, Cli};

/// Prints the completion script of a shell
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian completions bash > ~/.local/share/bash-completion/completions/guardian")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(call: &Call, command: &Completions) -> Result<u8, Error> {
    let mut script = Vec::new();
    generate(command.shell, &mut Cli::command(), "guardian", &mut script);
    Ok(call.out.answer(&String::from_utf8_lossy(&script)))
}
