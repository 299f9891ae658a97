//! Reads one `[sinks.NAME]`, and `[healthcheck]`.

use core::net::IpAddr;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeTable;

use super::form::Form;
use super::problem::similar;
use super::read::{Item, Reader};
use super::sink_keys::{self, HEALTHCHECK, SINK};
use crate::model::event::{EventKind, Severity};
use crate::model::name::Name;
use crate::model::sink::{HealthcheckConfig, Secret, SecretSource, Sink, SinkKind, Tls};
use crate::model::wake::Harness;

/// Reads one sink; on `None` the reader knows why. `machine`: the time zone of this machine.
pub(super) fn read(
    reader: &mut Reader<'_>,
    name: &toml::Spanned<toml::de::DeString<'_>>,
    item: &Item<'_>,
    machine: Option<&str>,
) -> Option<Sink> {
    let before = reader.problems.len();
    let shown = name.get_ref().escape_debug().to_string();
    if Name::from_str(name.get_ref()).is_err() {
        let hint = "use 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit, for example `ops`";
        reader.fail::<()>(name.span(), format!("a sink cannot be called `{shown}`"), hint);
    }
    let table = reader.table(&format!("sinks.{shown}"), item)?;
    reader.scope = format!("sink `{shown}`: ");
    let sink = Fields { reader, table, at: name.span() }.sink(name.get_ref(), machine);
    reader.scope.clear();
    sink.filter(|_| reader.problems.len() == before)
}

/// Reads `[healthcheck]`; a key that is not valid keeps its default.
pub(super) fn read_healthcheck(reader: &mut Reader<'_>, table: &DeTable<'_>) -> HealthcheckConfig {
    let mut config = HealthcheckConfig::default();
    reader.scope = "`[healthcheck]`: ".to_owned();
    let known: Vec<String> = HEALTHCHECK.iter().flat_map(sink_keys::spellings).collect();
    for (key, _) in table.iter().filter(|(key, _)| known.iter().all(|known| known != key.get_ref())) {
        reader.unknown(key.span(), key.get_ref(), known.iter().map(String::as_str));
    }
    let every = table.get("every").and_then(|item| reader.some_time("every", item, "a minute is usual: `\"1m\"`"));
    if let Some(every) = every {
        config.every = every;
    }
    if let Some(storm) = table.get("storm").and_then(|item| reader.count("storm", item)) {
        config.storm = storm;
    }
    config.strays =
        table.get("strays").and_then(|item| reader.some_time("strays", item, "ten minutes are usual: `\"10m\"`"));
    let spool = table.get("spool").and_then(|item| reader.texts("spool", item).map(|paths| (item, paths)));
    for path in spool.into_iter().flat_map(|(item, paths)| paths.into_iter().map(move |path| (item, path))) {
        match path {
            (_, path) if path.starts_with('/') => config.spool.push(path),
            (item, path) => {
                reader.fail::<()>(item.span(), format!("`spool`: {path:?} is not absolute"), "write it out from `/`");
            }
        }
    }
    config.textfile = table.get("textfile").and_then(|item| reader.path("textfile", item));
    let mut fields = Fields { reader, table, at: 0..0 };
    if fields.has_secret("ping_url") {
        config.ping_url = fields.secret_address("ping_url");
    }
    reader.scope.clear();
    config
}

/// One sink's table while it is read.
pub(super) struct Fields<'r, 't, 'a, 'i> {
    pub(super) reader: &'r mut Reader<'t>,
    pub(super) table: &'a DeTable<'i>,
    /// Where the sink's name stands.
    pub(super) at: Range<usize>,
}

impl<'a, 'i> Fields<'_, '_, 'a, 'i> {
    fn sink(&mut self, name: &str, machine: Option<&str>) -> Option<Sink> {
        let kind = self.required("type").and_then(|item| self.reader.word("type", item, sink_keys::TYPES))?;
        self.refuse_unknown(kind);
        let events = self.events();
        let processes = self.texts("processes");
        let groups = self.texts("groups");
        let min_severity = match self.word("min_severity", sink_keys::SEVERITIES) {
            Some("info") => Severity::Info,
            Some("critical") => Severity::Critical,
            Some(_) | None => Severity::Warning,
        };
        let cooldown = match self.table.get("cooldown") {
            Some(item) => self.reader.duration("cooldown", item),
            None => Some(Duration::from_secs(900)),
        };
        let timeout = match self.table.get("timeout") {
            Some(item) => self.reader.some_time("timeout", item, "nothing could be delivered: `\"10s\"` is usual"),
            None => Some(Duration::from_secs(10)),
        };
        let insist = self.insist();
        let timing = self.timing(kind);
        // What is wrong with it is in the reader, and drops the sink.
        let ca_file = self.table.get("ca_file").and_then(|item| self.reader.path("ca_file", item));
        let heartbeat = self.heartbeat(machine);
        let kind = match kind {
            "email" => self.email(),
            "webhook" => self.webhook(),
            "command" => self
                .required("command")
                .and_then(|item| self.reader.argv("command", item))
                .map(|command| SinkKind::Command { command }),
            "file" => self
                .required("path")
                .and_then(|item| self.reader.path("path", item))
                .map(|path| SinkKind::File { path }),
            other => match Harness::named(other) {
                Some(harness) => self.wake(harness),
                None => self.channel(other),
            },
        };
        Some(Sink {
            name: name.to_owned(),
            kind: kind?,
            events,
            processes,
            groups,
            min_severity,
            cooldown: cooldown?,
            timeout: timeout?,
            insist: insist?,
            timing: timing?,
            ca_file,
            heartbeat,
        })
    }

    fn refuse_unknown(&mut self, kind: &str) {
        let known: Vec<String> = SINK.iter().filter(|key| key.is_of(kind)).flat_map(sink_keys::spellings).collect();
        for (key, _) in self.table {
            let written = key.get_ref().as_ref();
            if known.iter().any(|known| known == written) {
                continue;
            }
            let other = SINK.iter().find(|known| sink_keys::spellings(known).iter().any(|known| known == written));
            match other.map(|known| known.of.join("`, `")) {
                Some(of) => {
                    let message = format!("key `{written}` belongs to sinks of type `{of}`, this one is `{kind}`");
                    self.reader.fail::<()>(key.span(), message, "take it out, or change `type`");
                }
                None => self.reader.unknown(key.span(), written, known.iter().map(String::as_str)),
            }
        }
    }

    pub(super) fn required(&mut self, key: &str) -> Option<&'a Item<'i>> {
        if !self.table.contains_key(key) {
            let wanted =
                SINK.iter().find(|known| known.name == key).map_or_else(String::new, |known| known.form.wanted());
            self.reader.fail::<()>(self.at.clone(), format!("`{key}` is missing"), format!("add it: {wanted}"));
        }
        self.table.get(key)
    }

    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        // What is wrong is in the reader, and drops the sink.
        self.table.get(key).and_then(|item| self.reader.texts(key, item)).into_iter().flatten().collect()
    }

    pub(super) fn word(&mut self, key: &str, words: &'static [&'static str]) -> Option<&'static str> {
        self.table.get(key).and_then(|item| self.reader.word(key, item, words))
    }

    fn events(&mut self) -> Vec<String> {
        let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.word()).chain(["*"]).collect();
        let mut events = Vec::new();
        for word in self.texts("events") {
            let plain = word.replace('-', "_");
            if known.contains(&plain.as_str()) {
                events.push(plain);
                continue;
            }
            let at = self.table.get("events").map_or(self.at.clone(), toml::Spanned::span);
            let hint = match similar(&word, known.iter().copied()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.reader.fail::<()>(at, format!("`events`: {word:?} is no kind of event"), hint);
        }
        events
    }

    /// A secret in one of its four spellings, with its place.
    pub(super) fn secret(&mut self, key: &str) -> Option<(SecretSource, Range<usize>)> {
        let spellings = ["", "_file", "_env", "_command"].map(|suffix| format!("{key}{suffix}"));
        let given: Vec<_> = spellings.iter().filter_map(|name| Some((name, self.table.get(name.as_str())?))).collect();
        if let [(first, _), (second, item), ..] = given.as_slice() {
            let message = format!("both `{first}` and `{second}` are given");
            return self.reader.fail(item.span(), message, "keep one of them");
        }
        let (name, item) = given.first()?;
        let reader = &mut *self.reader;
        let source = match name.strip_prefix(key) {
            Some("_file") => SecretSource::File(reader.path(name, item)?),
            Some("_env") => SecretSource::Env(reader.text(name, item)?),
            Some("_command") => SecretSource::Command(reader.argv(name, item)?),
            Some(_) | None => SecretSource::Inline(Secret::new(reader.text(name, item)?)),
        };
        Some((source, item.span()))
    }

    fn email(&mut self) -> Option<SinkKind> {
        let host = self.required("host").and_then(|item| self.reader.text("host", item));
        let tls = match self.word("tls", sink_keys::TLS) {
            Some("implicit") => Tls::Implicit,
            Some("none") => Tls::None,
            Some(_) | None => Tls::Starttls,
        };
        let port = match self.table.get("port") {
            Some(item) => {
                self.reader.number("port", item, Form::Port, 1..65536).and_then(|port| u16::try_from(port).ok())
            }
            None => Some(match tls {
                Tls::Starttls => 587,
                Tls::Implicit => 465,
                Tls::None => 25,
            }),
        };
        let user = self.table.get("user").and_then(|item| self.reader.text("user", item));
        let password = self.secret("password");
        match (&user, &password) {
            (Some(_), None) if !self.table.keys().any(|key| key.get_ref().starts_with("password")) => {
                let hint = "add `password_file`, `password_env` or `password_command`, or take `user` out";
                self.reader.fail::<()>(self.at.clone(), "`user` is given without a password", hint);
            }
            (None, Some((_, at))) if !self.table.contains_key("user") => {
                self.reader.fail::<()>(at.clone(), "a password is given without `user`", "add `user`, or take it out");
            }
            (_, Some((_, at))) if tls == Tls::None && host.as_deref().is_some_and(|host| !is_loopback(host)) => {
                let hint = "use `tls = \"starttls\"` or `\"implicit\"`";
                self.reader.fail::<()>(at.clone(), "a password would be sent over the network without TLS", hint);
            }
            (_, _) => {}
        }
        let (from, to) = (self.sender(), self.recipients());
        Some(SinkKind::Email {
            host: host?,
            port: port?,
            tls,
            user,
            password: password.map(|(source, _)| source),
            from: from?,
            to: to?,
        })
    }

    /// `from`.
    pub(super) fn sender(&mut self) -> Option<String> {
        self.required("from").and_then(|item| {
            let address = self.reader.text("from", item)?;
            self.address("from", item, &address).then_some(address)
        })
    }

    /// `to`.
    pub(super) fn recipients(&mut self) -> Option<Vec<String>> {
        self.required("to").and_then(|item| {
            let to = self.reader.texts("to", item)?;
            if to.is_empty() {
                return self.reader.fail(item.span(), "`to` is empty", "name a recipient");
            }
            let valid: Vec<bool> = to.iter().map(|address| self.address("to", item, address)).collect();
            (!valid.contains(&false)).then_some(to)
        })
    }

    fn address(&mut self, key: &str, item: &Item<'_>, address: &str) -> bool {
        if address.parse::<lettre::message::Mailbox>().is_ok() {
            return true;
        }
        let hint = "write `user@example.org` or `Name <user@example.org>`";
        self.reader.fail::<()>(item.span(), format!("`{key}`: {address:?} is not a mail address"), hint);
        false
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || IpAddr::from_str(host.trim_matches(['[', ']'])).is_ok_and(|address| address.is_loopback())
}
