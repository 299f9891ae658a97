//! Reads a sink that wakes an agent.

use super::sink::Fields;
use crate::model::sink::SinkKind;
use crate::model::wake::{Harness, Wake};

impl Fields<'_, '_, '_, '_> {
    /// The sink for that agent; on `None` the reader knows why.
    pub(super) fn wake(&mut self, harness: Harness) -> Option<SinkKind> {
        let before = self.reader.problems.len();
        let mut text = |key: &str| self.table.get(key).and_then(|item| self.reader.text(key, item));
        let (session, socket) = (text("session"), text("socket"));
        let mut path = |key: &str| self.table.get(key).and_then(|item| self.reader.path(key, item));
        let (cwd, inbox) = (path("cwd"), path("inbox"));
        let token = if self.has_secret("token") { self.secret("token").map(|(token, _)| token) } else { None };
        let api_base = match self.table.get("api_base") {
            Some(item) => Some(self.web_address("api_base", item)?),
            None => None,
        };
        let program = match self.table.get("program") {
            Some(item) => self.reader.argv("program", item)?,
            None => vec![harness.word().to_owned()],
        };
        if self.reader.problems.len() > before {
            return None;
        }
        let wanted = match harness {
            Harness::Claude => "add `session`, or `socket` and `token`",
            Harness::Tmux => "add `session`, the pane: `%3` or `work:1.0`",
            Harness::Codex | Harness::Opencode | Harness::Gemini | Harness::Copilot | Harness::Openclaw => {
                "add `session`"
            }
        };
        let reached = session.is_some() || harness == Harness::Openclaw || socket.is_some() && token.is_some();
        if !reached {
            return self.reader.fail(self.at.clone(), "no session is named that could be woken", wanted);
        }
        Some(SinkKind::Wake(Wake { session, socket, token, api_base, program, cwd, inbox, ..Wake::new(harness) }))
    }
}
