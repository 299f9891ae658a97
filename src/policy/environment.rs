//! Which environment a managed process gets.
//!
//! A start from cron must find the PATH and the virtual environment of the shell that registered
//! it, but nothing that binds it to that session, and no cookie by which a build server or an agent
//! finds and kills what it started (they read it from `/proc/PID/environ`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::model::spec::Spec;

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Bound to one session, terminal, service or tool call: wrong or dead in the next.
const SESSION: &[&str] = &[
    "_",
    "COLUMNS",
    "LINES",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "STY",
    "TERM_SESSION_ID",
    "TMUX",
    "TMUX_PANE",
    "WINDOWID",
    "GPG_TTY",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SSH_AGENT_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "MAINPID",
    "MANAGERPID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "SYSTEMD_EXEC_PID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "BUILD_ID",
    "BUILD_NUMBER",
    "BUILD_TAG",
    "RUNNER_TRACKING_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "HUDSON_SERVER_COOKIE",
    "IS_SANDBOX",
    "CLAUDECODE",
    "CLAUDE_PID",
    "CLAUDE_EFFORT",
    "CLAUDE_ENV_FILE",
    "CLAUDE_PROJECT_DIR",
    "GEMINI_CLI",
    "GEMINI_SESSION_ID",
    "OPENCODE",
    "OPENCODE_PID",
    "OPENCODE_SESSION_ID",
    "COPILOT_CLI",
    "COPILOT_AGENT_SESSION_ID",
    "OPENCLAW_SHELL",
    "CURSOR_TRACE_ID",
];

/// Beginnings of names that are all of that kind.
const SESSION_PREFIXES: &[&str] =
    &["CLAUDE_CODE_", "CODEX_", "GUARDIAN_", "OPENCLAW_SESSION", "XDG_SESSION_", "XDG_SEAT", "XDG_VTNR"];

/// What `clean_env` leaves of the environment.
const CLEAN: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"];

/// What says nothing of who registered a process.
const PLACE: &[&str] = &["PATH", "LANG", "LANGUAGE", "TZ"];

/// What shims and the passes they run need besides: where things lie, which network and certificates to use.
const GUARDIANS: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "GUARDIAN_HOME",
    "GUARDIAN_TRUST_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

fn is(name: &OsStr, list: &[&str]) -> bool {
    list.iter().any(|listed| name.as_bytes() == listed.as_bytes())
}

/// Whether a variable of this name is bound to a session.
#[must_use]
pub fn is_bound(name: &OsStr) -> bool {
    is(name, SESSION) || SESSION_PREFIXES.iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

/// What is kept of `all` for a managed process: everything but what is bound to a session.
#[must_use]
pub fn unbound(all: &Environment) -> Environment {
    all.iter().filter(|(name, _)| !is_bound(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What a process of another user than the one who registered it begins with: where programs lie and how people there
/// write, and who it is now. All else may be a secret of the one who registered it.
#[must_use]
pub fn of_user(all: &Environment, name: &str, home: &OsStr, shell: &OsStr) -> Environment {
    let kept = |name: &OsStr| is(name, PLACE) || name.as_bytes().starts_with(b"LC_");
    let mut own: Environment =
        all.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    for (variable, value) in [("HOME", home), ("USER", name.as_ref()), ("LOGNAME", name.as_ref()), ("SHELL", shell)] {
        own.insert(variable.into(), value.to_owned());
    }
    own
}

/// What is kept of guardian's own environment for a shim: what its passes need, and what `spec` and sinks name.
#[must_use]
pub fn for_shim(own: &Environment, named: &[&str]) -> Environment {
    own.iter()
        .filter(|(name, _)| is(name, GUARDIANS) || is(name, named))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The environment of a managed process: snapshot, `env_file`, `pass_env`, `env`, and guardian's own variables, later over earlier.
#[must_use]
pub fn compose(
    spec: &Spec,
    snapshot: &Environment,
    env_file: &[(String, String)],
    own: &Environment,
    guardian: &[(&str, OsString)],
) -> Environment {
    let mut all = unbound(snapshot);
    if spec.clean_env {
        all.retain(|name, _| is(name, CLEAN));
    }
    all.extend(env_file.iter().map(|(name, value)| (name.into(), value.into())));
    let passed = spec.pass_env.iter().filter_map(|name| own.get_key_value(OsStr::new(name)));
    all.extend(passed.map(|(name, value)| (name.clone(), value.clone())));
    all.extend(spec.env.iter().map(|(name, value)| (name.into(), value.into())));
    all.extend(guardian.iter().map(|(name, value)| (OsString::from(name), value.clone())));
    all
}

/// A command line of guardian's own as it may be shown: without the values of variables, and without the command
/// that it registers.
#[must_use]
pub fn without_values(arguments: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for argument in arguments {
        if argument == "--" {
            shown.push("-- …".to_owned());
            break;
        }
        let (option, pair) = match argument.strip_prefix("--env=") {
            Some(pair) => ("--env=", pair),
            None if shown.last().is_some_and(|last| last == "--env") => ("", argument.as_str()),
            None => {
                shown.push(argument);
                continue;
            }
        };
        let name = pair.split('=').next().unwrap_or("");
        shown.push(format!("{option}{name}=…"));
    }
    shown.join(" ")
}

/// Reads `NAME=value` lines as shells and systemd do at their simplest: `#` comments, blank lines,
/// an optional `export `, one pair of quotes around the value taken off.
///
/// # Errors
/// The number of the first line that is none of these.
pub fn parse_env_file(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) || value.contains('\0') {
            return Err(index + 1);
        }
        let value = value.trim();
        let unquoted =
            ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
        variables.push((name.to_owned(), unquoted.to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::Command;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn cookies_and_session_variables_do_not_reach_the_process() {
        let all = environment(&[
            ("PATH", "/venv/bin:/bin"),
            ("VIRTUAL_ENV", "/venv"),
            ("RUNNER_TRACKING_ID", "x"),
            ("CLAUDECODE", "1"),
            ("CODEX_THREAD_ID", "t"),
            ("SSH_TTY", "/dev/pts/1"),
            ("GUARDIAN_NAME", "outer"),
        ]);
        assert_eq!(unbound(&all), environment(&[("PATH", "/venv/bin:/bin"), ("VIRTUAL_ENV", "/venv")]));
    }

    #[test]
    fn no_mark_of_an_agent_and_nothing_by_which_its_session_is_found_reaches_the_process() {
        for name in crate::policy::agents::variables() {
            assert!(is_bound(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_command_line_is_shown_without_values_and_without_what_it_registers() {
        let line = "guardian register x --env A=secret --env=B=secret --target 8h -- tool --token secret";
        let shown = without_values(line.split(' ').map(str::to_owned));
        assert_eq!(shown, "guardian register x --env A=… --env=B=… --target 8h -- …");
    }

    #[test]
    fn later_sources_win_over_earlier_ones() {
        let mut spec = Spec::with_command(Command::Shell("x".to_owned()));
        spec.pass_env = vec!["B".to_owned(), "C".to_owned()];
        spec.env = [("C".to_owned(), "env".to_owned())].into();
        let snapshot = environment(&[("A", "snapshot"), ("B", "snapshot")]);
        let own = environment(&[("B", "own"), ("C", "own"), ("D", "own")]);
        let file = [("A".to_owned(), "file".to_owned())];
        let all = compose(&spec, &snapshot, &file, &own, &[("GUARDIAN_NAME", "x".into())]);
        assert_eq!(all, environment(&[("A", "file"), ("B", "own"), ("C", "env"), ("GUARDIAN_NAME", "x")]));
    }

    #[test]
    fn an_environment_file_is_read_line_by_line_and_its_bad_line_is_named() {
        let text = "# comment\n\nexport A=1\nB=\"two words\"\nC='x=y'\n";
        let want = [("A", "1"), ("B", "two words"), ("C", "x=y")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(parse_env_file(text), Ok(want.to_vec()));
        assert_eq!(parse_env_file("A=1\nnonsense\n"), Err(2));
    }
}
