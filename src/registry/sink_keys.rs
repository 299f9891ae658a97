//! The table of sink keys and of `[healthcheck]`, as [`super::keys`] is of process keys.

use super::form::Form;

/// Types of sink, in the order of the reference.
pub static TYPES: &[&str] = &["email", "webhook", "command", "file"];

/// Words of `min_severity`.
pub static SEVERITIES: &[&str] = &["info", "warning", "critical"];

/// Words of `tls`.
pub static TLS: &[&str] = &["starttls", "implicit", "none"];

/// Whether a sink can do without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// It may be left out; this is what then holds, as it would be written or in words.
    Default(&'static str),
}

/// One key of a `[sinks.NAME]`, of a `[watch.NAME]` or of `[healthcheck]`.
pub struct SinkKey {
    /// Its name.
    pub name: &'static str,
    /// The type of sink, or kind of watch, that has it; `None`: every one.
    pub of: Option<&'static str>,
    /// What its value looks like.
    pub form: Form,
    /// Whether it is needed.
    pub need: Need,
    /// What it does, one line.
    pub help: &'static str,
}

pub(super) const fn key(
    of: Option<&'static str>,
    name: &'static str,
    form: Form,
    need: Need,
    help: &'static str,
) -> SinkKey {
    SinkKey { name, of, form, need, help }
}

const EMAIL: Option<&str> = Some("email");
const WEBHOOK: Option<&str> = Some("webhook");
const COMMAND: Option<&str> = Some("command");
const FILE: Option<&str> = Some("file");

/// Every key of a sink.
pub static SINK: &[SinkKey] = &[
    key(None, "type", Form::Words(TYPES), Need::Required, "What kind of sink it is"),
    key(
        None,
        "events",
        Form::Texts,
        Need::Default("by severity, and recoveries"),
        "Kinds of event that it wants; `[\"*\"]`: all",
    ),
    key(None, "processes", Form::Texts, Need::Default("all"), "Processes that it wants, by name or glob"),
    key(None, "groups", Form::Texts, Need::Default("all"), "Groups that it wants"),
    key(
        None,
        "min_severity",
        Form::Words(SEVERITIES),
        Need::Default("\"warning\""),
        "Least severity, where `events` is left out",
    ),
    key(
        None,
        "cooldown",
        Form::Duration,
        Need::Default("\"15m\""),
        "The same incident of the same process is told at most once in this time",
    ),
    key(None, "timeout", Form::Duration, Need::Default("\"10s\""), "Limit on one whole delivery"),
    key(EMAIL, "host", Form::Text, Need::Required, "Mail server"),
    key(EMAIL, "port", Form::Port, Need::Default("587, 465 or 25, by `tls`"), "Its port"),
    key(
        EMAIL,
        "tls",
        Form::Words(TLS),
        Need::Default("\"starttls\""),
        "How TLS begins; `none` with a password only to this host",
    ),
    key(EMAIL, "user", Form::Text, Need::Default("no login"), "Login name"),
    key(EMAIL, "password", Form::Secret, Need::Default("no login"), "Password of `user`"),
    key(EMAIL, "from", Form::Text, Need::Required, "Sender address"),
    key(EMAIL, "to", Form::Texts, Need::Required, "Recipients, one or more"),
    key(WEBHOOK, "url", Form::Secret, Need::Required, "Where the JSON is posted, `https://` or `http://`"),
    key(WEBHOOK, "header", Form::Headers, Need::Default("none"), "Further header lines"),
    key(COMMAND, "command", Form::Argv, Need::Required, "Program that gets the JSON on standard input"),
    key(FILE, "path", Form::Path, Need::Required, "Text file that grows; the newest line is also in `PATH.flag`"),
];

/// Every key of `[healthcheck]`.
pub static HEALTHCHECK: &[SinkKey] = &[
    key(None, "every", Form::Duration, Need::Default("\"1m\""), "How often the trigger runs a pass"),
    key(
        None,
        "storm",
        Form::Count,
        Need::Default("5"),
        "So many different processes that fail within a minute are a storm, if they are also a quarter of those that are \
         to be up, or four times this number: one message, restarts paced; `0`: never",
    ),
];

/// The names under which a key may be written: a secret has four.
#[must_use]
pub fn spellings(key: &SinkKey) -> Vec<String> {
    let suffixes: &[&str] = if key.form == Form::Secret { &["", "_file", "_env", "_command"] } else { &[""] };
    suffixes.iter().map(|suffix| format!("{}{suffix}", key.name)).collect()
}
