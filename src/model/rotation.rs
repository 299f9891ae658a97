//! What is known of the rotations of one log: which part of all that was ever written lies where.
//!
//! Positions are counted from the first byte that was ever written to the log (so they outlive a rotation), unless a
//! field says that it means the file. Without any rotation there is no such note, and both are the same.

use serde::{Deserialize, Serialize};

use super::time::Wall;

/// A stretch of the log that lies in a file of its own, never to change again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The number in the file's name.
    pub number: u64,
    /// Position of its first byte.
    pub from: u64,
    /// Position after its last byte.
    pub to: u64,
}

/// When the log was how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Wall,
    /// Position of its end.
    pub end: u64,
}

/// `[logs]` of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogsConfig {
    /// Bytes that all logs together may take on the disk; `None`: no limit.
    pub total: Option<u64>,
}

/// The rotations of one log, as they are noted beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rotation {
    /// Position of the first byte of the file.
    pub base: u64,
    /// Position from which on the file is the place to read; what the file has before is in parts, or dropped.
    pub start: u64,
    /// So many bytes at the beginning of the file were made a hole; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hole: u64,
    /// The hole is about to be taken out, or has been: whether the file still begins with one tells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collapsing: bool,
    /// A sum of what the file has behind its hole and before `start`, as the last rotation left it: who empties the file
    /// changes that, however long it is again. `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// Number of the first part that this note knew; files of lower numbers are not its own.
    pub own: u64,
    /// Number of the next part.
    pub next: u64,
    /// Parts that are kept, oldest first.
    pub parts: Vec<Part>,
    /// The last rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Mark>,
    /// When it was last found that the program had emptied its log by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptied: Option<Wall>,
    /// When the log was last rotated by copying and emptying, for want of a better means: what the program wrote in
    /// between is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<Wall>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Rotation {
    /// Position of the oldest byte that is still there.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.parts.first().map_or(self.start, |part| part.from)
    }

    /// Position of the end of a file of `size` bytes.
    #[must_use]
    pub fn end(&self, size: u64) -> u64 {
        (self.base + size).max(self.start)
    }

    /// The part that the byte at `position` lies in, or else the next one behind it; `None`: the file itself.
    #[must_use]
    pub fn part(&self, position: u64) -> Option<&Part> {
        self.parts.iter().find(|part| position < part.to)
    }
}
