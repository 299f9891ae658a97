//! One watch with all its defaults filled in, for `config show`.

use serde_json::{Map, Value as Json};

use super::sink_keys::SinkKey;
use super::value::Value;
use super::watch_keys::WATCH;
use crate::model::name::Name;
use crate::model::units::format_duration;
use crate::model::watch::{Subject, WatchSpec};

/// What `spec` has under a key; `None`: nothing.
fn value(spec: &WatchSpec, key: &str) -> Option<Value> {
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let time = |time| Some(Value::Text(format_duration(time)));
    match (key, &spec.subject) {
        ("every", _) => Some(spec.every).filter(|every| !every.is_zero()).and_then(time),
        ("timeout", _) => time(spec.timeout),
        ("after", _) => Some(Value::Number(spec.after.into())),
        ("action", _) => spec.action.as_deref().and_then(text),
        ("action_timeout", _) => time(spec.action_timeout),
        ("max_failures", _) => Some(Value::Number(spec.max_failures.into())),
        ("window", _) => time(spec.window),
        ("breaker_cooldown", _) => time(spec.breaker_cooldown),
        ("group", _) => spec.group.as_deref().and_then(text),
        ("notify", _) => Some(Value::Texts(spec.notify.clone())),
        ("severity", _) => text(spec.severity.word()),
        ("pid_file", Subject::PidFile { path })
        | ("file", Subject::File { path, .. })
        | ("json_file", Subject::JsonFile { path, .. }) => text(path),
        ("match", Subject::Match { pattern, .. }) => text(pattern),
        ("user", Subject::Match { user, .. }) => user.as_deref().and_then(text),
        ("field", Subject::JsonFile { field, .. }) => text(&field.to_string()),
        (
            "max_age",
            Subject::File { max_age, .. } | Subject::JsonFile { max_age, .. } | Subject::Output { max_age, .. },
        ) => time(*max_age),
        ("output", Subject::Output { line, .. }) | ("command", Subject::Command { line }) => text(line),
        ("openclaw", Subject::OpenClaw { home, .. }) => {
            Some(home.as_deref().map_or(Value::Switch(true), |home| Value::Text(home.to_owned())))
        }
        ("program", Subject::OpenClaw { program, .. }) => program.as_deref().and_then(text),
        (_, _) => None, // a key of another kind
    }
}

/// The keys that a watch of this kind has.
fn keys(spec: &WatchSpec) -> impl Iterator<Item = &'static SinkKey> {
    let kind = spec.subject.word();
    WATCH.iter().filter(move |key| key.is_of(kind))
}

/// As TOML that reads back as the same watch. Keys that have no value are comments.
#[must_use]
pub fn show(name: &Name, spec: &WatchSpec) -> String {
    let mut text = format!("[watch.{}]\n", toml_edit::Key::new(name.as_str()));
    for key in keys(spec) {
        match value(spec, key.name) {
            Some(value) => text.push_str(&format!("{} = {value}\n", key.name)),
            None => text.push_str(&format!("# {} is not set\n", key.name)),
        }
    }
    text
}

/// As JSON, one member for each key; what is not set is `null`.
#[must_use]
pub fn to_json(spec: &WatchSpec) -> Json {
    let member =
        |key: &SinkKey| (key.name.to_owned(), value(spec, key.name).map_or(Json::Null, |value| value.to_json()));
    keys(spec).map(member).collect::<Map<_, _>>().into()
}
