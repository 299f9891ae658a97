//! Prometheus' text exposition format 0.0.4: families of samples, escaped so that no name or value can break a line.
//!
//! By the stricter rules of node_exporter's textfile collector: no time stamps, one HELP and TYPE for each name, a newline at
//! the end. Knows no metric of guardian's: those are in [`super::metrics`].

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up, and begins anew at most.
    Counter,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// The labels of a sample, by which it differs from others of its family.
pub type Labels<'a> = Vec<(&'static str, &'a str)>;

/// All samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family<'a> {
    /// `guardian_process_up`.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// What it means, one line.
    pub help: &'static str,
    /// Its samples. A value that is not known has none.
    pub samples: Vec<(Labels<'a>, f64)>,
}

/// The text, with `common` labels on every sample. A family without samples is left out.
#[must_use]
pub fn text(families: &[Family<'_>], common: &Labels<'_>) -> String {
    let mut text = String::new();
    for Family { name, kind, help, samples } in families.iter().filter(|family| !family.samples.is_empty()) {
        text.extend(["# HELP ", name, " "]);
        escape(&mut text, help, Place::Help);
        text.extend(["\n# TYPE ", name, " ", kind.word(), "\n"]);
        for (labels, value) in samples {
            text.push_str(name);
            let mut between = "{";
            for (name, value) in labels.iter().chain(common) {
                text.extend([between, name, "=\""]);
                escape(&mut text, value, Place::Label);
                text.push('"');
                between = ",";
            }
            text.push_str(if between == "," { "} " } else { " " });
            number(&mut text, *value);
            text.push('\n');
        }
    }
    text
}

/// The same as JSON.
#[must_use]
pub fn json(families: &[Family<'_>], common: &Labels<'_>) -> Vec<Value> {
    let labels = |labels: &Labels<'_>| -> Map<String, Value> {
        labels.iter().chain(common).map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    };
    let sample = |(of, value): &(Labels<'_>, f64)| json!({"labels": labels(of), "value": value});
    let family = |family: &Family<'_>| {
        let samples: Vec<Value> = family.samples.iter().map(sample).collect();
        json!({"name": family.name, "type": family.kind, "help": family.help, "samples": samples})
    };
    families.iter().filter(|family| !family.samples.is_empty()).map(family).collect()
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Help,
    Label,
}

/// Adds `text`. A thousand processes have some ten thousand samples, so nothing is made that is not kept.
fn escape(to: &mut String, text: &str, place: Place) {
    if !text.contains(['\\', '\n', '"']) {
        to.push_str(text); // nearly always
        return;
    }
    for c in text.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if place == Place::Label => to.push_str("\\\""),
            c => to.push(c),
        }
    }
}

fn number(to: &mut String, value: f64) {
    match value {
        value if value.is_nan() => to.push_str("NaN"),
        f64::INFINITY => to.push_str("+Inf"),
        f64::NEG_INFINITY => to.push_str("-Inf"),
        value => drop(write!(to, "{value}")), // into memory: never fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(samples: Vec<(Labels<'_>, f64)>) -> Family<'_> {
        Family { name: "guardian_x", kind: Kind::Counter, help: "a \\ and a\nline", samples }
    }

    #[test]
    fn no_label_and_no_help_can_break_a_line() {
        let evil = family(vec![(vec![("name", "a\"} 1\nb \\ é")], 1.0)]);
        let want = "# HELP guardian_x a \\\\ and a\\nline\n# TYPE guardian_x counter\n\
                    guardian_x{name=\"a\\\"} 1\\nb \\\\ é\",user=\"u\"} 1\n";
        assert_eq!(text(&[evil], &vec![("user", "u")]), want);
    }

    #[test]
    fn numbers_are_written_as_the_format_wants_them() {
        let values = [0.0, 1.5, 1_795_100_000.123, 1e21, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let shown = values.map(|value| {
            let mut text = String::new();
            number(&mut text, value);
            text
        });
        assert_eq!(shown, ["0", "1.5", "1795100000.123", "1000000000000000000000", "NaN", "+Inf", "-Inf"]);
    }

    #[test]
    fn a_family_of_which_nothing_is_known_is_not_there() {
        assert_eq!(text(&[family(vec![])], &vec![]), "");
        assert!(json(&[family(vec![])], &vec![]).is_empty());
        assert!(text(&[family(vec![(vec![], 2.0)])], &vec![]).ends_with("\nguardian_x 2\n"));
    }
}
