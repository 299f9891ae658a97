//! Values of supervisord: `%(name)s` filled in, environments, commands.

use std::collections::BTreeMap;

use super::{Around, take};
use crate::registry::value::Value;

/// What stands around the name of a variable while a command is split; nobody writes these.
const VARIABLE: (char, char) = ('\u{E000}', '\u{E001}');

/// The names that may stand in `%(name)s` of one process, and what they mean.
pub(super) struct Names<'a> {
    pub(super) known: BTreeMap<&'static str, String>,
    pub(super) around: &'a Around<'a>,
}

impl Names<'_> {
    /// A value with its names filled in; the one that is not known otherwise.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        self.with(text, &|name| match name.strip_prefix("ENV_") {
            Some(variable) => self.around.variable(variable).map(str::to_owned),
            None => self.known.get(name).cloned(),
        })
    }

    fn with(&self, text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            filled.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                filled.push('%');
                rest = after;
                continue;
            }
            let parts = after.strip_prefix('(').and_then(|name| name.split_once(')'));
            let Some((name, form)) = parts else { return Err(format!("%{after}")) };
            let width: String = form.chars().take_while(char::is_ascii_digit).collect();
            let kind = form.get(width.len()..).unwrap_or("");
            let (true, Some(value)) = (kind.starts_with(['s', 'd']), value(name)) else {
                return Err(format!("%({name})"));
            };
            let wide = width.parse::<usize>().unwrap_or(0).min(20);
            match width.starts_with('0') {
                true => filled.push_str(&format!("{value:0>wide$}")),
                false => filled.push_str(&format!("{value:>wide$}")),
            }
            rest = kind.get(1..).unwrap_or("");
        }
        Ok(filled + rest)
    }

    /// The key and the value that a command comes to. Variables are left to the shell, so that what they hold is not copied.
    pub(super) fn command(&self, text: &str) -> Result<(&'static str, Value), String> {
        let filled = self.with(text, &|name| match name.strip_prefix("ENV_") {
            Some(variable) => Some(format!("{}{variable}{}", VARIABLE.0, VARIABLE.1)),
            None => self.known.get(name).cloned(),
        })?;
        let words = shlex::split(&filled.replace('\n', " ")).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| "a quote that is not closed".to_owned())?;
        if !filled.contains(VARIABLE.0) {
            return Ok(("command", Value::Texts(words)));
        }
        let words: Vec<String> = words.iter().map(|word| in_shell(word)).collect();
        Ok(("shell", Value::Text(format!("exec {}", words.join(" ")))))
    }
}

/// One word for the shell, with the variables that are marked in it.
fn in_shell(word: &str) -> String {
    let mut written = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once(VARIABLE.0) {
        let (name, after) = after.split_once(VARIABLE.1).unwrap_or((after, ""));
        if !before.is_empty() {
            written.push_str(&take::quoted(&[before.to_owned()]));
        }
        written.push_str(&format!("\"${{{name}}}\""));
        rest = after;
    }
    if !rest.is_empty() || written.is_empty() {
        written.push_str(&take::quoted(&[rest.to_owned()]));
    }
    written
}

/// `KEY="value",KEY2=value`, as `environment` has them.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || letter == ',') {
            return None;
        }
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut value = value.get(1..)?.splitn(2, quote);
                let inside = value.next()?;
                (inside.to_owned(), value.next()?)
            }
            Some(_) | None => {
                let end = value.find([',', '\n']).unwrap_or(value.len());
                (value.get(..end)?.trim().to_owned(), value.get(end..)?)
            }
        };
        // Quotes at the ends of what stands in quotes go as well.
        pairs.push((name.to_owned(), value.trim_matches(['"', '\'']).to_owned()));
        rest = match after.trim_start_matches([' ', '\t']) {
            "" => "",
            after => after.strip_prefix([',', '\n'])?.trim_start_matches([',', ' ', '\t', '\n']),
        };
    }
    Some(pairs)
}
