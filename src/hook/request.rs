//! What an agent asks: its JSON as a tool call, the beginning of a session, the end of a turn, or something that is none of guardian's business.

use serde_json::{Map, Value};

use super::Agent;

/// What a hook was called for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A shell command is about to be run.
    Shell(Call),
    /// A session begins; its id.
    Begin(Option<String>),
    /// A turn or a session ends.
    End(End),
    /// Nothing to judge; the reason, where it is worth a line.
    Other(Option<String>),
}

/// A tool call that runs a shell command.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// How the agent spells the event, for answers that repeat it.
    pub event: String,
    /// The command.
    pub command: String,
    /// All arguments of the tool.
    pub input: Map<String, Value>,
    /// The agent's own option that puts the command into the background, if it is given.
    pub flag: Option<&'static str>,
    /// Whether the command is written in the language of a Unix shell.
    pub is_unix: bool,
    /// Whether the payload is written in camel case, as Copilot does for one of its two kinds of hooks.
    pub camel: bool,
}

/// The end of a turn or session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Whether the agent can be asked to go on: a turn, not a session.
    pub turn: bool,
    /// Whether it goes on already because a hook asked it to.
    pub again: bool,
    /// Id of the session.
    pub session: Option<String>,
    /// Commands that the agent itself says it has in the background.
    pub tasks: Vec<String>,
}

/// Tools that run a shell command, in lower case.
const SHELLS: [&str; 12] = [
    "bash",
    "powershell",
    "monitor",
    "shell",
    "run_shell_command",
    "exec",
    "exec_command",
    "local_shell",
    "run_terminal_cmd",
    "terminal",
    "unified_exec",
    "execute_command",
];
/// Ends of a turn, plain letters only.
const TURNS: [&str; 6] = ["stop", "agentstop", "afteragent", "sessionidle", "agentend", "turnend"];
/// Ends of a session.
const SESSIONS: [&str; 3] = ["sessionend", "sessiondeleted", "subagentstop"];
/// The beginning of a session.
const BEGIN: &str = "sessionstart";
/// What comes before a tool call.
const BEFORE: [&str; 6] =
    ["pretooluse", "beforetool", "beforeshellexecution", "beforeshell", "toolexecutebefore", "beforetoolcall"];

/// Reads a payload. `event` is the word on the command line, if one was given; the payload's own goes first.
///
/// # Errors
/// It is not JSON, or no object: the reason.
pub fn read(agent: Agent, event: Option<&str>, payload: &[u8]) -> Result<Request, String> {
    let value: Value = serde_json::from_slice(payload).map_err(|error| format!("the payload is not JSON: {error}"))?;
    let Value::Object(payload) = value else { return Err("the payload is no JSON object".to_owned()) };
    let named = ["hook_event_name", "hookEventName", "event"].iter().find_map(|key| text(&payload, key));
    let camel = payload.contains_key("toolName") || payload.contains_key("toolArgs");
    let before = match agent {
        Agent::Gemini => "BeforeTool",
        Agent::Cursor => "beforeShellExecution",
        Agent::Opencode => "tool.execute.before",
        Agent::Openclaw => "before_tool_call",
        Agent::Claude | Agent::Codex | Agent::Copilot => "PreToolUse",
    };
    let event = named.or(event).unwrap_or(before).to_owned();
    let plain: String = event.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if TURNS.contains(&plain.as_str()) || SESSIONS.contains(&plain.as_str()) {
        return Ok(Request::End(end(&payload, TURNS.contains(&plain.as_str()))));
    }
    if plain == BEGIN {
        return Ok(Request::Begin(session(&payload)));
    }
    if !BEFORE.contains(&plain.as_str()) {
        return Ok(Request::Other(Some(format!("the event {event:?} is not known to guardian"))));
    }
    call(agent, event, camel, &payload)
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

/// A command line: as one text, or as words that are executed as they are.
fn line(value: &Value) -> Option<String> {
    match value {
        Value::String(line) => Some(line.clone()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            shlex::try_join(words.filter(|words| !words.is_empty())?).ok()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn call(agent: Agent, event: String, camel: bool, payload: &Map<String, Value>) -> Result<Request, String> {
    let tool = ["tool_name", "toolName", "tool"].iter().find_map(|key| text(payload, key));
    let input = ["tool_input", "toolArgs", "params", "args"].iter().find_map(|key| payload.get(*key));
    let input = match input {
        Some(Value::Object(input)) => input.clone(),
        // Copilot's documentation has the arguments as a string of JSON.
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_err(|_| "the arguments are no object".to_owned())?
        }
        Some(_) => return Err("the arguments of the tool are no JSON object".to_owned()),
        None if agent == Agent::Cursor && tool.is_none() => payload.clone(),
        None => return Err("the payload has no arguments of a tool".to_owned()),
    };
    let Some(tool) = tool.map(str::to_ascii_lowercase).or_else(|| (agent == Agent::Cursor).then(|| "shell".to_owned()))
    else {
        return Err("the payload names no tool".to_owned());
    };
    if !SHELLS.contains(&tool.as_str()) {
        // A hook is set up for shells alone, so this is worth a line.
        return Ok(Request::Other(Some(format!("the tool {tool:?} is no shell that guardian knows"))));
    }
    let Some(command) = ["command", "cmd"].iter().find_map(|key| line(input.get(*key)?)) else {
        // A monitor of Claude's may watch a socket instead.
        let is_error = tool != "monitor";
        return if is_error { Err(format!("the tool {tool:?} has no `command`")) } else { Ok(Request::Other(None)) };
    };
    let flag = flag(&input);
    Ok(Request::Shell(Call { event, command, input, flag, is_unix: tool != "powershell", camel }))
}

/// The option of an agent's own that leaves the command running.
fn flag(input: &Map<String, Value>) -> Option<&'static str> {
    let on = |key: &str| input.get(key).and_then(Value::as_bool) == Some(true);
    if on("run_in_background") {
        Some("run_in_background")
    } else if on("is_background") {
        Some("is_background")
    } else if on("background") {
        Some("background")
    } else if on("detach") {
        Some("detach")
    } else if text(input, "mode") == Some("async") {
        Some("mode: \"async\"")
    } else if input.get("yieldMs").is_some_and(Value::is_number) {
        Some("yieldMs")
    } else {
        None
    }
}

fn end(payload: &Map<String, Value>, turn: bool) -> End {
    let tasks = payload.get("background_tasks").and_then(Value::as_array).into_iter().flatten();
    let running = tasks.filter(|task| {
        let is = |key: &str, word: &str| task.get(key).and_then(Value::as_str).is_none_or(|found| found == word);
        is("type", "shell") && is("status", "running")
    });
    End {
        turn,
        again: payload.get("stop_hook_active").and_then(Value::as_bool) == Some(true),
        session: session(payload),
        tasks: running.filter_map(|task| task.get("command")?.as_str().map(str::to_owned)).collect(),
    }
}

fn session(payload: &Map<String, Value>) -> Option<String> {
    let keys = ["session_id", "sessionId", "sessionID", "conversation_id"];
    keys.iter().find_map(|key| text(payload, key)).map(str::to_owned)
}
