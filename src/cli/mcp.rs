//! `mcp`: the Model Context Protocol on standard input and output.

use std::time::Duration;

use clap::Parser;

use crate::agent::mcp;
use crate::context::Context;
use crate::error::Error;
use crate::spool;
use crate::store::registry_file;

use super::Call;

/// How often requests of sandboxed shells are looked for: agents keep this server outside of their sandboxes.
const LOOK: Duration = Duration::from_secs(15);

/// Serves agents by the Model Context Protocol on standard input and output
#[derive(Debug, Parser)]
#[command(after_help = "Example: claude mcp add guardian -- guardian mcp")]
pub(super) struct Mcp;

pub(super) fn run(call: &Call, _: &Mcp) -> Result<u8, Error> {
    let home = call.home.clone();
    // Beside the protocol, and ended with this process. What fails is for a pass to say: nobody reads it here.
    std::thread::spawn(move || {
        loop {
            if let Ok(ctx) = Context::read(home.clone())
                && let Ok(loaded) = registry_file::load(&ctx.paths, ctx.home.as_deref())
            {
                drop(spool::serve(&ctx, &loaded.registry));
            }
            std::thread::sleep(LOOK);
        }
    });
    let out = call.out;
    mcp::serve(call.home.clone(), Box::new(move |said| out.complain(said)))?;
    Ok(0)
}
