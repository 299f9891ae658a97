//! The deaths of a report: the newest with all that is known of them, others in a line.

use super::axis::Axis;
use super::{Death, Report, escaped};
use crate::model::ending::Verdict;
use crate::model::units::human_duration;
use crate::view::certificate::{Certificate, rows};
use crate::view::words::cut;

/// Characters of a line of output, and of a cause.
const LINE: usize = 200;
/// Lines of output.
const TAIL: usize = 12;

/// The section; empty where nothing died. Each with its number.
pub(super) fn section(report: &Report<'_>, axis: &Axis) -> String {
    let all = report.deaths.len() + report.missing.deaths;
    let length = human_duration(report.length());
    if all == 0 {
        return format!("<section><h2>Deaths</h2><p>None in {length}.</p></section>\n");
    }
    let mut text = format!("<section><h2>Deaths <small>{all} in {length}, newest first</small></h2>\n");
    let (whole, lines): (Vec<_>, Vec<_>) =
        report.numbered().into_iter().partition(|(_, death)| death.certificate.is_some());
    for (number, death) in &whole {
        text.push_str(&article(axis, *number, death));
    }
    if !lines.is_empty() {
        let heading = if whole.is_empty() { "" } else { "<h3>In short</h3>\n" };
        text.push_str(heading);
        text.push_str("<div class=\"wide\"><table class=\"list\"><tr><th>No.</th><th>When</th><th>Process</th><th>Lived</th><th>Cause</th></tr>\n");
        for (number, death) in lines {
            text.push_str(&format!(
                "<tr id=\"d{number}\"><td>{number}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                when(axis, death),
                who(death),
                escaped(&lived(death)),
                escaped(&cut(&death.cause, LINE)),
            ));
        }
        text.push_str("</table></div>\n");
    }
    if report.missing.deaths > 0 {
        let (more, since) = (report.missing.deaths, report.from);
        text.push_str(&format!("<p class=\"left\">{more} more are not shown: guardian events --since {since}</p>\n"));
    }
    text + "</section>\n"
}

fn when(axis: &Axis, death: &Death) -> String {
    let found = if death.exact { "" } else { "found " };
    format!("{found}{}", escaped(&axis.moment(death.at)))
}

fn who(death: &Death) -> String {
    let name = escaped(&death.name);
    let run = death.run.map_or(String::new(), |run| format!(" run {run}"));
    format!("<a href=\"#p-{name}\">{name}</a>{run}")
}

fn lived(death: &Death) -> String {
    let verdict = death.verdict.map_or("ended, verdict not known,", Verdict::word);
    format!("{verdict} after {}", death.lived)
}

fn article(axis: &Axis, number: usize, death: &Death) -> String {
    let mut text = format!(
        "<article class=\"death\" id=\"d{number}\"><h3><b class=\"no\">{number}</b> {}</h3>\
         <p>{} · {}</p><p class=\"cause\">{}</p>\n",
        who(death),
        when(axis, death),
        escaped(&lived(death)),
        escaped(&cut(&death.cause, LINE)),
    );
    if let Some(certificate) = &death.certificate {
        text.push_str(&whole(certificate));
    }
    text + "</article>\n"
}

/// All that `why` would say.
fn whole(certificate: &Certificate) -> String {
    let mut text = "<details open><summary>certificate</summary><table>\n".to_owned();
    // What stands above, and what is so now, is said there.
    let shown = rows(certificate).into_iter().filter(|(what, _)| !matches!(*what, "cause" | "now"));
    for (what, lines) in shown {
        let value = lines.join(" ");
        text.push_str(&format!("<tr><th>{what}</th><td>{}</td></tr>\n", escaped(&value)));
    }
    text.push_str("</table>\n");
    let from = certificate.tail.len().saturating_sub(TAIL);
    let tail: Vec<String> = certificate.tail.iter().skip(from).map(|line| escaped(&cut(line, LINE))).collect();
    if !tail.is_empty() {
        text.push_str(&format!("<p class=\"what\">last output</p><pre>{}</pre>\n", tail.join("\n")));
    }
    text + &format!("<p class=\"what\">next</p><pre>{}</pre></details>", escaped(&certificate.next))
}
