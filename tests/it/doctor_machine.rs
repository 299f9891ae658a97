//! `doctor` on machines that are made up: with a systemd that says what a test wants, another kernel, a full disk, process ids of its
//! own. Mounts are made in a mount namespace of the command alone. Needs root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::home::{Home, Output, finish};

/// Makes a machine on which systemd seems to run, with these texts in its files; then runs the rest.
const SYSTEMD: &str = "set -e
    mount -t tmpfs none /run && mkdir -p /run/systemd/system
    mount -t tmpfs none /etc/systemd
    [ -z \"$TIMER\" ] || { mkdir /etc/systemd/system && cp \"$TIMER\" /etc/systemd/system/guardian.timer; }
    [ -z \"$LOGIND\" ] || printf '[Login]\\nKillUserProcesses=%s\\n' \"$LOGIND\" > /etc/systemd/logind.conf
    mkdir -p /var/lib/systemd && mount -t tmpfs none /var/lib/systemd && mkdir /var/lib/systemd/linger
    [ -z \"$LINGERS\" ] || : > \"/var/lib/systemd/linger/$LINGERS\"
    cd \"$1\" && shift
    exec \"$@\"";

/// Runs `script` as root in a mount namespace of its own; what it executes gets the arguments behind it.
fn in_mounts(home: &Home, script: &str, vars: &[(&str, &str)], arguments: &[&str]) -> Output {
    assert!(nix::unistd::geteuid().is_root(), "needs root for mounts: run scripts/test");
    let mut command = std::process::Command::new("unshare");
    command.env_clear().envs(home.env()).envs(vars.iter().copied()).stdin(std::process::Stdio::null());
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"]).arg(home.path(""));
    if let Some(user) = home.user() {
        command.args(["setpriv", "--clear-groups"]);
        command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
    }
    command.arg(home.program()).args(["doctor", "--json"]).args(arguments);
    finish(command)
}

fn checks(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    document["checks"].clone()
}

#[track_caller]
fn graded(checks: &Value, name: &str, grade: &str, said: &str) {
    let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    let check = found.unwrap_or_else(|| panic!("no {name} in {checks}"));
    let text = format!("{} {}", check["said"], check["mend"]);
    assert!(check["grade"] == grade && text.contains(said), "wanted {grade}, `{said}`: {check}");
}

/// A home with the timer file that guardian would install, and programs that speak as systemd's do.
fn with_systemd(mut home: Home, systemctl: &str, busctl: &str) -> (Home, String) {
    let timer = home.path("timer");
    fs::write(&timer, format!("# guardian home: {}\n[Timer]\n", home.root().display())).unwrap();
    home.script("systemctl", &format!("#!/bin/sh\n{systemctl}\n"));
    home.script("busctl", &format!("#!/bin/sh\n{busctl}\n"));
    let path = format!("{}:{}", home.path("").display(), home.env()["PATH"]);
    home.set_env("PATH", &path);
    (home, timer.display().to_string())
}

#[test]
fn a_timer_of_the_system_is_well_when_it_is_active_and_red_when_it_is_not() {
    let cases = [
        ("[ \"$1\" = is-active ] && echo active", "green", "is active"),
        ("[ \"$1\" = is-active ] && echo active || echo disabled", "red", "systemctl enable guardian.timer"),
        ("echo failed; exit 3", "red", "systemctl enable --now guardian.timer"),
        ("echo 'Failed to connect to bus' >&2; exit 1", "yellow", "Failed to connect to bus"),
        ("sleep 1000", "yellow", "took longer"),
    ];
    for (systemctl, grade, said) in cases {
        let (home, timer) = with_systemd(Home::new(), systemctl, "echo 'b false'");
        graded(&checks(&in_mounts(&home, SYSTEMD, &[("TIMER", &timer)], &[])), "systemd", grade, said);
    }
}

#[test]
fn a_timer_of_another_home_is_none_of_ours() {
    let (home, timer) = with_systemd(Home::new(), "echo active", "echo 'b false'");
    fs::write(&timer, "# guardian home: /elsewhere\n").unwrap();
    graded(&checks(&in_mounts(&home, SYSTEMD, &[("TIMER", &timer)], &[])), "systemd", "yellow", "install --systemd");
}

#[test]
fn a_user_who_does_not_linger_hears_of_it_where_passes_hang_on_that() {
    for (lingers, grade, said) in [("", "red", "loginctl enable-linger"), ("gtest", "green", "without a login")] {
        let (home, timer) = with_systemd(Home::of_user(), "[ \"$1\" = --user ] && echo active", "exit 1");
        let units = home.path("home/.config/systemd/user");
        fs::create_dir_all(&units).unwrap();
        fs::copy(&timer, units.join("guardian.timer")).unwrap();
        let found = checks(&in_mounts(&home, SYSTEMD, &[("LINGERS", lingers)], &[]));
        graded(&found, "systemd", "green", "your systemd is active");
        graded(&found, "linger", grade, said);
    }
}

#[test]
fn a_logout_that_kills_is_red_for_a_user_whose_runs_stay_in_the_login_and_unknown_is_not_well() {
    let cases = [
        ("echo 'b true'", "", "red", "KillUserProcesses=no"),
        ("echo 'b false'", "yes", "green", "KillUserProcesses=no"),
        ("exit 1", "yes", "red", "KillUserProcesses=yes"),
        ("exit 1", "no", "green", "KillUserProcesses=no"),
        ("exit 1", "", "yellow", "cannot be told"),
    ];
    for (busctl, logind, grade, said) in cases {
        let (home, _) = with_systemd(Home::of_user(), "exit 1", busctl);
        graded(&checks(&in_mounts(&home, SYSTEMD, &[("LOGIND", logind)], &[])), "logout", grade, said);
    }
    let (root, _) = with_systemd(Home::new(), "exit 1", "echo 'b true'");
    graded(&checks(&in_mounts(&root, SYSTEMD, &[], &[])), "logout", "green", "leaves the control group");
}

#[test]
fn wsl_is_told_by_its_kernel() {
    let home = Home::new();
    let release = home.path("osrelease");
    fs::write(&release, "5.15.90.1-microsoft-standard-WSL2\n").unwrap();
    let script = "mount --bind \"$RELEASE\" /proc/sys/kernel/osrelease; cd \"$1\"; shift; exec \"$@\"";
    let found = checks(&in_mounts(&home, script, &[("RELEASE", release.to_str().unwrap())], &[]));
    graded(&found, "wsl", "yellow", "/etc/wsl.conf");
    graded(&checks(&in_mounts(&home, "cd \"$1\"; shift; exec \"$@\"", &[], &[])), "wsl", "green", "not WSL");
}

#[test]
fn a_full_disk_and_one_without_inodes_are_red_and_no_crash() {
    let fill = "set -e; mkdir -p \"$GUARDIAN_HOME/state\"; mount -t tmpfs -o \"$SIZE\" none \"$GUARDIAN_HOME/state\"
        chmod 700 \"$GUARDIAN_HOME/state\"; head -c 2m /dev/zero > \"$GUARDIAN_HOME/state/filler\" || :
        chmod 600 \"$GUARDIAN_HOME/state/filler\"; cd \"$1\"; shift; exec \"$@\"";
    for (size, said) in [("size=1m", "are free for state"), ("size=1g,nr_inodes=50", "inodes are free")] {
        let home = Home::new();
        let output = in_mounts(&home, fill, &[("SIZE", size)], &[]);
        assert_eq!(output.code, 1, "{output:?}");
        graded(&checks(&output), "disk", "red", said);
    }
    let output = in_mounts(&Home::new(), fill, &[("SIZE", "size=1m")], &[]);
    graded(&checks(&output), "rotation", "yellow", "No space left");
}

#[test]
fn in_process_ids_of_its_own_what_is_started_ends_with_them_and_that_is_said() {
    let home = Home::new();
    home.ok(&["healthcheck"]); // passes run outside
    let mut command = home.other_command("unshare".as_ref());
    command.args([
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "/bin/sh",
        "-c",
        "\"$@\"; exit $?",
        "sh",
    ]);
    command.arg(home.program()).args(["doctor", "--json"]);
    let found = checks(&finish(command));
    graded(&found, "sandbox", "yellow", "what is started in it ends with it");
    graded(&found, "pid-1", "yellow", "does nothing about SIGTERM");
}

#[test]
fn a_first_process_that_never_waits_is_not_well_and_red_where_zombies_pile_up() {
    let home = Home::new();
    let first = "import subprocess, sys, time
for _ in range(int(sys.argv[1])): subprocess.run(['/bin/sh', '-c', 'sleep 0.01 & exit 0'])
child = subprocess.Popen(sys.argv[2:])
while child.poll() is None: time.sleep(0.05)
sys.exit(child.returncode)
";
    let script = home.script("first.py", first);
    for (zombies, grade, said) in [("0", "yellow", "may pile up"), ("12", "red", "it has ")] {
        let mut command = home.other_command("unshare".as_ref());
        command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", crate::home::PYTHON]).arg(&script);
        command.arg(zombies).arg(home.program()).args(["doctor", "--json"]);
        graded(&checks(&finish(command)), "orphans", grade, said);
    }
}

#[test]
fn a_state_that_others_may_write_or_read_or_that_a_link_of_others_leads_to_is_named_with_what_mends_it() {
    let home = Home::new();
    home.ok(&["healthcheck"]);
    let found = |home: &Home| home.json(&["doctor"])["checks"].clone();
    graded(&found(&home), "permissions", "green", "nobody else may write");
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&home.state_dir(), 0o755);
    graded(&found(&home), "permissions", "yellow", "chmod go-rwx");
    mode(&home.state_dir(), 0o777);
    graded(&found(&home), "permissions", "red", "chmod go-w");
    mode(&home.state_dir(), 0o700);
    let user = crate::home::plain_user();
    let file = home.state_dir().join("last-pass.json");
    std::os::unix::fs::chown(&file, Some(user.uid.as_raw()), None).unwrap();
    graded(&found(&home), "permissions", "red", "chown -R 0");
    fs::remove_file(&file).unwrap();
    fs::rename(home.state_dir(), home.path("moved")).unwrap();
    symlink(home.path("moved"), home.state_dir()).unwrap();
    graded(&found(&home), "permissions", "green", "nobody else may write");
    std::os::unix::fs::lchown(home.state_dir(), Some(user.uid.as_raw()), None).unwrap();
    graded(&found(&home), "permissions", "red", "symbolic link of uid");
    std::os::unix::fs::lchown(home.state_dir(), Some(0), None).unwrap();
    let above = home.root().parent().unwrap().to_owned();
    mode(&above, 0o777);
    graded(&found(&home), "permissions", "yellow", "everybody may rename");
    mode(&above, 0o1777);
    graded(&found(&home), "permissions", "green", "nobody else may write");
    std::os::unix::fs::chown(&above, Some(user.uid.as_raw()), None).unwrap();
    graded(&found(&home), "permissions", "yellow", "may rename what is in");
}

#[test]
fn a_kernel_that_forbids_tracing_is_red_where_a_process_asks_for_it() {
    let script = "set -e; K=$1/kernel; mkdir -p $K/random $K/yama; cp /proc/sys/kernel/osrelease $K/
        cp /proc/sys/kernel/random/boot_id $K/random/; echo 3 > $K/yama/ptrace_scope; chmod -R a+rX $K
        mount --bind $K /proc/sys/kernel; cd \"$1\"; shift; exec \"$@\"";
    let home = Home::new();
    graded(&checks(&in_mounts(&home, script, &[], &[])), "ptrace", "green", "no process asks");
    home.ok(&["register", "bot", "--trace-signals", "--", "true"]);
    graded(&checks(&in_mounts(&home, script, &[], &[])), "ptrace", "red", "kernel.yama.ptrace_scope");
}
