//! What other hosts said when they were asked for `status --json`, and whether they are well. What cannot be understood is an
//! error of that host, never a host that is well.

use serde_json::Value;

use crate::model::event::SCHEMA;

/// Exit code of ssh itself: the host could not be reached, or did not let us in.
const OF_SSH: i32 = 255;
/// Exit code of a shell that does not find a program.
const NOT_FOUND: i32 = 127;

/// Letters of what a host said that are shown.
const LONGEST: usize = 300;

/// What came of asking one host.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing was heard of it in the time that it had.
    Silent,
    /// It could not even be asked, for this reason.
    Unasked(String),
    /// It said more than anybody would read.
    Endless,
    /// It ended.
    Ended {
        /// Exit code of ssh, which is that of the program there; `None`: a signal ended it.
        code: Option<i32>,
        /// All of its standard output.
        stdout: String,
        /// The beginning of its standard error.
        stderr: String,
    },
}

/// What is known of one host.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Its guardian answered.
    Status {
        /// Exit code of `status` there.
        code: i32,
        /// What it printed.
        document: Value,
    },
    /// It did not, for this reason.
    Error(String),
}

/// Whose host names may be given to ssh: one that begins with `-` would be an option.
#[must_use]
pub fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// What an answer means.
#[must_use]
pub fn judge(answer: Answer, limit: &str) -> Heard {
    let (code, stdout, stderr) = match answer {
        Answer::Silent => return Heard::Error(format!("no answer within {limit}")),
        Answer::Unasked(why) => return Heard::Error(why),
        Answer::Endless => return Heard::Error("its answer has no end".to_owned()),
        Answer::Ended { code, stdout, stderr } => (code, stdout, stderr),
    };
    // A login script may have said something before it.
    let document = stdout.lines().rev().find_map(|line| {
        let document: Value = serde_json::from_str(line).ok()?;
        document.get("schema")?.as_u64().map(|schema| (schema, document))
    });
    let said = last_line(&stderr).or_else(|| last_line(&stdout));
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    match (code, document) {
        (_, Some((schema, _))) if schema > u64::from(SCHEMA) => {
            Heard::Error(format!("its guardian is newer: it speaks schema {schema}, this one knows {SCHEMA}"))
        }
        (Some(code), Some((_, document))) if document["processes"].is_array() => Heard::Status { code, document },
        (Some(OF_SSH), _) => Heard::Error(format!("ssh failed{said}")),
        (Some(NOT_FOUND), _) => Heard::Error(format!("no guardian there{said}")),
        (Some(code), _) => Heard::Error(format!("not an answer of guardian's (exit code {code}){said}")),
        (None, _) => Heard::Error(format!("ssh was ended by a signal{said}")),
    }
}

/// The last line that says something, as far as a row has room; of an error of guardian's what it says.
fn last_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let error: Option<Value> = serde_json::from_str(line).ok();
    let message = error.as_ref().and_then(|error| error["error"]["message"].as_str());
    Some(message.unwrap_or(line).chars().take(LONGEST).collect())
}

impl Heard {
    /// Whether the host is as desired.
    #[must_use]
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Status { code: 0, .. })
    }

    /// The processes that its guardian looks after.
    #[must_use]
    pub fn processes(&self) -> &[Value] {
        match self {
            Self::Status { document, .. } => document["processes"].as_array().map_or(&[], Vec::as_slice),
            Self::Error(_) => &[],
        }
    }
}

/// Whether a process in `status --json` stands as it should; a word of a later guardian is not known to be well.
#[must_use]
pub fn is_well(process: &Value) -> bool {
    let well = ["new", "starting", "running", "completed", "stopped"];
    process["state"].as_str().is_some_and(|state| well.contains(&state))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ended(code: i32, stdout: &str, stderr: &str) -> Heard {
        judge(Answer::Ended { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }, "10s")
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_of_its_host_and_says_why() {
        let newer = r#"{"schema":2,"processes":[]}"#;
        let cases = [
            (judge(Answer::Silent, "10s"), "no answer within 10s"),
            (judge(Answer::Endless, "10s"), "no end"),
            (judge(Answer::Unasked("cannot run `ssh`".to_owned()), "10s"), "cannot run `ssh`"),
            (
                ended(255, "", "Warning: x\nssh: connect to host a: No route\n\n"),
                "ssh failed: ssh: connect to host a: No route",
            ),
            (ended(127, "", "sh: 1: guardian: not found\n"), "no guardian there: sh: 1: guardian: not found"),
            (ended(0, "hello\n", ""), "not an answer of guardian's (exit code 0): hello"),
            (ended(0, "", ""), "not an answer of guardian's (exit code 0)"),
            (ended(78, "", r#"{"schema":1,"error":{"code":78,"message":"it is bad"}}"#), "(exit code 78): it is bad"),
            (ended(0, newer, ""), "newer: it speaks schema 2"),
            (ended(0, r#"{"schema":1}"#, ""), "not an answer of guardian's"),
            (ended(0, "{\"schema\":1,\"proc", ""), "not an answer of guardian's"),
        ];
        let flood = ended(0, &"x".repeat(1 << 20), "");
        assert!(matches!(&flood, Heard::Error(why) if why.len() < 400), "a row is no place for all of it");
        for (heard, want) in cases {
            assert!(!heard.is_well(), "{want}");
            assert!(matches!(&heard, Heard::Error(why) if why.contains(want)), "{heard:?} says not: {want}");
        }
    }

    #[test]
    fn an_answer_is_found_behind_what_a_login_script_says_and_its_code_decides() {
        let document = r#"{"schema":1,"processes":[{"state":"running"}]}"#;
        for (code, well) in [(0, true), (1, false), (74, false), (78, false)] {
            let heard = ended(code, &format!("Welcome!\n{document}\n"), "");
            assert_eq!((heard.is_well(), heard.processes().len()), (well, 1), "{heard:?}");
        }
    }

    #[test]
    fn no_name_of_a_host_is_an_option_of_ssh() {
        for good in ["web1", "bot@web1", "::1", "web1.example.org"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "-oProxyCommand=touch x", "-", "a b", "a\n", "a\u{1b}"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_not_well() {
        for (state, well) in [("running", true), ("tripped", false), ("melting", false)] {
            assert_eq!(is_well(&json!({"state": state})), well, "{state}");
        }
        assert!(!is_well(&json!({})));
    }
}
