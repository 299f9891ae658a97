//! What a shim is told at its start: through an unnamed file, so that neither its command line nor
//! the disk shows what it guards.
//!
//! Text fields, each ended by a NUL, counted lists before their elements. Read once, by a shim of
//! the same build that wrote it, then unmapped.

use std::ffi::{CStr, CString};
use std::time::Duration;

/// The variable that tells a pass for which name its shim started it.
pub const PUSH_NAME: &str = "GUARDIAN_PUSH";
/// How long the program that was started may take to put itself into the background.
pub const FOLLOW_FIRST: Duration = Duration::from_secs(60);
/// The same for what it left, which may do so once more.
pub const FOLLOW_NEXT: Duration = Duration::from_secs(10);

/// What the shim needs to run the program and to start passes. `S` is owned (written) or borrowed (read).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch<S> {
    /// Name of the process.
    pub name: S,
    /// Number of the run.
    pub run: S,
    /// This executable, where a newer one would be put in its place.
    pub exe: S,
    /// Working directory.
    pub cwd: S,
    /// As whom the program runs, see [`crate::os::user::Ids`], or nothing.
    pub user: S,
    /// File mode creation mask, octal.
    pub umask: S,
    /// `trace` or nothing.
    pub trace: S,
    /// Isolation and limits, see [`crate::os::cgroup::Wanted`].
    pub place: S,
    /// What happens to leftover processes: the grace in milliseconds before they are killed, or nothing to keep them.
    pub leftover_ms: S,
    /// First moment at which something would become true, in milliseconds on the boot clock, or nothing.
    pub deadline: S,
    /// `watch`, where somebody must look whether the program is ready, or nothing.
    pub watch: S,
    /// Name of the socket that the program may talk to, or nothing.
    pub notify: S,
    /// File whose time is set at each sign of life that comes through that socket.
    pub heartbeat: S,
    /// File that takes what the program says of its state there.
    pub says: S,
    /// Lines for the shell that must succeed first.
    pub preflight: Vec<S>,
    /// Until when, in milliseconds on the boot clock, and after which codes an end of the main process is followed by
    /// what it left; or nothing. See [`Follow`].
    pub follow: S,
    /// `pipe` or `pty`, where the program reads something that the shim has a part in, or nothing.
    pub input: S,
    /// The main process, as JSON, where a run is taken over; or nothing.
    pub orphan: S,
    /// Paths to try to execute.
    pub candidates: Vec<S>,
    /// Argument vector.
    pub argv: Vec<S>,
    /// Environment, `NAME=value`.
    pub environment: Vec<S>,
}

impl Launch<CString> {
    /// The form that goes into the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let begin = [&self.name, &self.run, &self.exe, &self.cwd, &self.user];
        let rest = [&self.umask, &self.trace, &self.place, &self.leftover_ms];
        let ready = [&self.watch, &self.notify, &self.heartbeat, &self.says];
        let end = [&self.deadline, &self.follow, &self.input, &self.orphan];
        let texts = begin.into_iter().chain(rest).chain(ready).chain(end);
        for text in texts {
            bytes.extend(text.as_bytes_with_nul());
        }
        for list in [&self.preflight, &self.candidates, &self.argv, &self.environment] {
            bytes.extend(format!("{}\0", list.len()).bytes());
            list.iter().for_each(|text| bytes.extend(text.as_bytes_with_nul()));
        }
        bytes
    }
}

impl<'a> Launch<&'a CStr> {
    /// What the file says; `None`: it is not such a file.
    #[must_use]
    pub fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let mut text = || {
            let text = CStr::from_bytes_until_nul(bytes).ok()?;
            bytes = bytes.get(text.to_bytes_with_nul().len()..)?;
            Some(text)
        };
        let (name, run, exe, cwd, user) = (text()?, text()?, text()?, text()?, text()?);
        let (umask, trace, place, leftover_ms) = (text()?, text()?, text()?, text()?);
        let (watch, notify, heartbeat, says) = (text()?, text()?, text()?, text()?);
        let (deadline, follow, input, orphan) = (text()?, text()?, text()?, text()?);
        let mut list = || {
            let count = text()?.to_str().ok()?.parse().ok()?;
            (0..count).map(|_| text()).collect::<Option<Vec<_>>>()
        };
        let (preflight, candidates, argv, environment) = (list()?, list()?, list()?, list()?);
        Some(Self {
            name,
            run,
            exe,
            cwd,
            user,
            umask,
            trace,
            place,
            leftover_ms,
            deadline,
            watch,
            notify,
            heartbeat,
            says,
            follow,
            input,
            orphan,
            preflight,
            candidates,
            argv,
            environment,
        })
    }
}

/// When the end of the main process is not that of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// Until when, in milliseconds on the boot clock.
    pub until_ms: u64,
    /// With which exit codes.
    pub codes: Vec<i32>,
}

impl Follow {
    /// What a shim was told; `None`: nothing is followed.
    #[must_use]
    pub fn parse(text: &CStr) -> Option<Self> {
        let mut words = text.to_str().ok()?.split(' ');
        let until_ms = words.next()?.parse().ok()?;
        Some(Self { until_ms, codes: words.filter_map(|word| word.parse().ok()).collect() })
    }

    /// The rule for what was followed at `boot_ms`.
    #[must_use]
    pub fn next(self, boot_ms: u64) -> Self {
        let window = u64::try_from(FOLLOW_NEXT.as_millis()).unwrap_or(0); // a constant that fits
        Self { until_ms: boot_ms + window, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_byte_for_byte() {
        let text = |bytes: &[u8]| CString::new(bytes).unwrap();
        let launch = Launch {
            name: text(b"n"),
            run: text(b"7"),
            exe: text(b"/x"),
            cwd: text(b"/"),
            user: text(b"7 8 9"),
            umask: text(b"22"),
            trace: text(b""),
            place: text(b"auto g - - -"),
            leftover_ms: text(b"10000"),
            deadline: text(b""),
            watch: text(b""),
            notify: text(b""),
            heartbeat: text(b""),
            says: text(b""),
            preflight: vec![text(b"true")],
            follow: text(b"5 0"),
            input: text(b"pty"),
            orphan: text(b""),
            candidates: vec![text(b"/bin/a")],
            argv: vec![text(b"a"), text(b""), text(b"\xff\n'\"")],
            environment: vec![],
        };
        let bytes = launch.encode();
        let read = Launch::decode(&bytes).unwrap();
        assert_eq!(read.argv, launch.argv.iter().map(CString::as_c_str).collect::<Vec<_>>());
        assert_eq!((read.name, read.environment.len()), (launch.name.as_c_str(), 0));
        assert_eq!(Launch::decode(&bytes[..bytes.len() - 3]), None, "cut short");
    }
}
