//! What every command needs to know of its surroundings, read once.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::error::{Code, Error};
use crate::metadata::Begun;
use crate::policy::environment::Environment;
use crate::store::paths::{Paths, Surroundings};
use crate::store::registry_trust;

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    /// Where things lie.
    pub paths: Paths,
    /// The environment that guardian itself was started with.
    pub environment: Environment,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The executable that passes are started from: where a newer build would be put.
    pub exe: PathBuf,
    /// Name of this host.
    pub host: String,
    /// What this command has begun.
    pub begun: Begun,
}

/// The variable that stands for `--trust-home`.
pub const TRUST_HOME: &str = "GUARDIAN_TRUST_HOME";

impl Context {
    /// Reads the surroundings. `home` is `--home`.
    ///
    /// # Errors
    /// No place for registry and state can be told; the executable or host name cannot be read.
    pub fn read(home: Option<PathBuf>) -> Result<Self, Error> {
        let environment: Environment = std::env::vars_os().collect();
        if environment.get(OsStr::new(TRUST_HOME)).is_some_and(|value| value == "1") {
            registry_trust::believe_owner();
        }
        let path =
            |name: &str| environment.get(std::ffi::OsStr::new(name)).filter(|v| !v.is_empty()).map(PathBuf::from);
        let user_home = path("HOME").or_else(home_of_user);
        let around = Surroundings {
            guardian_home: home.or_else(|| path("GUARDIAN_HOME")),
            home: user_home.clone(),
            xdg_config: path("XDG_CONFIG_HOME"),
            xdg_state: path("XDG_STATE_HOME"),
            root: nix::unistd::geteuid().is_root(),
        };
        let paths = Paths::find(&around)?;
        Ok(Self { paths, environment, home: user_home, exe: own_executable()?, host: host()?, begun: Begun::default() })
    }

    /// The owner of the home is believed, here and by what is started from here.
    pub fn believe_owner(&mut self) {
        self.environment.insert(TRUST_HOME.into(), "1".into());
        registry_trust::believe_owner();
    }
}

/// The home directory that the user database has.
fn home_of_user() -> Option<PathBuf> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.dir)
}

/// Where this executable lies. After an upgrade the kernel says ` (deleted)` of the old one: the path is where the new one is.
fn own_executable() -> Result<PathBuf, Error> {
    let exe = std::env::current_exe().map_err(|error| {
        Error::new(Code::System, "no_exe", format!("cannot tell where this executable lies: {error}"))
    })?;
    Ok(match exe.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => PathBuf::from(path),
        None => exe,
    })
}

fn host() -> Result<String, Error> {
    let name = nix::unistd::gethostname()
        .map_err(|error| Error::new(Code::System, "no_host", format!("cannot read the name of this host: {error}")))?;
    Ok(name.to_string_lossy().into_owned())
}
