//! Values on their way into a registry file, and a process as the list of keys that it sets.

use std::collections::BTreeMap;

use serde_json::json;

/// One value as TOML can say it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// An array of strings.
    Texts(Vec<String>),
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A fraction.
    Share(f64),
    /// An array of whole numbers.
    Codes(Vec<i64>),
    /// An array of words; those that are whole numbers are written as numbers.
    Words(Vec<String>),
    /// A table of strings.
    Pairs(BTreeMap<String, String>),
}

impl Value {
    /// The value for a TOML document.
    #[must_use]
    pub fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect::<toml_edit::Array>().into(),
            Self::Switch(on) => (*on).into(),
            Self::Number(number) => (*number).into(),
            Self::Share(share) => (*share).into(),
            Self::Codes(codes) => codes.iter().copied().collect::<toml_edit::Array>().into(),
            Self::Words(words) => words.iter().map(|word| one(word)).collect::<toml_edit::Array>().into(),
            Self::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                pairs.collect::<toml_edit::InlineTable>().into()
            }
        }
    }

    /// The value for a JSON document.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Texts(texts) => json!(texts),
            Self::Switch(on) => json!(on),
            Self::Number(number) => json!(number),
            Self::Share(share) => json!(share),
            Self::Codes(codes) => json!(codes),
            Self::Words(words) => {
                words.iter().map(|word| word.parse().map_or(json!(word), |n: i64| json!(n))).collect()
            }
            Self::Pairs(pairs) => json!(pairs),
        }
    }
}

/// One element of [`Value::Words`].
fn one(word: &str) -> toml_edit::Value {
    word.parse::<i64>().map_or_else(|_| word.into(), toml_edit::Value::from)
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_toml().to_string().trim())
    }
}

/// The keys that one `[process.NAME]` sets, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft(Vec<(&'static str, Value)>);

impl Draft {
    /// Sets a key; the first setting decides its place.
    pub fn set(&mut self, key: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// What a key is set to.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Keys and values in writing order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }
}
