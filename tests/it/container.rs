//! `healthcheck --loop`: a trigger that needs no other, process 1 of a container for real (in a pid namespace of its own).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::home::{Home, finish};
use crate::procs::{alive, carrying, descendants, eventually, kill_together, parent, signal, until};

/// A loop that runs.
struct Loop {
    child: Child,
    /// The loop itself, as it is seen from here.
    pid: i32,
    out: std::path::PathBuf,
}

impl Loop {
    /// Beside the tests.
    fn new(home: &Home, options: &[&str]) -> Self {
        let (mut command, out) =
            (home.command(&[&["healthcheck", "--loop", "1s"], options].concat()), home.path("out"));
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::OpenOptions::new().append(true).open(&out).unwrap());
        let child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let this = Self { child, pid, out };
        this.has_looked();
        this
    }

    /// As process 1 of a pid namespace.
    fn as_init(home: &Home, command: &mut Command) -> Self {
        let out = home.path("out");
        command.stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap());
        let child = command.stderr(fs::OpenOptions::new().append(true).open(&out).unwrap()).spawn().unwrap();
        let outer = i32::try_from(child.id()).unwrap();
        let pid = eventually("process 1 is there", || descendants(outer).into_iter().find(|pid| parent(*pid) == outer));
        let this = Self { child, pid, out };
        this.has_looked();
        this
    }

    fn container(home: &Home) -> Self {
        let mut command = home.other_command(Path::new("unshare"));
        command.args(["--pid", "--fork", "--mount-proc"]).arg(home.program()).args(["healthcheck", "--loop", "1s"]);
        Self::as_init(home, &mut command)
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    #[track_caller]
    fn has_looked(&self) {
        until("the first pass has told how all is", || self.said().contains("as desired"));
    }

    /// A command inside of the container.
    fn inside(&self, home: &Home, line: &str) -> crate::home::Output {
        let mut command = home.other_command(Path::new("nsenter"));
        command.args(["-t", &self.pid.to_string(), "-p", "-m", "sh", "-c", line]);
        finish(command)
    }

    /// Sends a signal and waits for the end; its code.
    fn ends_at(&mut self, with: Signal) -> Option<i32> {
        signal(self.pid, with);
        let child = &mut self.child;
        eventually("the loop ends", || child.try_wait().unwrap()).code()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            signal(self.pid, Signal::SIGKILL);
            self.child.wait().unwrap();
        }
    }
}

/// Two services that write down their end, the second of which needs the first.
fn two(home: &Home) {
    let service = |name: &str, more: &str| {
        let end = format!("echo {name} >>{}; exit 0", home.path("order").display());
        format!("[process.{name}]\nshell = \"trap '{end}' TERM; while :; do sleep 0.1; done\"\n{more}\n")
    };
    home.write_registry(service("db", "") + &service("web", "depends_on = [\"db\"]"));
}

#[test]
fn as_process_1_it_reaps_and_at_term_stops_all_in_order_and_the_next_start_brings_it_back() {
    let home = Home::new();
    two(&home);
    let mut container = Loop::container(&home);
    let guardian = home.program().display();
    container.inside(&home, &format!("{guardian} start --all")).expect(0);
    let orphan = home.path("orphan");
    container.inside(&home, &format!("(sleep 0.2; echo x >{0}) & (sh -c 'exit 3' &) ; :", orphan.display())).expect(0);
    until("the orphan has ended", || orphan.exists());
    let init = container.pid;
    let zombie = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    until("no child of process 1 is left as a zombie", || !descendants(init).iter().any(zombie));
    assert_eq!(home.state("web"), "running", "who was reaped was not a program");

    assert_eq!(container.ends_at(Signal::SIGTERM), Some(0), "{}", container.said());
    assert_eq!(home.lines("order"), ["web", "db"]);
    for name in ["db", "web"] {
        let row = home.status(name);
        assert_eq!((&row["desired"], &row["last_exit"]["verdict"]), (&"up".into(), &"stopped".into()), "{row}");
        assert_eq!(row["consecutive_failures"], 0);
    }

    let mut container = Loop::container(&home);
    for name in ["db", "web"] {
        assert_eq!(home.reaches(name, "running")["run"], 2);
    }
    container.ends_at(Signal::SIGKILL);
    let container = Loop::container(&home);
    for name in ["db", "web"] {
        let row = home.reaches(name, "running");
        assert_eq!((&row["run"], &row["last_exit"]["cause"]["kind"]), (&3.into(), &"reboot".into()), "{row}");
        assert_eq!(row["consecutive_failures"], 0, "a container that was killed is no failure of what ran in it");
    }
    drop(container);
}

#[test]
fn what_on_boot_and_restart_leave_down_stays_down_after_the_loop_ended_it() {
    let home = Home::new();
    home.write_registry(
        "[process.a]\ncommand = [\"sleep\", \"1000\"]\non_boot = \"never\"\n\
         [process.b]\ncommand = [\"sleep\", \"1000\"]\nrestart = \"never\"\n\
         [process.c]\ncommand = [\"sleep\", \"1000\"]\n",
    );
    home.ok(&["start", "--all"]);
    assert_eq!(Loop::new(&home, &[]).ends_at(Signal::SIGINT), Some(0));
    assert_eq!((home.state("a"), home.state("b"), home.state("c")), ("dead".into(), "dead".into(), "waiting".into()));
    home.run(&["healthcheck"]);
    assert_eq!((home.state("a"), home.state("b"), home.state("c")), ("dead".into(), "dead".into(), "running".into()));
}

/// Its shim would start it at its time, and the last pass of one that was stopped what it finds.
#[test]
fn what_waits_for_a_restart_does_not_come_back_after_the_loop_has_ended() {
    let home = Home::new();
    home.write_registry(
        "[process.a]\ncommand = [\"sleep\", \"1000\"]\n[process.b]\nshell = \"exit 1\"\nbackoff = \"20s\"\n",
    );
    home.run(&["start", "--all"]);
    until("b waits", || home.state("b") == "waiting");
    assert_eq!(Loop::new(&home, &[]).ends_at(Signal::SIGTERM), Some(0));
    let mark = format!("GUARDIAN_HOME={}", home.root().display());
    until("nobody is left who could start anything", || carrying(&mark).is_empty());
    assert_eq!((home.state("a"), home.state("b")), ("waiting".into(), "waiting".into()));
}

#[test]
fn a_second_loop_and_a_pass_of_cron_beside_it_do_no_harm() {
    let home = Home::new();
    home.up("p", &[], "exec sleep 1000");
    let pid = home.pid("p");
    let mut first = Loop::new(&home, &[]);
    let mut second = Loop::new(&home, &[]);
    assert!(second.said().contains("another loop runs in this home"), "{}", second.said());
    home.ok(&["healthcheck"]);
    assert_eq!(second.ends_at(Signal::SIGTERM), Some(0));
    assert_eq!((home.pid("p"), home.state("p").as_str()), (pid, "running"), "the first one has it");
    assert_eq!(first.ends_at(Signal::SIGTERM), Some(0));
    assert!(!alive(pid));
    assert_eq!(home.kinds("p").iter().filter(|kind| *kind == "started").count(), 1);
}

#[test]
fn with_keep_running_its_end_is_that_of_nothing_else() {
    let home = Home::new();
    home.up("p", &[], "exec sleep 1000");
    assert_eq!(Loop::new(&home, &["--keep-running"]).ends_at(Signal::SIGTERM), Some(0));
    assert_eq!(home.state("p"), "running");
}

#[test]
fn what_does_not_end_is_killed_when_its_grace_or_the_stop_timeout_is_over_or_at_a_second_term() {
    let home = Home::new();
    let deaf = "trap : TERM; while :; do sleep 0.1; done";
    home.up("short", &["--grace", "1s"], deaf);
    home.up("long", &["--grace", "10m"], deaf);
    assert_eq!(Loop::new(&home, &["--stop-timeout", "2s"]).ends_at(Signal::SIGTERM), Some(0));
    for name in ["short", "long"] {
        let last = home.status(name)["last_exit"].clone();
        assert_eq!((&last["verdict"], &last["cause"]["signal"]), (&"stopped".into(), &"SIGKILL".into()), "{last}");
    }
    home.run(&["healthcheck"]);
    let mut patient = Loop::new(&home, &[]);
    let pid = home.pid("long");
    signal(patient.pid, Signal::SIGTERM);
    let asked = || fs::read_to_string(home.state_dir().join("process/long/state.json")).unwrap().contains("shutdown");
    until("it was asked to end", asked);
    assert!(alive(pid), "its grace is ten minutes");
    assert_eq!(patient.ends_at(Signal::SIGTERM), Some(0));
    assert!(!alive(pid));
}

#[test]
fn a_pass_that_fails_ends_no_loop_and_the_next_one_restarts_what_died() {
    let home = Home::new();
    home.up("p", &[], "exec sleep 1000");
    let good = home.registry();
    let mut runs = Loop::new(&home, &[]);
    home.write_registry("[process.p\n");
    until("two passes have failed", || runs.said().matches("is not valid").count() >= 2);
    home.write_registry(good);
    // Shim and program at once: nobody but the loop can see it.
    kill_together(&[home.shim_pid("p"), home.pid("p")]);
    eventually("the loop restarts it", || (home.status("p")["run"] == 2).then_some(()));
    assert_eq!(runs.ends_at(Signal::SIGTERM), Some(0));
}

#[test]
fn a_period_that_is_none_is_refused_and_one_that_does_not_fit_the_registry_is_said() {
    let home = Home::new();
    home.run(&["healthcheck", "--loop", "0s"]).expect(2).complains("at least 1s");
    home.run(&["healthcheck", "--loop", "60"]).expect(2);
    home.run(&["healthcheck", "--stop-timeout", "5s"]).expect(2);
    home.write_registry("[healthcheck]\nevery = \"1s\"\n");
    let mut command = home.command(&["healthcheck", "--loop", "1h"]);
    command.stdout(Stdio::null()).stderr(fs::File::create(home.path("err")).unwrap());
    let mut child = command.spawn().unwrap();
    until("it is said", || fs::read_to_string(home.path("err")).unwrap().contains("its passes overdue"));
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
    child.wait().unwrap();
}

/// A root of nothing but programs, read-only, with one directory that a user without a name may write.
const ROOT: &str = r#"
set -e
root=$1 program=$2 data=$3
mount -t tmpfs none "$root"
mkdir "$root/usr" "$root/dev" "$root/proc" "$root/data"
for dir in bin lib lib64; do if [ -L /$dir ]; then cp -P /$dir "$root/"; elif [ -d /$dir ]; then mkdir "$root/$dir"; mount --bind /$dir "$root/$dir"; fi; done
mount --bind /usr "$root/usr"
mount -o remount,ro,bind "$root/usr"
: >"$root/guardian"; mount --bind "$program" "$root/guardian"
: >"$root/dev/null"; mount --bind /dev/null "$root/dev/null"
mount -t proc proc "$root/proc"
mount --bind "$data" "$root/data"
mount -o remount,ro "$root"
exec chroot --userspec=65534:65534 "$root" /guardian healthcheck --loop 1s
"#;

#[test]
fn it_needs_no_more_than_one_directory_in_a_read_only_root_and_no_name_for_its_user() {
    let home = Home::new();
    let (root, data) = (home.path("root"), home.path("data"));
    fs::create_dir(&root).unwrap();
    fs::create_dir_all(data.join("g")).unwrap();
    let registry =
        "[process.p]\nshell = \"trap 'echo end >>/data/end; exit 0' TERM; id -u; while :; do sleep 0.1; done\"\n";
    fs::write(data.join("g/registry.toml"), registry).unwrap();
    for path in [data.clone(), data.join("g"), data.join("g/registry.toml")] {
        chown(&path, Some(65534), Some(65534)).unwrap();
    }
    fs::set_permissions(data.join("g/registry.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("unshare");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("GUARDIAN_HOME", "/data/g");
    command.args(["--pid", "--fork", "--mount", "--propagation", "private", "sh", "-c", ROOT, "sh"]);
    command.arg(&root).arg(home.program()).arg(&data);
    let mut container = Loop::as_init(&home, &mut command);
    let inside = |arguments: &str| {
        let mut command = Command::new("nsenter");
        command.env_clear().env("GUARDIAN_HOME", "/data/g").stdin(Stdio::null());
        command.args(["-t", &container.pid.to_string(), "-p", "-m", "-r", "-w", "-S", "65534", "-G", "65534"]);
        finish({
            command.arg("/guardian").args(arguments.split(' '));
            command
        })
    };
    inside("start p").expect(0);
    let row = || {
        serde_json::from_str::<serde_json::Value>(&inside("status p --json").stdout).unwrap()["processes"][0].clone()
    };
    assert_eq!(row()["state"], "running", "{}", row());
    until("it has said who it is", || inside("logs p").stdout.contains("65534"));
    let before = row()["pid"].clone();
    inside("signal p KILL").expect(0);
    until("its death was answered", || row()["state"] == "running" && row()["pid"] != before);
    let mut touch = Command::new("nsenter");
    touch.args(["-t", &container.pid.to_string(), "-m", "-r", "-w", "/usr/bin/touch", "/x"]);
    finish(touch).expect(1).complains("Read-only");
    until("its second run listens", || inside("logs p").stdout.matches("65534").count() == 2);
    assert_eq!(container.ends_at(Signal::SIGTERM), Some(0), "{}", container.said());
    assert_eq!(fs::read_to_string(data.join("end")).unwrap(), "end\n");
}
