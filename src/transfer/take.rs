//! Values of other systems in the form that the registry writes.

use std::time::Duration;

use crate::model::units::{format_duration, format_size};
use crate::registry::value::Value;

/// Words as a line for the shell, each quoted where it must be.
pub(super) fn quoted(words: &[String]) -> String {
    let words = words.iter().map(|word| shlex::try_quote(word).map_or_else(|_| word.clone(), |word| word.into_owned()));
    words.collect::<Vec<_>>().join(" ")
}

/// A command as words, where a shell would do nothing else with it than split it.
pub(super) fn plain_words(line: &str) -> Option<Vec<String>> {
    let plain = |letter: char| letter.is_alphanumeric() || " \t'\"_-./:=,@+%^".contains(letter);
    let words = shlex::split(line).filter(|words| !words.is_empty())?;
    let assigns = words.first().is_some_and(|word| word.contains('='));
    let builtin = ["cd", "exec", "source", ".", "ulimit", "umask", "export", "set", "eval", "trap", "command", "time"];
    let shell = assigns || words.first().is_some_and(|word| builtin.contains(&word.as_str()));
    (!shell && line.chars().all(plain)).then_some(words)
}

/// Whole seconds, fractions of them included, as a duration.
pub(super) fn seconds(text: &str) -> Option<Value> {
    let seconds: f64 = text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok().map(duration)
}

/// Milliseconds as a duration.
pub(super) fn millis(text: &str) -> Option<Value> {
    text.trim().parse().ok().map(|ms| duration(Duration::from_millis(ms)))
}

/// A duration as the registry writes it.
pub(super) fn duration(duration: Duration) -> Value {
    Value::Text(format_duration(duration))
}

/// A size in bytes, as `512`, `512K`, `50MB`, `1G`; powers of 1024.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(1 << shift),
        Err(_) => {
            // `1.5G`: units above it are whole again.
            let (whole, part) = number.split_once('.')?;
            let tenth = part.chars().next()?.to_digit(10).filter(|_| part.len() == 1)?;
            let unit = 1_u64.checked_shl(shift)?;
            whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(unit * u64::from(tenth) / 10)
        }
    }
}

/// A size as the registry writes it; `None`: it is zero or cannot be read.
pub(super) fn some_size(text: &str) -> Option<Value> {
    size(text).filter(|bytes| *bytes > 0).map(|bytes| Value::Text(format_size(bytes)))
}

/// A switch in the words that configuration files have for it.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" | "none" => Some(false),
        _ => None,
    }
}
