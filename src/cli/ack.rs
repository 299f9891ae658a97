//! `alerts ack`, and `ack` for short: somebody knows of an incident.

use clap::Parser;
use serde_json::json;

use crate::error::Error;
use crate::healthcheck::{Report, deliver};
use crate::incidents::acknowledge;
use crate::model::event::SCHEMA;
use crate::model::incident::{Ack as Acknowledged, Book};
use crate::os::user;
use crate::supervise::now;
use crate::view::incident::document;
use crate::view::words::strip_control;

use super::Call;
use super::common::{complain_of, registry};

/// Says that you know of an incident: not told again until it becomes worse
#[derive(Debug, Clone, Parser)]
#[command(after_help = "Example: guardian ack btc-bot --note 'exchange is down, waiting'")]
pub(super) struct Ack {
    /// Name of the process, id of its incident, or id of a message of it
    #[arg(value_name = "ID|NAME")]
    which: String,
    /// What the others should know
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Who knows; you, where it is left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

pub(super) fn run(call: &Call, command: &Ack) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let by = command.by.clone().unwrap_or_else(user::name);
    let ack = Acknowledged { by, note: command.note.clone(), at: now()? };
    let (name, incident, queued) = acknowledge(&call.ctx, &command.which, ack, &loaded.registry.sinks)?;
    if queued > 0 {
        // What cannot be delivered now waits for the next pass.
        let mut report = Report::default();
        let drained = deliver(&call.ctx, &loaded.registry, &mut report)?;
        for error in &drained.errors {
            call.out.warn(error);
        }
    }
    let document = document(&incident, &Book::default());
    call.out.json(&json!({"schema": SCHEMA, "incident": document}));
    let by = incident.ack.as_ref().map_or("", |ack| ack.by.as_str());
    let (id, by) = (strip_control(&incident.id), strip_control(by));
    call.out.say(&format!("{name}: incident {id} is acknowledged by {by}; told again if it becomes worse"));
    Ok(complain_of(&loaded, call))
}
