//! `beat`: a sign of progress, by hand or from a script.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::progress::{Beat as Said, Count};
use crate::store::beat;
use crate::supervise::now;
use crate::view::words::{cut, strip_control};

use super::Call;
use super::common::{complain_of, known, registry};

/// Longest message that is kept, in characters.
const MESSAGE: usize = 200;

/// Gives a heartbeat: the process shows progress
///
/// The one that is named, or the one this is called from. /// The same as touching the file in GUARDIAN_HEARTBEAT_FILE. Read by `heartbeat` and `hang_after`, shown by `status`.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian beat --progress 3/10 --message \"third file\"")]
pub(super) struct Beat {
    /// Name of the process; without, the one in whose environment this runs
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// What it is at
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// How far it is: done/all
    #[arg(short, long, value_name = "N/M")]
    progress: Option<Count>,
}

pub(super) fn run(call: &Call, command: &Beat) -> Result<u8, Error> {
    let (name, file, code) = whose(call, command)?;
    let message = command.message.as_deref().map(|message| cut(&strip_control(message), MESSAGE));
    let said = Said { message, progress: command.progress };
    beat::give(&file, &said, now()?.wall)?;
    call.out.json(&json!({"schema": SCHEMA, "name": name, "message": said.message, "progress": said.progress}));
    Ok(code)
}

/// The process, its heartbeat file, and the exit code should the registry have mistakes.
fn whose(call: &Call, command: &Beat) -> Result<(Name, PathBuf, u8), Error> {
    let variable = |name: &str| call.ctx.environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let own = variable("GUARDIAN_NAME").and_then(|name| name.to_str());
    let file = variable("GUARDIAN_HEARTBEAT_FILE").filter(|_| own.is_some() && command.name.is_none());
    // Its own file is named to it: called often, this needs no registry.
    if let (Some(name), Some(file)) = (own, file) {
        return Ok((name.parse()?, PathBuf::from(file), 0));
    }
    if let Some(name) = command.name.as_deref().or(own) {
        let name: Name = name.parse()?;
        let loaded = registry(call)?;
        known(&loaded, std::slice::from_ref(&name), call)?;
        let file = call.ctx.paths.sentinel(&name, "heartbeat");
        return Ok((name, file, complain_of(&loaded, call)));
    }
    let message = "no process is named, and GUARDIAN_NAME is not set";
    Err(Error::new(Code::Usage, "no_name", message).hint("guardian beat NAME"))
}
