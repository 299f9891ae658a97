//! The last look at the main process, between its end and the wait that lets it go.
//!
//! What the wait status cannot say is still there then: its limits, whether the kernel killed it for want of memory,
//! where its core dump went. Each look is taken only for ends that it could explain. What cannot be read is unknown.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::model::ending::WaitStatus;
use crate::model::evidence::{End, Limits, Oom};
use crate::model::signal::Signal;
use crate::model::time::Wall;
use crate::os::zombie::{self, LogTime};
use crate::os::{clock, kernel_trace};
use crate::policy::core_pattern::{Destination, Place, destination};
use crate::policy::kernel_log::Named;

/// Longest text about a core dump: the record has room for so much.
const CORE_MAX: usize = 256;
/// The clock of files may be this much behind, in milliseconds.
const FILE_CLOCK_MS: i64 = 2000;

/// What must be known from before the end to understand it; taken when the process is made.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Where the program was started.
    cwd: CString,
    /// Kills for want of memory until then.
    memory_kills: Option<u64>,
    /// When, on the clock of the kernel's log.
    at: Option<LogTime>,
    /// When, on the clock of files.
    wall: Option<Wall>,
}

impl Before {
    /// Now; the program is started in `cwd`.
    pub(super) fn now(cwd: CString) -> Self {
        Self { cwd, memory_kills: zombie::memory_kills(), at: zombie::log_time(), wall: clock::wall().ok() }
    }
}

/// What the last look showed.
#[derive(Debug, Default)]
pub(super) struct LastLook {
    limits: Option<Limits>,
    /// Whether it was killed for want of memory, where that was asked; `Some(None)`: it cannot be told.
    memory: Option<Option<Named>>,
    core: Option<String>,
}

impl LastLook {
    /// At `main`, which ended like this and has not been waited for.
    pub(super) fn at(main: i32, status: WaitStatus, before: &Before) -> Self {
        let WaitStatus::Signal(Signal(signal), dumped) = status else { return Self::default() };
        let limited = matches!(signal, libc::SIGKILL | libc::SIGXCPU | libc::SIGXFSZ);
        Self {
            limits: limited.then(|| zombie::limits(main)).flatten(),
            memory: (signal == libc::SIGKILL).then(|| out_of_memory(main, before)),
            core: dumped.then(|| core(main, signal, before)).flatten(),
        }
    }

    /// The same without what was read through the pid, where that may belong to another by now.
    pub(super) fn without_limits(self) -> Self {
        Self { limits: None, ..self }
    }

    /// Puts it into the end that is recorded, beside what the run's own control group counted.
    pub(super) fn fill(self, end: &mut End) {
        let Self { limits, memory, core } = self;
        (end.limits, end.core) = (limits, core);
        let Some(named) = memory else { return };
        let counted = end.oom.unwrap_or(Oom { named: None, own_group: None, limit_bytes: None });
        // The group counts its members whoever killed them: its limit is not what ran out when the machine's memory did.
        let limit_bytes =
            counted.limit_bytes.filter(|_| !matches!(named, Some(Named::ByTheMachine | Named::BySomething)));
        end.oom = Some(Oom { named: named.map(|named| named != Named::Not), limit_bytes, ..counted });
    }
}

/// The log is read only if the kernel's counter rose: it counts before it kills, and logs before the killed one is gone.
fn out_of_memory(main: i32, before: &Before) -> Option<Named> {
    let none_since = before.memory_kills.is_some_and(|earlier| zombie::memory_kills() == Some(earlier));
    if none_since {
        return Some(Named::Not);
    }
    let logged = before.at.and_then(|at| zombie::killed_for_memory(main, at));
    logged.or_else(|| {
        let now = clock::boot_ms().ok()?;
        let victim = kernel_trace::was_oom_victim(main, kernel_trace::started_ms(main), now)?;
        Some(if victim { Named::BySomething } else { Named::Not })
    })
}

/// Where the core dump is, or who was given it.
fn core(main: i32, signal: i32, before: &Before) -> Option<String> {
    let (pattern, uses_pid) = zombie::core_pattern()?;
    let text = match destination(&pattern, uses_pid, main, signal)? {
        Destination::Handler(program) if program == "systemd-coredump" => {
            format!("given to systemd-coredump: coredumpctl info {main}")
        }
        Destination::Handler(program) => format!("given to {program}"),
        Destination::File(place) => {
            // From where the program was started; it may have moved since, and then nothing is found.
            let dir = Path::new(std::ffi::OsStr::from_bytes(before.cwd.as_bytes())).join(&place.dir);
            match newest(&dir, &place, before.wall?) {
                Some(name) => dir.join(name).display().to_string().replace("/./", "/"),
                None => format!("named {}, not found in {}", place.name(), dir.display()),
            }
        }
    };
    Some(text.chars().take(CORE_MAX).collect())
}

/// The newest file of `dir` that may be the core dump and was written since.
fn newest(dir: &Path, place: &Place, since: Wall) -> Option<String> {
    let files = fs::read_dir(dir).ok()?.flatten().filter_map(|file| {
        let name = file.file_name().into_string().ok().filter(|name| place.may_be(name))?;
        let written = file.metadata().ok().filter(fs::Metadata::is_file)?.modified().ok()?;
        let written: Duration = written.duration_since(UNIX_EPOCH).ok()?;
        let written_ms = i64::try_from(written.as_millis()).ok()?;
        (written_ms + FILE_CLOCK_MS >= since.0).then_some((written_ms, name))
    });
    files.max().map(|(_, name)| name)
}
