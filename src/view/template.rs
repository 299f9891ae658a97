//! The body of a web request in a receiver's own form: text with placeholders, such as `{{title}}`.
//!
//! Used by the `webhook` sink, and by the registry, which wants to know that a template is sound. What stands for a placeholder is
//! escaped for the format and for the place where it stands, so that nothing that a process wrote can break the body. Reads no file.

use serde_json::Value as Json;

use super::escape::percent;

/// What a body is, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`, and all that is JSON by its name.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/plain`.
    Plain,
}

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The subject.
    Title,
    /// The whole text.
    Text,
    /// The text for a phone.
    Brief,
    /// Name of the process.
    Process,
    /// Host that it is about.
    Host,
    /// `info`, `warning` or `critical`.
    Severity,
    /// Id of the message, the same at each try.
    Id,
    /// Kind of event.
    Kind,
    /// When it happened.
    At,
    /// Key of the incident: the same from the first failure to the recovery.
    Incident,
    /// The contract's document.
    Json,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Byte at which it is.
    pub at: usize,
    /// What is wrong. No final period.
    pub message: String,
    /// The way out.
    pub hint: String,
}

/// A template that was found to be sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'t> {
    format: Format,
    parts: Vec<Part<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'t> {
    /// As it stands.
    Literal(&'t str),
    /// What is filled in; of JSON, whether it stands in a string.
    Filled { what: Placeholder, quoted: bool },
}

impl Format {
    /// The format of a `Content-Type`; `None`: it is not known how text is made harmless in it.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or(content_type).trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "text/plain" => Some(Self::Plain),
            kind if kind == "application/json" || kind.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

impl Placeholder {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 11] = [
        Self::Title,
        Self::Text,
        Self::Brief,
        Self::Process,
        Self::Host,
        Self::Severity,
        Self::Id,
        Self::Kind,
        Self::At,
        Self::Incident,
        Self::Json,
    ];

    /// As it is written between the braces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
            Self::Brief => "brief",
            Self::Process => "process",
            Self::Host => "host",
            Self::Severity => "severity",
            Self::Id => "id",
            Self::Kind => "kind",
            Self::At => "at",
            Self::Incident => "incident",
            Self::Json => "json",
        }
    }
}

impl<'t> Template<'t> {
    /// Reads a template.
    ///
    /// # Errors
    /// A placeholder that is not known or not closed; of JSON, that it is none, whatever is filled in.
    pub fn read(text: &'t str, format: Format) -> Result<Self, Wrong> {
        // An editor ends each file with a line end, which would belong to the last field.
        let text = if format == Format::Form { text.trim_end() } else { text };
        let (mut parts, mut sample) = (Vec::new(), String::new());
        let (mut inside, mut at) = (Inside::default(), 0);
        while let Some(open) = text[at..].find("{{").map(|found| at + found) {
            let literal = &text[at..open];
            inside.pass(literal);
            let (what, end) = placeholder(text, open)?;
            parts.extend([Part::Literal(literal), Part::Filled { what, quoted: inside.string }]);
            sample.push_str(literal);
            sample.push_str(&stand_in(what, inside.string, end - open));
            at = end;
        }
        parts.push(Part::Literal(&text[at..]));
        sample.push_str(&text[at..]);
        if format == Format::Json
            && let Err(error) = serde_json::from_str::<Json>(&sample)
        {
            return Err(Wrong {
                at: offset(&sample, error.line(), error.column()),
                message: format!("it is not JSON: {}", said(&error)),
                hint: "write JSON with `{{title}}` in place of a value or in a string, or set `content_type`"
                    .to_owned(),
            });
        }
        Ok(Self { format, parts })
    }

    /// The body: `value` says what a placeholder stands for.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Placeholder) -> String) -> String {
        self.parts.iter().fold(String::new(), |body, part| match part {
            Part::Literal(text) => body + text,
            Part::Filled { what, quoted } => body + &self.escaped(value(*what), *what, *quoted),
        })
    }

    fn escaped(&self, value: String, what: Placeholder, quoted: bool) -> String {
        match (self.format, quoted) {
            (Format::Plain, _) => value,
            (Format::Form, _) => percent(&value),
            // The document is JSON already.
            (Format::Json, false) if what == Placeholder::Json => value,
            (Format::Json, false) => Json::String(value).to_string(),
            (Format::Json, true) => {
                let string = Json::String(value).to_string();
                string[1..string.len() - 1].to_owned()
            }
        }
    }
}

/// Whether what comes next stands in a string of JSON.
#[derive(Default)]
struct Inside {
    string: bool,
    escaped: bool,
}

impl Inside {
    fn pass(&mut self, literal: &str) {
        self.escaped = false; // nothing can be filled in after a backslash: the sample would be no JSON
        for c in literal.chars() {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' if self.string => self.escaped = true,
                '"' => self.string = !self.string,
                _ => {}
            }
        }
    }
}

/// The placeholder that begins at `open`, and where it ends.
fn placeholder(text: &str, open: usize) -> Result<(Placeholder, usize), Wrong> {
    let rest = &text[open + 2..];
    let Some(close) = rest.find("}}").filter(|close| !rest[..*close].contains(['{', '\n'])) else {
        let hint = "close it with `}}`; braces that are meant as they are need a blank between them".to_owned();
        return Err(Wrong { at: open, message: "`{{` is not closed".to_owned(), hint });
    };
    let word = rest[..close].trim();
    let what = Placeholder::ALL.into_iter().find(|known| known.word() == word).ok_or_else(|| Wrong {
        at: open,
        message: format!("there is no placeholder `{{{{{}}}}}`", word.escape_debug()),
        hint: format!("known are {}", Placeholder::ALL.map(Placeholder::word).join(", ")),
    })?;
    Ok((what, open + 2 + close + 2))
}

/// What is as long as the placeholder and is JSON exactly where what is filled in is: so the sample shows each mistake at its place.
fn stand_in(what: Placeholder, quoted: bool, length: usize) -> String {
    match (quoted, what) {
        (true, _) => "x".repeat(length),
        (false, Placeholder::Json) => format!("{{}}{}", " ".repeat(length - 2)),
        (false, _) => format!("\"{}\"", "x".repeat(length - 2)),
    }
}

/// The byte at a line and column of `serde_json`, whose column counts bytes, and is 0 at the very end of a line.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What `serde_json` says, without the place in its sample.
fn said(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.split(" at line ").next().unwrap_or(&said).to_owned()
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
