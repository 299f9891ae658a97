//! Where every command's text goes: results to standard output, errors to standard error. A reader that closed its end is no
//! error: what it wanted it has. A result that cannot be written for any other reason is a failure: nobody is to take half
//! of it for the whole.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use serde::Serialize;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;

/// Why a result could not be written to standard output; 0: all of it could.
static UNWRITTEN: AtomicI32 = AtomicI32::new(0);

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    form: Form,
    quiet: bool,
    color: anstream::ColorChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl Out {
    pub(super) fn new(json: bool, quiet: bool, no_color: bool) -> Self {
        let form = if json { Form::Json } else { Form::Text };
        let color = if no_color { anstream::ColorChoice::Never } else { anstream::ColorChoice::Auto };
        Self { form, quiet, color }
    }

    /// Whether results still come to somebody: a command that goes on for ever ends when its reader has.
    pub(super) fn is_heard(self) -> bool {
        UNWRITTEN.load(Ordering::Relaxed) == 0
    }

    /// Whether results are JSON.
    pub(super) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// Whether nothing should be said where all is well.
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints a result for people, unless JSON was asked for or quiet; ends with a newline.
    pub(super) fn say(self, text: &str) {
        if self.form == Form::Text && !self.quiet {
            self.print(text.trim_end_matches('\n'), "\n");
        }
    }

    /// Prints bytes as they are.
    pub(super) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        note(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Prints a text result whatever form was asked for, and gives exit code 0.
    pub(super) fn answer(self, text: &str) -> u8 {
        self.print(text.trim_end_matches('\n'), "\n");
        0
    }

    /// Prints a result for programs, if JSON was asked for.
    pub(super) fn json(self, value: &impl Serialize) {
        if self.form == Form::Json {
            self.json_line(value);
        }
    }

    /// Prints one JSON document on one line.
    pub(super) fn json_line(self, value: &impl Serialize) {
        match serde_json::to_vec(value) {
            Ok(mut bytes) => {
                bytes.push(b'\n');
                drop(self.raw(&bytes));
            }
            Err(error) => self.complain(&format!("error: a result cannot be written as JSON: {error}")),
        }
    }

    fn print(self, text: &str, end: &str) {
        let mut stdout = anstream::AutoStream::new(io::stdout().lock(), self.color);
        drop(note(
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.write_all(end.as_bytes()))
                .and_then(|()| stdout.flush()),
        ));
    }

    /// The exit code of a command that ends with `code`: another one if a result of it is lost.
    pub(super) fn close(self, code: u8) -> u8 {
        let errno = UNWRITTEN.load(Ordering::Relaxed);
        if errno == 0 || errno == libc::EPIPE {
            return code;
        }
        let lost = Error::io("write to", Path::new("standard output"), &io::Error::from_raw_os_error(errno));
        let failed = self.fail(&lost);
        if code == 0 { failed } else { code }
    }

    /// Prints a line on standard error, for people.
    pub(super) fn complain(self, text: &str) {
        let mut stderr = anstream::AutoStream::new(io::stderr().lock(), self.color);
        drop(writeln!(stderr, "{}", text.trim_end_matches('\n')));
    }

    /// Tells of a failure in the form of the contract, and gives its exit code.
    pub(super) fn fail(self, error: &Error) -> u8 {
        match self.form {
            Form::Json => {
                let process = error.process.as_ref().map(|name| name.as_str());
                let hint = (!error.hint.is_empty()).then_some(error.hint.as_str());
                let inner = json!({"code": error.code as u8, "kind": error.kind, "process": process,
                                   "message": error.message, "hint": hint});
                self.complain(&json!({"schema": SCHEMA, "error": inner}).to_string());
            }
            Form::Text => {
                let style = anstyle::AnsiColor::Red.on_default().bold();
                self.complain(&format!("{style}error:{style:#} {}", error.message));
                for line in error.hint.lines() {
                    self.complain(&format!("  hint: {line}"));
                }
            }
        }
        error.code as u8
    }

    /// A warning: the command goes on.
    pub(super) fn warn(self, text: &str) {
        if self.form == Form::Text {
            let style = anstyle::AnsiColor::Yellow.on_default().bold();
            self.complain(&format!("{style}warning:{style:#} {text}"));
        }
    }
}

/// Remembers that a result could not be written.
fn note(written: io::Result<()>) -> io::Result<()> {
    if let Err(error) = &written {
        UNWRITTEN.store(error.raw_os_error().unwrap_or(libc::EIO), Ordering::Relaxed);
    }
    written
}

/// The worse of two exit codes: a failure of the system before a no, a no before nothing.
pub(super) fn worse(one: u8, other: u8) -> u8 {
    let rank = |code: u8| match code {
        0 => 0,
        code if code == Code::No as u8 => 1,
        code if code == Code::Config as u8 => 3,
        code if code == Code::System as u8 => 4,
        _ => 2,
    };
    if rank(other) > rank(one) { other } else { one }
}
