//! `register`, `deregister`, `init`, `config`: what gets into the registry and what stays as the user wrote it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::home::{Home, PYTHON};
use crate::procs::eventually;
use serde_json::json;

/// Writes its arguments, as JSON, to the file named first.
const SHOW_ARGUMENTS: &str = "import json, os, sys\n\
    open(sys.argv[1] + '.new', 'w').write(json.dumps(sys.argv[2:]))\n\
    os.rename(sys.argv[1] + '.new', sys.argv[1])";

#[test]
fn d01_arguments_reach_the_program_byte_for_byte() {
    let home = Home::new();
    let odd = [
        "it's",
        "'''",
        "\"\"\"",
        "ends in '",
        "a\nb\\nc\td\\t",
        "\\",
        "",
        " ",
        "$HOME `id` $(id) %d",
        "🦀 ü",
        "\u{1}\u{1b}[31m",
        "\r\n",
        "__import__(\"os\").system(\"true\")",
    ];
    let out = home.path("arguments");
    let mut arguments = vec!["register", "odd", "--target", "exit", "--start", "--", PYTHON, "-c", SHOW_ARGUMENTS];
    arguments.push(out.to_str().unwrap());
    arguments.extend(odd);
    home.ok(&arguments);
    let seen = eventually("the program ran", || std::fs::read_to_string(&out).ok());
    assert_eq!(serde_json::from_str::<Vec<String>>(&seen).unwrap(), odd);
    let command = home.status("odd")["command"].clone();
    assert_eq!(command.as_array().unwrap()[4..], odd.map(serde_json::Value::from));
}

#[test]
fn d01_d06_a_duration_is_parsed_and_never_executed() {
    let home = Home::new();
    let marker = home.path("executed");
    let evil = format!("__import__(\"os\").system(\"touch {}\")", marker.display());
    home.run(&["register", "x", "--target", &evil, "--", "true"]).expect(2);
    assert!(!marker.exists());
}

#[test]
fn an_argument_that_toml_cannot_hold_is_refused_with_its_position() {
    let home = Home::new();
    let bytes = OsStr::from_bytes(b"caf\xe9");
    let arguments = [OsStr::new("register"), OsStr::new("x"), OsStr::new("--"), OsStr::new("echo"), bytes];
    let output = home.run(&arguments).expect(2);
    assert!(output.stderr.contains("UTF-8"), "{}", output.stderr);
    assert!(!home.registry_path().exists() || !home.registry().contains("[process.x]"));
}

#[test]
fn d03_fifty_parallel_registers_keep_fifty() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let home = &home;
            scope.spawn(move || home.ok(&["register", &format!("p{number}"), "--", "sleep", "1000"]));
        }
    });
    let listed = home.json(&["status"]);
    assert_eq!(listed["processes"].as_array().unwrap().len(), 50);
    home.ok(&["config", "check"]);
}

#[test]
fn d07_the_same_spec_is_a_no_op_another_is_refused_and_replace_sets_every_option() {
    let home = Home::new();
    let register = ["register", "bot", "--target", "8h", "--", "sleep", "1000"];
    home.ok(&register);
    let before = home.registry();
    home.ok(&register);
    assert_eq!(home.registry(), before);

    let other = ["register", "bot", "--target", "4h", "--", "sleep", "1000"];
    home.run(&other).expect(5).complains("--replace");
    assert_eq!(home.registry(), before);

    home.ok(&[
        "register",
        "bot",
        "--replace",
        "--target=4h",
        "--restart=on-failure",
        "--max-failures=7",
        "--backoff=2s",
        "--healthy-after=1m",
        "--",
        "sleep",
        "2000",
    ]);
    let shown = home.json(&["config", "show", "bot"]).to_string();
    for expected in ["4h", "on-failure", "7", "2s", "1m", "2000"] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
}

#[test]
fn comments_order_and_formatting_of_the_user_stay() {
    let home = Home::new();
    let text = "# mine\n\n[process.b]   # second letter first\ncommand = [ 'sleep',  \"1000\" ] # why\n\n[process.a]\nshell = '''\nsleep 1\n'''\n# the end\n";
    home.write_registry(text);
    home.ok(&["register", "c", "--", "sleep", "1"]);
    let with_c = home.registry();
    assert!(with_c.starts_with(text.trim_end()), "{with_c}");
    assert!(with_c.contains("[process.c]"));
    home.ok(&["deregister", "c"]);
    assert_eq!(home.registry().trim_end(), text.trim_end());
}

#[test]
fn one_argument_is_a_shell_line_and_several_are_not() {
    let home = Home::new();
    home.ok(&["register", "line", "--target", "exit", "--start", "--", "echo $((40 + 2)) | tr 4 5 > out.line"]);
    home.ok(&["register", "words", "--target", "exit", "--start", "--", "/usr/bin/touch", "$((40 + 2)) | tr"]);
    home.reaches("line", "completed");
    home.reaches("words", "completed");
    assert_eq!(home.lines("out.line"), ["52"]);
    assert!(home.path("$((40 + 2)) | tr").exists());
}

#[test]
fn deregister_is_refused_while_it_runs_and_keeps_the_log() {
    let home = Home::new();
    home.up("bot", &[], "echo hello; exec sleep 1000");
    home.run(&["deregister", "bot"]).expect(5).complains("--stop");
    eventually("its output is there", || home.ok(&["logs", "bot"]).contains("hello").then_some(()));
    let replaced = home.run(&["register", "bot", "--replace", "--start", "--", "sleep 1000"]).expect(0);
    replaced.complains("keeps its old description until: guardian restart bot");
    home.ok(&["deregister", "bot", "--stop"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
    home.run(&["status", "bot"]).expect(4);
    let log = home.state_dir().join("log/bot.log");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "hello\n");
    // Said twice it is no error, beside one that is unknown nothing happens.
    home.ok(&["register", "other", "--", "true"]);
    home.run(&["deregister", "other", "nosuch"]).expect(4).complains("`nosuch`");
    let again = home.json(&["deregister", "bot", "other", "other"]);
    assert_eq!((&again["deregistered"], &again["already"]), (&json!(["other"]), &json!(["bot"])));
}

#[test]
fn d14_d15_the_environment_is_kept_in_files_that_only_the_owner_reads_and_is_never_printed() {
    let mut home = Home::new();
    home.set_env("API_TOKEN", "hunter2-very-secret");
    home.up("bot", &[], "exec sleep 1000");
    for arguments in [&["status"][..], &["config", "show", "bot"], &["events", "bot"], &["status", "--json"]] {
        assert!(!home.ok(arguments).contains("hunter2"), "{arguments:?}");
    }
    assert!(!home.registry().contains("hunter2"));
    for pid in home.processes() {
        assert!(!crate::procs::cmdline(pid).contains("hunter2"));
    }
    let mut left = vec![home.root()];
    while let Some(path) = left.pop() {
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
        if path.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn the_environment_of_register_is_what_a_start_from_elsewhere_uses() {
    let mut home = Home::new();
    home.set_env("VIRTUAL_ENV", "/opt/venv");
    home.set_env("SSH_AUTH_SOCK", "/gone/with/the/session");
    home.ok(&["register", "bot", "--", "env > out; exec sleep 1000"]);
    let mut bare = home.command(&["start", "bot"]);
    bare.env_clear().env("GUARDIAN_HOME", home.root());
    crate::home::finish(bare).expect(0);
    eventually("its environment is written", || {
        home.lines("out").iter().any(|line| line.starts_with("PATH=")).then_some(())
    });
    let seen = home.lines("out");
    assert!(seen.contains(&"VIRTUAL_ENV=/opt/venv".to_owned()), "{seen:?}");
    assert!(seen.contains(&format!("PATH={}", home.env()["PATH"])), "{seen:?}");
    assert!(seen.contains(&"GUARDIAN_NAME=bot".to_owned()) && seen.contains(&"GUARDIAN_RUN=1".to_owned()));
    assert!(!seen.iter().any(|line| line.starts_with("SSH_AUTH_SOCK")), "{seen:?}");
}

#[test]
fn the_last_good_registry_is_kept_beside_a_broken_one() {
    let home = Home::new();
    home.ok(&["register", "a", "--", "sleep", "1"]);
    home.ok(&["status"]);
    let good = home.registry();
    home.write_registry("[process.a\n");
    home.run(&["healthcheck"]).expect(78);
    let kept = std::fs::read_to_string(home.root().join("registry.toml.last-good")).unwrap();
    assert_eq!(kept, good);
}

#[test]
fn init_prints_a_registry_that_config_check_accepts() {
    let home = Home::new();
    home.ok(&["init"]);
    home.ok(&["init"]);
    let text = home.registry();
    home.write_registry(&text);
    home.ok(&["config", "check"]);
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/registry.example.toml")).unwrap();
    assert_eq!(text.trim_end(), example.trim_end());
    home.write_registry(format!("{text}\n# mine\n"));
    home.run(&["init"]).expect(5).complains("there is a registry already");
}

#[test]
fn the_schema_is_json_and_names_the_keys() {
    let home = Home::new();
    let schema: serde_json::Value = serde_json::from_str(&home.ok(&["config", "schema"])).unwrap();
    let text = schema.to_string();
    for key in ["trace_signals", "breaker_cooldown", "stop_at_target", "cooldown"] {
        assert!(text.contains(key), "no {key}");
    }
}

#[test]
fn config_show_fills_in_the_defaults() {
    let home = Home::new();
    home.write_registry("[defaults]\ngrace = \"7s\"\n[process.a]\ncommand = [\"sleep\", \"1\"]\n");
    let shown = home.ok(&["config", "show", "a"]);
    for expected in ["7s", "forever", "premature", "backoff"] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
}
