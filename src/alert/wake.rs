//! The sinks that wake an agent: `claude`, `codex`, `openclaw`, `opencode`, `gemini`, `copilot`, `tmux`.
//!
//! What wakes a living session is tried first, then what resumes one. The inbox, where there is one, gets the message after that:
//! it is what is left when no session hears, and the mark that this message was told. Only [`crate::view::wake`]'s line is
//! ever sent, never what a process wrote.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, inbox, program, resume, secret};
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::model::wake::{Harness, Wake};
use crate::view::wake::line;

/// How long a session is listened to after it was told: it says nothing when all is well.
const REPLY: Duration = Duration::from_secs(2);

/// Wakes it.
pub(super) fn send(wake: &Wake, message: &Message, limit: Duration) -> Sent {
    let text = line(&message.event, &message.log, message.folded);
    let tried = rouse(wake, message, &text, limit);
    let Some(path) = &wake.inbox else {
        return tried.map(Outcome::delivered);
    };
    let told = wake.session.as_deref().filter(|_| tried.is_ok());
    let put = inbox::put(Path::new(path), message, &text, told)
        .map_err(|error| format!("cannot append to `{path}`: {error}"));
    match (tried, put) {
        (Ok(how), Ok(())) => Ok(Outcome::delivered(format!("{how}, and in the inbox"))),
        (Err(why), Ok(())) => Ok(Outcome::delivered(format!("in the inbox alone: {}", why_not(&why)))),
        (Ok(how), Err(why)) => Ok(Outcome::delivered(format!("{how}; {why}"))),
        (Err(why), Err(inbox)) => Err(Outcome::failed(format!("{}; {inbox}", why_not(&why)))),
    }
}

/// By the first way that leads to the session; else why none does. What a server says of itself counts where there is no other way.
fn rouse(wake: &Wake, message: &Message, text: &str, limit: Duration) -> Result<String, Outcome> {
    let ways = ways(wake);
    if let [Way::Server] = ways[..] {
        return server(wake, message, text, limit).map(|()| format!("by {}", Way::Server.word()));
    }
    let mut errors = Vec::new();
    for way in ways {
        match way.take(wake, message, text, limit / 2) {
            Ok(()) => return Ok(format!("by {}", way.word())),
            Err(error) => errors.push(format!("{}: {error}", way.word())),
        }
    }
    Err(Outcome::failed(if errors.is_empty() { "no session is known".to_owned() } else { errors.join("; ") }))
}

fn why_not(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { reply, .. } => reply.clone(),
        Outcome::Failed { error, .. } | Outcome::Refused { error } => error.clone(),
    }
}

/// One way into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The messaging socket of Claude Code.
    Socket,
    /// The agent's server.
    Server,
    /// A command that hands the text over and ends.
    Command,
    /// The agent itself, on its session, without a terminal: it works for as long as it needs.
    Resume,
    /// As if typed.
    Keys,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::Socket => "its socket",
            Self::Server => "its server",
            Self::Command => "its command",
            Self::Resume => "a resumed session",
            Self::Keys => "keys",
        }
    }

    fn take(self, wake: &Wake, message: &Message, text: &str, limit: Duration) -> Result<(), String> {
        match self {
            Self::Socket => socket(wake, text, limit),
            Self::Server => server(wake, message, text, limit).map_err(|outcome| why_not(&outcome)),
            Self::Command => resume::ran(wake, &command(wake, text), limit),
            Self::Resume => resume::resume(wake, &resumed(wake, text), limit),
            Self::Keys => {
                let pane = wake.session.clone().unwrap_or_default();
                let keys = |last: &[&str]| {
                    let socket = wake.socket.iter().flat_map(|socket| ["-S".to_owned(), socket.clone()]);
                    let what = ["send-keys", "-t", &pane].into_iter().chain(last.iter().copied());
                    socket.chain(what.map(str::to_owned)).collect::<Vec<_>>()
                };
                resume::ran(wake, &keys(&["-l", "--", text]), limit)?;
                resume::ran(wake, &keys(&["Enter"]), limit)
            }
        }
    }
}

/// The ways that there are to this session, the one that finds it alive first.
fn ways(wake: &Wake) -> Vec<Way> {
    let session = wake.session.is_some();
    let ways = match wake.harness {
        Harness::Claude => [(wake.socket.is_some() && wake.token.is_some(), Way::Socket), (session, Way::Resume)],
        // It resumes no thread that somebody is at, and what is queued for one that nobody is at waits until somebody opens it.
        Harness::Codex => [(session, Way::Resume), (session, Way::Command)],
        Harness::Openclaw => [(wake.api_base.is_some(), Way::Server), (wake.api_base.is_none(), Way::Command)],
        Harness::Opencode => [(session && wake.api_base.is_some(), Way::Server), (session, Way::Resume)],
        Harness::Gemini | Harness::Copilot => [(session, Way::Resume), (false, Way::Command)],
        Harness::Tmux => [(session, Way::Keys), (false, Way::Command)],
    };
    ways.into_iter().filter_map(|(is_there, way)| is_there.then_some(way)).collect()
}

/// Two lines of JSON: who may speak, and what is said. A session that does not take them closes without a word, or says why.
fn socket(wake: &Wake, text: &str, limit: Duration) -> Result<(), String> {
    let path = wake.socket.as_deref().unwrap_or_default();
    let token = token(wake, limit)?;
    let exchange = || -> io::Result<String> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_read_timeout(Some(limit.min(REPLY)))?;
        let auth = json!({"type": "auth", "token": token.as_deref().unwrap_or_default()});
        let said = json!({"type": "user", "message": {"role": "user", "content": text}});
        stream.write_all(format!("{auth}\n{said}\n").as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut reply = Vec::new();
        match stream.take(4096).read_to_end(&mut reply) {
            Ok(_) => {}
            // It took the words and keeps the line open.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        Ok(String::from_utf8_lossy(&reply).into_owned())
    };
    let reply = exchange().map_err(|error| format!("`{path}`: {error}"))?;
    let refused = reply.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    match refused
        .filter(|line| line["type"] == "error")
        .map(|line| line["message"].as_str().unwrap_or("refused").to_owned())
        .next()
    {
        Some(why) => Err(program::said(&why)),
        None => Ok(()),
    }
}

fn token(wake: &Wake, limit: Duration) -> Result<Option<String>, String> {
    let read = |token: &SecretSource| secret::read(token, "token", limit);
    Ok(wake.token.as_ref().map(read).transpose()?.map(|token| token.expose().to_owned()))
}

/// The agent's own HTTP interface.
fn server(wake: &Wake, message: &Message, text: &str, limit: Duration) -> Result<(), Outcome> {
    let base = wake.api_base.as_deref().unwrap_or_default();
    let bearer = token(wake, limit).map_err(Outcome::failed)?.map(|token| format!("Bearer {token}"));
    let (url, body) = match (wake.harness, &wake.session) {
        (Harness::Opencode, Some(session)) => (
            format!("{base}/session/{}/prompt_async", http::percent(session)),
            json!({"parts": [{"type": "text", "text": text}]}),
        ),
        (_, Some(session)) => {
            (format!("{base}/hooks/wake"), json!({"text": text, "mode": "now", "sessionKey": session}))
        }
        (_, None) => (format!("{base}/hooks/wake"), json!({"text": text, "mode": "now"})),
    };
    let mut header = vec![("Idempotency-Key", message.id.as_str())];
    header.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let body = body.to_string();
    let request =
        http::Request { url: &url, content_type: "application/json", header, body: &body, ..http::Request::default() };
    match http::send(&request, limit)?.judge() {
        Outcome::Delivered { .. } => Ok(()),
        other @ (Outcome::Failed { .. } | Outcome::Refused { .. }) => Err(other),
    }
}

/// What a command is told that hands the text over.
fn command(wake: &Wake, text: &str) -> Vec<String> {
    let session = wake.session.as_deref().unwrap_or_default();
    let words: Vec<&str> = match wake.harness {
        Harness::Codex => vec!["queue", "--thread", session, "--message", text],
        Harness::Openclaw if session.is_empty() => vec!["system", "event", "--mode", "now", "--text", text],
        Harness::Openclaw => vec!["system", "event", "--mode", "now", "--session-key", session, "--text", text],
        Harness::Claude | Harness::Opencode | Harness::Gemini | Harness::Copilot | Harness::Tmux => Vec::new(),
    };
    words.into_iter().map(str::to_owned).collect()
}

/// What the agent is told to go on with its session, under the terms that it was begun with.
fn resumed(wake: &Wake, text: &str) -> Vec<String> {
    let session = wake.session.as_deref().unwrap_or_default();
    let resume = format!("--resume={session}");
    let (before, after): (&[&str], Vec<&str>) = match wake.harness {
        Harness::Claude => (&["-p"], vec![&resume, text]),
        Harness::Codex => (&["exec"], vec!["resume", session, text, "--json"]),
        Harness::Opencode => (&["run"], vec!["-s", session, text]),
        Harness::Gemini => (&[], vec!["--resume", session, "-p", text]),
        Harness::Copilot => (&[], vec![&resume, "-p", text]),
        Harness::Openclaw | Harness::Tmux => (&[], Vec::new()),
    };
    let terms = wake.options.iter().map(String::as_str);
    before.iter().copied().chain(terms).chain(after).map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "wake_tests.rs"]
mod tests;
