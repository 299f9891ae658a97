//! Reads one `[watch.NAME]`.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeTable;

use super::WatchEntry;
use super::form::Form;
use super::read::{Item, Reader};
use super::sink_keys::{SEVERITIES, SinkKey};
use super::watch_keys::{KINDS, WATCH};
use crate::model::event::Severity;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::watch::{Field, Subject, WatchSpec};

type SpannedKey<'i> = toml::Spanned<toml::de::DeString<'i>>;

/// Reads one watch; on `None` the reader knows why. `base`: what `[defaults]` says.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &SpannedKey<'_>,
    item: &Item<'_>,
    base: &Spec,
) -> Option<(Name, WatchEntry)> {
    let before = reader.problems.len();
    let shown = key.get_ref().escape_debug().to_string();
    reader.scope = format!("watch `{shown}`: ");
    let name = match Name::from_str(key.get_ref()) {
        Ok(name) => Some(name),
        Err(error) => reader.fail(key.span(), error.to_string().replace("process name", "name"), error.hint()),
    };
    let table = reader.table(&format!("watch.{shown}"), item);
    let spec = table.and_then(|table| Fields { reader, table, at: key.span() }.watch(base));
    reader.scope.clear();
    let line = u32::try_from(reader.line(&key.span())).unwrap_or(u32::MAX);
    let entry = WatchEntry { spec: spec.filter(|_| reader.problems.len() == before)?, line };
    Some((name?, entry))
}

/// One watch's table while it is read.
struct Fields<'r, 't, 'a, 'i> {
    reader: &'r mut Reader<'t>,
    table: &'a DeTable<'i>,
    /// Where its name stands.
    at: Range<usize>,
}

impl<'a, 'i> Fields<'_, '_, 'a, 'i> {
    fn watch(&mut self, base: &Spec) -> Option<WatchSpec> {
        let kind = self.kind()?;
        self.refuse_unknown(kind);
        let seconds = Duration::from_secs;
        let every = self.duration("every", Duration::ZERO, "take it out: a look in each pass");
        let timeout = self.duration("timeout", seconds(10), "no look could end: `\"10s\"` is usual");
        let action_timeout = self.duration("action_timeout", seconds(30), "no action could end: `\"30s\"` is usual");
        let after = self.table.get("after").map_or(Some(2), |item| self.reader.most("after", item));
        let max_failures = match self.table.get("max_failures") {
            Some(item) => self.reader.count("max_failures", item),
            None => Some(base.max_failures),
        };
        let window = match self.table.get("window") {
            Some(item) => self.reader.duration("window", item),
            None => Some(base.window),
        };
        let breaker_cooldown = match self.table.get("breaker_cooldown") {
            Some(item) => self.reader.duration("breaker_cooldown", item),
            None => Some(base.breaker_cooldown),
        };
        let severity = match self.table.get("severity").map(|item| self.reader.word("severity", item, SEVERITIES)) {
            Some(Some("info")) => Severity::Info,
            Some(Some("critical")) => Severity::Critical,
            Some(Some(_) | None) | None => Severity::Warning, // what is wrong is in the reader, and drops the watch
        };
        let notify = match self.table.get("notify") {
            Some(item) if item.get_ref().as_str() == Some("auto") => Some(Vec::new()),
            Some(item) => self.reader.texts("notify", item).map(|mut sinks| {
                sinks.retain(|sink| sink != "auto");
                sinks
            }),
            None => Some(base.notify.clone()),
        };
        let group = self.text("group").or_else(|| base.group.clone());
        let action = self.text("action");
        Some(WatchSpec {
            subject: self.subject(kind)?,
            every: every?,
            timeout: timeout?,
            after: after?,
            action,
            action_timeout: action_timeout?,
            max_failures: max_failures?,
            window: window?,
            breaker_cooldown: breaker_cooldown?,
            group,
            notify: notify?,
            severity,
        })
    }

    /// The one key that says what is looked at.
    fn kind(&mut self) -> Option<&'static str> {
        let given: Vec<_> = KINDS.iter().copied().filter(|kind| self.table.contains_key(*kind)).collect();
        match given.as_slice() {
            [kind] => Some(kind),
            [] => {
                for (key, _) in self.table {
                    self.refuse(key, WATCH.iter());
                }
                let kinds: Vec<String> = KINDS.iter().map(|kind| format!("`{kind}`")).collect();
                let hint = format!("add one of {}", kinds.join(", "));
                self.reader.fail(self.at.clone(), "it does not say what is to be watched", hint)
            }
            [first, others @ ..] => {
                for other in others {
                    let at = self.table.get_key_value(*other).map_or(self.at.clone(), |(key, _)| key.span());
                    let message = format!("both `{first}` and `{other}` are given");
                    self.reader.fail::<()>(at, message, "keep one of them: a watch looks at one thing");
                }
                None
            }
        }
    }

    fn refuse_unknown(&mut self, kind: &'static str) {
        for (key, _) in self.table {
            let written = key.get_ref().as_ref();
            let here = |known: &&SinkKey| known.is_of(kind);
            if WATCH.iter().filter(here).any(|known| known.name == written) {
                continue;
            }
            match WATCH.iter().find(|known| known.name == written).and_then(|known| known.of.first()) {
                Some(of) => {
                    let message = format!("key `{written}` belongs to watches of kind `{of}`, this one is `{kind}`");
                    self.reader.fail::<()>(key.span(), message, "take it out");
                }
                None => self.refuse(key, WATCH.iter().filter(here)),
            }
        }
    }

    /// A key that no watch has.
    fn refuse(&mut self, key: &SpannedKey<'_>, known: impl Iterator<Item = &'static SinkKey> + Clone) {
        let written = key.get_ref().as_ref();
        if !WATCH.iter().any(|known| known.name == written) {
            self.reader.unknown(key.span(), written, known.map(|known| known.name));
        }
    }

    fn required(&mut self, key: &str) -> Option<&'a Item<'i>> {
        if !self.table.contains_key(key) {
            let form = WATCH.iter().find(|known| known.name == key).map_or(Form::Text, |known| known.form);
            self.reader.fail::<()>(
                self.at.clone(),
                format!("`{key}` is missing"),
                format!("add it: {}", form.wanted()),
            );
        }
        self.table.get(key)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.table.get(key).and_then(|item| self.reader.text(key, item))
    }

    fn path(&mut self, key: &str) -> Option<String> {
        self.required(key).and_then(|item| self.reader.path(key, item))
    }

    /// A duration over zero, or `usual`.
    fn duration(&mut self, key: &str, usual: Duration, hint: &str) -> Option<Duration> {
        self.table.get(key).map_or(Some(usual), |item| self.reader.some_time(key, item, hint))
    }

    fn max_age(&mut self) -> Option<Duration> {
        let item = self.required("max_age")?;
        self.reader.some_time("max_age", item, "nothing is ever that new: `\"10m\"` for example")
    }

    fn subject(&mut self, kind: &str) -> Option<Subject> {
        Some(match kind {
            "pid_file" => Subject::PidFile { path: self.path(kind)? },
            "match" => {
                let (pattern, user) = (self.pattern(kind), self.text("user"));
                Subject::Match { pattern: pattern?, user }
            }
            "file" => {
                let (path, max_age) = (self.path(kind), self.max_age());
                Subject::File { path: path?, max_age: max_age? }
            }
            "json_file" => {
                let (path, field, max_age) = (self.path(kind), self.field(), self.max_age());
                Subject::JsonFile { path: path?, field: field?, max_age: max_age? }
            }
            "output" => {
                let (line, max_age) = (self.text(kind), self.max_age());
                Subject::Output { line: line?, max_age: max_age? }
            }
            "command" => Subject::Command { line: self.text(kind)? },
            _ => {
                let home = self.home(kind);
                let program = match self.table.get("program") {
                    Some(item) => Some(self.reader.path("program", item)?),
                    None => None,
                };
                Subject::OpenClaw { home: home?, program }
            }
        })
    }

    fn pattern(&mut self, key: &str) -> Option<String> {
        let item = self.required(key)?;
        let pattern = self.reader.text(key, item)?;
        match regex_lite::Regex::new(&pattern) {
            Ok(_) => Some(pattern),
            Err(error) => {
                let message = format!("`{key}`: {pattern:?} is no regular expression: {error}");
                self.reader.fail(item.span(), message, "a literal `.`, `(`, `[`, `+` or `*` has a `\\` before it")
            }
        }
    }

    fn field(&mut self) -> Option<Field> {
        let item = self.required("field")?;
        let text = self.reader.text("field", item)?;
        match text.parse() {
            Ok(field) => Some(field),
            Err(error) => {
                let hint = "write `a.b[0].ts`; a name with a dot or bracket is written `[\"x.y\"]`";
                self.reader.fail(item.span(), format!("`field`: {text:?} names no place in a document: {error}"), hint)
            }
        }
    }

    /// `true`, or a path.
    fn home(&mut self, key: &str) -> Option<Option<String>> {
        let item = self.required(key)?;
        match item.get_ref().as_bool() {
            Some(true) => Some(None),
            Some(false) => self.reader.fail(item.span(), format!("`{key}` is false"), "take the watch out instead"),
            None => self.reader.path(key, item).map(Some),
        }
    }
}
