//! The table of watch keys, as [`super::keys`] is of process keys.

use super::form::Form;
use super::sink_keys::{Need, SEVERITIES, SinkKey, key};

/// The kinds of watch: the key that says what is looked at. Exactly one is given.
pub static KINDS: &[&str] = &["pid_file", "match", "file", "json_file", "output", "command", "openclaw"];

/// Keys that `[defaults]` gives to watches as well.
pub static SHARED: &[&str] = &["max_failures", "window", "breaker_cooldown", "group", "notify"];

const ALL: &[&str] = &[];
const PID_FILE: &[&str] = &["pid_file"];
const MATCH: &[&str] = &["match"];
const FILE: &[&str] = &["file"];
const JSON_FILE: &[&str] = &["json_file"];
const OUTPUT: &[&str] = &["output"];
const COMMAND: &[&str] = &["command"];
const OPENCLAW: &[&str] = &["openclaw"];

/// Every key of a watch.
pub static WATCH: &[SinkKey] = &[
    key(
        ALL,
        "every",
        Form::Duration,
        Need::Default("each pass"),
        "At most one look in this time; nothing looks more often than passes run",
    ),
    key(ALL, "timeout", Form::Duration, Need::Default("\"10s\""), "Limit on one look"),
    key(ALL, "after", Form::Most, Need::Default("2"), "Looks in a row that find it amiss before it is told"),
    key(
        ALL,
        "action",
        Form::Text,
        Need::Default("none"),
        "Line for `/bin/sh`, run when it is bad, and again if it still is after `after` further looks; never run where it cannot be told",
    ),
    key(
        ALL,
        "action_timeout",
        Form::Duration,
        Need::Default("\"30s\""),
        "The action and all of its group are killed after this",
    ),
    key(
        ALL,
        "max_failures",
        Form::Count,
        Need::Default("3"),
        "Actions within `window` before the breaker opens; `0`: it never does",
    ),
    key(ALL, "window", Form::Duration, Need::Default("\"24h\""), "Time in which actions are counted"),
    key(
        ALL,
        "breaker_cooldown",
        Form::Duration,
        Need::Default("\"15m\""),
        "How long no action is run once the breaker is open; then one is tried. Doubles each time, up to 6h",
    ),
    key(ALL, "group", Form::Text, Need::Default("not set"), "Group, for `--group` and for sinks"),
    key(
        ALL,
        "notify",
        Form::Texts,
        Need::Default("every sink that wants it"),
        "Names of sinks that are told; `auto` means all",
    ),
    key(ALL, "severity", Form::Words(SEVERITIES), Need::Default("\"warning\""), "How much it matters that it is amiss"),
    key(
        PID_FILE,
        "pid_file",
        Form::Path,
        Need::Required,
        "The process whose pid stands in this file lives, and is no later one with the same pid",
    ),
    key(
        MATCH,
        "match",
        Form::Text,
        Need::Required,
        "Exactly one process has a command line that this regular expression matches; guardian's own do not count. More than one: it cannot be told, and no action is run",
    ),
    key(MATCH, "user", Form::Text, Need::Default("any"), "Only processes of this user, by name or number"),
    key(FILE, "file", Form::Path, Need::Required, "This file was changed within `max_age`"),
    key(FILE, "max_age", Form::Duration, Need::Required, "How old its last change may be"),
    key(JSON_FILE, "json_file", Form::Path, Need::Required, "A time in this JSON file lies within `max_age`"),
    key(
        JSON_FILE,
        "field",
        Form::Text,
        Need::Required,
        "Where the time stands, such as `a.b[0].ts` or `[\"x.y\"]`: RFC 3339, or a number of seconds or milliseconds since 1970",
    ),
    key(JSON_FILE, "max_age", Form::Duration, Need::Required, "How old that time may be"),
    key(
        OUTPUT,
        "output",
        Form::Text,
        Need::Required,
        "What this line for `/bin/sh` prints is another text, or, if it is one RFC 3339 time, a later one, within `max_age`",
    ),
    key(OUTPUT, "max_age", Form::Duration, Need::Required, "How long it may stay the same"),
    key(COMMAND, "command", Form::Text, Need::Required, "This line for `/bin/sh` ends with 0"),
    key(
        OPENCLAW,
        "openclaw",
        Form::TrueOrPath,
        Need::Required,
        "All enabled jobs of OpenClaw's scheduler ran when they should have; a path is its state directory",
    ),
    key(
        OPENCLAW,
        "program",
        Form::Path,
        Need::Default("`openclaw`, by PATH"),
        "OpenClaw's own program, which is asked first",
    ),
];
