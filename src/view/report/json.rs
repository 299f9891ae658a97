//! A report for programs: the same facts, as much of each as there is room for.

use serde_json::{Value, json};

use super::{Death, LISTED, Process, Report};
use crate::model::event::SCHEMA;
use crate::model::time::Wall;
use crate::policy::lapse::Lapse;
use crate::policy::timeline::Span;
use crate::view::certificate_json;
use crate::view::outbox;
use crate::view::words::cut;

/// Spans of all lines together.
const SPANS: usize = 20_000;
/// Characters of a text.
const TEXT: usize = 300;

/// The whole document.
#[must_use]
pub fn json(report: &Report<'_>) -> Value {
    let most = SPANS.checked_div(report.processes.len()).unwrap_or(SPANS).clamp(20, 500);
    let lapses = report.lapses.as_ref();
    let shown = lapses.map(|known| known.lapses.iter().rev().take(LISTED).map(lapse).collect::<Vec<_>>());
    let errors = report.missing.errors.iter().take(LISTED).map(|why| cut(why, TEXT));
    json!({
        "schema": SCHEMA, "host": report.host, "at": time(report.now.wall), "since": time(report.from),
        "version": report.version, "verdict": report.verdict(), "well": report.is_well(), "about": report.about,
        "healthcheck": report.health, "storm": report.storm,
        "passes": {"known_since": lapses.map(|known| time(known.since)), "gaps": shown},
        "processes": report.ranked().into_iter().map(|one| process(one, most)).collect::<Vec<_>>(),
        "watches": report.watches,
        "deaths": report.numbered().into_iter().map(death).collect::<Vec<_>>(),
        "alerts": alerts(report),
        "errors": errors.collect::<Vec<_>>(),
        "left_out": {
            "deaths": report.missing.deaths,
            "gaps": lapses.map_or(0, |known| known.lapses.len().saturating_sub(LISTED)),
            "events_of_a_later_guardian": report.missing.later,
            "errors": report.missing.errors.len().saturating_sub(LISTED),
        },
    })
}

fn time(at: Wall) -> Option<String> {
    at.rfc3339()
}

fn lapse(lapse: &Lapse) -> Value {
    json!({"from": time(lapse.from), "until": time(lapse.until), "rebooted": lapse.rebooted, "missed": lapse.missed})
}

/// The newest of its spans.
fn process(process: &Process, most: usize) -> Value {
    let left_out = process.spans.len().saturating_sub(most);
    let span = |span: &Span| json!({"from": time(span.from), "until": time(span.until), "state": span.kind});
    let [up, missing, unknown] = process.times().map(|time| time.as_secs());
    json!({
        "name": process.name, "group": process.group, "state": process.state, "desired": process.desired,
        "as_desired": process.as_desired, "pid": process.pid, "run": process.run, "uptime_s": process.uptime_s,
        "target": process.target, "restarts": process.restarts, "deaths": process.deaths.len(),
        "ended_well": process.ended_well, "next_action_at": process.next_at, "remark": cut(&process.remark, TEXT),
        "available": process.available(), "up_s": up, "missing_s": missing, "unknown_s": unknown,
        "timeline": process.spans.iter().skip(left_out).map(span).collect::<Vec<_>>(), "timeline_left_out": left_out,
    })
}

fn death((number, death): (usize, &Death)) -> Value {
    json!({
        "number": number, "process": death.name, "run": death.run, "at": time(death.at), "at_is_exact": death.exact,
        "verdict": death.verdict, "lived": death.lived, "cause": cut(&death.cause, TEXT),
        "certificate": death.certificate.as_ref().map(|certificate| certificate_json::json(certificate)),
    })
}

/// The outbox, with at most so many entries of each list, and how many of it are not here.
fn alerts(report: &Report<'_>) -> Option<Value> {
    let (backlog, overview) = report.alerts.as_ref()?;
    let mut document = outbox::json(overview, report.now);
    let mut left_out = json!({});
    for (name, list) in
        document.as_object_mut()?.iter_mut().filter_map(|(name, list)| Some((name, list.as_array_mut()?)))
    {
        left_out[name] = list.len().saturating_sub(LISTED).into();
        list.truncate(LISTED);
    }
    document["left_out"] = left_out;
    document["counts"] = json!(backlog);
    Some(document)
}
