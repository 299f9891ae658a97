//! `mcp`: the command line, spoken by the Model Context Protocol over standard input and output.
//!
//! Each tool is one command with `--json`, run as a program of its own by this very executable: what a tool answers is what
//! the command prints, and nothing of a server's life, its end included, touches a process that guardian keeps. Both eras
//! of the protocol are the SDK's business. Knows no registry and no state.

mod bound;
mod call;
mod lines;
mod schema;
mod tools;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};

use crate::error::{Code, Error};

pub use lines::Complain;

/// What a client shows its model before it has looked at any tool: when to think of guardian, and the rule.
const INSTRUCTIONS: &str = "guardian keeps processes alive after this session. Use it for anything that must go on by itself: \
a server, dev server, watcher, bot, worker, training, build, test suite, download, any long-running or background job. Never \
launch those with &, nohup, setsid, tmux or a tool's own background option: they die with the session and nobody is told. \
`run` starts one and returns at once with its name; `wait` returns its true exit code; `logs` gives only what is new by \
cursor; `why` says what killed it, and who sent the signal; `status` says what is up. Processes outlive this server.";

/// How long a client that has closed its end is given to read the last answers; the SDK gives calls that go on five seconds of them.
const LAST_WORDS: Duration = Duration::from_secs(7);

/// The server.
#[derive(Debug, Clone)]
struct Guardian {
    /// This executable.
    program: PathBuf,
    /// `--home` of the call that began the server.
    home: Option<PathBuf>,
}

impl ServerHandler for Guardian {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("guardian", env!("CARGO_PKG_VERSION")).with_title("guardian");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name).map(schema::described)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::TOOLS.iter().map(schema::described).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::find(&request.name) else {
            let names: Vec<&str> = tools::TOOLS.iter().map(|tool| tool.name).collect();
            let message = format!("no tool is named `{}`; there are {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        Ok(call::call(self, tool, request.arguments.unwrap_or_default(), &context).await.into())
    }
}

/// Serves standard input until it ends; lines of it that cannot be used are told by `complain`.
///
/// # Errors
/// The runtime cannot be made, or this executable cannot be found.
pub fn serve(home: Option<PathBuf>, complain: Complain) -> Result<(), Error> {
    let failed = |what: &str, error: io::Error| Error::new(Code::System, "mcp", format!("cannot {what}: {error}"));
    let program = std::env::current_exe().map_err(|error| failed("find this executable", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("make a runtime", error))?;
    runtime.block_on(async {
        // A client that goes away is the ordinary end, before the first word as well.
        let (input, output) = rmcp::transport::stdio_pipes();
        let (say, said) = lines::answers();
        let (input, reader) = lines::checked(input, complain, say);
        let (output, writer) = lines::merged(output, said);
        let served = async {
            if let Ok(server) = (Guardian { program, home }).serve((input, output)).await {
                drop(server.waiting().await);
            }
            drop(writer.await);
        };
        let given_up = async {
            drop(reader.await);
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! { () = served => {}, () = given_up => {} }
    });
    // A read of standard input that blocks for ever must not keep the server alive.
    runtime.shutdown_background();
    Ok(())
}
