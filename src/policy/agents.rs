//! Which agent gave a command, by what agents put into the environment of the commands they run.

use std::ffi::OsStr;

use crate::model::metadata::Agent;

use super::environment::Environment;

/// An agent, the variable that it always sets, and the one that names its session. Tokens are not among them.
const AGENTS: &[(&str, &str, &[&str])] = &[
    ("claude-code", "CLAUDECODE", &["CLAUDE_CODE_SESSION_ID"]),
    ("codex", "CODEX_THREAD_ID", &["CODEX_THREAD_ID"]),
    ("gemini", "GEMINI_CLI", &["GEMINI_SESSION_ID"]),
    ("opencode", "OPENCODE", &["OPENCODE_SESSION_ID"]), // guardian's own plugin sets it
    ("copilot", "COPILOT_CLI", &["COPILOT_AGENT_SESSION_ID"]),
    ("openclaw", "OPENCLAW_SHELL", &["OPENCLAW_SESSION_ID", "OPENCLAW_SESSION_KEY"]),
    ("cursor", "CURSOR_TRACE_ID", &[]),
];
/// Longest session id that is believed to be one.
const SESSION_MAX: usize = 64;

/// What opens the door of a session, where an agent has one; read by [`super::caller::caller`] alone.
pub(super) const SOCKET: &str = "CLAUDE_CODE_MESSAGING_SOCKET";
/// The key to that door.
pub(super) const TOKEN: &str = "CLAUDE_CODE_MESSAGING_TOKEN";

/// The variables by which the agent that gave a command, and the way to its session, are known.
pub fn variables() -> impl Iterator<Item = &'static str> {
    let marks = AGENTS.iter().flat_map(|(_, mark, sessions)| std::iter::once(*mark).chain(sessions.iter().copied()));
    marks.chain([SOCKET, TOKEN])
}

/// The agents whose marks are in `environment`: more than one where one was started by another.
#[must_use]
pub fn agents(environment: &Environment) -> Vec<Agent> {
    let value = |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let found = AGENTS.iter().filter(|(_, mark, _)| value(mark).is_some());
    let agents = found.map(|(name, _, sessions)| Agent {
        name: (*name).to_owned(),
        session: sessions.iter().find_map(|session| value(session)?.to_str().filter(|id| is_id(id))).map(str::to_owned),
    });
    agents.collect()
}

/// Plain and short: an id, and nothing else that a variable may hold.
fn is_id(text: &str) -> bool {
    text.len() <= SESSION_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        agents(&environment).into_iter().map(|agent| (agent.name, agent.session)).collect()
    }

    #[test]
    fn each_agent_is_known_by_its_own_marks() {
        type Case = (&'static [(&'static str, &'static str)], &'static str, Option<&'static str>);
        let cases: [Case; 8] = [
            (&[("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "f56-7")], "claude-code", Some("f56-7")),
            (&[("CODEX_THREAD_ID", "01a1"), ("CODEX_CI", "1")], "codex", Some("01a1")),
            (&[("GEMINI_CLI", "1")], "gemini", None),
            (&[("OPENCODE", "1"), ("AGENT", "1")], "opencode", None),
            (&[("OPENCODE", "1"), ("OPENCODE_SESSION_ID", "ses_1aB")], "opencode", Some("ses_1aB")),
            (&[("COPILOT_CLI", "1"), ("COPILOT_AGENT_SESSION_ID", "s1")], "copilot", Some("s1")),
            (&[("OPENCLAW_SHELL", "exec")], "openclaw", None),
            (&[("CURSOR_TRACE_ID", "abc")], "cursor", None),
        ];
        for (variables, name, session) in cases {
            assert_eq!(found(variables), [(name.to_owned(), session.map(str::to_owned))], "{variables:?}");
        }
        assert_eq!(found(&[("PATH", "/bin"), ("CLAUDECODE", "")]), []);
    }

    #[test]
    fn what_is_no_plain_id_is_not_kept_and_a_token_is_never_looked_at() {
        let long = "x".repeat(65);
        for id in [long.as_str(), "a b", "a\nb", "{\"token\":1}"] {
            assert_eq!(found(&[("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", id)]), [("claude-code".into(), None)]);
        }
        let token = ("CLAUDE_CODE_MESSAGING_TOKEN", "secret");
        assert_eq!(found(&[("CLAUDECODE", "1"), token]), [("claude-code".into(), None)]);
    }
}
