//! Reads single values of the parsed text, and collects what is wrong with them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::Form;
use super::problem::{Lines, Problem, similar};
use crate::model::probe::Probe;
use crate::model::units::{UnitError, parse_duration, parse_size};
use crate::model::window::Window;

mod ends;

/// A value with its place in the text.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

/// Collects problems while the parts of one text are read.
pub(super) struct Reader<'t> {
    lines: Lines<'t>,
    pub(super) problems: Vec<Problem>,
    /// The process that is being read.
    pub(super) process: Option<String>,
    /// What else is being read, before each message: `sink `ops`: `.
    pub(super) scope: String,
    /// What `~/` stands for.
    pub(super) home: Option<&'t std::path::Path>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, home: Option<&'t std::path::Path>) -> Self {
        Self { lines: Lines::new(text), problems: Vec::new(), process: None, scope: String::new(), home }
    }

    /// Line of an offset.
    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        self.lines.position(at.start).0
    }

    /// The place of byte `at` of the string `text`, which was read from `span`; `span` itself where escapes hide it.
    pub(super) fn within(&self, span: &Range<usize>, text: &str, at: usize) -> Range<usize> {
        let offset = self.lines.text.get(span.clone()).and_then(|raw| raw.find(text));
        offset.map_or(span.clone(), |offset| span.start + offset + at..span.end)
    }

    /// Notes a problem. Returns `None` so that a reader of a value can end with it.
    pub(super) fn fail<T>(&mut self, at: Range<usize>, message: impl AsRef<str>, hint: impl Into<String>) -> Option<T> {
        let (line, column) = self.lines.position(at.start);
        let message = format!("{}{}", self.scope, message.as_ref());
        self.problems.push(Problem { line, column, process: self.process.clone(), message, hint: hint.into() });
        None
    }

    fn mismatch<T>(&mut self, key: &str, item: &Item<'_>, form: Form) -> Option<T> {
        let is = match item.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.fail(item.span(), format!("`{key}` is {is}"), format!("{} is wanted", form.wanted()))
    }

    fn unit_error<T>(&mut self, key: &str, item: &Item<'_>, error: UnitError) -> Option<T> {
        self.fail(item.span(), format!("`{key}`: {}", error.what), error.hint)
    }

    /// An unknown key, with what it may have been.
    pub(super) fn unknown<'k>(&mut self, at: Range<usize>, key: &str, known: impl IntoIterator<Item = &'k str>) {
        let shown = key.escape_debug();
        let hint = match similar(key, known) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "`guardian config schema` and docs/registry.md list all keys".to_owned(),
        };
        self.fail::<()>(at, format!("unknown key `{shown}`"), hint);
    }

    /// Any string without NUL.
    fn string(&mut self, key: &str, item: &Item<'_>, form: Form) -> Option<String> {
        let Some(text) = item.get_ref().as_str() else { return self.mismatch(key, item, form) };
        if text.contains('\0') {
            return self.fail(
                item.span(),
                format!("`{key}` holds a NUL character"),
                "no program can be given one: take it out",
            );
        }
        Some(text.to_owned())
    }

    /// A string that says something.
    pub(super) fn text(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        let text = self.string(key, item, Form::Text)?;
        if text.trim().is_empty() {
            return self.fail(item.span(), format!("`{key}` is empty"), "give it a value, or take the key out");
        }
        Some(text)
    }

    /// An array of strings; all its problems are noted.
    fn strings(&mut self, key: &str, item: &Item<'_>, form: Form) -> Option<Vec<String>> {
        let Some(array) = item.get_ref().as_array() else { return self.mismatch(key, item, form) };
        let read: Vec<_> = array.iter().map(|element| self.string(key, element, form)).collect();
        read.into_iter().collect()
    }

    /// An array of strings, none empty.
    pub(super) fn texts(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<String>> {
        let texts = self.strings(key, item, Form::Texts)?;
        if texts.iter().any(|text| text.trim().is_empty()) {
            return self.fail(item.span(), format!("`{key}` holds an empty string"), "take it out");
        }
        Some(texts)
    }

    /// An argument vector: a program, then anything.
    pub(super) fn argv(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<String>> {
        if let Some(line) = item.get_ref().as_str() {
            let hint = match key {
                "command" => format!("write `shell = {}` or an array of strings", toml_edit::Value::from(line)),
                _ => "write an array of strings, the program first".to_owned(),
            };
            return self.fail(item.span(), format!("`{key}` is one string"), hint);
        }
        let argv = self.strings(key, item, Form::Argv)?;
        match argv.first() {
            None => self.fail(item.span(), format!("`{key}` is empty"), "name the program first"),
            Some(program) if program.trim().is_empty() => {
                self.fail(item.span(), format!("`{key}` begins with an empty string"), "name the program first")
            }
            Some(_) => Some(argv),
        }
    }

    /// A switch.
    pub(super) fn switch(&mut self, key: &str, item: &Item<'_>) -> Option<bool> {
        match item.get_ref().as_bool() {
            Some(on) => Some(on),
            None => self.mismatch(key, item, Form::Switch),
        }
    }

    /// A whole number in a range.
    pub(super) fn number(&mut self, key: &str, item: &Item<'_>, form: Form, range: Range<i64>) -> Option<i64> {
        let Some(digits) = item.get_ref().as_integer() else { return self.mismatch(key, item, form) };
        match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                self.fail(item.span(), format!("`{key}` cannot be {digits}"), format!("{} is wanted", form.wanted()))
            }
        }
    }

    /// A number from 0.
    pub(super) fn count(&mut self, key: &str, item: &Item<'_>) -> Option<u32> {
        let number = self.number(key, item, Form::Count, 0..i64::from(u32::MAX) + 1)?;
        u32::try_from(number).ok()
    }

    /// A number from 1.
    pub(super) fn most(&mut self, key: &str, item: &Item<'_>) -> Option<u32> {
        let number = self.number(key, item, Form::Most, 1..i64::from(u32::MAX) + 1)?;
        u32::try_from(number).ok()
    }

    /// A share in `(0, 1]`.
    pub(super) fn share(&mut self, key: &str, item: &Item<'_>) -> Option<f64> {
        self.fraction(key, item, Form::Share, 1.0)
    }

    /// A number of processors.
    pub(super) fn cores(&mut self, key: &str, item: &Item<'_>) -> Option<f64> {
        self.fraction(key, item, Form::Cores, 65536.0)
    }

    /// A number over zero, fractions included, up to `most`.
    fn fraction(&mut self, key: &str, item: &Item<'_>, form: Form, most: f64) -> Option<f64> {
        let number = match item.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            DeValue::Integer(integer) => integer.as_str().parse::<f64>().ok(),
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return self.mismatch(key, item, form);
            }
        };
        match number {
            Some(number) if number > 0.0 && number <= most => Some(number),
            Some(_) | None => {
                let message = format!("`{key}` is outside its range");
                self.fail(item.span(), message, format!("{} is wanted", form.wanted()))
            }
        }
    }

    /// A size.
    pub(super) fn size(&mut self, key: &str, item: &Item<'_>) -> Option<u64> {
        let parsed = match item.get_ref() {
            DeValue::String(text) => parse_size(text),
            DeValue::Integer(digits) => parse_size(digits.as_str()),
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return self.mismatch(key, item, Form::Size);
            }
        };
        match parsed {
            Ok(size) => Some(size),
            Err(error) => self.unit_error(key, item, error),
        }
    }

    /// A size, or `0` for none.
    pub(super) fn size_or_off(&mut self, key: &str, item: &Item<'_>) -> Option<u64> {
        let off = match item.get_ref() {
            DeValue::String(text) => text == "0",
            DeValue::Integer(digits) => digits.as_str() == "0",
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                false
            }
        };
        if off { Some(0) } else { self.size(key, item) }
    }

    /// Lines for the shell: one, or an array of them.
    pub(super) fn shell_lines(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<String>> {
        match item.get_ref() {
            DeValue::String(_) => self.text(key, item).map(|line| vec![line]),
            DeValue::Array(_) => self.texts(key, item),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => self.mismatch(key, item, Form::Lines),
        }
    }

    /// What shows that something is ready, or alive: what `read` takes for that.
    pub(super) fn probe(
        &mut self,
        key: &str,
        item: &Item<'_>,
        read: fn(&str) -> Result<Probe, UnitError>,
    ) -> Option<Probe> {
        let text = self.text(key, item)?;
        match read(&text) {
            Ok(probe) => Some(probe),
            Err(error) => self.unit_error(key, item, error),
        }
    }

    /// The size of a window.
    pub(super) fn window(&mut self, key: &str, item: &Item<'_>) -> Option<Window> {
        let text = self.string(key, item, Form::Window)?;
        match text.parse() {
            Ok(window) => Some(window),
            Err(error) => self.unit_error(key, item, error),
        }
    }

    /// A duration.
    pub(super) fn duration(&mut self, key: &str, item: &Item<'_>) -> Option<Duration> {
        let parsed = match item.get_ref() {
            DeValue::String(text) => parse_duration(text),
            DeValue::Integer(digits) => parse_duration(digits.as_str()),
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return self.mismatch(key, item, Form::Duration);
            }
        };
        match parsed {
            Ok(duration) => Some(duration),
            Err(error) => self.unit_error(key, item, error),
        }
    }

    /// A duration over zero.
    pub(super) fn some_time(&mut self, key: &str, item: &Item<'_>, hint: &str) -> Option<Duration> {
        let duration = self.duration(key, item)?;
        if duration.is_zero() {
            return self.fail(item.span(), format!("`{key}` is zero"), hint);
        }
        Some(duration)
    }

    /// One of some words; `-` and `_` are the same.
    pub(super) fn word(&mut self, key: &str, item: &Item<'_>, words: &'static [&'static str]) -> Option<&'static str> {
        let form = Form::Words(words);
        let text = self.string(key, item, form)?;
        let plain = |word: &str| word.replace('_', "-");
        if let Some(word) = words.iter().find(|word| plain(word) == plain(&text)) {
            return Some(word);
        }
        let hint = match similar(&text, words.iter().copied()) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("{} is wanted", form.wanted()),
        };
        self.fail(item.span(), format!("`{key}` cannot be {text:?}"), hint)
    }

    /// An absolute path; `~/` is expanded.
    pub(super) fn path(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        let text = self.text(key, item)?;
        let expanded = match (text.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest).to_str().map(str::to_owned),
            (Some(_), None) => None,
            (None, _) => Some(text.clone()),
        };
        match expanded {
            Some(path) if path.starts_with('/') => Some(path),
            Some(_) => {
                let hint = "write it out from `/`, or begin it with `~/`";
                self.fail(item.span(), format!("`{key}` is not an absolute path: {text:?}"), hint)
            }
            None => {
                let hint = "write it out from `/`, or set HOME";
                self.fail(item.span(), format!("`{key}` needs a home directory, and HOME is not set"), hint)
            }
        }
    }

    /// Exit codes.
    pub(super) fn codes(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<i32>> {
        let Some(array) = item.get_ref().as_array() else { return self.mismatch(key, item, Form::Codes) };
        let read: Vec<_> = array
            .iter()
            .map(|code| self.number(key, code, Form::Codes, 0..256).and_then(|code| i32::try_from(code).ok()))
            .collect();
        read.into_iter().collect()
    }

    /// Names of environment variables.
    pub(super) fn variables(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<String>> {
        let names = self.strings(key, item, Form::Variables)?;
        for name in &names {
            self.variable(key, item.span(), name)?;
        }
        Some(names)
    }

    fn variable(&mut self, key: &str, at: Range<usize>, name: &str) -> Option<()> {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{key}`: {name:?} cannot be the name of a variable");
            return self.fail(at, message, "a name is not empty and holds neither `=` nor NUL");
        }
        Some(())
    }

    /// Environment variables with values.
    pub(super) fn pairs(&mut self, key: &str, item: &Item<'_>) -> Option<BTreeMap<String, String>> {
        let Some(table) = item.get_ref().as_table() else { return self.mismatch(key, item, Form::Pairs) };
        let mut pairs = BTreeMap::new();
        let before = self.problems.len();
        for (name, value) in table {
            let valid = self.variable(key, name.span(), name.get_ref());
            let shown = format!("{key}.{}", name.get_ref().escape_debug());
            if let (Some(()), Some(value)) = (valid, self.string(&shown, value, Form::Text)) {
                pairs.insert(name.get_ref().to_string(), value);
            }
        }
        (self.problems.len() == before).then_some(pairs)
    }

    /// A table, for which there is no value to return but itself.
    pub(super) fn table<'a, 'i>(&mut self, key: &str, item: &'a Item<'i>) -> Option<&'a DeTable<'i>> {
        match item.get_ref().as_table() {
            Some(table) => Some(table),
            None => {
                let shown = key.escape_debug();
                self.fail(item.span(), format!("`{shown}` is not a table"), format!("begin it with a line `[{shown}]`"))
            }
        }
    }
}
