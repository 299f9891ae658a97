//! Reads `[hook]`.

use toml::de::DeTable;

use super::form::Form;
use super::read::Reader;
use super::sink_keys::{Need, SinkKey, key};
use crate::model::hook::{HookConfig, HookMode};

/// Every key of `[hook]`.
pub static HOOK: &[SinkKey] = &[
    key(
        &[],
        "mode",
        Form::Words(HookMode::WORDS),
        Need::Default("\"deny\""),
        "What is done about a launch past guardian: refused, rewritten where that is exact, or let through with a word",
    ),
    key(&[], "allow", Form::Texts, Need::Default("none"), "Globs over commands that may be launched all the same"),
];

/// A key that is not valid keeps its default.
pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>) -> HookConfig {
    reader.scope = "`[hook]`: ".to_owned();
    for (key, _) in table.iter().filter(|(key, _)| HOOK.iter().all(|known| known.name != key.get_ref())) {
        reader.unknown(key.span(), key.get_ref(), HOOK.iter().map(|known| known.name));
    }
    let mode = table.get("mode").and_then(|item| reader.word("mode", item, HookMode::WORDS)).and_then(HookMode::of);
    let allow = table.get("allow").and_then(|item| reader.texts("allow", item));
    reader.scope.clear();
    HookConfig { mode: mode.unwrap_or(HookMode::Deny), allow: allow.into_iter().flatten().collect() }
}
