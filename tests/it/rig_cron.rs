//! A real cron daemon with a real crontab, in a mount namespace of its own: the machine's crontabs are neither read nor
//! touched. Needs root.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::home::{Home, Output, finish};
use crate::procs::until;

/// Makes the places that cron and `crontab` use private, and empty.
const SETUP: &str = "set -e
    mount -t tmpfs -o mode=755 none /var/spool/cron
    mkdir -m 1730 /var/spool/cron/crontabs && chgrp crontab /var/spool/cron/crontabs
    mount -t tmpfs -o mode=755 none /run
    mount -t tmpfs none /etc/cron.d
    mount --bind /dev/null /etc/crontab
    # cron sees a change by its second: one in the second of its own start would be missed.
    touch -d @0 /var/spool/cron/crontabs /etc/cron.d
    touch \"$1\"
    if [ \"$2\" = cron ]; then exec cron -f; else exec sleep infinity; fi";

/// Whether the daemon runs, or only its places exist.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Daemon {
    Running,
    Absent,
}

/// The namespace, and the daemon in it.
pub(crate) struct Cron {
    holder: Child,
}

impl Cron {
    pub(crate) fn new(home: &Home, daemon: Daemon) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "needs root for a cron of its own: run scripts/test");
        let ready = home.path("cron-ready");
        let holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c", SETUP, "sh"])
            .arg(&ready)
            .arg(if daemon == Daemon::Running { "cron" } else { "places" })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("cron's places are made", || ready.exists());
        Self { holder }
    }

    /// A program in the namespace, with the home's user and environment.
    pub(crate) fn command(&self, home: &Home, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.env_clear().envs(home.env()).stdin(Stdio::null());
        command
            .arg("--mount")
            .arg(format!("--target={}", self.holder.id()))
            .arg(format!("--wd={}", home.path("").display()));
        if let Some(user) = home.user() {
            command.args(["setpriv", "--clear-groups"]);
            command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
        }
        command.arg(program).args(arguments);
        command
    }

    /// Runs guardian in the namespace.
    #[track_caller]
    pub(crate) fn run(&self, home: &Home, arguments: &[&str]) -> Output {
        finish(self.command(home, home.program(), arguments))
    }

    /// The user's crontab; `None` when there is none.
    #[track_caller]
    pub(crate) fn table(&self, home: &Home) -> Option<String> {
        let output = finish(self.command(home, Path::new("crontab"), &["-l"]));
        (output.code == 0).then_some(output.stdout)
    }

    /// Sets the user's crontab, as `crontab FILE` does.
    #[track_caller]
    pub(crate) fn set_table(&self, home: &Home, text: &str) {
        let file = home.path("crontab.new");
        fs::write(&file, text).unwrap();
        finish(self.command(home, Path::new("crontab"), &[file.to_str().unwrap()])).expect(0);
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
