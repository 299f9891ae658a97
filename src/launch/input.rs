//! What a program is given to read: made before its shim is started, so that a shim without any costs nothing more.

use std::fs::File;

use super::system;
use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::spec::{Spec, Stdin};
use crate::os::{keeper, terminal};
use crate::policy::environment::Environment;
use crate::store::paths::Paths;
use crate::store::stdin::{self, Reader};

/// Standard input, what the shim is given with it, and how it is told (see [`crate::shim`]).
#[derive(Default)]
pub(super) struct Given {
    /// What the program reads; `None`: nothing.
    pub(super) stdin: Option<File>,
    /// At the descriptors after those that every shim has.
    pub(super) more: Vec<File>,
}

/// One that knows the keys of `send`.
const TERM: &str = "xterm-256color";

/// The word by which a shim is told what its program reads.
pub(super) fn word(spec: &Spec) -> &'static str {
    match (spec.pty, spec.stdin) {
        (true, _) => "pty",
        (false, Stdin::Pipe) => "pipe",
        (false, Stdin::Null) => "",
    }
}

/// Says what kind of terminal the program has, where its environment does not.
pub(super) fn name_terminal(spec: &Spec, environment: &mut Environment) {
    if spec.pty {
        environment.entry("TERM".into()).or_insert_with(|| TERM.into());
    }
}

/// Makes it for a run that is about to begin.
pub(super) fn prepare(paths: &Paths, name: &Name, spec: &Spec) -> Result<Given, Error> {
    match (spec.pty, spec.stdin) {
        (true, _) => {
            let (master, slave) = terminal::open(spec.pty_size).map_err(|error| {
                Error::new(Code::System, "pty", format!("cannot make a terminal: {error}"))
                    .hint("see whether /dev/ptmx and /dev/pts are there; `pty = false` runs it without")
                    .about(name)
            })?;
            let typed = stdin::make(paths, name, Reader::Terminal)?;
            Ok(Given { stdin: Some(slave), more: vec![master, typed] })
        }
        (false, Stdin::Pipe) => {
            let held = stdin::make(paths, name, Reader::Program)?;
            let read = stdin::read(paths, name)?;
            let kept = keeper::keep(&held).map_err(|error| system("keep the input open", &error))?;
            Ok(Given { stdin: Some(read), more: vec![kept.into()] })
        }
        (false, Stdin::Null) => Ok(Given { stdin: None, more: Vec::new() }),
    }
}
