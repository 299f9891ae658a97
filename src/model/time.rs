//! Points in time, on two clocks.
//!
//! The wall clock is for people and for other hosts; the boot clock (it counts suspend, and nobody
//! can set it) is for judging. A boot clock reading means nothing in another boot, so a stamp
//! carries the boot id, and comparing stamps of different boots falls back to the wall clock.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC on the wall clock. Printed as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// RFC 3339 in UTC with milliseconds: `2026-11-20T20:00:00.000Z`; `None` outside years 0 to 9999.
    #[must_use]
    pub fn rfc3339(self) -> Option<String> {
        DateTime::<Utc>::from_timestamp_millis(self.0).map(|t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    /// `later - self`; zero when `later` is earlier.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0)) // negative: a clock that was set back
    }
}

/// Stores a [`Wall`] as RFC 3339 text, for files that people and scripts read.
pub mod rfc3339 {
    use super::{DateTime, Wall};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// A text that is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Wall(at.timestamp_millis()))
    }
}

/// The same for one that may be missing.
pub mod maybe_rfc3339 {
    use super::{Wall, rfc3339};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(with = "rfc3339")] Wall);

    /// Writes the text, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Text).serialize(serializer)
    }

    /// Reads the text, or null.
    ///
    /// # Errors
    /// A text that is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wall>, D::Error> {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|Text(at)| at))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rfc3339() {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}ms", self.0),
        }
    }
}

/// Which boot of which kernel: Linux `/proc/sys/kernel/random/boot_id`, macOS `kern.bootsessionuuid`.
///
/// Held in place, because every stamp and identity carries one and a pass reads thousands of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BootId {
    length: u8,
    bytes: [u8; Self::MAX],
}

impl BootId {
    /// Longest id, in bytes: a UUID has 36.
    const MAX: usize = 39;

    /// Takes an id as the kernel prints it.
    ///
    /// # Errors
    /// It is longer than any kernel's.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut bytes = [0; Self::MAX];
        let place = bytes.get_mut(..text.len()).ok_or_else(|| format!("boot id {text:?} is too long"))?;
        place.copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).map_err(|_| format!("boot id {text:?} is too long"))?;
        Ok(Self { length, bytes })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.length)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl Serialize for BootId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BootId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Reads without a copy on the heap.
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = BootId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boot id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BootId, E> {
                BootId::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One moment, as both clocks showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The wall clock.
    #[serde(rename = "wall_ms")]
    pub wall: Wall,
    /// Milliseconds since boot, suspend included.
    pub boot_ms: u64,
    /// The boot that `boot_ms` counts from.
    pub boot: BootId,
}

impl Stamp {
    /// This moment plus `delay`, on both clocks; saturates.
    #[must_use]
    pub fn plus(&self, delay: Duration) -> Self {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self {
            wall: Wall(self.wall.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX))),
            boot_ms: self.boot_ms.saturating_add(ms),
            boot: self.boot.clone(),
        }
    }

    /// Time from `earlier` to this moment: by the boot clock within one boot, else by the wall clock.
    /// Zero when `earlier` is later.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        if self.boot == earlier.boot {
            Duration::from_millis(self.boot_ms.saturating_sub(earlier.boot_ms))
        } else {
            earlier.wall.until(self.wall)
        }
    }

    /// True once `until` has come. A moment that was set in an earlier boot has come:
    /// waiting longer than the reboot took would serve nobody.
    #[must_use]
    pub fn has_reached(&self, until: &Self) -> bool {
        self.boot != until.boot || self.boot_ms >= until.boot_ms
    }
}

/// The process that a pid meant at one time: pid, kernel start time, boot.
///
/// A later process that reuses the pid has another start time. guardian signals nothing that it
/// cannot identify this way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id, as seen in guardian's own pid namespace.
    pub pid: i32,
    /// Kernel start time: on Linux in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub started: u64,
    /// The boot in which it ran.
    pub boot: BootId,
    /// What the kernel never gives twice in a boot, where it has such a thing: a pid that is given away within the same
    /// tick is told apart by this alone. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<u64>,
}

impl Identity {
    /// Whether both mean the same process, going by all that both know.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let apart = matches!((self.unique, other.unique), (Some(one), Some(two)) if one != two);
        (self.pid, self.started, &self.boot) == (other.pid, other.started, &other.boot) && !apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: i64, boot_ms: u64, boot: &str) -> Stamp {
        Stamp { wall: Wall(wall), boot_ms, boot: BootId::new(boot).unwrap() }
    }

    #[test]
    fn a_wall_clock_that_jumps_does_not_change_a_duration_within_a_boot() {
        assert_eq!(at(-9_000_000, 5_000, "b").since(&at(1_000, 2_000, "b")), Duration::from_secs(3));
    }

    #[test]
    fn across_boots_the_wall_clock_is_what_there_is() {
        assert_eq!(at(61_000, 5, "b").since(&at(1_000, 99_000, "a")), Duration::from_secs(60));
    }

    #[test]
    fn a_moment_set_in_an_earlier_boot_has_come() {
        assert!(at(0, 1, "b").has_reached(&at(9_999, 9_999, "a")));
        assert!(!at(9_999, 1, "b").has_reached(&at(0, 2, "b")));
    }

    #[test]
    fn stamps_print_as_rfc_3339_with_milliseconds() {
        assert_eq!(Wall(1_795_000_000_123).to_string(), "2026-11-18T11:06:40.123Z");
    }
}
