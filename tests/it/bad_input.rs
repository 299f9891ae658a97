//! Input that is wrong, hostile or unlucky: each is answered with a code of the contract, the thing, the cause and a way out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::home::{Home, finish};
use crate::procs::alive;

#[test]
fn d05_a_name_that_is_no_safe_file_name_is_refused() {
    let home = Home::new();
    let long = "a".repeat(65);
    for name in
        ["../../evil", "..", ".", "", "a/b", "a..b", "-x", ".hidden", "A", "a b", "a;touch PWNED;#", "a\nb", "é", &long]
    {
        let output = home.run(&["register", "--", name, "sleep", "1"]);
        assert_ne!(output.code, 0, "{name:?}");
        let output = home.run(&["status", name]);
        assert_eq!(output.code, 2, "{name:?}: {output:?}");
    }
    assert!(!home.path("PWNED").exists());
    home.ok(&["register", &"a".repeat(64), "--", "sleep", "1"]);
}

#[test]
fn d05_such_a_name_in_the_registry_is_an_error_with_its_line() {
    let home = Home::new();
    home.write_registry(
        "[process.good]\ncommand = [\"sleep\", \"1\"]\n\n[process.\"../../evil\"]\ncommand = [\"true\"]\n",
    );
    let output = home.run(&["config", "check"]).expect(78);
    assert!((output.stdout + &output.stderr).contains(":4:"));
    home.run(&["healthcheck"]).expect(78);
    assert!(!home.path("evil").exists());
}

#[test]
fn a_duration_without_a_unit_below_zero_or_beyond_reason_is_refused_with_a_hint() {
    let home = Home::new();
    home.run(&["register", "x", "--target", "480", "--", "true"]).expect(2).complains("480m");
    home.run(&["register", "x", "--target=-5m", "--", "true"]).expect(2);
    home.run(&["register", "x", "--target", "1e99h", "--", "true"]).expect(2);
    home.run(&["register", "x", "--target", "", "--", "true"]).expect(2);
    home.write_registry("[process.x]\ncommand = [\"true\"]\ntarget = \"480\"\n");
    let output = home.run(&["config", "check"]).expect(78);
    let said = output.stdout + &output.stderr;
    assert!(said.contains("480m") && said.contains(":3:"), "{said}");
}

#[test]
fn no_command_is_wrong_usage() {
    let home = Home::new();
    home.run(&["register", "x"]).expect(2).complains("hint: the command to run stands behind `--`");
    home.run(&["register", "x", "sleep", "1"]).expect(2).complains("hint: the command to run stands behind `--`");
    home.run(&["register", "--json"]).expect(2).complains("not provided: <NAME>, <COMMAND>...");
    home.run(&["register", "x", "--"]).expect(2);
    home.run(&["register", "x", "--", ""]).expect(2);
    home.run(&["frobnicate"]).expect(2);
    home.run::<&str>(&[]).expect(2);
}

#[test]
fn all_errors_of_a_registry_are_reported_at_once_with_line_and_column_and_the_rest_is_served() {
    let home = Home::new();
    home.write_registry(
        "[process.good]\ncommand = [\"sleep\", \"1000\"]\n\n[process.typo]\ncommand = [\"true\"]\ntraget = \"8h\"\n\n\
         [process.both]\ncommand = [\"true\"]\nshell = \"true\"\n\n[sinks.x]\ntype = \"emial\"\n",
    );
    let output = home.run(&["config", "check"]).expect(78);
    let said = output.stdout + &output.stderr;
    for expected in ["target", ":6:1", ":10:1", "email"] {
        assert!(said.contains(expected), "no `{expected}` in {said}");
    }
    home.run(&["start", "good"]);
    let pid = home.pid("good");
    assert!(alive(pid));
    home.run(&["healthcheck"]).expect(78);
    assert!(alive(pid));
}

#[test]
fn d04_a_registry_that_cannot_be_read_is_said_loudly_and_nothing_of_it_is_lost() {
    for (what, content) in [
        ("not TOML", &b"{\"process\": 1}"[..]),
        ("truncated", b"[process.a]\ncommand = [\"sleep\", \"10"),
        ("binary", b"\x00\xff\xfe\x01ELF"),
    ] {
        let home = Home::new();
        home.write_registry(content);
        for arguments in [&["status"][..], &["healthcheck"], &["start", "a"], &["register", "b", "--", "true"]] {
            let output = home.run(arguments);
            assert_eq!(output.code, 78, "{what}: {arguments:?}: {output:?}");
            assert!(output.stderr.contains("registry.toml"), "{what}: {}", output.stderr);
        }
        assert_eq!(fs::read(home.registry_path()).unwrap(), content, "{what}");
    }
}

#[test]
fn d04_what_runs_is_kept_alive_while_the_registry_is_broken() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let pid = home.pid("bot");
    let good = home.registry();
    home.write_registry("[process.bot\n");
    home.run(&["healthcheck"]).expect(78);
    assert!(alive(pid));
    home.write_registry(good);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.pid("bot"), pid);
}

#[test]
fn a_registry_that_is_a_directory_is_named() {
    let home = Home::new();
    fs::create_dir_all(home.registry_path()).unwrap();
    let output = home.run(&["status"]);
    assert!([5, 74, 78].contains(&output.code), "{output:?}");
    assert!(output.stderr.contains("registry.toml"));
}

#[test]
fn a_registry_that_others_could_have_written_is_refused_because_it_runs_commands() {
    let home = Home::of_user();
    home.write_registry("[process.a]\ncommand = [\"sleep\", \"1000\"]\n");
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(home.registry_path(), fs::Permissions::from_mode(mode)).unwrap();
        for command in ["start", "status"] {
            home.run(&[command, "a"]).expect(5).complains("chmod");
        }
    }
    fs::set_permissions(home.registry_path(), fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["start", "a"]).expect(0);
    home.ok(&["stop", "a"]);
    chown(home.registry_path(), Some(1), None).unwrap();
    home.run(&["start", "a"]).expect(5).complains("own");
    fs::set_permissions(home.registry_path(), fs::Permissions::from_mode(0o600)).unwrap();
    let output = home.run(&["start", "a"]);
    assert!([5, 74].contains(&output.code), "{output:?}");
}

/// What the program says when this command cannot be started.
fn refusal(home: &Home, name: &str, options: &[&str], command: &[&str]) -> String {
    let mut arguments = vec!["register", name];
    arguments.extend(options);
    arguments.extend(["--start", "--"]);
    arguments.extend(command);
    let output = home.run(&arguments).expect(1);
    assert!(output.stderr.contains("hint:"), "no way out: {}", output.stderr);
    let last = home.status(name)["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "spawn_failed", "{last}");
    output.stderr
}

#[test]
fn d12_what_cannot_be_started_is_named_with_its_errno() {
    let home = Home::new();
    let said = refusal(&home, "cwd", &["--cwd", "/no/such/dir"], &["sleep", "1"]);
    assert!(said.contains("/no/such/dir") && said.contains("errno 2"), "{said}");
    let said = refusal(&home, "missing", &[], &["/no/such/binary", "x"]);
    assert!(said.contains("/no/such/binary") && said.contains("errno 2"), "{said}");
    let plain = home.path("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let said = refusal(&home, "mode", &[], &[plain.to_str().unwrap(), "x"]);
    assert!(said.contains("plain") && said.contains("errno 13"), "{said}");
    let script = home.script("script", "#!/no/such/interpreter\n");
    let said = refusal(&home, "interpreter", &[], &[script.to_str().unwrap(), "x"]);
    assert!(said.contains("/no/such/interpreter"), "{said}");
    let garbage = home.script("garbage", "\u{7f}garbage\n");
    let said = refusal(&home, "format", &[], &[garbage.to_str().unwrap(), "x"]);
    assert!(said.contains("garbage") && said.contains("errno 8"), "{said}");
}

#[test]
fn a_working_directory_that_comes_back_is_waited_for_and_one_that_does_not_opens_the_breaker() {
    let home = Home::new();
    let dir = home.path("mount");
    let cwd = dir.to_str().unwrap();
    let options = ["--cwd", cwd, "--start", "--", "exec sleep 1000"];
    home.run(&[&["register", "late", "--backoff", "1s"][..], &options].concat()).expect(1);
    fs::create_dir(&dir).unwrap();
    home.reaches("late", "running");
    home.ok(&["stop", "late"]);
    fs::remove_dir(&dir).unwrap();
    home.run(&[&["register", "never", "--backoff", "100ms"][..], &options].concat()).expect(1);
    home.reaches("never", "tripped");
}

/// Runs guardian in a mount namespace in which `mount` was done first.
fn under(home: &Home, mount: &str, arguments: &[&str]) -> crate::home::Output {
    let mut command = Command::new("unshare");
    command.env_clear().envs(home.env()).args(["--mount", "--propagation", "private", "/bin/sh", "-c"]);
    command.arg(format!("S=$1; shift; {{ {mount}; }} >&2 || exit 99; exec \"$@\"")).arg("sh").arg(home.state_dir());
    command.arg(home.program()).args(arguments);
    finish(command)
}

#[test]
fn a_state_directory_that_is_read_only_is_74_and_what_was_there_is_intact() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let (before, registry) = (home.status("bot"), home.registry());
    let read_only = "mount --bind \"$S\" \"$S\" && mount -o remount,ro,bind \"$S\"";
    for arguments in [&["healthcheck"][..], &["register", "x", "--", "true"]] {
        under(&home, read_only, arguments).expect(74).complains("hint:");
    }
    assert_eq!(home.registry(), registry);
    let after = home.status("bot");
    assert_eq!((&before["pid"], &before["run"]), (&after["pid"], &after["run"]));
    under(&home, read_only, &["status"]).expect(0);
}

#[test]
fn a_full_disk_is_74_and_what_was_there_is_intact() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let before = home.status("bot");
    // A copy of the state on a file system without a free byte.
    let full = "rm -rf \"$S.copy\"; cp -a \"$S\" \"$S.copy\" && mount -t tmpfs -o size=1m none \"$S\" && cp -a \"$S.copy/.\" \"$S\" && \
                { dd if=/dev/zero of=\"$S/filler\" bs=4k 2>/dev/null || true; }";
    under(&home, full, &["register", "x", "--", "true"]).expect(74).complains("free some space");
    let output = under(&home, full, &["healthcheck"]);
    assert!([1, 74].contains(&output.code), "{output:?}");
    assert_eq!(home.status("bot")["pid"], before["pid"]);
    home.ok(&["config", "check"]);
    // A result that nobody gets is not taken for one.
    for arguments in ["status --json", "status", "logs bot -n 1", "events"] {
        let mut told = home.other_command(Path::new("/bin/sh"));
        told.args([
            "-c",
            &format!(
                "echo x >>\"$GUARDIAN_HOME/state/log/bot.log\"; '{}' {arguments} >/dev/full",
                home.program().display()
            ),
        ]);
        finish(told).expect(74).complains("standard output");
    }
}

#[test]
fn d08_words_in_a_command_or_its_output_are_not_taken_for_answers() {
    let home = Home::new();
    home.up("x", &[], "echo ERROR not registered; echo \"error: hint:\"; exec sleep 1000");
    home.ok(&["start", "x"]);
    assert_eq!(home.state("x"), "running");
}

#[test]
fn errors_are_json_when_json_was_asked_for() {
    let home = Home::new();
    let output = home.run(&["--json", "start", "nobody"]).expect(4);
    let error: Value = serde_json::from_str(output.stderr.trim()).unwrap();
    assert_eq!(error["schema"], 1);
    assert_eq!(error["error"]["code"], 4);
    assert_eq!((&error["error"]["kind"], &error["error"]["process"]), (&"not_registered".into(), &"nobody".into()));
    assert!(error["error"]["hint"].is_string());
    assert_eq!(output.stdout, "");
}

#[test]
fn limits_windows_and_patterns_that_make_no_sense_are_refused_with_line_and_column_and_the_way_out() {
    let home = Home::new();
    let cases = [
        ("window = \"-5m\"", 10, "duration \"-5m\" is negative", "`15m`"),
        ("window = \"0s\"", 10, "`window` is zero", "what is usual"),
        ("breaker_cooldown = \"0s\"", 20, "`breaker_cooldown` is zero", "what is usual"),
        ("ready = \"output:([\"", 9, "no regular expression: found unclosed", "output:REGEX"),
        ("ready = \"output:\"", 9, "says nothing after the colon", "output:REGEX"),
        ("ready = \"delay:-1s\"", 9, "is negative", "`90s`"),
        ("ready_timeout = \"0s\"", 17, "`ready_timeout` is zero", "what is usual"),
        ("hang_after = \"0s\"", 14, "`hang_after` is zero", "take the key out"),
        ("heartbeat = \"-1m\"", 13, "is negative", "`90s`"),
        ("output_stale = \"0s\"", 16, "`output_stale` is zero", "take the key out"),
        ("time_limit = \"0s\"", 14, "`time_limit` is zero", "take the key out"),
        ("max_failures = -1", 16, "cannot be -1", "from 0"),
        ("memory = \"0M\"", 10, "`memory`", ""),
        ("tasks = 0", 9, "cannot be 0", "from 1"),
        ("on_hang = \"panic\"", 11, "\"panic\"", "alert"),
    ];
    for (key, column, message, hint) in cases {
        home.write_registry(format!("[process.x]\nshell = \"true\"\n{key}\n"));
        let told = home.run(&["config", "check"]).expect(78);
        let text = told.stdout + &told.stderr;
        assert!(text.contains(&format!("registry.toml:3:{column}: process `x`: ")), "{key}: {text}");
        assert!(text.contains(message) && text.contains(hint), "{key}: {text}");
        assert!(text.contains("error: registry `"), "{key}: {text}");
    }
    home.write_registry("[process.x]\nshell = \"true\"\n");
    for (until, message) in [
        ("output:[", "found unclosed character class"),
        ("output:", "names nothing to wait for"),
        ("redy", "cannot wait until \"redy\""),
    ] {
        home.run(&["wait", "x", "--until", until]).expect(2).complains(message).complains("hint:");
    }
}
