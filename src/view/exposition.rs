//! Prometheus' text exposition format 0.0.4: families of samples, escaped so that no name or value can break a line.
//!
//! By the stricter rules of node_exporter's textfile collector: no time stamps, one HELP and TYPE for each name, a newline at
//! the end. Knows no metric of guardian's: those are in [`super::metrics`].

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
        text.push_str(&format!("# HELP {name} {}\n# TYPE {name} {}\n", escape(help, Place::Help), kind.word()));
        for (labels, value) in samples {
            let labels: Vec<String> = labels
                .iter()
                .chain(common)
                .map(|(name, value)| format!("{name}=\"{}\"", escape(value, Place::Label)))
                .collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            text.push_str(&format!("{name}{labels} {}\n", number(*value)));
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

fn escape(text: &str, place: Place) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if place == Place::Label => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    escaped
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
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
        let shown: Vec<String> = values.into_iter().map(number).collect();
        assert_eq!(shown, ["0", "1.5", "1795100000.123", "1000000000000000000000", "NaN", "+Inf", "-Inf"]);
    }

    #[test]
    fn a_family_of_which_nothing_is_known_is_not_there() {
        assert_eq!(text(&[family(vec![])], &vec![]), "");
        assert!(json(&[family(vec![])], &vec![]).is_empty());
        assert!(text(&[family(vec![(vec![], 2.0)])], &vec![]).ends_with("\nguardian_x 2\n"));
    }
}
