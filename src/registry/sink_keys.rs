//! The table of sink keys and of `[healthcheck]`, as [`super::keys`] is of process keys.

use super::form::Form;

/// Types of sink, in the order of the reference.
pub static TYPES: &[&str] = &[
    "email",
    "webhook",
    "command",
    "file",
    "telegram",
    "slack",
    "discord",
    "ntfy",
    "pushover",
    "gotify",
    "matrix",
    "pagerduty",
    "alertmanager",
    "apprise",
    "desktop",
    "sendmail",
    "syslog",
    "journald",
    "otlp",
    "claude",
    "codex",
    "openclaw",
    "opencode",
    "gemini",
    "copilot",
    "tmux",
];

/// Words of `min_severity`.
pub static SEVERITIES: &[&str] = &["info", "warning", "critical"];

/// Words of `tls`.
pub static TLS: &[&str] = &["starttls", "implicit", "none"];

/// Words of `facility`.
pub static FACILITIES: &[&str] =
    &["user", "daemon", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

/// Words of `method`.
pub static METHODS: &[&str] = &["POST", "PUT"];

/// Whether a sink can do without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// It may be left out; this is what then holds, as it would be written or in words.
    Default(&'static str),
}

/// One key of a `[sinks.NAME]`, of a `[watch.NAME]` or of `[healthcheck]`.
pub struct SinkKey {
    /// Its name.
    pub name: &'static str,
    /// The types of sink, or kinds of watch, that have it; empty: every one.
    pub of: &'static [&'static str],
    /// What its value looks like.
    pub form: Form,
    /// Whether it is needed.
    pub need: Need,
    /// What it does, one line.
    pub help: &'static str,
}

pub(super) const fn key(
    of: &'static [&'static str],
    name: &'static str,
    form: Form,
    need: Need,
    help: &'static str,
) -> SinkKey {
    SinkKey { name, of, form, need, help }
}

impl SinkKey {
    /// Whether sinks of this type have it.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        self.of.is_empty() || self.of.contains(&kind)
    }
}

const ALL: &[&str] = &[];
const TLS_TYPES: &[&str] = &[
    "email",
    "webhook",
    "telegram",
    "slack",
    "discord",
    "ntfy",
    "pushover",
    "gotify",
    "matrix",
    "pagerduty",
    "alertmanager",
    "apprise",
    "otlp",
];
const EMAIL: &[&str] = &["email"];
const MAIL: &[&str] = &["email", "sendmail"];
const WEBHOOK: &[&str] = &["webhook"];
const COMMAND: &[&str] = &["command"];
const OTLP: &[&str] = &["otlp"];
const FILE: &[&str] = &["file"];
const SLACK: &[&str] = &["slack"];
const ALERTMANAGER: &[&str] = &["alertmanager"];
const APPRISE: &[&str] = &["apprise"];
const AGENTS: &[&str] = &["claude", "codex", "openclaw", "opencode", "gemini", "copilot", "tmux"];

/// Every key of a sink.
pub static SINK: &[SinkKey] = &[
    key(ALL, "type", Form::Words(TYPES), Need::Required, "What kind of sink it is"),
    key(
        ALL,
        "events",
        Form::Texts,
        Need::Default("by severity, and recoveries"),
        "Kinds of event that it wants; `[\"*\"]`: all",
    ),
    key(ALL, "processes", Form::Texts, Need::Default("all"), "Processes that it wants, by name or glob"),
    key(ALL, "groups", Form::Texts, Need::Default("all"), "Groups that it wants"),
    key(
        ALL,
        "min_severity",
        Form::Words(SEVERITIES),
        Need::Default("\"warning\""),
        "Least severity, where `events` is left out",
    ),
    key(
        ALL,
        "cooldown",
        Form::Duration,
        Need::Default("\"15m\""),
        "The same incident of the same process is told at most once in this time",
    ),
    key(
        ALL,
        "heartbeat",
        Form::Schedule,
        Need::Default("never"),
        "When it hears how all stands, even if nothing happened: a line as in a crontab, such as `\"0 9 * * *\"`",
    ),
    key(
        ALL,
        "timezone",
        Form::Zone,
        Need::Default("the machine's"),
        "Whose clock `heartbeat`, `quiet` and `digest` go by",
    ),
    key(ALL, "timeout", Form::Duration, Need::Default("\"10s\""), "Limit on one whole delivery"),
    key(
        ALL,
        "after",
        Form::Count,
        Need::Default("1"),
        "A process's failures are told from this one in a row on; what guardian gives up on always is",
    ),
    key(
        ALL,
        "remind",
        Form::Duration,
        Need::Default("off"),
        "An incident that nobody acknowledged (`guardian alerts ack`) is told again this often while it is open",
    ),
    key(
        ALL,
        "escalate_after",
        Form::Duration,
        Need::Default("off"),
        "An incident that nobody acknowledged in this time is told to the sinks of `escalate_to`",
    ),
    key(ALL, "escalate_to", Form::Texts, Need::Default("none"), "Other sinks, whose filters do not count then"),
    key(
        ALL,
        "quiet",
        Form::Texts,
        Need::Default("none"),
        "When only what is critical is told: `[\"22:00-07:00\", \"Sat,Sun 00:00-24:00\"]`; the rest waits for the end of it",
    ),
    key(
        ALL,
        "group_window",
        Form::Duration,
        Need::Default("\"0s\""),
        "A message waits so long for others, which are then told in it; by default for none: one death is told within a second, \
         and a storm gathers by itself",
    ),
    key(
        ALL,
        "digest",
        Form::Schedule,
        Need::Default("off"),
        "When all that is not critical is told, as one message, as a line of a crontab; not for `pagerduty` and `alertmanager`",
    ),
    key(
        TLS_TYPES,
        "ca_file",
        Form::Path,
        Need::Default("those of the system"),
        "Authorities that vouch for its server (PEM), instead of those of the system",
    ),
    key(EMAIL, "host", Form::Text, Need::Required, "Mail server"),
    key(EMAIL, "port", Form::Port, Need::Default("587, 465 or 25, by `tls`"), "Its port"),
    key(
        EMAIL,
        "tls",
        Form::Words(TLS),
        Need::Default("\"starttls\""),
        "How TLS begins; `none` with a password only to this host",
    ),
    key(EMAIL, "user", Form::Text, Need::Default("no login"), "Login name"),
    key(EMAIL, "password", Form::Secret, Need::Default("no login"), "Password of `user`"),
    key(MAIL, "from", Form::Text, Need::Required, "Sender address"),
    key(MAIL, "to", Form::Texts, Need::Required, "Recipients, one or more"),
    key(WEBHOOK, "url", Form::Secret, Need::Required, "Where the JSON is posted, `https://` or `http://`"),
    key(&["webhook", "otlp"], "header", Form::Headers, Need::Default("none"), "Further header lines"),
    key(WEBHOOK, "method", Form::Words(METHODS), Need::Default("\"POST\""), "How it is sent"),
    key(
        WEBHOOK,
        "template",
        Form::Text,
        Need::Default("the JSON"),
        "Body with placeholders such as `{{title}}`, `{{brief}}`, `{{json}}`, each escaped for its place",
    ),
    key(WEBHOOK, "template_file", Form::Path, Need::Default("the JSON"), "File that holds the template"),
    key(
        WEBHOOK,
        "content_type",
        Form::Text,
        Need::Default("\"application/json\""),
        "What the template makes: JSON, `application/x-www-form-urlencoded` or `text/plain`",
    ),
    key(COMMAND, "command", Form::Argv, Need::Required, "Program that gets the JSON on standard input"),
    key(&["discord"], "url", Form::Secret, Need::Required, "Address of the webhook"),
    key(SLACK, "url", Form::Secret, Need::Default("`token` and `channel`"), "Address of an incoming webhook"),
    key(ALERTMANAGER, "url", Form::Secret, Need::Required, "Its address, `http://host:9093`"),
    key(OTLP, "url", Form::Secret, Need::Required, "Address of the collector, `http://host:4318`; `/v1/logs` is added"),
    key(APPRISE, "url", Form::Secret, Need::Required, "Apprise URLs, separated by blanks"),
    key(
        &["telegram", "gotify", "matrix", "pushover"],
        "token",
        Form::Secret,
        Need::Required,
        "Token of the bot, application or user that sends",
    ),
    key(SLACK, "token", Form::Secret, Need::Default("`url`"), "Token of the bot that sends, `xoxb-…`"),
    key(
        &["ntfy", "alertmanager"],
        "token",
        Form::Secret,
        Need::Default("none"),
        "Token, sent as `Authorization: Bearer`",
    ),
    key(&["telegram"], "chat", Form::Text, Need::Required, "Chat id, or `@channel`"),
    key(SLACK, "channel", Form::Text, Need::Default("`url`"), "Channel, or user for a direct message"),
    key(&["ntfy"], "topic", Form::Secret, Need::Required, "Topic; who knows it can read it"),
    key(&["pushover"], "user", Form::Text, Need::Required, "Key of the user or group"),
    key(&["matrix"], "room", Form::Text, Need::Required, "Id of the room, `!abc:example.org`"),
    key(&["pagerduty"], "routing_key", Form::Secret, Need::Required, "Integration key (Events API v2)"),
    key(ALERTMANAGER, "peers", Form::Texts, Need::Default("none"), "Addresses of the other members of a cluster"),
    key(
        &["gotify", "matrix"],
        "api_base",
        Form::Text,
        Need::Required,
        "Address of the server, `https://push.example.org`",
    ),
    key(
        &["telegram", "slack", "ntfy", "pushover", "pagerduty"],
        "api_base",
        Form::Text,
        Need::Default("the service's own"),
        "Address of the server, where it is not the public one",
    ),
    key(APPRISE, "api_base", Form::Text, Need::Default("the program is run"), "Address of an Apprise API server"),
    key(APPRISE, "program", Form::Argv, Need::Default("`[\"apprise\"]`"), "The program"),
    key(&["sendmail"], "program", Form::Argv, Need::Default("`[\"/usr/sbin/sendmail\"]`"), "The program"),
    key(
        AGENTS,
        "session",
        Form::Text,
        Need::Default("none"),
        "Id of the session or thread that is woken; of `tmux` the pane",
    ),
    key(
        &["claude", "tmux"],
        "socket",
        Form::Text,
        Need::Default("none"),
        "Messaging socket of a living session; of the tmux server",
    ),
    key(
        &["claude", "openclaw", "opencode"],
        "token",
        Form::Secret,
        Need::Default("none"),
        "Token of the messaging socket, or of the server, sent as `Authorization: Bearer`",
    ),
    key(
        &["openclaw", "opencode"],
        "api_base",
        Form::Text,
        Need::Default("the program is run"),
        "Address of its server",
    ),
    key(
        AGENTS,
        "program",
        Form::Argv,
        Need::Default("of that name"),
        "The program, where it is not in guardian's PATH",
    ),
    key(AGENTS, "cwd", Form::Path, Need::Default("`/`"), "Directory in which a session is resumed"),
    key(
        AGENTS,
        "inbox",
        Form::Path,
        Need::Default("none"),
        "JSON lines that get each message as well, once; with a flag `PATH.flag`",
    ),
    key(
        &["syslog"],
        "address",
        Form::Text,
        Need::Default("\"/dev/log\""),
        "Socket of the daemon, or over the network (RFC 5424) `udp://HOST:514` or `tcp://HOST:601`",
    ),
    key(&["syslog"], "facility", Form::Words(FACILITIES), Need::Default("\"daemon\""), "What kind of program it is"),
    key(
        &["journald"],
        "address",
        Form::Path,
        Need::Default("\"/run/systemd/journal/socket\""),
        "Socket of the journal; a namespace has one of its own",
    ),
    key(FILE, "path", Form::Path, Need::Required, "Text file that grows; the newest line is also in `PATH.flag`"),
];

/// Every key of `[healthcheck]`.
pub static HEALTHCHECK: &[SinkKey] = &[
    key(ALL, "every", Form::Duration, Need::Default("\"1m\""), "How often the trigger runs a pass"),
    key(
        ALL,
        "storm",
        Form::Count,
        Need::Default("5"),
        "So many different processes that fail within a minute are a storm, if they are also a quarter of those that are \
         to be up, or four times this number: one message, restarts paced; `0`: never",
    ),
    key(
        ALL,
        "strays",
        Form::Duration,
        Need::Default("off"),
        "A process that an agent left running past guardian for this long is told, once (`stray`)",
    ),
    key(
        ALL,
        "spool",
        Form::Texts,
        Need::Default("none"),
        "Directories in which callers in a sandbox may leave requests, besides those of projects; absolute",
    ),
    key(
        ALL,
        "ping_url",
        Form::Secret,
        Need::Default("none"),
        "Address of a dead-man's switch (healthchecks.io, or Uptime Kuma's `/api/push/…`) that hears of each pass",
    ),
    key(
        ALL,
        "textfile",
        Form::Path,
        Need::Default("off"),
        "Directory of node_exporter's textfile collector that gets `guardian.prom` after each pass (`guardian metrics`)",
    ),
];

/// The names under which a key may be written: a secret has four.
#[must_use]
pub fn spellings(key: &SinkKey) -> Vec<String> {
    let suffixes: &[&str] = if key.form == Form::Secret { &["", "_file", "_env", "_command"] } else { &[""] };
    suffixes.iter().map(|suffix| format!("{}{suffix}", key.name)).collect()
}
