//! What is known of the surroundings of a run that was there before guardian: what the kernel shows of it when it is
//! adopted. What may have changed since it began is not taken for what it began with.

use std::path::PathBuf;

use crate::context::Context;
use crate::model::metadata::{CommandLine, FileFact, Metadata, SCHEMA, bounded_names};
use crate::model::name::Name;
use crate::model::spec::{Command, Spec};
use crate::model::state::OpenRun;
use crate::os::fingerprint::{file_id, sha256};
use crate::os::{stranger, surroundings};

use super::{input, is_older, keep, target};

/// A process as it was found.
#[derive(Debug)]
pub struct Found {
    /// Its process id.
    pub pid: i32,
    /// Its arguments; `None`: it does not show them.
    pub argv: Option<Vec<String>>,
    /// Names of the variables that it was executed with.
    pub variables: Vec<String>,
    /// Its file mode creation mask.
    pub umask: u32,
}

/// Takes down what is known of the run that `found` has become. Call it when the process is watched already.
pub fn adopted(ctx: &Context, name: &Name, spec: &Spec, open: &OpenRun, found: Found) {
    let Some((uid, gid, groups)) = stranger::ids(found.pid) else { return };
    let Ok(cwd) = stranger::cwd(found.pid) else { return };
    let as_it_runs = found.argv.map(|argv| Spec { command: Command::Argv(argv), ..spec.clone() });
    let spec = as_it_runs.as_ref().unwrap_or(spec);
    let taken = Metadata {
        schema: SCHEMA,
        name: name.clone(),
        run: open.run,
        at: open.since.wall,
        guardian: env!("CARGO_PKG_VERSION").to_owned(),
        host: ctx.host.clone(),
        boot: open.since.boot.clone(),
        kernel: surroundings::kernel(),
        uid,
        gid,
        groups: Some(groups),
        umask: format!("{:o}", found.umask),
        cwd: cwd.to_string_lossy().into_owned(),
        command: CommandLine::new(&spec.command.argv(), sha256),
        target: target(spec),
        healthy_after_ms: u64::try_from(spec.healthy_after.as_millis()).unwrap_or(u64::MAX), // longer than anything lives
        environment: bounded_names(found.variables.into_iter()),
        rlimits: surroundings::rlimits_of(found.pid),
        program: program(found.pid, open),
        input: input(&cwd, spec, open),
        git: None,   // what is checked out now need not be what it was started from
        asked: None, // who adopts it did not start it
    };
    keep(ctx, spec, taken);
}

/// What it executes. Certain where the file is unchanged since it began, and is still at its place.
fn program(pid: i32, open: &OpenRun) -> Option<FileFact> {
    let path: PathBuf = stranger::executable(pid)?;
    let file = file_id(&path);
    let runs = surroundings::executed(pid);
    let file = file.filter(|file| runs == Some((file.dev, file.ino)) && is_older(file, open));
    Some(FileFact { path: path.to_string_lossy().into_owned(), file, sha256: None })
}
