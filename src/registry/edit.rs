//! Edits of a registry's text that leave every other byte of it as it was.
//!
//! A new process is added at the end of the text; a changed one keeps its place, its comments and
//! every value that stays the same; a removed one takes the comment block directly above it along
//! when that stands apart from what is before. Only `[process.NAME]` tables are edited: a process
//! that is written as an inline table or with dotted keys is a person's own form and is refused.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, Table};

use super::read::Item as Spanned;
use super::value::Draft;
use super::{Context, Parsed, Problem, parse};
use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::spec::Spec;

/// What to do with a process that is there already, with another spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Leave it, and say so.
    Refuse,
    /// Take the new one.
    Allow,
}

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The process is new.
    Added,
    /// The process was there with another spec.
    Replaced,
    /// It was there with the same spec; the text is the same.
    None,
    /// The process is gone.
    Removed,
}

/// The text after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// What was done.
    pub change: Change,
}

/// Why an edit was not made. The text is as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML, so nothing in it can be found.
    #[error("the registry is not valid TOML: {}", .0.first().map_or_else(String::new, Problem::to_string))]
    NotToml(Vec<Problem>),
    /// The process is there, with another spec. The keys are those that would change; none when
    /// what is there is not valid.
    #[error("process `{name}` is in the registry with another spec{}", in_brackets(.keys))]
    Differs {
        /// Which process.
        name: Name,
        /// Keys whose values differ.
        keys: Vec<&'static str>,
    },
    /// What was to be written is not valid by itself.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    /// The process is not written as a table of its own.
    #[error("process `{name}` is not written as a table `[process.{name}]` of its own, at line {line}")]
    Form {
        /// Which process.
        name: Name,
        /// Where it is.
        line: usize,
    },
}

impl EditError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotToml(problems) | Self::Invalid(problems) => {
                problems.first().map_or_else(String::new, |problem| problem.hint.clone())
            }
            Self::Differs { .. } => "give --replace to put the new spec in its place".to_owned(),
            Self::Form { name, .. } => format!("write it as a table `[process.{name}]`, or edit it by hand"),
        }
    }
}

fn in_brackets(keys: &[&str]) -> String {
    if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        let (code, kind) = match &error {
            EditError::NotToml(_) => (Code::Config, "registry_invalid"),
            EditError::Differs { .. } => (Code::Refused, "spec_differs"),
            EditError::Invalid(_) => (Code::Usage, "bad_spec"),
            EditError::Form { .. } => (Code::Refused, "registry_form"),
        };
        let plain = Self::new(code, kind, error.to_string()).hint(error.hint());
        match &error {
            EditError::Differs { name, .. } | EditError::Form { name, .. } => plain.about(name),
            EditError::NotToml(_) | EditError::Invalid(_) => plain,
        }
    }
}

/// Puts a process into the text.
///
/// # Errors
/// The text is not TOML; the draft is not valid; the process is there with another spec and
/// `replace` refuses that, or in a form that is not edited.
pub fn insert(
    text: &str,
    name: &Name,
    draft: &Draft,
    replace: Replace,
    context: &Context,
) -> Result<Edited, EditError> {
    let alone = parse(&append("", name, draft), context);
    // Sinks are elsewhere in the text, so an unknown one is no reason here; it does not drop the entry.
    if alone.registry.processes.is_empty() {
        return Err(EditError::Invalid(alone.problems));
    }
    let before = parse(text, context);
    if !before.is_toml {
        return Err(EditError::NotToml(before.problems));
    }
    let Some(place) = locate(text, name)? else {
        let text = append(text, name, draft);
        let after = parse(&text, context);
        if !after.is_toml {
            return Err(EditError::Form { name: name.clone(), line: 1 });
        }
        return valid(&before, &after, name).map(|()| Edited { text, change: Change::Added });
    };
    let edited = rewrite(text, &place, name, draft)?;
    let after = parse(&edited, context);
    let (old, new) = (before.registry.processes.get(name), after.registry.processes.get(name));
    match (old, new) {
        (Some(old), Some(new)) if old.spec == new.spec => {
            return Ok(Edited { text: text.to_owned(), change: Change::None });
        }
        (Some(old), Some(new)) if replace == Replace::Refuse => {
            return Err(EditError::Differs { name: name.clone(), keys: differing(&old.spec, &new.spec) });
        }
        (_, _) if replace == Replace::Refuse => return Err(EditError::Differs { name: name.clone(), keys: vec![] }),
        (_, _) => {}
    }
    valid(&before, &after, name).map(|()| Edited { text: edited, change: Change::Replaced })
}

/// What stands elsewhere may be missing or lead back to it: a dependency, a sink. That is wrong with what was asked for, not
/// with the registry, which stays as it is.
fn valid(before: &Parsed, after: &Parsed, name: &Name) -> Result<(), EditError> {
    let known = |problem: &Problem| before.problems.iter().any(|old| old.message == problem.message);
    let its = |problem: &Problem| problem.process.as_deref() == Some(name.as_str());
    let new: Vec<Problem> = after.problems.iter().filter(|new| its(new) && !known(new)).cloned().collect();
    if new.is_empty() { Ok(()) } else { Err(EditError::Invalid(new)) }
}

/// Takes a process out of the text; one that is not there changes nothing.
///
/// # Errors
/// The text is not TOML; the process is there in a form that is not edited.
pub fn remove(text: &str, name: &Name) -> Result<Edited, EditError> {
    let checked = parse(text, &Context::default());
    if !checked.is_toml {
        return Err(EditError::NotToml(checked.problems));
    }
    let Some(place) = locate(text, name)? else {
        return Ok(Edited { text: text.to_owned(), change: Change::None });
    };
    let cut = with_surroundings(text, place);
    let text = format!("{}{}", text.get(..cut.start).unwrap_or(""), text.get(cut.end..).unwrap_or(""));
    Ok(Edited { text, change: Change::Removed })
}

/// Keys in which two specs differ.
#[must_use]
pub fn differing(old: &Spec, new: &Spec) -> Vec<&'static str> {
    let (mut old, mut new) = (old.clone(), new.clone());
    super::keys::PROCESS.iter().filter(|key| key.value(&mut old) != key.value(&mut new)).map(|key| key.name).collect()
}

/// The text of one process as a table.
fn table_text(name: &Name, draft: &Draft) -> String {
    let mut text = format!("[process.{}]\n", toml_edit::Key::new(name.as_str()));
    for (key, value) in draft.iter() {
        text.push_str(&format!("{key} = {}\n", value.to_toml().to_string().trim()));
    }
    text
}

fn append(text: &str, name: &Name, draft: &Draft) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &table_text(name, draft)
}

/// The whole lines of `[process.NAME]`, its sub-tables included; `None`: there is no such process.
fn locate(text: &str, name: &Name) -> Result<Option<Range<usize>>, EditError> {
    let (root, _) = DeTable::parse_recoverable(text);
    let Some(processes) = root.get_ref().get("process").and_then(|item| item.get_ref().as_table()) else {
        return Ok(None);
    };
    let Some((key, item)) = processes.get_key_value(name.as_str()) else { return Ok(None) };
    let line = text.get(..key.span().start).unwrap_or("").matches('\n').count() + 1;
    let span = item.span();
    let extent = extent(item);
    let header = text.get(span.clone()).is_some_and(|header| header.starts_with('['));
    let overlaps = |other: &Spanned<'_>| {
        let other = other.span();
        other.start < extent.end && other.end > extent.start
    };
    let tangled = processes.iter().any(|(other, item)| other != key && overlaps(item))
        || root
            .get_ref()
            .iter()
            .filter(|(key, _)| key.get_ref() != "process")
            .any(|(_, item)| scattered(item, &extent));
    if !header || !item.get_ref().is_table() || tangled {
        return Err(EditError::Form { name: name.clone(), line });
    }
    let start = text.get(..extent.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(extent.end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| extent.end + at + 1);
    Ok(Some(start..end))
}

/// From the first to the last byte of a value and all that is in it.
fn extent(item: &Spanned<'_>) -> Range<usize> {
    let mut whole = item.span();
    if let DeValue::Table(table) = item.get_ref() {
        for (key, value) in table {
            let inner = extent(value);
            whole = whole.start.min(key.span().start).min(inner.start)..whole.end.max(inner.end);
        }
    }
    whole
}

/// Whether any table of another kind begins within `extent`.
fn scattered(item: &Spanned<'_>, extent: &Range<usize>) -> bool {
    extent.contains(&item.span().start)
        || item.get_ref().as_table().is_some_and(|table| table.values().any(|item| scattered(item, extent)))
}

/// `place` with the comment that belongs to it and one blank line that parted it from its neighbours.
fn with_surroundings(text: &str, place: Range<usize>) -> Range<usize> {
    let before = text.get(..place.start).unwrap_or("");
    let lines: Vec<&str> = before.split_inclusive('\n').collect();
    let comments = lines.iter().rev().take_while(|line| line.trim_start().starts_with('#')).count();
    let apart = |at: usize| {
        lines.len().checked_sub(at + 1).and_then(|at| lines.get(at)).is_some_and(|line| line.trim().is_empty())
    };
    let length = |from: usize| lines.iter().rev().take(from).map(|line| line.len()).sum::<usize>();
    // A comment at the very top, or one that touches the entry above, may speak of more than this one.
    let mine = if apart(comments) { comments } else { 0 };
    let taken = if apart(mine) { mine + 1 } else { mine };
    let mut end = place.end;
    if taken == mine && before.is_empty() {
        let after = text.get(end..).unwrap_or("");
        let blank = after.split_inclusive('\n').next().filter(|line| line.trim().is_empty());
        end += blank.map_or(0, str::len);
    }
    place.start - length(taken)..end
}

/// The text with the keys of one table replaced by those of `draft`.
fn rewrite(text: &str, place: &Range<usize>, name: &Name, draft: &Draft) -> Result<String, EditError> {
    let form = || EditError::Form { name: name.clone(), line: 1 };
    let part = text.get(place.clone()).unwrap_or("");
    let mut document: DocumentMut = part.parse().map_err(|_| form())?;
    let table = document.get_mut("process").and_then(|item| item.get_mut(name.as_str())).and_then(Item::as_table_mut);
    merge(table.ok_or_else(form)?, draft);
    let mut edited = document.to_string();
    if part.contains("\r\n") {
        edited = edited.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if !part.ends_with('\n') && text.len() == place.end {
        edited.truncate(edited.trim_end_matches(['\r', '\n']).len());
    }
    Ok(format!("{}{edited}{}", text.get(..place.start).unwrap_or(""), text.get(place.end..).unwrap_or("")))
}

/// Sets the keys of `draft` and takes all others out; values that stay the same keep their look.
fn merge(table: &mut Table, draft: &Draft) {
    let gone: Vec<String> =
        table.iter().map(|(key, _)| key.to_owned()).filter(|key| draft.get(key).is_none()).collect();
    let mut comment_of_command = None;
    for key in gone {
        if let Some((old, _)) = table.remove_entry(&key)
            && (key == "command" || key == "shell")
        {
            comment_of_command = Some(old.leaf_decor().clone());
        }
    }
    for (key, value) in draft.iter() {
        let new = value.to_toml();
        match table.get_mut(key) {
            Some(old) if same(old, &new) => {}
            Some(Item::Value(old)) => {
                let decor = old.decor().clone();
                *old = new;
                *old.decor_mut() = decor;
            }
            Some(other) => *other = Item::Value(new),
            None => {
                table.insert(key, Item::Value(new));
                if let (true, Some(decor)) = (key == "command" || key == "shell", comment_of_command.take())
                    && let Some(mut inserted) = table.key_mut(key)
                {
                    *inserted.leaf_decor_mut() = decor;
                }
            }
        }
    }
}

/// Whether two values say the same, however they are written.
fn same(old: &Item, new: &toml_edit::Value) -> bool {
    let plain = |text: String| toml::from_str::<toml::Table>(&text).ok();
    let old = match old {
        Item::Value(old) => {
            let mut old = old.clone();
            old.decor_mut().clear();
            plain(format!("v = {old}\n"))
        }
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => None,
    };
    old.is_some() && old == plain(format!("v = {new}\n"))
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
