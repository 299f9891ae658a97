//! `send`: writes to the standard input of a program that was started with `stdin = "pipe"`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::units::parse_duration;
use crate::store::stdin;
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

use super::Call;
use super::common::{known, registry};
use super::wait::{Pause, state_of};

/// Writes to the standard input of a process
///
/// It must have been started with `stdin = "pipe"` (`--stdin pipe` of run and register). Text is followed by a newline.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian send repl 'print(1 + 1)'")]
pub(super) struct Send {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is to read: words, joined by spaces, and a newline
    #[arg(value_name = "TEXT", required_unless_present = "file", conflicts_with = "file", allow_hyphen_values = true)]
    text: Vec<String>,
    /// The content of this file instead, as it is
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How long to wait while it reads nothing and the pipe is full; then exit code 124
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: String,
}

pub(super) fn run(call: &Call, command: &Send) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let limit = parse_duration(&command.timeout)
        .map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))?;
    let bytes = match &command.file {
        Some(path) => std::fs::read(path).map_err(|error| Error::io("read", path, &error))?,
        None => format!("{}\n", command.text.join(" ")).into_bytes(),
    };
    let loaded = registry(call)?;
    known(&loaded, std::slice::from_ref(&name), call)?;
    let Some(entry) = loaded.registry.processes.get(&name) else { return Err(Error::not_registered(&name, None)) };
    let state = state_of(call, &name)?;
    if !Word::of(&consider(&call.ctx, &name, &entry.spec, &state, &now()?)).is_alive() {
        return Err(Error::new(Code::NotRunning, "not_running", format!("process `{name}` is not running"))
            .hint(format!("guardian start {name}"))
            .about(&name));
    }
    let pipe = stdin::open(&call.ctx.paths, &name)?.map(|(pipe, _)| pipe);
    let Some(pipe) = pipe else {
        return Err(Error::new(Code::Refused, "no_stdin", format!("`{name}` was started without a standard input"))
            .hint(format!("set `stdin = \"pipe\"` for it (--stdin pipe), then guardian restart {name}"))
            .about(&name));
    };
    write(&name, pipe, &bytes, limit)?;
    call.out.say(&format!("{name}: {} bytes sent", bytes.len()));
    call.out.json(&json!({"schema": SCHEMA, "name": name, "run": state.run, "bytes": bytes.len()}));
    Ok(0)
}

/// Writes all of it, as fast as it is read; waits `limit` in all while the pipe is full.
fn write(name: &Name, mut pipe: File, bytes: &[u8], limit: Duration) -> Result<(), Error> {
    let until = now()?.plus(limit);
    let mut pause = Pause::default();
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match pipe.write(rest) {
            Ok(count) => {
                sent += count;
                pause = Pause::default();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && !now()?.has_reached(&until) => {
                std::thread::sleep(pause.next());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let message =
                    format!("`{name}` does not read: {sent} of {} bytes are in its pipe, which is full", bytes.len());
                let hint = "those that are in it will be read; send the rest later, or see `guardian status`";
                return Err(Error::new(Code::Timeout, "stdin_full", message).hint(hint).about(name));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let message = format!("cannot write to `{name}` after {sent} of {} bytes: {error}", bytes.len());
                return Err(Error::new(Code::System, "send", message).about(name));
            }
        }
    }
    Ok(())
}
