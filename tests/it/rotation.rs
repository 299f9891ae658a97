//! `log_max`: a log that grows is cut under the program that writes it, and not a line is lost.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, Output, finish};
use crate::procs::{eventually, until};

/// Writes numbered lines as fast as it is told to, until there are so many: `COUNT BYTES-PER-SECOND`.
const WRITER: &str = r#"
import os, sys, time
count, rate = int(sys.argv[1]), int(sys.argv[2])
begun, sent, n = time.monotonic(), 0, 0
while n < count:
    text = b"".join(b"line %09d of the writer, with some words to make it longer\n" % i for i in range(n, min(n + 500, count)))
    n += 500
    sent += os.write(1, text)
    ahead = sent / rate - (time.monotonic() - begun)
    if ahead > 0: time.sleep(ahead)
print("done", flush=True)
time.sleep(1000)
"#;

fn log(home: &Home) -> PathBuf {
    home.state_dir().join("log/x.log")
}

/// Files of the directory of rotated parts whose names begin like this.
fn parts(home: &Home) -> usize {
    let Ok(entries) = fs::read_dir(home.state_dir().join("log/rotated")) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("x.log.")).count()
}

/// All lines by cursor, from this one on; and the next cursor.
fn by_cursor(home: &Home, cursor: &mut String) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let news = home.run(&["logs", "x", "--cursor", cursor, "--max-bytes", "4M"]).expect(0);
        let next = news.stderr.lines().find_map(|line| line.split_once("cursor: "));
        cursor.clear();
        cursor.push_str(next.unwrap_or_else(|| panic!("{}", news.stderr)).1);
        if news.stdout.is_empty() {
            return all;
        }
        all.extend(news.stdout.lines().map(str::to_owned));
    }
}

/// Numbered lines follow each other, and are these.
#[track_caller]
fn is_whole<'a>(lines: impl IntoIterator<Item = &'a String>, wanted: Range<usize>, who: &str) {
    let mut next = wanted.start;
    for line in lines.into_iter().filter(|line| *line != "done") {
        let number: usize = line.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
        assert_eq!(number, next, "{who}: {line:?}");
        next += 1;
    }
    assert_eq!(next, wanted.end, "{who}");
}

/// A program that writes that much, under a log of its own kind of file system.
fn writes(home: &Home, options: &[&str], count: usize, rate: usize) {
    let script = home.path("writer.py");
    fs::write(&script, WRITER).unwrap();
    let (count, rate) = (count.to_string(), rate.to_string());
    let mut arguments = vec!["register", "x", "--log-max", "1M", "--log-keep", "1000"];
    arguments.extend(options);
    arguments.extend(["--start", "--", crate::home::PYTHON, script.to_str().unwrap(), &count, &rate]);
    home.ok(&arguments);
}

/// Readers of all kinds while passes rotate; nobody misses a line or gets one twice.
fn nobody_misses_a_line(home: &Home) {
    const COUNT: usize = 600_000; // 38 MB
    writes(home, &[], COUNT, 20_000_000);
    let mut follower = home.command(&["logs", "x", "-f", "-n", "100000000", "--max-bytes", "1G"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let followed = BufReader::new(follower.stdout.take().unwrap());
    let followed = std::thread::spawn(move || {
        let lines = followed.lines().map(Result::unwrap);
        lines.take_while(|line| line != "done").collect::<Vec<_>>()
    });
    let waits = home.command(&["wait", "x", "--until", "output:^done$", "--timeout", "1m"]).spawn().unwrap();
    let (mut cursor, mut lines) = ("0".to_owned(), Vec::new());
    while lines.last().is_none_or(|line| line != "done") {
        home.run(&["healthcheck"]).expect(0);
        lines.extend(by_cursor(home, &mut cursor));
    }
    is_whole(&lines, 0..COUNT, "by cursor");
    is_whole(&followed.join().unwrap(), 0..COUNT, "followed");
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(waits.wait_with_output().unwrap().status.code(), Some(0));
    home.run(&["healthcheck"]).expect(0);
    assert!(parts(home) > 10, "{} parts", parts(home));
    is_whole(&by_cursor(home, &mut "0".to_owned()), 0..COUNT, "all over again");
    let disk = fs::metadata(log(home)).unwrap().blocks() * 512;
    assert!(disk < 3 << 20, "{disk} bytes are left in the log file");
    let written = (COUNT * 64 + 5) as u64;
    assert_eq!(home.status("x")["output"]["bytes"], written);
    let run = home.run(&["logs", "x", "--run", "1", "--max-bytes", "1G"]).expect(0).stdout;
    assert_eq!(run.len() as u64, written);
}

#[test]
fn rotation_under_a_writer_of_20_mb_a_second_loses_and_doubles_no_line() {
    nobody_misses_a_line(&Home::new());
}

#[test]
fn the_same_where_the_file_system_has_holes_but_cannot_take_them_out() {
    let home = Home::new();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::create_dir_all(home.state_dir()).unwrap();
    symlink(memory.path(), home.state_dir().join("log")).unwrap();
    nobody_misses_a_line(&home);
    assert!(fs::metadata(log(&home)).unwrap().len() > 30 << 20, "it was rotated by holes");
}

#[test]
fn a_log_that_fills_faster_than_cron_looks_is_looked_after_by_its_shim() {
    let home = Home::new();
    writes(&home, &[], 100_000_000, 3_000_000);
    let two = || fs::metadata(log(&home)).is_ok_and(|log| log.len() > 2 << 20);
    until("the log is over its limit", two);
    home.run(&["healthcheck"]).expect(0); // tells how long it is
    until("it has grown further", two);
    home.run(&["healthcheck"]).expect(0); // sees how fast it grows
    let before = parts(&home);
    until("nobody looks but the shim, and there are more parts", || parts(&home) > before + 5);
    home.ok(&["stop", "x"]);
}

/// A process whose log this test writes itself: a line and what the log is to hold in all.
struct Hand {
    home: Home,
    lines: usize,
    /// Lines that were looked at for good, and the cursor behind them.
    settled: (usize, String),
}

impl Hand {
    fn new(options: &[&str]) -> Self {
        let home = Home::new();
        let all = [&["--log-max", "64K"], options].concat();
        home.up("x", &all, "exec sleep 1000");
        Self { home, lines: 0, settled: (0, "0".to_owned()) }
    }

    fn write(&mut self, count: usize) {
        let text: String = (self.lines..self.lines + count).map(|line| format!("line {line:09}\n")).collect();
        OpenOptions::new().append(true).open(log(&self.home)).unwrap().write_all(text.as_bytes()).unwrap();
        self.lines += count;
    }

    /// All lines since the last time that they were settled are there.
    #[track_caller]
    fn is_whole(&self, when: &str) -> String {
        let mut cursor = self.settled.1.clone();
        is_whole(&by_cursor(&self.home, &mut cursor), self.settled.0..self.lines, when);
        cursor
    }

    #[track_caller]
    fn settle(&mut self, when: &str) {
        self.settled = (self.lines, self.is_whole(when));
    }

    /// A pass to which the kernel does this.
    fn pass_with(&self, injected: &str) -> Output {
        let mut command = self.home.other_command("timeout".as_ref());
        command.args(["60", "strace", "-f", "-qq", "-o"]).arg(self.home.path("trace")).arg("-e").arg(injected);
        command.arg(self.home.program()).arg("healthcheck");
        finish(command)
    }
}

/// System calls that change something on the disk, in the way of a rotation.
const CALLS: [&str; 8] =
    ["copy_file_range", "fallocate", "fsync", "fdatasync", "rename", "utimensat", "unlink", "flock"];

#[test]
fn a_pass_that_is_killed_at_any_system_call_of_a_rotation_loses_and_doubles_nothing() {
    let mut hand = Hand::new(&["--log-keep", "1000"]);
    let mut killed = 0;
    for call in CALLS {
        for count in 1.. {
            hand.write(6_000); // more than one part
            let output = hand.pass_with(&format!("inject={call}:signal=KILL:when={count}"));
            hand.is_whole(&format!("after a kill at {call} {count}"));
            if output.code == 0 {
                break;
            }
            assert_eq!(output.code, 137, "{output:?}");
            killed += 1;
            hand.write(100);
            hand.is_whole(&format!("written on after a kill at {call} {count}"));
            hand.home.run(&["healthcheck"]).expect(0);
            hand.settle(&format!("the pass after a kill at {call} {count}"));
            let left = fs::metadata(log(&hand.home)).unwrap().len();
            assert!(left < (64 << 10) + 4096, "{left} bytes are left after a kill at {call} {count}");
        }
    }
    assert!(killed > 20, "{killed} calls");
    hand.settled = (0, "0".to_owned());
    hand.is_whole("all of it, after all kills");
}

#[test]
fn a_full_disk_loses_nothing_and_is_told() {
    let mut hand = Hand::new(&[]);
    hand.write(5_000);
    for call in ["copy_file_range", "fdatasync", "fsync"] {
        let output = hand.pass_with(&format!("inject={call}:error=ENOSPC"));
        assert_eq!(output.code, 74, "{call}: {output:?}");
        output.complains("No space left").complains("rotated/x.");
        hand.is_whole(call);
    }
    hand.home.run(&["healthcheck"]).expect(0);
    hand.is_whole("with room again");
    assert_eq!(parts(&hand.home), 1);
    // The disk may be full of what is in a part by now: that is given back, although the next part fails.
    hand.write(15_000);
    let before = fs::metadata(log(&hand.home)).unwrap().len();
    hand.pass_with("inject=copy_file_range:error=ENOSPC:when=3+").expect(74).complains("No space left");
    hand.is_whole("with room for one part");
    let after = fs::metadata(log(&hand.home)).unwrap().len();
    assert!(after + (60 << 10) < before && after > 64 << 10, "{before} bytes became {after}");
}

#[test]
fn where_there_are_no_holes_the_log_is_copied_and_emptied_and_that_is_said() {
    let mut hand = Hand::new(&[]);
    hand.write(25_000);
    hand.pass_with("inject=fallocate:error=EOPNOTSUPP").expect(0);
    assert_eq!(fs::metadata(log(&hand.home)).unwrap().len(), 0);
    hand.write(10);
    hand.is_whole("after copy and empty");
    hand.home.run(&["logs", "x", "--cursor", "0"]).expect(0).complains("may be gone");
}

#[test]
fn the_oldest_parts_go_and_logs_says_how_much_is_gone() {
    let mut hand = Hand::new(&["--log-keep", "2"]);
    hand.write(100_000);
    hand.home.run(&["healthcheck"]).expect(0);
    assert_eq!(parts(&hand.home), 2);
    let all = hand.home.json(&["logs", "x", "--cursor", "0", "--max-bytes", "100M"]);
    let (gone, kept) = (all["gone_bytes"].as_u64().unwrap(), all["lines"].as_array().unwrap());
    assert_eq!(gone, (hand.lines - kept.len()) as u64 * 15);
    assert_eq!(kept[0], Value::from(format!("line {:09}", hand.lines - kept.len())));
    hand.home.run(&["logs", "x", "--run", "1"]).expect(0).complains(&format!("{gone} bytes of it are gone"));
    let grep = hand.home.ok(&["logs", "x", "--grep", "^line 000099999$"]);
    assert_eq!(grep, "line 000099999\n");
}

#[test]
fn log_max_0_rotates_nothing_and_a_log_within_its_limit_has_nothing_beside_it() {
    for size in ["0", "5M"] {
        let mut hand = Hand::new(&[]);
        hand.home.ok(&["register", "x", "--replace", "--log-max", size, "--", "exec sleep 1000"]);
        hand.write(100_000);
        hand.home.run(&["healthcheck"]).expect(0);
        assert_eq!(fs::metadata(log(&hand.home)).unwrap().len(), 1_500_000);
        // Who looks for a line does not know how far back it is.
        let found = hand.home.json(&["logs", "x", "--grep", "^line 000000003$"]);
        assert_eq!((found["lines"][0].as_str(), found["cut_bytes"].as_u64()), (Some("line 000000003"), Some(0)));
        let many = hand.home.json(&["logs", "x", "--grep", "line"]);
        let (count, cut) = (many["lines"].as_array().unwrap().len() as u64, many["cut_bytes"].as_u64().unwrap());
        assert!(count * 15 <= 64 << 10 && count * 15 + cut == 1_500_000, "{count} lines, {cut} bytes cut");
        assert!(
            hand.home.run(&["logs", "x", "-n", "3"]).expect(0).stderr.is_empty(),
            "they are all that was asked for"
        );
        assert!(!hand.home.state_dir().join("log/rotated").exists());
    }
}

#[test]
fn a_program_that_empties_its_log_is_read_on_and_that_is_said() {
    let mut hand = Hand::new(&[]);
    hand.write(25_000);
    hand.home.run(&["healthcheck"]).expect(0);
    let mut cursor = "0".to_owned();
    let before = by_cursor(&hand.home, &mut cursor);
    fs::write(log(&hand.home), "anew\n").unwrap();
    assert_eq!(by_cursor(&hand.home, &mut cursor), ["anew"]);
    hand.home.run(&["healthcheck"]).expect(0);
    assert_eq!(by_cursor(&hand.home, &mut cursor), [] as [&str; 0]);
    assert!(by_cursor(&hand.home, &mut "0".to_owned()).len() < before.len());
    // Also where it is longer again than what the last rotation left of a part, before anybody looks.
    hand.write(25_000);
    hand.home.run(&["healthcheck"]).expect(0);
    fs::write(log(&hand.home), "new line\n".repeat(1000)).unwrap();
    for looked in ["at once", "after a pass"] {
        let new = hand.home.ok(&["logs", "x", "--grep", "^new line$"]);
        assert_eq!(new.lines().count(), 1000, "{looked}");
        hand.home.run(&["healthcheck"]).expect(0);
    }
}

#[test]
fn rotation_is_no_sign_of_progress_and_hides_none() {
    let home = Home::new();
    let line = "seq -f 'line %09g' 0 24999; exec sleep 1000";
    home.up("x", &["--log-max", "256K", "--output-stale", "3s", "--on-hang", "alert"], line);
    until("all is written", || fs::metadata(log(&home)).is_ok_and(|log| log.len() == 375_000));
    let written = fs::metadata(log(&home)).unwrap().modified().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1)); // so that a time that was changed would differ
    home.run(&["healthcheck"]);
    assert_eq!(parts(&home), 1);
    assert_eq!(fs::metadata(log(&home)).unwrap().modified().unwrap(), written);
    let hung = eventually("its hang is called", || home.events("x").into_iter().find(|event| event["kind"] == "hung"));
    assert!(hung["detail"].as_str().unwrap().contains("no output for 3"), "{hung}");
    OpenOptions::new().append(true).open(log(&home)).unwrap().write_all(b"on\n").unwrap();
    until("progress is seen", || home.kinds("x").contains(&"recovered".to_owned()));
}

#[test]
fn runs_before_and_after_a_rotation_keep_their_output() {
    let home = Home::new();
    let line = "echo begin $GUARDIAN_RUN; seq 1 60000; echo end $GUARDIAN_RUN; exit 1";
    let options = ["--log-max", "256K", "--backoff", "0s", "--max-failures", "3"];
    home.up("x", &options, line);
    home.reaches("x", "tripped");
    home.run(&["healthcheck"]);
    assert!(parts(&home) >= 3);
    for run in 1..=3 {
        let text = home.ok(&["logs", "x", "--run", &run.to_string(), "--max-bytes", "10M"]);
        assert!(text.starts_with(&format!("begin {run}\n1\n")), "{:?}", text.get(..40));
        assert!(text.ends_with(&format!("60000\nend {run}\n")), "{:?}", text.get(text.len() - 40..));
    }
    home.ok(&["start", "x"]);
    home.reaches("x", "tripped");
    let text = home.ok(&["logs", "x", "--run", "4", "-n", "1"]);
    assert_eq!(text, "end 4\n");
    assert!(home.ok(&["why", "x"]).contains("end 6"), "its last lines are its own");
}

#[test]
fn a_damaged_note_of_rotations_stops_no_start_and_is_told() {
    let mut hand = Hand::new(&[]);
    hand.write(25_000);
    hand.home.run(&["healthcheck"]).expect(0);
    let note = hand.home.state_dir().join("log/rotated/x.json");
    fs::write(&note, "{").unwrap();
    hand.home.run(&["logs", "x"]).expect(74).complains("move it away");
    hand.home.run(&["restart", "x"]);
    assert_eq!(hand.home.state("x"), "running");
    hand.write(10);
    hand.home.run(&["healthcheck"]).complains("x.json");
    fs::remove_file(&note).unwrap();
    hand.home.run(&["healthcheck"]).expect(0);
    assert!(hand.home.ok(&["logs", "x"]).ends_with("line 000025009\n"));
}
