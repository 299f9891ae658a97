//! One line of the record of a run, and how it is appended.

use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::model::ending::{SignalRecord, Unseen};
use crate::model::evidence::{End, Followed, Gone, Placed, PreflightFailure, Ready, Said, SpawnFailure, TakenOver};
use crate::model::time::{Identity, Stamp};
use crate::os;

use super::checksum;

/// Version of the lines.
const SCHEMA: u32 = 1;
/// Room that the end of a run takes at most.
const END: u64 = 2048;

/// One line of a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The shim began.
    Shim {
        /// Version of the lines.
        schema: u32,
        /// Who it is.
        who: Identity,
        /// Size of the log before the run, in bytes.
        #[serde(default)]
        log_bytes: Option<u64>,
    },
    /// The process was made; it writes this itself before it is executed.
    Main {
        /// Who it is.
        who: Identity,
        /// When.
        at: Stamp,
    },
    /// Signals are not traced although that was asked for.
    Untraced {
        /// The system's error number.
        errno: i32,
    },
    /// Nothing shows who sent the signal that ended it.
    Unseen {
        /// Why.
        why: Unseen,
    },
    /// Where the run was put.
    Placed {
        /// At which level, and why at no better one.
        placed: Placed,
    },
    /// A signal came.
    Signal {
        /// Which, when, from whom.
        record: Box<SignalRecord>,
    },
    /// A new shim took the run over.
    TakenOver {
        /// Who it is.
        who: Identity,
        /// When, and what it cannot do.
        takeover: TakenOver,
    },
    /// It ran already when guardian was told to look after it; who it is follows.
    Adopted {
        /// When.
        at: Stamp,
    },
    /// Another process is the main one now.
    Followed {
        /// Who it is.
        who: Identity,
        /// Which one it follows, and how that ended.
        after: Followed,
    },
    /// The process ended, and nobody can know how.
    Gone {
        /// When.
        gone: Box<Gone>,
        /// As in [`Line::End`].
        more_signals: u64,
    },
    /// The program never ran.
    SpawnFailed {
        /// Why.
        failure: SpawnFailure,
    },
    /// The lines of the preflight are run next: until they have succeeded, what lives of the run is not the program.
    Preparing {
        /// How many they are.
        lines: usize,
    },
    /// The lines of the preflight succeeded; the program is started next.
    Preflight {
        /// Size of the log, in bytes: the program's own output begins there.
        log_bytes: Option<u64>,
    },
    /// A line of the preflight did not succeed; the program is not started.
    PreflightFailed {
        /// Which, and how.
        failure: PreflightFailure,
    },
    /// The program is ready. Whoever sees it appends this.
    Ready {
        /// When, and what showed it.
        ready: Ready,
    },
    /// The program said something of itself.
    Said {
        /// What.
        said: Said,
    },
    /// The process ended.
    End {
        /// How.
        end: Box<End>,
        /// Signals that came and were not written down, beyond the limit.
        more_signals: u64,
    },
}

impl Line {
    /// The line with which a shim begins.
    #[must_use]
    pub fn shim(who: Identity, log_bytes: Option<u64>) -> Self {
        Self::Shim { schema: SCHEMA, who, log_bytes }
    }

    /// Appends the line to `file` in one write. With `Durable::Yes` it is on the disk when this returns.
    ///
    /// # Errors
    /// Those of writing; a disk that took a part has given it back, so that the next line begins on a line of its own.
    pub fn append(&self, file: &mut File, durable: Durable) -> io::Result<()> {
        let bytes = self.encode()?;
        let written = file.write(&bytes)?;
        if written < bytes.len() {
            let length = file.metadata()?.len();
            file.set_len(length.saturating_sub(u64::try_from(written).map_err(io::Error::other)?))?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        match durable {
            Durable::Yes => file.sync_data(),
            Durable::No => Ok(()),
        }
    }

    /// The same for a line that may be lost: on a full disk it does not take the last room from the end.
    ///
    /// # Errors
    /// Those of writing; no room is one.
    pub fn append_sparing(&self, file: &mut File) -> io::Result<()> {
        let length = u64::try_from(self.encode()?.len()).map_err(io::Error::other)?;
        match os::descriptor::set_aside(file, file.metadata()?.len() + length + END) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            Ok(()) | Err(_) => self.append(file, Durable::No), // a file system that cannot set aside: it is tried
        }
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = checksum::seal(serde_json::to_vec(self).map_err(io::Error::other)?);
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Whether a line must be on the disk before anything follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// It must.
    Yes,
    /// A crash of the machine ends the process as well, so it need not.
    No,
}
