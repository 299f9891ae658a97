//! What a release left is read by this build: the homes in `tests/it/releases`, recorded by `scripts/record-release` with a build of
//! each, and, where `GUARDIAN_OLD` names such a build (`scripts/test-upgrade` makes one), its shims and the passes of this one together.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, finish};
use crate::procs::{signal, until};

fn releases() -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/releases");
    let mut found: Vec<PathBuf> =
        fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    assert!(found.iter().any(|release| release.ends_with("0.1.0")), "{found:?}");
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// A home as that release left it.
fn home(release: &Path) -> Home {
    let home = Home::new();
    copy(release, &home.root());
    home
}

fn recorded(release: &Path, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(release.join(file)).unwrap()).unwrap()
}

/// What does not depend on when it is asked, or on words.
fn facts(why: &Value) -> Vec<Value> {
    ["name", "run", "verdict", "cause", "began_at", "ended_at", "ran_s", "log_tail"].map(|key| why[key].clone()).into()
}

#[test]
fn every_release_s_state_is_read_and_its_certificates_say_the_same() {
    for release in releases() {
        let home = home(&release);
        for name in ["job", "crashed", "looping", "killed"] {
            let (then, now) = (recorded(&release, &format!("why-{name}.json")), home.json(&["why", name]));
            assert_eq!(facts(&now), facts(&then), "{name} of {}", release.display());
        }
        assert_eq!(home.json(&["why", "job", "--run", "1"])["verdict"], "completed");
        let then = recorded(&release, "status.json");
        for process in then["processes"].as_array().unwrap() {
            let name = process["name"].as_str().unwrap();
            let now = home.status(name);
            let same = ["desired", "target", "command"].into_iter();
            // What lived then has ended since; the machine was another one, or it was killed with its shim. A breaker
            // that was open then lets one run try.
            let quiet = ["run", "restarts", "consecutive_failures", "state", "last_exit"];
            let same = same.chain(quiet.into_iter().filter(|_| !["service", "looping"].contains(&name)));
            for key in same.filter(|key| *key != "last_exit" || !process[*key].is_null()) {
                match key {
                    "last_exit" => {
                        assert_eq!(now[key]["cause"], process[key]["cause"], "{name} of {}", release.display())
                    }
                    key => assert_eq!(now[key], process[key], "{key} of {name} of {}", release.display()),
                }
            }
            let kinds = home.kinds(name);
            assert!(kinds.contains(&"registered".to_owned()), "{name}: {kinds:?}");
        }
        assert_eq!(home.ok(&["logs", "killed"]), "hit me\n");
    }
}

#[test]
fn a_pass_goes_on_where_the_release_stopped() {
    for release in releases() {
        let home = home(&release);
        let waiting = recorded(&release, "status.json")["alerts"]["pending"].as_u64().unwrap();
        assert!(waiting > 0, "{}", release.display());
        let heard = home.path("heard");
        let tell = format!("[\"/bin/sh\", \"-c\", \"cat >>{}\"]", heard.display());
        home.write_registry(home.registry().replace("[\"/bin/false\"]", &tell));
        home.run(&["alerts", "retry"]);
        home.run(&["healthcheck"]);
        until("what waited for its sink is told", || {
            fs::read_to_string(&heard).is_ok_and(|told| told.contains("\"crashed\""))
        });
        let service = home.reaches("service", "running");
        assert!(service["run"].as_u64() > Some(1), "{service}");
        let cause = service["last_exit"]["cause"]["kind"].as_str().unwrap().to_owned();
        assert!(["reboot", "shim_killed", "unknown"].contains(&cause.as_str()), "{cause}");
        home.reaches("looping", "tripped"); // again, after the one run that its time lets try
        assert_eq!(home.state("asked"), "stopped");
        home.ok(&["start", "job"]);
        home.reaches("job", "completed");
        assert_eq!(home.json(&["why", "job"])["run"], 4, "runs go on counting");
        home.ok(&["stop", "service"]);
        home.run(&["config", "check"]).expect(0);
    }
}

#[test]
fn a_process_under_a_shim_of_an_earlier_build_survives_the_upgrade_and_its_death_is_answered_by_this_one() {
    let Some(old) = std::env::var_os("GUARDIAN_OLD") else { return };
    let home = Home::new();
    let installed = home.path("installed");
    fs::copy(old, &installed).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = home.other_command(&installed);
        command.args(arguments);
        finish(command)
    };
    run(&["register", "x", "--backoff", "0s", "--start", "--", "echo up; exec sleep 1000"]).expect(0);
    run(&["register", "y", "--start", "--", "exec sleep 1000"]).expect(0);
    let (pid, shim) = (home.pid("x"), home.shim_pid("x"));
    // As a package manager does it: another file under the same name.
    fs::copy(home.program(), home.path("new")).unwrap();
    fs::rename(home.path("new"), &installed).unwrap();
    home.run(&["healthcheck"]).expect(0);
    assert_eq!((home.pid("x"), home.shim_pid("x")), (pid, shim), "nothing is disturbed");
    signal(pid, Signal::SIGKILL);
    let next = home.reaches("x", "running");
    until("the old shim has told the new build, which has restarted it", || home.status("x")["run"] == 2);
    assert_eq!(home.json(&["why", "x", "--run", "1"])["cause"]["signal"], "SIGKILL", "{next}");
    signal(home.shim_pid("y"), Signal::SIGKILL);
    until("what an old shim left has a new one", || {
        home.run(&["healthcheck"]);
        home.state("y") == "running"
    });
    home.ok(&["stop", "--all"]);
    assert_eq!(home.state("x"), "stopped");
}
