//! Templates: JSON that says `guardian`, and what is said in its place: a path, and `--home` where there is one.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstNode, CstRootNode};
use serde_json::Value;

/// How guardian is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardian {
    /// The program, and options that go before every command.
    pub words: Vec<String>,
}

impl Guardian {
    /// The command line of a command.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        self.words.iter().cloned().chain(arguments.iter().map(|word| (*word).to_owned())).collect()
    }

    /// A text of JavaScript with the way to call guardian in it.
    #[must_use]
    pub(super) fn script(&self, text: &str) -> String {
        text.replace(r#"["guardian"]"#, &Value::from(self.words.clone()).to_string())
    }
}

/// JSON to be merged, in its order.
#[derive(Debug, Clone)]
pub struct Template(CstInputValue);

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        plain(&self.0) == plain(&other.0)
    }
}

impl Template {
    /// Reads JSON of guardian's own. What cannot be read is nothing; a test reads all there are.
    pub(super) fn of(text: &str, guardian: &Guardian) -> Self {
        let root = CstRootNode::parse(text, &ParseOptions::default()).ok();
        let value = root.and_then(|root| root.value()).map_or(CstInputValue::Null, |node| input(&node));
        Self(spoken(value, guardian))
    }

    /// The same without these keys at its top.
    pub(super) fn without(self, keys: &[&str]) -> Self {
        let CstInputValue::Object(mut entries) = self.0 else { return self };
        entries.retain(|(key, _)| !keys.contains(&key.as_str()));
        Self(CstInputValue::Object(entries))
    }

    pub(super) fn value(&self) -> &CstInputValue {
        &self.0
    }
}

/// A value as the library takes it, in its order.
fn input(node: &CstNode) -> CstInputValue {
    if let Some(object) = node.as_object() {
        let entry =
            |property: &jsonc_parser::cst::CstObjectProp| Some((property.decoded_name()?, input(&property.value()?)));
        return CstInputValue::Object(object.properties().iter().filter_map(entry).collect());
    }
    if let Some(array) = node.as_array() {
        return CstInputValue::Array(array.elements().iter().map(input).collect());
    }
    match node.to_serde_value() {
        Some(Value::Bool(value)) => CstInputValue::Bool(value),
        Some(Value::Number(number)) => CstInputValue::Number(number.to_string()),
        Some(Value::String(text)) => CstInputValue::String(text),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => CstInputValue::Null,
    }
}

/// A value to compare by.
pub(super) fn plain(value: &CstInputValue) -> Value {
    match value {
        CstInputValue::Null => Value::Null,
        CstInputValue::Bool(value) => Value::Bool(*value),
        CstInputValue::Number(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        CstInputValue::String(text) => Value::String(text.clone()),
        CstInputValue::Array(items) => items.iter().map(plain).collect(),
        CstInputValue::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
        }
    }
}

/// The same with guardian's own words in the place of `guardian`.
fn spoken(value: CstInputValue, guardian: &Guardian) -> CstInputValue {
    let text = CstInputValue::String;
    match value {
        CstInputValue::Array(items) => {
            CstInputValue::Array(items.into_iter().map(|item| spoken(item, guardian)).collect())
        }
        CstInputValue::Object(entries) => {
            let with_arguments = entries.iter().any(|(key, _)| key == "args");
            let said = |key: String, value: CstInputValue| {
                let value = match (key.as_str(), value) {
                    ("command", CstInputValue::String(word)) if with_arguments && word == "guardian" => {
                        text(guardian.words.first().cloned().unwrap_or(word))
                    }
                    ("args", CstInputValue::Array(items)) => {
                        let options = guardian.words.iter().skip(1).cloned().map(text);
                        CstInputValue::Array(options.chain(items).collect())
                    }
                    ("command", CstInputValue::Array(items)) => CstInputValue::Array(
                        guardian.words.iter().cloned().map(text).chain(items.into_iter().skip(1)).collect(),
                    ),
                    ("command" | "bash", CstInputValue::String(line)) => text(said_line(&line, guardian)),
                    (_, other) => spoken(other, guardian),
                };
                (key, value)
            };
            CstInputValue::Object(entries.into_iter().map(|(key, value)| said(key, value)).collect())
        }
        other
        @ (CstInputValue::Null | CstInputValue::Bool(_) | CstInputValue::Number(_) | CstInputValue::String(_)) => other,
    }
}

/// A shell line with guardian's own words before the rest.
fn said_line(line: &str, guardian: &Guardian) -> String {
    let Some(rest) = line.strip_prefix("guardian ") else { return line.to_owned() };
    let words = guardian.words.iter().map(String::as_str);
    match shlex::try_join(words) {
        Ok(said) => format!("{said} {rest}"),
        Err(_) => line.to_owned(), // a NUL byte, which no path has
    }
}

/// Whether a command line calls guardian for an agent, wherever it lies.
pub(super) fn is_guardian(words: &[String]) -> bool {
    let program = words.first().and_then(|word| word.rsplit('/').next());
    program == Some("guardian") && words.iter().skip(1).any(|word| word == "hook" || word == "mcp")
}

/// Whether an entry of a configuration calls guardian: a server, a hook, or a group of nothing but such hooks.
pub(super) fn calls_guardian(entry: &Value) -> bool {
    if let Some(hooks) = entry.get("hooks").and_then(Value::as_array) {
        return !hooks.is_empty() && hooks.iter().all(calls_guardian);
    }
    let command = entry.get("command").or_else(|| entry.get("bash"));
    let strings = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    match command {
        Some(Value::String(program)) if entry.get("args").is_some() => {
            let mut words = vec![program.clone()];
            words.extend(strings(entry.get("args")));
            is_guardian(&words)
        }
        Some(Value::String(line)) => shlex::split(line).is_some_and(|words| is_guardian(&words)),
        command @ Some(Value::Array(_)) => is_guardian(&strings(command)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    }
}
