//! One guardian home for one test: registry, state, environment; and the end of everything that was started in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::User;
use serde_json::Value;
use tempfile::TempDir;

use crate::procs::{carrying, eventually, signal, until};

/// The system's Python, which every user may execute.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
/// No command of guardian's may take longer.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// What a command left.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its code, 128 + signal when one ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Panics unless the code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Panics unless stderr says this.
    #[track_caller]
    pub(crate) fn complains(self, of: &str) -> Self {
        assert!(self.stderr.contains(of), "no `{of}` in: {}", self.stderr);
        self
    }
}

/// A guardian of its own.
pub(crate) struct Home {
    dir: TempDir,
    user: Option<User>,
    program: PathBuf,
    env: BTreeMap<String, String>,
}

impl Home {
    /// For the user who runs the tests.
    pub(crate) fn new() -> Self {
        Self::make(None)
    }

    /// For a user who is not root; made if missing. Needs root.
    pub(crate) fn of_user() -> Self {
        Self::make(Some(plain_user()))
    }

    fn make(user: Option<User>) -> Self {
        let dir = tempfile::Builder::new().prefix("guardian-it-").tempdir().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_guardian"));
        let mut home = Self { dir, user, program, env: BTreeMap::new() };
        fs::create_dir(home.path("home")).unwrap();
        if let Some(user) = &home.user {
            // The build directory may be closed to others.
            let program = home.path("guardian");
            fs::copy(&home.program, &program).unwrap();
            for path in [home.dir.path(), &home.path("home")] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
            home.program = program;
        }
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("HOME", home.path("home").to_str().unwrap().to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("GUARDIAN_HOME", home.root().to_str().unwrap().to_owned()),
        ];
        home.env.extend(env.map(|(name, value)| (name.to_owned(), value)));
        home
    }

    /// Sets a variable for every later command.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// A file beside the guardian home, in the test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `GUARDIAN_HOME`.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("g")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root().join("state")
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// The variables that commands get.
    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The program with arguments, environment and user set, not yet run.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = self.other_command(&self.program);
        command.args(arguments);
        command
    }

    /// Any program under the same environment and user.
    pub(crate) fn other_command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir(self.dir.path()).stdin(Stdio::null());
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Runs guardian to its end.
    #[track_caller]
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Output {
        finish(self.command(arguments))
    }

    /// Runs guardian, which must succeed; its stdout.
    #[track_caller]
    pub(crate) fn ok<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> String {
        self.run(arguments).expect(0).stdout
    }

    /// Runs guardian with `--json`; what it printed, whatever its code.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.run(&all);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    /// The entry of `status --json` for one process.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> Value {
        self.json(&["status", name])["processes"][0].clone()
    }

    /// The word for where a process stands.
    #[track_caller]
    pub(crate) fn state(&self, name: &str) -> String {
        self.status(name)["state"].as_str().expect("state is a word").to_owned()
    }

    /// Waits until a process stands there.
    #[track_caller]
    pub(crate) fn reaches(&self, name: &str, state: &str) -> Value {
        let mut last = Value::Null;
        eventually(&format!("`{name}` becomes {state}"), || {
            last = self.status(name);
            (last["state"] == state).then(|| last.clone())
        })
    }

    /// Pid of the managed process, which must be up.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> i32 {
        number(&self.status(name)["pid"])
    }

    #[track_caller]
    pub(crate) fn shim_pid(&self, name: &str) -> i32 {
        number(&self.status(name)["shim_pid"])
    }

    /// Events of a process, oldest first.
    #[track_caller]
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let text = self.ok(&["events", name, "--json"]);
        text.lines().map(|line| serde_json::from_str(line).expect("events are JSON lines")).collect()
    }

    /// Kinds of the events of a process, oldest first.
    #[track_caller]
    pub(crate) fn kinds(&self, name: &str) -> Vec<String> {
        self.events(name).iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Registers and starts a shell line.
    #[track_caller]
    pub(crate) fn up(&self, name: &str, options: &[&str], line: &str) {
        let mut arguments = vec!["register", name];
        arguments.extend(options);
        arguments.extend(["--start", "--", line]);
        self.ok(&arguments);
    }

    /// Writes an executable file in the test's own directory.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn registry_path(&self) -> PathBuf {
        self.root().join("registry.toml")
    }

    pub(crate) fn registry(&self) -> String {
        fs::read_to_string(self.registry_path()).unwrap()
    }

    /// Writes the registry as an editor would.
    pub(crate) fn write_registry(&self, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.root()).unwrap();
        fs::write(self.registry_path(), content).unwrap();
        fs::set_permissions(self.registry_path(), fs::Permissions::from_mode(0o600)).unwrap();
        if let Some(user) = &self.user {
            for path in [self.root(), self.registry_path()] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
    }

    /// A sink that appends each notification, one JSON line, to a file of the test's; see [`Home::told`].
    pub(crate) fn listen(&self, options: &str) {
        let heard = self.path("heard");
        let line = format!("tr -d '\\n' >>{0}; echo >>{0}", heard.display());
        let sink = format!("[sinks.ear]\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {line:?}]\n{options}\n");
        let earlier = fs::read_to_string(self.registry_path()).unwrap_or_default();
        self.write_registry(earlier + &sink);
    }

    /// What the sink of [`Home::listen`] heard so far.
    pub(crate) fn told(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("heard")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a notification is JSON")).collect()
    }

    /// Waits for a notification of this kind about this process.
    #[track_caller]
    pub(crate) fn hears(&self, name: &str, kind: &str) -> Value {
        eventually(&format!("`{kind}` of `{name}` is told"), || {
            self.told().into_iter().find(|told| told["process"] == name && told["kind"] == kind)
        })
    }

    pub(crate) fn sentinel(&self, name: &str, kind: &str) -> PathBuf {
        self.state_dir().join("sentinel").join(format!("{name}.{kind}"))
    }

    pub(crate) fn lines_of_sentinel(&self, name: &str, kind: &str) -> Vec<String> {
        fs::read_to_string(self.sentinel(name, kind)).unwrap().lines().map(str::to_owned).collect()
    }

    /// Lines of a file in the test's own directory; none when there is no such file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Waits until a file in the test's own directory has this many lines.
    #[track_caller]
    pub(crate) fn has_lines(&self, name: &str, count: usize) -> Vec<String> {
        eventually(&format!("`{name}` has {count} lines"), || {
            let lines = self.lines(name);
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Live processes that guardian started in this home: those that carry it and are not guardian itself.
    pub(crate) fn managed(&self) -> Vec<i32> {
        // One that ended since has no program any more.
        let program = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).ok();
        self.processes().into_iter().filter(|pid| program(pid).is_some_and(|exe| exe != self.program)).collect()
    }

    /// Live processes that belong to this home: commands, shims, managed trees.
    pub(crate) fn processes(&self) -> Vec<i32> {
        carrying(&format!("GUARDIAN_HOME={}", self.root().display()))
    }
}

impl Home {
    /// Shims that were killed leave their control groups, which nobody would come to remove.
    fn remove_groups(&self) {
        let any = guardian::os::cgroup::of_run(&self.state_dir(), "x", 1);
        let ours = any.trim_start_matches("/guardian/x").trim_end_matches('1').to_owned();
        for hierarchy in ["", "unified", "memory", "pids", "cpu"] {
            let top = Path::new("/sys/fs/cgroup").join(hierarchy).join("guardian");
            for group in fs::read_dir(top).into_iter().flatten().flatten() {
                if group.file_name().to_str().is_some_and(|name| name.contains(&ours)) {
                    drop(fs::remove_dir(group.path()));
                }
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Without a registry nothing comes back; what is half-way through a restart is caught by looking again.
        drop(fs::remove_file(self.registry_path()));
        let mut quiet = 0;
        for _ in 0..500 {
            let left = self.processes();
            quiet = if left.is_empty() { quiet + 1 } else { 0 };
            if quiet > 2 {
                break;
            }
            for pid in left {
                signal(pid, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(2)); // between two looks
        }
        self.remove_groups();
    }
}

/// A pid or count in JSON.
#[track_caller]
pub(crate) fn number(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap_or_else(|| panic!("a number, not {value}"))).unwrap()
}

/// Runs a command to its end and to the end of its output: who holds its pipes open fails the test.
#[track_caller]
pub(crate) fn finish(mut command: Command) -> Output {
    let shown = format!("{command:?}");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = eventually(&shown, || match command.spawn() {
        // Another test forked while this one's copy of the program was open for writing.
        Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
        spawned => Some(spawned.expect(&shown)),
    });
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(COMMAND_LIMIT), stderr.recv_timeout(COMMAND_LIMIT)) else {
        panic!("its output is still open after {COMMAND_LIMIT:?}: {shown}");
    };
    let status = child.wait().unwrap();
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
    Output { code, stdout, stderr }
}

fn reader(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        // The receiver is gone only when the test has failed already.
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}

/// A user who is not root.
pub(crate) fn plain_user() -> User {
    const NAME: &str = "gtest";
    assert!(nix::unistd::geteuid().is_root(), "needs root for a second user: run scripts/test");
    if let Some(user) = User::from_name(NAME).unwrap() {
        return user;
    }
    let mut useradd = Command::new("useradd");
    // A second test may be doing the same; whoever is first wins.
    drop(useradd.args(["--system", "--create-home", "--shell", "/bin/sh", NAME]).output().unwrap());
    until("the user exists", || User::from_name(NAME).unwrap().is_some());
    User::from_name(NAME).unwrap().unwrap()
}
