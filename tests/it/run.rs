//! `run`: a job in one call, that outlives its caller.

use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, number};
use crate::procs::{alive, eventually, now_ms, signal, until};

#[test]
fn a_job_that_ends_within_the_yield_gives_its_output_and_its_code() {
    let home = Home::new();
    for (line, code) in [
        ("echo out; echo err >&2", 0),
        ("echo out; echo err; exit 3", 3),
        ("echo out; echo err; kill -TERM $$; sleep 9", 143),
    ] {
        let ran = home.run(&["run", "--", line]).expect(code);
        assert_eq!(ran.stdout, "out\nerr\n", "{line}: {}", ran.stderr);
        assert_eq!(ran.stderr.is_empty(), code == 0, "what its code does not say is said: {}", ran.stderr);
    }
    home.run(&["run", "--", "/no/such/program", "x"]).expect(1).complains("no/such/program");
}

#[test]
fn a_job_that_takes_longer_goes_on_and_its_name_run_pid_and_next_commands_are_said() {
    let home = Home::new();
    let ran = home.run(&["run", "--name", "bot", "--yield", "2s", "--", "echo begun; exec sleep 1000"]).expect(0);
    let pid = home.pid("bot");
    let want = format!("begun\nbot run 1 (pid {pid}): it goes on after 2s");
    assert!(ran.stdout.starts_with(&want), "{}", ran.stdout);
    for next in ["guardian logs bot --cursor 6", "guardian wait bot", "guardian stop bot"] {
        assert!(ran.stdout.contains(next), "{}", ran.stdout);
    }
    assert!(home.registry().contains("target = \"exit\""), "{}", home.registry());
    home.ok(&["logs", "bot", "--cursor", "6"]);
}

#[test]
fn in_json_one_document_says_either() {
    let home = Home::new();
    let ended = home.json(&["run", "--name", "a", "--", "echo hi; exit 4"]);
    assert_eq!(
        (&ended["state"], &ended["exit_code"], &ended["verdict"]),
        (&"ended".into(), &4.into(), &"failed".into())
    );
    assert_eq!((ended["output"]["lines"][0].as_str(), ended["output"]["cursor"].as_str()), (Some("hi"), Some("3")));
    let runs = home.json(&["run", "--name", "b", "--yield", "0s", "--", "exec sleep 1000"]);
    assert_eq!((&runs["state"], &runs["exit_code"], &runs["run"]), (&"running".into(), &Value::Null, &1.into()));
    assert_eq!(number(&runs["pid"]), home.pid("b"));
    assert_eq!(runs["next"]["wait"], "guardian wait b");
}

#[test]
fn a_name_is_made_from_the_command_and_is_unique_among_those_that_run() {
    let home = Home::new();
    let name = |line: &[&str]| {
        let mut all = vec!["run", "--yield", "0s", "--"];
        all.extend(line);
        home.json(&all)["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(name(&["sleep", "1000"]), "sleep");
    assert_eq!(name(&["sleep", "1000"]), "sleep-2");
    assert_eq!(name(&["exec sleep 1001"]), "sleep-3");
    home.ok(&["stop", "sleep"]);
    assert_eq!(name(&["sleep", "1000"]), "sleep", "one that ended is run again");
    assert_eq!(home.status("sleep")["run"], 2);
}

#[test]
fn the_same_name_and_command_while_it_runs_is_that_run_and_another_command_is_refused() {
    let home = Home::new();
    let line = "echo one; exec sleep 1000";
    home.run(&["run", "--name", "bot", "--yield", "0s", "--", line]).expect(0);
    let pid = home.pid("bot");
    let again = home.json(&["run", "--name", "bot", "--yield", "100ms", "--", line]);
    assert_eq!(
        (again["result"].as_str(), number(&again["pid"]), &again["run"]),
        (Some("already_running"), pid, &1.into())
    );
    assert_eq!(again["output"]["lines"][0], "one");
    let refused = home.run(&["run", "--name", "bot", "--", "sleep 1"]).expect(5);
    refused.complains("another spec").complains("another --name");
    assert_eq!(home.pid("bot"), pid);
}

#[test]
fn the_end_is_told_within_20_ms() {
    let home = Home::new();
    let mut best = u64::MAX;
    // A busy machine is late often, and not always.
    for number in 0..40 {
        if best < 20 + 10 {
            break;
        }
        // The job says when it ends.
        let name = format!("job-{number}"); // one name would be slowed
        let ran = home.run(&["run", "--name", &name, "--", "sleep 0.2; exec cat /proc/uptime"]).expect(0);
        let told = now_ms();
        let ended: f64 = ran.stdout.split(' ').next().unwrap().parse().unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since boot")]
        let ended = (ended * 1000.0) as u64;
        best = best.min(told.saturating_sub(ended));
    }
    assert!(best < 20 + 10, "{best} ms, of which the clock of the job is 10 ms coarse");
}

#[test]
fn long_output_is_cut_to_its_newest_lines_and_it_is_said_how_to_get_the_rest() {
    let home = Home::new();
    let ran = home
        .run(&["run", "--name", "j", "--max-bytes", "100B", "--", "seq 1 1000; printf '\\033[31mred\\033[0m\\n'"])
        .expect(0);
    assert!(ran.stdout.len() <= 100 && ran.stdout.ends_with("1000\n\u{1b}[31mred\u{1b}[0m\n"), "{:?}", ran.stdout);
    assert!(ran.stderr.contains("bytes were left out here: guardian logs j --cursor 0"), "{}", ran.stderr);
    let plain = home.run(&["run", "--name", "j2", "--plain", "--", "printf '\\033[31mred\\033[0m\\n'"]).expect(0);
    assert_eq!(plain.stdout, "red\n");
}

#[test]
fn a_line_longer_than_what_is_shown_is_shown_from_within() {
    let home = Home::new();
    let ran = home.run(&["run", "--max-bytes", "101B", "--", "seq 3; for i in $(seq 500); do printf 'é'; done; echo"]);
    let ran = ran.expect(0).complains("bytes were left out here");
    assert_eq!(ran.stdout, format!("{}\n", "é".repeat(50)));
}

#[test]
fn ctrl_c_leaves_it_running_and_says_so() {
    let home = Home::new();
    let mut command = home.command(&["run", "--name", "bot", "--yield", "1m", "--", "echo begun; exec sleep 1000"]);
    let child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    until("it listens to Ctrl-C", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap().to_owned();
        u64::from_str_radix(&caught, 16).unwrap() & 2 != 0
    });
    signal(pid, Signal::SIGINT);
    let left = child.wait_with_output().unwrap();
    let said = String::from_utf8(left.stderr).unwrap();
    assert_eq!(left.status.code(), Some(130), "{said}");
    assert!(said.contains("you leave it, and it goes on") && said.contains("guardian stop bot"), "{said}");
    assert!(alive(home.pid("bot")));
}

#[test]
fn a_time_limit_ends_it_and_options_of_register_count() {
    let home = Home::new();
    let ran = home.run(&[
        "run",
        "--timeout",
        "2s",
        "--env",
        "K=V",
        "--cwd",
        "/",
        "--group",
        "g",
        "--",
        "echo $K $PWD; exec sleep 1000",
    ]);
    assert_eq!(ran.expect(143).stdout, "V /\n");
    assert!(home.registry().contains("time_limit = \"2s\"") && home.registry().contains("group = \"g\""));
}

#[test]
fn a_key_never_runs_twice_and_says_what_the_first_one_did() {
    let home = Home::new();
    let count = home.path("count");
    let line = format!("echo x >>{}; echo done; exit 3", count.display());
    let first = home.run(&["run", "--once", "deploy 7", "--", &line]).expect(3);
    assert_eq!(first.stdout, "done\n");
    let second = home.run(&["run", "--once", "deploy 7", "--", &line]).expect(3);
    assert_eq!(second.stdout, "done\n");
    second.complains("was run already");
    assert_eq!(home.json(&["run", "--once", "deploy 7", "--", &line])["result"], "already_ran");
    assert_eq!(home.lines("count").len(), 1);
    home.run(&["run", "--once", "deploy 8", "--", &line]).expect(3);
    assert_eq!(home.lines("count").len(), 2);
    // It still runs.
    for _ in 0..2 {
        let runs = home.json(&["run", "--once", "long", "--name", "long", "--yield", "0s", "--", "exec sleep 1000"]);
        assert_eq!((&runs["state"], &runs["run"]), (&"running".into(), &1.into()));
    }
}

#[test]
fn a_key_that_a_crash_left_before_the_start_is_run_once_and_one_after_it_is_not_run_again() {
    let home = Home::new();
    let count = home.path("count");
    let line = format!("echo x >>{}", count.display());
    home.run(&["run", "--once", "k", "--name", "job", "--", &line]).expect(0);
    // As a crash after the marker and before the start leaves it: the number of the run was not given out.
    let marker = std::fs::read_dir(home.state_dir().join("once")).unwrap().map(|entry| entry.unwrap().path());
    let marker = marker.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "json")).unwrap();
    let text = std::fs::read_to_string(&marker).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["run"] = 2.into();
    value.as_object_mut().unwrap().retain(|key, _| key != "sum" && key != "checksum");
    std::fs::write(&marker, value.to_string()).unwrap();
    home.run(&["run", "--once", "k", "--name", "job", "--", &line]).expect(0);
    home.run(&["run", "--once", "k", "--name", "job", "--", &line]).expect(0);
    assert_eq!(home.lines("count").len(), 2);
}

#[test]
fn a_key_whose_first_caller_was_killed_right_after_its_marker_still_runs_once() {
    for moment in 0..10_u64 {
        let home = Home::new();
        let line = format!("echo x >>{}", home.path("count").display());
        let arguments = ["run", "-q", "--once", "k", "--name", "job", "--", &line];
        let mut first = home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is_marker = |file: std::fs::DirEntry| file.path().extension().is_some_and(|ending| ending == "json");
        let once = home.state_dir().join("once");
        let is_marked = || std::fs::read_dir(&once).is_ok_and(|mut files| files.any(|file| is_marker(file.unwrap())));
        while !is_marked() && first.try_wait().unwrap().is_none() {}
        std::thread::sleep(std::time::Duration::from_micros(moment % 3 * 300));
        first.kill().unwrap();
        first.wait().unwrap();
        for _ in 0..2 {
            home.run(&arguments).expect(0);
        }
        assert_eq!(home.lines("count").len(), 1, "{moment}");
    }
}

#[test]
fn many_callers_with_one_key_run_it_once() {
    let home = Home::new();
    let line = format!("echo x >>{}; sleep 0.3; exit 6", home.path("count").display());
    let callers: Vec<Child> = (0..6)
        .map(|_| home.command(&["run", "-q", "--once", "k", "--", &line]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut caller in callers {
        assert_eq!(caller.wait().unwrap().code(), Some(6));
    }
    assert_eq!(home.lines("count").len(), 1);
}

#[test]
fn a_completed_job_is_forgotten_after_its_time_and_its_key_still_knows() {
    let home = Home::new();
    home.run(&["run", "--rm", "--name", "day", "--", "true"]).expect(0);
    assert!(home.registry().contains("forget_after = \"1d\""), "{}", home.registry());
    home.run(&["run", "--forget-after", "1ms", "--once", "k", "--name", "gone", "--", "echo hi"]).expect(0);
    home.run(&["run", "--forget-after", "1ms", "--name", "failed", "--", "exit 3"]).expect(3);
    eventually("it is forgotten", || {
        home.run(&["healthcheck"]);
        (!home.registry().contains("process.gone")).then_some(())
    });
    assert!(home.registry().contains("process.day") && home.registry().contains("process.failed"));
    assert!(!home.state_dir().join("log/gone.log").exists());
    let left = home.state_dir().join("process/gone");
    let left: Vec<_> = std::fs::read_dir(left).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|file| file == "lock" || file == "run"), "{left:?}");
    let known = home.run(&["run", "--once", "k", "--name", "gone", "--", "echo hi"]).expect(0);
    assert!(known.stdout.contains("was run already") && known.stdout.contains("completed"), "{}", known.stdout);
    // The name is free.
    assert_eq!(home.run(&["run", "--name", "gone", "--", "echo other"]).expect(0).stdout, "other\n");
}

#[test]
fn whoever_is_killed_at_any_moment_a_key_runs_exactly_once() {
    let home = Home::new();
    for moment in 0..16_u32 {
        let file = format!("count-{moment}");
        let (key, line) = (format!("key-{moment}"), format!("echo x >>{}", home.path(&file).display()));
        let arguments = ["run", "-q", "--once", &key, "--", &line];
        let mut first = home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The moment is the point: none is better than another.
        std::thread::sleep(std::time::Duration::from_micros(u64::from(moment) * 1500));
        first.kill().unwrap();
        first.wait().unwrap();
        home.run(&arguments).expect(0);
        home.run(&arguments).expect(0);
        assert_eq!(home.lines(&file).len(), 1, "killed after {} µs", moment * 1500);
    }
}

#[test]
fn a_run_that_is_killed_at_any_step_starts_nothing_unregistered_and_the_next_one_goes_on_from_there() {
    let steps = [
        "registry.toml.new",
        "JOB/environment.new",
        "JOB/state.json.new",
        "registry.toml",
        "JOB/environment",
        "JOB/state.json",
    ];
    for step in steps {
        let home = Home::new();
        let process = home.state_dir().join("process/job");
        let step = match step.strip_prefix("JOB/") {
            Some(file) => process.join(file),
            None => home.root().join(step),
        };
        let line = format!("echo x >>{}; exec sleep 1000", home.path("count").display());
        let arguments = ["run", "-q", "--name", "job", "--yield", "0s", "--", &line];
        let mut first = home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !step.exists() && first.try_wait().unwrap().is_none() {}
        first.kill().unwrap();
        first.wait().unwrap();
        let registered = home.registry_path().exists();
        if process.join("state.json").exists() {
            assert!(registered && process.join("environment").exists(), "{}", step.display());
        }
        if registered {
            home.run(&["config", "check"]).expect(0);
        }
        home.run(&arguments).expect(0);
        home.has_lines("count", 1);
        assert!(process.join("environment").exists());
        home.run(&["stop", "job"]).expect(0);
        assert_eq!(home.lines("count").len(), 1, "{}", step.display());
    }
}
