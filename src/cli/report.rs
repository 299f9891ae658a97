//! `report`: what was over a time, as one page of HTML.

use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::units::human_size;
use crate::store::document;
use crate::supervise::now;
use crate::view::report;

use super::Call;
use super::common::{complain_of, registry};
use super::moment;
use super::out::worse;

mod gather;

/// Writes a page about what was, to be opened in the morning or mailed on
///
/// One HTML file without scripts: where everything stands, a line for each process over the time, every death with its
/// certificate, alerts, passes. Secrets are masked as in alerts. Exit code 0 when it was made, however things stand.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian report --since 24h --output report.html")]
pub(super) struct Report {
    /// Names of processes; without, all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All processes of this group
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
    /// From this time on: `24h` (ago), `18:30`, `2026-11-20 18:30`, RFC 3339
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: String,
    /// Write it into this file, at once and whole, readable for you alone, instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(call: &Call, command: &Report) -> Result<u8, Error> {
    let loaded = registry(call)?;
    let now = now()?;
    let from = moment::parse(&command.since, now.wall)?;
    if from >= now.wall {
        let message = format!("`--since {}` is not before now", command.since);
        return Err(Error::new(Code::Usage, "bad_time", message).hint("write for example `24h` or `2026-11-20 18:30`"));
    }
    let (made, errors) = gather::report(call, &loaded, command, (from, &now), |report| match call.out.is_json() {
        true => report::json(report).to_string() + "\n",
        false => report::page(report),
    })?;
    match &command.output {
        Some(path) => {
            document::write(path, made.as_bytes())?;
            told(call, path, made.len());
        }
        None => print(call, made.as_bytes())?,
    }
    let code = errors.iter().fold(0, |code, error| worse(code, call.out.fail(error)));
    Ok(worse(code, complain_of(&loaded, call)))
}

fn told(call: &Call, path: &Path, size: usize) {
    call.out.json(&json!({"schema": SCHEMA, "report": path.display().to_string(), "bytes": size}));
    let size = human_size(u64::try_from(size).unwrap_or(u64::MAX));
    call.out.say(&format!("written: {} ({size})", path.display()));
}

/// A page that is cut off would be taken for the whole.
fn print(call: &Call, bytes: &[u8]) -> Result<(), Error> {
    match call.out.raw(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::System, "io", format!("cannot write the report: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
