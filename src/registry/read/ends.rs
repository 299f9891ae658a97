//! Reads the ends of `never_restart`: exit codes, signals and causes in one array.

use toml::de::DeValue;

use super::{Item, Reader};
use crate::model::never::Never;
use crate::registry::form::Form;
use crate::registry::problem::similar;

impl Reader<'_> {
    /// Exit codes, signals and causes; all that are wrong are noted, each in its place.
    pub(in crate::registry) fn ends(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<Never>> {
        let Some(array) = item.get_ref().as_array() else { return self.mismatch(key, item, Form::Ends) };
        let read: Vec<_> = array.iter().map(|one| self.end(key, one)).collect();
        read.into_iter().collect()
    }

    fn end(&mut self, key: &str, item: &Item<'_>) -> Option<Never> {
        let text = match item.get_ref() {
            DeValue::Integer(_) => {
                let code = self.number(key, item, Form::Ends, 0..256)?;
                return i32::try_from(code).ok().map(Never::Code);
            }
            DeValue::String(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => self.string(key, item, Form::Ends)?,
        };
        let fault = match text.parse() {
            Ok(end) => return Some(end),
            Err(fault) => fault,
        };
        let hint = match meant(&text) {
            Some(meant) => format!("did you mean `{meant}`? {} is wanted", Form::Ends.wanted()),
            None => format!("{} is wanted", Form::Ends.wanted()),
        };
        self.fail(item.span(), format!("`{key}`: {fault}"), hint)
    }
}

/// The word that was most likely meant; signals are found without their `SIG` too.
fn meant(text: &str) -> Option<&'static str> {
    let words = Never::words();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let find = |text: &str| similar(text, lower.iter().map(String::as_str));
    let best = find(text).or_else(|| find(&format!("sig{text}")))?;
    words.into_iter().find(|word| word.eq_ignore_ascii_case(best))
}
