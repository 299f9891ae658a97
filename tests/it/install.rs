//! What an operator sets up: triggers where things are in the way, the first registry, the tour cut short.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::home::{Home, finish};
use crate::procs::{carrying, eventually, signal, until};
use crate::rig_cron::{Cron, Daemon};

/// A home whose `crontab` is a script of ours.
fn with_crontab(script: &str) -> Home {
    let mut home = Home::new();
    home.script("crontab", &format!("#!/bin/sh\necho \"$@\" >>{}\n{script}\n", home.path("asked").display()));
    home.set_env("PATH", &format!("{}:/usr/bin:/bin", home.path("").display()));
    home
}

#[test]
fn d48_a_crontab_that_cannot_be_read_is_an_error_and_nothing_is_written() {
    for script in [
        "echo 'You (me) are not allowed to use this program (crontab)' >&2; exit 1",
        "echo \"crontab: can't open 'me': Permission denied\" >&2; exit 1",
        "echo '@daily half of it'; echo 'no crontab for me: I/O error' >&2; exit 1",
        "kill -9 $$",
    ] {
        let home = with_crontab(script);
        for command in ["install", "uninstall"] {
            home.run(&[command, "--cron"]).expect(74).complains("cannot read the crontab");
        }
        assert_eq!(home.lines("asked"), ["-l", "-l"], "{script}");
    }
}

#[test]
fn a_crontab_that_does_not_take_what_is_written_is_noticed_and_the_old_one_is_kept_aside() {
    let home = with_crontab("[ \"$1\" = -l ] && echo '@daily mine'; cat >/dev/null; exit 0");
    home.run(&["install", "--cron"]).expect(74).complains("crontab.before");
    assert_eq!(fs::read_to_string(home.state_dir().join("crontab.before")).unwrap(), "@daily mine\n");
}

#[test]
fn without_a_crontab_program_it_says_what_to_do() {
    let mut home = Home::new();
    home.set_env("PATH", "/nowhere");
    home.run(&["install", "--cron"]).expect(1).complains("install cron");
}

#[test]
fn two_homes_share_a_crontab_and_each_leaves_the_others_lines_alone() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    let other = home.path("other home");
    let other = other.to_str().unwrap();
    cron.run(&home, &["install", "--cron"]).expect(0);
    let one = cron.table(&home).unwrap();
    cron.run(&home, &["--home", other, "install", "--cron", "--every", "5m"]).expect(0);
    let both = cron.table(&home).unwrap();
    assert!(both.starts_with(&one) && both.contains("\n*/5 * * * * "), "{both}");
    cron.run(&home, &["--home", other, "uninstall", "--cron"]).expect(0);
    assert_eq!(cron.table(&home).unwrap(), one);
}

#[test]
fn every_is_written_into_the_registry_so_that_status_judges_by_it() {
    let home = Home::of_user();
    let cron = Cron::new(&home, Daemon::Absent);
    cron.run(&home, &["install", "--cron", "--every", "5m"]).expect(0);
    assert_eq!(home.json(&["status"])["healthcheck"]["every_s"], 300);
    let table = cron.table(&home).unwrap();
    cron.run(&home, &["install", "--cron"]).expect(0);
    assert_eq!(cron.table(&home).unwrap(), table, "the registry's time is the default");
}

#[test]
fn systemd_and_launchd_files_are_printed_with_paths_filled_in() {
    let home = Home::new();
    let units = home.ok(&["install", "--systemd", "--dry-run"]);
    let program = home.program().to_str().unwrap();
    for expected in
        [program, "KillMode=process", "OnCalendar=*:0/1", &format!("GUARDIAN_HOME={}", home.root().display())]
    {
        assert!(units.contains(expected), "no {expected} in {units}");
    }
    let agent = home.ok(&["install", "--launchd", "--dry-run"]);
    assert!(agent.contains(&format!("<string>{program}</string>")) && agent.contains("AbandonProcessGroup"), "{agent}");
    assert_eq!(fs::read_dir(home.path("home")).unwrap().count(), 0);
}

#[test]
fn a_timer_is_enabled_once_written_and_a_foreign_one_is_left_alone() {
    let mut home = Home::new();
    home.script("systemctl", &format!("#!/bin/sh\necho \"$@\" >>{}\n", home.path("asked").display()));
    home.set_env("PATH", &format!("{}:/usr/bin:/bin", home.path("").display()));
    let unit = home.path("home/.config/systemd/user/guardian.service");
    home.ok(&["install", "--systemd"]);
    let written = fs::read_to_string(&unit).unwrap();
    home.ok(&["install", "--systemd"]);
    assert_eq!(fs::read_to_string(&unit).unwrap(), written);
    assert_eq!(home.lines("asked")[1..3], ["--user daemon-reload", "--user enable --now guardian.timer"]);
    let other = home.path("other");
    home.run(&["--home", other.to_str().unwrap(), "install", "--systemd"]).expect(5);
    home.run(&["--home", other.to_str().unwrap(), "uninstall", "--systemd"]).expect(5);
    home.script("crontab", "#!/bin/sh\necho 'no crontab for me' >&2\nexit 1\n");
    home.ok(&["--home", other.to_str().unwrap(), "uninstall"]); // nothing runs passes for that one
    assert_eq!(fs::read_to_string(&unit).unwrap(), written);
    home.ok(&["uninstall", "--systemd"]);
    home.ok(&["uninstall", "--systemd"]);
    assert!(!unit.exists() && !unit.with_extension("timer").exists());
    symlink("/dev/null", &unit).unwrap();
    home.run(&["install", "--systemd"]).expect(5).complains("is masked").complains("unmask guardian.service");
    fs::remove_file(&unit).unwrap();
    mkfifo(&unit, Mode::S_IRWXU).unwrap();
    for command in ["install", "uninstall"] {
        home.run(&[command, "--systemd"]).expect(74).complains("it is no regular file");
    }
}

#[test]
fn where_systemd_does_not_run_nothing_is_written() {
    let mut home = Home::new();
    home.script("systemctl", "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n");
    home.set_env("PATH", &format!("{}:/usr/bin:/bin", home.path("").display()));
    let refused = home.run(&["install", "--systemd", "--every", "5m"]).expect(74);
    refused.complains("nothing was written").complains("No medium found").complains("--cron");
    assert_eq!(fs::read_dir(home.path("home")).unwrap().count(), 0);
    assert!(!home.root().join("registry.toml").exists(), "`every` was set");
}

#[test]
fn libplist_reads_what_launchd_gets() {
    let mut home = Home::new();
    home.set_env("PATH", "/opt/a & b/<bin>:/usr/bin:/bin");
    let printed = home.ok(&["install", "--launchd", "--dry-run"]);
    let begin = printed.find("<?xml").unwrap();
    let end = printed.find("</plist>").unwrap() + "</plist>".len();
    let file = home.path("agent.plist");
    fs::write(&file, &printed[begin..end]).unwrap();
    let (binary, mut reader) = (home.path("agent.binary"), home.other_command("plistutil".as_ref()));
    reader.args(["-f", "bin", "-i"]).arg(&file).arg("-o").arg(&binary);
    finish(reader).expect(0);
    let mut reader = home.other_command("/usr/bin/python3".as_ref());
    reader
        .args(["-c", "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))"])
        .arg(&binary);
    let read: serde_json::Value = serde_json::from_str(&finish(reader).expect(0).stdout).unwrap();
    assert_eq!(
        (&read["StartInterval"], &read["RunAtLoad"], &read["AbandonProcessGroup"]),
        (&60.into(), &true.into(), &true.into())
    );
    assert_eq!(read["ProgramArguments"][0].as_str(), home.program().to_str());
    assert_eq!(read["EnvironmentVariables"]["PATH"], "/opt/a & b/<bin>:/usr/bin:/bin");
}

#[test]
fn init_never_overwrites_a_registry_and_what_it_writes_starts_nothing() {
    let home = Home::new();
    home.ok(&["init"]);
    let written = home.registry();
    assert!(home.ok(&["init"]).contains("as it was written"), "twice is as once");
    assert_eq!(home.registry(), written);
    assert_eq!(home.ok(&["init", "--print"]).trim_end(), written.trim_end());
    home.ok(&["healthcheck"]);
    let status = home.json(&["status"]);
    let states: Vec<_> = status["processes"].as_array().unwrap().iter().map(|process| &process["state"]).collect();
    assert_eq!(states, ["new", "new", "new"]);
    home.write_registry("");
    home.run(&["init"]).expect(5).complains("there is a registry already");
    assert_eq!(home.registry(), "");
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let home = Home::new();
    let dir = home.path("man");
    home.ok(&["man", "--dir", dir.to_str().unwrap()]);
    for page in ["guardian.1", "guardian-register.1", "guardian-why.1"] {
        assert!(fs::read_to_string(dir.join(page)).unwrap().contains(".TH"), "{page}");
    }
    assert!(home.ok(&["man", "register"]).contains("trace"));
    home.run(&["man", "frobnicate"]).expect(2);
}

#[test]
fn the_demo_cleans_up_when_it_is_interrupted() {
    let mut home = Home::new();
    let temporary = home.path("tmp");
    fs::create_dir(&temporary).unwrap();
    home.set_env("TMPDIR", temporary.to_str().unwrap());
    let mark = home.path("cut").to_str().unwrap().to_owned();
    home.set_env("DEMO_MARK", &mark);
    let mut demo = home.command(&["demo", "--quiet"]).spawn().unwrap();
    let bot = eventually("the bot runs", || {
        let stage = fs::read_dir(&temporary).unwrap().next()?.unwrap().path();
        fs::read_to_string(stage.join("home/state/sentinel/night-bot.pid")).ok()
    });
    signal(i32::try_from(demo.id()).unwrap(), Signal::SIGINT);
    assert_eq!(demo.wait().unwrap().code(), Some(130), "bot {bot}");
    until("no process is left", || carrying(&format!("DEMO_MARK={mark}")).is_empty());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn the_demo_says_so_where_signals_cannot_be_traced() {
    let home = Home::new();
    // What is traced already cannot be traced by guardian.
    let mut command = home.other_command("strace".as_ref());
    command.args(["-f", "-o", "/dev/null", "-e", "trace=ptrace"]).arg(home.program()).arg("demo");
    let output = finish(command).expect(0);
    assert!(output.stdout.contains("does not let signals be traced"), "{}", output.stdout);
}
