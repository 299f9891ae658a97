//! Why a start failed, for whoever asked: the thing, the cause and the way out.

use std::io;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::launch;
use crate::model::evidence::{Placed, Recorded, SpawnStep};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::os::read::regular;
use crate::os::user;
use crate::store::record;

/// Largest script whose first line is read, in bytes.
const SCRIPT_MAX: u64 = 16 << 20;

/// A failed start as an error for whoever asked, with the way out.
#[must_use]
pub(super) fn start_error(ctx: &Context, name: &Name, spec: &Spec, run: u64, (step, errno): (SpawnStep, i32)) -> Error {
    let error = io::Error::from_raw_os_error(errno);
    let cwd = launch::working_directory(ctx, spec);
    let argv = spec.command.argv();
    let program = argv.first().map_or("", String::as_str);
    let (what, hint) = match (step, errno) {
        (SpawnStep::Isolate, _) => (
            placed(ctx, name, run).and_then(|placed| placed.why).unwrap_or_else(|| error.to_string()),
            "start it as root or under systemd, or with `isolation = \"auto\"`".to_owned(),
        ),
        (SpawnStep::User, _) => (
            format!(
                "it is to run as user `{}`, and guardian runs as `{}`: {error}",
                spec.user.as_deref().unwrap_or_default(), // the step is taken for a `user` alone
                user::name()
            ),
            "only root may start processes as another user: run guardian as root, or take `user` out".to_owned(),
        ),
        (SpawnStep::Cwd, libc::ENOENT) => {
            (format!("working directory `{}` does not exist", cwd.display()), "create it, or change `cwd`".to_owned())
        }
        (SpawnStep::Cwd, _) => {
            (format!("working directory `{}`: {error}", cwd.display()), "mend it, or change `cwd`".to_owned())
        }
        (SpawnStep::EnvFile, _) => match launch::env_file_trouble(spec) {
            Ok(Some(unfit)) if unfit.errno == errno => {
                let hint = unfit.error.hint;
                (unfit.error.message, if hint.is_empty() { "mend it, or change `env_file`".to_owned() } else { hint })
            }
            Ok(_) | Err(_) => (format!("its `env_file`: {error}"), "give the command again".to_owned()), // it was mended meanwhile
        },
        (SpawnStep::Fork, _) => {
            (format!("no process could be made: {error}"), "look at `ulimit -u` and memory".to_owned())
        }
        (SpawnStep::Shim, _) => {
            let message = format!("process `{name}` cannot start: its shim ended before it made a process");
            let hint = format!("somebody killed it, or the disk is full: guardian why {name}");
            return Error::new(Code::No, "spawn_failed", message).hint(hint).about(name);
        }
        (SpawnStep::Exec, libc::ENOENT) => match launch_interpreter(&cwd, program) {
            Some(interpreter) => (
                format!("the interpreter `{interpreter}` of `{program}` does not exist"),
                "mend the first line of the script, or install it".to_owned(),
            ),
            None => (
                format!("program `{program}` does not exist"),
                format!("give its whole path, or check PATH: `guardian config show {name}` tells where it came from"),
            ),
        },
        (SpawnStep::Exec, libc::EACCES) => {
            (format!("program `{program}` may not be executed"), format!("chmod +x {program}"))
        }
        (SpawnStep::Exec, libc::ENOEXEC) => (
            format!("program `{program}` is neither a program of this machine nor a script with `#!`"),
            "add a first line such as `#!/bin/sh`, or start it with its interpreter".to_owned(),
        ),
        (SpawnStep::Exec, _) => (format!("program `{program}`: {error}"), String::new()),
    };
    let message = format!("process `{name}` cannot start: {what} (errno {errno})");
    Error::new(Code::No, "spawn_failed", message).hint(hint).about(name)
}

/// Where run `run` was put, going by its record.
#[must_use]
pub(super) fn placed(ctx: &Context, name: &Name, run: u64) -> Option<Placed> {
    match record::read(&ctx.paths, name, run).0 {
        Recorded::Read(record) => record.placed,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    }
}

/// The interpreter that a script names in its first line, when the script is there.
fn launch_interpreter(cwd: &std::path::Path, program: &str) -> Option<String> {
    let text = regular(&cwd.join(program), SCRIPT_MAX).ok()?;
    let first = text.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
    let line = String::from_utf8_lossy(first);
    line.split_whitespace().next().map(str::to_owned)
}
