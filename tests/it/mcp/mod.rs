//! The MCP server: the wire of both eras, and real clients.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};

use crate::home::{Home, finish};
use crate::procs::{PATIENCE, alive, until};

/// What each request of the newer era carries.
fn meta() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}})
}

/// A client that writes lines and reads lines.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    meta: Value,
}

impl Client {
    /// Of the newer era: it says nothing before its first request.
    fn modern(home: &Home) -> Self {
        let mut child =
            home.command(&["mcp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines() {
                let message = serde_json::from_str(&line.unwrap()).expect("stdout carries messages alone");
                drop(sender.send(message)); // the test may be over
            }
        });
        Self { input: child.stdin.take(), child, lines, meta: meta() }
    }

    /// Of the older era.
    fn legacy(home: &Home, version: &str) -> Self {
        let mut client = Self::modern(home);
        client.meta = json!({});
        let about = json!({"name": "test", "version": "1"});
        let answer =
            client.ask("initialize", json!({"protocolVersion": version, "capabilities": {}, "clientInfo": about}));
        assert_eq!(answer["result"]["protocolVersion"], version, "{answer}");
        assert_eq!(answer["result"]["serverInfo"]["name"], "guardian");
        client.write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        client
    }

    fn write(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn send(&mut self, id: u64, method: &str, mut params: Value) {
        if params.get("_meta").is_none() {
            params["_meta"] = self.meta.clone();
        }
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("an answer")
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(7, method, params);
        self.next()
    }

    /// What a tool answered: the result of the call.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// The document of a tool that did what it should.
    fn document(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"], "clients that read only text read the same");
        text
    }

    /// Closes its input; the code with which the server ends.
    fn hang_up(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn both_eras_are_answered_with_the_same_tools_and_the_words_that_lead_to_them() {
    let home = Home::new();
    let mut modern = Client::modern(&home);
    let found = modern.ask("server/discover", json!({}));
    let instructions = found["result"]["instructions"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned();
    for word in ["server", "watcher", "bot", "training", "background", "long-running", "nohup"] {
        assert!(instructions.contains(word), "{word}");
    }
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")));
    let tools = modern.ask("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["run", "start", "stop", "restart", "status", "list", "logs", "wait", "why", "send"]);
    for tool in tools.as_array().unwrap() {
        let reads = ["status", "list", "logs", "wait", "why"].contains(&tool["name"].as_str().unwrap());
        assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{tool}");
        assert!(tool["outputSchema"]["type"] == "object" && tool["inputSchema"]["type"] == "object", "{tool}");
    }
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut legacy = Client::legacy(&home, version);
        assert_eq!(legacy.ask("tools/list", json!({}))["result"]["tools"], tools, "{version}");
        assert_eq!(legacy.ask("ping", json!({}))["result"], json!({}), "{version}");
    }
}

#[test]
fn a_process_is_started_read_waited_for_explained_and_stopped_and_outlives_the_server() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "echo hello; exec sleep 1000"]);
    home.ok(&["register", "job", "--target", "exit", "--", "echo done; exit 3"]);
    let mut client = Client::modern(&home);
    assert_eq!(client.document("start", json!({"names": ["bot", "job"]}))["processes"][0]["result"], "started");
    let waited = client.document("wait", json!({"names": ["job"], "timeout_s": 60}));
    assert_eq!((&waited["exit_code"], &waited["ended"][0]["exit_code"]), (&json!(3), &json!(3)));
    assert_eq!(client.document("why", json!({"name": "job"}))["sentence"], "it exited with code 3");
    until("it wrote", || client.document("logs", json!({"name": "bot"}))["lines"] == json!(["hello"]));
    let cursor = client.document("logs", json!({"name": "bot"}))["cursor"].clone();
    assert_eq!(client.document("logs", json!({"name": "bot", "cursor": cursor}))["lines"], json!([]));
    let rows = client.document("list", json!({}))["processes"].clone();
    assert_eq!((&rows[0]["name"], &rows[0]["state"]), (&json!("bot"), &json!("running")));
    let pid = home.pid("bot");
    assert_eq!(client.hang_up(), Some(0));
    assert!(alive(pid) && home.state("bot") == "running");
    let mut client = Client::legacy(&home, "2025-06-18");
    client.document("stop", json!({"names": ["bot"]}));
    assert_eq!(client.document("status", json!({"names": ["bot"]}))["processes"][0]["state"], "stopped");
}

#[test]
fn what_fails_is_the_tools_error_with_the_way_out_and_the_server_goes_on() {
    let home = Home::new();
    let mut client = Client::modern(&home);
    let error = |result: &Value| {
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let text = error(&client.call("start", json!({"names": ["nobody"]})));
    assert!(text.contains("`nobody` is not in the registry\nhint: ") && text.contains("exit code 4"), "{text}");
    assert!(error(&client.call("why", json!({"nam": "x"}))).contains("takes no argument `nam`; it takes name, run"));
    assert!(error(&client.call("stop", json!({"names": ["--all"]}))).contains("--all"));
    assert!(client.ask("tools/call", json!({"name": "rm", "arguments": {}}))["error"]["message"].is_string());
    client.write("this is no JSON");
    client.write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}");
    until("it still answers", || {
        client.send(99, "tools/call", json!({"name": "list", "arguments": {}}));
        std::iter::from_fn(|| Some(client.next())).find(|answer| answer["id"] == 99).is_some()
    });
}

#[test]
fn a_wait_reports_progress_keeps_no_other_call_waiting_and_ends_when_it_is_cancelled() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let mut client = Client::modern(&home);
    let mut marked = meta();
    marked["progressToken"] = json!("w");
    client.send(1, "tools/call", json!({"name": "wait", "arguments": {"names": ["bot"]}, "_meta": marked}));
    let other = client.document("list", json!({}));
    assert_eq!(other["processes"][0]["name"], "bot");
    let told = client.next();
    assert_eq!((&told["method"], &told["params"]["progressToken"]), (&json!("notifications/progress"), &json!("w")));
    assert!(told["params"]["progress"].as_f64().unwrap() >= 4.0, "{told}");
    let waiting = || crate::procs::carrying(&format!("GUARDIAN_HOME={}", home.root().display()));
    let waits = || waiting().into_iter().any(|pid| crate::procs::cmdline(pid).contains("wait --json"));
    assert!(waits());
    client
        .write(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string());
    until("the waiter is gone", || !waits());
    assert_eq!(home.state("bot"), "running");
}

#[test]
fn a_client_that_hangs_up_without_reading_or_in_the_middle_of_a_wait_leaves_neither_server_nor_waiter() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    let mut silent = home.command(&["mcp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = silent.stdin.take().unwrap();
    for id in 0..200 {
        let list = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": {"_meta": meta()}});
        writeln!(input, "{list}").unwrap();
    }
    drop(input);
    let mut client = Client::modern(&home);
    for id in ["one", "two"] {
        let params = json!({"name": "wait", "arguments": {"names": ["bot"]}, "_meta": meta()});
        client.write(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string());
    }
    let list = json!({"jsonrpc": "2.0", "id": "three", "method": "tools/list", "params": {"_meta": meta()}});
    client.write(&json!([list]).to_string());
    assert_eq!(client.next()["id"], "three", "two waits and a batch keep nobody waiting");
    let marked = || crate::procs::carrying(&format!("GUARDIAN_HOME={}", home.root().display()));
    let waits = || marked().into_iter().filter(|pid| crate::procs::cmdline(*pid).contains("wait --json")).count();
    until("both wait", || waits() == 2);
    assert_eq!(client.hang_up(), Some(0));
    until("the waiters are gone", || waits() == 0);
    assert_eq!((silent.wait().unwrap().code(), home.state("bot")), (Some(0), "running".to_owned()));
}

/// The Python of a virtual environment that `scripts/test` makes.
fn python(version: &str) -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".venv-mcp{version}/bin/python"));
    assert!(python.exists(), "no {}: scripts/test makes it", python.display());
    python
}

/// All tools by a real client, which checks each answer against the schema of its tool.
fn a_client_calls_every_tool(version: &str) {
    let home = Home::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/client.py");
    let mut client = Command::new(python(version));
    client.arg(script).arg(home.program()).env_clear().envs(home.env()).current_dir(home.path(""));
    let output = finish(client).expect(0);
    assert!(output.stdout.contains("called: list logs restart run send start status stop wait why"), "{output:?}");
}

#[test]
fn the_python_client_of_the_older_era_calls_every_tool() {
    a_client_calls_every_tool("1");
}

#[test]
fn the_python_client_of_the_newer_era_calls_every_tool() {
    a_client_calls_every_tool("2");
}
