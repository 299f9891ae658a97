//! `init`: an annotated registry to begin with.

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::registry::EXAMPLE;
use crate::store::registry_file;

use super::Call;

/// Writes an annotated registry where there is none
///
/// Its processes are examples: they are listed, but nothing runs before it is started by name.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian init && guardian config check")]
pub(super) struct Init {
    /// Print it to standard output instead
    #[arg(long)]
    print: bool,
}

pub(super) fn run(call: &Call, command: &Init) -> Result<u8, Error> {
    if command.print {
        return Ok(call.out.answer(EXAMPLE));
    }
    let path = &call.ctx.paths.registry;
    let there = || {
        Error::new(Code::Refused, "registry_exists", format!("there is a registry already: `{}`", path.display()))
            .hint("it stays as it is; `guardian init --print` prints the example to copy from")
    };
    // Also one that cannot be read, or is empty, is somebody's: looked for first, so that it is what is said.
    if path.symlink_metadata().is_ok() {
        // Said twice.
        if std::fs::read_to_string(path).is_ok_and(|text| text == EXAMPLE) {
            call.out.json(&json!({"schema": SCHEMA, "written": null, "unchanged": path}));
            call.out.say(&format!("{}: is there already, as it was written", path.display()));
            return Ok(0);
        }
        return Err(there());
    }
    registry_file::update(&call.ctx.paths, call.ctx.home.as_deref(), |text| {
        if text.is_empty() { Ok(EXAMPLE.to_owned()) } else { Err(there()) }
    })?;
    call.out.json(&json!({"schema": SCHEMA, "written": path, "unchanged": null}));
    call.out.say(&format!(
        "{}: written\nIts processes and sinks are examples, none of them runs: change what you need, remove the rest.",
        path.display()
    ));
    Ok(0)
}
