//! What each type of sink needs beyond what all have: one value per type.
//!
//! Read from the registry, used by the file of that name in `alert/`. A secret is only named here, see
//! [`SecretSource`]. Every address can be set, because many of these services are run by their users.

use serde::{Deserialize, Serialize};

use super::sink::SecretSource;

/// A web address that is sent something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// `http://` or `https://`.
    pub url: SecretSource,
    /// Further headers.
    pub header: Vec<(String, String)>,
    /// PUT instead of POST.
    pub put: bool,
    /// What the body is.
    pub content_type: String,
    /// What makes the body; `None`: it is the contract's JSON.
    pub template: Option<TemplateSource>,
}

impl Webhook {
    /// The contract's JSON by POST.
    #[must_use]
    pub fn plain(url: SecretSource, header: Vec<(String, String)>) -> Self {
        Self { url, header, put: false, content_type: "application/json".to_owned(), template: None }
    }
}

/// Where a template is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateSource {
    /// In the registry.
    Inline(String),
    /// In this file, read at each delivery.
    File(String),
}

/// Telegram's bot API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telegram {
    /// Base of the API, without the bot's token.
    pub api_base: String,
    /// Token of the bot.
    pub token: SecretSource,
    /// Chat id, or `@channel`.
    pub chat: String,
}

/// Slack: an incoming webhook, or a message by a bot to a channel or a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slack {
    /// By its address alone.
    Webhook {
        /// The address, which is a secret.
        url: SecretSource,
    },
    /// By `chat.postMessage`.
    Bot {
        /// Base of the API.
        api_base: String,
        /// Token of the bot, `xoxb-…`.
        token: SecretSource,
        /// Channel, or user for a direct message.
        channel: String,
    },
}

/// A Discord webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discord {
    /// The address, which is a secret.
    pub url: SecretSource,
}

/// ntfy, hosted or one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ntfy {
    /// Base of the server.
    pub api_base: String,
    /// The topic.
    pub topic: SecretSource,
    /// Access token; `None`: the topic is open.
    pub token: Option<SecretSource>,
}

/// Pushover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushover {
    /// Base of the API.
    pub api_base: String,
    /// Token of the application.
    pub token: SecretSource,
    /// Key of the user or group.
    pub user: String,
}

/// Gotify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gotify {
    /// Base of the server.
    pub api_base: String,
    /// Token of the application.
    pub token: SecretSource,
}

/// A Matrix room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// The homeserver.
    pub api_base: String,
    /// Access token.
    pub token: SecretSource,
    /// Id of the room, `!…:server`.
    pub room: String,
}

/// PagerDuty, Events API v2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pagerduty {
    /// Base of the API.
    pub api_base: String,
    /// Integration key.
    pub routing_key: SecretSource,
}

/// Alertmanager, API v2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alertmanager {
    /// Its address; each member of a highly available pair has its own.
    pub url: SecretSource,
    /// The other members.
    pub peers: Vec<String>,
    /// Bearer token; `None`: none is needed.
    pub token: Option<SecretSource>,
}

/// Apprise: its program, or its API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apprise {
    /// Base of an API server; `None`: the program is run.
    pub api_base: Option<String>,
    /// Apprise URLs, separated by blanks.
    pub url: SecretSource,
    /// The program, with arguments that come first.
    pub program: Vec<String>,
}

/// The local mail system, by its `sendmail` program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sendmail {
    /// The program, with arguments that come first.
    pub program: Vec<String>,
    /// Sender address.
    pub from: String,
    /// Recipients, one or more.
    pub to: Vec<String>,
}

/// A daemon of syslog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syslog {
    /// Where it listens.
    pub to: SyslogAddress,
    /// Number of the facility.
    pub facility: u8,
}

/// Where a daemon of syslog listens; prints as it is written in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyslogAddress {
    /// A socket of this machine, by its path.
    Socket(String),
    /// `host:port`, by datagrams.
    Udp(String),
    /// `host:port`, by a connection.
    Tcp(String),
}

impl std::fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "`{path}`"),
            Self::Udp(to) => write!(f, "udp://{to}"),
            Self::Tcp(to) => write!(f, "tcp://{to}"),
        }
    }
}

/// A collector of OpenTelemetry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otlp {
    /// Its address, to which `/v1/logs` is added.
    pub url: SecretSource,
    /// Further headers.
    pub header: Vec<(String, String)>,
}
