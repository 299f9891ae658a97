//! Which session a command came from, and how it is woken when the process ends: found in the caller's environment.

use std::ffi::OsStr;

use crate::model::sink::{Secret, SecretSource};
use crate::model::wake::{Harness, Wake};

use super::agents::{SOCKET, TOKEN, agents};
use super::environment::Environment;

/// The way to the agent whose marks are in `environment`; `None`: no agent called. Where one was started by another, it is that
/// which stands first in the list of [`agents`]: marks are inherited, and do not say which is the inner one. `cwd` is the caller's.
#[must_use]
pub fn caller(environment: &Environment, cwd: Option<&str>) -> Option<Wake> {
    let value = |name: &str| {
        let value = environment.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let agent = agents(environment).into_iter().next()?;
    let harness = match agent.name.as_str() {
        "claude-code" => Harness::Claude,
        word => Harness::named(word)?,
    };
    let mut wake =
        Wake { session: agent.session, cwd: cwd.map(str::to_owned), path: value("PATH"), ..Wake::new(harness) };
    if harness == Harness::Claude {
        wake.socket = value(SOCKET);
        wake.token = value(TOKEN).map(|token| SecretSource::Inline(Secret::new(token)));
    }
    Some(wake)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Option<Wake> {
        let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        caller(&environment, Some("/srv"))
    }

    #[test]
    fn the_session_that_called_is_found_with_its_door_and_nobody_else_is() {
        let claude = found(&[
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_SESSION_ID", "s1"),
            ("CLAUDE_CODE_MESSAGING_SOCKET", "/tmp/cc/1.sock"),
            ("CLAUDE_CODE_MESSAGING_TOKEN", "hush"),
            ("PATH", "/opt/bin:/bin"),
        ])
        .unwrap();
        assert_eq!((claude.harness, claude.session.as_deref()), (Harness::Claude, Some("s1")));
        assert_eq!((claude.socket.as_deref(), claude.path.as_deref()), (Some("/tmp/cc/1.sock"), Some("/opt/bin:/bin")));
        assert!(matches!(claude.token, Some(SecretSource::Inline(_))) && !format!("{claude:?}").contains("hush"));
        let codex = found(&[("CODEX_THREAD_ID", "t1")]).unwrap();
        assert_eq!((codex.harness, codex.session.as_deref()), (Harness::Codex, Some("t1")));
        assert_eq!(found(&[("GEMINI_CLI", "1")]).unwrap().session, None);
        assert_eq!(found(&[("TMUX_PANE", "%1"), ("PATH", "/bin")]), None, "a person in tmux is not typed at");
        assert_eq!(found(&[("CURSOR_TRACE_ID", "x")]), None, "it has no door");
    }
}
