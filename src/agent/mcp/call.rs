//! One call: the command is run, its document is the answer, its error is the tool's error.

use std::process::{Output, Stdio};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{CallToolResult, ContentBlock, ProgressNotificationParam};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Guardian;
use super::bound::bound;
use super::tools::{Arguments, Tool};

/// How often a client that asked for it is told that a call goes on.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Most of a command's own words that an error repeats, in characters.
const SAID: usize = 1000;

/// Runs the tool.
pub(super) async fn call(
    server: &Guardian,
    tool: &'static Tool,
    arguments: Arguments,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    let line = match tool.command_line(&arguments) {
        Ok(line) => line,
        Err(why) => return failed(&format!("error: {why}")),
    };
    let mut command = Command::new(&server.program);
    command.args(&line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(home) = &server.home {
        command.env("GUARDIAN_HOME", home);
    }
    // What changes something is finished, whatever becomes of the server; what only looks ends with it.
    command.process_group(0).kill_on_drop(tool.only_reads());
    let ending = async { command.spawn()?.wait_with_output().await };
    tokio::select! {
        output = ending => match output {
            Ok(output) => answer(tool, &output),
            Err(error) => failed(&format!("error: cannot run guardian itself: {error}")),
        },
        () = context.ct.cancelled() => failed("the call was cancelled; processes go on"),
        () = tell(tool, context) => failed("the client went away"), // it never ends by itself
    }
}

/// Tells a client that wants it how long the call has gone on.
async fn tell(tool: &Tool, context: &RequestContext<RoleServer>) {
    let Some(token) = context.meta.get_progress_token() else { return std::future::pending().await };
    let begun = Instant::now();
    let mut ticks = interval_at(begun + TOLD_EVERY, TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let seconds = begun.elapsed().as_secs();
        let progress = ProgressNotificationParam::new(token.clone(), begun.elapsed().as_secs_f64());
        let progress = progress.with_message(format!("{} has gone on for {seconds} s", tool.name));
        if context.peer.notify_progress(progress).await.is_err() {
            return;
        }
    }
}

/// What a command's end means.
fn answer(tool: &Tool, output: &Output) -> CallToolResult {
    let document: Option<Value> = serde_json::from_slice(&output.stdout).ok().filter(Value::is_object);
    let Some(mut document) = document else {
        return failed(&complaint(&output.stderr, output.status.code()));
    };
    if tool.name == "list" {
        document = in_short(&document);
    }
    // One that was killed has no code: that is no answer.
    let Some(code) = output.status.code() else { return failed(&complaint(&output.stderr, None)) };
    document["exit_code"] = json!(code);
    let document = bound(document);
    let mut result = CallToolResult::structured(document);
    result.is_error = Some(code != 0 && !tool.code_is_answer);
    result
}

fn in_short(status: &Value) -> Value {
    let short = |process: &Value| {
        let fields = ["name", "state", "group", "pid", "run"];
        fields.iter().map(|field| ((*field).to_owned(), process[*field].clone())).collect::<Value>()
    };
    let processes: Vec<Value> = status["processes"].as_array().into_iter().flatten().map(short).collect();
    json!({"schema": status["schema"], "processes": processes})
}

/// The error of a command in words: what failed, and the way out.
fn complaint(stderr: &[u8], code: Option<i32>) -> String {
    let text = String::from_utf8_lossy(stderr);
    let told = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back();
    let error = told.map(|told| told["error"].clone());
    let code = code.map_or_else(|| "guardian was killed".to_owned(), |code| format!("exit code {code}"));
    match error.as_ref().and_then(|error| error["message"].as_str()) {
        Some(message) => {
            let hint = error.as_ref().and_then(|error| error["hint"].as_str());
            let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!("error: {message}{hint}\n({code})")
        }
        None => format!("error: {}\n({code})", text.chars().take(SAID).collect::<String>().trim()),
    }
}

fn failed(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}
