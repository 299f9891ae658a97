//! The tools as the protocol describes them. Schemas hold only what every client reads: no type is a list, nothing is null.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Described, ToolAnnotations};
use serde_json::{Value, json};

use super::tools::{Argument, Effect, Kind, Tool};

/// The tool for `tools/list`.
pub(super) fn described(tool: &Tool) -> Described {
    Described::new(tool.name, tool.about, Arc::new(input(tool)))
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(output(tool)))
        .with_annotations(annotations(tool))
}

/// guardian's world is closed: its own processes. What a command that it runs may do is that command's.
fn annotations(tool: &Tool) -> ToolAnnotations {
    let (reads, ends, again) = match tool.effect {
        Effect::Reads => (true, false, true),
        Effect::Adds => (false, false, true),
        Effect::AddsAgain => (false, false, false),
        Effect::Ends => (false, true, true),
        Effect::EndsAgain => (false, true, false),
    };
    // Whatever a model has run may end or delete anything, and reach anywhere.
    let any_command = tool.name == "run" || tool.name == "send";
    ToolAnnotations::with_title(tool.title)
        .read_only(reads)
        .destructive(ends || any_command)
        .idempotent(again)
        .open_world(any_command)
}

fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => JsonObject::new(),
    }
}

fn input(tool: &Tool) -> JsonObject {
    let properties: JsonObject =
        tool.arguments.iter().map(|argument| (argument.name.to_owned(), property(argument))).collect();
    let required: Vec<&str> =
        tool.arguments.iter().filter(|argument| argument.required).map(|argument| argument.name).collect();
    object(json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false}))
}

fn property(argument: &Argument) -> Value {
    let texts = json!({"type": "string"});
    let mut schema = match argument.kind {
        Kind::Text | Kind::Name => json!({"type": "string"}),
        Kind::Count | Kind::Seconds | Kind::Bytes => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Pairs => json!({"type": "object", "additionalProperties": texts}),
        Kind::Texts => json!({"type": "array", "items": texts}),
        Kind::Names if argument.required => json!({"type": "array", "items": texts, "minItems": 1}),
        Kind::Names => json!({"type": "array", "items": texts}),
    };
    schema["description"] = json!(argument.about);
    schema
}

/// The principal fields; there are more, and each may be missing or null where it is not known.
fn output(tool: &Tool) -> JsonObject {
    let fields: Vec<String> =
        tool.answer.iter().map(|(name, kind, about)| format!("{name} ({kind}): {about}")).collect();
    object(json!({
        "type": "object",
        "description": fields.join("; "),
        "properties": {"schema": {"type": "integer"}, "exit_code": {"type": "integer"}},
        "required": ["schema", "exit_code"],
    }))
}
