//! `metrics`: Prometheus text on standard output, or for node_exporter's textfile collector.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::healthcheck::Report;
use crate::metrics::{collect, publish, whose};
use crate::model::event::SCHEMA;
use crate::store::registry_file::Loaded;
use crate::view::exposition::{Labels, json, text};
use crate::view::metrics::families;

use super::Call;
use super::common::{complain_of, registry};
use super::out::worse;

/// Prints what Prometheus should know: processes, passes, alerts, incidents
///
/// A value that is not known is not there. For each pass to write it: `textfile = "DIR"` in `[healthcheck]`.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian metrics --textfile /var/lib/prometheus/node-exporter")]
pub(super) struct Metrics {
    /// Write `DIR/guardian.prom` instead, at once and whole, for node_exporter's textfile collector
    #[arg(long, value_name = "DIR")]
    textfile: Option<PathBuf>,
}

pub(super) fn run(call: &Call, command: &Metrics) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let errors = match &command.textfile {
        Some(dir) => {
            let errors = publish(&call.ctx, &loaded, &absolute(dir)?)?;
            let path = dir.join("guardian.prom").display().to_string();
            call.out.json(&json!({"schema": SCHEMA, "textfile": path}));
            call.out.say(&format!("written: {path}"));
            errors
        }
        None => print(call, &loaded)?,
    };
    let code = errors.iter().fold(0, |code, error| worse(code, call.out.fail(error)));
    Ok(worse(code, complain_of(&loaded, call)))
}

fn print(call: &Call, loaded: &Loaded) -> Result<Vec<Error>, Error> {
    let (snapshot, errors) = collect(&call.ctx, loaded)?;
    let whose = whose(&call.ctx);
    let labels: Labels<'_> = whose.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let families = families(&snapshot);
    if call.out.is_json() {
        call.out.json(&json!({"schema": SCHEMA, "families": json(&families, &labels)}));
    } else {
        // For programs: taken as it is, but for a terminal.
        let text = text(&families, &labels);
        match std::io::stdout().is_terminal() {
            true => drop(call.out.answer(&text)),
            false => drop(call.out.raw(text.as_bytes())), // a reader that closed its end has enough
        }
    }
    Ok(errors)
}

fn absolute(dir: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(dir).map_err(|error| Error::io("find", dir, &error))
}

/// After a pass over all: the file that the registry asks for. What fails is among the errors of the pass.
pub(super) fn after_pass(call: &Call, loaded: &Loaded, report: &mut Report) {
    let Some(dir) = &loaded.registry.healthcheck.textfile else { return };
    match publish(&call.ctx, loaded, Path::new(dir)) {
        Ok(_) => {} // what cannot be read is counted there, and the pass has said so itself
        Err(error) => {
            let error = Error { message: format!("`textfile`: {}", error.message), code: Code::System, ..error };
            report.errors.push(error);
        }
    }
}
