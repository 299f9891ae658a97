//! The processes of a report: each with its line, to scale, and its deaths marked on it.

use std::collections::HashMap;
use std::time::Duration;

use super::axis::{Axis, WIDTH};
use super::{Process, Report, escaped};
use crate::model::time::Wall;
use crate::model::units::human_duration;
use crate::policy::timeline::Kind;
use crate::view::words::cut;

/// What the kinds of a line are called, in the order of the legend, with the top and the bottom of what is drawn.
const KINDS: [(Kind, &str, &str, [u32; 2]); 8] = [
    (Kind::Up, "u", "up", [0, 24]),
    (Kind::Starting, "s", "not ready yet", [6, 24]),
    (Kind::Hung, "h", "hung", [0, 24]),
    (Kind::Waiting, "w", "restart due", [14, 24]),
    (Kind::Down, "d", "down", [10, 24]),
    (Kind::Tripped, "t", "breaker open", [10, 24]),
    (Kind::Unknown, "n", "not known", [9, 15]),
    (Kind::Unwanted, "o", "not wanted", [23, 24]),
];
/// The numbers of deaths, by process and time.
pub(super) type Numbers<'a> = HashMap<(&'a str, Wall), usize>;

/// Pieces of all lines together.
const PIECES: usize = 100_000;
/// The least share of the line between two marks.
const APART: f64 = 0.03;
/// Characters of a remark.
const REMARK: usize = 300;

/// A death on a line: when, how, and its number in the list; `None`: it is only counted there.
type Mark<'a> = (Wall, &'a str, Option<usize>);

/// The legend and the marks of the axis.
pub(super) fn head(axis: &Axis) -> String {
    let mut text = "<p class=\"key\">".to_owned();
    for (_, class, word, _) in KINDS {
        text.push_str(&format!("<span><i class=\"k {class}\"></i>{word}</span> "));
    }
    text.push_str("<span><b class=\"no\">3</b> a death, by its number below</span></p>\n<div class=\"axis\" aria-hidden=\"true\">");
    for (place, label) in axis.ticks() {
        text.push_str(&format!("<span style=\"left:{:.2}%\">{label}</span>", place * 100.0));
    }
    text + "</div>\n"
}

/// One process. `numbers`: those of the deaths that are listed.
pub(super) fn process(report: &Report<'_>, axis: &Axis, process: &Process, numbers: &Numbers<'_>) -> String {
    let well = match (process.as_desired, process.state.is_alive()) {
        (false, _) => "bad",
        (true, true) => "ok",
        (true, false) => "off",
    };
    let name = escaped(&process.name);
    let group = process.group.as_deref().map_or(String::new(), |group| format!(" <small>{}</small>", escaped(group)));
    let mut text = format!(
        "<article class=\"p\" id=\"p-{name}\"><div class=\"who\"><h3>{name}{group}</h3>\
         <p><b class=\"state {well}\">{}</b> {}</p></div>\n<div class=\"line\">",
        process.state.word(),
        facts(axis, process).join(" · "),
    );
    let most =
        u32::try_from(PIECES.checked_div(report.processes.len()).unwrap_or(PIECES).clamp(100, 400)).unwrap_or(100);
    text.push_str(&drawing(process, &axis.pieces(&process.spans, most), report));
    let number = |at: Wall| numbers.get(&(process.name.as_str(), at)).copied();
    let marks: Vec<Mark<'_>> = process.deaths.iter().map(|(at, cause)| (*at, cause.as_str(), number(*at))).collect();
    for group in grouped(axis, &marks) {
        text.push_str(&mark(axis, group));
    }
    text.push_str("</div>");
    if !process.remark.is_empty() {
        text.push_str(&format!("<p class=\"remark\">{}</p>", escaped(&cut(&process.remark, REMARK))));
    }
    text + "</article>\n"
}

/// What is said beside the state.
fn facts(axis: &Axis, process: &Process) -> Vec<String> {
    let span = |text: String| format!("<span>{text}</span>");
    let counted = |count: usize, one: &str, more: &str| {
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { more }))
    };
    let [_, missing, unknown] = process.times();
    let share = process.available().map(|share| format!("available {}", percent(share)));
    let missing = (process.lives_on && !missing.is_zero()).then(|| format!("missing {}", human_duration(missing)));
    let unknown = (!unknown.is_zero()).then(|| format!("not known for {}", human_duration(unknown)));
    let all = [
        process.uptime_s.map(|up| format!("up {}", human_duration(Duration::from_secs(up)))),
        Some(format!("target {}", escaped(&process.target))),
        share,
        missing,
        unknown,
        counted(process.restarts, "restart", "restarts"),
        counted(process.deaths.len(), "death", "deaths"),
        counted(process.ended_well, "end as it should be", "ends as they should be"),
        process.next_at.as_ref().map(|at| format!("next action {}", escaped(&axis.written(at)))),
    ];
    all.into_iter().flatten().map(span).collect()
}

/// `99.97 %`; never rounded up to a hundred.
fn percent(share: f64) -> String {
    match (share * 10_000.0).floor() / 100.0 {
        whole if whole.fract() == 0.0 => format!("{whole:.0} %"),
        part => format!("{part:.2} %"),
    }
}

/// The line itself: one path for each kind.
fn drawing(process: &Process, pieces: &[(f64, f64, Kind)], report: &Report<'_>) -> String {
    let [up, missing, unknown] = process.times().map(human_duration);
    let length = human_duration(report.length());
    let mut text = format!(
        "<svg viewBox=\"0 0 {WIDTH} 24\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Of {length}: up {up}, down though \
         wanted {missing}, not known {unknown}\"><use href=\"#ticks\"/>"
    );
    for (kind, class, _, [top, bottom]) in KINDS {
        let mut path = String::new();
        for (from, until, _) in pieces.iter().filter(|(_, _, of)| *of == kind) {
            let from = (from * WIDTH).min(WIDTH - least(kind));
            let width = ((until * WIDTH) - from).max(least(kind));
            path.push_str(&format!("M{} {top}h{}v{}h-{1}z", short(from), short(width), bottom - top));
        }
        if !path.is_empty() {
            text.push_str(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }
    text + "</svg>"
}

/// The least width of a piece: what is not well is to be seen, however short it was.
fn least(kind: Kind) -> f64 {
    match kind {
        Kind::Up | Kind::Starting | Kind::Unwanted => 0.0,
        Kind::Waiting | Kind::Unknown | Kind::Hung | Kind::Down | Kind::Tripped => 1.5,
    }
}

fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Neighbours that have no room for a number each are one mark.
fn grouped<'m>(axis: &Axis, marks: &'m [Mark<'m>]) -> Vec<&'m [Mark<'m>]> {
    let mut groups: Vec<&[Mark<'_>]> = Vec::new();
    let mut begin = 0;
    for nth in 1..=marks.len() {
        let apart = marks
            .get(nth)
            .zip(marks.get(begin))
            .is_none_or(|(this, first)| (axis.place(this.0) - axis.place(first.0)).abs() >= APART);
        if apart {
            groups.extend(marks.get(begin..nth));
            begin = nth;
        }
    }
    groups
}

fn mark(axis: &Axis, group: &[Mark<'_>]) -> String {
    let (Some((first, cause, number)), Some((last, _, _))) = (group.first(), group.last()) else {
        return String::new();
    };
    let place = ((axis.place(*first) + axis.place(*last)) / 2.0).clamp(0.01, 0.99) * 100.0;
    let title = escaped(&cut(&format!("{}: {cause}", axis.moment(*first)), 100));
    let label = match (group.len(), number) {
        (1, Some(number)) => number.to_string(),
        (many, _) => format!("{many}×"),
    };
    // Of several the newest that has a place in the list.
    match group.iter().filter_map(|(_, _, number)| *number).max() {
        Some(to) => format!("<a class=\"no\" style=\"left:{place:.2}%\" href=\"#d{to}\" title=\"{title}\">{label}</a>"),
        None => format!("<b class=\"no\" style=\"left:{place:.2}%\" title=\"{title}\">{label}</b>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        for (share, text) in [(1.0, "100 %"), (0.999_999, "99.99 %"), (0.5, "50 %"), (0.0, "0 %"), (0.12345, "12.34 %")]
        {
            assert_eq!(percent(share), text);
        }
    }
}
