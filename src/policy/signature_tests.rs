//! Failures as real runtimes write them.

use super::*;
use crate::model::signal::Signal;

const EXIT_1: Cause = Cause::Exited { code: 1 };

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

const PYTHON: &str = "starting\nTraceback (most recent call last):\n  File \"/srv/bot.py\", line 3, in <module>\n    \
                      import ccxt\nModuleNotFoundError: No module named 'ccxt'\n";
const GO: &str = "2026/11/21 05:04:03 listening\npanic: runtime error: index out of range [5] with length 3\n\n\
                  goroutine 1 [running]:\nmain.main()\n\t/srv/main.go:12 +0x1d\nexit status 2\n";
const RUST: &str = "\nthread 'main' (4242) panicked at src/main.rs:2:5:\ncannot open the order book\nnote: run with \
                    `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
const OLD_RUST: &str =
    "thread 'main' panicked at 'cannot open', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1` x\n";
const NODE: &str = "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module 'ws'\nRequire \
                    stack:\n- /srv/gateway.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)\n\
                    \x20   at node:internal/main/run_main_module:23:47 {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ \
                    '/srv/gateway.js' ]\n}\n\nNode.js v20.19.2\n";
const JAVA: &str = "Exception in thread \"main\" java.lang.IllegalStateException: no feed\n\tat Bot.main(Bot.java:7)\n";

#[test]
fn the_line_that_says_most_is_found_in_what_runtimes_write() {
    let cases = [
        ("Python", PYTHON, "ModuleNotFoundError: No module named 'ccxt'"),
        ("Go", GO, "panic: runtime error: index out of range [5] with length 3"),
        ("Rust", RUST, "thread 'main' (4242) panicked at src/main.rs:2:5: cannot open the order book"),
        ("Rust before 1.73", OLD_RUST, "thread 'main' panicked at 'cannot open', src/main.rs:2:5"),
        ("Node", NODE, "Error: Cannot find module 'ws'"),
        ("Java", JAVA, "Exception in thread \"main\" java.lang.IllegalStateException: no feed"),
        ("a shell", "sh: 1: bot: not found\n", "sh: 1: bot: not found"),
        ("words of farewell are not it", "error: no database\nbye\n", "error: no database"),
        ("an error far above is not it", "error: x\n1 a\n2 a\n3 a\n4 a\n5 done\n", "5 done"),
        ("nothing in particular", "tick 1\ntick 2\n", "tick 2"),
        ("lines without letters", "what\n----\n", "what"),
        ("no output", "", ""),
    ];
    for (claim, text, want) in cases {
        assert_eq!(telling(&lines(text)), want, "{claim}");
    }
}

#[test]
fn a_failure_is_the_same_when_cause_and_line_are_but_for_what_differs_each_time() {
    let segv = Cause::Signaled { signal: Signal(libc::SIGSEGV), core_dumped: false };
    let dumped = Cause::Signaled { signal: Signal(libc::SIGSEGV), core_dumped: true };
    let spawn = |what: &str| Cause::SpawnFailed { errno: 2, what: what.to_owned(), step: None };
    let cases = [
        ("the same output", true, (&EXIT_1, PYTHON), (&EXIT_1, PYTHON)),
        (
            "another time, pid and place",
            true,
            (&EXIT_1, "05:04 [7] error at 0xab12"),
            (&EXIT_1, "6:1 [8] error at 0xb1"),
        ),
        ("another module", false, (&EXIT_1, PYTHON), (&EXIT_1, "ModuleNotFoundError: No module named 'numpy'")),
        ("another code", false, (&EXIT_1, "x"), (&Cause::Exited { code: 3 }, "x")),
        ("a signal is not a code", false, (&EXIT_1, "x"), (&segv, "x")),
        ("with and without a core dump", true, (&segv, "x"), (&dumped, "x")),
        ("no output at all", true, (&EXIT_1, ""), (&EXIT_1, "")),
        (
            "another silence",
            true,
            (&Cause::Hung { silent_s: 60, silence: None }, "x"),
            (&Cause::Hung { silent_s: 61, silence: None }, "x"),
        ),
        ("another program that is missing", false, (&spawn("program `a`"), ""), (&spawn("program `b`"), "")),
    ];
    for (claim, want, (one, first), (other, second)) in cases {
        let first = failure(None, 1, one, Some(&lines(first))).unwrap();
        let second = failure(None, 2, other, Some(&lines(second))).unwrap();
        assert_eq!(is_same(&first, &second), want, "{claim}");
    }
}

#[test]
fn it_is_counted_and_said_how_often_the_same_came() {
    let first = failure(None, 1, &EXIT_1, Some(&lines(PYTHON))).unwrap();
    assert_eq!(sentence(&first), None, "nothing to compare with");
    let second = failure(Some(&first), 2, &EXIT_1, Some(&lines(PYTHON))).unwrap();
    let want = "the same failure as the last time: ModuleNotFoundError: No module named 'ccxt'";
    assert_eq!(sentence(&second).as_deref(), Some(want));
    let third = failure(Some(&second), 3, &EXIT_1, Some(&lines(PYTHON))).unwrap();
    let want = "the same failure as the last 2 times: ModuleNotFoundError: No module named 'ccxt'";
    assert_eq!((third.times, sentence(&third).as_deref()), (3, Some(want)));
    let other = failure(Some(&third), 4, &EXIT_1, Some(&[])).unwrap();
    let want = "a different failure than the last time, when it was: ModuleNotFoundError: No module named 'ccxt'";
    assert_eq!((other.times, sentence(&other).as_deref()), (1, Some(want)));
    let silent = failure(Some(&other), 5, &EXIT_1, Some(&[])).unwrap();
    assert_eq!(
        sentence(&silent).as_deref(),
        Some("the same failure as the last time: exit code 1, without any output")
    );
}

#[test]
fn a_failure_of_which_the_output_could_not_be_read_is_like_no_other() {
    assert_eq!(failure(None, 1, &EXIT_1, None), None);
}

#[test]
fn what_is_kept_is_bounded() {
    let kept = failure(None, 1, &EXIT_1, Some(&["x".repeat(5_000)])).unwrap();
    assert_eq!(kept.line.len(), WIDTH);
}
