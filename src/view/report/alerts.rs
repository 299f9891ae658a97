//! What a report says of alerts and of passes.

use std::time::Duration;

use super::axis::Axis;
use super::{LISTED, Report, escaped};
use crate::model::units::human_duration;
use crate::policy::lapse::Lapse;
use crate::view::outbox::{parts, stuck_alerts};
use crate::view::words::{cut, strip_control};

/// Characters of a line.
const LINE: usize = 300;

/// What stands above all: that alerts do not arrive, that no pass runs.
pub(super) fn warnings(report: &Report<'_>) -> Vec<String> {
    let mut all = Vec::new();
    if report.health.overdue {
        let since = report.health.age_s.map_or("no pass has run yet".to_owned(), |age| {
            format!("the last pass ran {} ago", human_duration(Duration::from_secs(age)))
        });
        all.push(format!("a pass is overdue, {since}: deaths of shims and reboots go unseen; see: guardian doctor"));
    }
    all.extend(report.health.ping_failed.as_ref().map(|why| format!("the last ping failed: {why}")));
    let backlog = report.alerts.as_ref().and_then(|(backlog, _)| stuck_alerts(backlog));
    all.extend(backlog.map(|line| line.trim_start_matches("warning: ").to_owned()));
    let storm = report.storm.as_ref().map(crate::view::storm::warning);
    all.extend(
        storm.map(|text| text.trim_start_matches("warning: ").lines().map(str::trim).collect::<Vec<_>>().join("; ")),
    );
    all.extend(report.missing.errors.iter().take(LISTED).map(|why| format!("could not be read: {why}")));
    let more = report.missing.errors.len().saturating_sub(LISTED);
    all.extend((more > 0).then(|| format!("and {more} more that could not be read")));
    let later = report.missing.later;
    all.extend((later > 0).then(|| format!("{later} events of a later guardian are not counted")));
    all.iter().map(|line| cut(&strip_control(line), LINE)).collect()
}

/// The section about alerts.
pub(super) fn section(report: &Report<'_>) -> String {
    let Some((backlog, overview)) = &report.alerts else {
        return "<section><h2>Alerts</h2><p>The outbox cannot be read.</p></section>\n".to_owned();
    };
    let hushed: usize = overview.hushed.iter().map(|row| row.count).sum();
    let mut text = format!(
        "<section><h2>Alerts</h2><p>{} pending, {} given up, {hushed} not told in the last day.</p>\n",
        backlog.pending, backlog.dead
    );
    for (title, lines) in parts(overview, report.now) {
        text.push_str(&format!("<h3>{}</h3>{}", escaped(title), list(&lines, "guardian alerts")));
    }
    text + "</section>\n"
}

/// The section about passes.
pub(super) fn passes(report: &Report<'_>, axis: &Axis) -> String {
    let every = human_duration(Duration::from_secs(report.health.every_s));
    let last = report.health.last_at.as_ref().map(|at| {
        let took = report.pass_took.map_or(String::new(), |took| format!(", took {}", human_duration(took)));
        format!("The last one ran {}{took}; one is due every {every}.", axis.written(at))
    });
    let last = last.unwrap_or_else(|| format!("None has run, as far as is known; one is due every {every}."));
    let mut text = format!("<section><h2>Passes</h2><p>{}</p>\n", escaped(&last));
    let lapses: Vec<&Lapse> = match &report.lapses {
        Some(known) => {
            if known.since > report.from {
                let since = axis.moment(known.since);
                text.push_str(&format!("<p>What was before {} is not known.</p>\n", escaped(&since)));
            }
            known.lapses.iter().rev().collect()
        }
        None => {
            text.push_str("<p>No time without a pass was noted.</p>\n");
            Vec::new()
        }
    };
    if report.lapses.is_some() && lapses.is_empty() {
        text.push_str("<p>There was no gap between them.</p>\n");
    }
    let lines: Vec<String> = lapses
        .iter()
        .map(|lapse| {
            let length = human_duration(lapse.from.until(lapse.until));
            format!("{} to {} ({length}): {}", axis.moment(lapse.from), axis.moment(lapse.until), lapse.words())
        })
        .collect();
    text + &list(&lines, "") + "</section>\n"
}

/// A list, cut; `more`: what shows the rest.
fn list(lines: &[String], more: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items = lines.iter().take(LISTED).map(|line| format!("<li>{}</li>\n", escaped(&cut(line, LINE))));
    let rest = lines.len().saturating_sub(LISTED);
    let more = if more.is_empty() { String::new() } else { format!(": {more}") };
    let rest = if rest > 0 { format!("<li class=\"left\">and {rest} more{more}</li>\n") } else { String::new() };
    format!("<ul>{}{rest}</ul>\n", items.collect::<String>())
}
