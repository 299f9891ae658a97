//! What is generated from the tables of keys: the reference page and the JSON Schema.

use serde_json::{Map, Value as Json, json};

use super::form::Form;
use super::hook::HOOK;
use super::keys::{Chapter, Field, PROCESS};
use super::logs::LOGS;
use super::sink_keys::{HEALTHCHECK, Need, SINK, SinkKey, TYPES, spellings};
use super::watch_keys::{KINDS, SHARED, WATCH};

const INTRODUCTION: &str = "\
# The registry, key by key

This page is generated from the table that the program itself reads.

A process is a table `[process.NAME]`; a name is 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or
digit, and one with a dot is quoted: `[process.\"web.1\"]`. `[defaults]` holds the same keys, but for
`command` and `shell`, for all processes; what a process says itself stands over it, and variables of
`env` are added to those of `[defaults]`. Unknown keys are errors. Words may be written with `-` or `_`.
Durations carry their unit: `90s`, `15m`, `8h`, `2d`, `1h30m`. Paths are absolute or begin with `~/`.
";

/// The reference page, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for chapter in Chapter::ALL {
        page.push_str(&format!("\n## {}\n\n{HEAD}", chapter.title()));
        for key in PROCESS.iter().filter(|key| key.chapter == chapter) {
            let default = match key.default() {
                Some(default) => format!("`{default}`"),
                None if matches!(key.field, Field::Argv | Field::Shell) => "one of the two".to_owned(),
                None => "not set".to_owned(),
            };
            page.push_str(&row(key.name, &key.form().wanted(), &default, key.help));
        }
    }
    page.push_str(&watches());
    page.push_str("\n## Sinks: `[sinks.NAME]`\n\nOf every type:\n\n");
    page.push_str(&sink_rows(SINK.iter().filter(|key| key.of.is_empty())));
    for kind in TYPES {
        page.push_str(&format!("\nOf type `{kind}`:\n\n"));
        page.push_str(&sink_rows(SINK.iter().filter(|key| key.of.contains(kind))));
    }
    page.push_str("\nA secret `X` is better kept out of the file: `X_file` and `X_command` take the first line of a\n");
    page.push_str("file or of what a command prints, `X_env` takes a variable. Exactly one of the four is given.\n");
    page.push_str("\n## `[healthcheck]`\n\n");
    page.push_str(&sink_rows(HEALTHCHECK.iter()));
    page.push_str("\n## `[hook]`\n\n");
    page.push_str(&sink_rows(HOOK.iter()));
    page.push_str("\n## `[logs]`\n\n");
    page.push_str(&sink_rows(LOGS.iter()));
    page
}

/// The chapter about watches.
fn watches() -> String {
    let shared: Vec<String> = SHARED.iter().map(|key| format!("`{key}`")).collect();
    let mut page = format!(
        "\n## Watches: `[watch.NAME]`\n\nWhat guardian did not start, and only looks at. Processes and watches share their names. Of `[defaults]`\n\
         only {} hold for watches as well. Of every kind:\n\n",
        shared.join(", ")
    );
    page.push_str(&sink_rows(WATCH.iter().filter(|key| key.of.is_empty())));
    for kind in KINDS {
        page.push_str(&format!("\nOf kind `{kind}`:\n\n"));
        page.push_str(&sink_rows(WATCH.iter().filter(|key| key.of.contains(kind))));
    }
    page
}

const HEAD: &str = "| key | value | default | what it does |\n|---|---|---|---|\n";

fn row(name: &str, form: &str, default: &str, help: &str) -> String {
    format!("| `{name}` | {form} | {default} | {help} |\n")
}

fn sink_rows<'k>(keys: impl Iterator<Item = &'k SinkKey>) -> String {
    let rows = keys.map(|key| {
        let default = match key.need {
            Need::Required => "needed".to_owned(),
            Need::Default(default) if default.starts_with('"') => format!("`{default}`"),
            Need::Default(default) => default.to_owned(),
        };
        row(key.name, &key.form.wanted(), &default, key.help)
    });
    HEAD.to_owned() + &rows.collect::<String>()
}

/// The JSON Schema (draft 7) of a registry, for editors.
#[must_use]
pub fn schema() -> Json {
    let described = |form: Form, help: &str| {
        let mut schema = form.schema();
        schema["description"] = json!(help);
        schema
    };
    let all: Map<_, _> = PROCESS.iter().map(|key| (key.name.to_owned(), described(key.form(), key.help))).collect();
    let mut defaults = all.clone();
    defaults.retain(|key, _| key != "command" && key != "shell");
    let watches: Vec<Json> = KINDS.iter().map(|kind| watch_schema(kind)).collect();
    let sinks: Vec<Json> = TYPES.iter().map(|kind| sink_schema(kind)).collect();
    let healthcheck: Map<_, _> =
        HEALTHCHECK.iter().map(|key| (key.name.to_owned(), described(key.form, key.help))).collect();
    let hook: Map<_, _> = HOOK.iter().map(|key| (key.name.to_owned(), described(key.form, key.help))).collect();
    let logs: Map<_, _> = LOGS.iter().map(|key| (key.name.to_owned(), described(key.form, key.help))).collect();
    let name = r"^[a-z0-9](?!.*\.\.)[a-z0-9._-]{0,63}$";
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "guardian registry",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": {"type": "object", "additionalProperties": false, "properties": defaults},
            "process": {
                "type": "object",
                "propertyNames": {"pattern": name},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": all,
                    "oneOf": [{"required": ["command"]}, {"required": ["shell"]}],
                },
            },
            "watch": {
                "type": "object",
                "propertyNames": {"pattern": name},
                "additionalProperties": {"oneOf": watches},
            },
            "sinks": {
                "type": "object",
                "propertyNames": {"pattern": name},
                "additionalProperties": {"oneOf": sinks},
            },
            "healthcheck": {"type": "object", "additionalProperties": false, "properties": healthcheck},
            "hook": {"type": "object", "additionalProperties": false, "properties": hook},
            "logs": {"type": "object", "additionalProperties": false, "properties": logs},
        },
    })
}

fn watch_schema(kind: &str) -> Json {
    let keys: Vec<&SinkKey> = WATCH.iter().filter(|key| key.is_of(kind)).collect();
    let described = |key: &&SinkKey| {
        let mut schema = key.form.schema();
        schema["description"] = json!(key.help);
        (key.name.to_owned(), schema)
    };
    let properties: Map<_, _> = keys.iter().map(described).collect();
    let required: Vec<_> = keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn sink_schema(kind: &str) -> Json {
    let mut properties = Map::new();
    let mut all_of = Vec::new();
    let mut required = Vec::new();
    for key in SINK.iter().filter(|key| key.is_of(kind)) {
        for name in spellings(key) {
            let form = if name.ends_with("_command") { Form::Argv } else { key.form };
            let mut schema = form.schema();
            schema["description"] = json!(key.help);
            properties.insert(name, schema);
        }
        match (key.need, key.form == Form::Secret) {
            (Need::Required, false) => required.push(key.name.to_owned()),
            (Need::Required, true) => {
                let one: Vec<_> = spellings(key).into_iter().map(|name| json!({"required": [name]})).collect();
                all_of.push(json!({"oneOf": one}));
            }
            (Need::Default(_), _) => {}
        }
    }
    properties.insert("type".to_owned(), json!({"const": kind}));
    let mut schema = json!({
        "type": "object", "additionalProperties": false, "required": required, "properties": properties,
    });
    if !all_of.is_empty() {
        schema["allOf"] = json!(all_of);
    }
    schema
}
