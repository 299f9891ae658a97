//! JSON with the line of everything in it.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Damage, line_at};

/// Reads a text; comments and trailing commas are forgiven.
pub(super) fn read<'t>(text: &'t str, what: &str) -> Result<Value<'t>, Damage> {
    let hint = || format!("{what} is wanted");
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    let parsed = parsed.map_err(|error| {
        Damage::new(line_at(text, error.range().start), format!("not JSON: {}", error.kind()), hint())
    })?;
    parsed.value.ok_or_else(|| Damage::new(1, "there is nothing in it", hint()))
}

/// The line of a value.
pub(super) fn line(text: &str, value: &impl Ranged) -> usize {
    line_at(text, value.start())
}

/// Names and values of an object, with their lines.
pub(super) fn members<'a, 't>(text: &str, object: &'a Object<'t>) -> Vec<(String, usize, &'a Value<'t>)> {
    let name = |name: &ObjectPropName<'_>| match name {
        ObjectPropName::String(text) => text.value.to_string(),
        ObjectPropName::Word(word) => word.value.to_owned(),
    };
    let members = object.properties.iter();
    members.map(|member| (name(&member.name), line_at(text, member.range.start), &member.value)).collect()
}

/// A value as a setting may have it, without its quotes: `None` for objects, arrays and `null`.
pub(super) fn scalar(value: &Value<'_>) -> Option<String> {
    match value {
        Value::StringLit(text) => Some(text.value.to_string()),
        Value::NumberLit(number) => Some(number.value.to_owned()),
        Value::BooleanLit(switch) => Some(switch.value.to_string()),
        Value::Object(_) | Value::Array(_) | Value::NullKeyword(_) => None,
    }
}

/// A value in few words, for notes.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(_) => "[…]".to_owned(),
        Value::NullKeyword(_) => "null".to_owned(),
        Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) => scalar(value).unwrap_or_default(),
    }
}
