//! One row, played: a home of its own, the program in it, what happens to it, and what is said of its end.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::row::{Act, Program, Row, Whom};
use crate::home::{Home, Output, finish, number};
use crate::procs::{alive, eventually, now_ms, signal, until, within};

/// How long a program without its shim may take to end by itself before the scene ends it.
const FINISH_AFTER: Duration = Duration::from_millis(1500);

/// `die` and `murderer`, compiled once.
pub(super) fn compiled() -> &'static (PathBuf, PathBuf) {
    static PROGRAMS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/ways_to_die/die.c");
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ways-to-die");
        fs::create_dir_all(&dir).unwrap();
        let (die, murderer) = (dir.join("die"), dir.join("murderer"));
        let own = |name: &str| dir.join(format!("{name}.{}", std::process::id()));
        let (made, murderer_made) = (own("die"), own("murderer"));
        let mut gcc = Command::new("gcc");
        gcc.args(["-O0", "-Wall", "-Wextra", "-Werror", "-pthread", source, "-o"]).arg(&made);
        finish(gcc).expect(0);
        // Renamed, as a second run of the tests may be using them.
        fs::copy(&made, &murderer_made).unwrap();
        fs::rename(&made, &die).unwrap();
        fs::rename(&murderer_made, &murderer).unwrap();
        (die, murderer)
    })
}

/// Whether a process belongs to the guardian home in this directory.
pub(super) fn carries(pid: i32, root: &Path) -> bool {
    let variable = format!("GUARDIAN_HOME={}", root.display());
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
}

/// A row while it is played.
pub(crate) struct Scene {
    pub(super) home: Home,
    pub(super) row: &'static Row,
    /// Whether its shim is killed at a moment that nobody chose.
    pub(super) shimless: bool,
    /// What guardian's commands are run by, where that is not the test: another view of the machine.
    pub(super) view: RefCell<Vec<String>>,
    murderers: RefCell<Vec<Child>>,
    /// The scene had to end the program itself, because nobody was left who would.
    pub(super) finished: Cell<bool>,
}

impl Scene {
    pub(super) fn new(row: &'static Row, shimless: bool) -> Self {
        let home = Home::new();
        home.listen("");
        Self {
            home,
            row,
            shimless,
            view: RefCell::default(),
            murderers: RefCell::default(),
            finished: Cell::new(false),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.row.name
    }

    /// A command of guardian's, with the machine as this scene sees it.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let view = self.view.borrow();
        let Some((first, rest)) = view.split_first() else { return self.home.run(arguments) };
        let mut command = self.home.other_command(first.as_ref());
        command.args(rest).arg(self.home.program()).args(arguments);
        finish(command)
    }

    /// One pass, as cron would run it.
    pub(super) fn pass(&self) {
        self.run(&["healthcheck", "--quiet"]);
    }

    pub(super) fn status(&self) -> Value {
        let output = self.run(&["status", "--json", self.name()]);
        let status: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("status: {error}: {output:?}"));
        status["processes"][0].clone()
    }

    /// Pids that started, oldest first.
    pub(super) fn starts(&self) -> Vec<i32> {
        self.home.lines("starts").iter().filter_map(|line| line.parse().ok()).collect()
    }

    /// Pid of the first start.
    #[track_caller]
    pub(super) fn main(&self) -> i32 {
        *self.starts().first().expect("the program noted its start")
    }

    /// The shim of the open run; `None`: it is gone.
    pub(super) fn shim(&self) -> Option<i32> {
        let shim = &self.status()["shim_pid"];
        (!shim.is_null()).then(|| number(shim))
    }

    fn command(&self) -> Vec<String> {
        let die = compiled().0.to_str().unwrap().to_owned();
        let own = |words: &[&str]| words.iter().map(|word| self.local(word)).collect::<Vec<_>>();
        let after =
            |first: &[&str], rest: Vec<String>| std::iter::once(die.clone()).chain(own(first)).chain(rest).collect();
        match self.row.program {
            Program::Die(words) => after(&[], own(words)),
            Program::Sh(line) => after(&["exec", "/bin/sh", "-c"], vec![line.to_owned()]),
            Program::Exec(words) => after(&["exec"], own(words)),
            Program::Bare(words) => own(words),
        }
    }

    /// `./` and `DIR/` stand for the directory of the scene.
    fn local(&self, word: &str) -> String {
        match word.strip_prefix("./").or_else(|| word.strip_prefix("DIR/")) {
            Some(file) => self.home.path(file).to_str().unwrap().to_owned(),
            None => word.to_owned(),
        }
    }

    fn register(&self) {
        let command = self.command();
        assert!(command.len() > 1, "one word would be a line for the shell");
        let mut arguments = vec!["register".to_owned(), self.name().to_owned()];
        arguments.extend(self.row.options.iter().map(|word| self.local(word)));
        arguments.push("--".to_owned());
        arguments.extend(command);
        self.home.ok(&arguments);
        // What no command line can carry.
        let text = self.home.registry();
        if text.contains("LONG") {
            self.home.write_registry(text.replace("LONG", &"x".repeat(200_000)));
        }
    }

    /// From `register` to the end of the first run, judged and published.
    pub(super) fn play(&self) {
        self.register();
        if let Some(before) = self.row.before {
            before(self);
        }
        match self.row.act {
            Act::Instead(act) => act(self),
            Act::Nothing | Act::Murder(..) | Act::Operator(_) | Act::Does(_) => {
                let started = self.run(&["start", self.name()]);
                assert!(self.shimless || matches!(started.code, 0 | 1), "start: {started:?}");
            }
        }
        match self.row.act {
            Act::Nothing | Act::Instead(_) => {}
            Act::Murder(whom, signal) => {
                if self.is_ready() {
                    self.murder(whom, signal);
                }
            }
            Act::Operator(words) => {
                if self.is_ready() {
                    let words: Vec<&str> =
                        words.iter().map(|word| if *word == "NAME" { self.name() } else { *word }).collect();
                    self.run(&words).expect(0);
                }
            }
            Act::Does(act) => act(self),
        }
        self.settle();
    }

    /// Waits until the program said that it may be killed now. Without its shim it may never come to that.
    pub(super) fn is_ready(&self) -> bool {
        let mut alive_to_see_it = true;
        until("the program is ready", || {
            if !self.shimless {
                return self.home.path("ready").exists();
            }
            self.pass();
            alive_to_see_it = self.home.path("ready").exists();
            alive_to_see_it || self.is_judged()
        });
        alive_to_see_it
    }

    /// Sends a signal from a process of its own, which lives on until the scene is over.
    pub(super) fn murder(&self, whom: Whom, name: &str) {
        let shim = if whom == Whom::Shim { self.shim() } else { None };
        self.send(0, name, &[shim.unwrap_or_else(|| self.main())]);
    }

    /// The same to a pid (and thread), as this user.
    pub(super) fn send(&self, uid: u32, name: &str, to: &[i32]) {
        let number = name.parse().unwrap_or_else(|_| format!("SIG{name}").parse::<Signal>().unwrap() as i32);
        let mut command = self.home.other_command(&compiled().1);
        command.args([uid.to_string(), number.to_string()]).args(to.iter().map(ToString::to_string));
        let mut murderer = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(murderer.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said == "sent\n" || self.shimless, "the murderer of {to:?}: {said}");
        self.murderers.borrow_mut().push(murderer);
    }

    /// Whether this pid is that of somebody whom the scene sent.
    pub(super) fn sent(&self, pid: i32) -> bool {
        self.murderers.borrow().iter().any(|murderer| i32::try_from(murderer.id()).unwrap() == pid)
    }

    /// Events of the first run with one of these kinds.
    pub(super) fn events(&self, kinds: &[&str]) -> Vec<Value> {
        let output = self.run(&["events", self.name(), "--json"]);
        let events = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["run"] == 1 && kinds.iter().any(|kind| event["kind"] == *kind)).collect()
    }

    /// Whether the end of the first run is in the history.
    pub(super) fn is_judged(&self) -> bool {
        !self.events(&["premature", "completed", "failed", "stopped"]).is_empty()
    }

    /// Waits until the end of the first run is judged, published and told to whom it is to be told.
    fn settle(&self) {
        let began = now_ms();
        until("the end of run 1 is in the history", || {
            if self.shimless {
                self.pass();
                let late = now_ms() > began + u64::try_from(FINISH_AFTER.as_millis()).unwrap();
                if late && !self.finished.get() && self.is_forgotten() {
                    self.end_it();
                    self.finished.set(true);
                }
            }
            self.is_judged()
        });
        // Whoever judged it has the lock until all is in the outbox.
        let lock = self.home.state_dir().join("process").join(self.name()).join("lock");
        fs::File::open(lock).unwrap().lock().unwrap();
        until("nobody is still to be told of run 1", || {
            // Again, because one that finds another delivering leaves it at that.
            self.pass();
            let alerts: Value = serde_json::from_str(&self.run(&["alerts", "--json"]).stdout).unwrap();
            assert_eq!(alerts["errors"], serde_json::json!([]), "{alerts}");
            // A later run that was hit as well is folded into the same incident, and waits for its cooldown.
            alerts["pending"].as_array().unwrap().iter().all(|alert| alert["run"].as_u64().is_some_and(|run| run > 1))
        });
    }

    /// Kills the first start, if that pid is still one of this home.
    pub(super) fn end_it(&self) {
        let main = self.main();
        if carries(main, &self.home.root()) {
            signal(main, Signal::SIGKILL);
        }
    }

    /// Whether the program lives on because whoever was to end it is gone.
    fn is_forgotten(&self) -> bool {
        let status = self.status();
        let to_the_shim = matches!(self.row.act, Act::Murder(Whom::Shim, _));
        // One that was taken over is not asked any more whether it is ready.
        let forgets = to_the_shim || self.row.want.cause == "not_ready";
        status["run"] == 1 && (status["state"] == "unsupervised" || forgets && status["state"] == "running")
    }

    /// Waits until a process is gone, and then lets cron look.
    pub(super) fn gone(&self, pid: i32) {
        until("it is gone", || !alive(pid));
        self.pass();
    }

    /// Waits until the program's handler has run this often.
    pub(super) fn handled(&self, count: usize) {
        within(Duration::from_secs(10), "its handler ran", || (self.home.lines("got").len() >= count).then_some(()));
    }

    /// Waits for a file of the program's own.
    pub(super) fn file(&self, name: &str) -> i32 {
        eventually(name, || self.home.lines(name).first().and_then(|line| line.parse().ok()))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for murderer in self.murderers.get_mut() {
            drop(murderer.stdin.take());
            drop(murderer.wait());
        }
    }
}
