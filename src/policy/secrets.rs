//! Text of programs without the secrets in it, before it is stored or sent anywhere.
//!
//! Two things are masked: values of variables whose names look secret, and what has the form of a well-known token
//! ([`super::tokens`]). Short values and common words stay, or `1` would mask everything. Mask first, cut
//! then: half a token is no token any more, and would be shown. Knows no file; [`crate::masking`] brings the values.

use std::ops::Range;

use super::tokens;

/// What stands in place of a secret.
pub const MASKED: &str = "****";
/// A value that is shorter is too likely to be a part of something else.
const SHORTEST: usize = 6;
/// Digits alone are as often a number as a password.
const SHORTEST_NUMBER: usize = 8;

/// In a name these make a secret wherever they stand.
const STRONG: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential"];
/// The same without what joins the words: `API_KEY`, `api-key`, `apiKey`.
const STRONG_JOINED: &[&str] = &["apikey", "accesskey", "privatekey", "authkey", "encryptionkey", "signingkey"];
/// These do so as a whole word of the name of a variable.
const WORDS: &[&str] = &["key", "keys", "pass", "auth", "cookie", "dsn", "webhook", "salt", "jwt", "bearer", "pwd"];
/// A name that ends in one of these says where something is or what it is like.
const HARMLESS_ENDS: &[&str] = &["file", "path", "dir", "sock", "socket", "type", "name", "host", "port"];
/// Values that are words: to mask them would tell more than it hides.
const COMMON: &[&str] = &[
    "default",
    "development",
    "disabled",
    "enabled",
    "example",
    "localhost",
    "missing",
    "optional",
    "password",
    "production",
    "required",
    "secret",
    "staging",
    "unknown",
    "username",
];

/// Whether a variable of that name holds a secret, going by the name.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    if matches!(lower.as_str(), "pwd" | "oldpwd") || words.last().is_some_and(|last| HARMLESS_ENDS.contains(last)) {
        return false;
    }
    is_strong_name(&lower) || words.iter().any(|word| WORDS.contains(word))
}

/// Whether that name stands before a secret even in running text.
pub(super) fn is_strong_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let joined: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    !HARMLESS_ENDS.iter().any(|end| lower.ends_with(&format!("_{end}")) || lower.ends_with(&format!("-{end}")))
        && (lower.ends_with("_pass")
            || STRONG.iter().any(|word| lower.contains(word))
            || STRONG_JOINED.iter().any(|word| joined.contains(word)))
}

/// Whether that value, of something secret, can be told from other text.
pub(super) fn is_worth_masking(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let number = value.bytes().all(|byte| byte.is_ascii_digit());
    value.len() >= if number { SHORTEST_NUMBER } else { SHORTEST }
        && !value.bytes().all(|byte| byte == b'*')
        && !value.starts_with('/')
        && !COMMON.contains(&lower.as_str())
}

/// What is masked for one process.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Values that are known to be secret.
    values: Vec<String>,
}

impl Mask {
    /// For a process with these variables. Of a URL with a password that alone is a secret.
    #[must_use]
    pub fn of<'v>(variables: impl Iterator<Item = (&'v str, &'v str)>) -> Self {
        let mut values = Vec::new();
        for (name, value) in variables {
            if is_secret_name(name) {
                // What is shown has no control characters, so that it can match between them only.
                let parts = value.split(char::is_control).map(str::trim).filter(|part| is_worth_masking(part));
                values.extend(parts.map(str::to_owned));
            }
            values.extend(
                tokens::url_passwords(value)
                    .filter_map(|range| value.get(range))
                    .filter(|password| is_worth_masking(password))
                    .map(str::to_owned),
            );
        }
        values.sort();
        values.dedup();
        Self { values }
    }

    /// The text without secrets. Doing it twice is doing it once.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut found: Vec<Range<usize>> = tokens::find(text);
        for value in &self.values {
            found.extend(text.match_indices(value.as_str()).map(|(at, value)| at..at + value.len()));
        }
        if found.is_empty() {
            return text.to_owned();
        }
        found.sort_by_key(|range| (range.start, range.end));
        let mut masked = String::with_capacity(text.len());
        let mut shown = 0; // up to where the text is dealt with
        for range in found {
            if range.start >= shown {
                masked.push_str(text.get(shown..range.start).unwrap_or_default());
                masked.push_str(MASKED);
            }
            shown = shown.max(range.end);
        }
        masked.push_str(text.get(shown..).unwrap_or_default());
        masked
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
