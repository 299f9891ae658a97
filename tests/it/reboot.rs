//! The machine comes up anew, as far as a process can see that: in a mount namespace with another boot id.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::Home;
use crate::procs::{cmdline, eventually, kill_together, now_ms, until};

/// A shell in which this is another boot; what it is told to run is run there.
pub(crate) struct Boot {
    shell: std::process::Child,
    home: std::path::PathBuf,
    told: u32,
}

impl Boot {
    pub(crate) fn new(home: &Home) -> Self {
        fs::write(home.path("boot_id"), "11111111-2222-4333-8444-555555555555\n").unwrap();
        let begin = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && exec sh -s";
        let mut command = Command::new("unshare");
        command.env_clear().envs(home.env()).args([
            "--mount",
            "--propagation",
            "private",
            "/bin/sh",
            "-c",
            begin,
            "sh",
        ]);
        let shell = command.arg(home.path("boot_id")).stdin(Stdio::piped()).spawn().unwrap();
        Self { shell, home: home.path(""), told: 0 }
    }

    /// Runs guardian in that boot to its end; what it wrote.
    pub(crate) fn run(&mut self, home: &Home, arguments: &str) -> String {
        self.told += 1;
        let (out, done) = (self.home.join(format!("out{}", self.told)), self.home.join(format!("done{}", self.told)));
        let line = format!("{} {arguments} >{} 2>&1; : >{}\n", home.program().display(), out.display(), done.display());
        self.shell.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        until("it has run", || done.exists());
        fs::read_to_string(out).unwrap()
    }

    fn processes(&mut self, home: &Home) -> Vec<Value> {
        let text = self.run(home, "status --json");
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        document["processes"].as_array().unwrap().clone()
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().unwrap();
    }
}

/// Registers and starts so many that say when they are up.
fn many(home: &Home, count: usize) {
    let entry = |nth| {
        format!(
            "[process.p{nth:02}]\nshell = \"echo $GUARDIAN_NAME >>{}; exec sleep 1000\"\n\n",
            home.path("ups").display()
        )
    };
    home.write_registry((0..count).map(entry).collect::<String>());
    home.ok(&["start", "--all"]);
    home.has_lines("ups", count);
}

#[test]
fn after_a_reboot_the_first_few_start_at_once_and_the_rest_follow_second_by_second() {
    const COUNT: usize = 30;
    let home = Home::new();
    many(&home, COUNT);
    let pids: Vec<i32> = home.processes();
    kill_together(&pids);
    fs::write(home.path("ups"), "").unwrap();
    let at_once = 4 * std::thread::available_parallelism().unwrap().get();
    let mut boot = Boot::new(&home);
    let began = now_ms();
    boot.run(&home, "healthcheck --quiet");
    let looked = now_ms() - began;
    let rows = boot.processes(&home);
    let waiting: Vec<&Value> = rows.iter().filter(|row| row["state"] == "waiting").collect();
    if looked < 1000 && at_once < COUNT {
        assert!(waiting.len() <= COUNT - at_once && !waiting.is_empty(), "{} wait", waiting.len());
        let due: Vec<&str> = waiting.iter().map(|row| row["next_action_at"].as_str().expect("a time")).collect();
        assert!(due.is_sorted(), "in the order of the registry: {due:?}");
        assert!(rows[0]["state"] == "running" || rows[0]["state"] == "starting", "{}", rows[0]);
    }
    // Nobody looks again: what was put off comes by itself.
    let ups = home.has_lines("ups", COUNT);
    let last_due = 1000 * u64::try_from((COUNT - 1) / at_once).unwrap();
    assert!(now_ms() - began >= last_due, "all at once");
    assert_eq!(ups.iter().collect::<std::collections::BTreeSet<_>>().len(), COUNT, "one was started twice: {ups:?}");
    let rows = eventually("all are up", || {
        let rows = boot.processes(&home);
        rows.iter().all(|row| row["state"] == "running").then_some(rows)
    });
    assert!(rows.iter().all(|row| row["last_exit"]["cause"]["kind"] == "reboot" && row["consecutive_failures"] == 0));
    boot.run(&home, "stop --all --grace 1s");
}

#[test]
fn an_operators_start_after_a_reboot_is_not_put_off() {
    const COUNT: usize = 30;
    let home = Home::new();
    many(&home, COUNT);
    kill_together(&home.processes());
    let mut boot = Boot::new(&home);
    boot.run(&home, "start --all --quiet");
    let rows = boot.processes(&home);
    assert!(rows.iter().all(|row| row["state"] == "running" && row["run"] == 2), "{rows:?}");
    boot.run(&home, "stop --all --grace 1s");
}

#[test]
fn an_end_that_was_recorded_before_the_reboot_keeps_its_true_cause() {
    let home = Home::new();
    home.up("p", &[], "echo up >>ups; exec sleep 1000");
    // Its end is on the disk, and nobody could judge it any more: the shim's pass cannot take the lock.
    let lock = fs::File::open(home.state_dir().join("process/p/lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let shim = home.shim_pid("p");
    crate::procs::signal(home.pid("p"), nix::sys::signal::Signal::SIGTERM);
    let record = home.state_dir().join("process/p/run/1.rec");
    until("its end is recorded", || fs::read_to_string(&record).unwrap().contains("\"end\""));
    let pushed = |pid: &i32| cmdline(*pid).contains("--push");
    until("the shim's pass waits for the lock", || home.processes().iter().any(pushed));
    kill_together(&[&[shim][..], &home.processes()].concat());
    drop(lock);
    let mut boot = Boot::new(&home);
    boot.run(&home, "healthcheck --quiet");
    home.has_lines("ups", 2);
    let row = boot.processes(&home)[0].clone();
    assert_eq!(row["last_exit"]["cause"]["kind"], "signaled", "{row}");
    assert_eq!(row["last_exit"]["cause"]["signal"], "SIGTERM");
    assert!(row["last_exit"]["ran_s"].is_number());
    boot.run(&home, "stop --all --grace 1s");
}
