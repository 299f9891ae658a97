//! Where registry and state lie, and the layout inside the state directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::model::name::Name;

/// What decides where things lie; read from the environment once, by the caller.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `--home`, else `GUARDIAN_HOME`.
    pub guardian_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state: Option<PathBuf>,
    /// Whether the effective user is root.
    pub root: bool,
}

/// The paths of one guardian home.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `GUARDIAN_HOME`, when that is what decided.
    pub home: Option<PathBuf>,
    /// The registry file.
    pub registry: PathBuf,
    /// The state directory.
    pub state: PathBuf,
}

impl Paths {
    /// `GUARDIAN_HOME` first, then the system's places for root, then XDG for users.
    ///
    /// # Errors
    /// A relative `GUARDIAN_HOME`; neither it nor `HOME` is set.
    pub fn find(around: &Surroundings) -> Result<Self, Error> {
        if let Some(home) = &around.guardian_home {
            if !home.is_absolute() {
                let message = format!("guardian home `{}` is not an absolute path", home.display());
                return Err(Error::new(Code::Usage, "bad_home", message).hint("write it out from `/`"));
            }
            return Ok(Self {
                home: Some(home.clone()),
                registry: home.join("registry.toml"),
                state: home.join("state"),
            });
        }
        if around.root {
            return Ok(Self {
                home: None,
                registry: PathBuf::from("/etc/guardian/registry.toml"),
                state: PathBuf::from("/var/lib/guardian"),
            });
        }
        let under_home = |xdg: &Option<PathBuf>, rest: &str| match (xdg, &around.home) {
            (Some(xdg), _) if xdg.is_absolute() => Some(xdg.clone()),
            (_, Some(home)) if home.is_absolute() => Some(home.join(rest)),
            (_, _) => None,
        };
        match (under_home(&around.xdg_config, ".config"), under_home(&around.xdg_state, ".local/state")) {
            (Some(config), Some(state)) => {
                Ok(Self { home: None, registry: config.join("guardian/registry.toml"), state: state.join("guardian") })
            }
            (_, _) => Err(Error::new(Code::Usage, "no_home", "neither GUARDIAN_HOME nor HOME names a directory")
                .hint("set GUARDIAN_HOME to an absolute path, or give --home DIR")),
        }
    }

    /// The lock that writers of the registry take.
    #[must_use]
    pub fn registry_lock(&self) -> PathBuf {
        self.state.join("registry.lock")
    }

    /// The last registry that was valid as a whole.
    #[must_use]
    pub fn registry_last_good(&self) -> PathBuf {
        let mut path = self.registry.clone().into_os_string();
        path.push(".last-good");
        path.into()
    }

    /// The parsed registry, for passes that need not parse it again.
    #[must_use]
    pub fn registry_cache(&self) -> PathBuf {
        self.state.join("registry.cache")
    }

    /// A path inside the state directory, made in one piece: a pass makes several for each process.
    fn inside(&self, parts: &[&str], ending: &str) -> PathBuf {
        let length = parts.iter().map(|part| part.len() + 1).sum::<usize>() + ending.len();
        let mut path = OsString::with_capacity(self.state.as_os_str().len() + length);
        path.push(&self.state);
        for part in parts {
            path.push("/");
            path.push(part);
        }
        path.push(ending);
        path.into()
    }

    /// The directory of one process.
    #[must_use]
    pub fn process(&self, name: &Name) -> PathBuf {
        self.inside(&["process", name.as_str()], "")
    }

    /// The state of one process.
    #[must_use]
    pub fn process_state(&self, name: &Name) -> PathBuf {
        self.inside(&["process", name.as_str(), "state.json"], "")
    }

    /// A file of one run of a process.
    #[must_use]
    pub fn process_run(&self, name: &Name, file: &str) -> PathBuf {
        self.inside(&["process", name.as_str(), "run", file], "")
    }

    /// The directory with a directory for each process.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        self.state.join("process")
    }

    /// What is remembered of one watch.
    #[must_use]
    pub fn watch(&self, name: &Name) -> PathBuf {
        self.inside(&["watch", name.as_str()], ".json")
    }

    /// The log of one process: what it writes to standard output and error, all runs after each other.
    #[must_use]
    pub fn log(&self, name: &Name) -> PathBuf {
        self.inside(&["log", name.as_str()], ".log")
    }

    /// One sentinel file of a process: `pid`, `heartbeat`, `status` or `result`.
    #[must_use]
    pub fn sentinel(&self, name: &Name, kind: &str) -> PathBuf {
        self.inside(&["sentinel", name.as_str()], &[".", kind].concat())
    }

    /// The outbox of notifications.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.state.join("outbox")
    }

    /// When the last pass over all processes ran.
    #[must_use]
    pub fn last_pass(&self) -> PathBuf {
        self.state.join("last-pass.json")
    }

    /// The lock of the `healthcheck --loop` that ends what runs when it ends itself.
    #[must_use]
    pub fn loop_lock(&self) -> PathBuf {
        self.state.join("loop.lock")
    }

    /// The lock that it holds while it does so: nothing is started then.
    #[must_use]
    pub fn ending_lock(&self) -> PathBuf {
        self.state.join("ending.lock")
    }

    /// The directories that must exist before anything is written.
    #[must_use]
    pub fn directories(&self) -> [PathBuf; 4] {
        [self.processes(), self.state.join("log"), self.state.join("sentinel"), self.outbox()]
    }

    /// Expands a leading `~/` by `home`.
    #[must_use]
    pub fn expand(path: &str, home: Option<&Path>) -> PathBuf {
        match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            (_, _) => PathBuf::from(path),
        }
    }
}
