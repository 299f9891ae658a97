//! The forms that values take: what a key wants, in words and as JSON Schema.

use serde_json::{Value as Json, json};

use crate::model::ending::Cause;

/// What may stand after the `=` of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An argument vector.
    Argv,
    /// Any text but an empty one.
    Text,
    /// An array of texts, none empty.
    Texts,
    /// `true` or `false`.
    Switch,
    /// A whole number from 0.
    Count,
    /// A whole number from 1.
    Most,
    /// A number over 0.
    Cores,
    /// A size with its unit.
    Size,
    /// A line for the shell, or an array of them.
    Lines,
    /// What shows that something is ready.
    Probe,
    /// What shows that something is alive.
    Liveness,
    /// The size of a window.
    Window,
    /// A line of a crontab.
    Schedule,
    /// The name of a time zone.
    Zone,
    /// A number in `(0, 1]`.
    Share,
    /// A duration with its unit.
    Duration,
    /// A duration, `forever` or `exit`.
    Target,
    /// A signal by name or number.
    Signal,
    /// Exit codes.
    Codes,
    /// Exit codes, signals and causes.
    Ends,
    /// One of these words.
    Words(&'static [&'static str]),
    /// An absolute path, or one that begins with `~/`.
    Path,
    /// `true`, or such a path.
    TrueOrPath,
    /// Names of environment variables.
    Variables,
    /// A table of environment variables.
    Pairs,
    /// A table of header lines.
    Headers,
    /// A TCP port.
    Port,
    /// A secret: also `X_file`, `X_env`, `X_command`.
    Secret,
}

impl Form {
    /// What is wanted, to follow "is wanted" or to stand in a table.
    #[must_use]
    pub fn wanted(self) -> String {
        match self {
            Self::Argv => "an array of strings, the program first".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Texts => "an array of strings".to_owned(),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::Count => "a whole number from 0".to_owned(),
            Self::Most => "a whole number from 1".to_owned(),
            Self::Cores => "a number over 0, such as `1.5`".to_owned(),
            Self::Size => "a size such as `\"512M\"`".to_owned(),
            Self::Lines => "a line for the shell, or an array of them".to_owned(),
            Self::Probe => crate::model::probe::FORMS.to_owned(),
            Self::Liveness => crate::model::probe::LIVENESS_FORMS.to_owned(),
            Self::Window => "columns and rows such as `\"80x24\"`".to_owned(),
            Self::Schedule => "five fields such as `\"0 */5 * * *\"`, or `\"@hourly\"`, `\"@daily\"`, …".to_owned(),
            Self::Zone => "a time zone such as `\"Europe/Berlin\"`".to_owned(),
            Self::Share => "a number over 0 and up to 1".to_owned(),
            Self::Duration => "a duration such as `\"10s\"`".to_owned(),
            Self::Target => "a duration such as `\"8h\"`, or `\"forever\"`, or `\"exit\"`".to_owned(),
            Self::Signal => "a signal's name such as `\"TERM\"`, or its number".to_owned(),
            Self::Codes => "an array of exit codes from 0 to 255".to_owned(),
            Self::Ends => {
                let kinds = Cause::KINDS.join(", ");
                format!("an array of exit codes from 0 to 255, signals such as `\"SIGSEGV\"` and causes ({kinds})")
            }
            Self::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Path => "an absolute path, or one that begins with `~/`".to_owned(),
            Self::TrueOrPath => "`true`, or an absolute path, or one that begins with `~/`".to_owned(),
            Self::Variables => "an array of variable names".to_owned(),
            Self::Pairs => "a table of strings".to_owned(),
            Self::Headers => "a table of header names and values".to_owned(),
            Self::Port => "a port from 1 to 65535".to_owned(),
            Self::Secret => "a string; better `X_file`, `X_env` or `X_command`".to_owned(),
        }
    }

    /// The placeholder of the value in `--help`.
    #[must_use]
    pub fn metavar(self) -> &'static str {
        match self {
            Self::Argv | Self::Text | Self::Texts | Self::Secret => "TEXT",
            Self::Switch => "BOOL",
            Self::Count => "N",
            Self::Most => "N",
            Self::Cores => "CORES",
            Self::Size => "SIZE",
            Self::Lines => "LINE",
            Self::Probe | Self::Liveness => "KIND",
            Self::Window => "COLUMNSxROWS",
            Self::Schedule => "LINE",
            Self::Zone => "ZONE",
            Self::Share => "SHARE",
            Self::Duration => "DURATION",
            Self::Target => "DURATION|forever|exit",
            Self::Signal => "SIGNAL",
            Self::Codes => "CODE,…",
            Self::Ends => "CODE|SIGNAL|CAUSE,…",
            Self::Words(_) => "WORD",
            Self::Path | Self::TrueOrPath => "PATH",
            Self::Variables => "NAME,…",
            Self::Pairs | Self::Headers => "K=V",
            Self::Port => "PORT",
        }
    }

    /// JSON Schema (draft 7) of the value.
    #[must_use]
    pub fn schema(self) -> Json {
        let duration = r"^([0-9]+ *[a-zA-Z]+ *)+$";
        match self {
            Self::Argv => json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            Self::Text | Self::Path | Self::Secret | Self::Zone => json!({"type": "string", "minLength": 1}),
            Self::Window => json!({"type": "string", "pattern": r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"}),
            Self::Schedule => json!({"type": "string", "pattern": r"^ *(@[A-Za-z]+|([^ ]+ +){4}[^ ]+) *$"}),
            Self::Texts | Self::Variables => json!({"type": "array", "items": {"type": "string", "minLength": 1}}),
            Self::Switch => json!({"type": "boolean"}),
            Self::TrueOrPath => json!({"anyOf": [{"const": true}, {"type": "string", "minLength": 1}]}),
            Self::Count => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            Self::Most => json!({"type": "integer", "minimum": 1, "maximum": u32::MAX}),
            Self::Cores => json!({"type": "number", "exclusiveMinimum": 0}),
            Self::Size => json!({"type": "string", "pattern": r"^[0-9]+(B|[KMGT](iB)?)$"}),
            Self::Lines => json!({"anyOf": [{"type": "string", "minLength": 1},
                                            {"type": "array", "items": {"type": "string", "minLength": 1}}]}),
            Self::Probe => {
                json!({"type": "string", "pattern": "^(notify$|(output|tcp|http|https|file|cmd|delay):.)"})
            }
            Self::Liveness => json!({"type": "string", "pattern": "^(tcp|http|https|file|cmd):."}),
            Self::Share => json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
            Self::Duration => json!({"type": "string", "pattern": duration}),
            Self::Target => json!({"anyOf": [{"enum": ["forever", "exit"]}, {"type": "string", "pattern": duration}]}),
            Self::Signal => json!({"type": ["string", "integer"]}),
            Self::Codes => json!({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}),
            Self::Ends => json!({"type": "array", "items": {"anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 255}, {"type": "string", "minLength": 1}]}}),
            Self::Words(words) => json!({"enum": words}),
            Self::Pairs | Self::Headers => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            Self::Port => json!({"type": "integer", "minimum": 1, "maximum": 65535}),
        }
    }
}
