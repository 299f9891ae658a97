//! What agents may hand over by mistake: each gets its own form of no opinion, the call passes, and one line says why.

use std::fs;

use serde_json::{Value, json};

use crate::home::{Home, Output};
use crate::hook::fed;

/// The agents, and what each takes for no opinion about a tool call.
const AGENTS: [(&str, &str); 7] = [
    ("claude", ""),
    ("codex", ""),
    ("copilot", ""),
    ("gemini", "{}\n"),
    ("cursor", "{\"permission\":\"allow\"}\n"),
    ("opencode", "{}\n"),
    ("openclaw", "{}\n"),
];

fn hook(home: &Home, agent: &str, input: &[u8]) -> Output {
    fed(home.command(&["hook", agent]), input)
}

/// A call as most of them write it; `arguments` is what the tool gets.
fn call(tool: &str, arguments: &Value) -> Vec<u8> {
    json!({"tool_name": tool, "tool_input": arguments}).to_string().into_bytes()
}

#[test]
fn whatever_is_no_tool_call_gets_each_agents_form_of_no_opinion_code_0_and_one_line_that_says_why() {
    let home = Home::new();
    let good = call("Bash", &json!({"command": "nohup bot &"}));
    let invalid = [&good[..good.len() - 5], b"\xff\xfe\"}}"].concat();
    let deep = |open: &str, close: &str| [open.repeat(200_000), close.repeat(200_000)].concat().into_bytes();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "not JSON"),
        ("blanks", b" \n\t".to_vec(), "not JSON"),
        ("a part of it", good[..good.len() / 2].to_vec(), "not JSON"),
        ("a part that ends within a character", invalid, "not JSON"),
        ("bytes that are no text", vec![0xff; 4096], "not JSON"),
        ("NUL", vec![0; 4096], "not JSON"),
        ("two calls", [good.clone(), good.clone()].concat(), "not JSON"),
        ("lists in lists", deep("[", "]"), "not JSON"),
        ("objects in objects", deep("{\"a\":", "}"), "not JSON"),
        ("a number beyond all", b"{\"tool_name\":\"Bash\",\"tool_input\":{\"timeout\":1e999}}".to_vec(), "not JSON"),
        ("no object", b"[\"nohup bot &\"]".to_vec(), "no JSON object"),
        ("null", b"null".to_vec(), "no JSON object"),
        ("more than is read", b" ".repeat(17 << 20), "is longer than"),
        ("no arguments", b"{\"tool_name\":\"Bash\"}".to_vec(), ""),
        ("arguments that are none", call("Bash", &json!(["nohup bot &"])), "no JSON object"),
        ("no command", call("Bash", &json!({"cmdline": "nohup bot &"})), "has no `command`"),
        ("a command that is no text", call("Bash", &json!({"command": {"nohup": "bot"}})), "has no `command`"),
        ("a tool that nobody knows", call("Frobnicate", &json!({"command": "nohup bot &"})), "frobnicate"),
        ("an event that nobody knows", b"{\"hook_event_name\":\"Frobnicated\"}".to_vec(), "Frobnicated"),
        ("a command of 10 MB", call("Bash", &json!({"command": "nohup a & ".repeat(1 << 20)})), "bytes long"),
        ("a command that cannot be parsed", call("Bash", &json!({"command": "nohup 'open"})), "cannot be parsed"),
    ];
    for (agent, no_opinion) in AGENTS {
        for (what, input, says) in &table {
            let claim = format!("{agent}, {what}");
            let output = hook(&home, agent, input);
            assert_eq!((output.code, output.stdout.as_str()), (0, no_opinion), "{claim}: {}", output.stderr);
            assert_eq!(output.stderr.lines().count(), 1, "{claim}: {}", output.stderr);
            assert!(
                output.stderr.starts_with("guardian hook: ") && output.stderr.contains(says),
                "{claim}: {output:?}"
            );
            assert!(output.stderr.len() < 500 && !output.stderr.contains('\0'), "{claim}: {}", output.stderr.len());
        }
        // The same agent is heard when it says it well.
        assert!(hook(&home, agent, &good).expect(0).stdout.contains("guardian run"), "{agent}");
    }
}

#[test]
fn a_command_with_a_nul_in_it_is_judged_by_what_stands_there() {
    let home = Home::new();
    let with_nul = call("Bash", &json!({"command": "nohup bot\0 &"}));
    for (agent, no_opinion) in AGENTS {
        let output = hook(&home, agent, &with_nul).expect(0);
        assert!(output.stdout != no_opinion || !output.stderr.is_empty(), "{agent}: {output:?}");
    }
}

/// CPU time that a command took, in seconds, by the shell's own account.
fn cpu(home: &Home, input: &[u8]) -> f64 {
    let (payload, times) = (home.path("payload"), home.path("times"));
    fs::write(&payload, input).unwrap();
    let line = "TIMEFORMAT='%U %S'; { time \"$1\" hook claude <\"$2\" >/dev/null 2>&1; } 2>\"$3\"";
    let mut command = home.other_command("/bin/bash".as_ref());
    command.args(["-c", line, "bash"]).arg(home.program()).args([&payload, &times]);
    crate::home::finish(command).expect(0);
    fs::read_to_string(times).unwrap().split_whitespace().map(|word| word.parse::<f64>().unwrap()).sum()
}

#[test]
fn ten_megabytes_are_answered_within_a_second_of_work() {
    let home = Home::new();
    let inputs = [
        call("Bash", &json!({"command": "nohup a & ".repeat(1 << 20)})),
        call("Bash", &json!({"command": "x".repeat(10 << 20)})),
        call("Bash", &json!({"command": "ls", "description": "é".repeat(5 << 20)})),
        [b"[".repeat(5 << 20), b"]".repeat(5 << 20)].concat(),
    ];
    for input in inputs {
        // Others are at work on this machine, which makes it slower, never faster.
        let least = (0..3).map(|_| cpu(&home, &input)).fold(f64::INFINITY, f64::min);
        assert!(least < 1.0, "{least} s for {:?}…", String::from_utf8_lossy(&input[..60]));
    }
}

/// What the MCP server answers to bytes that come first, and to a good request behind them; what it says on standard error.
#[cfg(feature = "mcp")]
fn mcp(home: &Home, input: &[u8]) -> (Vec<Value>, Output) {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let good = json!({"jsonrpc": "2.0", "id": 99, "method": "tools/list", "params": {"_meta": meta}}).to_string();
    let output = fed(home.command(&["mcp"]), &[input, b"\n", good.as_bytes(), b"\n"].concat()).expect(0);
    let answers = output.stdout.lines().map(|line| serde_json::from_str(line).expect("messages alone")).collect();
    (answers, output)
}

#[cfg(feature = "mcp")]
#[test]
fn the_mcp_server_says_what_it_cannot_use_in_one_line_and_answers_what_comes_next() {
    let home = Home::new();
    let request = |method: &str, params: &str| {
        format!("{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"{method}\",\"params\":{params}}}").into_bytes()
    };
    let nested = format!("{{\"name\":\"status\",\"arguments\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let passed_over: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a part of a message", b"{\"jsonrpc\":\"2.0\",\"id\":5,".to_vec(), "not JSON"),
        ("bytes that are no text", vec![0xff; 4096], "not JSON"),
        (
            "text that is not UTF-8",
            request("frob\u{0}", "{}").into_iter().map(|b| if b == 0 { 0xff } else { b }).collect(),
            "not JSON",
        ),
        ("NUL", vec![0; 64], "not JSON"),
        ("lists in lists", "[".repeat(200_000).into_bytes(), "not JSON"),
        ("arguments in arguments", request("tools/call", &nested), "not JSON"),
        ("half a character", b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\\ud800\"}".to_vec(), "not JSON"),
        ("more than is read", b" ".repeat(50 << 20), "longer than"),
        ("a notice before the first request", b"{\"jsonrpc\":\"2.0\",\"method\":\"frob\"}".to_vec(), "first request"),
        ("an answer that nobody asked for", b"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}".to_vec(), "first request"),
    ];
    for (what, input, says) in passed_over {
        let (mut answers, output) = mcp(&home, &input);
        if says != "first request" {
            let wrong = answers.remove(0);
            assert!(wrong["error"]["code"] == -32700 && wrong["id"].is_null(), "{what}: {wrong}");
            assert!(wrong["error"]["message"].as_str().unwrap().contains(says), "{what}: {wrong}");
        }
        assert_eq!(answers.len(), 1, "{what}: {answers:?}");
        assert!(answers[0]["id"] == 99 && answers[0]["result"]["tools"].is_array(), "{what}: {answers:?}");
        assert!(output.stderr.lines().count() == 1 && output.stderr.contains(says), "{what}: {}", output.stderr);
    }
}

#[cfg(feature = "mcp")]
#[test]
fn the_mcp_server_answers_a_wrong_call_with_what_is_wrong_and_starts_nothing() {
    let home = Home::new();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let call = |name: &str, arguments: Value| {
        let params = json!({"_meta": meta, "name": name, "arguments": arguments});
        json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}).to_string().into_bytes()
    };
    let params = json!({"_meta": meta});
    let method = json!({"jsonrpc": "2.0", "id": 5, "method": "frob", "params": params}).to_string().into_bytes();
    let table = [
        ("a method that nobody knows", method, "frob"),
        ("a tool that nobody knows", call("frob", json!({})), "no tool is named"),
        ("an argument that nobody knows", call("run", json!({"frob": 1})), "takes no argument `frob`"),
        ("an argument of another kind", call("run", json!({"command": "ls"})), "must be a list of texts"),
        ("NUL in an argument", call("run", json!({"command": ["echo", "a\0b"]})), "`command`"),
        ("a command of 10 MB", call("run", json!({"command": ["x".repeat(10 << 20)]})), "too long"),
        ("no object for arguments", call("run", json!([1])), ""),
    ];
    for (what, input, says) in table {
        let (answers, _) = mcp(&home, &input);
        let find =
            |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{what}: {answers:?}"));
        assert!(find(99)["result"]["tools"].is_array(), "{what}");
        let wrong = find(5);
        assert!(wrong["error"].is_object() || wrong["result"]["isError"] == true, "{what}: {wrong}");
        assert!(wrong.to_string().contains(says) && wrong.to_string().len() < 1000, "{what}: {wrong}");
    }
    assert!(!home.registry_path().exists(), "nothing was registered");
}
