//! What a pass says of the care for logs: part of `healthcheck`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Value, json};

use crate::error::Error;
use crate::logs::{Tidied, is_due, tidy};
use crate::model::time::Wall;
use crate::model::units::human_size;
use crate::registry::Registry;

use super::Call;

/// Cares for rotated parts, if it is time; what goes for want of room is also written down in `guardian.log`.
pub(super) fn care(call: &Call, registry: &Registry, last: Option<Wall>, now: Wall) -> Result<Option<Tidied>, Error> {
    if !is_due(&call.ctx, registry, last, now) {
        return Ok(None);
    }
    let tidied = tidy(&call.ctx, registry, now)?;
    let lines = lines(&tidied);
    if !lines.is_empty() {
        let path = call.ctx.paths.state.join("guardian.log");
        let text: String = lines.iter().map(|line| format!("{now} {line}\n")).collect();
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Error::io("append to", &path, &error))?;
    }
    Ok(Some(tidied))
}

/// What an operator should know.
pub(super) fn lines(tidied: &Tidied) -> Vec<String> {
    let Some(total) = tidied.total.map(human_size) else { return Vec::new() }; // without one, nothing is over it
    let mut lines = Vec::new();
    if !tidied.dropped.is_empty() {
        let parts: usize = tidied.dropped.values().sum();
        let mut names: Vec<&str> = tidied.dropped.keys().take(5).map(|name| name.as_str()).collect();
        if tidied.dropped.len() > names.len() {
            names.push("…");
        }
        lines.push(format!(
            "logs: {parts} rotated parts of {} removed, {}: all logs together were over {total} (`[logs] total`)",
            names.join(", "),
            human_size(tidied.freed)
        ));
    }
    if tidied.is_over() {
        lines.push(format!(
            "warning: logs take {}, over the {total} of `[logs] total`, and no rotated part is left to go: lower `log_max`, or `guardian prune`",
            human_size(tidied.bytes)
        ));
    }
    lines
}

/// The same for programs; `None`: it was not time.
pub(super) fn as_json(tidied: Option<&Tidied>) -> Value {
    tidied.map_or(Value::Null, |tidied| {
        json!({
            "bytes": tidied.bytes, "total": tidied.total, "over": tidied.is_over(), "compressed": tidied.compressed,
            "dropped": {"aged": tidied.aged, "over_total": tidied.dropped.values().sum::<usize>(), "freed_bytes": tidied.freed},
        })
    })
}
