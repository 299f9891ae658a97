//! Reads what each further type of sink needs: chats, push services, pagers, programs.

use super::read::Item;
use super::sink::Fields;
use crate::model::channel::{
    Alertmanager, Apprise, Discord, Gotify, Matrix, Ntfy, Otlp, Pagerduty, Pushover, Sendmail, Slack, Telegram,
};
use crate::model::sink::{SecretSource, SinkKind};

impl Fields<'_, '_, '_, '_> {
    /// A sink of a type that has no reader of its own in `sink.rs`; on `None` the reader knows why.
    pub(super) fn channel(&mut self, kind: &str) -> Option<SinkKind> {
        match kind {
            "telegram" => {
                let (token, chat) = (self.required_secret("token"), self.required_text("chat"));
                let api_base = self.base("https://api.telegram.org")?;
                Some(SinkKind::Telegram(Telegram { api_base, token: token?, chat: chat? }))
            }
            "slack" => self.slack().map(SinkKind::Slack),
            "discord" => Some(SinkKind::Discord(Discord { url: self.secret_address("url")? })),
            "ntfy" => {
                let (topic, token) = (self.required_secret("topic"), self.optional_secret("token"));
                let api_base = self.base("https://ntfy.sh")?;
                Some(SinkKind::Ntfy(Ntfy { api_base, topic: topic?, token }))
            }
            "pushover" => {
                let (token, user) = (self.required_secret("token"), self.required_text("user"));
                let api_base = self.base("https://api.pushover.net")?;
                Some(SinkKind::Pushover(Pushover { api_base, token: token?, user: user? }))
            }
            "gotify" => {
                let (token, api_base) = (self.required_secret("token"), self.required_base());
                Some(SinkKind::Gotify(Gotify { api_base: api_base?, token: token? }))
            }
            "matrix" => {
                let (token, room) = (self.required_secret("token"), self.required_text("room"));
                let api_base = self.required_base();
                Some(SinkKind::Matrix(Matrix { api_base: api_base?, token: token?, room: room? }))
            }
            "pagerduty" => {
                let routing_key = self.required_secret("routing_key");
                let api_base = self.base("https://events.pagerduty.com")?;
                Some(SinkKind::Pagerduty(Pagerduty { api_base, routing_key: routing_key? }))
            }
            "alertmanager" => self.alertmanager().map(SinkKind::Alertmanager),
            "apprise" => {
                let url = self.required_secret("url");
                let api_base = match self.table.get("api_base") {
                    Some(item) => Some(self.web_address("api_base", item)?),
                    None => None,
                };
                let program = self.program("apprise")?;
                Some(SinkKind::Apprise(Apprise { api_base, url: url?, program }))
            }
            "sendmail" => {
                let (from, to) = (self.sender(), self.recipients());
                let program = self.program("/usr/sbin/sendmail")?;
                Some(SinkKind::Sendmail(Sendmail { program, from: from?, to: to? }))
            }
            "syslog" => self.syslog().map(SinkKind::Syslog),
            "journald" => {
                let socket = match self.table.get("address") {
                    Some(item) => self.reader.path("address", item)?,
                    None => "/run/systemd/journal/socket".to_owned(),
                };
                Some(SinkKind::Journald { socket })
            }
            "otlp" => {
                let (url, header) = (self.secret_address("url"), self.header());
                Some(SinkKind::Otlp(Otlp { url: url?, header }))
            }
            // The only one that is left of the words that `type` can be.
            _ => Some(SinkKind::Desktop),
        }
    }

    fn slack(&mut self) -> Option<Slack> {
        if self.has_secret("url") {
            if let Some(key) = ["token", "token_file", "token_env", "token_command", "channel"]
                .into_iter()
                .find(|key| self.table.contains_key(*key))
            {
                let at = self.table.get(key).map_or(self.at.clone(), toml::Spanned::span);
                let message = format!("both `url` and `{key}` are given");
                return self.reader.fail(at, message, "a webhook has `url` alone, a bot has `token` and `channel`");
            }
            return Some(Slack::Webhook { url: self.secret_address("url")? });
        }
        if !self.has_secret("token") && !self.table.contains_key("channel") {
            let hint = "add `url` (incoming webhook), or `token` and `channel` (bot)";
            return self.reader.fail(self.at.clone(), "neither `url` nor `token` is given", hint);
        }
        let (token, channel) = (self.required_secret("token"), self.required_text("channel"));
        Some(Slack::Bot { api_base: self.base("https://slack.com/api")?, token: token?, channel: channel? })
    }

    fn alertmanager(&mut self) -> Option<Alertmanager> {
        let url = self.secret_address("url");
        let token = self.optional_secret("token");
        let peers = self.texts("peers");
        if let Some(item) = self.table.get("peers") {
            for peer in &peers {
                if !is_web_address(peer) {
                    let message = format!("`peers`: {peer:?} is not a web address");
                    return self.reader.fail(item.span(), message, "write `http://host:9093`");
                }
            }
        }
        Some(Alertmanager { url: url?, peers, token })
    }

    fn required_text(&mut self, key: &str) -> Option<String> {
        let item = self.required(key)?;
        self.reader.text(key, item)
    }

    pub(super) fn has_secret(&self, key: &str) -> bool {
        ["", "_file", "_env", "_command"]
            .iter()
            .any(|suffix| self.table.contains_key(format!("{key}{suffix}").as_str()))
    }

    fn optional_secret(&mut self, key: &str) -> Option<SecretSource> {
        self.secret(key).map(|(source, _)| source)
    }

    /// A secret that must be there.
    fn required_secret(&mut self, key: &str) -> Option<SecretSource> {
        if !self.has_secret(key) {
            let hint =
                format!("add `{key}`, or keep it out of this file with `{key}_file`, `{key}_env` or `{key}_command`");
            return self.reader.fail(self.at.clone(), format!("`{key}` is missing"), hint);
        }
        self.optional_secret(key)
    }

    /// A web address that may hold a secret, and that must be there.
    pub(super) fn secret_address(&mut self, key: &str) -> Option<SecretSource> {
        if !self.has_secret(key) {
            self.required_secret(key)?;
        }
        let (source, at) = self.secret(key)?;
        if let SecretSource::Inline(url) = &source
            && !is_web_address(url.expose())
        {
            // The address may hold a token, so the message does not repeat it.
            let hint = "it begins with `https://` or `http://` and holds no blanks";
            return self.reader.fail(at, format!("`{key}` is not a web address"), hint);
        }
        Some(source)
    }

    fn required_base(&mut self) -> Option<String> {
        let item = self.required("api_base")?;
        self.web_address("api_base", item)
    }

    fn base(&mut self, default: &str) -> Option<String> {
        match self.table.get("api_base") {
            Some(item) => self.web_address("api_base", item),
            None => Some(default.to_owned()),
        }
    }

    /// An address without a slash at its end.
    pub(super) fn web_address(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        let text = self.reader.text(key, item)?;
        if !is_web_address(&text) {
            let hint = "it begins with `https://` or `http://` and holds no blanks";
            return self.reader.fail(item.span(), format!("`{key}` is not a web address"), hint);
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    fn program(&mut self, default: &str) -> Option<Vec<String>> {
        match self.table.get("program") {
            Some(item) => self.reader.argv("program", item),
            None => Some(vec![default.to_owned()]),
        }
    }
}

pub(super) fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}
