//! The stage of `demo`: a throw-away home, the real commands run in it, and its end, whatever happened.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::error::{Code, Error};
use crate::os::background::{self, Rank};
use crate::os::{clock, descriptor};
use crate::policy::environment::Environment;
use crate::store::atomic;

use super::Call;

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// How often the removal of the home is tried: what was just stopped may be writing its last line.
const REMOVALS: u32 = 100;
/// 128 + SIGINT, as shells count.
const INTERRUPTED: u8 = 130;

/// Waits for whoever plays to end, and does what that one did not: of a play that was ended well nothing is there by then.
/// What its callers had begun may come up a moment later.
const SWEEPER: &str = "\
exec 3>&-
read -r _
[ -d \"$2\" ] || exit 0
sleep 1
\"$1\" stop --all --grace 2s
rm -rf \"$2\"
sleep 1
rm -rf \"$2\"
";

/// A guardian home of its own, in a directory of its own.
pub(super) struct Stage {
    /// The working directory of the play; also where its scripts lie.
    pub(super) dir: PathBuf,
    exe: PathBuf,
    environment: Environment,
    interrupted: Arc<AtomicBool>,
    /// Open as long as we live.
    life: Option<File>,
}

/// How a play was cut short.
pub(super) enum Cut {
    /// Somebody pressed Ctrl-C, or asked for the end by another signal.
    Interrupted,
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Cut {
    /// Tells of it, and gives the exit code.
    pub(super) fn code(self, call: &Call) -> u8 {
        match self {
            Self::Interrupted => INTERRUPTED,
            Self::Failed(error) => call.out.fail(&error),
        }
    }
}

impl Stage {
    /// From here on, signals that ask for the end only raise a flag, so that the home is removed first.
    pub(super) fn build(call: &Call) -> Result<Self, Error> {
        let interrupted = Arc::new(AtomicBool::new(false));
        listen(&interrupted)
            .map_err(|error| Error::new(Code::System, "signals", format!("cannot wait for signals: {error}")))?;
        let template = std::env::temp_dir().join("guardian-demo-XXXXXX");
        let dir = nix::unistd::mkdtemp(&template)
            .map_err(|errno| Error::io("create directory", &template, &io::Error::from(errno)))?;
        // What binds the caller to another home must not leak in.
        let mut environment = call.ctx.environment.clone();
        environment.retain(|name, _| !name.to_string_lossy().starts_with("GUARDIAN_"));
        environment.insert("GUARDIAN_HOME".into(), dir.join("home").into());
        let mut stage = Self { dir, exe: call.ctx.exe.clone(), environment, interrupted, life: None };
        match atomic::make_dir(&stage.dir.join("home")) {
            Ok(()) => {
                // Without it a play that is killed leaves its home behind, no more.
                stage.life = stage.swept().ok();
                Ok(stage)
            }
            Err(error) => {
                stage.strike()?;
                Err(error)
            }
        }
    }

    /// Has the home removed by another process, should this one be killed. Whether it was is seen by what is returned.
    fn swept(&self) -> io::Result<File> {
        let words =
            [c"sh".to_bytes(), b"-c", SWEEPER.as_bytes(), b"guardian-sweeper", bytes(&self.exe), bytes(&self.dir)];
        let argv = words.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let kept = self.environment.iter().filter(|(name, _)| *name == "PATH" || *name == "GUARDIAN_HOME");
        let pairs = kept.map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
        let (end, life) = descriptor::pipe()?;
        background::start(c"/bin/sh", &argv, &pairs, &end, Rank::Equal)?;
        Ok(life)
    }

    /// Writes a file into the directory.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        atomic::replace(&self.dir.join(name), text.as_bytes())
    }

    /// Runs a command of guardian's to its end.
    pub(super) fn guardian(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.command(&self.exe).args(arguments).output().map_err(|error| Error::io("run", &self.exe, &error))
    }

    /// Runs a script of the play to its end: by its own name, or by the shell where this directory may not execute.
    pub(super) fn script(&self, name: &str, argument: &str) -> Result<Output, Error> {
        let path = self.dir.join(name);
        let fail = |error: io::Error| Error::io("run", &path, &error);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(fail)?;
        match self.command(&path).arg(argument).output() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.command(Path::new("/bin/sh")).arg(&path).arg(argument).output().map_err(fail)
            }
            other => other.map_err(fail),
        }
    }

    /// guardian's own program.
    pub(super) fn exe(&self) -> &Path {
        &self.exe
    }

    /// A program in the directory and environment of the play.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// Looks again and again, until `look` finds something or `limit` is over.
    pub(super) fn eventually<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Cut> {
        let begun = self.boot_ms()?;
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Cut::Interrupted);
            }
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            if self.boot_ms()?.saturating_sub(begun) >= u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// Milliseconds on the boot clock.
    pub(super) fn boot_ms(&self) -> Result<u64, Error> {
        clock::boot_ms().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
    }

    /// Stops what runs and removes everything.
    pub(super) fn strike(self) -> Result<(), Error> {
        let stopped = self.guardian(&["stop", "--all", "--grace", "2s"]);
        for _ in 1..REMOVALS {
            if fs::remove_dir_all(&self.dir).is_ok() {
                break;
            }
            thread::sleep(LOOK);
        }
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &self.dir, &error)),
            Ok(()) | Err(_) => stopped.map(drop),
        }
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Blocks the signals that ask for the end, in this thread and those that it starts; one of these waits for them.
fn listen(interrupted: &Arc<AtomicBool>) -> io::Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let flag = Arc::clone(interrupted);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while signals.wait().is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(())
}
