//! `logs`: what the program wrote, by count, time, run and cursor.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::json;

use crate::home::Home;
use crate::procs::{PATIENCE, until};

#[test]
fn the_last_lines_are_the_last_lines() {
    let home = Home::new();
    home.up("job", &["--target", "exit"], "seq 1 500; printf 'no newline'");
    home.reaches("job", "completed");
    assert_eq!(home.ok(&["logs", "job", "-n", "3"]).trim_end(), "499\n500\nno newline");
    assert_eq!(home.ok(&["logs", "job", "-n", "0"]), "");
    assert_eq!(home.ok(&["logs", "job", "-n", "1000"]).lines().count(), 501);
}

#[test]
fn standard_error_is_in_the_log_too() {
    let home = Home::new();
    home.up("job", &["--target", "exit"], "echo out; echo err >&2");
    home.reaches("job", "completed");
    assert_eq!(home.ok(&["logs", "job"]), "out\nerr\n");
}

#[test]
fn one_run_of_several_can_be_read() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s", "--max-failures", "3"], "echo this is run $GUARDIAN_RUN; exit 1");
    home.reaches("x", "tripped");
    assert_eq!(home.ok(&["logs", "x", "--run", "2"]), "this is run 2\n");
    assert_eq!(home.ok(&["logs", "x", "--run", "3"]), "this is run 3\n");
    home.run(&["logs", "x", "--run", "9"]).complains("9");
}

#[test]
fn a_cursor_gives_what_is_new_and_only_that() {
    let home = Home::new();
    home.up("x", &[], "echo first; while [ ! -e go ]; do sleep 0.02; done; echo second; exec sleep 1000");
    until("the first line is there", || home.ok(&["logs", "x"]).contains("first"));
    let first = home.json(&["logs", "x"]);
    let cursor = first["cursor"].as_str().map_or_else(|| first["cursor"].to_string(), str::to_owned);
    let nothing = home.json(&["logs", "x", "--cursor", &cursor]).to_string();
    assert!(!nothing.contains("first"), "{nothing}");
    fs::write(home.path("go"), "").unwrap();
    until("the second line is there", || home.ok(&["logs", "x"]).contains("second"));
    let news = home.json(&["logs", "x", "--cursor", &cursor]).to_string();
    assert!(news.contains("second") && !news.contains("first"), "{news}");
    assert_eq!(home.json(&["stop", "x"])["processes"][0]["run"], 1);
    // What a run wrote last has no end of a line, and nothing more of it comes.
    home.up("y", &["--target", "exit"], "echo first; printf last");
    home.reaches("y", "completed");
    let all = home.json(&["logs", "y", "--cursor", "0"]);
    assert_eq!((&all["lines"], &all["cursor"]), (&json!(["first", "last"]), &"10".into()));
    home.ok(&["start", "y"]);
    home.reaches("y", "completed");
    assert_eq!(home.json(&["logs", "y", "--cursor", "10"])["lines"], all["lines"]);
}

#[test]
fn a_cursor_tells_of_a_line_that_is_not_finished_and_of_a_log_that_was_replaced() {
    let home = Home::new();
    home.up(
        "x",
        &["--target", "exit"],
        "printf 'one\\nGo on? [y]'; while [ ! -e go ]; do sleep 0.02; done; printf ' two'",
    );
    until("the question is asked", || home.ok(&["logs", "x"]).contains("Go on"));
    let asked = home.json(&["logs", "x", "--cursor", "0"]);
    assert_eq!((&asked["lines"], &asked["cursor"]), (&json!(["one"]), &json!("4")));
    assert_eq!((&asked["unfinished_bytes"], &asked["unfinished"]), (&json!(10), &json!("Go on? [y]")));
    home.run(&["logs", "x", "--cursor", "4"])
        .expect(0)
        .complains("10 bytes of a line that is not finished: Go on? [y]");
    let all = home.json(&["logs", "x", "--cursor", "14"]);
    assert_eq!((&all["unfinished_bytes"], &all["replaced"]), (&json!(0), &json!(false)));
    fs::write(home.path("go"), "").unwrap();
    home.reaches("x", "completed");
    let last = home.json(&["logs", "x", "--cursor", "4"]);
    assert_eq!(
        (&last["lines"], &last["unfinished_bytes"]),
        (&json!(["Go on? [y] two"]), &json!(0)),
        "nobody can go on"
    );
    assert_eq!(home.json(&["logs", "x", "--cursor", last["cursor"].as_str().unwrap()])["lines"], json!([]));
    let beyond = home.json(&["logs", "x", "--cursor", "999"]);
    assert_eq!((&beyond["replaced"], &beyond["lines"][0]), (&json!(true), &json!("one")));
    home.run(&["logs", "x", "--cursor", "999"]).expect(0).complains("it was replaced");
}

#[test]
fn a_line_longer_than_what_is_shown_comes_in_pieces_that_split_no_character() {
    let home = Home::new();
    home.up("x", &["--target", "exit"], "for i in $(seq 100); do printf '€'; done; echo; echo end");
    home.reaches("x", "completed");
    let (mut cursor, mut text) = ("0".to_owned(), String::new());
    for _ in 0..100 {
        let piece = home.json(&["logs", "x", "--cursor", &cursor, "--max-bytes", "10"]);
        let next = piece["cursor"].as_str().unwrap().to_owned();
        text.extend(piece["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()));
        assert_eq!(piece["cut_bytes"], 305 - next.parse::<u64>().unwrap(), "{piece}");
        if next == cursor {
            break;
        }
        cursor = next;
    }
    assert_eq!(text, format!("{}end", "€".repeat(100)));
    home.up("y", &["--target", "exit"], "seq 1 9; head -c 3000 /dev/zero | tr '\\0' x; echo");
    home.reaches("y", "completed");
    let newest = home.json(&["logs", "y", "--max-bytes", "1000B"]);
    assert_eq!(newest["lines"][0].as_str().unwrap().len(), 999, "the newest of it, though its line began before");
    assert_eq!(newest["cut_bytes"], 3019 - 1000);
}

#[test]
fn since_leaves_out_what_is_older_than_the_run() {
    let home = Home::new();
    home.up("x", &["--target", "exit"], "echo hello");
    home.reaches("x", "completed");
    assert_eq!(home.ok(&["logs", "x", "--since", "1h"]), "hello\n");
    assert_eq!(home.ok(&["logs", "x", "--since", "2099-01-01T00:00:00Z"]), "");
    // A clock that was ahead for a while, and was set back: what was written after that is not after it.
    fs::write(home.state_dir().join("log/x.log.index"), "4086720000000 1\n").unwrap();
    assert_eq!(home.ok(&["logs", "x", "--until", "2098-01-01T00:00:00Z"]), "hello\n");
}

#[test]
fn a_log_that_somebody_removed_is_not_one_that_was_never_written() {
    let home = Home::new();
    home.up("x", &[], "echo hello; exec sleep 1000");
    crate::procs::until("it is written", || home.ok(&["logs", "x"]) == "hello\n");
    fs::remove_file(home.state_dir().join("log/x.log")).unwrap();
    home.run(&["logs", "x"]).expect(0).complains("is lost until `guardian restart x`");
    home.ok(&["stop", "x"]);
    home.run(&["logs", "x"]).expect(0).complains("somebody removed it");
    home.ok(&["register", "y", "--", "true"]);
    home.run(&["logs", "y"]).expect(0).complains("has written nothing yet");
}

#[test]
fn following_shows_lines_as_they_come_and_goes_on_over_a_restart() {
    let home = Home::new();
    let line = "echo run $GUARDIAN_RUN; while [ ! -e go.$GUARDIAN_RUN ]; do sleep 0.05; done; exit 1";
    home.ok(&["register", "x", "--backoff", "0s", "--max-failures", "0", "--", line]);
    // Nothing was ever written, and each piece is a document.
    let mut follower = home.command(&["logs", "x", "-f", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(follower.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in output.lines() {
            let piece: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(piece["lines"].clone()).is_err() {
                return;
            }
        }
    });
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), json!([]));
    home.ok(&["start", "x"]);
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), json!(["run 1"]));
    fs::write(home.path("go.1"), "").unwrap();
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), json!(["run 2"]));
    // It ends with its reader: nobody follows for ever.
    drop(lines);
    for run in 2..8 {
        fs::write(home.path(&format!("go.{run}")), "").unwrap();
    }
    until("the follower ends", || follower.try_wait().unwrap().is_some());
}

#[test]
fn d47_nobody_copies_or_cuts_the_log_under_its_writer() {
    let home = Home::new();
    home.up("x", &["--backoff", "0s", "--max-failures", "3"], "seq 1 20000; exit 1");
    home.reaches("x", "tripped");
    let log = home.state_dir().join("log/x.log");
    let inode = fs::metadata(&log).unwrap().ino();
    home.run(&["healthcheck"]);
    home.ok(&["start", "x"]);
    home.reaches("x", "tripped");
    assert_eq!(fs::metadata(&log).unwrap().ino(), inode);
    assert_eq!(fs::read_to_string(&log).unwrap(), (1..=20000).map(|n| format!("{n}\n")).collect::<String>().repeat(6));
}

#[test]
fn output_of_any_bytes_does_not_break_the_reader() {
    let home = Home::new();
    home.up("x", &["--target", "exit"], "head -c 5000 /dev/urandom; printf '\\n\\033[31mred\\n'");
    home.reaches("x", "completed");
    home.ok(&["logs", "x"]);
    home.json(&["logs", "x", "-n", "2"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let home = Home::new();
    home.up("x", &["--target", "exit"], "seq 1 200000");
    home.reaches("x", "completed");
    let line = format!(
        "{} logs x -n 200000 --max-bytes 10M | head -n 1 >first; echo ${{PIPESTATUS[0]}}",
        home.program().display()
    );
    let mut command = home.other_command("/bin/bash".as_ref());
    command.args(["-c", &line]);
    let output = crate::home::finish(command).expect(0);
    assert_eq!(output.stdout, "0\n");
    assert_eq!(output.stderr, "");
}

#[test]
fn a_pipe_in_place_of_a_log_keeps_nobody_waiting() {
    let home = Home::new();
    home.up("x", &[], "echo one; exec sleep 1000");
    let log = home.state_dir().join("log/x.log");
    std::fs::remove_file(&log).unwrap();
    nix::unistd::mkfifo(&log, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let output = home.run(&["logs", "x"]);
    assert!(output.code == 74 && output.stderr.contains("is a pipe or a socket"), "{output:?}");
    home.ok(&["stop", "x"]);
    assert_eq!(home.state("x"), "stopped");
    let output = home.run(&["start", "x"]);
    assert!(output.code == 74 && output.stderr.contains("is a pipe or a socket"), "{output:?}");
    std::fs::remove_file(&log).unwrap();
    home.ok(&["start", "x"]);
}

#[test]
fn a_log_that_is_a_link_to_the_null_device_is_written_to_nowhere_and_keeps_nobody_from_starting() {
    let home = Home::new();
    let log = home.state_dir().join("log/x.log");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/null", &log).unwrap();
    home.up("x", &[], "echo one; exec sleep 1000");
    assert_eq!(home.run(&["logs", "x"]).stdout, "");
    home.ok(&["stop", "x"]);
    assert_eq!(home.state("x"), "stopped");
}

#[test]
fn errors_are_folded_and_counted_and_escape_sequences_go_on_request() {
    let home = Home::new();
    let line = "for i in 1 2 3; do printf '\\033[31mERROR: row %d failed\\033[0m\\n' $i; echo fine; done; echo '2 passed, 0 failed'; echo fatal: x";
    home.up("job", &["--target", "exit"], line);
    home.run(&["wait", "job"]).expect(0);
    let errors = home.run(&["logs", "job", "--errors"]).expect(0);
    assert_eq!(errors.stdout, "    3x ERROR: row 1 failed\n    1x fatal: x\n");
    errors.complains("4 of 8 lines look like errors, of 2 kinds");
    let json = home.json(&["logs", "job", "--errors"]);
    assert_eq!((&json["total"], &json["kinds"], &json["errors"][0]["count"]), (&4.into(), &2.into(), &3.into()));
    assert!(home.ok(&["logs", "job"]).contains('\u{1b}') && !home.ok(&["logs", "job", "--plain"]).contains('\u{1b}'));
}
