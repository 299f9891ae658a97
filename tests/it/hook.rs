//! `guardian hook`: the real program as agents call it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::home::{Home, Output};
use crate::procs::{eventually, signal};

/// `verdict TAB command`, `⏎` for a new line.
const CORPUS: &str = include_str!("hook_corpus.txt");

/// Feeds a command to its end.
pub(crate) fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have answered before it read all.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn hook(home: &Home, arguments: &[&str], input: &str) -> Output {
    let all: Vec<&str> = ["hook"].iter().chain(arguments).copied().collect();
    fed(home.command(&all), input.as_bytes())
}

fn bash(command: &str) -> String {
    json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": command}}).to_string()
}

#[test]
#[expect(clippy::print_stdout, reason = "how many were judged")]
fn every_command_of_the_corpus_is_answered_with_code_0_and_the_right_verdict() {
    let home = Home::new();
    let (mut right, mut wrong) = (0, Vec::new());
    for line in CORPUS.lines() {
        let (verdict, command) = line.split_once('\t').unwrap();
        let output = hook(&home, &["claude"], &bash(&command.replace('⏎', "\n"))).expect(0);
        let denied = output.stdout.contains("\"permissionDecision\":\"deny\"");
        if denied == (verdict == "deny") && (denied || output.stdout.is_empty()) && output.stderr.is_empty() {
            right += 1;
        } else {
            wrong.push(format!("{line}: {output:?}"));
        }
    }
    println!("{right} commands judged as they should be, {} not", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_cannot_be_judged_passes_with_a_line_on_stderr_or_is_refused_with_fail_closed() {
    let home = Home::new();
    let huge = bash(&"x".repeat(10 << 20));
    for (input, says) in [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[1]", "no JSON object"),
        (&bash("nohup 'open"), "cannot be parsed"),
        (&huge, "bytes long"),
    ] {
        let output = hook(&home, &["claude"], input).expect(0).complains(says);
        assert_eq!(output.stdout, "");
        let closed = hook(&home, &["claude", "--fail-closed"], input).expect(0);
        assert!(closed.stdout.contains("\"permissionDecision\":\"deny\""), "{closed:?}");
        assert_eq!(hook(&home, &["gemini"], input).expect(0).stdout, "{}\n");
    }
    let unknown = json!({"hook_event_name": "Frobnicated"}).to_string();
    hook(&home, &["claude", "pre-tool-use"], &unknown).expect(0).complains("is not known");
    hook(&home, &["nobody"], &bash("nohup x")).expect(0).complains("nobody");
    hook(&home, &["nobody", "--fail-closed"], &bash("ls")).expect(2).complains("nobody");
}

#[test]
fn no_depth_and_no_length_ends_it_otherwise_than_by_an_answer() {
    let home = Home::new();
    let deep = |open: &str, close: &str, count: usize| format!("{}x{}", open.repeat(count), close.repeat(count));
    for command in [
        deep("( ", " )", 20_000),
        deep("{ ", "; }", 20_000),
        deep("( ", " )", 900),
        deep("$(", ")", 2_000),
        deep("`", "`", 2_000),
        deep("[[ ( ", " ) ]]", 5_000),
        deep("sh -c \"", "\"", 50),
        deep("if x; then ", "; fi", 900),
        "a & ".repeat(30_000),
        "a && ".repeat(20_000) + "a",
        "nohup a & ".repeat(10_000),
        "f() { f; f & }; f".to_owned(),
        "\u{0}a & \u{fffd}".to_owned(),
    ] {
        hook(&home, &["claude"], &bash(&command)).expect(0);
    }
}

#[test]
fn wrong_usage_of_a_hook_is_never_taken_for_a_refusal() {
    let home = Home::new();
    for arguments in [&["hook"][..], &["hook", "claude", "--bogus"], &["--json", "hook", "claude", "--mode", "x"]] {
        assert_eq!(home.run(arguments).code, 1, "{arguments:?}");
    }
    home.run(&["hook", "--help"]).expect(0);
}

#[test]
fn a_broken_or_missing_registry_does_not_break_the_hook_and_a_good_one_is_obeyed() {
    let mut home = Home::new();
    let denies = |home: &Home, command: &str| hook(home, &["claude"], &bash(command)).expect(0);
    assert!(denies(&home, "./a &").stdout.contains("deny"));
    home.ok(&["init"]);
    let registry = home.root().join("registry.toml");
    std::fs::write(&registry, "[hook]\nmode = 'rewrite'\nallow = ['./ok*']\n").unwrap();
    assert!(denies(&home, "./a &").stdout.contains("updatedInput"));
    assert_eq!(denies(&home, "./ok --now &").stdout, "");
    assert!(hook(&home, &["claude", "--mode", "deny"], &bash("./a &")).stdout.contains("deny"));
    std::fs::write(&registry, "[hook\n").unwrap();
    // The last version that was valid is served.
    assert!(denies(&home, "./a &").stdout.contains("updatedInput"));
    home.set_env("GUARDIAN_HOME", "relative");
    assert!(denies(&home, "./a &").complains("is not used").stdout.contains("\"deny\""));
}

#[test]
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "time is what is measured")]
fn an_answer_is_there_before_anybody_waits_for_it() {
    let home = Home::new();
    let payload = bash("cd app && FOO=1 nohup python bot.py --flag 'a b' > log 2>&1 & echo started");
    let rounds = 40;
    let mut walls: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            hook(&home, &["claude"], &payload).expect(0);
            begun.elapsed()
        })
        .collect();
    walls.sort();
    println!("hook: {:?} wall, median of {rounds}", walls[walls.len() / 2]);
    // The budgets are for a release build on a quiet machine: what is asserted here is their order.
    assert!(walls[0] < Duration::from_millis(50), "{walls:?}");
}

#[test]
fn at_the_end_of_a_turn_what_the_session_left_is_named_and_what_guardian_runs_is_not() {
    let home = Home::new();
    let session = format!("hook-test-{}", std::process::id());
    let start = |script: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).envs([("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", session.as_str())]);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        String::from_utf8(shell.output().unwrap().stdout).unwrap().trim().parse::<i32>().unwrap()
    };
    let left = start("setsid sleep 4711 >/dev/null 2>&1 & echo $!");
    let end = |again: bool| json!({"hook_event_name": "Stop", "session_id": session, "stop_hook_active": again});
    let first: Value = eventually("the process is named", || {
        let output = hook(&home, &["claude"], &end(false).to_string()).expect(0);
        output.stdout.contains("4711").then(|| serde_json::from_str(&output.stdout).unwrap())
    });
    assert_eq!(first["decision"], "block");
    let again = hook(&home, &["claude"], &end(true).to_string()).expect(0);
    assert!(again.stdout.contains("systemMessage") && !again.stdout.contains("block"), "{again:?}");
    signal(left, nix::sys::signal::Signal::SIGKILL);
    eventually("nothing is left", || {
        hook(&home, &["claude"], &end(false).to_string()).expect(0).stdout.is_empty().then_some(())
    });
}
