//! The sinks that wake an agent: `claude`, `codex`, `openclaw`, `opencode`, `gemini`, `copilot`, `tmux`.
//!
//! What wakes a living session is tried first, then what resumes one. The inbox, where there is one, gets the message after that:
//! it is what is left when no session hears, and the mark that this message was told. Only [`crate::view::wake`]'s line is
//! ever sent, never what a process wrote.

use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Message, Sent, http, inbox, program, secret};
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::model::wake::{Harness, Wake};
use crate::os::background;
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
    let put =
        inbox::put(Path::new(path), message, &text).map_err(|error| format!("cannot append to `{path}`: {error}"));
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
            Self::Command => ran(&command(wake, text), wake, limit),
            Self::Resume => resume(wake, text),
            Self::Keys => {
                let pane = wake.session.clone().unwrap_or_default();
                let keys = |last: &[&str]| {
                    let socket = wake.socket.iter().flat_map(|socket| ["-S".to_owned(), socket.clone()]);
                    let what = ["send-keys", "-t", &pane].into_iter().chain(last.iter().copied());
                    wake.program.iter().cloned().chain(socket).chain(what.map(str::to_owned)).collect::<Vec<_>>()
                };
                ran(&keys(&["-l", "--", text]), wake, limit)?;
                ran(&keys(&["Enter"]), wake, limit)
            }
        }
    }
}

/// The ways that there are to this session, the one that finds it alive first.
fn ways(wake: &Wake) -> Vec<Way> {
    let session = wake.session.is_some();
    let ways = match wake.harness {
        Harness::Claude => [(wake.socket.is_some() && wake.token.is_some(), Way::Socket), (session, Way::Resume)],
        Harness::Codex => [(session, Way::Command), (session, Way::Resume)],
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

/// The command that hands the text over.
fn command(wake: &Wake, text: &str) -> Vec<String> {
    let session = wake.session.as_deref().unwrap_or_default();
    let words: Vec<&str> = match wake.harness {
        Harness::Codex => vec!["queue", "--thread", session, "--message", text],
        Harness::Openclaw if session.is_empty() => vec!["system", "event", "--mode", "now", "--text", text],
        Harness::Openclaw => vec!["system", "event", "--mode", "now", "--session-key", session, "--text", text],
        Harness::Claude | Harness::Opencode | Harness::Gemini | Harness::Copilot | Harness::Tmux => Vec::new(),
    };
    wake.program.iter().cloned().chain(words.into_iter().map(str::to_owned)).collect()
}

/// The agent on its session.
fn resumed(wake: &Wake, text: &str) -> Vec<String> {
    let session = wake.session.as_deref().unwrap_or_default();
    let resume = format!("--resume={session}");
    let words: Vec<&str> = match wake.harness {
        Harness::Claude => vec!["-p", &resume, text],
        Harness::Codex => vec!["exec", "resume", session, text, "--json"],
        Harness::Opencode => vec!["run", "-s", session, text],
        Harness::Gemini => vec!["--resume", session, "-p", text],
        Harness::Copilot => vec![&resume, "-p", text],
        Harness::Openclaw | Harness::Tmux => Vec::new(),
    };
    wake.program.iter().cloned().chain(words.into_iter().map(str::to_owned)).collect()
}

/// The environment in which its program is found.
fn path_of(wake: &Wake) -> Option<OsString> {
    wake.path.as_ref().map(OsString::from).or_else(|| env::var_os("PATH"))
}

fn ran(argv: &[String], wake: &Wake, limit: Duration) -> Result<(), String> {
    let name = argv.first().map_or("", String::as_str);
    let path = path_of(wake).unwrap_or_default().to_string_lossy().into_owned();
    // The program is looked for where its environment says.
    let argv: Vec<String> =
        ["/usr/bin/env", &format!("PATH={path}")].map(str::to_owned).into_iter().chain(argv.iter().cloned()).collect();
    let ran = program::run(&argv, &[], "", limit).map_err(|error| format!("cannot run `{name}`: {error}"))?;
    match ran.failure(&argv, limit) {
        None => Ok(()),
        Some(why) => Err(why.replacen("`/usr/bin/env`", &format!("`{name}`"), 1)),
    }
}

/// Starts it out of our own life: a pass does not wait for a model. Only that it is there is known.
fn resume(wake: &Wake, text: &str) -> Result<(), String> {
    let argv = resumed(wake, text);
    let name = argv.first().map_or("", String::as_str).to_owned();
    let path = path_of(wake).unwrap_or_default();
    let found = name.contains('/') && Path::new(&name).exists()
        || env::split_paths(&path).any(|dir| !name.contains('/') && dir.join(&name).is_file());
    if !found {
        return Err(format!("there is no program `{name}` in the PATH of whoever started the process"));
    }
    let cwd = wake.cwd.clone().unwrap_or_else(|| "/".to_owned());
    let begin = || -> io::Result<()> {
        let text = |text: &str| CString::new(text).map_err(io::Error::other);
        let shell = ["/bin/sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", &cwd];
        let argv = shell.into_iter().chain(argv.iter().map(String::as_str)).map(text).collect::<Result<Vec<_>, _>>()?;
        let mut environment: Vec<(OsString, OsString)> = env::vars_os().filter(|(name, _)| name != "PATH").collect();
        environment.push(("PATH".into(), path.clone()));
        let pairs = environment.into_iter().map(|(name, value)| {
            let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
            CString::new(OsString::from_vec(pair).into_vec()).map_err(io::Error::other)
        });
        let null = std::fs::File::open("/dev/null")?;
        background::start(c"/bin/sh", &argv, &pairs.collect::<Result<Vec<_>, _>>()?, &null)
    };
    begin().map_err(|error| format!("cannot run `{name}`: {error}"))
}

#[cfg(test)]
#[path = "wake_tests.rs"]
mod tests;
