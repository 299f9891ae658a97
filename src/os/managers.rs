//! What on this machine could run passes: systemd's managers, a cron daemon.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::unistd::{User, geteuid};

use super::{clock, process};

/// Names under which cron daemons run.
pub const CRON_DAEMONS: [&str; 4] = ["cron", "crond", "fcron", "dcron"];

/// How long a manager may take for an answer: a pass waits for it.
const LIMIT_MS: u64 = 5_000;
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of an answer that are read: a word.
const SAID: u64 = 64;

/// Whether passes can be run by launchd: macOS has it, and nothing else.
pub const HAS_LAUNCHD: bool = cfg!(target_os = "macos");

/// Whether systemd is the system's manager: the test of `sd_booted(3)`.
#[must_use]
pub fn is_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether a manager of this user runs: it listens at its private socket.
#[must_use]
pub fn has_user_manager() -> bool {
    Path::new(&format!("/run/user/{}/systemd/private", geteuid())).exists()
}

/// Whether this user's manager runs from boot on; `None`: the user has no name here.
#[must_use]
pub fn lingers() -> Option<bool> {
    let user = User::from_uid(geteuid()).ok().flatten()?;
    Some(Path::new("/var/lib/systemd/linger").join(user.name).exists())
}

/// Whether the system's manager, or this user's, ends everything now. One that does not answer ends nothing.
#[must_use]
pub fn is_stopping() -> bool {
    let runtime = format!("/run/user/{}", geteuid());
    let says_so = |which| {
        let mut command = Command::new("systemctl");
        command.args([which, "is-system-running"]).env("XDG_RUNTIME_DIR", &runtime).stdin(Stdio::null());
        answer(&mut command).is_some_and(|said| said.starts_with(b"stopping"))
    };
    is_systemd() && (says_so("--system") || !geteuid().is_root() && says_so("--user"))
}

/// What a command says that is known to say little, within [`LIMIT_MS`]; one that takes longer is killed.
fn answer(command: &mut Command) -> Option<Vec<u8>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let begun = clock::boot_ms().ok()?;
    while child.try_wait().ok()?.is_none() {
        if clock::boot_ms().ok()?.saturating_sub(begun) > LIMIT_MS {
            child.kill().and_then(|()| child.wait()).ok()?;
            return None;
        }
        thread::sleep(LOOK);
    }
    let mut said = Vec::new();
    child.stdout.take()?.take(SAID).read_to_end(&mut said).ok()?;
    Some(said)
}

/// Whether a cron daemon runs; `None`: the processes cannot be listed.
#[must_use]
pub fn has_cron_daemon() -> Option<bool> {
    let table = process::table().ok()?;
    Some(table.iter().any(|process| CRON_DAEMONS.contains(&process.comm.as_str())))
}

/// Whether a program of this name is in one of the directories of `path`.
#[must_use]
pub fn is_program(name: &str, path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|dir| dir.join(name).is_file()))
}
