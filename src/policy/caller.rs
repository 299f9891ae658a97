//! Which session a command came from, and how it is woken when the process ends: found in the caller's environment, and in the
//! agent's own process above it, which knows what the session was begun with.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use crate::model::sink::{Secret, SecretSource};
use crate::model::wake::{Forebear, Harness, Wake};

use super::agents::{SOCKET, TOKEN, agents};
use super::environment::{self, Environment};
use super::terms::terms;

/// What agents tell their own shells: bound to one session or one call, and wrong in the next. All else that begins like it is what
/// a user set up, such as `CODEX_HOME` or `CLAUDE_CODE_USE_BEDROCK`.
const OF_A_SESSION: &[&str] = &[
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
    "CODEX_CI",
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "CODEX_SESSION_ID",
    "CODEX_THREAD_ID",
    "CODEX_TOOL_CALL_ID",
    "CODEX_VERSION",
    "AI_AGENT",
    "AGENT",
    "GEMINI_SESSION_ID",
    "OPENCODE_PID",
    "OPENCODE_SESSION_ID",
    "COPILOT_CLI",
    "OPENCLAW_SHELL",
    "GUARDIAN_NAME",
    "GUARDIAN_RUN",
];
/// Beginnings of names of which all but those are a user's own.
const OF_AGENTS: &[&str] = &["CLAUDE_CODE_", "CODEX_"];
/// What is no process's to inherit and yet the agent's: root has it set in a container, and Claude Code asks for it.
const KEPT: &[&str] = &["GUARDIAN_HOME", "IS_SANDBOX"];

/// The way to the agent whose marks are in `environment`; `None`: no agent called. Where one was started by another, it is that
/// which stands first in the list of [`agents`]: marks are inherited, and do not say which is the inner one. `cwd` is the
/// caller's, `forebears` are the processes above it.
#[must_use]
pub fn caller(
    environment: &Environment,
    cwd: Option<&str>,
    mut forebears: impl Iterator<Item = Forebear>,
) -> Option<Wake> {
    let value = |name: &str| {
        let value = environment.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let agent = agents(environment).into_iter().next()?;
    let harness = match agent.name.as_str() {
        "claude-code" => Harness::Claude,
        word => Harness::named(word)?,
    };
    // Claude Code names itself; of the others the nearest counts.
    let pid = value("CLAUDE_PID").filter(|_| harness == Harness::Claude);
    let is_it = |its: &Forebear| pid.as_ref().is_none_or(|pid| its.pid.to_string() == *pid);
    let its = forebears.find(|forebear| is_it(forebear) && executes(forebear, harness.word()));
    let begun_with = its.as_ref().and_then(|its| its.environment.clone());
    let mut wake = Wake {
        session: agent.session,
        // A shell may have gone elsewhere; sessions are looked for where they were begun.
        cwd: its.as_ref().and_then(|its| its.cwd.clone()).or_else(|| cwd.map(str::to_owned)),
        executed: its.as_ref().map(|its| executed(its, harness.word())).unwrap_or_default(),
        options: its.as_ref().map(|its| terms(harness, &its.arguments)).unwrap_or_default(),
        environment: kept(begun_with.unwrap_or_else(|| plain(environment))),
        ..Wake::new(harness)
    };
    if harness == Harness::Claude {
        wake.socket = value(SOCKET);
        wake.token = value(TOKEN).map(|token| SecretSource::Inline(Secret::new(token)));
    }
    Some(wake)
}

/// Whether this is the program of that name, or an interpreter of a script of that name.
fn executes(forebear: &Forebear, word: &str) -> bool {
    forebear.arguments.iter().take(2).any(|argument| names(argument, word))
}

fn names(argument: &str, word: &str) -> bool {
    let file = argument.rsplit('/').next().unwrap_or(argument);
    file.strip_suffix(".js").unwrap_or(file) == word
}

/// What is to be executed to have the same again; empty: it cannot be told.
fn executed(forebear: &Forebear, word: &str) -> Vec<String> {
    let Some(executable) = &forebear.executable else { return Vec::new() };
    match (forebear.arguments.first(), forebear.arguments.get(1)) {
        (Some(program), _) if names(program, word) => vec![executable.clone()],
        (_, Some(script)) if script.starts_with('/') => vec![executable.clone(), script.clone()],
        (_, _) => Vec::new(),
    }
}

fn plain(environment: &Environment) -> BTreeMap<String, String> {
    let text = |text: &OsStr| text.to_str().map(str::to_owned);
    environment.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

/// What a resumed session gets of it: all but what binds to a terminal, a service, a session or a call.
fn kept(all: BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    let is_bound = |name: &str| {
        OF_A_SESSION.contains(&name)
            || !KEPT.contains(&name)
                && !OF_AGENTS.iter().any(|prefix| name.starts_with(prefix))
                && environment::is_bound(OsStr::new(name))
    };
    all.into_iter().filter(|(name, _)| !is_bound(name)).map(|(name, value)| (name, Secret::new(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)], forebears: Vec<Forebear>) -> Option<Wake> {
        let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        caller(&environment, Some("/srv"), forebears.into_iter())
    }

    fn process(arguments: &[&str], executable: &str, environment: &[(&str, &str)]) -> Forebear {
        Forebear {
            pid: 7,
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            executable: Some(executable.to_owned()),
            cwd: Some("/project".to_owned()),
            environment: Some(environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()),
        }
    }

    #[test]
    fn the_session_that_called_is_found_with_its_door_and_nobody_else_is() {
        let marks = [
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_SESSION_ID", "s1"),
            ("CLAUDE_CODE_MESSAGING_SOCKET", "/tmp/cc/1.sock"),
            ("CLAUDE_CODE_MESSAGING_TOKEN", "hush"),
            ("PATH", "/opt/bin:/bin"),
        ];
        let claude = found(&marks, Vec::new()).unwrap();
        assert_eq!((claude.harness, claude.session.as_deref()), (Harness::Claude, Some("s1")));
        assert_eq!((claude.socket.as_deref(), claude.cwd.as_deref()), (Some("/tmp/cc/1.sock"), Some("/srv")));
        assert!(matches!(claude.token, Some(SecretSource::Inline(_))) && !format!("{claude:?}").contains("hush"));
        assert_eq!(claude.environment.keys().collect::<Vec<_>>(), ["PATH"]);
        let codex = found(&[("CODEX_THREAD_ID", "t1")], Vec::new()).unwrap();
        assert_eq!((codex.harness, codex.session.as_deref()), (Harness::Codex, Some("t1")));
        assert_eq!(found(&[("GEMINI_CLI", "1")], Vec::new()).unwrap().session, None);
        assert_eq!(
            found(&[("TMUX_PANE", "%1"), ("PATH", "/bin")], Vec::new()),
            None,
            "a person in tmux is not typed at"
        );
        assert_eq!(found(&[("CURSOR_TRACE_ID", "x")], Vec::new()), None, "it has no door");
    }

    #[test]
    fn the_agents_own_process_says_where_with_which_program_options_and_environment() {
        let shell = process(&["/bin/bash", "-lc", "guardian run -- codex"], "/usr/bin/bash", &[("PATH", "/usr/bin")]);
        let own = [
            ("PATH", "/home/u/.nvm/bin:/usr/bin"),
            ("CODEX_HOME", "/home/u/.cx"),
            ("OPENAI_API_KEY", "hush"),
            ("GUARDIAN_HOME", "/g"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_SESSION_ID", "outer"),
            ("CODEX_THREAD_ID", "outer"),
            ("TMUX", "/tmp/t"),
        ];
        let codex = process(&["codex", "exec", "--skip-git-repo-check", "start the bot"], "/opt/codex/bin/codex", &own);
        let wake = found(&[("CODEX_THREAD_ID", "t1"), ("PATH", "/usr/bin")], vec![shell, codex]).unwrap();
        assert_eq!((wake.program, wake.executed), (vec!["codex".to_owned()], vec!["/opt/codex/bin/codex".to_owned()]));
        assert_eq!((wake.cwd.as_deref(), wake.options), (Some("/project"), vec!["--skip-git-repo-check".to_owned()]));
        let names: Vec<&str> = wake.environment.keys().map(String::as_str).collect();
        assert_eq!(names, ["CODEX_HOME", "GUARDIAN_HOME", "OPENAI_API_KEY", "PATH"]);
        assert_eq!(wake.environment["PATH"].expose(), "/home/u/.nvm/bin:/usr/bin");
        assert!(!format!("{:?}", wake.environment).contains("hush"));
    }

    #[test]
    fn a_claude_that_says_which_process_it_is_is_no_other() {
        let marks = |pid| [("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "s1"), ("CLAUDE_PID", pid)];
        let above = || vec![process(&["claude"], "/opt/claude", &[])];
        assert_eq!(found(&marks("7"), above()).unwrap().executed, ["/opt/claude"]);
        assert_eq!(found(&marks("8"), above()).unwrap().executed, Vec::<String>::new());
    }

    #[test]
    fn a_script_is_run_by_its_interpreter_and_one_that_lies_somewhere_is_not_guessed() {
        let gemini = |script: &str| process(&["node", script], "/usr/bin/node", &[]);
        let marks = [("GEMINI_CLI", "1"), ("GEMINI_SESSION_ID", "g1")];
        let wake = found(&marks, vec![gemini("/opt/gemini.js")]).unwrap();
        assert_eq!(wake.executed, ["/usr/bin/node", "/opt/gemini.js"]);
        assert_eq!(found(&marks, vec![gemini("gemini")]).unwrap().executed, Vec::<String>::new());
    }
}
