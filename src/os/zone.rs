//! The time zone of this machine, by its name.

use std::path::Path;

/// The IANA name of the zone that this machine's clock shows. `TZ` does not count: each caller may have another one, and a
/// schedule has to mean the same to all of them. A machine without `/etc/localtime` shows UTC. `None`: the zone has no name.
#[must_use]
pub fn name() -> Option<String> {
    match iana_time_zone::get_timezone() {
        Ok(name) => Some(name),
        Err(_) if !Path::new("/etc/localtime").exists() => Some("UTC".to_owned()),
        Err(_) => None,
    }
}
