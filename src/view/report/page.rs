//! A report as one HTML file: no script, nothing from elsewhere, readable on a phone, in the dark and on paper.

use super::alerts;
use super::axis::{Axis, WIDTH};
use super::deaths;
use super::processes::{Numbers, head, process};
use super::{Death, Report, escaped};
use crate::model::units::human_duration;
use crate::model::watch_state::Condition;
use crate::view::words::cut;

/// How it looks.
const STYLE: &str = include_str!("page.css");
/// Nothing is fetched and nothing runs, even if a text got past what makes it harmless.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Report<'_> {
    /// Deaths, newest first, each with its number: the oldest that is shown has 1.
    pub(super) fn numbered(&self) -> Vec<(usize, &Death)> {
        self.deaths.iter().enumerate().map(|(nth, death)| (self.deaths.len() - nth, death)).collect()
    }
}

/// The whole file.
#[must_use]
pub fn page(report: &Report<'_>) -> String {
    let axis = Axis::of(report);
    let verdict = report.verdict();
    let well = if report.is_well() { "ok" } else { "bad" };
    let length = human_duration(report.length());
    let about = report.about.as_ref().map_or(String::new(), |about| format!(" · {}", escaped(about)));
    let host = escaped(report.host);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{host}: {}</title>\n<style>\n{STYLE}</style></head>\n<body>\n\
         <header class=\"{well}\"><p>{host} · {} · the last {length}{about}</p><h1>{}</h1></header>\n",
        escaped(&verdict),
        escaped(&axis.whole(report.now.wall)),
        escaped(&verdict),
    );
    let warnings = alerts::warnings(report);
    if !warnings.is_empty() {
        let items: String = warnings.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect();
        page.push_str(&format!("<ul class=\"warn\">{items}</ul>\n"));
    }
    page.push_str(&processes(report, &axis));
    page.push_str(&watches(report, &axis));
    page.push_str(&deaths::section(report, &axis));
    page.push_str(&alerts::section(report));
    page.push_str(&alerts::passes(report, &axis));
    page + &format!(
        "<footer><p>Available: the share of the time in which a process was wanted up that it was up and ready; what is not known \
         counts for neither. Times are {}; those that end in Z are UTC. guardian {}</p></footer>\n</body></html>\n",
        escaped(report.zone.name()),
        escaped(report.version)
    )
}

fn processes(report: &Report<'_>, axis: &Axis) -> String {
    if report.processes.is_empty() {
        return String::new();
    }
    let ticks: String = axis.ticks().iter().map(|(place, _)| format!("M{:.1} 0v24", place * WIDTH)).collect();
    let mut text = format!(
        "<svg class=\"defs\" aria-hidden=\"true\"><defs><path id=\"ticks\" d=\"{ticks}\"/></defs></svg>\n\
         <section class=\"all\"><h2>Processes</h2>\n{}",
        head(axis)
    );
    let numbers: Numbers<'_> =
        report.numbered().into_iter().map(|(number, death)| ((death.name.as_str(), death.at), number)).collect();
    for one in report.ranked() {
        text.push_str(&process(report, axis, one, &numbers));
    }
    text + "</section>\n"
}

fn watches(report: &Report<'_>, axis: &Axis) -> String {
    if report.watches.is_empty() {
        return String::new();
    }
    let rows: String = report
        .watches
        .iter()
        .map(|watch| {
            let well = if watch.state == Condition::Ok { "ok" } else { "bad" };
            let since = watch.since.as_ref().map_or("not known".to_owned(), |at| axis.written(at));
            let seen = watch.reason.as_ref().or(watch.value.as_ref()).map_or("", String::as_str);
            format!(
                "<tr><td>{}</td><td><b class=\"state {well}\">{}</b></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escaped(watch.name),
                watch.state.word(),
                escaped(watch.kind),
                escaped(&since),
                escaped(&cut(seen, 200)),
            )
        })
        .collect();
    format!(
        "<section><h2>Watches</h2><div class=\"wide\"><table class=\"list\"><tr><th>Watch</th><th>State</th><th>Kind</th>\
         <th>Since</th><th>Seen</th></tr>\n{rows}</table></div></section>\n"
    )
}
