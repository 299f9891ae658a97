//! What is answered, in each agent's words.

use serde_json::{Map, Value, json};

use super::Agent;
use super::request::Call;

/// What guardian thinks of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// A call is refused.
    Deny(String),
    /// A call may be made with another command.
    Rewrite(String),
    /// A call may be made, and this be known.
    Warn(String),
    /// The agent should not end its turn yet.
    GoOn(String),
    /// The turn ends, and somebody should know this.
    Note(String),
    /// The session begins, and its model should know this.
    Tell(String),
}

/// The text for standard output; empty: none. `call` is what was asked, where it was a tool call.
#[must_use]
pub fn answer(agent: Agent, verdict: &Verdict, call: Option<&Call>) -> String {
    let value = match agent {
        Agent::Claude | Agent::Codex => claude(agent, verdict, call),
        Agent::Copilot => copilot(verdict, call),
        Agent::Gemini => Some(gemini(verdict, call)),
        Agent::Cursor => Some(cursor(verdict, call)),
        Agent::Opencode => Some(opencode(verdict, call)),
        Agent::Openclaw => Some(openclaw(verdict, call)),
    };
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// All arguments with another command, and in the foreground.
fn rewritten(call: Option<&Call>, command: &str) -> Map<String, Value> {
    let mut input = call.map(|call| call.input.clone()).unwrap_or_default();
    let key = if input.contains_key("cmd") && !input.contains_key("command") { "cmd" } else { "command" };
    // A list is executed word for word, so it stays one.
    let list = matches!(input.get(key), Some(Value::Array(_)));
    input.insert(key.to_owned(), if list { json!(["bash", "-c", command]) } else { json!(command) });
    for flag in ["run_in_background", "background", "detach", "yieldMs"] {
        input.remove(flag);
    }
    if input.contains_key("is_background") {
        input.insert("is_background".to_owned(), json!(false)); // merged, so leaving it out would keep it
    }
    if input.get("mode") == Some(&json!("async")) {
        input.insert("mode".to_owned(), json!("sync"));
    }
    input
}

fn claude(agent: Agent, verdict: &Verdict, call: Option<&Call>) -> Option<Value> {
    let event = "PreToolUse";
    match verdict {
        Verdict::Pass => None,
        Verdict::Deny(reason) => Some(json!({"hookSpecificOutput": {"hookEventName": event,
            "permissionDecision": "deny", "permissionDecisionReason": reason}})),
        Verdict::Rewrite(command) => Some(json!({"hookSpecificOutput": {"hookEventName": event,
            "permissionDecision": "allow", "updatedInput": rewritten(call, command)}})),
        Verdict::Warn(text) => Some(json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})),
        Verdict::GoOn(text) => Some(json!({"decision": "block", "reason": text})),
        Verdict::Note(text) => (agent == Agent::Claude).then(|| json!({"systemMessage": text})),
        Verdict::Tell(text) => Some(json!({"hookSpecificOutput": {"hookEventName": "SessionStart",
            "additionalContext": text}})),
    }
}

fn copilot(verdict: &Verdict, call: Option<&Call>) -> Option<Value> {
    if !call.is_some_and(|call| call.camel) {
        return match verdict {
            // Nothing is known of how it takes these.
            Verdict::GoOn(_) | Verdict::Note(_) | Verdict::Warn(_) | Verdict::Tell(_) => None,
            Verdict::Pass | Verdict::Deny(_) | Verdict::Rewrite(_) => claude(Agent::Copilot, verdict, call),
        };
    }
    match verdict {
        Verdict::Deny(reason) => Some(json!({"permissionDecision": "deny", "permissionDecisionReason": reason})),
        Verdict::Rewrite(command) => {
            Some(json!({"permissionDecision": "allow", "modifiedArgs": rewritten(call, command)}))
        }
        Verdict::Pass | Verdict::Warn(_) | Verdict::GoOn(_) | Verdict::Note(_) | Verdict::Tell(_) => None,
    }
}

/// An empty object is no opinion; without one it would take what stands on standard error for an answer.
fn gemini(verdict: &Verdict, call: Option<&Call>) -> Value {
    match verdict {
        Verdict::Deny(reason) => json!({"decision": "deny", "reason": reason}),
        Verdict::Rewrite(command) => {
            json!({"hookSpecificOutput": {"hookEventName": "BeforeTool", "tool_input": rewritten(call, command)}})
        }
        Verdict::Tell(text) => {
            json!({"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": text}})
        }
        Verdict::Pass | Verdict::Warn(_) | Verdict::GoOn(_) | Verdict::Note(_) => json!({}),
    }
}

/// It wants a permission in each answer about a call: `allow` is its way to say nothing.
fn cursor(verdict: &Verdict, call: Option<&Call>) -> Value {
    match verdict {
        Verdict::Deny(reason) => json!({"permission": "deny", "user_message": reason, "agent_message": reason}),
        Verdict::Rewrite(command) => json!({"permission": "allow", "updated_input": rewritten(call, command)}),
        Verdict::Warn(text) => json!({"permission": "allow", "agent_message": text}),
        Verdict::GoOn(text) => json!({"followup_message": text}),
        Verdict::Note(_) | Verdict::Tell(_) => json!({}),
        Verdict::Pass => json!({"permission": "allow"}),
    }
}

fn opencode(verdict: &Verdict, call: Option<&Call>) -> Value {
    match verdict {
        Verdict::Deny(reason) => json!({"decision": "deny", "reason": reason}),
        Verdict::Rewrite(command) => json!({"args": rewritten(call, command)}),
        Verdict::Pass | Verdict::Warn(_) | Verdict::GoOn(_) | Verdict::Note(_) | Verdict::Tell(_) => json!({}),
    }
}

fn openclaw(verdict: &Verdict, call: Option<&Call>) -> Value {
    match verdict {
        Verdict::Deny(reason) => json!({"block": true, "blockReason": reason}),
        Verdict::Rewrite(command) => json!({"params": rewritten(call, command)}),
        Verdict::Pass | Verdict::Warn(_) | Verdict::GoOn(_) | Verdict::Note(_) | Verdict::Tell(_) => json!({}),
    }
}

/// Whether an agent has a place for this verdict; else it is said on standard error alone.
#[must_use]
pub fn has_a_place(agent: Agent, verdict: &Verdict, call: Option<&Call>) -> bool {
    answer(agent, verdict, call) != answer(agent, &Verdict::Pass, call)
}
