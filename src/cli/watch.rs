//! Watches in the commands that are about processes: which are meant, how they are shown, what is refused.

use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::healthcheck::Mode;
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::model::time::Stamp;
use crate::model::watch_state::Condition;
use crate::registry::{Registry, WatchEntry};
use crate::store::registry_file::Loaded;
use crate::supervise::now;
use crate::view::watch;
use crate::watches::{self, Report, When};

use super::Call;
use super::common::{Which, parse};

pub(super) use crate::view::watch::Row;

/// The refusal of a command that is for processes only.
pub(super) fn refused(name: &Name) -> Error {
    let message = format!("`{name}` is a watch: guardian looks at it, and does not run it");
    let hint = format!("guardian status {name}; start and stop what it watches by its own means");
    Error::new(Code::Refused, "is_a_watch", message).hint(hint).about(name)
}

/// The watches that are meant by names or a group; without either, all.
pub(super) fn asked(registry: &Registry, names: &[Name], group: Option<&str>) -> Vec<Name> {
    if registry.watches.is_empty() {
        return Vec::new();
    }
    let all = names.is_empty() && group.is_none();
    let meant = |(name, entry): &(&Name, &WatchEntry)| {
        all || names.contains(name) || (group.is_some() && entry.spec.group.as_deref() == group)
    };
    registry.watches.iter().filter(meant).map(|(name, _)| name.clone()).collect()
}

/// What is left for processes of what a command is about, and the watches in it. `None`: nothing is left.
pub(super) fn split_which(which: &Which, loaded: &Loaded) -> Result<(Option<Which>, Vec<Name>), Error> {
    let registry = &loaded.registry;
    let names = parse(&which.names)?;
    let watches = match which.all {
        true => registry.watches.keys().cloned().collect(),
        false if names.is_empty() && which.group.is_none() => Vec::new(),
        false => asked(registry, &names, which.group.as_deref()),
    };
    let mut rest = which.clone();
    rest.names.retain(|name| !watches.iter().any(|watch| watch.as_str() == name));
    if rest.group.as_ref().is_some_and(|group| !watches.is_empty() && super::common::members(registry, group).is_err())
    {
        rest.group = None;
    }
    let left = rest.all || rest.group.is_some() || !rest.names.is_empty();
    Ok((left.then_some(rest), watches))
}

/// Closes the breaker of a watch.
pub(super) fn reset(call: &Call, registry: &Registry, name: &Name) -> Result<(), Error> {
    match registry.watches.get(name) {
        Some(entry) => watches::reset(&call.ctx, name, &entry.spec),
        None => Err(Error::not_registered(name, None)),
    }
}

/// The rows of `names`. One that cannot be read is among the errors.
pub(super) fn rows<'a>(
    call: &Call,
    registry: &'a Registry,
    names: &[Name],
    now: &Stamp,
    errors: &mut Vec<Error>,
) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(names.len());
    for (name, entry) in names.iter().filter_map(|name| registry.watches.get_key_value(name)) {
        match watches::remembered(&call.ctx, name, &entry.spec) {
            Ok(state) => rows.push(watch::row(name.as_str(), &entry.spec, &state, now)),
            Err(error) => errors.push(error),
        }
    }
    rows
}

/// The table below that of processes.
pub(super) fn table<T>(processes: &[T], rows: &[Row<'_>]) -> String {
    match (processes.is_empty(), rows.is_empty()) {
        (_, true) => String::new(),
        (true, false) => watch::table(rows),
        (false, false) => format!("\n{}", watch::table(rows)),
    }
}

/// `why` of a watch.
pub(super) fn why(call: &Call, name: &Name, entry: &WatchEntry) -> Result<(), Error> {
    let state = watches::remembered(&call.ctx, name, &entry.spec)?;
    let row = watch::row(name.as_str(), &entry.spec, &state, &now()?);
    call.out.json(&json!({"schema": SCHEMA, "watch": row}));
    if !call.out.is_json() {
        call.out.answer(&watch::certificate(&row));
    }
    Ok(())
}

/// The part of a pass that is about watches. One that was named is looked at now.
pub(super) fn pass(call: &Call, registry: &Registry, asked_for: &[Name], mode: Mode) -> Report {
    let names = asked(registry, asked_for, None);
    if names.is_empty() {
        return Report::default();
    }
    let when = if asked_for.is_empty() { When::Due } else { When::Now };
    watches::pass(&call.ctx, registry, &names, when, mode)
}

/// What a pass says of watches, as JSON.
pub(super) fn json(registry: &Registry, report: &Report, now: &Stamp) -> Vec<Value> {
    let told = report.checked.iter().filter_map(|checked| {
        let entry = registry.watches.get(&checked.name)?;
        let row = watch::row(checked.name.as_str(), &entry.spec, &checked.state, now);
        Some(json!({"name": row.name, "kind": row.kind, "state": row.state, "reason": row.reason, "value": row.value,
                    "age_s": row.age_s, "failures": row.failures, "actions": checked.actions}))
    });
    told.collect()
}

/// What a pass says of watches, in lines: those that are not well, or about which something was done.
pub(super) fn lines(report: &Report, would: &str) -> Vec<String> {
    let told = report.checked.iter().filter(|checked| !is_well(checked) || !checked.actions.is_empty());
    told.map(|checked| {
        let reason = crate::view::words::strip_control(&checked.state.reason);
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let done = match checked.actions.as_slice() {
            [] => String::new(),
            actions => format!(" ({would}{})", actions.join(", ")),
        };
        format!("{}: {}{reason}{done}", checked.name, checked.state.condition.word())
    })
    .collect()
}

/// Whether it is known to be well.
pub(super) fn is_well(checked: &watches::Checked) -> bool {
    checked.state.condition == Condition::Ok
}
