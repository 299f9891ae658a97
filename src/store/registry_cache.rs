//! The parsed registry as bytes, so that a pass over a thousand entries need not parse TOML.
//!
//! Good for one file only: device, inode, size, both times, the version of guardian and the home
//! directory must be the same. Whatever is odd about it is a miss, never an error.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{atomic, checksum, registry_compact};
use crate::model::channel::{Otlp, TemplateSource, Webhook};
use crate::model::schedule::Zone;
use crate::model::sink::{SecretSource, SinkKind};
use crate::model::time::Wall;
use crate::os::zone;
use crate::registry::Registry;

/// A file that changed this recently may change again without a new time, so it is not cached.
const SETTLED_MS: i64 = 2000;

/// Which text the cache was made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    guardian: String,
    home: Option<Vec<u8>>,
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Origin {
    fn of(meta: &Metadata, home: Option<&Path>) -> Self {
        Self {
            guardian: env!("CARGO_PKG_VERSION").to_owned(),
            home: home.map(|home| home.as_os_str().as_encoded_bytes().to_vec()),
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// The registry, when the cache at `path` was made from the file that `meta` describes.
pub(super) fn get(path: &Path, meta: &Metadata, home: Option<&Path>) -> Option<Registry> {
    let bytes = fs::read(path).ok()?;
    let (sum, body) = bytes.split_first_chunk::<8>()?;
    if checksum::of(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let (origin, registry) = postcard::take_from_bytes::<Origin>(body).ok()?;
    if origin != Origin::of(meta, home) {
        return None;
    }
    registry_compact::read(registry).filter(is_of_this_zone)
}

/// Whether the machine's zone is still the one that its schedules were read with; it is asked for where there are such.
fn is_of_this_zone(registry: &Registry) -> bool {
    let zones = registry.processes.values().map(|entry| &entry.spec.zone);
    let heartbeats = registry.sinks.iter().filter_map(|sink| sink.heartbeat.as_ref()).map(|heartbeat| &heartbeat.zone);
    let sinks = registry.sinks.iter().map(|sink| &sink.timing.zone).chain(heartbeats);
    let machine = zones.chain(sinks).filter(|zone| matches!(zone, Zone::Machine(Some(_)))).find_map(Zone::name);
    machine.is_none_or(|machine| zone::name().as_deref() == Some(machine))
}

/// Whether a secret stands in the text of the registry itself. Those of processes are among the sinks, as their switches.
fn has_secret(registry: &Registry) -> bool {
    let sinks = registry.sinks.iter().flat_map(|sink| sink.kind.secrets());
    // What a header says is often a token, and what a template says may be one.
    let says = |kind: &SinkKind| {
        matches!(kind, SinkKind::Webhook(Webhook { header, template, .. })
            if !header.is_empty() || matches!(template, Some(TemplateSource::Inline(_))))
            || matches!(kind, SinkKind::Otlp(Otlp { header, .. }) if !header.is_empty())
    };
    let headers = registry.sinks.iter().any(|sink| says(&sink.kind));
    let mut all = sinks.chain(&registry.healthcheck.ping_url);
    headers || all.any(|source| matches!(source, SecretSource::Inline(_)))
}

/// Keeps `registry` for the next pass, unless the file is so fresh that it might still change
/// unseen. Failing costs the next pass some milliseconds and nothing else.
pub(super) fn put(path: &Path, meta: &Metadata, home: Option<&Path>, registry: &Registry, now: Wall) {
    let changed = meta.mtime().max(meta.ctime()).saturating_add(1).saturating_mul(1000);
    if now.0.saturating_sub(changed) < SETTLED_MS {
        return;
    }
    // A secret stands in the registry at most, never in the state.
    if has_secret(registry) {
        drop(atomic::remove_if_there(path));
        return;
    }
    let origin = postcard::to_stdvec(&Origin::of(meta, home));
    let body = origin.and_then(|origin| registry_compact::write(registry, origin));
    if let Ok(body) = body {
        let bytes = [checksum::of(&body).to_le_bytes().as_slice(), &body].concat();
        drop(atomic::replace_volatile(path, &bytes));
    }
}
