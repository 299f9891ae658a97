//! `send`: writes to the standard input of a program that was started with `stdin = "pipe"`, types into the terminal of one
//! with `pty = true`, and ends its input.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::evidence::Recorded;
use crate::model::name::Name;
use crate::model::spec::Stdin;
use crate::model::state::State;
use crate::model::units::{UnitError, parse_duration};
use crate::model::window::Window;
use crate::os::signals::NUDGE;
use crate::os::{process, terminal, watch};
use crate::policy::keys;
use crate::store::record;
use crate::store::stdin::{self, Reader};
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

use super::Call;
use super::common::{known, registry};
use super::wait::{Pause, state_of};

/// Writes to the standard input or the terminal of a process
///
/// It must have been started with `stdin = "pipe"` or `pty = true` (`--stdin pipe`, `--pty` of run and register). Text is
/// followed by a newline, in a terminal by Enter; not where it is pasted or followed by keys. First comes the
/// size, then the text, then the keys, then the end.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: guardian send repl 'print(1 + 1)'\n         guardian send repl --keys C-c Up Enter\n         guardian send repl --size 120x40"
)]
pub(super) struct Send {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is to read: words, joined by spaces, and a newline; after `--` where one begins with a dash
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    #[arg(required_unless_present_any = ["file", "keys", "eof", "size"])]
    text: Vec<String>,
    /// The content of this file instead, as it is; `-`: of standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The text as a paste: in the marks that tell a program so (bracketed paste)
    #[arg(long, requires = "text")]
    paste: bool,
    /// Keys by the names that tmux has for them: Enter, Tab, Escape, Up, PageUp, F1, C-c, M-x, …
    #[arg(long, value_name = "KEY", num_args = 1..)]
    keys: Vec<String>,
    /// Another size for its terminal, which it is told: columns and rows
    #[arg(long, value_name = "COLSxROWS")]
    size: Option<String>,
    /// The end of the input; in a terminal the key for it, C-d
    #[arg(long)]
    eof: bool,
    /// How long to wait while it reads nothing and the pipe is full; then exit code 124
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: String,
}

pub(super) fn run(call: &Call, command: &Send) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let limit = parse_duration(&command.timeout).map_err(|error| usage("bad_duration", error))?;
    let size = command.size.as_deref().map(str::parse::<Window>).transpose();
    let size = size.map_err(|error| usage("bad_size", error))?;
    let loaded = registry(call)?;
    known(&loaded, std::slice::from_ref(&name), call)?;
    let Some(entry) = loaded.registry.processes.get(&name) else { return Err(Error::not_registered(&name, None)) };
    let state = state_of(call, &name)?;
    if !Word::of(&consider(&call.ctx, &name, &entry.spec, &state, &now()?)).is_alive() {
        return Err(Error::new(Code::NotRunning, "not_running", format!("process `{name}` is not running"))
            .hint(format!("guardian start {name}"))
            .about(&name));
    }
    let only_ends = command.eof && command.text.is_empty() && command.file.is_none() && command.keys.is_empty();
    let Some((pipe, reader)) = stdin::open(&call.ctx.paths, &name)? else {
        if only_ends && entry.spec.stdin == Stdin::Pipe {
            call.out.say(&format!("{name}: its input is at its end already"));
            call.out.json(&json!({"schema": SCHEMA, "name": name, "run": state.run, "bytes": 0, "eof": true}));
            return Ok(0);
        }
        let message = format!("`{name}` has no standard input: it was started without one, or its end was sent");
        return Err(Error::new(Code::Refused, "no_stdin", message)
            .hint(format!("set `stdin = \"pipe\"` or `pty = true` (--stdin pipe, --pty), then guardian restart {name}"))
            .about(&name));
    };
    if reader == Reader::Program && (command.paste || !command.keys.is_empty() || size.is_some()) {
        let message = format!("`{name}` has no terminal: nothing to press keys in, to paste into or to resize");
        return Err(Error::new(Code::Refused, "no_terminal", message)
            .hint(format!("set `pty = true` for it (--pty), then guardian restart {name}; or send plain text"))
            .about(&name));
    }
    let bytes = bytes(command, reader)?;
    if let Some(size) = size {
        resize(call, &name, &state, size)?;
    }
    write(&name, pipe, &bytes, limit)?;
    if command.eof && reader == Reader::Program {
        end(call, &name, &state, limit)?;
    }
    let ended = if command.eof { ", and the end of its input" } else { "" };
    let count = if bytes.len() == 1 { "1 byte".to_owned() } else { format!("{} bytes", bytes.len()) };
    let sized = size.map_or(String::new(), |size| format!("its terminal is {size} now; "));
    call.out.say(&format!("{name}: {sized}{count} sent{ended}"));
    call.out.json(&json!({"schema": SCHEMA, "name": name, "run": state.run, "bytes": bytes.len(), "eof": command.eof,
                          "size": size.map(|size| size.to_string())}));
    Ok(0)
}

fn usage(kind: &'static str, error: UnitError) -> Error {
    Error::new(Code::Usage, kind, error.what).hint(error.hint)
}

/// What `--file` names.
fn content(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(path).map(|content| bytes = content),
    };
    read.map_err(|error| Error::io("read", path, &error))?;
    Ok(bytes)
}

/// All that is to be written.
fn bytes(command: &Send, reader: Reader) -> Result<Vec<u8>, Error> {
    let mut bytes = match &command.file {
        Some(path) => content(path)?,
        None => Vec::new(),
    };
    let text = command.text.join(" ");
    let line_end = if command.text.is_empty() || !command.keys.is_empty() { "" } else { "\n" };
    match reader {
        Reader::Program => bytes.extend(format!("{text}{line_end}").into_bytes()),
        Reader::Terminal if command.paste => {
            bytes.extend(keys::pasted(&text).map_err(|error| usage("bad_paste", error))?);
        }
        Reader::Terminal => bytes.extend(keys::typed(&format!("{text}{line_end}"))),
    }
    for name in &command.keys {
        bytes.extend(keys::key(name).map_err(|error| usage("bad_key", error))?);
    }
    if command.eof && reader == Reader::Terminal {
        bytes.extend(keys::key("C-d").map_err(|error| usage("bad_key", error))?);
    }
    Ok(bytes)
}

/// Writes all of it, as fast as it is read; waits `limit` in all while the pipe is full.
fn write(name: &Name, mut pipe: File, bytes: &[u8], limit: Duration) -> Result<(), Error> {
    let until = now()?.plus(limit);
    let mut pause = Pause::default();
    // Who sends at the same time comes after it, not in between.
    while !stdin::is_mine(&pipe) {
        if now()?.has_reached(&until) {
            let message = format!("somebody else is sending to `{name}`, and it does not read: nothing was sent");
            return Err(Error::new(Code::Timeout, "stdin_full", message).hint("send it later").about(name));
        }
        std::thread::sleep(pause.next());
    }
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

/// Gives the terminal of its program another size.
fn resize(call: &Call, name: &Name, state: &State, size: Window) -> Result<(), Error> {
    let main = match record::read(&call.ctx.paths, name, state.run).0 {
        Recorded::Read(record) => record.main,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    let fail = |why: &str| {
        let message = format!("the terminal of `{name}` cannot be resized: {why}");
        Error::new(Code::System, "resize", message).hint("the next run has the size of `pty_size`").about(name)
    };
    let main = main.ok_or_else(|| fail("its program is not known yet"))?;
    terminal::resize(main.pid, size).map_err(|error| fail(&error.to_string()))
}

/// Takes the pipe away and has the shim end it. Returns when nobody can write to it any more.
fn end(call: &Call, name: &Name, state: &State, limit: Duration) -> Result<(), Error> {
    let pipe = stdin::end(&call.ctx.paths, name)?;
    let shim = match record::read(&call.ctx.paths, name, state.run).0 {
        Recorded::Read(record) => record.shim,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    if let Some(shim) = &shim {
        // Gone meanwhile: then the wait below says so.
        drop(process::send(shim, &now()?.boot, NUDGE));
    }
    let ended = watch::hangs_up(&pipe, limit)
        .map_err(|error| Error::new(Code::System, "send", format!("cannot watch the input of `{name}`: {error}")))?;
    if ended {
        return Ok(());
    }
    let message = format!("the input of `{name}` is not at its end yet: its shim does not answer");
    let hint = "no more can be sent; its shim ends it as soon as it can, unless the program runs under its second one, which the kernel's security policy may keep from it";
    Err(Error::new(Code::Timeout, "eof", message).hint(hint).about(name))
}
