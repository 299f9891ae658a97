//! Lines of output that look like errors, counted: those that differ only in numbers, times and ids are one.

use super::fold::fold;

/// Words of a line that says that something went wrong.
const WORDS: [&str; 16] = [
    "error",
    "fatal",
    "panic",
    "exception",
    "failed",
    "failure",
    "traceback",
    "critical",
    "cannot",
    "can't",
    "not found",
    "denied",
    "refused",
    "timed out",
    "segfault",
    "aborted",
];
/// What such a word means nothing in.
const NONE: [&str; 8] =
    ["0 errors", "no errors", "0 failed", "0 failures", "no failures", "error: none", "errors: 0", "failed: 0"];

/// How lines begin or end that say that all was well.
const PASSED: [&str; 6] = ["... ok", " passed", "--- pass:", "\u{2713} ", "\u{2714} ", "pass "];

/// `text` without `words`, where they stand alone: `10 errors` does not hold `0 errors`.
fn without(text: &str, words: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(words) {
        let alone = !before.ends_with(|letter: char| letter.is_alphanumeric() || matches!(letter, '.' | ','))
            && !after.starts_with(|letter: char| letter.is_alphanumeric() || letter == ' ' && words == "error: none");
        kept.push_str(before);
        kept.push_str(if alone { "" } else { words });
        rest = after;
    }
    kept + rest
}

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The first line of it, as it is.
    pub line: String,
    /// How many there were.
    pub count: usize,
}

/// Whether a line looks like an error.
#[must_use]
pub fn is_error(line: &str) -> bool {
    let lower = line.to_lowercase();
    // A test is named after the failure that it is about.
    let passed = PASSED.iter().any(|word| lower.trim_end().ends_with(word) || lower.trim_start().starts_with(word));
    if passed || lower.contains(" passed [") {
        return false;
    }
    let clean = NONE.iter().fold(lower, |text, none| without(&text, none));
    WORDS.iter().any(|word| clean.contains(word)) || line.split_whitespace().any(|word| word == "FAIL" || word == "E")
}

/// The kinds of errors in `lines`, in the order in which each came first.
#[must_use]
pub fn kinds(lines: &[String]) -> Vec<Kind> {
    let mut kinds: Vec<(String, Kind)> = Vec::new();
    for line in lines.iter().filter(|line| is_error(line)) {
        let folded = fold(line.trim());
        match kinds.iter_mut().find(|(known, _)| *known == folded) {
            Some((_, kind)) => kind.count += 1,
            None => kinds.push((folded, Kind { line: line.clone(), count: 1 })),
        }
    }
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_something_went_wrong_is_an_error_and_a_count_of_none_is_not() {
        for line in [
            "ERROR: x",
            "thread 'main' panicked at",
            "ValueError: no",
            "FAIL src/a.test.ts",
            "Permission denied",
            "10 failed, 90 passed in 3s",
            "found 20 errors",
            "Errors: 05",
            "error: none of the packages has these features",
            "test a ... FAILED",
            "test result: FAILED. 1 passed; 1 failed",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in [
            "",
            "ok",
            "12 passed, 0 failed",
            "0 errors, 3 warnings",
            "terrific",
            "test failed_login ... ok",
            "tests/test_x.py::test_error PASSED",
            "tests/test_x.py::test_error PASSED [ 10%]",
            "--- PASS: TestFailure (0.00s)",
            "  ✓ shows an error (5 ms)",
            "error: none",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn errors_that_differ_in_numbers_only_are_one() {
        let lines = ["12:00:01 error 5", "fine", "12:00:02 error 6", "denied"].map(str::to_owned);
        let kinds = kinds(&lines);
        assert_eq!(kinds.len(), 2);
        assert_eq!((kinds[0].line.as_str(), kinds[0].count), ("12:00:01 error 5", 2));
    }
}
