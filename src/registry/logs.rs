//! Reads `[logs]`.

use toml::de::DeTable;

use super::form::Form;
use super::read::Reader;
use super::sink_keys::{Need, SinkKey, key};
use crate::model::rotation::LogsConfig;

/// Every key of `[logs]`.
pub static LOGS: &[SinkKey] = &[key(
    &[],
    "total",
    Form::Size,
    Need::Default("no limit"),
    "Room on the disk for all logs together; over it the oldest rotated parts go, never what a program writes to",
)];

/// A key that is not valid keeps its default.
pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>) -> LogsConfig {
    reader.scope = "`[logs]`: ".to_owned();
    for (key, _) in table.iter().filter(|(key, _)| LOGS.iter().all(|known| known.name != key.get_ref())) {
        reader.unknown(key.span(), key.get_ref(), LOGS.iter().map(|known| known.name));
    }
    let total = table.get("total").and_then(|item| reader.size("total", item));
    reader.scope.clear();
    LogsConfig { total }
}
