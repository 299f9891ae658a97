//! Payloads as the real agents send them, and the exact answers.

use serde_json::{Value, json};

use super::request::{Request, read};
use super::*;
use crate::model::hook::{HookConfig, HookMode};

fn asked(agent: Agent, payload: &Value, mode: HookMode) -> String {
    match read(agent, None, payload.to_string().as_bytes()).unwrap() {
        Request::Shell(call) => {
            let config = HookConfig { mode, allow: vec!["./allowed*".to_owned()] };
            let verdict = judge::verdict(agent, &call, judge::launches(&call).unwrap(), &config);
            answer(agent, &verdict, Some(&call))
        }
        Request::End(end) => answer(agent, &judge::at_the_end(&end, &[], mode), None),
        Request::Begin(_) | Request::Other(_) => answer(agent, &Verdict::Pass, None),
    }
}

/// The payload of each agent for a command, as it was recorded.
fn payload(agent: Agent, command: &str) -> Value {
    match agent {
        Agent::Claude => json!({"session_id": "f567987b", "transcript_path": "/h/.claude/projects/-p/f567.jsonl",
            "cwd": "/p", "prompt_id": "7a8d", "permission_mode": "acceptEdits", "effort": {"level": "high"},
            "hook_event_name": "PreToolUse", "tool_name": "Bash",
            "tool_input": {"command": command, "description": "d"}, "tool_use_id": "toolu_1"}),
        Agent::Codex => json!({"session_id": "01a1", "turn_id": "01a1", "cwd": "/p", "hook_event_name": "PreToolUse",
            "model": "gpt-5.5", "permission_mode": "bypassPermissions", "tool_name": "Bash",
            "tool_input": {"command": command}, "tool_use_id": "call_1"}),
        Agent::Copilot => json!({"sessionId": "s", "timestamp": 1_795_205_468_108_u64, "cwd": "/p",
            "toolName": "bash", "toolArgs": {"command": command, "description": "d"}}),
        Agent::Gemini => json!({"session_id": "s", "cwd": "/p", "hook_event_name": "BeforeTool", "timestamp": "t",
            "tool_name": "run_shell_command", "tool_input": {"command": command, "description": "d"}}),
        Agent::Cursor => json!({"command": command, "cwd": "/p", "hook_event_name": "beforeShellExecution",
            "workspace_roots": [], "conversation_id": "c", "generation_id": "g", "sandbox": false}),
        Agent::Opencode => json!({"tool": "bash", "sessionID": "s", "callID": "c", "args": {"command": command}}),
        Agent::Openclaw => json!({"toolName": "exec", "params": {"command": command}}),
    }
}

#[test]
fn a_command_that_is_a_list_of_words_is_read_as_one() {
    for (words, denied) in [
        (json!(["bash", "-lc", "nohup python bot.py &"]), true),
        (json!(["nohup", "python", "bot.py"]), true),
        (json!(["echo", "nohup x &"]), false),
    ] {
        let payload = json!({"hook_event_name": "PreToolUse", "tool_name": "shell", "tool_input": {"command": words}});
        assert_eq!(asked(Agent::Codex, &payload, HookMode::Deny).contains("deny"), denied, "{words}");
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[test]
fn a_launch_is_refused_in_the_words_of_each_agent_and_all_else_is_no_opinion() {
    for agent in Agent::ALL {
        let refusal = asked(agent, &payload(agent, "nohup python bot.py &"), HookMode::Deny);
        let value = parsed(&refusal);
        assert!(refusal.contains("guardian run --name bot -- python bot.py"), "{refusal}");
        let nothing = match agent {
            Agent::Claude | Agent::Codex => {
                let inner = &value["hookSpecificOutput"];
                assert_eq!(value.as_object().unwrap().len(), 1);
                assert_eq!(
                    (&inner["hookEventName"], &inner["permissionDecision"]),
                    (&json!("PreToolUse"), &json!("deny"))
                );
                assert!(inner["permissionDecisionReason"].is_string());
                ""
            }
            Agent::Copilot => {
                assert_eq!(value["permissionDecision"], "deny");
                assert!(value["permissionDecisionReason"].is_string());
                ""
            }
            Agent::Gemini | Agent::Opencode => {
                assert!(value["decision"] == "deny" && value["reason"].is_string());
                "{}"
            }
            Agent::Cursor => {
                assert!(value["permission"] == "deny" && value["agent_message"].is_string());
                r#"{"permission":"allow"}"#
            }
            Agent::Openclaw => {
                assert!(value["block"] == true && value["blockReason"].is_string());
                "{}"
            }
        };
        for harmless in ["make test 2>&1", "./allowed --port 1 &", "guardian run -- ./x"] {
            assert_eq!(asked(agent, &payload(agent, harmless), HookMode::Deny), nothing, "{agent:?}: {harmless}");
        }
    }
}

#[test]
fn the_agents_own_options_for_the_background_are_launches() {
    let flagged = [
        (Agent::Claude, "tool_input", json!({"run_in_background": true})),
        (Agent::Gemini, "tool_input", json!({"is_background": true})),
        (Agent::Copilot, "toolArgs", json!({"mode": "async", "detach": true, "shellId": "s2"})),
        (Agent::Copilot, "toolArgs", json!({"mode": "async"})),
        (Agent::Openclaw, "params", json!({"background": true})),
        (Agent::Openclaw, "params", json!({"yieldMs": 1000})),
    ];
    for (agent, key, option) in flagged {
        let with = |command: &str| {
            let mut payload = payload(agent, command);
            payload[key].as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
            payload
        };
        let refusal = asked(agent, &with("sleep 987"), HookMode::Deny);
        assert!(refusal.contains("guardian run --name sleep -- sleep 987"), "{option}: {refusal}");
        let waits = asked(agent, &with("guardian wait bot"), HookMode::Deny);
        assert_eq!(waits, answer(agent, &Verdict::Pass, None), "{option}");
        let rewritten = asked(agent, &with("sleep 987"), HookMode::Rewrite);
        assert!(
            rewritten.contains("guardian run --name sleep -- sleep 987") && !rewritten.contains("async"),
            "{rewritten}"
        );
        assert!(!rewritten.contains("background\":true") && !rewritten.contains("yieldMs"), "{rewritten}");
    }
}

#[test]
fn a_rewritten_call_keeps_its_other_arguments() {
    let mode = HookMode::Rewrite;
    let text = asked(Agent::Claude, &payload(Agent::Claude, "./a &"), mode);
    assert_eq!(
        parsed(&text),
        json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow",
            "updatedInput": {"command": "guardian run --name a -- ./a", "description": "d"}}})
    );
    let text = asked(Agent::Gemini, &payload(Agent::Gemini, "./a &"), mode);
    assert_eq!(parsed(&text)["hookSpecificOutput"]["tool_input"]["command"], "guardian run --name a -- ./a");
    let text = asked(Agent::Copilot, &payload(Agent::Copilot, "./a &"), mode);
    assert_eq!(parsed(&text)["modifiedArgs"]["command"], "guardian run --name a -- ./a");
    let list =
        json!({"hook_event_name": "PreToolUse", "tool_name": "shell", "tool_input": {"command": ["nohup", "./a"]}});
    let text = asked(Agent::Codex, &list, mode);
    let words = &parsed(&text)["hookSpecificOutput"]["updatedInput"]["command"];
    assert_eq!(words, &json!(["bash", "-c", "guardian run --name a -- ./a"]), "a list of words stays one");
    let inexact = asked(Agent::Claude, &payload(Agent::Claude, "./a & echo $!"), mode);
    assert!(inexact.contains("deny"), "{inexact}");
    let cursor = asked(Agent::Cursor, &payload(Agent::Cursor, "./a &"), mode);
    assert_eq!(parsed(&cursor)["permission"], "deny", "before a shell command it takes no other one");
}

#[test]
fn a_warning_lets_the_call_pass() {
    let text = asked(Agent::Claude, &payload(Agent::Claude, "./a &"), HookMode::Warn);
    let inner = &parsed(&text)["hookSpecificOutput"];
    assert!(inner["additionalContext"].is_string() && inner["permissionDecision"].is_null(), "{text}");
    assert_eq!(asked(Agent::Gemini, &payload(Agent::Gemini, "./a &"), HookMode::Warn), "{}");
}

#[test]
fn copilots_other_dialect_is_answered_in_its_own_form() {
    let payload = json!({"hook_event_name": "PreToolUse", "session_id": "s", "timestamp": "t", "cwd": "/p",
        "tool_name": "Bash", "tool_input": {"command": "./a &", "description": "d"}});
    let text = asked(Agent::Copilot, &payload, HookMode::Deny);
    assert_eq!(parsed(&text)["hookSpecificOutput"]["permissionDecision"], "deny");
    let text = json!({"toolName": "bash", "toolArgs": json!({"command": "./a &"}).to_string()});
    assert!(asked(Agent::Copilot, &text, HookMode::Deny).contains("deny"));
}

#[test]
fn the_end_of_a_turn_is_held_once_for_what_still_runs() {
    let stop = |again: bool, command: &str| {
        json!({"session_id": "f5", "hook_event_name": "Stop", "stop_hook_active": again, "background_tasks": [
            {"id": "b", "type": "shell", "status": "running", "description": "bg", "command": command},
            {"id": "c", "type": "shell", "status": "completed", "command": "old"}]})
    };
    let text = asked(Agent::Claude, &stop(false, "sleep 987"), HookMode::Deny);
    assert!(parsed(&text)["decision"] == "block" && text.contains("sleep 987") && !text.contains("old"), "{text}");
    for (again, mode) in [(true, HookMode::Deny), (false, HookMode::Warn)] {
        let text = asked(Agent::Claude, &stop(again, "sleep 987"), mode);
        assert!(parsed(&text)["decision"].is_null() && parsed(&text)["systemMessage"].is_string(), "{text}");
    }
    assert_eq!(asked(Agent::Claude, &stop(false, "guardian wait bot"), HookMode::Deny), "");
}

#[test]
fn what_a_process_calls_itself_is_one_short_line_in_quotes() {
    let end = super::request::End { turn: true, again: false, session: None, tasks: Vec::new() };
    let title = format!("x\n</system>\u{1b}[31m`y`\" {}", "z".repeat(500));
    let Verdict::GoOn(text) = judge::at_the_end(&end, &[(4, title)], HookMode::Deny) else { panic!("it is said") };
    let line = text.lines().nth(1).unwrap();
    assert!(line.starts_with("  pid 4: \"x?/system??y??") && line.ends_with('"') && line.len() < 110, "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn other_tools_and_events_are_no_business_of_guardians() {
    let read_file = json!({"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": "/x &"}});
    assert!(matches!(read(Agent::Claude, None, read_file.to_string().as_bytes()), Ok(Request::Other(Some(_)))));
    let event = json!({"hook_event_name": "Frobnicated"}).to_string();
    assert!(matches!(read(Agent::Claude, None, event.as_bytes()), Ok(Request::Other(Some(_)))));
    for wrong in ["", "{", "[]", "null", "{\"tool_name\":5}", "{\"tool_name\":\"Bash\",\"tool_input\":7}"] {
        assert!(read(Agent::Claude, None, wrong.as_bytes()).is_err(), "{wrong}");
    }
    let power = json!({"tool_name": "PowerShell", "tool_input": {"command": "a & b"}});
    assert_eq!(asked(Agent::Claude, &power, HookMode::Deny), "", "another language is not judged by this one");
}

#[test]
fn what_a_session_is_told_at_its_beginning_stands_where_each_agent_looks_for_it() {
    let payload = json!({"session_id": "s1", "hook_event_name": "SessionStart", "source": "startup", "cwd": "/p"});
    for agent in Agent::ALL {
        let request = read(agent, None, payload.to_string().as_bytes()).unwrap();
        assert_eq!(request, Request::Begin(Some("s1".to_owned())), "{agent:?}");
        let said = parsed(&answer(agent, &Verdict::Tell("facts".to_owned()), None));
        match agent {
            Agent::Claude | Agent::Codex | Agent::Gemini => assert_eq!(
                said,
                json!({"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "facts"}})
            ),
            Agent::Copilot => assert_eq!(said, Value::Null),
            Agent::Cursor | Agent::Opencode | Agent::Openclaw => assert_eq!(said, json!({})),
        }
    }
}
