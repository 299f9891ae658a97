//! Silences as they are shown.

use serde_json::{Value, json};

use super::words::strip_control;
use crate::model::silence::{Silence, Whom};
use crate::model::time::Stamp;
use crate::model::units::human_duration;

/// Whom a silence covers.
#[must_use]
pub fn whom(whom: &Whom) -> String {
    match whom {
        Whom::Process(name) => name.to_string(),
        Whom::Group(group) => format!("group {}", strip_control(group)),
        Whom::All => "everything".to_owned(),
    }
}

/// One silence that goes on, in a line.
#[must_use]
pub fn row(silence: &Silence, now: &Stamp) -> String {
    let rest = silence.rest(now).map(human_duration).unwrap_or_default();
    let reason = match silence.reason.as_str() {
        "" => String::new(),
        reason => format!(": {}", strip_control(reason)),
    };
    format!("{} for {rest} more, by {}{reason}", whom(&silence.whom), strip_control(&silence.by))
}

/// One silence, for programs.
#[must_use]
pub fn document(silence: &Silence, now: &Stamp) -> Value {
    let (kind, name) = match &silence.whom {
        Whom::Process(name) => ("process", Some(name.as_str())),
        Whom::Group(group) => ("group", Some(group.as_str())),
        Whom::All => ("all", None),
    };
    json!({
        "of": kind,
        "name": name,
        "since": silence.from.wall.to_string(),
        "until": silence.rest(now).map(|rest| now.plus(rest).wall.to_string()),
        "by": silence.by,
        "reason": silence.reason,
    })
}
