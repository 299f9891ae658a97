//! What is shown of many processes: each row in the form that was asked for, made by the thread that looks, and the text around them.

use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::state::Desired;
use crate::policy::stuck::Backlog;
use crate::store::registry_file::Loaded;
use crate::view::outbox::stuck_alerts;
use crate::view::status::{Health, Row, table};

use super::super::{Call, watch};
use super::Looked;

/// From this number of processes on a second thread saves more than it costs.
const WORTH_A_THREAD: usize = 48;
/// One process in the form that was asked for.
pub(super) struct Shown<'a> {
    /// For people.
    pub(super) row: Option<Box<Row<'a>>>,
    /// For programs.
    pub(super) document: Option<Box<RawValue>>,
    pub(super) as_desired: bool,
    /// It is desired up.
    pub(super) wanted: bool,
    pub(super) alive: bool,
}

impl<'a> Shown<'a> {
    /// What came of a look.
    pub(super) fn of(call: &Call, looked: Looked<'a, '_>) -> Result<Self, Error> {
        let Looked { row, as_desired, .. } = looked;
        let (wanted, alive) = (row.desired == Desired::Up, row.state.is_alive());
        if !call.out.is_json() {
            return Ok(Self { row: Some(Box::new(row)), document: None, as_desired, wanted, alive });
        }
        let document = to_raw_value(&row).map_err(|error| {
            Error::new(Code::Bug, "bug", format!("the row of `{}` cannot be written as JSON: {error}", row.name))
        })?;
        Ok(Self { row: None, document: Some(document), as_desired, wanted, alive })
    }
}

/// Looks at each name, in order; many of them on two threads, since most of a look is spent in the kernel.
pub(super) fn looks<'a, T: Send>(names: &'a [Name], look: impl Fn(&'a Name) -> T + Sync) -> Vec<T> {
    let all = |names: &'a [Name]| names.iter().map(&look).collect::<Vec<T>>();
    if names.len() < WORTH_A_THREAD {
        return all(names);
    }
    let (first, second) = names.split_at(names.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| all(second));
        let mut looks = all(first);
        match other.join() {
            Ok(more) => looks.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        looks
    })
}

/// The table for people, with what is wrong besides.
pub(super) fn text(
    rows: &[Row<'_>],
    watches: &[watch::Row<'_>],
    health: &Health,
    alerts: &Backlog,
    loaded: &Loaded,
) -> String {
    let mut text = match (rows, loaded.registry.processes.is_empty()) {
        ([], _) if !watches.is_empty() => String::new(),
        ([], true) => "no process is registered: guardian register NAME -- COMMAND\n".to_owned(),
        (rows, _) => table(rows),
    };
    text.push_str(&watch::table(rows, watches));
    if let Some(why) = &health.ping_failed {
        text.push_str(&format!("\nwarning: last ping failed: {why}\n"));
    }
    if health.overdue {
        let since = health.age_s.map_or("no pass has run yet".to_owned(), |age| {
            format!("the last pass ran {} ago", crate::model::units::human_duration(Duration::from_secs(age)))
        });
        text.push_str(&format!("\nwarning: a pass is overdue, {since}: deaths of shims and reboots go unseen\n  hint: guardian install --cron, or see why cron does not run\n"));
    }
    text + &stuck_alerts(alerts).map_or(String::new(), |warning| format!("\n{warning}\n"))
}
