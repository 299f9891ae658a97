//! What the registry says about one sink, and about the healthcheck itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::channel::{
    Alertmanager, Apprise, Discord, Gotify, Matrix, Ntfy, Otlp, Pagerduty, Pushover, Sendmail, Slack, Syslog, Telegram,
    Webhook,
};
use super::event::Severity;
use super::incident::Insist;
use super::schedule::Zone;
use super::timing::Timing;
use super::wake::Wake;

/// Where a secret comes from. Its value is read when it is needed and never stored or printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretSource {
    /// `X`: the value stands in the registry itself. It prints as `****`.
    Inline(Secret),
    /// `X_file`: first line of this file.
    File(String),
    /// `X_env`: this environment variable.
    Env(String),
    /// `X_command`: first line of what this prints.
    Command(Vec<String>),
}

/// A secret value: `Debug` and `Display` print `****`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Plain at first, TLS before anything that matters; refused when the server does not offer it.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// No TLS. Refused together with a password unless the host is loopback.
    None,
}

/// What a sink is, with what its type needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkKind {
    /// SMTP.
    Email {
        /// Host name or address of the server.
        host: String,
        /// 587 with STARTTLS, 465 with implicit TLS, 25 without.
        port: u16,
        /// How TLS is begun.
        tls: Tls,
        /// Login name; `None`: no AUTH.
        user: Option<String>,
        /// Password, when there is a login name.
        password: Option<SecretSource>,
        /// Sender address.
        from: String,
        /// Recipients, one or more.
        to: Vec<String>,
    },
    /// A web address, sent the contract's JSON or what a template makes of it.
    Webhook(Webhook),
    /// A program that gets the JSON on standard input.
    Command {
        /// Argument vector.
        command: Vec<String>,
    },
    /// A flag file (one line, the newest notification) and a text file that grows, for an agent's own heartbeat to pick up.
    File {
        /// The text file, absolute. The flag is `PATH.flag`.
        path: String,
    },
    /// Telegram.
    Telegram(Telegram),
    /// Slack.
    Slack(Slack),
    /// Discord.
    Discord(Discord),
    /// ntfy.
    Ntfy(Ntfy),
    /// Pushover.
    Pushover(Pushover),
    /// Gotify.
    Gotify(Gotify),
    /// Matrix.
    Matrix(Matrix),
    /// PagerDuty.
    Pagerduty(Pagerduty),
    /// Alertmanager.
    Alertmanager(Alertmanager),
    /// Apprise.
    Apprise(Apprise),
    /// A notification on the screen of who is logged in.
    Desktop,
    /// The local mail system.
    Sendmail(Sendmail),
    /// An agent is woken.
    Wake(Wake),
    /// The dead-man's switch of one process, by its address.
    Ping(SecretSource),
    /// Syslog, of this machine or over the network.
    Syslog(Syslog),
    /// systemd's journal.
    Journald {
        /// Path of its socket.
        socket: String,
    },
    /// OpenTelemetry.
    Otlp(Otlp),
}

impl SinkKind {
    /// The `type` in the registry.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Webhook(_) => "webhook",
            Self::Command { .. } => "command",
            Self::File { .. } => "file",
            Self::Telegram(_) => "telegram",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Ntfy(_) => "ntfy",
            Self::Pushover(_) => "pushover",
            Self::Gotify(_) => "gotify",
            Self::Matrix(_) => "matrix",
            Self::Pagerduty(_) => "pagerduty",
            Self::Alertmanager(_) => "alertmanager",
            Self::Apprise(_) => "apprise",
            Self::Desktop => "desktop",
            Self::Sendmail(_) => "sendmail",
            Self::Wake(wake) => wake.harness.word(),
            Self::Ping(_) => "ping",
            Self::Syslog(_) => "syslog",
            Self::Journald { .. } => "journald",
            Self::Otlp(_) => "otlp",
        }
    }

    /// Whether the service keeps incidents of its own, which must be closed there.
    #[must_use]
    pub fn keeps_incidents(&self) -> bool {
        matches!(self, Self::Pagerduty(_) | Self::Alertmanager(_))
    }

    /// Where its secrets come from.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretSource> {
        match self {
            Self::Email { password, .. } => password.iter().collect(),
            Self::Webhook(Webhook { url, .. })
            | Self::Slack(Slack::Webhook { url })
            | Self::Discord(Discord { url }) => {
                vec![url]
            }
            Self::Telegram(Telegram { token, .. })
            | Self::Slack(Slack::Bot { token, .. })
            | Self::Pushover(Pushover { token, .. })
            | Self::Gotify(Gotify { token, .. })
            | Self::Matrix(Matrix { token, .. }) => vec![token],
            Self::Ntfy(Ntfy { topic, token, .. }) => [topic].into_iter().chain(token).collect(),
            Self::Pagerduty(Pagerduty { routing_key, .. }) => vec![routing_key],
            Self::Alertmanager(Alertmanager { url, token, .. }) => [url].into_iter().chain(token).collect(),
            Self::Apprise(Apprise { url, .. }) | Self::Otlp(Otlp { url, .. }) => vec![url],
            Self::Wake(Wake { token, .. }) => token.iter().collect(),
            Self::Ping(url) => vec![url],
            Self::Command { .. }
            | Self::File { .. }
            | Self::Desktop
            | Self::Sendmail(_)
            | Self::Syslog(_)
            | Self::Journald { .. } => Vec::new(),
        }
    }
}

/// When a sink hears that all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// A line of a crontab.
    pub line: String,
    /// Whose clock it goes by.
    pub zone: Zone,
}

/// One `[sinks.NAME]` of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// Its name in the registry.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// Event kinds it wants; `*` is all; empty: by severity, and recoveries.
    pub events: Vec<String>,
    /// Process names or globs it wants; empty: all.
    pub processes: Vec<String>,
    /// Groups it wants; empty: all.
    pub groups: Vec<String>,
    /// Least severity, where `events` is empty.
    pub min_severity: Severity,
    /// The same kind of incident of the same process is told at most once in this time; what is held back is folded into the next message.
    pub cooldown: Duration,
    /// Limit on one whole delivery.
    pub timeout: Duration,
    /// What it asks for while an incident goes on.
    #[serde(default)]
    pub insist: Insist,
    /// When it may be told.
    #[serde(default)]
    pub timing: Timing,
    /// PEM file with the authorities that vouch for its server, instead of those of the system; `None`: these.
    pub ca_file: Option<String>,
    /// When it hears how all stands, whatever happens; `None`: never.
    pub heartbeat: Option<Heartbeat>,
}

/// `[healthcheck]` of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthcheckConfig {
    /// How often the trigger runs a pass.
    pub every: Duration,
    /// Different processes that fail within a minute and are a storm, if they are also a quarter of all; 0: never.
    pub storm: u32,
    /// A process that an agent left behind is told of once it is that old; `None`: nobody looks.
    pub strays: Option<Duration>,
    /// Directories in which requests may be left, besides those of projects.
    pub spool: Vec<String>,
    /// Address of a service that hears of each pass over all processes, and tells when none comes.
    pub ping_url: Option<SecretSource>,
    /// Directory that gets `guardian.prom` after each pass over all processes; `None`: none.
    pub textfile: Option<String>,
}

impl Default for HealthcheckConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            storm: 5,
            strays: None,
            spool: Vec::new(),
            ping_url: None,
            textfile: None,
        }
    }
}
