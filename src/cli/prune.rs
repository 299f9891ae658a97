//! `prune`: housekeeping in the state directory.

use clap::Parser;
use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::units::{human_size, parse_duration};
use crate::prune::{Pruned, Wish, prune};
use crate::store::leftovers::Amount;

use super::Call;
use super::common::parse;
use super::out::worse;

/// Names that are listed one by one; the rest is a number.
const LISTED: usize = 20;

/// Removes what is left of deregistered processes, and what is beyond retention
///
/// Goes: state, logs and history of processes that are not in the registry; records of runs beyond the last 100; alerts that were given
/// up more than 30 days ago; control groups that nobody lives in. Of a registered process nothing goes that is needed, of one that lives nothing at all.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian prune --older-than 30d --dry-run")]
pub(super) struct Prune {
    /// Only what belongs to these processes
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only what is older; of registered processes, the records of older runs as well
    #[arg(long, value_name = "DURATION")]
    older_than: Option<String>,
    /// Say what would go, change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(call: &Call, command: &Prune) -> Result<u8, Error> {
    let older_than =
        command.older_than.as_deref().map(parse_duration).transpose().map_err(|error| {
            Error::new(Code::Usage, "usage", format!("--older-than: {}", error.what)).hint(error.hint)
        })?;
    let wish = Wish { names: parse(&command.names)?, older_than, dry_run: command.dry_run };
    let pruned = prune(&call.ctx, &wish)?;
    call.out.json(&as_json(&pruned, wish.dry_run));
    call.out.say(&lines(&pruned, wish.dry_run).join("\n"));
    let codes = pruned.errors.iter().map(|error| call.out.fail(error));
    Ok(codes.fold(0, worse))
}

fn as_json(pruned: &Pruned, dry_run: bool) -> Value {
    let amount = |amount: Amount| json!({"files": amount.files, "bytes": amount.bytes});
    let listed = pruned.processes.iter().take(LISTED);
    let listed: Vec<Value> =
        listed.map(|(name, gone)| json!({"name": name, "files": gone.files, "bytes": gone.bytes})).collect();
    let kept = pruned.kept.iter().take(LISTED);
    let kept: Vec<Value> = kept.map(|(name, why)| json!({"name": name, "why": why})).collect();
    json!({
        "schema": SCHEMA, "dry_run": dry_run, "removed": amount(pruned.amount()),
        "processes": {"count": pruned.processes.len(), "listed": listed},
        "runs": pruned.runs, "alerts": pruned.alerts, "groups": pruned.groups,
        "kept": {"count": pruned.kept.len(), "listed": kept},
        "errors": pruned.errors.iter().map(|error| &error.message).collect::<Vec<_>>(),
    })
}

fn lines(pruned: &Pruned, dry_run: bool) -> Vec<String> {
    let would = if dry_run { "would be removed" } else { "removed" };
    let mut lines = Vec::new();
    for (name, gone) in pruned.processes.iter().take(LISTED) {
        lines.push(format!("{name}: {} in {} files {would}", human_size(gone.bytes), gone.files));
    }
    if let Some(more) = pruned.processes.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    for (name, why) in pruned.kept.iter().take(LISTED) {
        lines.push(format!("{name}: kept: {why}"));
    }
    if let Some(more) = pruned.kept.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more kept"));
    }
    let all = pruned.amount();
    let processes = pruned.processes.len();
    lines.push(format!(
        "{would}: {} in {} files ({processes} processes, {} runs, {} alerts), {} control groups",
        human_size(all.bytes),
        all.files,
        pruned.runs,
        pruned.alerts,
        pruned.groups
    ));
    lines
}
