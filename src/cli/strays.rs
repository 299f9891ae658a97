//! `strays`: what agents left running past guardian. Shows, and ends nothing.

use std::time::Duration;

use clap::Parser;

use crate::error::{Code, Error};
use crate::model::units::parse_duration;
use crate::strays::{find, row};
use crate::supervise::now;
use crate::view::strays::{Rest, Row, document, remarks, table};

use super::Call;
use super::common::{complain_of, registry};
use super::out::worse;

/// Most that are listed.
const LISTED: usize = 50;

/// Lists processes that agents left running outside the registry; kills nothing
///
/// Exit code 1: there are some. Take one under guard with `guardian adopt NAME --pid PID`.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian strays --older 1h")]
pub(super) struct Strays {
    /// Only those that run for at least this long
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    older: String,
}

pub(super) fn run(call: &Call, command: &Strays) -> Result<u8, Error> {
    let older: Duration = parse_duration(&command.older)
        .map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))?;
    let loaded = registry(call)?;
    let found = find(&call.ctx, &loaded.registry, older, LISTED)?;
    let at = now()?.wall;
    let rest = Rest { more: found.more, unreadable: found.unreadable, hidden: found.hidden };
    let rows: Vec<Row> = found.strays.iter().map(|stray| row(stray, at)).collect();
    call.out.json(&document(&rows, rest, at, older.as_secs()));
    if !call.out.is_json() {
        if rows.is_empty() {
            call.out.say("no strays");
        } else {
            call.out.answer(&table(&rows));
        }
        for line in remarks(rest) {
            call.out.say(&line);
        }
    }
    let code = if rows.is_empty() { 0 } else { Code::No as u8 };
    Ok(worse(code, complain_of(&loaded, call)))
}
